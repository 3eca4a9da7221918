//! What `cargo xtask trust` measures of the library rather than of the command: `cargo xtask trust` reads what it prints.
//!
//! | arguments | what it does |
//! |---|---|
//! | `write mix BYTES` | a capture of flows of all sizes, to standard output |
//! | `write flood PACKETS` | a capture of a SYN flood |
//! | `write established PACKETS FLOWS` | the same, with connections of HTTP that go on all the while |
//! | `determinism SEEDS FILE…` | records of captures under each hash seed and number of workers: a hash per format |
//! | `work PACKETS` | every attack and twice as much of it, in a function whose instructions callgrind counts |
//! | `run NAME PACKETS BUDGET` | an attack: memory and time |

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::error::Error;
use std::process::ExitCode;

mod attack;
mod captures;
mod determinism;
mod work;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trust_scenario: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    match args {
        ["write", "mix", bytes] => captures::mix(bytes.parse()?),
        ["write", "flood", packets] => captures::flood(packets.parse()?),
        ["write", "established", packets, flows] => {
            captures::established(packets.parse()?, flows.parse()?)
        }
        ["determinism", seeds, files @ ..] => determinism::run(seeds.parse()?, files),
        ["work", packets] => work::run(packets.parse()?),
        ["run", name, packets, budget] => attack::run(name, packets.parse()?, budget.parse()?),
        _ => Err(format!("not understood: {args:?}").into()),
    }
}
