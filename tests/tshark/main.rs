//! What is read in captures and samples, compared with what tshark reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::process::ExitCode;

use flowscope_testkit::{needs, runner, tests};

mod capture;
mod exchanges;
mod smb;
mod tls;
mod web;

fn main() -> ExitCode {
    runner::run([
        runner::group(
            || needs::corpus().and_then(|()| needs::programs(&["tshark"])),
            tests![tls::certificates_and_curves_are_those_of_tshark],
        ),
        runner::group(
            || needs::programs(&["tshark"]),
            tests![
                web::header_fields_are_those_of_tshark,
                web::messages_are_those_of_tshark,
                exchanges::kerberos_is_that_of_tshark,
                exchanges::modbus_is_that_of_tshark,
                exchanges::dnp3_is_that_of_tshark,
                smb::logins_shares_and_files_are_those_of_tshark,
            ],
        ),
    ])
}
