//! What attacks on connections come to, beyond being counted.

use std::net::IpAddr;

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::driver::Checksums;
use flowscope_testkit::attacks::{segments, tcp};

use super::*;

/// Packets a millisecond apart.
fn timed(packets: impl Iterator<Item = Packet>) -> impl Iterator<Item = Packet> {
    interleave(packets, std::iter::empty(), 1, START, Duration::from_millis(1))
}

fn of<'a>(outcome: &'a Outcome, client: &str, port: u16) -> &'a Sum {
    let client: IpAddr = client.parse().expect("an address");
    let mut found = outcome.flows.iter().filter(|((from, ..), _)| *from == (client, Some(port)));
    let (_, sum) = found.next().expect("a flow of this client");
    sum
}

#[test]
fn resets_and_fins_with_any_numbers_end_no_connection() {
    for seed in 0..5 {
        let outcome = run(DriverConfig::default(), BUDGET, timed(tcp::storm_on_one(2000, seed)));
        assert_eq!(outcome.flows.len(), 1);
        let sum = of(&outcome, "10.200.0.1", 1025);
        assert_eq!((&sum.ends[..], sum.late), (&[EndReason::EndOfInput][..], 0), "seed {seed}");
    }
}

#[test]
fn every_connection_on_the_same_ports_has_its_record() {
    let outcome = run(DriverConfig::default(), BUDGET, timed(tcp::reuse(300)));
    assert_eq!(outcome.flows.len(), 1);
    let sum = of(&outcome, "10.200.0.2", 1026);
    assert_eq!(sum.ends, vec![EndReason::Fin; 300]);
    assert_eq!(sum.late, 0);
}

#[test]
fn what_the_receiver_drops_ends_nothing_where_checksums_are_verified() {
    let ran = |policy| {
        let config = DriverConfig::default().checksums(policy);
        run(config, BUDGET, timed(tcp::insertion(50)))
    };
    let counted = |outcome: &Outcome| {
        assert_eq!((outcome.flows.len(), outcome.ledger.delivered()), (50, outcome.sent));
        assert!(outcome.flows.values().all(|sum| sum.ends == [EndReason::Rst]));
        let late = outcome.flows.values().filter(|sum| sum.late > 0).count();
        (late, outcome.bad_checksums)
    };
    // Believed, the forged reset ends the connection and the rest of it comes late.
    assert_eq!(counted(&ran(Checksums::Off)), (50, 0));
    assert_eq!(counted(&ran(Checksums::Count)), (50, 100));
    assert_eq!(counted(&ran(Checksums::Exclude)), (0, 100));
}

/// Runs one connection and gives its flow.
fn connection(packets: Vec<Packet>) -> Sum {
    let outcome = run(DriverConfig::default(), BUDGET, packets.into_iter());
    assert_eq!((outcome.flows.len(), outcome.ledger.delivered()), (1, outcome.sent));
    outcome.flows.into_values().next().expect("one flow")
}

#[test]
fn segments_in_any_arrangement_are_one_connection_that_closes() {
    let (request, response) = ([0x41; 300], [0x42; 3000]);
    let sides: [&[u8]; 2] = [&request, &response];
    let ways = [
        segments::in_order(sides, 1),
        segments::in_order(sides, 100),
        segments::reversed(sides, 1),
        segments::reversed(sides, 100),
        segments::every_second_missing(sides, 100),
        segments::same_place_other_bytes(sides, 100, false),
        segments::same_place_other_bytes(sides, 100, true),
    ];
    for (way, packets) in ways.into_iter().enumerate() {
        let sent = packets.len() as u64;
        let sum = connection(packets);
        assert_eq!((&sum.ends[..], sum.late), (&[EndReason::Fin][..], 0), "way {way}");
        assert_eq!(sum.packets[0] + sum.packets[1], sent, "way {way}");
    }
}

#[test]
fn every_arrangement_of_three_chunks_is_one_connection() {
    for (n, chunks) in segments::arrangements(4, 3).enumerate() {
        let side = if n % 2 == 0 { Initiator } else { Responder };
        let sum = connection(segments::chunks(side, b"abcd", &chunks, n % 3 == 0));
        assert_eq!(sum.ends, [EndReason::Fin], "{chunks:?}");
    }
}
