//! From the first packet to an established flow.

use super::*;
use flowscope::track::{ConnState, FlowEvent};

/// STATE-1, STATE-4
#[test]
fn a_handshake() {
    let outcome = run(talk().handshake());
    assert_eq!(outcome.states(), [FlowState::SynReceived, FlowState::Established]);
    assert_eq!(outcome.established(), 1);
    assert_eq!(outcome.end().history.as_str(), "ShA");
}

#[test]
fn events_of_the_first_packet_come_in_order() {
    let outcome = run(talk().syn());
    let kinds: Vec<_> = outcome.events.iter().map(std::mem::discriminant).collect();
    let expected = run(talk().syn().syn_ack().ack());
    assert!(matches!(outcome.events[0], FlowEvent::Started { .. }));
    assert!(matches!(outcome.events[1], FlowEvent::Packet { .. }));
    assert_eq!(
        kinds[..2],
        expected.events[..2].iter().map(std::mem::discriminant).collect::<Vec<_>>()
    );
}

/// SYN-1
#[test]
fn a_syn_is_retransmitted_with_the_same_number() {
    let script = talk().segment(Initiator, 1000, 0, SYN, b"").after(1000).handshake();
    let end = run(script).end();
    assert_eq!((end.packets(), end.stats.initiator.retransmitted), ((3, 1), 1));
    assert_eq!(end.history.as_str(), "ShA");
}

/// SYNACK-1
#[test]
fn a_syn_with_another_number_that_is_answered_begins_another_flow() {
    let script = talk().segment(Initiator, 777, 0, SYN, b"").after(1000).handshake();
    let outcome = run(script);
    assert_eq!(outcome.reasons(), [EndReason::Superseded, EndReason::EndOfInput]);
    let ends = outcome.ends();
    assert_eq!((ends[0].packets(), ends[1].packets()), ((1, 0), (2, 1)));
    assert_eq!(ends[1].history.as_str(), "ShA");
    assert_eq!(outcome.anomalies(), [(Anomaly::UnexpectedSyn, Initiator)]);
}

/// SYN-4
#[test]
fn a_syn_with_another_number_that_is_not_answered_changes_nothing() {
    let script = talk().syn().segment(Initiator, 777, 0, SYN, b"").syn_ack().ack();
    let outcome = run(script);
    let end = outcome.end();
    assert_eq!((end.packets(), end.stats.conn_state), ((3, 1), ConnState::S1));
}

/// SYNACK-2
#[test]
fn a_syn_ack_is_retransmitted() {
    let script = talk().syn().syn_ack().segment(Responder, 5000, 1001, SYN_ACK, b"").ack();
    let end = run(script).end();
    assert_eq!((end.stats.responder.retransmitted, end.stats.state), (1, FlowState::Established));
}

/// SYNACK-4
#[test]
fn a_syn_ack_that_acknowledges_another_number_is_no_answer() {
    let outcome = run(talk().syn().segment(Responder, 9, 4242, SYN_ACK, b""));
    assert_eq!(outcome.states(), []);
    assert_eq!(outcome.anomalies(), [(Anomaly::UnexpectedSynAck, Responder)]);
}

/// SYN-2
#[test]
fn simultaneous_open_is_one_flow() {
    let outcome = run(talk()
        .syn()
        .segment(Responder, 5000, 0, SYN, b"")
        .segment(Initiator, 1000, 5001, SYN_ACK, b"")
        .segment(Responder, 5000, 1001, SYN_ACK, b""));
    assert_eq!(outcome.states(), [FlowState::SynReceived, FlowState::Established]);
    assert_eq!(outcome.end().packets(), (2, 2));
}

/// SEG-2
#[test]
fn a_handshake_split_over_four_segments_is_one_flow() {
    // ACK and SYN of the responder apart, as in the split-handshake evasion.
    let outcome = run(talk()
        .syn()
        .segment(Responder, 0, 1001, ACK, b"")
        .segment(Responder, 5000, 0, SYN, b"")
        .segment(Initiator, 1001, 5001, ACK, b"")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"hi"));
    assert_eq!(outcome.established(), 1);
    assert_eq!(outcome.end().packets(), (3, 2));
}

