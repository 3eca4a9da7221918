//! `flowscope-nats`: records over NATS JetStream.
//!
//! With `--format arrow` it is the `flowscope` command whose records are published: [`batches`] become [`message`]s in a
//! [`spool`], from which the [`publisher`] sends them over a connection with a [`login`]. As `flowscope-nats collect` it takes messages from the server, and
//! writes Parquet files: [`collect`]. `docs/COLLECTORS.md` has the rules.

mod arrow;
mod batches;
mod collect;
mod ledger;
mod login;
mod message;
mod publisher;
mod queue;
mod sensor;
mod spool;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    if args.next().is_some_and(|command| command == "collect") {
        return collect::run(args);
    }
    sensor::run()
}
