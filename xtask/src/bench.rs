//! `cargo xtask bench`: both sides of each comparison in one run, and the parsers, written to docs/PERFORMANCE.md.
//!
//! The programs print tables of figures, some beside a goal; every row is written down, met or missed. A run of one
//! program, or of a part of one, is printed and leaves the document as it is.

use std::fmt::Write as _;

use xshell::{Shell, cmd};

use crate::Result;

const DOCUMENT: &str = "docs/PERFORMANCE.md";

/// A program that prints tables. One that holds us against others is in a package of its own: they never enter
/// the workspace.
#[derive(Debug)]
struct Program {
    /// What it is called on the command line.
    name: &'static str,
    title: &'static str,
    /// What the reader of its tables has to know; may be empty.
    about: &'static str,
    folder: &'static str,
    /// What cargo does in that folder.
    command: &'static str,
    /// The toolchain that it needs, as rustup calls it.
    toolchain: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        name: "flows",
        title: "Flows and streams, beside flowscope 0.22 and protolens 0.2.3",
        about: "",
        folder: "benches/peers",
        command: "run --release",
        toolchain: "stable",
    },
    Program {
        name: "sessions",
        title: "Sessions and streams, beside flowscope 0.26",
        about: "",
        folder: "benches/peers/sessions-026",
        command: "run --release",
        toolchain: "nightly",
    },
    Program {
        name: "parsers",
        title: "Parsers, each over the samples of its protocol",
        about: PARSERS,
        folder: "benches",
        command: "bench --bench parsers",
        toolchain: "stable",
    },
];

const PARSERS: &str = "
A parser alone, without tracker, reassembly and output. A pass reads every sample that the crate of the protocol has, each with a
new parser: a stream in chunks of 1460 bytes at most, a datagram whole. A message is a record, so that rows cannot be held
against each other: it is one command of Redis or one message of DNS, and the whole handshake of TLS or SSH with its
certificates and lists. Samples are short: the cost of a parser that begins is shared by few messages. Allocations count what is
made larger too; the registry of a driver adds one per message, a box around it. The dearest are QUIC, for which keys are derived and
packets decrypted, and SIP, the record of which has some twenty texts of the request and of its response, each allocated by itself.
";

const HEAD: &str = "\
# Performance

Written by `cargo xtask bench`, which runs the programs below and leaves no row out. In comparisons, traces are made in memory
from a seed, and all sides get the same packets in one run, by turns; every side counts its events, and a note behind
a table says whether the counts are equal. Figures are the median of the rounds, in CPU time of the thread.
A goal that is missed is marked.

What it does not show: other machines, real captures, and what a capture or a reader of records costs.
`cargo xtask gate` counts instructions, which are the same on a busy machine; its limits are in
[`benches/limits.tsv`](../benches/limits.tsv). Live capture has a program of its own, `benches/live-peers`.
";

/// Without arguments, runs all programs and writes the document. The name of a program and words for its command
/// line run that program alone, and print its tables.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let chosen = choose(args)?;
    let sh = Shell::new()?;
    if let Some((program, words)) = chosen {
        print!("{}", program.section(&sh, words)?);
        return Ok(());
    }
    let mut text = format!("{HEAD}\n{}\n", machine(&sh)?);
    for program in &PROGRAMS {
        println!("{}", program.name);
        text.push_str(&program.section(&sh, &[])?);
    }
    Ok(sh.write_file(DOCUMENT, text)?)
}

/// The program that `args` name, and the words for it; `None`: all programs.
fn choose(args: &[String]) -> Result<Option<(&'static Program, &[String])>> {
    let Some((name, words)) = args.split_first() else { return Ok(None) };
    let named = PROGRAMS.iter().find(|program| program.name == name);
    let names = PROGRAMS.each_ref().map(|program| program.name).join(" or ");
    let program = named.ok_or_else(|| {
        format!("no program `{name}`: bench takes nothing, or {names}, and words for it")
    })?;
    Ok(Some((program, words)))
}

