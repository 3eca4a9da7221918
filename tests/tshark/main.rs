//! What is read in real captures, compared with what tshark reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::process::ExitCode;

use flowscope_testkit::{needs, runner, tests};

mod tls;

fn main() -> ExitCode {
    runner::run([runner::group(
        || needs::corpus().and_then(|()| needs::programs(&["tshark"])),
        tests![tls::certificates_and_curves_are_those_of_tshark],
    )])
}
