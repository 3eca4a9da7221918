//! What tracking a packet costs, extraction included, in nanoseconds: by number of flows, one by
//! one and in batches, with a sink that takes nothing and one that counts all it is lent.

use std::num::NonZeroUsize;

use flowscope_benches::{
    Contest, Established, Figure, Options, Report, Tally, Trace, feed, per_unit, traces,
};
use flowscope_extract::FiveTuple;
use flowscope_track::{FlowTracker, TableHash, TrackerConfig};

fn main() {
    let options = Options::from_args();
    let mut grown: Vec<(usize, Vec<Figure>)> = Vec::new();
    for flows in [1, 1000, 10_000, 100_000, 1_000_000] {
        let name = format!("grow-{flows} ");
        let flows = if flows > 1000 { options.scaled(flows, 1000) } else { flows };
        if options.wants(name.trim()) {
            grown.push((flows, grow(&name, flows, &options)));
        }
    }
    if let (Some(small), Some(large)) = (
        grown.iter().find(|(flows, _)| *flows == 1000),
        grown.iter().find(|(flows, _)| *flows == 1_000_000),
    ) {
        let report = Report::new("growth, 1 M flows against 1 k", "ratio");
        report.ratio("one by one", &large.1[0], &small.1[0], "<= 6");
        report.ratio("in batches", &large.1[2], &small.1[2], "<= 3");
    }
    for (name, make) in [
        ("m300", traces::m300 as fn(f64) -> Trace),
        ("mix", |scale| traces::mix(scale / 2.0)),
        ("bulk", |scale| traces::bulk(scale / 5.0)),
    ] {
        if options.wants(name) {
            replay(name, &make(options.scale), &options);
        }
    }
}

/// Room for all flows and to spare: the eviction order is not kept.
fn roomy(flows: usize) -> TrackerConfig {
    limited(flows * 4 + 1000)
}

fn limited(flows: usize) -> TrackerConfig {
    TrackerConfig::default()
        .max_flows(NonZeroUsize::new(flows).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(8 << 30)
}

/// Who takes part in [`grow`]: batches or not, counting or not, and the configuration.
struct Entrant {
    name: &'static str,
    batches: bool,
    counts: bool,
    config: TrackerConfig,
}

fn entrants(flows: usize) -> Vec<Entrant> {
    let of = |name, batches, counts, config| Entrant { name, batches, counts, config };
    vec![
        of("one by one, ()", false, false, roomy(flows)),
        of("one by one, counting", false, true, roomy(flows)),
        of("in batches, ()", true, false, roomy(flows)),
        of("in batches, counting", true, true, roomy(flows)),
        of("one by one, (), SipHash", false, false, roomy(flows).hash(TableHash::Sip13)),
        of("in batches, (), SipHash", true, false, roomy(flows).hash(TableHash::Sip13)),
        of("one by one, (), table 4/5 full", false, false, limited(flows + flows / 4)),
        of("in batches, (), table 4/5 full", true, false, limited(flows + flows / 4)),
    ]
}

fn grow(name: &str, flows: usize, options: &Options) -> Vec<Figure> {
    let report = Report::new(&format!("{name}: {flows} established flows"), "ns/packet");
    let mut established = Established::new(flows);
    let mut trackers: Vec<(Entrant, FlowTracker<FiveTuple>)> = entrants(flows)
        .into_iter()
        .map(|entrant| {
            let tracker =
                FlowTracker::with_config(FiveTuple::bidirectional(), entrant.config.clone());
            (entrant, tracker)
        })
        .collect();
    established.begin(|trace| {
        for (_, tracker) in &mut trackers {
            feed::in_batches(tracker, trace, 0..trace.len(), 0, &mut ());
        }
    });
    let packets = flows.max(options.scaled(500_000, 10_000));
    let rounds: Vec<Trace> = (0..=options.rounds).map(|_| established.talk(packets)).collect();
    let mut contest = Contest::default();
    for (entrant, tracker) in &mut trackers {
        let rounds = &rounds;
        contest = contest.enter(entrant.name, move |round| {
            track(tracker, &rounds[round], 0, entrant.batches, entrant.counts)
        });
    }
    let figures = contest.run(options.rounds);
    let goals: [&str; 3] = match flows {
        100_000 => ["<= 1/3 of flowscope 0.22", "", "<= 1/6 of flowscope 0.22"],
        1_000_000 => ["<= 1/3 of flowscope 0.22", "", "<= 1/8 of flowscope 0.22"],
        1000 => ["<= 1/3 of flowscope 0.22", "", "<= 1/3.5 of flowscope 0.22"],
        _ => [""; 3],
    };
    for (at, figure) in figures.iter().enumerate() {
        report.row(figure, goals.get(at).unwrap_or(&""));
    }
    figures
}

/// A whole trace again and again, its flows over before it begins anew: starts and ends of flows
/// are in the figure.
fn replay(name: &str, trace: &Trace, options: &Options) {
    let report = Report::new(&format!("{name}: {} packets", trace.len()), "ns/packet");
    let mut contest = Contest::default();
    for entrant in entrants(300_000).into_iter().take(4) {
        let mut tracker =
            FlowTracker::with_config(FiveTuple::bidirectional(), entrant.config.clone());
        contest = contest.enter(entrant.name, move |round| {
            let later = round as u64 * AGAIN;
            track(&mut tracker, trace, later, entrant.batches, entrant.counts)
        });
    }
    let goals = match name {
        "m300" => ["<= 1/3 of flowscope 0.22", "", "<= 1/4.5 of flowscope 0.22", "<= 200"],
        _ => ["", "", "", "<= 200"],
    };
    for (figure, goal) in contest.run(options.rounds).iter().zip(goals) {
        report.row(figure, goal);
    }
}

/// Later than the longest timeout after the end of any trace, in nanoseconds.
const AGAIN: u64 = 1_000_000_000_000;

fn track(
    tracker: &mut FlowTracker<FiveTuple>,
    trace: &Trace,
    later: u64,
    batches: bool,
    counts: bool,
) -> f64 {
    let all = 0..trace.len();
    let mut tally = Tally::default();
    let cost = per_unit(trace.len(), || match (batches, counts) {
        (false, false) => feed::one_by_one(tracker, trace, all, later, &mut ()),
        (false, true) => feed::one_by_one(tracker, trace, all, later, &mut tally),
        (true, false) => feed::in_batches(tracker, trace, all, later, &mut ()),
        (true, true) => feed::in_batches(tracker, trace, all, later, &mut tally),
    });
    assert!(!counts || tally.packets == trace.len() as u64, "every packet belongs to a flow");
    cost
}
