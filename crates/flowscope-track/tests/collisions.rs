//! Keys that are made to collide by someone who knows the seed of the table.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, reason = "a test that prints its figure, for `cargo xtask trust`")]

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use flowscope_core::{Extracted, L4Proto, LinkType, Orientation, PacketView, Timestamp};
use flowscope_track::{Clock, ClockConfig, FlowTable, TrackerConfig};
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

const SEED: u64 = 0x5eed;

/// Keys of the flood.
const FLOWS: usize = if cfg!(debug_assertions) { 500 } else { 200_000 };

/// Bits of the hash that all keys of the flood have in common: those of the place in a table of as many flows as
/// are needed for the alarm, and those that a place has beside it.
const PLACE: u64 = 0xff;
const BESIDE: u64 = 0x7f << 57;

/// What the table makes of a key, as its source code says: the hash, folded to 32 bits, and spread again.
fn spread(state: &SeedableRandomState, key: u64) -> u64 {
    let hash = state.hash_one(key);
    let tag = (hash ^ (hash >> 32)) as u32;
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Keys whose hashes are alike under the seed, found by search.
fn colliding(count: usize) -> Vec<u64> {
    let state = SeedableRandomState::with_seed(SEED, SharedSeed::global_fixed());
    let alike = |key: u64| spread(&state, key) & (PLACE | BESIDE);
    let goal = alike(0);
    (0..).filter(|&key| alike(key) == goal).take(count).collect()
}

/// A packet of each key, in a new table. Returns the packets before the first alarm, how many alarms there were, and the
/// time of the second half of the packets.
fn run(keys: &[u64]) -> (Option<usize>, u64, Duration) {
    let most = NonZeroUsize::new(1 << 20).expect("more than none");
    let mut table = FlowTable::new(TrackerConfig::default().seed(SEED).max_flows(most));
    let mut clock = Clock::new(ClockConfig::default());
    let (mut alarm, mut half) = (None, Instant::now());
    for (n, &key) in keys.iter().enumerate() {
        if n == keys.len() / 2 {
            half = Instant::now();
        }
        let mut found = Extracted::new(key, Orientation::Forward);
        found.l4 = Some(L4Proto::Udp);
        let view = PacketView::new(&[], LinkType::RAW, Timestamp::from_secs(1));
        table.track(view, &found, clock.observe(view.ts()), &mut ());
        if alarm.is_none() && table.stats().hash_collisions_suspected > 0 {
            alarm = Some(n);
        }
    }
    let time = half.elapsed();
    assert_eq!(table.len(), keys.len(), "each key is a flow");
    (alarm, table.stats().hash_collisions_suspected, time)
}

#[test]
fn a_flood_of_colliding_keys_is_noticed_at_once_and_then_has_no_effect() {
    let flood = colliding(FLOWS);
    let ordinary: Vec<u64> = (0..FLOWS as u64).map(|key| key << 20 | 1).collect();
    let (mut with, mut without) = (Duration::MAX, Duration::MAX);
    let mut noticed = 0;
    // By turns, and the fastest of each: others use the machine too.
    for _ in 0..5 {
        let (alarm, alarms, time) = run(&flood);
        noticed = alarm.expect("the flood is noticed");
        assert!(noticed < 100, "{noticed} packets before it was noticed");
        assert_eq!(alarms, 1, "the keys collide under the next seed no more");
        with = with.min(time);
        let (alarm, _, time) = run(&ordinary);
        assert_eq!(alarm, None, "ordinary keys");
        without = without.min(time);
    }
    let speed = without.as_secs_f64() / with.as_secs_f64() * 100.0;
    println!("figure: noticed after {noticed} of {FLOWS} packets; then {speed:.0} % of the speed");
}
