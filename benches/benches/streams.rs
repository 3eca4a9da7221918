//! What it costs to put TCP streams in order, in nanoseconds per packet: in sequence, reordered,
//! with the memory of what was delivered and without; allocations, and bytes per idle flow.

use std::alloc::System;

use flowscope_benches::sessions::{self, Heard, Mute};
use flowscope_benches::{
    Contest, Established, Figure, Options, Reordered, Report, Tally, Trace, feed, per_unit, traces,
};
use flowscope_core::Loss;
use flowscope_driver::{Driver, DriverConfig, SessionDriver};
use flowscope_extract::FiveTuple;
use flowscope_track::{EndReason, FlowTracker};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::from_args();
    if options.wants("in-order") {
        in_order(&options);
    }
    if options.wants("reordered") {
        reordered(&options);
    }
    if options.wants("exchanges") {
        exchanges(&options);
    }
    if options.wants("allocations") {
        allocations(&options);
    }
    if options.wants("memory") {
        memory(&options);
    }
}

fn key() -> FiveTuple {
    FiveTuple::bidirectional()
}

/// Later than the longest timeout after the end of any trace, in nanoseconds.
const AGAIN: u64 = 1_000_000_000_000;

/// Reads a whole trace with a driver of its own; returns the cost per packet.
fn read(trace: &Trace, config: &DriverConfig, bytes: u64, again: u64) -> f64 {
    let mut driver = SessionDriver::with_config(key(), Mute, config.clone());
    let cost = per_unit(trace.len(), || {
        sessions::lend(&mut driver, trace, 0..trace.len(), 0, &mut ());
    });
    driver.finish_with(EndReason::EndOfInput, &mut ());
    let ledger = driver.bytes();
    assert_eq!((ledger.delivered(), ledger.lost(Loss::Duplicate)), (bytes, again), "every byte");
    assert_eq!(ledger.seen(), bytes + again);
    cost
}

/// Tracks a whole trace; returns the cost per packet.
fn track(trace: &Trace, bytes: u64) -> f64 {
    let mut tracker = FlowTracker::new(key());
    let mut tally = Tally::default();
    let cost = per_unit(trace.len(), || {
        feed::in_batches(&mut tracker, trace, 0..trace.len(), 0, &mut tally);
    });
    assert_eq!(tally.bytes, bytes);
    cost
}

fn in_order(options: &Options) {
    let trace = traces::bulk(options.scale / 5.0);
    let mut tally = Tally::default();
    feed::in_batches(&mut FlowTracker::new(key()), &trace, 0..trace.len(), 0, &mut tally);
    let bytes = tally.bytes;
    let title = format!("bulk, in order: {} packets of 200 flows", trace.len());
    let (remember, forget) = (sessions::roomy(1000, 16), sessions::roomy(1000, 0));
    let figures = Contest::default()
        .enter("tracked only", |_| track(&trace, bytes))
        .enter("streams, a parser that makes nothing", |_| read(&trace, &remember, bytes, 0))
        .enter("the same without history", |_| read(&trace, &forget, bytes, 0))
        .run(options.rounds);
    let report = Report::new(&title, "ns/packet");
    for (figure, goal) in figures.iter().zip(["", "<= protolens", ""]) {
        report.row(figure, goal);
    }
}

fn reordered(options: &Options) {
    let sent = [0, 10, 50].map(|late| Reordered::new(late, options.scale / 4.0));
    let (remember, forget) = (sessions::roomy(10_000, 16), sessions::roomy(10_000, 0));
    let mut contest = Contest::default();
    for (name, sent) in ["in order", "1 % late", "5 % late"].into_iter().zip(&sent) {
        let all = sent.bytes + sent.again;
        contest = contest
            .enter(format!("{name}, tracked only"), move |_| track(&sent.trace, all))
            .enter(format!("{name}, streams"), |_| {
                read(&sent.trace, &remember, sent.bytes, sent.again)
            })
            .enter(format!("{name}, streams without history"), |_| {
                read(&sent.trace, &forget, sent.bytes, sent.again)
            });
    }
    let figures = contest.run(options.rounds);
    let report = Report::new("downloads, every byte delivered", "ns/packet");
    report.rows(&figures);
    report.ratio("1 % late / in order", &figures[4], &figures[1], "<= 1.5");
    report.ratio("5 % late / in order", &figures[7], &figures[1], "<= 1.5");
    report.ratio("1 % late / in order, without history", &figures[5], &figures[2], "<= 1.5");
    report.ratio("5 % late / in order, without history", &figures[8], &figures[2], "<= 1.5");
}