#[test]
fn data_on_a_syn_is_part_of_the_stream() {
    let outcome = run(talk()
        .segment(Initiator, 1000, 0, SYN, b"GET /")
        .segment(Responder, 5000, 1006, SYN_ACK, b"")
        .segment(Initiator, 1006, 5001, PSH_ACK, b" HTTP"));
    let end = outcome.end();
    assert_eq!(outcome.anomalies(), []);
    assert_eq!(end.stats.initiator.counters.payload_bytes, 10);
    assert_eq!((end.stats.initiator.retransmitted, end.stats.initiator.gap_bytes), (0, 0));
    assert_eq!(end.stats.state, FlowState::Established);
}

#[test]
fn data_on_a_syn_that_the_server_refused_is_sent_again() {
    let outcome = run(talk()
        .segment(Initiator, 1000, 0, SYN, b"GET /")
        .segment(Responder, 5000, 1001, SYN_ACK, b"")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"GET /"));
    let end = outcome.end();
    assert_eq!((end.stats.state, end.stats.initiator.retransmitted), (FlowState::Established, 1));
}

/// STATE-5
#[test]
fn a_flow_picked_up_in_the_middle_is_marked_and_established_by_both_sides() {
    let script = talk().data(Initiator, b"a").data(Responder, b"b");
    let outcome = run(script);
    let end = outcome.end();
    assert!(end.stats.mid_stream);
    assert_eq!((outcome.established(), end.stats.conn_state), (1, ConnState::Oth));
    assert_eq!(end.history.as_str(), "Dd");
}

#[test]
fn a_one_sided_flow_is_established_after_some_packets() {
    let lone = |packets: u32| {
        let mut script = talk();
        for _ in 0..packets {
            script = script.data(Initiator, b"x");
        }
        run(script).established()
    };
    assert_eq!((lone(3), lone(4)), (0, 1));
    let config = TrackerConfig::default().mid_stream_packets(2);
    assert_eq!(
        run_with(config, talk().data(Initiator, b"a").data(Initiator, b"b")).established(),
        1
    );
}

/// STATE-3
#[test]
fn a_one_sided_tap_of_the_client_sees_an_established_flow() {
    let script = talk()
        .syn()
        .segment(Initiator, 1001, 5001, ACK, b"")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"GET");
    assert_eq!(run(script).states(), [FlowState::Established]);
}

#[test]
fn a_one_sided_tap_of_the_server_sees_an_established_flow() {
    let mut script = talk().segment(Responder, 5000, 1001, SYN_ACK, b"");
    for i in 0..4 {
        script = script.segment(Responder, 5001 + i, 1001, PSH_ACK, b"x");
    }
    let outcome = run(script);
    assert_eq!(outcome.established(), 1);
    assert_eq!(outcome.end().packets(), (0, 5));
}

/// STATE-6
#[test]
fn backscatter_of_syn_acks_does_not_become_established() {
    let mut script = talk();
    for _ in 0..8 {
        script = script.segment(Responder, 5000, 1001, SYN_ACK, b"").after(1000);
    }
    assert_eq!(run(script).established(), 0);
}

/// SEG-2
#[test]
fn a_challenge_ack_does_not_open_a_flow() {
    let outcome = run(talk().syn().segment(Responder, 777, 999_999, ACK, b""));
    assert_eq!(outcome.states(), []);
}

/// SYN-1, SEQ-4
#[test]
fn a_syn_captured_after_its_answer_still_counts() {
    let outcome = run(talk()
        .segment(Responder, 5000, 1001, SYN_ACK, b"")
        .segment(Initiator, 1000, 0, SYN, b"")
        .segment(Initiator, 1001, 5001, ACK, b""));
    assert_eq!(outcome.end().packets(), (2, 1));
    assert_eq!((outcome.anomalies(), outcome.established()), (vec![], 1));
}

/// SEG-8: zeros that fill minimal frames take no place in the stream of their side.
#[test]
fn padding_of_a_handshake_and_of_its_end_takes_no_place() {
    let script = talk()
        .segment(Initiator, 1000, 0, SYN, [0; 6])
        .segment(Responder, 5000, 1001, SYN_ACK, [0; 2])
        .segment(Initiator, 1001, 5001, ACK, b"")
        .segment(Initiator, 1001, 5001, FIN_ACK, [0; 6])
        .segment(Responder, 5001, 1002, FIN_ACK, [0; 6])
        .segment(Initiator, 1002, 5002, ACK, b"");
    let outcome = run(script);
    assert_eq!(outcome.reasons(), [EndReason::Fin]);
    let end = outcome.end();
    assert_eq!(end.history.as_str(), "ShAFf");
    assert_eq!(outcome.anomalies(), []);
}
