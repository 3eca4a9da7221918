//! `cargo xtask bench`: both sides of each comparison in one run, written to docs/PERFORMANCE.md.
//!
//! The programs print tables of figures, some beside a goal; every row is written down, met or missed.

use std::fmt::Write as _;

use xshell::{Shell, cmd};

use crate::Result;

const DOCUMENT: &str = "docs/PERFORMANCE.md";

/// A program that prints tables, in a package of its own: what it is held against never enters the
/// workspace.
struct Comparison {
    title: &'static str,
    folder: &'static str,
    toolchain: &'static str,
}

const COMPARISONS: [Comparison; 2] = [
    Comparison {
        title: "Flows and streams, beside flowscope 0.22 and protolens 0.2.3",
        folder: "benches/peers",
        toolchain: "+stable",
    },
    Comparison {
        title: "Sessions and streams, beside flowscope 0.26",
        folder: "benches/peers/sessions-026",
        toolchain: "+nightly",
    },
];

const HEAD: &str = "\
# Performance

Written by `cargo xtask bench`, which runs the programs below and leaves no row out. Traces are made in memory
from a seed, and all sides get the same packets in one run, by turns; every side counts its events, and the
counts have to be equal where both have them. Figures are the median of the rounds, in CPU time of the thread.
A goal that is missed is marked.

What it does not show: other machines, real captures, and what a capture or a reader of records costs.
`cargo xtask gate` counts instructions, which are the same on a busy machine; its limits are in
[`benches/limits.tsv`](../benches/limits.tsv). Live capture has a program of its own, `benches/live-peers`.
";

pub(crate) fn run(words: &[String]) -> Result<()> {
    let sh = Shell::new()?;
    let mut text = format!("{HEAD}\n{}\n", machine(&sh)?);
    for Comparison { title, folder, toolchain } in &COMPARISONS {
        println!("{folder}");
        let output = {
            let _folder = sh.push_dir(folder);
            cmd!(sh, "cargo {toolchain} run --release --quiet --locked -- {words...}")
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("CARGO")
                .read()?
        };
        let tables = markdown(&output);
        if tables.is_empty() {
            return Err(format!("{folder}: no figures: {output}").into());
        }
        write!(text, "\n## {title}\n\n`cargo run --release` in `{folder}`.\n{tables}")?;
    }
    Ok(sh.write_file(DOCUMENT, text)?)
}

/// When and where: the figures are of no other machine.
fn machine(sh: &Shell) -> Result<String> {
    let date = cmd!(sh, "date -u +%F").quiet().read()?;
    let rust = cmd!(sh, "rustc --version").quiet().read()?;
    let cpus = sh.read_file("/proc/cpuinfo").unwrap_or_default();
    let mut names = cpus.lines().filter_map(|line| line.split_once(": "));
    let name =
        names.find(|(key, _)| key.starts_with("model name")).map_or("unknown", |(_, name)| name);
    let count = std::thread::available_parallelism()?;
    Ok(format!("{date}; {count} processors, {name}; {rust}."))
}

/// What a program printed, as tables.
fn markdown(output: &str) -> String {
    let mut text = String::new();
    let mut in_table = false;
    for line in output.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let _ = write!(text, "\n### {title}\n");
            in_table = false;
            continue;
        }
        match Line::parse(line) {
            Some(Line::Head(unit)) => {
                let _ =
                    write!(text, "\n| | {unit} | least – most | goal | |\n|---|---|---|---|---|\n");
                in_table = true;
            }
            Some(Line::Row { name, figure, spread, goal }) if in_table => {
                let missed = if is_missed(figure, goal) { "**missed**" } else { "" };
                let spread = spread.replace(" - ", " – ");
                let _ = writeln!(text, "| {name} | {figure} | {spread} | {goal} | {missed} |");
            }
            Some(Line::Note(note)) => {
                let separator = if in_table { "\n" } else { "" };
                let _ = writeln!(text, "{separator}* {note}");
                in_table = false;
            }
            _ => {}
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
    Note(&'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Line<'a>> {
        if line.trim().is_empty() {
            return None;
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
    fn goals_are_bounds() {
        assert!(is_missed("1.99x", ">= 2 (all: >= 2.5)"));
        assert!(!is_missed("2.00x", ">= 2 (all: >= 2.5)"));
        assert!(is_missed("259.2", "<= 256"));
        assert!(!is_missed("70.1", "<= 1/6 of flowscope 0.22"));
        assert!(!is_missed("70.1", ""));
    }
}
