//! The `flowscope` command; what it does is in the library of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowscope_cli::run()
}
