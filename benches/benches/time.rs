//! What the passing of time costs: calls that find nothing due, a million flows that fall silent at
//! once, and how long a single packet can take.

use std::num::NonZeroUsize;
use std::time::Instant;

use flowscope_benches::{Figure, Options, Pings, Report, Tally, feed, per_unit, worst_of};
use flowscope_core::{Progress, Timestamp};
use flowscope_extract::FiveTuple;
use flowscope_track::{EndReason, FlowTracker, TrackerConfig};

/// Steps that one call of `expire` may do.
const STEPS: usize = 64;

fn main() {
    let options = Options::from_args();
    for flows in [100_000, 1_000_000] {
        let flows = options.scaled(flows, 1000);
        if options.wants("expiry") {
            expiry(flows, &options);
        }
        if options.wants("latency") {
            latency(flows, &options);
        }
    }
}

fn tracker(flows: usize, steps: usize) -> FlowTracker<FiveTuple> {
    let config = TrackerConfig::default()
        .max_flows(NonZeroUsize::new(flows * 4).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(8 << 30)
        .sweep(steps);
    FlowTracker::with_config(FiveTuple::bidirectional(), config)
}

/// UDP flows, silent for 60 s at most: seen twice in 32 s, so that deadlines lie where memory
/// does not, then not at all.
fn expiry(flows: usize, options: &Options) {
    let report = Report::new(&format!("{flows} UDP flows and time"), "us");
    let mut names: Vec<Figure> = [
        "a call that finds nothing due",
        "worst of 1000 such calls",
        "a call of 256 steps while deadlines move: worst",
        "all calls that move deadlines, ns/flow",
        "a call of 256 steps while flows expire: worst",
        "all calls that let flows expire, ns/flow",
    ]
    .map(|name| Figure { name: name.into(), samples: Vec::new() })
    .into();
    let mut pings = Pings::new(flows);
    let rounds = [pings.round(0), pings.round(30)];
    for round in 0..=options.rounds {
        let mut tracker = tracker(flows, usize::MAX);
        for trace in &rounds {
            feed::in_batches(&mut tracker, trace, 0..trace.len(), 0, &mut ());
        }
        let mut at = |nanos: u64| {
            let now = Timestamp::from_nanos(Pings::at(32) + nanos);
            tracker.expire(now, STEPS, &mut ()) == Progress::More
        };
        let calls = 1000;
        let mean = per_unit(calls, || {
            for call in 0..calls as u64 {
                at(call * 1_000_000);
            }
        }) / 1000.0;
        let mut call = 1000_u64;
        let (_, idle, _) = worst_of(|| {
            call += 1;
            at(call * 1_000_000);
            call < 2000
        });
        // At 62 s all deadlines that the first packets set have passed, none that the second did.
        let (_, moved, moving) = worst_of(|| at(30_000_000_000));
        assert_eq!(tracker.len(), flows);
        let now = Timestamp::from_nanos(Pings::at(100));
        let (_, worst, expiring) =
            worst_of(|| tracker.expire(now, STEPS, &mut ()) == Progress::More);
        assert_eq!(tracker.stats().ended(EndReason::IdleTimeout), flows as u64);
        let per_flow = 1000.0 / flows as f64;
        let costs = [mean, idle, moved, moving * per_flow, worst, expiring * per_flow];
        if round > 0 {
            for (figure, cost) in names.iter_mut().zip(costs) {
                figure.samples.push(cost);
            }
        }
    }
    let goals = ["<= 50", "<= 50", "<= 200", "", "<= 200", ""];
    for (figure, goal) in names.iter().zip(goals) {
        report.row(figure, goal);
    }
}

/// Wall time of single packets while all flows of a full second come due, at most 32 steps of
/// expiry to a packet.
fn latency(flows: usize, options: &Options) {
    let report = Report::new(&format!("one packet among {flows} flows, wall time"), "ns/packet");
    let mut pings = Pings::new(flows);
    let rounds = [0, 30, 61].map(|second| pings.round(second));
    let mut all: Vec<Vec<f64>> = Vec::new();
    for _ in 0..=options.rounds {
        let mut tracker = tracker(flows, 32);
        let mut tally = Tally::default();
        for trace in &rounds[..2] {
            feed::in_batches(&mut tracker, trace, 0..trace.len(), 0, &mut tally);
        }
        let trace = &rounds[2];
        let mut times: Vec<u32> = Vec::with_capacity(trace.len());
        for at in 0..trace.len() {
            let before = Instant::now();
            feed::one_by_one(&mut tracker, trace, at..at + 1, 0, &mut tally);
            times.push(u32::try_from(before.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
        times.sort_unstable();
        let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]);
        all.push([0.5, 0.99, 0.999, 1.0].map(at).into());
    }
    for (at, (name, goal)) in
        [("median", ""), ("99 %", ""), ("99.9 %", "<= 5 x median"), ("worst", "")]
            .into_iter()
            .enumerate()
    {
        let samples = all[1..].iter().map(|round| round[at]).collect();
        report.row(&Figure { name: name.into(), samples }, goal);
    }
}
