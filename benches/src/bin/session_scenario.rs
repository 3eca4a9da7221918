//! One scenario of streams or sessions over a stated number of packets, for
//! `valgrind --tool=callgrind`: the difference of two lengths is the cost of the packets between
//! them.
//!
//! `session_scenario [track|mute|mute-forget|lend|queue]
//! [bulk|late-N|all-ALIVE|http-ALIVE|tls-ALIVE|dns-ALIVE] PACKETS`

use std::hint::black_box;

use flowscope_benches::sessions::{self, Heard, Mute};
use flowscope_benches::traces::{self, Talk};
use flowscope_benches::{Reordered, Tally, feed};
use flowscope_driver::{Driver, SessionDriver};
use flowscope_extract::FiveTuple;
use flowscope_track::FlowTracker;

fn main() {
    let mut args = std::env::args().skip(1);
    let (mode, name) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let count: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(40_000);
    let number = || name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(100);
    // Whatever the count, the same trace is made, so that making it cancels out.
    let trace = match name.split('-').next().unwrap_or_default() {
        "bulk" => traces::bulk(0.04),
        "late" => Reordered::new(number(), 0.25).trace,
        "http" => traces::short(Talk::Http, number() + 6000, number()),
        "tls" => traces::short(Talk::Tls, number() + 6000, number()),
        "dns" => traces::short(Talk::Dns, number() + 25_000, number()),
        _ => traces::short(Talk::All, number() + 6000, number()),
    };
    let (packets, flows) = (0..count.min(trace.len()), 1_000_000);
    let key = FiveTuple::bidirectional();
    match mode.as_str() {
        "track" => {
            let (mut tracker, mut tally) = (FlowTracker::new(key), Tally::default());
            feed::in_batches(&mut tracker, &trace, packets, 0, &mut tally);
            black_box((tracker.len(), tally));
        }
        "mute" | "mute-forget" => {
            let config = sessions::roomy(flows, if mode == "mute" { 16 } else { 0 });
            let mut driver = SessionDriver::with_config(key, Mute, config);
            sessions::lend(&mut driver, &trace, packets, 0, &mut ());
            black_box(driver.bytes());
        }
        _ => {
            let mut heard = Heard::default();
            let config = sessions::roomy(flows, 16);
            let mut driver = Driver::with_config(key, sessions::protocols(), config);
            if mode == "lend" {
                sessions::lend(&mut driver, &trace, packets, 0, &mut heard);
            } else {
                sessions::queue(&mut driver, &trace, packets, 0, |event| heard.take(&event));
            }
            black_box((driver.bytes(), heard));
        }
    }
}
