//! What the project automates, as `cargo xtask …`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

mod arrow;
mod attack;
mod bench;
mod browser;
mod ci;
mod cli_pages;
mod cluster;
mod container;
mod dist;
mod formats;
mod fuzz;
mod gate;
mod graph;
mod metadata;
mod mutants;
mod needs;
mod new_protocol;
mod package;
mod python;
mod readmes;
mod record;
mod rules;
mod targets;
mod trust;

/// What every task returns: an error is one line for a person to read.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const HELP: &str = "\
cargo xtask ci [STEP…]       run what CI runs, or only these steps
cargo xtask ci --list        name the steps
cargo xtask ci --skip STEP   all steps but this one (repeatable)
cargo xtask graph            check who depends on whom
cargo xtask rules            check that each rule of the tracker has code, model and test
cargo xtask formats          write the tables of docs/FORMATS.md and README.md anew, from the schemas
cargo xtask formats --check  check that they are up to date
cargo xtask readmes          write the README of each crate anew, from its documentation
cargo xtask readmes --check  check that they are up to date
cargo xtask cli-pages        write the manual and the completions in contrib anew, from the command line
cargo xtask cli-pages --check   check that they are up to date
cargo xtask gate             hold instructions and allocations per packet and record against their limits (valgrind)
cargo xtask gate --write     write the limits anew
cargo xtask bench            run the comparisons with other libraries, and each parser, and write docs/PERFORMANCE.md
cargo xtask bench flows|sessions|parsers [WORD…]   run one of them, or the tables with these words, and print it
cargo xtask cluster          run three servers of NATS, three sensors and two collectors, and kill one of each (nats-server)
cargo xtask dist             pack the command, as a static program, for Linux: target/dist
cargo xtask dist --check     pack it, and run what was packed where there is nothing else
cargo xtask new-protocol NAME tcp:PORT   write the folder of a protocol (or udp:PORT), and register it
cargo xtask record [NAME…]   make the captures in tests/data anew, or only these (root, Linux)
cargo xtask record --list    name the captures
cargo xtask attack NAME -o FILE [--packets N]   write an attack as a capture file
cargo xtask attack --list    name the attacks
cargo xtask fuzz [--minutes N] [TARGET…]   run the fuzz targets, each so long (cargo-fuzz, nightly)
cargo xtask trust [--rows N,N…] [--quick] [--bytes SIZE]   measure the figures of reliability
cargo xtask trust --write    the same, and write the table of docs/RELIABILITY.md; --list names the rows
cargo xtask mutants CRATE [--file PATTERN]…   plant faults that its tests have to notice (cargo-mutants)
cargo xtask help             print this";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", args),
    };
    // Cargo names the folder of this package, whatever folder the command was given in.
    if let Some(package) = env::var_os("CARGO_MANIFEST_DIR") {
        env::set_current_dir(PathBuf::from(package).join(".."))?;
    }
    match task {
        "bench" => bench::run(rest),
        "ci" => ci::run(rest),
        "cli-pages" => cli_pages::run(rest),
        container::INSIDE => container::run_inside(rest),
        "cluster" => cluster::run(&xshell::Shell::new()?),
        "dist" => dist::run(rest),
        "graph" => graph::run(),
        "rules" => rules::run(),
        "formats" => formats::run(rest),
        "gate" => gate::run(rest),
        "readmes" => readmes::run(rest),
        "new-protocol" => new_protocol::run(rest),
        "record" => record::run(rest),
        record::INSIDE => record::run_inside(rest),
        "attack" => attack::run(rest),
        "fuzz" => fuzz::run(rest),
        "mutants" => mutants::run(rest),
        "trust" => trust::run(rest),
        trust::INSIDE => trust::run_inside(rest),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("no task `{other}`\n\n{HELP}").into()),
    }
}
