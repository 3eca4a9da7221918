//! Attacks of many packets: a million each in an optimised build, fewer where nothing is optimised.

use flowscope::track::{Eviction, TrackerConfig};
use flowscope_testkit::attacks::{fragments, tcp};

use super::*;

const MANY: usize = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

/// Rounds of bystanders: one for each thousand packets.
const ROUNDS: u16 = if cfg!(debug_assertions) { 20 } else { 1000 };

/// Fragments of 8 bytes that a whole datagram of 64 KiB comes in.
const PIECES: usize = 8186;

/// Runs an attack with rounds of bystanders in between, who have to come out unharmed.
fn withstand(name: &str, config: DriverConfig, budget: usize, make: impl Iterator<Item = Packet>) {
    let bystanders = Bystanders::new(ROUNDS);
    let step = Duration::from_micros(10);
    let wire = interleave(make, bystanders.packets(), 50, START, step);
    let outcome = run_for(Bystanders::has, 64, config, budget, wire);
    let (right, all) = outcome.unharmed(bystanders);
    assert!(all > 0 && right * 100 >= all * 99, "{name}: {right} of {all} joined");
}

#[test]
fn many_datagrams_that_are_never_whole() {
    let config = DriverConfig::default;
    withstand("never whole", config(), BUDGET, fragments::never_whole(MANY, 1));
    withstand("only ends", config(), BUDGET, fragments::only_ends(MANY));
    withstand("overlaps", config(), BUDGET, fragments::overlapping(MANY / 2));
    withstand("8 bytes", config(), BUDGET, fragments::eight_bytes(MANY.div_ceil(PIECES), None));
    let shuffled = fragments::eight_bytes(MANY.div_ceil(PIECES), Some(1));
    withstand("8 bytes, shuffled", config(), BUDGET, shuffled);
    withstand("one id", config(), BUDGET, fragments::one_id(MANY, 1));
}

#[test]
fn many_connections() {
    for budget in [16 << 20, 256 << 20] {
        let tracker = || {
            let many = std::num::NonZeroUsize::new(10 * MANY).expect("not zero");
            let config = TrackerConfig::default().eviction(Eviction::HalfOpenFirst);
            DriverConfig::default().tracker(config.max_flows(many).memory_budget(budget))
        };
        let budget = budget + (4 << 20);
        withstand("SYN flood", tracker(), budget, tcp::syn_flood(MANY, 1));
        withstand("FIN and RST", tracker(), budget, tcp::storm(MANY, 1));
        withstand("reuse", tracker(), budget, tcp::reuse(MANY / 9));
    }
}
