//! The `flowscope` command: flow and session records from capture files and live interfaces.
//!
//! | command | what it does |
//! |---|---|
//! | `flows`, `sessions`, `events` | records of capture files, or of live interfaces (`-i`) |
//! | `follow` | the payload of one conversation |
//! | `interfaces`, `capture`, `replay` | lists interfaces; records packets to files; sends a file |
//!
//! Data goes to standard output, everything else to standard error. `--help` describes the output and
//! the exit codes.
//!
//! Live capture is for Linux, under feature `live`, which is on by default.

mod args;
mod error;
mod files;
#[cfg(all(feature = "live", target_os = "linux"))]
mod live;
mod output;
mod progress;
mod raw;
mod reading;
mod recorder;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Cli, Command, Common, EventsArgs, FlowsArgs, FollowArgs};
use error::{Failure, Status};
use flowscope::output::terminal;
use output::{Digests, Events, Flows, Follow, RecordFormat, Sessions};

fn main() -> ExitCode {
    let ended = match Cli::from_command_line().command {
        Command::Flows(FlowsArgs { format, wide, common }) => {
            track(&common, Flows::new(format, wide))
        }
        Command::Sessions(args) => track(&args.common, Sessions::new(args.format, args.messages())),
        Command::Follow(args) => follow(&args),
        Command::Events(EventsArgs { common }) => track(&common, Events::default()),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Interfaces(args) => live::interfaces(&args),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Capture(args) => live::capture(args),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Replay(args) => live::replay(&args),
    };
    ExitCode::from(match ended {
        Ok(status) => status.code(),
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&message);
            }
            if let Some(remedy) = failure.remedy() {
                show(remedy);
            }
            failure.code()
        }
    })
}

/// Writes what `layout` makes of packets, wherever they come from.
fn track(common: &Common, layout: impl RecordFormat) -> Result<Status, Failure> {
    #[cfg(all(feature = "live", target_os = "linux"))]
    if common.live.is_wanted()? {
        return live::track(&common.live, &common.running, layout);
    }
    files::track(common.files(), &common.running, layout)
}

fn follow(args: &FollowArgs) -> Result<Status, Failure> {
    let (file, wanted) = args.what()?;
    let files = [file];
    if args.digest {
        files::track(&files, &args.running, Digests::new(wanted))
    } else {
        files::track(&files, &args.running, Follow::new(wanted, args.format, args.side))
    }
}

/// Prints a line on standard error, with control characters escaped. A closed standard error is no
/// error.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "flowscope: {}", terminal(message));
}

/// Prints a command for the user to copy on standard error.
fn show(line: &str) {
    let _ = writeln!(io::stderr(), "    {}", terminal(line));
}
