//! `flowscope-query`: SQL over packet captures, and over the Parquet files that `--format parquet` writes.
//!
//! Every kind of record is a table with the columns of `docs/COLUMNS.md`, whichever of the two it is read from.
//! [`records`] is that table; a capture is read while the query runs, by the code of the `flowscope` command, and only
//! what the query needs of it: [`capture`].

mod args;
mod capture;
mod catalog;
mod inputs;
mod output;
mod parquet_files;
mod problems;
mod records;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use flowscope::output::terminal;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match run::run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

/// Prints a message on standard error, with control characters escaped. A closed standard error is no error.
fn say(message: &str) {
    for (at, line) in message.lines().enumerate() {
        let prefix = if at == 0 { "flowscope-query: " } else { "    " };
        let _ = writeln!(std::io::stderr(), "{prefix}{}", terminal(line));
    }
}
