//! flowscope beside the published flowscope 0.26: streams and sessions, on the same packets in one
//! run.
//!
//! `flowscope-peers-026 [--scale X] [--rounds N] [WORD ...]`: words choose among `http-`, `tls-`,
//! `dns-`, `all-` (followed by 100 or 100000 flows alive), `bulk` and `late`.
//!
//! The other crate takes packets one by one and queues what it has to say; its queues are drained
//! after every 64 packets, as ours are. It is spared its packet events and sweeps every ten seconds of
//! packet time only. Costs are thread CPU time, rounds take turns, and the first one is not counted.

mod other;

use flowscope_benches::sessions::{self, Heard, Mute, AppRecord};
use flowscope_benches::traces::{self, Pings, Talk};
use flowscope_benches::{Contest, Figure, Options, Reordered, Report, Trace, per_unit};

use other::{Other, Raw};

fn main() {
    let options = Options::of_program();
    for (name, talk) in
        [("http", Talk::Http), ("tls", Talk::Tls), ("dns", Talk::Dns), ("all", Talk::All)]
    {
        for alive in [100, 100_000] {
            if options.wants(&format!("{name}-{alive}")) {
                short(name, talk, options.scaled(alive, 100), alive, &options);
            }
        }
    }
    if options.wants("bulk") {
        let trace = traces::bulk(options.scale / 5.0);
        streams("bulk", &trace, None, ">= 3.5", &options);
    }
    for (name, late) in [("late-0", 0), ("late-10", 10), ("late-50", 50)] {
        if options.wants(name) {
            let sent = Reordered::new(late, options.scale / 4.0);
            streams(name, &sent.trace, Some(sent.bytes), "", &options);
        }
    }
}

/// Each round begins a quarter of an hour after the one before.
fn later(trace: &Trace, round: usize) -> u64 {
    round as u64 * (trace.end() - Pings::at(0) + 900_000_000_000)
}

fn driver(flows: usize) -> flowscope_driver::Driver<flowscope_extract::FiveTuple, AppRecord> {
    let key = flowscope_extract::FiveTuple::bidirectional();
    flowscope_driver::Driver::with_config(key, sessions::protocols(), sessions::roomy(flows, 16))
}

const END: flowscope_track::EndReason = flowscope_track::EndReason::EndOfInput;

fn short(name: &str, talk: Talk, alive: usize, stated: usize, options: &Options) {
    let least = if talk == Talk::Dns { 300_000 } else { 100_000 };
    let flows = options.scaled(least, 1000).max(alive * 2);
    let trace = traces::short(talk, flows, alive);
    let all = 0..trace.len();
    let (mut other, mut lending, mut queueing) =
        (Other::new(1_200_000), driver(1_200_000), driver(1_200_000));
    let mut heard = [Heard::default(); 3];
    let [theirs, lent, queued] = &mut heard;
    let figures = Contest::default()
        .enter("flowscope 0.26", |round| {
            *theirs = Heard::default();
            let later = later(&trace, round);
            let cost = per_unit(trace.len(), || other.feed(&trace, all.clone(), later, theirs));
            other.finish(theirs);
            cost
        })
        .enter("ours, events lent", |round| {
            *lent = Heard::default();
            let later = later(&trace, round);
            let cost = per_unit(trace.len(), || {
                sessions::lend(&mut lending, &trace, all.clone(), later, lent);
            });
            lending.finish_with(END, lent);
            cost
        })
        .enter("ours, events queued", |round| {
            *queued = Heard::default();
            let later = later(&trace, round);
            let cost = per_unit(trace.len(), || {
                sessions::queue(&mut queueing, &trace, all.clone(), later, |event| {
                    queued.take(&event);
                });
            });
            queueing.finish_with(END, queued);
            cost
        })
        .run(options.rounds);
    let title = format!("sessions, {name}, {alive} alive, {} packets", trace.len());
    let report = Report::new(&title, "ns/packet");
    report.rows(&figures);
    let goal = if stated == 100_000 { ">= 2 (all: >= 2.5)" } else { "" };
    report.ratio("0.26 / ours, events lent", &figures[0], &figures[1], goal);
    report.ratio("0.26 / ours, events queued", &figures[0], &figures[2], goal);
    let [theirs, lent, queued] = heard;
    assert_eq!(lent, queued, "one way or the other");
    let counts = |heard: &Heard| [heard.started, heard.ended, heard.http, heard.tls, heard.dns];
    report.note(&format!(
        "starts, ends, http, tls, dns: {}\n  flowscope 0.26 {:?}\n  ours           {:?}",
        if counts(&theirs) == counts(&lent) { "equal" } else { "different" },
        counts(&theirs),
        counts(&lent)
    ));
}

/// A parser that makes nothing reads all streams.
fn streams(name: &str, trace: &Trace, sent: Option<u64>, goal: &str, options: &Options) {
    let all = 0..trace.len();
    let (mut theirs, mut ours) = (0, 0);
    let key = flowscope_extract::FiveTuple::bidirectional();
    let mut figures: Vec<Figure> = Contest::default()
        .enter("flowscope 0.26", |_| {
            let mut raw = Raw::new(10_000);
            let cost = per_unit(trace.len(), || raw.feed(trace, all.clone()));
            theirs = raw.finish();
            cost
        })
        .enter("ours", |_| {
            let config = sessions::roomy(10_000, 16);
            let mut driver = flowscope_driver::SessionDriver::with_config(key, Mute, config);
            let cost = per_unit(trace.len(), || {
                sessions::lend(&mut driver, trace, all.clone(), 0, &mut ());
            });
            driver.finish_with(END, &mut ());
            ours = driver.bytes().delivered();
            cost
        })
        .run(options.rounds);
    let report = Report::new(&format!("streams, {name}, {} packets", trace.len()), "ns/packet");
    report.rows(&figures);
    report.ratio("0.26 / ours", &figures.remove(0), &figures[0], goal);
    report.note(&format!("bytes delivered: flowscope 0.26 {theirs}, ours {ours}, sent {sent:?}"));
    assert!(sent.is_none_or(|sent| sent == ours), "every byte");
}
