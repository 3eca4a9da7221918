//! What a flow costs in bytes, and a packet in allocations.

use std::alloc::System;
use std::num::NonZeroUsize;

use flowscope_benches::{Established, Figure, Options, Pings, Report, Tally, feed, traces};
use flowscope_extract::FiveTuple;
use flowscope_track::{FlowTracker, TrackerConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::from_args();
    for flows in [100_000, 1_000_000] {
        let flows = options.scaled(flows, 1000);
        per_flow(flows, flows * 4, "limit far off");
        per_flow(flows, flows * 5 / 4, "table 4/5 full");
    }
    per_packet(&options);
}

fn tracker(limit: usize) -> FlowTracker<FiveTuple> {
    let config = TrackerConfig::default()
        .max_flows(NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(8 << 30);
    FlowTracker::with_config(FiveTuple::bidirectional(), config)
}

/// What is held, of all that was allocated since.
fn held(since: &Region<'_, System>) -> f64 {
    let change = since.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

fn per_flow(flows: usize, limit: usize, how: &str) {
    let report = Report::new(&format!("{flows} idle flows, {how}"), "bytes/flow");
    let each = |bytes: f64| bytes / flows as f64;
    let mut pings = Pings::new(flows);
    let trace = pings.round(0);
    let region = Region::new(HEAP);
    let mut udp = tracker(limit);
    feed::in_batches(&mut udp, &trace, 0..trace.len(), 0, &mut ());
    report
        .row(&Figure::once("UDP, by the tracker's count", each(udp.heap_bytes() as f64)), "<= 256");
    report.row(&Figure::once("UDP, by the heap's count", each(held(&region))), "<= 256");
    drop((udp, trace, pings));

    let mut established = Established::new(flows);
    let mut tcp = tracker(limit);
    let before = Region::new(HEAP);
    established.begin(|trace| feed::in_batches(&mut tcp, trace, 0..trace.len(), 0, &mut ()));
    // The pieces of the trace are gone again.
    let heap = held(&before);
    report
        .row(&Figure::once("TCP, by the tracker's count", each(tcp.heap_bytes() as f64)), "<= 256");
    report.row(&Figure::once("TCP, by the heap's count", each(heap)), "<= 256");
}

fn per_packet(options: &Options) {
    let report = Report::new("allocations", "per 1000");
    let flows = options.scaled(100_000, 1000);
    let mut established = Established::new(flows);
    let mut tcp = tracker(flows * 4);
    established.begin(|trace| feed::in_batches(&mut tcp, trace, 0..trace.len(), 0, &mut ()));
    let trace = established.talk(flows);
    let mut tally = Tally::default();
    let region = Region::new(HEAP);
    feed::one_by_one(&mut tcp, &trace, 0..trace.len(), 0, &mut tally);
    let made = region.change().allocations as f64;
    report.row(
        &Figure::once("established flows, one by one", made * 1000.0 / trace.len() as f64),
        "0",
    );
    let trace = established.talk(flows);
    let mut views = Region::new(HEAP);
    feed::in_batches(&mut tcp, &trace, 0..trace.len(), 0, &mut tally);
    // One allocation is the array of views of whoever feeds.
    let made = views.change_and_reset().allocations.saturating_sub(1) as f64;
    report.row(
        &Figure::once("established flows, in batches", made * 1000.0 / trace.len() as f64),
        "0",
    );

    let trace = traces::m300(options.scale);
    let mut tracker = tracker(options.scaled(1_200_000, 10_000));
    for (round, name) in ["m300, first time", "m300, again"].into_iter().enumerate() {
        let region = Region::new(HEAP);
        let later = round as u64 * 1_000_000_000_000;
        feed::one_by_one(&mut tracker, &trace, 0..trace.len(), later, &mut tally);
        let made = region.change().allocations as f64;
        let goal = if round == 0 { "" } else { "0" };
        report.row(&Figure::once(name, made * 1000.0 / trace.len() as f64), goal);
    }
}