impl Program {
    /// Runs the program with these words, and gives its section of the document.
    fn section(&self, sh: &Shell, words: &[String]) -> Result<String> {
        let Program { title, about, folder, command, toolchain, .. } = self;
        let plus = format!("+{toolchain}");
        let output = {
            let _folder = sh.push_dir(folder);
            let command = command.split(' ');
            cmd!(sh, "cargo {plus} {command...} --quiet --locked -- {words...}")
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("CARGO")
                .read()?
        };
        let tables = markdown(&output);
        if tables.is_empty() {
            return Err(format!("{folder}: no figures: {output}").into());
        }
        let rust =
            cmd!(sh, "rustc {plus} --version").env_remove("RUSTUP_TOOLCHAIN").quiet().read()?;
        let words: String = words.iter().map(|word| format!(" {word}")).collect();
        let words = if words.is_empty() { words } else { format!(" --{words}") };
        let date = cmd!(sh, "date -u +%F").quiet().read()?;
        let command = format!("{date}, `cargo {plus} {command}{words}` in `{folder}`; {rust}.");
        Ok(format!("\n## {title}\n\n{command}\n{about}{tables}"))
    }
}

/// Where: the figures are of no other machine.
fn machine(sh: &Shell) -> Result<String> {
    let cpus = sh.read_file("/proc/cpuinfo").unwrap_or_default();
    let mut names = cpus.lines().filter_map(|line| line.split_once(": "));
    let name =
        names.find(|(key, _)| key.starts_with("model name")).map_or("unknown", |(_, name)| name);
    let count = std::thread::available_parallelism()?;
    Ok(format!("{count} processors, {name}."))
}

/// What a program printed, as tables and lists of notes. A row behind a note begins a table of the same unit; a table of
/// several columns is Markdown already.
fn markdown(output: &str) -> String {
    #[derive(PartialEq)]
    enum Block {
        Title,
        Table,
        Columns,
        Notes,
    }
    let mut text = String::new();
    let (mut block, mut unit) = (Block::Title, "");
    for line in output.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let _ = write!(text, "\n### {title}\n");
            (block, unit) = (Block::Title, "");
            continue;
        }
        match Line::parse(line) {
            None => {}
            Some(Line::Columns(row)) => {
                if block != Block::Columns {
                    text.push('\n');
                    block = Block::Columns;
                }
                let _ = writeln!(text, "{}", row.replace(" - ", " – "));
            }
            // A table begins with its first row: one without rows is none.
            Some(Line::Head(of_figures)) => (block, unit) = (Block::Title, of_figures),
            Some(Line::Row { name, figure, spread, goal }) => {
                if block != Block::Table {
                    let head = "| least – most | goal | |\n|---|---|---|---|---|\n";
                    let _ = write!(text, "\n| | {unit} {head}");
                    block = Block::Table;
                }
                let missed = if is_missed(figure, goal) { "**missed**" } else { "" };
                let spread = spread.replace(" - ", " – ");
                let _ = writeln!(text, "| {name} | {figure} | {spread} | {goal} | {missed} |");
            }
            Some(Line::Note(note)) => {
                if block != Block::Notes {
                    text.push('\n');
                    block = Block::Notes;
                }
                let _ = writeln!(text, "* {note}");
            }
        }
    }
    text
}

