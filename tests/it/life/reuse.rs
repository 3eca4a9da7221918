//! The same addresses and ports, another connection.

use super::*;

fn again(script: Dialogue) -> Dialogue {
    script
        .next_seq(Initiator, 700_000)
        .next_seq(Responder, 900_000)
        .handshake()
        .data(Initiator, b"two")
}

fn first() -> Dialogue {
    talk().handshake().data(Initiator, b"one")
}

/// SYN-3
#[test]
fn a_new_syn_on_a_lingering_entry_begins_a_flow_at_once() {
    let outcome = run(again(first().close(Initiator)).close(Responder));
    assert_eq!(outcome.reasons(), [EndReason::Fin, EndReason::Fin]);
    let ends = outcome.ends();
    assert_eq!((ends[0].packets(), ends[1].packets()), ((5, 3), (5, 3)));
    assert_eq!(outcome.anomalies(), []);
}

#[test]
fn late_packets_are_reported_before_the_new_flow() {
    let script = first().close(Initiator).segment(Initiator, 1005, 5002, ACK, b"");
    let outcome = run(again(script));
    assert_eq!(outcome.late(), [(1, 0)]);
}

#[test]
fn a_new_syn_on_a_flow_silent_for_long_begins_a_flow_at_once() {
    let outcome = run(again(first().after(61_000)));
    assert_eq!(outcome.reasons(), [EndReason::Superseded, EndReason::EndOfInput]);
    assert_eq!(outcome.anomalies(), []);
    assert_eq!(outcome.ends()[1].packets(), (3, 1));
}

/// SYNACK-1, REUSE-1
#[test]
fn a_new_syn_on_a_live_flow_begins_a_flow_when_it_is_answered() {
    let outcome = run(again(first().after(10_000)));
    assert_eq!(outcome.reasons(), [EndReason::Superseded, EndReason::EndOfInput]);
    let ends = outcome.ends();
    assert_eq!(ends[0].packets(), (3, 1), "the new flow's SYN is not counted in the old one");
    assert_eq!(ends[1].packets(), (3, 1), "but in the new one");
    assert_eq!(ends[1].history.as_str(), "ShAD");
    assert_eq!(ends[0].stats.last_seen.as_nanos() / 1_000_000, 1003);
    assert_eq!(ends[1].stats.first_seen.as_nanos() / 1_000_000, 11_004);
    assert_eq!(ends[1].stats.evidence, InitiatorEvidence::Syn);
}

#[test]
fn repetitions_of_the_answered_syn_go_with_it() {
    let script = first()
        .after(1000)
        .segment(Initiator, 700_000, 0, SYN, b"")
        .after(1000)
        .segment(Initiator, 700_000, 0, SYN, b"")
        .after(1000);
    let ends = run(again(script)).ends();
    assert_eq!((ends[0].packets(), ends[1].packets()), ((3, 1), (5, 1)));
}

/// SEG-1
#[test]
fn data_that_continues_a_new_syn_begins_its_flow_if_the_answer_was_not_captured() {
    let script = first()
        .after(1000)
        .segment(Initiator, 700_000, 0, SYN, b"")
        .segment(Initiator, 700_001, 900_001, PSH_ACK, b"GET");
    let outcome = run(script);
    assert_eq!(outcome.reasons(), [EndReason::Superseded, EndReason::EndOfInput]);
    assert_eq!(outcome.ends()[1].packets(), (2, 0));
    assert_eq!(outcome.ends()[1].stats.state, FlowState::Established);
}

#[test]
fn a_forged_syn_alone_ends_nothing() {
    let script = first()
        .segment(Initiator, 31_337, 0, SYN, b"")
        .segment(Responder, 31_338, 0, SYN, b"")
        .data(Responder, b"answer")
        .ack();
    let outcome = run(script);
    let end = outcome.end();
    assert_eq!((end.reason, end.packets()), (EndReason::EndOfInput, (5, 3)));
    assert_eq!(
        outcome.anomalies(),
        [(Anomaly::UnexpectedSyn, Initiator), (Anomaly::UnexpectedSyn, Responder)]
    );
}

#[test]
fn a_forged_syn_does_not_hide_a_real_one() {
    let script = first()
        .segment(Initiator, 700_000, 0, SYN, b"")
        .segment(Initiator, 31_337, 0, SYN, b"")
        .segment(Responder, 900_000, 700_001, SYN_ACK, b"");
    let outcome = run(script);
    assert_eq!(outcome.reasons(), [EndReason::Superseded, EndReason::EndOfInput]);
}

#[test]
fn the_other_side_may_begin_the_new_connection() {
    let script = first()
        .after(61_000)
        .segment(Responder, 900_000, 0, SYN, b"")
        .segment(Initiator, 700_000, 900_001, SYN_ACK, b"");
    let ends = run(script).ends();
    assert_eq!(ends[1].packets(), (1, 1));
    assert_ne!(ends[0].stats.orientation, ends[1].stats.orientation);
}

#[test]
fn a_lingering_entry_of_a_one_sided_tap_is_reused_by_a_syn_ack() {
    let script = talk()
        .segment(Responder, 5000, 1001, SYN_ACK, b"")
        .segment(Responder, 5001, 1001, TcpFlags(RST.0 | ACK.0), b"")
        .after(100)
        .segment(Responder, 9_000_000, 2001, SYN_ACK, b"");
    let outcome = run(script);
    assert_eq!(outcome.reasons(), [EndReason::Rst, EndReason::EndOfInput]);
    assert_eq!(outcome.ends()[1].stats.evidence, InitiatorEvidence::SynAck);
}
