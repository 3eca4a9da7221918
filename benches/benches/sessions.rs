//! What it costs to read HTTP, TLS and DNS, in nanoseconds per packet: by protocol and by number of
//! flows alive at a time, events lent and queued; allocations per packet and per message.

use std::alloc::System;

use flowscope_benches::sessions::{self, AppRecord, Heard};
use flowscope_benches::traces::{self, Pings, Talk};
use flowscope_benches::{Contest, Figure, Options, Report, Tally, Trace, feed, per_unit};
use flowscope_driver::Driver;
use flowscope_extract::FiveTuple;
use flowscope_track::{EndReason, FlowTracker};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::from_args();
    for (name, talk) in
        [("http", Talk::Http), ("tls", Talk::Tls), ("dns", Talk::Dns), ("all", Talk::All)]
    {
        if options.wants(name) {
            growth(name, talk, &options);
        }
    }
    if options.wants("ways") {
        ways(&options);
    }
    if options.wants("allocations") {
        allocations(&options);
    }
}

fn driver() -> Driver<FiveTuple, AppRecord> {
    let config = sessions::roomy(1_200_000, 16);
    Driver::with_config(FiveTuple::bidirectional(), sessions::protocols(), config)
}

/// The same number of flows, more or fewer of them at a time.
fn growth(name: &str, talk: Talk, options: &Options) {
    let sizes = [100, 1000, 10_000, 100_000].map(|alive| options.scaled(alive, 100));
    // DNS flows are short: more of them make as many packets.
    let least = if talk == Talk::Dns { 300_000 } else { 100_000 };
    let traces = sizes.map(|alive| {
        let flows = options.scaled(least, 1000).max(alive * 2);
        (flows as u64, traces::short(talk, flows, alive))
    });
    let mut contest = Contest::default();
    for (alive, (flows, trace)) in sizes.iter().zip(&traces) {
        let mut driver = driver();
        contest = contest.enter(format!("{name}, {alive} alive"), move |round| {
            lend(&mut driver, trace, round, *flows)
        });
    }
    let figures = contest.run(options.rounds);
    let report = Report::new(&format!("sessions, {name}"), "ns/packet");
    for (figure, goal) in
        figures.iter().zip(["", "", "", if name == "all" { "<= 800" } else { "" }])
    {
        report.row(figure, goal);
    }
    report.ratio("10 k alive / 100 alive", &figures[2], &figures[0], "<= 2");
    report.ratio("100 k alive / 100 alive", &figures[3], &figures[0], "");
}

/// A round of a trace: what is left of the round before ends first, which is not timed.
fn lend(driver: &mut Driver<FiveTuple, AppRecord>, trace: &Trace, round: usize, flows: u64) -> f64 {
    let mut heard = Heard::default();
    let cost = per_unit(trace.len(), || {
        sessions::lend(driver, trace, 0..trace.len(), later(trace, round), &mut heard);
    });
    driver.finish_with(EndReason::EndOfInput, &mut heard);
    assert_eq!((heard.started, heard.ended, heard.odd), (flows, flows, 0));
    assert_eq!(heard.http + heard.tls + heard.dns / 2, flows, "every exchange was read");
    assert_eq!(heard.whole, heard.http);
    cost
}

/// Each round begins a quarter of an hour after the one before.
fn later(trace: &Trace, round: usize) -> u64 {
    round as u64 * (trace.end() - Pings::at(0) + 900_000_000_000)
}

/// One trace, tracked and read, with events lent and queued.
fn ways(options: &Options) {
    let (flows, alive) = (options.scaled(300_000, 3000), options.scaled(100_000, 1000));
    let trace = traces::short(Talk::All, flows, alive);
    let mut tracker =
        FlowTracker::with_config(FiveTuple::bidirectional(), sessions::roomy_tracker(1_200_000));
    let (mut lending, mut queueing) = (driver(), driver());
    let figures = Contest::default()
        .enter("tracked only", |round| {
            let mut tally = Tally::default();
            let later = later(&trace, round);
            let cost = per_unit(trace.len(), || {
                feed::in_batches(&mut tracker, &trace, 0..trace.len(), later, &mut tally);
            });
            tracker.finish(EndReason::EndOfInput, &mut tally);
            cost
        })
        .enter("sessions, events lent", |round| lend(&mut lending, &trace, round, flows as u64))
        .enter("sessions, events queued", |round| {
            let mut heard = Heard::default();
            let cost = per_unit(trace.len(), || {
                let later = later(&trace, round);
                sessions::queue(&mut queueing, &trace, 0..trace.len(), later, |event| {
                    heard.take(&event);
                });
            });
            queueing.finish_with(EndReason::EndOfInput, &mut heard);
            assert_eq!((heard.started, heard.ended, heard.odd), (flows as u64, flows as u64, 0));
            cost
        })
        .run(options.rounds);
    let report = Report::new(&format!("ways: all three, {alive} alive"), "ns/packet");
    report.rows(&figures);
}

fn allocations(options: &Options) {
    let packets = Report::new("allocations", "each");
    let flows = options.scaled(100_000, 1000);
    for (name, talk, goal) in [
        ("http", Talk::Http, "<= 3 per message"),
        ("tls", Talk::Tls, ""),
        ("dns", Talk::Dns, ""),
        ("all", Talk::All, "<= 0.5 per packet"),
    ] {
        let trace = traces::short(talk, flows, flows / 10);
        let mut driver = driver();
        let mut heard = Heard::default();
        lend(&mut driver, &trace, 0, flows as u64);
        let region = Region::new(HEAP);
        sessions::lend(&mut driver, &trace, 0..trace.len(), later(&trace, 1), &mut heard);
        driver.finish_with(EndReason::EndOfInput, &mut heard);
        let made = region.change().allocations as f64;
        let per = |units: u64| made / units as f64;
        packets.row(&Figure::once(format!("{name}, per packet"), per(trace.len() as u64)), goal);
        // A request and its response are two messages.
        let messages = heard.http * 2 + heard.tls * 2 + heard.dns;
        packets.row(&Figure::once(format!("{name}, per message"), per(messages)), goal);
        packets.row(&Figure::once(format!("{name}, per flow"), per(heard.started)), "");
    }
}
