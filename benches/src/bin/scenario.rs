//! One scenario over a stated number of packets, and nothing else: for `valgrind --tool=callgrind`,
//! where the difference of two lengths is the cost of the packets between them.
//!
//! `scenario [walk|plain|auto|one|one-count|batch|batch-count] [m300|m300-full|mix|bulk|syn|flood|grow-N]
//! PACKETS`

use std::hint::black_box;
use std::num::NonZeroUsize;

use flowscope_benches::{Established, Tally, Trace, feed, traces};
use flowscope_core::FlowExtractor;
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_track::{FlowTracker, TrackerConfig};

/// Packets of `syn` and `grow-N`; the other traces have about as many.
const PACKETS: usize = 50_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let (mode, name) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let count = args.next().and_then(|text| text.parse().ok()).unwrap_or(PACKETS);
    // The limit is far off, so that the eviction order is not kept; `flood` is about nothing else.
    let limit = if name == "flood" { 1000 } else { 8_000_000 };
    let config = TrackerConfig::default()
        .max_flows(NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(8 << 30);
    let mut tracker = FlowTracker::with_config(FiveTuple::bidirectional(), config);
    // Whatever the count, the same trace is made, so that making it cancels out.
    let trace = match name.as_str() {
        "mix" => traces::mix(0.04),
        "bulk" => traces::bulk(0.04),
        "syn" | "flood" => traces::syn(PACKETS),
        "m300" => traces::m300(0.025),
        "m300-full" => traces::m300(1.0),
        grow => {
            let flows = grow.strip_prefix("grow-").and_then(|n| n.parse().ok());
            let mut established = Established::new(flows.expect("grow-N, N being a number"));
            established.begin(|trace| {
                if !matches!(mode.as_str(), "walk" | "plain" | "auto") {
                    feed::in_batches(&mut tracker, trace, 0..trace.len(), 0, &mut ());
                }
            });
            established.talk(PACKETS)
        }
    };
    let packets = 0..count.min(trace.len());
    let mut tally = Tally::default();
    match mode.as_str() {
        "walk" => packets.for_each(|at| {
            black_box(&trace.view(at, 0));
        }),
        "plain" => extract(&FiveTuple::bidirectional(), &trace, packets.end),
        "auto" => extract(&AutoDetectEncap(FiveTuple::bidirectional()), &trace, packets.end),
        "one" => feed::one_by_one(&mut tracker, &trace, packets, 0, &mut ()),
        "one-count" => feed::one_by_one(&mut tracker, &trace, packets, 0, &mut tally),
        "batch" => feed::in_batches(&mut tracker, &trace, packets, 0, &mut ()),
        "batch-count" => feed::in_batches(&mut tracker, &trace, packets, 0, &mut tally),
        other => panic!("no mode {other:?}"),
    }
    black_box((tracker.len(), tally));
}

fn extract<E: FlowExtractor>(extractor: &E, trace: &Trace, packets: usize) {
    let mut found = None;
    for at in 0..packets {
        extractor.extract_into(&trace.view(at, 0), &mut found);
        black_box(&found);
    }
}
