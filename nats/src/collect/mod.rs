//! `flowscope collect`: batches from a stream to Parquet files.

mod args;
mod collector;
mod rows;
mod seen;
mod store;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use flowscope::output::terminal;

use args::Args;
use collector::Collector;

/// Why a collector did not come to its end.
#[derive(Debug)]
enum Failure {
    /// Wrong usage.
    Usage(io::Error),
    /// The server refuses, or the state cannot be read.
    Failed(io::Error),
    /// Files cannot be written.
    Output(io::Error),
}

/// Collects, as these arguments behind `collect` say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(std::iter::once("flowscope collect".into()).chain(args));
    let failure = match collect(&args) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::from(3),
        Err(failure) => failure,
    };
    let (code, error) = match failure {
        Failure::Failed(error) => (1, error),
        Failure::Usage(error) => (2, error),
        Failure::Output(error) => (5, error),
    };
    say(&error.to_string());
    ExitCode::from(code)
}

/// Returns whether all messages were batches.
fn collect(args: &Args) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::Failed)?;
    let ended = runtime.block_on(async { Collector::open(args).await?.run().await });
    runtime.shutdown_background();
    ended
}

/// Prints a line on standard error, with control characters escaped. A closed standard error is no error.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "flowscope collect: {}", terminal(what));
}
