//! What reaches a flow after its end.

use super::*;
use std::time::Duration;

fn closed() -> Dialogue {
    talk().handshake().data(Initiator, b"x").close(Initiator)
}

#[test]
fn stragglers_are_absorbed_and_reported_once() {
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
        "the end is told at the close, `Late` after linger"
    );
    assert_eq!(outcome.end().packets(), (5, 3), "late packets are not in the flow's own counters");
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
fn a_syn_with_the_old_number_is_absorbed() {
    let outcome = run(closed().after(100).segment(Initiator, 1000, 0, SYN, b""));
    assert_eq!((outcome.reasons(), outcome.late()), (vec![EndReason::Fin], vec![(1, 0)]));
}
