//! What finding the flow of a packet costs, in nanoseconds.

use std::hint::black_box;

use flowscope_benches::{Contest, Options, Report, Trace, per_unit, traces};
use flowscope_core::FlowExtractor;
use flowscope_extract::{AutoDetectEncap, FiveTuple, IpPair, MacPair};

fn main() {
    let options = Options::from_args();
    for (name, make) in [
        ("m300", traces::m300 as fn(f64) -> Trace),
        ("mix", |scale| traces::mix(scale / 2.0)),
        ("bulk", |scale| traces::bulk(scale / 5.0)),
    ] {
        if options.wants(name) {
            shapes(name, &make(options.scale), &options);
        }
    }
    if options.wants("encapsulated") {
        encapsulated(&options);
    }
}

fn shapes(name: &str, trace: &Trace, options: &Options) {
    let report = Report::new(&format!("extraction alone, {name}"), "ns/packet");
    let figures = Contest::default()
        .enter("view and one read of the frame", |_| walk(trace))
        .enter("FiveTuple", |_| extract(&FiveTuple::bidirectional(), trace))
        .enter("AutoDetectEncap(FiveTuple)", |_| {
            extract(&AutoDetectEncap(FiveTuple::bidirectional()), trace)
        })
        .enter("IpPair", |_| extract(&IpPair, trace))
        .enter("MacPair", |_| extract(&MacPair, trace))
        .run(options.rounds);
    for (figure, goal) in figures.iter().zip(["", "<= 1/2.5 of flowscope 0.22"]) {
        report.row(figure, goal);
    }
    report.rows(&figures[2..]);
}

fn encapsulated(options: &Options) {
    let report = Report::new("AutoDetectEncap(FiveTuple), one shape at a time", "ns/packet");
    let shapes = traces::encapsulated();
    let mut contest = Contest::default();
    for (name, trace) in &shapes {
        contest = contest.enter(*name, move |_| {
            let auto = AutoDetectEncap(FiveTuple::bidirectional());
            let rounds = 20;
            (0..rounds).map(|_| extract(&auto, trace)).sum::<f64>() / f64::from(rounds)
        });
    }
    report.rows(&contest.run(options.rounds));
}

fn walk(trace: &Trace) -> f64 {
    per_unit(trace.len(), || {
        for at in 0..trace.len() {
            let view = trace.view(at, 0);
            black_box(black_box(&view).frame()[26]);
        }
    })
}

fn extract<E: FlowExtractor>(extractor: &E, trace: &Trace) -> f64 {
    per_unit(trace.len(), || {
        for at in 0..trace.len() {
            black_box(&extractor.extract(trace.view(at, 0)));
        }
    })
}
