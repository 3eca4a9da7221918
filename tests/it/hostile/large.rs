//! The attacks in full, with figures: `cargo test --release -p flowscope-tests -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "these are figures to publish")]

use std::time::Instant;

use flowscope::track::{Eviction, TrackerConfig};
use flowscope_testkit::attacks::{fragments, list, tcp};

use super::*;

const MILLION: usize = 1_000_000;

/// Runs an attack with a round of bystanders for each thousand packets, and prints what it took.
fn figures(
    name: &str,
    config: DriverConfig,
    budget: usize,
    make: impl Fn() -> Box<dyn Iterator<Item = Packet>>,
) {
    let bystanders = Bystanders::new(1000);
    let step = Duration::from_micros(10);
    let wire = || interleave(make(), bystanders.packets(), 50, START, step);
    let begin = Instant::now();
    let made = wire().map(|packet| packet.bytes.len() as u64).sum::<u64>();
    let making = begin.elapsed();
    let outcome = run_for(Bystanders::has, 64, config, budget, wire());
    let took = begin.elapsed().saturating_sub(making * 2);
    let (right, all) = outcome.unharmed(bystanders);
    assert!(right * 100 >= all * 99, "{name}: {right} of {all} joined");
    println!(
        "{name}: {} packets, {made} bytes in {took:.2?} beside the generator's {making:.2?}; \
         at most {} KiB held; {right} of {all} interleaved datagrams joined; {:?}",
        outcome.sent,
        outcome.memory >> 10,
        outcome.ledger.losses().collect::<Vec<_>>(),
    );
    // Of the process so far, where the system tells.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("    {}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}

#[test]
#[ignore = "a million packets each: for optimised builds"]
fn a_million_datagrams_that_are_never_whole() {
    let config = DriverConfig::default;
    figures("never whole", config(), BUDGET, || Box::new(fragments::never_whole(MILLION, 1)));
    figures("only ends", config(), BUDGET, || Box::new(fragments::only_ends(MILLION)));
    figures("overlaps", config(), BUDGET, || Box::new(fragments::overlapping(MILLION / 2)));
    figures("8 bytes", config(), BUDGET, || Box::new(fragments::eight_bytes(122, None)));
    figures("8 bytes, shuffled", config(), BUDGET, || {
        Box::new(fragments::eight_bytes(122, Some(1)))
    });
    figures("one id", config(), BUDGET, || Box::new(fragments::one_id(MILLION, 1)));
}

#[test]
#[ignore = "a million packets each: for optimised builds"]
fn a_million_connections() {
    for budget in [16 << 20, 256 << 20] {
        let tracker = || {
            let many = std::num::NonZeroUsize::new(10 * MILLION).expect("not zero");
            let config = TrackerConfig::default().eviction(Eviction::HalfOpenFirst);
            DriverConfig::default().tracker(config.max_flows(many).memory_budget(budget))
        };
        let budget = budget + (4 << 20);
        figures("SYN flood", tracker(), budget, || Box::new(tcp::syn_flood(MILLION, 1)));
        figures("FIN and RST", tracker(), budget, || Box::new(tcp::storm(MILLION, 1)));
        figures("reuse", tracker(), budget, || Box::new(tcp::reuse(MILLION / 9)));
    }
}

#[test]
#[ignore = "for optimised builds"]
fn what_a_packet_of_each_attack_costs() {
    let measure = |attack: Attack| {
        let packets: Vec<Packet> = with_bystanders(attack, Bystanders::new(50), 50).collect();
        let sent = packets.len();
        let begin = Instant::now();
        run_for(Bystanders::has, 64, DriverConfig::default(), BUDGET, packets.into_iter());
        (sent, begin.elapsed())
    };
    for (one, two) in list(100_000).into_iter().zip(list(200_000)) {
        let name = one.name;
        let ((n, once), (m, twice)) = (measure(one), measure(two));
        let each = once.as_nanos() as f64 / n as f64;
        let later = twice.as_nanos() as f64 / m as f64;
        println!("{name}: {each:.0} ns a packet of {n}, {later:.0} ns of {m}");
    }
}