/// The same read as HTTP.
fn exchanges(options: &Options) {
    let sent = [0, 10, 50].map(|late| Reordered::new(late, options.scale / 4.0));
    let config = sessions::roomy(10_000, 16);
    let mut contest = Contest::default();
    for (name, sent) in ["in order", "1 % late", "5 % late"].into_iter().zip(&sent) {
        let config = &config;
        contest = contest.enter(name, move |_| {
            let mut driver = Driver::with_config(key(), sessions::protocols(), config.clone());
            let mut heard = Heard::default();
            let cost = per_unit(sent.trace.len(), || {
                sessions::lend(&mut driver, &sent.trace, 0..sent.trace.len(), 0, &mut heard);
            });
            driver.finish_with(EndReason::EndOfInput, &mut heard);
            assert_eq!((heard.http, heard.whole), (sent.exchanges, sent.exchanges));
            assert_eq!(driver.bytes().delivered(), sent.bytes);
            cost
        });
    }
    let figures = contest.run(options.rounds);
    let report = Report::new("downloads read as HTTP, every exchange whole", "ns/packet");
    report.rows(&figures);
    report.ratio("1 % late / in order", &figures[1], &figures[0], "<= 1.5");
    report.ratio("5 % late / in order", &figures[2], &figures[0], "<= 1.5");
}

fn allocations(options: &Options) {
    let report = Report::new("allocations", "per 1000");
    let trace = traces::bulk(options.scale / 5.0);
    let half = trace.len() / 2;
    for (name, history) in [("bulk, in order", 16), ("bulk, in order, without history", 0)] {
        let mut driver = SessionDriver::with_config(key(), Mute, sessions::roomy(1000, history));
        sessions::lend(&mut driver, &trace, 0..half, 0, &mut ());
        let region = Region::new(HEAP);
        // Some flows are over at the very end.
        let steady = half..trace.len() * 9 / 10;
        let packets = steady.len();
        sessions::lend(&mut driver, &trace, steady, 0, &mut ());
        // One allocation is the array of views of whoever feeds.
        let made = region.change().allocations.saturating_sub(1);
        report.row(&Figure::once(name, made as f64 * 1000.0 / packets as f64), "0");
    }
    for (name, late) in [("downloads, in order", 0), ("1 % late", 10), ("5 % late", 50)] {
        let sent = Reordered::new(late, options.scale / 8.0);
        let mut driver = SessionDriver::with_config(key(), Mute, sessions::roomy(10_000, 16));
        let region = Region::new(HEAP);
        for round in 0..2 {
            let later = round * AGAIN;
            sessions::lend(&mut driver, &sent.trace, 0..sent.trace.len(), later, &mut ());
        }
        let made = region.change().allocations as f64 * 1000.0;
        report.row(&Figure::once(name, made / (2 * sent.trace.len()) as f64), "");
    }
}

fn memory(options: &Options) {
    let flows = options.scaled(100_000, 1000);
    let report = Report::new(&format!("{flows} idle flows"), "bytes/flow");
    let measure = |name: &str, history: u8, data: bool, goal: &str| {
        let mut established = Established::new(flows);
        let config = sessions::roomy(flows * 5 / 4, history);
        let mut driver = SessionDriver::with_config(key(), Mute, config);
        let region = Region::new(HEAP);
        established.begin(|trace| {
            if data {
                return sessions::lend(&mut driver, trace, 0..trace.len(), 0, &mut ());
            }
            // Of the five packets that begin each flow the first three are the handshake.
            for at in (0..trace.len()).filter(|at| at % 5 < 3) {
                sessions::lend(&mut driver, trace, at..at + 1, 0, &mut ());
            }
        });
        let change = region.change();
        let heap = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
        assert_eq!((driver.table().len(), driver.pending()), (flows, 0));
        report.row(&Figure::once(format!("{name}, by the heap"), heap / flows as f64), goal);
        let own = driver.heap_bytes() as f64 / flows as f64;
        report.row(&Figure::once(format!("{name}, by the driver"), own), goal);
    };
    measure("handshake only", 16, false, "<= 320");
    measure("data each way, history off", 0, true, "<= 320");
    measure("data each way, history on", 16, true, "");
}
