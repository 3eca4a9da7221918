//! `cargo xtask trust`: the figures of reliability, each measured anew, in one table.
//!
//! A row is a promise, and a function that measures it: by a test that is there, or by the release build of the command on
//! captures that are generated. A row that lacks what it needs is skipped by name, and is never shown as passed.

use std::time::Instant;

use crate::Result;
use row::{ROWS, Row};
use setup::Setup;

mod damage;
mod determinism;
mod document;
mod flood;
mod hostile_text;
mod output;
mod row;
mod setup;
mod signals;
mod steps;
mod suites;
mod work;

pub(crate) use signals::{INSIDE, run_inside};

const USAGE: &str = "cargo xtask trust [--rows N,N…] [--quick] [--bytes SIZE] [--write] | --list";

/// Bytes of the capture for row 3, unless the caller says how many.
const BYTES: u32 = 100_000_000;

/// Arguments of the task.
#[derive(Debug, PartialEq)]
struct Args {
    /// Numbers of rows; all if there is none.
    rows: Vec<u8>,
    quick: bool,
    write: bool,
    bytes: Option<u32>,
}

impl Args {
    fn parse(args: &[String]) -> Result<Args> {
        let mut parsed = Args { rows: Vec::new(), quick: false, write: false, bytes: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            match arg {
                "--quick" => parsed.quick = true,
                "--write" => parsed.write = true,
                "--bytes" => parsed.bytes = Some(args.next().and_then(size).ok_or(USAGE)?),
                "--rows" => {
                    for number in args.next().ok_or(USAGE)?.split(',') {
                        let number = number.trim().parse().map_err(|_| USAGE)?;
                        if !ROWS.iter().any(|row| row.number == number) {
                            return Err(format!("no row {number}: {USAGE}").into());
                        }
                        parsed.rows.push(number);
                    }
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(parsed)
    }

    fn chosen(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| self.rows.is_empty() || self.rows.contains(&row.number))
    }
}

/// Bytes, with K, M or G for powers of 1000.
fn size(text: &str) -> Option<u32> {
    let (digits, factor) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 1_000),
        Some(digits) if text.ends_with('M') => (digits, 1_000_000),
        Some(digits) => (digits, 1_000_000_000),
        None => (text, 1),
    };
    digits.parse::<u32>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// Measures the rows that `args` name, prints them, and fails if one does.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["--list"] {
        for Row { number, promise, .. } in ROWS {
            println!("{number:>3}  {promise}");
        }
        return Ok(());
    }
    let args = Args::parse(args)?;
    let default = if args.quick { BYTES / 10 } else { BYTES };
    let setup = Setup::new(args.quick, args.bytes.unwrap_or(default))?;
    let mut measured = Vec::new();
    for row in args.chosen() {
        println!("── row {}: {}", row.number, row.promise);
        let start = Instant::now();
        let result = row.measure(&setup);
        println!("   load: {}", result.load);
        println!("   measured: {}", result.figure);
        println!("   not shown: {}", row.not_shown);
        let seconds = start.elapsed().as_secs_f64();
        println!("── row {}: {} in {seconds:.1} s", row.number, result.verdict);
        measured.push((row, result));
    }
    if args.write {
        document::update(&setup, &measured)?;
    }
    let count = |wanted: fn(&row::Verdict) -> bool| {
        measured.iter().filter(|(_, result)| wanted(&result.verdict)).count()
    };
    let failed = count(row::Verdict::is_failed);
    let skipped = count(row::Verdict::is_skipped);
    let passed = measured.len() - failed - skipped;
    println!("── trust: {passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 { Err(format!("{failed} rows failed").into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Args> {
        Args::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_name_rows_and_loads() {
        let all = Args { rows: Vec::new(), quick: false, write: false, bytes: None };
        assert_eq!(parse("").unwrap(), all);
        assert_eq!(all.chosen().count(), ROWS.len());
        let some = parse("--rows 3,9 --quick --bytes 1G --write").unwrap();
        let expected =
            Args { rows: vec![3, 9], quick: true, write: true, bytes: Some(1_000_000_000) };
        assert_eq!(some, expected);
        assert_eq!(some.chosen().map(|row| row.number).collect::<Vec<_>>(), [3, 9]);
        for wrong in ["--rows", "--rows 6", "--rows x", "--bytes 0", "--bytes 9G", "--fast", "3"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
