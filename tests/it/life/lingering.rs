//! What reaches a flow after its end.

use super::*;
use std::time::Duration;

fn closed() -> Dialogue {
    talk().handshake().data(Initiator, b"x").close(Initiator)
}

/// LATE-1, LATE-2
#[test]
fn late_packets_are_counted_and_reported_once() {
    let outcome = run(closed()
        .after(500)
        .segment(Responder, 5001, 1003, FIN_ACK, b"")
        .segment(Initiator, 1003, 5002, ACK, b"")
        .after(500)
        .segment(Initiator, 1001, 5001, PSH_ACK, b"x"));
    assert_eq!(outcome.reasons(), [EndReason::Fin], "no ghost flow");
    assert_eq!(outcome.late(), [(2, 1)]);
    let ended =
        outcome.events.iter().position(|e| matches!(e, flowscope::track::FlowEvent::Ended { .. }));
    assert_eq!(
        ended,
        Some(outcome.events.len() - 2),
        "`Ended` comes at the close, `Late` after the linger time"
    );
    assert_eq!(outcome.end().packets(), (5, 3), "late packets are not in the flow's own counters");
}

/// LATE-3, LATE-4
#[test]
fn a_removed_flow_includes_its_late_packets() {
    let outcome = run(closed()
        .after(500)
        .segment(Responder, 5001, 1003, FIN_ACK, b"")
        .segment(Initiator, 1003, 0, RST, b""));
    let [removed] = &outcome.removed[..] else { panic!("{}", outcome.removed.len()) };
    let end = outcome.end();
    assert_eq!(
        (removed.reason, end.packets(), removed.packets()),
        (EndReason::Fin, (5, 3), (6, 4))
    );
    assert_eq!((end.history.as_str(), removed.history.as_str()), ("ShADFaf", "ShADFafR"));
    assert!(!end.stats.initiator.tcp_flags.rst() && removed.stats.initiator.tcp_flags.rst());
    assert!(removed.stats.last_seen > end.stats.last_seen);
    let late = removed.stats.late.expect("two packets");
    assert_eq!((removed.ts, late.last_seen), (removed.stats.last_seen, removed.stats.last_seen));
    assert_eq!(late.tcp_flags, [RST, FIN_ACK]);
    assert_eq!(removed.stats.conn_state, end.stats.conn_state, "the close decides");
}

#[test]
fn every_flow_is_removed_once() {
    // Closed and evicted by none; reset; used again while it lingers; open at the end of input.
    let outcome = run(closed()
        .after(10)
        .next_seq(Initiator, 900_000)
        .handshake()
        .rst(Initiator)
        .after(10_000)
        .data(Initiator, b"mid-stream"));
    let reasons: Vec<EndReason> = outcome.removed.iter().map(|removed| removed.reason).collect();
    assert_eq!(reasons, [EndReason::Fin, EndReason::Rst, EndReason::EndOfInput]);
    assert_eq!(reasons, outcome.reasons());
}

#[test]
fn nothing_late_is_no_event() {
    assert_eq!(run(closed()).late(), []);
}

#[test]
fn after_the_linger_time_it_is_another_flow() {
    let straggler = |millis| {
        run(closed().after(millis).segment(Initiator, 1003, 5002, ACK, b"")).reasons().len()
    };
    // The close was captured one millisecond before the script's time.
    assert_eq!((straggler(4998), straggler(4999), straggler(5000)), (1, 1, 2));
}

#[test]
fn the_linger_time_counts_from_the_close() {
    let outcome = run(closed()
        .after(3000)
        .segment(Initiator, 1003, 5002, ACK, b"")
        .after(3000)
        .segment(Initiator, 1003, 5002, ACK, b""));
    assert_eq!(outcome.reasons(), [EndReason::Fin, EndReason::EndOfInput]);
    assert_eq!(outcome.late(), [(1, 0)]);
}

#[test]
fn a_reset_flow_lingers_too() {
    let outcome =
        run(talk().handshake().rst(Responder).data(Initiator, b"crossing").rst(Responder));
    assert_eq!((outcome.reasons(), outcome.late()), (vec![EndReason::Rst], vec![(1, 1)]));
}

#[test]
fn the_time_is_a_setting() {
    let config = TrackerConfig::default().linger(Duration::from_secs(1));
    let script = closed().after(1500).segment(Initiator, 1003, 5002, ACK, b"");
    assert_eq!(run_with(config, script).reasons().len(), 2);
}

#[test]
fn a_syn_with_the_old_number_is_late() {
    let outcome = run(closed().after(100).segment(Initiator, 1000, 0, SYN, b""));
    assert_eq!((outcome.reasons(), outcome.late()), (vec![EndReason::Fin], vec![(1, 0)]));
}

/// LATE-5
#[test]
fn a_late_segment_fills_the_gap_that_it_was() {
    let script = || talk().handshake().data(Responder, b"first").data(Responder, b"second");
    let lost = script().close(Responder).segment(Responder, 5006, 1001, PSH_ACK, b"second").build();
    let without: Vec<_> = lost.iter().enumerate().filter(|(at, _)| *at != 4).collect();
    let packets: Vec<_> = without.into_iter().map(|(_, packet)| packet.clone()).collect();
    let outcome = run_packets(TrackerConfig::default(), &packets);
    let [removed] = &outcome.removed[..] else { panic!("{}", outcome.removed.len()) };
    assert_eq!(outcome.end().stats.responder.gap_bytes, 6);
    assert_eq!((removed.stats.responder.gap_bytes, outcome.late()), (0, vec![(0, 1)]));
}
