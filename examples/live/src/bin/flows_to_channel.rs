//! `flows_to_channel INTERFACE|FILE`: flows that are over go to plain threads, which need not know of
//! tokio.
//!
//! A channel that is full is waited for: the capture reads on when there is room, and what the kernel
//! drops meanwhile is told at the end, which is Ctrl-C or the end of the file. Ctrl-C too is heard only
//! once there is room.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::process::ExitCode;
use std::thread;

use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::FlowEvent;
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let input = std::env::args().nth(1).ok_or("usage: flows_to_channel INTERFACE|FILE")?;
    let capture = example_live::open(&input)?;
    let (channels, threads): (Vec<_>, Vec<_>) = (0..2)
        .map(|_| {
            let (channel, flows) = mpsc::channel(1024);
            (channel, thread::spawn(move || work(flows)))
        })
        .unzip();
    let mut events = capture
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .without_packets();
    while let Some(event) = events.next().await {
        match event {
            Ok(event @ FlowEvent::Ended { .. }) => {
                let thread = event.flow().id.0 as usize % channels.len();
                channels[thread].send(event).await?;
            }
            Ok(_) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
    // The threads end once there is nobody left to send.
    drop(channels);
    let done = threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect::<Vec<_>>();
    eprintln!("flows by thread: {done:?}");
    eprintln!("{}", events.stats()?);
    Ok(())
}

/// What a thread does with flows until there are no more; says how many there were.
fn work(mut flows: mpsc::Receiver<FlowEvent<FiveTupleKey>>) -> u64 {
    let mut done = 0;
    while let Some(event) = flows.blocking_recv() {
        if let FlowEvent::Ended { flow, stats, .. } = event {
            let [sent, answered] = [stats.initiator.counters, stats.responder.counters];
            println!("{} {} bytes, {} back", flow.key, sent.wire_bytes, answered.wire_bytes);
            done += 1;
        }
    }
    done
}
