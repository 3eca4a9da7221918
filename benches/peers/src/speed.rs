//! Nanoseconds per packet and per new flow.

use std::hint::black_box;

use flowscope_benches::{Contest, Established, Figure, Options, Report, Trace, per_unit, traces};
use flowscope_core::FlowExtractor as _;
use peer::extractor::FlowExtractor as _;

use crate::contestants::{Contestant, How, peer_view};

/// Later than the longest timeout after the end of any trace, in nanoseconds.
const AGAIN: u64 = 1_000_000_000_000;

/// Extraction alone.
pub(crate) fn extraction(options: &Options) {
    for (name, make) in shapes() {
        if !options.wants(&format!("extract-{name}")) {
            continue;
        }
        let trace = make(options.scale);
        let all = 0..trace.len();
        let figures = Contest::default()
            .enter("flowscope 0.22, FiveTuple", |_| {
                let extractor = peer::extract::FiveTuple::bidirectional();
                per_unit(trace.len(), || {
                    for at in all.clone() {
                        black_box(&extractor.extract(peer_view(&trace, at, 0)));
                    }
                })
            })
            .enter("ours, FiveTuple", |_| {
                let extractor = flowscope_extract::FiveTuple::bidirectional();
                per_unit(trace.len(), || {
                    for at in all.clone() {
                        black_box(&extractor.extract(trace.view(at, 0)));
                    }
                })
            })
            .enter("flowscope 0.22, AutoDetectEncap", |_| {
                let extractor =
                    peer::extract::AutoDetectEncap::new(peer::extract::FiveTuple::bidirectional());
                per_unit(trace.len(), || {
                    for at in all.clone() {
                        black_box(&extractor.extract(peer_view(&trace, at, 0)));
                    }
                })
            })
            .enter("ours, AutoDetectEncap", |_| {
                let extractor = flowscope_extract::AutoDetectEncap(
                    flowscope_extract::FiveTuple::bidirectional(),
                );
                per_unit(trace.len(), || {
                    for at in all.clone() {
                        black_box(&extractor.extract(trace.view(at, 0)));
                    }
                })
            })
            .run(options.rounds);
        let report = Report::new(&format!("extraction alone, {name}"), "ns/packet");
        report.rows(&figures);
        report.ratio("FiveTuple, 0.22 / ours", &figures[0], &figures[1], ">= 2.5");
        report.ratio("AutoDetectEncap, 0.22 / ours", &figures[2], &figures[3], "");
    }
}

/// Established flows, 102-byte packets over them picked uniformly.
pub(crate) fn growth(options: &Options) {
    for (flows, one, many) in [
        (1000, ">= 3", ">= 3.5"),
        (10_000, "", ""),
        (100_000, ">= 3", ">= 6"),
        (1_000_000, ">= 3", ">= 8"),
    ] {
        if !options.wants(&format!("grow-{flows}")) {
            continue;
        }
        let flows = if flows > 1000 { options.scaled(flows, 1000) } else { flows };
        let mut established = Established::new(flows);
        let mut contestants = How::ALL.map(|how| Contestant::new(how, flows * 4 + 1000));
        established.begin(|trace| {
            for contestant in &mut contestants {
                contestant.feed(trace, 0..trace.len(), 0);
            }
        });
        let packets = flows.max(options.scaled(500_000, 10_000));
        let rounds: Vec<Trace> = (0..=options.rounds).map(|_| established.talk(packets)).collect();
        let figures = contest(&mut contestants, options, |contestant, round| {
            let trace = &rounds[round];
            per_unit(trace.len(), || contestant.feed(trace, 0..trace.len(), 0))
        });
        let title = format!("extract and track, {flows} established flows");
        let report = compare(&title, "ns/packet", &figures, one, many);
        agree(&report, &contestants);
    }
}

/// Whole traces, again and again; in between, what is left over ends, which is not timed.
pub(crate) fn replay(options: &Options) {
    for (name, make) in shapes() {
        if !options.wants(&format!("replay-{name}")) {
            continue;
        }
        let trace = make(options.scale);
        let mut contestants = How::ALL.map(|how| Contestant::new(how, 1_200_000));
        let figures = contest(&mut contestants, options, |contestant, round| {
            contestant.finish();
            let later = round as u64 * AGAIN;
            per_unit(trace.len(), || contestant.feed(&trace, 0..trace.len(), later))
        });
        let (one, many) = if name == "m300" { (">= 3", ">= 4.5") } else { ("", "") };
        let title = format!("extract and track, {name}, {} packets", trace.len());
        let report = compare(&title, "ns/packet", &figures, one, many);
        for contestant in &mut contestants {
            contestant.finish();
        }
        agree(&report, &contestants);
    }
}

/// A flow for every packet, into a table that is full.
pub(crate) fn flood(options: &Options) {
    if !options.wants("flood") {
        return;
    }
    let flood = traces::syn(options.scaled(2_000_000, 20_000));
    let limit = options.scaled(100_000, 1000);
    let mut contestants = How::ALL.map(|how| Contestant::new(how, limit));
    let figures = contest(&mut contestants, options, |contestant, round| {
        let later = round as u64 * AGAIN;
        per_unit(flood.len(), || contestant.feed(&flood, 0..flood.len(), later))
    });
    let title = format!("SYN flood, a full table of {limit}");
    let report = compare(&title, "ns/flow", &figures, ">= 3.5", ">= 3.5");
    agree(&report, &contestants);
}

/// A trace's name and who makes it, for a scale.
type Shape = (&'static str, fn(f64) -> Trace);

fn shapes() -> [Shape; 3] {
    [
        ("m300", traces::m300),
        ("mix", |scale| traces::mix(scale / 2.0)),
        ("bulk", |scale| traces::bulk(scale / 5.0)),
    ]
}

fn contest(
    contestants: &mut [Contestant; 3],
    options: &Options,
    run: impl Fn(&mut Contestant, usize) -> f64,
) -> Vec<Figure> {
    let mut contest = Contest::default();
    for (how, contestant) in How::ALL.iter().zip(contestants) {
        let run = &run;
        contest = contest.enter(how.name(), move |round| run(contestant, round));
    }
    contest.run(options.rounds)
}

fn compare(title: &str, unit: &'static str, figures: &[Figure], one: &str, many: &str) -> Report {
    let report = Report::new(title, unit);
    report.rows(figures);
    report.ratio("0.22 / ours, one by one", &figures[0], &figures[1], one);
    report.ratio("0.22 / ours, in batches", &figures[0], &figures[2], many);
    report
}

/// Says behind the figures what was counted, and whether the two libraries differ.
fn agree(report: &Report, contestants: &[Contestant; 3]) {
    let [peer, one, many] = contestants.each_ref().map(Contestant::tally);
    assert_eq!(one, many, "batches change no event");
    let counts = |tally: &flowscope_benches::Tally| {
        [tally.packets, tally.wire, tally.started, tally.established, tally.ended]
    };
    let (theirs, ours) = (counts(peer), counts(one));
    let verdict = if theirs == ours { "equal" } else { "different" };
    report.note(&format!(
        "packets, bytes, starts, handshakes, ends: {verdict}\n  flowscope 0.22 {theirs:?}\n  ours           {ours:?}"
    ));
}
