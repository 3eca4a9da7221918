//! `five_subscribers INTERFACE|FILE`: five tasks read the same flows, each for a purpose of its own.
//!
//! Nobody waits for a task that is slow: what goes past it is counted, and told at the end, which is
//! Ctrl-C or the end of the file. Those that are quick miss nothing, for they share a thread with the
//! capture, which gives them their turn. With `broadcast_lossless` the capture would wait for all.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::FlowEvent;
use netring::Subscriber;

type Event = FlowEvent<FiveTupleKey>;

/// A flow that lasts this long is told as often.
const LONG: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let input = std::env::args().nth(1).ok_or("usage: five_subscribers INTERFACE|FILE")?;
    let flows = example_live::open(&input)?
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .with_tracker(|tracker| tracker.active(Some(LONG)))
        .broadcast(256);
    let tasks = [
        tokio::spawn(protocols(flows.subscribe())),
        tokio::spawn(talkers(flows.subscribe())),
        tokio::spawn(long(flows.subscribe())),
        tokio::spawn(lines(flows.subscribe())),
        tokio::spawn(slow(flows.subscribe())),
    ];
    for task in tasks {
        println!("{}", task.await?);
    }
    eprintln!("{}", flows.shutdown().await?);
    Ok(())
}

/// Counts flows by protocol.
async fn protocols(mut flows: Subscriber<Event>) -> String {
    let mut count = BTreeMap::new();
    while let Some(event) = next(&mut flows).await {
        if let FlowEvent::Ended { flow, .. } = &*event {
            *count.entry(flow.key.proto().to_string()).or_insert(0) += 1;
        }
    }
    sum("protocols", &flows, &format!("{count:?}"))
}

/// Adds up who sent how much.
async fn talkers(mut flows: Subscriber<Event>) -> String {
    let mut sent = BTreeMap::<IpAddr, u64>::new();
    while let Some(event) = next(&mut flows).await {
        let FlowEvent::Ended { flow, stats, .. } = &*event else { continue };
        let (initiator, responder) = flow.key.endpoints(stats.orientation);
        *sent.entry(initiator.addr).or_default() += stats.initiator.counters.wire_bytes;
        *sent.entry(responder.addr).or_default() += stats.responder.counters.wire_bytes;
    }
    let mut most: Vec<_> = sent.into_iter().collect();
    most.sort_by_key(|(_, bytes)| Reverse(*bytes));
    most.truncate(10);
    sum("talkers", &flows, &format!("{most:?}"))
}

/// Tells of flows while they last.
async fn long(mut flows: Subscriber<Event>) -> String {
    let mut told = 0;
    while let Some(event) = next(&mut flows).await {
        if let FlowEvent::Interim { flow, sequence, .. } = &*event {
            println!("{} is {:?} old", flow.key, LONG * *sequence);
            told += 1;
        }
    }
    sum("long", &flows, &format!("{told} told"))
}

/// Prints a line for each flow that is over.
async fn lines(mut flows: Subscriber<Event>) -> String {
    let mut printed = 0;
    while let Some(event) = next(&mut flows).await {
        if let FlowEvent::Ended { flow, reason, history, .. } = &*event {
            println!("{} {reason:?} {history}", flow.key);
            printed += 1;
        }
    }
    sum("lines", &flows, &format!("{printed} printed"))
}

/// Takes its time with each event.
async fn slow(mut flows: Subscriber<Event>) -> String {
    while next(&mut flows).await.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sum("slow", &flows, "tired")
}

/// The next event; `None` at the end. What went past is counted by the subscriber.
async fn next(flows: &mut Subscriber<Event>) -> Option<Arc<Event>> {
    loop {
        match flows.next_event().await? {
            Ok(event) => return Some(event),
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn sum(name: &str, flows: &Subscriber<Event>, result: &str) -> String {
    format!("{name}: {result}, {} received, {} missed", flows.received(), flows.lagged())
}
