//! Who began the flow, and on what evidence.

use super::*;

fn check(outcome: &Outcome, evidence: InitiatorEvidence, packets: (u64, u64)) {
    let end = outcome.end();
    assert_eq!((end.stats.evidence, end.packets()), (evidence, packets));
}

/// ORIG-1
#[test]
fn the_sender_of_a_syn_is_the_initiator() {
    check(&run(talk().handshake()), InitiatorEvidence::Syn, (2, 1));
}

#[test]
fn the_receiver_of_a_syn_ack_is_the_initiator() {
    let script =
        talk().segment(Responder, 5000, 1001, SYN_ACK, b"").next_seq(Initiator, 1001).ack();
    check(&run(script), InitiatorEvidence::SynAck, (1, 1));
}

#[test]
fn without_handshake_the_first_sender_is_the_initiator() {
    check(&run(talk().data(Responder, b"mid")), InitiatorEvidence::FirstPacket, (1, 0));
}

#[test]
fn the_side_opposite_a_listening_port_is_the_initiator() {
    let config = TrackerConfig::default().listening_ports([80, 443]);
    let outcome = run_with(config.clone(), talk().data(Responder, b"mid").data(Initiator, b"x"));
    check(&outcome, InitiatorEvidence::ListeningPort, (1, 1));
    assert!(outcome.end().history.as_str().starts_with("^d"));
    let both = Dialogue::tcp("10.0.0.1:443", "10.0.0.2:80").data(Responder, b"mid");
    check(&run_with(config.clone(), both), InitiatorEvidence::FirstPacket, (1, 0));
    let udp = Dialogue::udp("10.0.0.1:5000", "10.0.0.2:443").datagram(Responder, b"answer");
    check(&run_with(config, udp), InitiatorEvidence::ListeningPort, (0, 1));
}

#[test]
fn a_syn_outweighs_a_listening_port() {
    let config = TrackerConfig::default().listening_ports([40000]);
    check(&run_with(config, talk().syn()), InitiatorEvidence::Syn, (1, 0));
}

#[test]
fn the_initiator_never_changes() {
    // The server's data was captured before the handshake.
    let script = talk()
        .segment(Responder, 5001, 1001, PSH_ACK, b"early")
        .segment(Initiator, 1000, 0, SYN, b"")
        .segment(Responder, 5000, 1001, SYN_ACK, b"")
        .segment(Initiator, 1001, 5006, ACK, b"");
    let end = run(script).end();
    assert_eq!(end.stats.evidence, InitiatorEvidence::FirstPacket);
    assert_eq!(end.packets(), (2, 2), "the responder of the handshake stays the initiator");
}
