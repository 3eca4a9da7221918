//! The `flowscope` command: what flowed through a capture, from the command line.
//!
//! Data goes to standard output, everything else to standard error. What it prints and the codes
//! it exits with are described in its `--help`.

mod args;
mod error;
mod output;
mod progress;
mod raw;
mod reading;
mod run;
mod shards;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Cli, Command, EventsArgs, FlowsArgs, FollowArgs};
use error::{Failure, Status};
use output::{Digests, Events, Flows, Follow, Sessions};

fn main() -> ExitCode {
    let ended = match Cli::from_command_line().command {
        Command::Flows(FlowsArgs { format, common }) => {
            run::run(common.files(), &common.running, Flows::new(format))
        }
        Command::Sessions(args) => {
            let sessions = Sessions::new(args.format, args.selection());
            run::run(args.common.files(), &args.common.running, sessions)
        }
        Command::Follow(args) => follow(&args),
        Command::Events(EventsArgs { common }) => run::run(common.files(), &common.running, Events),
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

fn follow(args: &FollowArgs) -> Result<Status, Failure> {
    let (file, wanted) = args.what()?;
    let files = [file];
    if args.digest {
        run::run(&files, &args.running, Digests::new(wanted))
    } else {
        run::run(&files, &args.running, Follow::new(wanted, args.format, args.side))
    }
}

/// One line on standard error, fit for a terminal whatever it quotes. Nobody may be listening.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "flowscope: {}", text::terminal(message));
}
