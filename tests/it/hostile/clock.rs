//! Times that no clock shows.

use flowscope::core::Loss;
use flowscope_testkit::attacks::clock::{self, Wrong};
use flowscope_testkit::attacks::tcp;

use super::*;

fn traffic() -> (Bystanders, Vec<Packet>) {
    let bystanders = Bystanders::new(20);
    let flood = tcp::syn_flood(1500, 7);
    let step = Duration::from_millis(10);
    (bystanders, interleave(flood, bystanders.packets(), 5, START, step).collect())
}

#[test]
fn wrong_times_flush_no_flow_and_are_counted() {
    for wrong in Wrong::ALL {
        for (n, seed) in [(200, 1), (20, 2), (3, 3)] {
            let (bystanders, packets) = traffic();
            let sent: Vec<Timestamp> = packets.iter().map(|packet| packet.ts).collect();
            let packets: Vec<_> = clock::wrong(packets.into_iter(), wrong, n, seed).collect();
            let hits = packets.iter().zip(&sent).filter(|(packet, ts)| packet.ts != **ts).count();
            assert!(hits > 3);
            let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
            let (right, all) = outcome.unharmed(bystanders);
            assert_eq!(right, all, "{wrong:?} in one of {n}");
            assert_eq!(outcome.ledger.delivered(), outcome.sent);
            let back = matches!(wrong, Wrong::Back(_) | Wrong::Zero);
            let expected = if back { hits as u64 } else { 0 };
            assert_eq!(outcome.backwards, expected, "{wrong:?} in one of {n}");
        }
    }
}

#[test]
fn a_first_packet_from_another_century_does_no_harm() {
    for first in [Timestamp::ZERO, START.saturating_add(clock::YEAR * 100), Timestamp::MAX] {
        let (bystanders, mut packets) = traffic();
        packets.insert(0, Packet { ts: first, ..tcp::syn_flood(1, 99).next().expect("one") });
        let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
        let (right, all) = outcome.unharmed(bystanders);
        assert_eq!((right, outcome.ledger.delivered()), (all, outcome.sent), "{first:?}");
    }
}

#[test]
fn all_times_equal_zero_or_the_last_there_is() {
    for ts in [Timestamp::ZERO, START, Timestamp::MAX] {
        let (bystanders, mut packets) = traffic();
        packets.iter_mut().for_each(|packet| packet.ts = ts);
        let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
        let (right, all) = outcome.unharmed(bystanders);
        assert_eq!((right, outcome.backwards), (all, 0), "{ts:?}");
    }
}

#[test]
fn time_that_runs_backwards_all_the_way() {
    let (_, mut packets) = traffic();
    let sent = packets.len();
    let times: Vec<Timestamp> = packets.iter().rev().map(|packet| packet.ts).collect();
    packets.iter_mut().zip(times).for_each(|(packet, ts)| packet.ts = ts);
    let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
    assert_eq!(outcome.backwards as usize, sent - 1);
    assert_eq!(outcome.ledger.delivered(), outcome.sent);
}

#[test]
fn times_that_leap_for_long_enough_to_be_believed() {
    let leaps = [START, Timestamp::MAX, Timestamp::ZERO, START.saturating_add(clock::YEAR), START];
    for length in [15, 16, 17, 40] {
        let (_, mut packets) = traffic();
        for (n, packet) in packets.iter_mut().enumerate() {
            let base = leaps[n / length % leaps.len()];
            packet.ts = base.saturating_add(Duration::from_millis(n as u64));
        }
        let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
        // Pieces may wait in vain; nothing else is lost.
        let pieces = outcome.ledger.lost(Loss::FragIncomplete);
        assert_eq!(outcome.ledger.delivered() + pieces, outcome.sent, "{length} in a row");
    }
}
