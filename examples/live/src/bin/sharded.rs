//! `sharded INTERFACE [WORKERS]`: several pinned threads share an interface, and their flows come
//! together in one stream.
//!
//! The kernel gives both directions of a flow to the same worker; that this is so is checked. Ctrl-C
//! ends it. Where the events of all packets are too many for one stream, `Sharded::run` handles them
//! in the workers.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::track::FlowEvent;
use netring::{Affinity, AsyncCapture, Stats};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let interface = args.next().ok_or("usage: sharded INTERFACE [WORKERS]")?;
    let workers: NonZeroUsize = match args.next() {
        Some(number) => number.parse()?,
        None => std::thread::available_parallelism()?,
    };
    // A number that no other capture of this host is likely to have.
    let group = std::process::id() as u16;
    let mut events = AsyncCapture::builder()
        .promiscuous(true)
        .open_sharded(&interface, group, workers)?
        .flow_stream(|_| AutoDetectEncap(FiveTuple::bidirectional()))?
        .stop_when(tokio::signal::ctrl_c());

    let mut flows = vec![0; workers.get()];
    let mut affinity = Affinity::new(100_000);
    while let Some(event) = events.next().await {
        match event {
            Ok(FlowEvent::Started { flow, .. }) => {
                flows[events.worker()] += 1;
                affinity.saw(&flow.key, events.worker());
            }
            Ok(FlowEvent::Ended { flow, reason, .. }) => println!("{} {reason:?}", flow.key),
            Ok(_) => {}
            Err(error) => eprintln!("{error}"),
        }
    }

    let mut all = Stats::default();
    for (worker, stats) in events.ended().await?.iter().enumerate() {
        eprintln!("worker {worker}: {} flows, {stats}", flows[worker]);
        all.merge(stats);
    }
    let (flows, split) = (flows.iter().sum::<u64>(), affinity.split());
    eprintln!("all: {flows} flows, {split} split, {all}");
    Ok(())
}
