//! What a new flow costs, in nanoseconds: a SYN flood into a table that grows, and into a full one
//! that evicts a flow for each.

use std::num::NonZeroUsize;

use flowscope_benches::{
    Contest, Established, Options, Report, Trace, feed, per_unit, traces, worst_of,
};
use flowscope_extract::FiveTuple;
use flowscope_track::{EndReason, Eviction, FlowTracker, TrackerConfig};

/// Packets of a batch.
const BATCH: usize = 64;

fn main() {
    let options = Options::from_args();
    let flood = traces::syn(options.scaled(2_000_000, 20_000));
    if options.wants("growing") {
        growing(&flood, &options);
    }
    if options.wants("full") {
        full(&flood, &options);
    }
}

fn config(flows: usize) -> TrackerConfig {
    TrackerConfig::default()
        .max_flows(NonZeroUsize::new(flows).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(8 << 30)
}

fn tracker(flows: usize, policy: Eviction) -> FlowTracker<FiveTuple> {
    FlowTracker::with_config(FiveTuple::bidirectional(), config(flows).eviction(policy))
}

fn growing(flood: &Trace, options: &Options) {
    let report = Report::new(&format!("growing to {} flows, one SYN each", flood.len()), "ns/flow");
    let room = flood.len() * 3;
    let run = |tracker: &mut FlowTracker<FiveTuple>, batches, round: usize| {
        let cost = flow_by_flow(tracker, flood, batches, round);
        assert_eq!(tracker.len(), flood.len());
        cost
    };
    let mut kept = [false, true].map(|_| tracker(room, Eviction::default()));
    let [one, many] = &mut kept;
    let figures = Contest::default()
        .enter("fresh memory, one by one", |_| {
            run(&mut tracker(room, Eviction::default()), false, 0)
        })
        .enter("fresh memory, in batches", |_| {
            run(&mut tracker(room, Eviction::default()), true, 0)
        })
        .enter("memory used before, one by one", |round| {
            one.finish(EndReason::Forced, &mut ());
            run(one, false, round)
        })
        .enter("memory used before, in batches", |round| {
            many.finish(EndReason::Forced, &mut ());
            run(many, true, round)
        })
        .run(options.rounds);
    report.rows(&figures);
    let title = format!("growing to {} flows: the batch that takes longest", flood.len());
    let figures = Contest::default()
        .enter("fresh memory, batches of 64", |_| {
            worst_batch(&mut tracker(room, Eviction::default()), flood)
        })
        .run(options.rounds);
    Report::new(&title, "us").row(&figures[0], "<= 1000");
}

/// CPU microseconds of the worst batch of new flows.
fn worst_batch(tracker: &mut FlowTracker<FiveTuple>, flood: &Trace) -> f64 {
    let mut next = 0;
    let (_, worst, _) = worst_of(|| {
        let batch = next..flood.len().min(next + BATCH);
        next = batch.end;
        feed::in_batches(tracker, flood, batch, 0, &mut ());
        next < flood.len()
    });
    worst
}

fn full(flood: &Trace, options: &Options) {
    let limit = options.scaled(100_000, 1000);
    let report =
        Report::new(&format!("a full table of {limit}: each SYN evicts a flow"), "ns/flow");
    let mut established = Established::new(limit * 9 / 10);
    let mut trackers: Vec<_> = [
        ("by last packet, SYNs only", Eviction::OldestLastSeen, false),
        ("by last packet, over established flows", Eviction::OldestLastSeen, true),
        ("half-open first, SYNs only", Eviction::HalfOpenFirst, false),
        ("half-open first, over established flows", Eviction::HalfOpenFirst, true),
    ]
    .into_iter()
    .flat_map(|(name, policy, over)| {
        [(false, "one by one"), (true, "in batches")]
            .map(|(batches, how)| (format!("{name}, {how}"), tracker(limit, policy), batches, over))
    })
    .collect();
    established.begin(|trace| {
        for (.., tracker, _, _) in trackers.iter_mut().filter(|(.., over)| *over) {
            feed::in_batches(tracker, trace, 0..trace.len(), 0, &mut ());
        }
    });
    let mut contest = Contest::default();
    for (name, tracker, batches, _) in &mut trackers {
        contest = contest.enter(name.as_str(), |round| {
            let cost = flow_by_flow(tracker, flood, *batches, round);
            assert_eq!(tracker.len(), limit);
            cost
        });
    }
    for figure in contest.run(options.rounds) {
        report.row(&figure, "<= 200, 1/3.5 of flowscope 0.22");
    }
}

/// The flood again, an hour less a bit later each time: within what the clock believes at once.
fn flow_by_flow(
    tracker: &mut FlowTracker<FiveTuple>,
    flood: &Trace,
    batches: bool,
    round: usize,
) -> f64 {
    let (all, later) = (0..flood.len(), (round as u64 + 1) * 1_000_000_000_000);
    per_unit(flood.len(), || {
        if batches {
            feed::in_batches(tracker, flood, all, later, &mut ());
        } else {
            feed::one_by_one(tracker, flood, all, later, &mut ());
        }
    })
}
