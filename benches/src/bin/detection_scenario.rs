//! One list of protocols over a stated number of packets, for `valgrind --tool=callgrind`: the difference of two
//! lengths is the cost of the packets between them.
//!
//! `detection_scenario [three|parsers|names] [unknown-ALIVE|all-ALIVE] PACKETS`: three parsers of the registry, all
//! of them, or all with the names of protocols that are not read; flows of no protocol, or of HTTP, TLS and DNS.

use std::hint::black_box;

use flowscope::protocols::{self, AppRecord, Registry, Selection};
use flowscope_benches::sessions;
use flowscope_benches::traces::{self, Talk};
use flowscope_driver::{Driver, Protocols};
use flowscope_extract::FiveTuple;
use flowscope_record::ParserOptions;

fn main() {
    let mut args = std::env::args().skip(1);
    let (mode, name) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let count: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(40_000);
    let alive = name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(100);
    let talk = if name.starts_with("unknown") { Talk::Unknown } else { Talk::All };
    // Whatever the count, the same trace is made, so that making it cancels out.
    let trace = traces::short(talk, alive + 6000, alive);
    let with = |all: Selection, name| all.with(name).unwrap_or(all);
    let selection = match mode.as_str() {
        "three" => ["http", "tls", "dns"].into_iter().fold(Selection::NONE, with),
        // A selection has no names.
        "parsers" => protocols::all().iter().map(|it| it.name).fold(Selection::NONE, with),
        _ => Selection::ALL,
    };
    let registry = Registry::new(selection, &ParserOptions::default());
    let protocols = Protocols::<AppRecord, _>::with_set(registry);
    let (key, config) = (FiveTuple::bidirectional(), sessions::roomy(1_000_000, 16));
    let mut driver = Driver::with_config(key, protocols, config);
    sessions::lend(&mut driver, &trace, 0..count.min(trace.len()), 0, &mut ());
    black_box(driver.bytes());
}
