//! `cargo xtask gate`: instructions and allocations per packet, and per record that is written, held
//! against limits that are checked in.
//!
//! Valgrind counts what a program executes and allocates. The difference of two runs over the same trace,
//! one longer than the other, is the cost of the packets in between: the same on a busy machine as on a
//! quiet one, so a limit can be tight. `record_scenario` counts records where the others count packets.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use xshell::{Shell, cmd};

use crate::Result;

/// The limits, one scenario a line.
const LIMITS: &str = "benches/limits.tsv";

/// The head of that file.
const HEAD: &str = "\
# Costs per packet, of record_scenario per record, by `cargo xtask gate`, which fails beyond them.
# `cargo xtask gate --write` measures and writes them anew, with a margin of 2 % for other processors'
# versions of the C library.
# program\tmode\ttrace\tinstructions\tallocations
";

/// Packets, or records, of the two runs.
const SHORT: u32 = 8_000;
const LONG: u32 = 24_000;

/// Where limits are written: this much above what was measured.
const MARGIN: f64 = 1.02;

/// A scenario of the benchmarks and what a packet, or a record, may cost in it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    program: String,
    mode: String,
    trace: String,
    instructions: f64,
    allocations: f64,
}

impl Row {
    fn parse(line: &str) -> Result<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [program, mode, trace, instructions, allocations] = fields[..] else {
            return Err(format!("{LIMITS}: not five fields: {line}").into());
        };
        Ok(Row {
            program: program.into(),
            mode: mode.into(),
            trace: trace.into(),
            instructions: instructions.parse()?,
            allocations: allocations.parse()?,
        })
    }

    /// What a packet, or a record, costs now.
    fn measure(&self, sh: &Shell) -> Result<Row> {
        let count = |tool: Tool| -> Result<f64> {
            let (short, long) = (self.count(sh, tool, SHORT)?, self.count(sh, tool, LONG)?);
            Ok((long - short) / f64::from(LONG - SHORT))
        };
        let (instructions, allocations) = (count(Tool::Callgrind)?, count(Tool::Dhat)?);
        Ok(Row { instructions, allocations, ..self.clone() })
    }

    fn count(&self, sh: &Shell, tool: Tool, packets: u32) -> Result<f64> {
        let (program, packets) = (format!("target/release/{}", self.program), packets.to_string());
        let args = match tool {
            Tool::Callgrind => ["--tool=callgrind", "--callgrind-out-file=/dev/null"],
            Tool::Dhat => ["--tool=dhat", "--dhat-out-file=/dev/null"],
        };
        let Row { mode, trace, .. } = self;
        let output = cmd!(sh, "valgrind {args...} {program} {mode} {trace} {packets}")
            .quiet()
            .ignore_status()
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let count = if output.status.success() { tool.total(&text) } else { None };
        count.ok_or_else(|| format!("{program} {mode} {trace} {packets}: {text}").into())
    }
}

/// A tool of valgrind.
#[derive(Clone, Copy, Debug)]
enum Tool {
    /// Counts instructions.
    Callgrind,
    /// Counts allocations.
    Dhat,
}

impl Tool {
    /// The count in what the tool prints at its end.
    fn total(self, text: &str) -> Option<f64> {
        let number = match self {
            Tool::Callgrind => text.lines().find_map(|line| line.split_once("Collected : "))?.1,
            Tool::Dhat => {
                let (_, total) = text.lines().find_map(|line| line.split_once("Total: "))?;
                total.split_once(" bytes in ")?.1.strip_suffix(" blocks")?
            }
        };
        number.trim().replace(',', "").parse().ok()
    }
}

/// Measures all scenarios and fails where one costs more than its limit; `--write` writes the limits.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let write = match args {
        [] => false,
        [arg] if arg == "--write" => true,
        _ => return Err("usage: cargo xtask gate [--write]".into()),
    };
    let sh = Shell::new()?;
    if cmd!(sh, "valgrind --version").quiet().ignore_stdout().run().is_err() {
        return Err("valgrind is not installed: apt-get install valgrind".into());
    }
    let limits = read(&sh.read_file(LIMITS)?)?;
    let programs: BTreeSet<&str> = limits.iter().map(|row| row.program.as_str()).collect();
    let programs = programs.into_iter().flat_map(|program| ["--bin", program]);
    cmd!(sh, "cargo build --release --quiet -p flowscope-benches {programs...}").run()?;
    let mut measured = Vec::new();
    let mut beyond = Vec::new();
    println!(
        "{:<40} {:>20} {:>22}",
        "per packet or record", "instructions (limit)", "allocations (limit)"
    );
    for limit in &limits {
        let row = limit.measure(&sh)?;
        let name = format!("{} {} {}", row.program, row.mode, row.trace);
        println!(
            "{name:<40} {:>11.0} ({:>6.0}) {:>13.3} ({:>6.3})",
            row.instructions, limit.instructions, row.allocations, limit.allocations
        );
        if !row.is_within(limit) {
            beyond.push(name);
        }
        measured.push(row);
    }
    if write {
        return Ok(sh.write_file(LIMITS, text(&measured))?);
    }
    if beyond.is_empty() {
        return Ok(());
    }
    Err(format!("beyond the limits of {LIMITS}: {}", beyond.join(", ")).into())
}

impl Row {
    fn is_within(&self, limit: &Row) -> bool {
        self.instructions <= limit.instructions && self.allocations <= limit.allocations
    }
}

fn read(text: &str) -> Result<Vec<Row>> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(Row::parse).collect()
}

/// The file for these costs, each with the margin.
fn text(rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        let (instructions, allocations) = (row.instructions * MARGIN, row.allocations * MARGIN);
        let Row { program, mode, trace, .. } = row;
        // A cost of nothing has a limit of nothing.
        let allocations = (allocations * 1000.0).ceil().max(0.0) / 1000.0;
        let _ = writeln!(
            text,
            "{program}\t{mode}\t{trace}\t{:.0}\t{allocations:.3}",
            instructions.ceil()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(instructions: f64, allocations: f64) -> Row {
        let [program, mode, trace] = ["scenario", "batch", "mix"].map(String::from);
        Row { program, mode, trace, instructions, allocations }
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let written = text(&[row(1000.0, 0.0), row(99.5, 1.0)]);
        assert_eq!(read(&written).unwrap(), [row(1020.0, 0.0), row(102.0, 1.02)]);
        assert!(read("scenario\tbatch\tmix\t7").is_err());
        assert!(read("scenario\tbatch\tmix\tmany\t0").is_err());
    }

    #[test]
    fn more_of_either_is_beyond_the_limit() {
        let limit = row(1000.0, 0.5);
        assert!(row(1000.0, 0.5).is_within(&limit));
        assert!(!row(1000.1, 0.5).is_within(&limit));
        assert!(!row(900.0, 0.501).is_within(&limit));
    }

    #[test]
    fn totals_are_found_in_what_valgrind_prints() {
        let text = "==1== \n==1== Collected : 99027695\n==1== \n";
        assert_eq!(Tool::Callgrind.total(text), Some(99_027_695.0));
        let text = "==1== Total:     1,234,567 bytes in 5,678 blocks\n==1== At t-gmax: 1 bytes in 1 blocks\n";
        assert_eq!(Tool::Dhat.total(text), Some(5678.0));
        assert_eq!(Tool::Dhat.total("==1== "), None);
    }

    #[test]
    fn the_checked_in_limits_can_be_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/limits.tsv");
        let rows = read(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(rows.len() >= 8, "{} rows", rows.len());
    }
}
