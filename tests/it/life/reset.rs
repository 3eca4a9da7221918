//! Which resets are believed.

use super::*;
use flowscope::track::{ConnState, ResetRule};

fn established() -> Dialogue {
    talk().handshake().data(Initiator, b"request").data(Responder, b"response")
}

/// RST-1
#[test]
fn a_reset_at_the_next_number_of_its_sender_is_accepted() {
    let outcome = run(established().rst(Initiator));
    let end = outcome.end();
    assert_eq!((end.reason, end.stats.conn_state), (EndReason::Rst, ConnState::Rsto));
    assert_eq!(end.stats.state, FlowState::Reset);
}

#[test]
fn a_reset_at_the_acknowledgement_of_its_receiver_is_accepted() {
    // The responder's last data was lost to the capture, its reset stands where the initiator is.
    let outcome = run(established()
        .segment(Initiator, 1008, 5009, ACK, b"")
        .segment(Responder, 5009, 0, RST, b""));
    assert_eq!(
        (outcome.reasons(), outcome.end().stats.conn_state),
        (vec![EndReason::Rst], ConnState::Rstr)
    );
}

/// RST-2, RST-3
#[test]
fn a_reset_elsewhere_in_the_window_is_pending() {
    let script = established().segment(Responder, 5500, 0, RST, b"");
    let other = |script: Dialogue| {
        script.frame(
            &flowscope_testkit::frame()
                .ethernet()
                .ipv4("10.9.9.9", "10.9.9.8")
                .udp(1, 2)
                .payload(b"tick"),
        )
    };
    // Silence for longer than the linger time: it counts, at its own time.
    let outcome = run(other(script.clone().after(6000)));
    let end = &outcome.ends()[0];
    assert_eq!(end.reason, EndReason::Rst);
    assert_eq!(end.ts.as_nanos() / 1_000_000, 1005);
    // The input ends before: nothing is known.
    assert_eq!(run(script.clone()).reasons(), [EndReason::EndOfInput]);
    // Traffic in sequence makes it void.
    let outcome = run(other(script.after(100).data(Responder, b"more").after(6000)));
    assert_eq!(outcome.anomalies(), [(Anomaly::InvalidReset, Responder)]);
    assert_eq!(outcome.reasons(), [EndReason::EndOfInput, EndReason::EndOfInput]);
}

#[test]
fn a_pending_reset_is_judged_by_the_flow_s_own_next_packet_too() {
    let outcome =
        run(established().segment(Responder, 5500, 0, RST, b"").after(6000).data(Responder, b"x"));
    assert_eq!(outcome.reasons()[0], EndReason::Rst);
}

/// RST-4
#[test]
fn a_reset_outside_the_window_is_reported_and_changes_nothing() {
    for seq in [5009 + 3_000_000, 4000, 0] {
        let outcome =
            run(established().ack().segment(Responder, seq, 0, RST, b"").data(Initiator, b"on"));
        assert_eq!(outcome.anomalies(), [(Anomaly::InvalidReset, Responder)], "seq {seq}");
        let end = outcome.end();
        assert_eq!((end.reason, end.packets()), (EndReason::EndOfInput, (5, 3)));
    }
}

#[test]
fn a_refused_connection() {
    let refusal = |ack| run(talk().syn().segment(Responder, 0, ack, TcpFlags(RST.0 | ACK.0), b""));
    let refused = refusal(1001);
    let end = refused.end();
    assert_eq!((end.reason, end.stats.conn_state), (EndReason::Rst, ConnState::Rej));
    assert_eq!(end.history.as_str(), "Sr");
    // It must acknowledge the SYN.
    assert_eq!(refusal(1000).anomalies(), [(Anomaly::InvalidReset, Responder)]);
    let bare = run(talk().syn().segment(Responder, 0, 0, RST, b""));
    assert_eq!(bare.anomalies(), [(Anomaly::InvalidReset, Responder)]);
}

#[test]
fn the_initiator_gives_up() {
    let end = run(talk().syn().segment(Initiator, 1001, 0, RST, b"")).end();
    assert_eq!((end.reason, end.stats.conn_state), (EndReason::Rst, ConnState::Rstos0));
}

#[test]
fn a_half_open_server_resets() {
    let script =
        talk().segment(Responder, 5000, 1001, SYN_ACK, b"").segment(Responder, 5001, 0, RST, b"");
    assert_eq!(run(script).end().stats.conn_state, ConnState::Rstrh);
}

/// SYNACK-3
#[test]
fn a_refusal_that_is_then_answered_was_none() {
    // Somebody between them resets the client's SYN; the server answers all the same.
    let outcome = run(talk()
        .syn()
        .segment(Responder, 5000, 1001, RST | ACK, b"")
        .segment(Responder, 5000, 1001, flowscope::core::TcpFlags::FIN | ACK, b"")
        .syn_ack()
        .ack()
        .data(Initiator, b"request")
        .data(Responder, b"response"));
    assert_eq!(outcome.reasons(), [EndReason::Rst, EndReason::EndOfInput]);
    let end = &outcome.ends()[1];
    assert_eq!(end.stats.evidence, InitiatorEvidence::SynAck);
    assert_eq!(end.stats.initiator.counters.payload_bytes, 7);
    assert_eq!(end.stats.responder.counters.payload_bytes, 8);
}

/// STATE-2
#[test]
fn a_lone_reset_is_a_flow_that_ends_at_once() {
    let outcome = run(talk().segment(Responder, 77, 0, RST, b""));
    assert_eq!(outcome.reasons(), [EndReason::Rst]);
}

#[test]
fn any_reset_under_the_lenient_rule() {
    let config = TrackerConfig::default().resets(ResetRule::Any);
    let outcome = run_with(config, established().segment(Responder, 123, 0, RST, b""));
    assert_eq!(outcome.reasons(), [EndReason::Rst]);
}

#[test]
fn a_reset_after_both_fins() {
    let outcome = run(established().fin(Initiator).fin(Responder).rst(Initiator));
    assert_eq!(outcome.reasons(), [EndReason::Rst]);
}
