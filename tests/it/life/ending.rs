//! FIN: per side, in sequence, closed when both are acknowledged.

use super::*;
use flowscope::track::ConnState;

/// STATE-7
#[test]
fn both_fins_acknowledged_close_the_flow() {
    let outcome = run(talk().handshake().close(Initiator));
    let expected = [
        FlowState::SynReceived,
        FlowState::Established,
        FlowState::FinWait,
        FlowState::ClosingTcp,
        FlowState::Closed,
    ];
    assert_eq!(outcome.states(), expected);
    let end = outcome.end();
    assert_eq!((end.reason, end.stats.conn_state), (EndReason::Fin, ConnState::Sf));
    assert_eq!(end.history.as_str(), "ShAFaf");
}

#[test]
fn crossing_fins_close_the_flow() {
    let outcome = run(talk()
        .handshake()
        .segment(Initiator, 1001, 5001, FIN_ACK, b"")
        .segment(Responder, 5001, 1001, FIN_ACK, b"")
        .segment(Initiator, 1002, 5002, ACK, b"")
        .segment(Responder, 5002, 1002, ACK, b""));
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
    assert_eq!(outcome.end().packets(), (4, 3));
}

#[test]
fn a_half_closed_flow_goes_on() {
    let outcome = run(talk()
        .handshake()
        .fin(Initiator)
        .ack_from(Responder)
        .data(Responder, b"still")
        .ack()
        .data(Responder, b"sending")
        .ack());
    let end = outcome.end();
    assert_eq!((end.reason, end.stats.state), (EndReason::EndOfInput, FlowState::FinWait));
    assert_eq!(end.stats.conn_state, ConnState::S2);
    assert_eq!(outcome.late(), []);
}

#[test]
fn a_fin_with_payload_counts_the_payload() {
    let outcome = run(talk()
        .handshake()
        .segment(Initiator, 1001, 5001, FIN_ACK, b"bye")
        .segment(Responder, 5001, 1005, FIN_ACK, b"")
        .segment(Initiator, 1005, 5002, ACK, b""));
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
    assert_eq!(outcome.end().stats.initiator.counters.payload_bytes, 3);
}

/// FIN-3
#[test]
fn a_fin_waits_for_the_data_before_it() {
    let outcome = run(talk()
        .handshake()
        .segment(Initiator, 1004, 5001, FIN_ACK, b"")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"abc"));
    assert_eq!(
        outcome.states(),
        [FlowState::SynReceived, FlowState::Established, FlowState::FinWait],
        "entered when the hole was filled"
    );
    let end = outcome.end();
    assert_eq!((end.stats.initiator.out_of_order, end.stats.initiator.gap_bytes), (1, 0));
}

#[test]
fn data_that_was_never_captured_is_awaited_until_the_receiver_has_it() {
    let outcome = run(talk()
        .handshake()
        .segment(Initiator, 1004, 5001, FIN_ACK, b"")
        .segment(Responder, 5001, 1005, FIN_ACK, b"")
        .segment(Initiator, 1005, 5002, ACK, b""));
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
    assert_eq!(outcome.end().stats.initiator.gap_bytes, 3);
}

/// FIN-3
#[test]
fn an_acknowledgement_captured_before_its_fin_counts() {
    let outcome = run(talk()
        .handshake()
        .segment(Responder, 5001, 1002, FIN_ACK, b"")
        .segment(Initiator, 1001, 5001, FIN_ACK, b"")
        .segment(Initiator, 1002, 5002, ACK, b""));
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
}

/// FIN-2
#[test]
fn a_fin_in_place_of_data_is_retracted() {
    // A fake FIN before the real segment: the receiver never sees it.
    let outcome = run(talk()
        .handshake()
        .segment(Initiator, 1001, 5001, FIN_ACK, b"")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"real data")
        .segment(Responder, 5001, 1010, PSH_ACK, b"answer"));
    assert_eq!(outcome.anomalies(), [(Anomaly::RetractedFin, Initiator)]);
    assert_eq!(outcome.end().stats.state, FlowState::Established);
}

#[test]
fn a_fin_far_outside_the_window_changes_nothing() {
    let outcome = run(talk().handshake().segment(Initiator, 900_000_000, 5001, FIN_ACK, b""));
    assert_eq!(
        outcome.anomalies(),
        [(Anomaly::OutOfWindow, Initiator), (Anomaly::InvalidFin, Initiator)]
    );
    assert_eq!(outcome.end().stats.state, FlowState::Established);
}

/// FIN-1
#[test]
fn a_fin_where_data_is_known_to_go_on_is_invalid() {
    let outcome = run(talk()
        .handshake()
        .data(Initiator, b"0123456789")
        .segment(Initiator, 1005, 5001, FIN_ACK, b""));
    assert_eq!(outcome.anomalies(), [(Anomaly::InvalidFin, Initiator)]);
    assert_eq!(outcome.end().stats.state, FlowState::Established);
}

#[test]
fn mid_stream_flows_close_like_others() {
    let outcome = run(talk().data(Initiator, b"x").data(Responder, b"y").close(Responder));
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
}

#[test]
fn sequence_numbers_wrap() {
    let outcome = run(talk()
        .next_seq(Initiator, u32::MAX - 1)
        .next_seq(Responder, u32::MAX)
        .handshake()
        .data(Initiator, b"over the edge")
        .data(Responder, b"as well")
        .close(Responder));
    let end = outcome.end();
    assert_eq!((end.reason, outcome.anomalies()), (EndReason::Fin, vec![]));
    assert_eq!((end.stats.initiator.gap_bytes, end.stats.initiator.retransmitted), (0, 0));
}
