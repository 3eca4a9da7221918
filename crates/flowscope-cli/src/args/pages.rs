//! Completions of shells and pages of the manual, made of the command line: they are in `contrib`, for packages.
//!
//! `UPDATE_GOLDEN=1` writes them anew.
#![cfg(all(feature = "live", target_os = "linux"))]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

#[test]
fn pages_and_completions_are_those_of_the_command_line() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib");
    for (folder, made) in [("man", pages()), ("completions", completions())] {
        let folder = contrib.join(folder);
        if env::var_os("UPDATE_GOLDEN").is_some() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).expect("contrib is a folder");
            made.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        }
        let there = files(&folder);
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&there), names(&made), "`cargo xtask cli-pages` writes them anew");
        for (name, text) in made {
            let differs = || format!("{name} differs: `cargo xtask cli-pages` writes it anew");
            assert!(there[&name] == text, "{}", differs());
        }
    }
}

/// Text by name of the file.
type Files = BTreeMap<String, String>;

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    entries.map(|paths| paths.map(read).collect()).unwrap_or_default()
}

fn completions() -> Files {
    let of = |shell: Shell, name: &str| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut super::Cli::command(), "flowscope", &mut text);
        (name.to_owned(), String::from_utf8(text).unwrap())
    };
    // Names that the shells look for.
    [
        of(Shell::Bash, "flowscope.bash"),
        of(Shell::Fish, "flowscope.fish"),
        of(Shell::Zsh, "_flowscope"),
    ]
    .into()
}

/// The page of the command, and one of each subcommand.
fn pages() -> Files {
    let mut command = super::Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    let names = subcommands.iter().map(|command| command.get_display_name().unwrap().to_owned());
    let mut also: Vec<String> = names.collect();
    also.insert(0, command.get_name().to_owned());
    subcommands.into_iter().chain([command]).map(|command| page(command, &also)).collect()
}

fn page(command: clap::Command, pages: &[String]) -> (String, String) {
    let help = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    // It has its own layout.
    let man = Man::new(command.after_help(None).after_long_help(None))
        .source(concat!("flowscope ", env!("CARGO_PKG_VERSION")))
        // Without a date, which would change with every release. An empty one would be no argument.
        .date(" ")
        .manual("User Commands");
    let name = man.get_filename();
    let mut page = Vec::new();
    man.render(&mut page).expect("a vector takes all");
    let mut page = String::from_utf8(page).unwrap();
    let mut rest = Roff::new();
    sections(&help.unwrap_or_default(), &mut rest);
    rest.control("SH", ["SEE ALSO"]);
    let others = pages.iter().map(|page| format!("{page}(1)"));
    let own = name.replace(".1", "(1)");
    let others: Vec<_> = others.filter(|other| *other != own).collect();
    rest.text([roman(others.join(", "))]);
    page += &rest.to_roff();
    (name, page)
}

/// The text below the options: titles, each with lines that are indented.
fn sections(help: &str, roff: &mut Roff) {
    let mut section = "";
    let mut layout = Layout { in_columns: false, has_break: false };
    for line in help.lines() {
        let (title, text) = match line.strip_suffix(':') {
            Some(title) if !line.starts_with(' ') => (title, ""),
            _ => match line.strip_prefix("Exit status: ") {
                Some(text) => ("Exit status", text),
                None => ("", line),
            },
        };
        let next = match title {
            "Exit status" => "EXIT STATUS",
            "Examples" => "EXAMPLES",
            "" if !section.is_empty() || text.is_empty() => section,
            _ => "NOTES",
        };
        if next != section {
            layout.heading("SH", next, roff);
            section = next;
        }
        if section == "NOTES" && !title.is_empty() {
            layout.heading("SS", title, roff);
        }
        layout.put(text, roff);
    }
    layout.fill(roff);
}

/// How lines are laid out: what is in columns keeps its lines, all else is filled.
struct Layout {
    in_columns: bool,
    /// A blank line stands before the next text.
    has_break: bool,
}

impl Layout {
    fn heading(&mut self, level: &str, title: &str, roff: &mut Roff) {
        self.fill(roff);
        self.has_break = false;
        roff.control(level, [title]);
    }

    fn fill(&mut self, roff: &mut Roff) {
        if self.in_columns {
            roff.control("fi", []);
        }
        self.in_columns = false;
    }

    fn put(&mut self, line: &str, roff: &mut Roff) {
        let text = line.trim_start();
        if text.is_empty() {
            self.has_break = true;
            return;
        }
        let in_columns = line.starts_with("   ")
            || text.contains("   ")
            || ["flowscope ", "tcpdump "].iter().any(|command| text.starts_with(command));
        if in_columns {
            if !self.in_columns {
                roff.control("nf", []);
            } else if self.has_break {
                roff.text([roman("")]);
            }
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            self.in_columns = true;
        } else {
            self.fill(roff);
            // A line that introduces columns is a paragraph.
            if self.has_break || text.ends_with(':') {
                roff.control("PP", []);
            }
            roff.text([roman(text)]);
        }
        self.has_break = false;
    }
}
