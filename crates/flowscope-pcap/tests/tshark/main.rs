//! Capture files, compared with what tshark reads in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod corpus;
#[allow(dead_code, reason = "no test program uses all of it")]
#[path = "../it/make.rs"]
mod make;
#[allow(dead_code, reason = "no test program uses all of it")]
#[path = "../it/read.rs"]
mod read;
mod written;

use std::process::ExitCode;

use flowscope_testkit::{needs, runner, tests};

fn main() -> ExitCode {
    runner::run([
        runner::group(needs::corpus, tests![corpus::the_corpus_reads_as_in_tshark]),
        runner::group(|| needs::programs(&["tshark"]), tests![written::tshark_reads_written_files]),
    ])
}