/// A line that a program printed, but for titles.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    /// The head of a table: the unit of its figures.
    Head(&'a str),
    Row {
        name: &'a str,
        figure: &'a str,
        spread: &'a str,
        goal: &'a str,
    },
    /// A row of a table of several columns, or its head.
    Columns(&'a str),
    Note(&'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Line<'a>> {
        if line.trim().is_empty() {
            return None;
        }
        if line.starts_with('|') {
            return Some(Line::Columns(line));
        }
        // Columns are padded, so that two spaces separate them.
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        if line.starts_with(' ') && line.ends_with("goal") {
            return cells.next().map(Line::Head);
        }
        let note = Some(Line::Note(line.trim()));
        let (Some(name), Some(figure)) = (cells.next(), cells.next()) else { return note };
        if line.starts_with(' ') || !figure.starts_with(|first: char| first.is_ascii_digit()) {
            return note;
        }
        let rest: Vec<&str> = cells.collect();
        let (spread, goal) = match rest[..] {
            [] => ("", ""),
            [one] if one.contains(" - ") => (one, ""),
            [one] => ("", one),
            [spread, goal, ..] => (spread, goal),
        };
        Some(Line::Row { name, figure, spread, goal })
    }
}

/// Whether a goal such as `>= 3.5` or `<= 200` is missed; a goal in words is for the reader.
fn is_missed(figure: &str, goal: &str) -> bool {
    let Ok(figure) = figure.trim_end_matches('x').parse::<f64>() else { return false };
    let number = |bound: &str| bound.split_whitespace().next()?.parse::<f64>().ok();
    if let Some(least) = goal.strip_prefix(">= ").and_then(number) {
        figure < least
    } else if let Some(most) = goal.strip_prefix("<= ").and_then(number) {
        figure > most
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "
## SYN flood, a full table of 100000
                                                  ns/packet        least - most  goal
flowscope 0.22                                        516.9       505.2 - 558.6
ours, one by one                                      187.4       177.2 - 201.9  <= 200
0.22 / ours, one by one                               2.76x                      >= 3.5
starts, ends: equal
  ours            [100000, 100000]
";

    #[test]
    fn tables_keep_every_row_and_say_what_is_missed() {
        assert_eq!(
            markdown(PRINTED),
            "
### SYN flood, a full table of 100000

| | ns/packet | least – most | goal | |
|---|---|---|---|---|
| flowscope 0.22 | 516.9 | 505.2 – 558.6 |  |  |
| ours, one by one | 187.4 | 177.2 – 201.9 | <= 200 |  |
| 0.22 / ours, one by one | 2.76x |  | >= 3.5 | **missed** |

* starts, ends: equal
* ours            [100000, 100000]
"
        );
    }

    #[test]
    fn a_row_behind_a_note_is_kept() {
        let printed = PRINTED.to_owned()
            + "protolens                                            99.9        98.9 - 105.1\n";
        let behind = "
* starts, ends: equal
* ours            [100000, 100000]

| | ns/packet | least – most | goal | |
|---|---|---|---|---|
| protolens | 99.9 | 98.9 – 105.1 |  |  |
";
        assert!(markdown(&printed).ends_with(behind), "{}", markdown(&printed));
    }

    #[test]
    fn a_head_without_rows_is_no_table() {
        let head = PRINTED.lines().nth(2).unwrap();
        let printed = format!("## packets\n{head}\nours [3]\n\n## bytes\n{head}\n");
        assert_eq!(markdown(&printed), "\n### packets\n\n* ours [3]\n\n### bytes\n");
    }

    #[test]
    fn a_table_of_several_columns_stays_one() {
        let printed = "\n## parsers\n\n|      | all |\n| ---- | --: |\n| http | 7 - 8 |\nsent: 7\n";
        let expected =
            "\n### parsers\n\n|      | all |\n| ---- | --: |\n| http | 7 – 8 |\n\n* sent: 7\n";
        assert_eq!(markdown(printed), expected);
    }

    #[test]
    fn rows_have_two_to_four_cells() {
        let row = |name, figure, spread, goal| Some(Line::Row { name, figure, spread, goal });
        let check = |line: &str, parsed| assert_eq!(Line::parse(line), parsed, "{line}");
        check("a, b  7.5", row("a, b", "7.5", "", ""));
        check("a  7.5  7.0 - 8.0", row("a", "7.5", "7.0 - 8.0", ""));
        check("a  2.1x    >= 2 (all: >= 3)", row("a", "2.1x", "", ">= 2 (all: >= 3)"));
        check("a  7.5  7.0 - 8.0  <= 9", row("a", "7.5", "7.0 - 8.0", "<= 9"));
        check("   us  least - most  goal", Some(Line::Head("us")));
        check("ours  [7, 8]", Some(Line::Note("ours  [7, 8]")));
        check("  ours  7", Some(Line::Note("ours  7")));
        check("sent: 7", Some(Line::Note("sent: 7")));
        check("  ", None);
    }

    #[test]
    fn words_go_to_the_program_that_is_named() {
        let args = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(choose(&[]).unwrap().is_none(), "all programs");
        let args_of_one = args("sessions --rounds 3 http-100");
        let (program, words) = choose(&args_of_one).unwrap().unwrap();
        assert_eq!((program.folder, words), ("benches/peers/sessions-026", &args_of_one[1..]));
        for unknown in ["http-100", "--rounds 3", "benches/peers"] {
            let error = choose(&args(unknown)).unwrap_err().to_string();
            assert!(error.contains("flows or sessions or parsers"), "{error}");
        }
    }

    #[test]
    fn goals_are_bounds() {
        assert!(is_missed("1.99x", ">= 2 (all: >= 2.5)"));
        assert!(!is_missed("2.00x", ">= 2 (all: >= 2.5)"));
        assert!(is_missed("259.2", "<= 256"));
        assert!(!is_missed("70.1", "<= 1/6 of flowscope 0.22"));
        assert!(!is_missed("70.1", ""));
    }
}
