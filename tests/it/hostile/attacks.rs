//! Every attack of the testkit, with bystanders.

use flowscope::core::Loss;
use flowscope_testkit::attacks::{Attack, Fate, fragments, headers, tcp};

use super::*;

/// The attacks on headers, fragments and connections, of floods about `volume` packets: those that a driver without
/// parsers is harmed by. The tests of the fuzz targets run all of them, with all protocols.
fn list(volume: usize) -> Vec<Attack> {
    let lists = [headers::list(), fragments::list(volume), tcp::list(volume)];
    lists.into_iter().flatten().collect()
}

/// Runs an attack and checks that its packets met the fate they should, and nobody else did.
fn check(attack: Attack, config: DriverConfig) -> Outcome {
    let (name, fate) = (attack.name, attack.fate);
    let bystanders = Bystanders::new(12);
    let theirs = bystanders.packets().count() as u64;
    let outcome = run(config, BUDGET, with_bystanders(attack, bystanders, 10));
    let (right, all) = outcome.unharmed(bystanders);
    assert_eq!(right, all, "{name}: datagrams in pieces");
    let tracked = outcome.ledger.delivered() - theirs;
    let sent = outcome.sent - theirs;
    assert_eq!(outcome.of_bystanders(), theirs, "{name}: nothing is taken for theirs");
    assert!(
        fate.allows(tracked, sent),
        "{name}: {tracked} of {sent} tracked, {:?}",
        outcome.ledger
    );
    for (loss, n) in outcome.ledger.losses() {
        assert!(fate.losses().contains(&loss), "{name}: {n} packets {loss}");
    }
    outcome
}

#[test]
fn every_attack_meets_its_fate_and_no_bystander_is_harmed() {
    for attack in list(4000) {
        check(attack, DriverConfig::default());
    }
}

#[test]
fn losses_have_the_names_of_their_causes() {
    let names = |attack: &str| {
        let attack = list(6000).into_iter().find(|a| a.name == attack).expect("it is on the list");
        let outcome = check(attack, DriverConfig::default());
        outcome.ledger.losses().collect::<Vec<_>>()
    };
    // The pool remembers 4096 datagrams: of the others some had to leave.
    assert_eq!(
        names("datagrams that are never whole"),
        [(Loss::FragIncomplete, 4096), (Loss::FragCap, 6000 - 4096)]
    );
    assert_eq!(names("overlaps"), [(Loss::FragOverlap, 6000)]);
    assert_eq!(names("64 KiB in pieces of 8 bytes"), [(Loss::FragCap, 8186)]);
    assert_eq!(names("the end told twice"), [(Loss::HeaderMalformed, 6000)]);
    assert_eq!(names("fifty times VXLAN"), [(Loss::DepthExceeded, 42)]);
}

#[test]
fn batches_of_any_size_and_one_by_one_are_the_same() {
    let wire: Vec<Packet> = list(300)
        .into_iter()
        .flat_map(|attack| with_bystanders(attack, Bystanders::new(1), 4))
        .collect();
    let events = |size: usize| {
        let mut driver = driver(DriverConfig::default());
        let mut events = Vec::new();
        for batch in wire.chunks(size) {
            let views: Vec<_> = batch.iter().map(Packet::view).collect();
            driver.handle_batch(&views);
            events.extend(std::iter::from_fn(|| driver.poll_event()));
        }
        driver.finish(EndReason::EndOfInput);
        events.extend(std::iter::from_fn(|| driver.poll_event()));
        (events, driver.packets())
    };
    let one = events(1);
    for size in [7, 64, 5000] {
        assert!(events(size) == one, "batches of {size}");
    }
}

#[test]
fn joining_left_out_refuses_every_piece_and_holds_nothing() {
    let packets = fragments::never_whole(2000, 1);
    let outcome = run(DriverConfig::default().fragments(None), 64 << 10, packets);
    assert_eq!(outcome.ledger.lost(Loss::FragIncomplete), 2000);
}

/// A last packet that makes datagrams whole one in the other.
fn in_each_other(levels: usize, tunnels: bool) -> Outcome {
    let packets = fragments::in_each_other(levels, tunnels);
    assert_eq!(packets.len(), levels + 1);
    run(DriverConfig::default(), BUDGET, packets.into_iter())
}

#[test]
fn datagrams_joined_in_each_other() {
    for levels in 1..=8 {
        for tunnels in [false, true] {
            let outcome = in_each_other(levels, tunnels);
            assert_eq!(outcome.ledger.delivered(), levels as u64 + 1, "{levels} levels, {tunnels}");
            assert_eq!(outcome.flows.len(), 1);
        }
    }
}

#[test]
fn datagrams_joined_in_each_other_too_deep_are_refused_as_such() {
    let outcome = in_each_other(9, true);
    assert_eq!(outcome.flows.len() as u64 + outcome.ledger.lost(Loss::DepthExceeded).min(1), 1);
    for levels in [10, 11, 50] {
        let outcome = in_each_other(levels, false);
        let lost = outcome.ledger.lost(Loss::DepthExceeded);
        assert!(lost > 0, "{levels} levels: {:?}", outcome.ledger);
    }
    let outcome = in_each_other(10, true);
    assert!(outcome.ledger.lost(Loss::DepthExceeded) > 0, "{:?}", outcome.ledger);
}

#[test]
fn the_fates_are_of_all_kinds() {
    let kinds = list(1).into_iter().map(|attack| match attack.fate {
        Fate::Tracked => 0,
        Fate::Refused(_) => 1,
        Fate::Either(_) => 2,
    });
    let kinds: Vec<u8> = kinds.collect();
    assert!((0..3).all(|kind| kinds.contains(&kind)));
}
