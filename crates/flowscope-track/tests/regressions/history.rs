//! Letters of the history.

use super::*;

/// HIST-1
#[test]
fn letters_of_odd_flags_follow_the_others_on_any_packet() {
    let first = script().tcp(A, SYN | FIN, 1000, 0, 0).run();
    assert_eq!(histories(&first), ["SQ"]);
    let later = script().tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK | FIN, 5000, 1001, 0).run();
    assert_eq!(histories(&later), ["Shq"]);
    let reset = script().tcp(A, RST | FIN, 1000, 0, 0).run();
    assert_eq!(histories(&reset), ["RI"]);
}

#[test]
fn payload_on_any_syn_has_its_letter() {
    let first = script().tcp(A, SYN, 1000, 0, 9).run();
    assert_eq!(histories(&first), ["SD"]);
    let answer = script().tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK, 5000, 1001, 9).run();
    assert_eq!(histories(&answer), ["Shd"]);
}

#[test]
fn a_repeated_unexpected_syn_has_one_letter() {
    let calls = script().handshake().tcp(A, SYN, 9000, 0, 0).tcp(A, SYN, 9000, 0, 0).run();
    assert_eq!(histories(&calls), ["ShAS"]);
}

#[test]
fn the_flip_has_its_letter_first_whatever_the_evidence() {
    let answer = script().tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0).run();
    assert_eq!(histories(&answer), ["^hA"]);
}

#[test]
fn payload_sent_again_has_its_letter_although_the_syn_was_sent_again_too() {
    let calls = script()
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, ACK, 1001, 5001, 9)
        .tcp(A, ACK, 1001, 5001, 9)
        .run();
    assert_eq!(histories(&calls), ["SDT"]);
}

/// HIST-3
#[test]
fn a_hole_has_a_letter_once_it_is_acknowledged() {
    let history = |script: Script| removed(&script.run_to_removal()).1.to_owned();
    let late = script().handshake().tcp(A, ACK, 1011, 5001, 10).tcp(A, ACK, 1001, 5001, 10);
    assert_eq!(history(late.tcp(B, ACK, 5001, 1021, 0)), "ShADa");
    let lost = script().handshake().tcp(A, ACK, 1011, 5001, 10).tcp(B, ACK, 5001, 1021, 0);
    assert_eq!(history(lost), "ShADaG");
    let known = script().handshake().tcp(B, ACK, 5001, 1021, 0).tcp(A, ACK, 1011, 5001, 10);
    assert_eq!(history(known), "ShAaDG");
    let mut many = script().handshake();
    for n in 0..10 {
        let at = 1011 + 20 * n;
        many = many.tcp(A, ACK, at, 5001, 10).tcp(B, ACK, 5001, at + 10, 0);
    }
    assert_eq!(history(many), "ShADaGG");
}
