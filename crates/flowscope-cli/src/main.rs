//! The `flowscope` command: what flowed through a capture, from the command line.
//!
//! Data goes to standard output, everything else to standard error. What it prints and the codes
//! it exits with are described in its `--help`.

mod args;
mod error;
mod output;
mod progress;
mod run;
mod shards;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Cli, Command};
use output::{Events, Flows};

fn main() -> ExitCode {
    let ended = match Cli::from_command_line().command {
        Command::Flows(args) => run::run(&args.common, Flows::new(args.format)),
        Command::Events(args) => run::run(&args.common, Events),
    };
    ExitCode::from(match ended {
        Ok(status) => status.code(),
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&message);
            }
            failure.code()
        }
    })
}

/// One line on standard error, fit for a terminal whatever it quotes. Nobody may be listening.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "flowscope: {}", text::terminal(message));
}
