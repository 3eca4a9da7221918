//! Ethernet padding that a device counted in the IP length: zeros that seem to be payload of a bare ACK.

use super::*;

/// A request whose first packet is a padded ACK of the handshake.
fn padded(zeros: &[u8]) -> Dialogue {
    talk().handshake().segment(Initiator, 1001, 5001, ACK, zeros)
}

const SAID: [&str; 5] = ["http Port", "> GET /a #0", "< 200 #0", "< end #0 4", "closed Fin"];

fn exchange(script: Dialogue) -> Dialogue {
    script.data(Initiator, wire::get("/a")).data(Responder, wire::response(200, "body"))
}

#[test]
fn padding_gives_way_to_the_bytes_in_its_place() {
    for zeros in 1..=6 {
        let heard = hear(exchange(padded(&[0; 6][..zeros])).close(Initiator));
        let lines = heard.lines();
        let conflict = format!("> conflict 0+{zeros} Last");
        assert_eq!(lines, [&["open", &conflict], &SAID[..]].concat());
        assert_eq!(heard.bytes.lost(Loss::Duplicate), zeros as u64);
    }
}

#[test]
fn an_ack_at_the_same_number_says_that_nothing_was_sent() {
    // Bare, padded again, a FIN.
    let heard = hear(exchange(padded(&[0, 0]).ack()).close(Initiator));
    assert_eq!(heard.lines(), [&["open"], &SAID[..]].concat());
    let again = padded(&[0, 0]).segment(Initiator, 1001, 5001, ACK, [0, 0]);
    let heard = hear(exchange(again).close(Initiator));
    assert_eq!(heard.lines(), [&["open", "> conflict 0+2 Last"], &SAID[..]].concat());
    assert_eq!(heard.bytes.lost(Loss::Duplicate), 4);
    // In the middle of a conversation.
    let (next, ack) =
        (1001 + wire::get("/a").len() as u32, 5001 + wire::response(200, "body").len() as u32);
    let middle = exchange(talk().handshake()).segment(Initiator, next, ack, ACK, [0; 6]);
    let heard = hear(middle.data(Initiator, wire::get("/b")).close(Initiator));
    let said = heard.said();
    let expected = ["> GET /a #0", "< 200 #0", "< end #0 4", "> conflict 28+6 Last", "> GET /b #1"];
    assert_eq!(said[..5], expected);
}

#[test]
fn zeros_that_were_sent_are_delivered() {
    // Followed, acknowledged, the last thing that is said; and such as no padding is.
    let refused = |script: Dialogue| hear(script).bytes.lost(Loss::Duplicate);
    assert_eq!(refused(padded(&[0, 0]).segment(Initiator, 1003, 5001, ACK, b"abcd")), 0);
    assert_eq!(refused(padded(&[0, 0])), 0);
    let acknowledged = padded(&[0, 0]).segment(Responder, 5001, 1003, ACK, b"");
    let heard = hear(acknowledged.data(Initiator, wire::get("/a")));
    assert!(heard.lines().contains(&"> conflict 0+2 First".to_owned()), "{:?}", heard.lines());
    let pushed = talk().handshake().data(Initiator, [0, 0]).next_seq(Initiator, 1001);
    let heard = hear(pushed.data(Initiator, wire::get("/a")));
    assert!(
        heard.lines().iter().any(|line| line.starts_with("> conflict") && line.ends_with("First"))
    );
    let long = padded(&[0; 7]).data(Initiator, wire::get("/a"));
    assert!(hear(long).lines().iter().any(|line| line.ends_with("First")));
    let other = padded(b"x").data(Initiator, wire::get("/a"));
    assert!(hear(other).lines().iter().any(|line| line.ends_with("First")));
}

/// Offsets of conflicts count on where sequence numbers begin again.
#[test]
fn padding_behind_the_end_of_the_sequence_numbers() {
    let isn = u32::MAX - 10;
    let next = isn.wrapping_add(1 + wire::get("/a").len() as u32);
    let ack = 5001 + wire::response(200, "body").len() as u32;
    let start = exchange(talk().next_seq(Initiator, isn).handshake());
    let script = start.segment(Initiator, next, ack, ACK, [0; 6]).data(Initiator, wire::get("/b"));
    let said = hear(script.close(Initiator)).said();
    assert_eq!(said[3..5], ["> conflict 28+6 Last", "> GET /b #1"]);
}

/// A SYN, a SYN+ACK and both FINs with zeros to fill a minimal frame: their sender goes on as if there were none.
#[test]
fn a_padded_handshake_and_end_have_no_payload() {
    let (fin, syn_ack) = (TcpFlags::FIN | ACK, TcpFlags::SYN | ACK);
    for zeros in [1_usize, 2, 6] {
        let pad = &[0; 6][..zeros];
        let begin = talk()
            .segment(Initiator, 1000, 0, TcpFlags::SYN, pad)
            .segment(Responder, 5000, 1001, syn_ack, pad)
            .next_seq(Initiator, 1001)
            .next_seq(Responder, 5001)
            .segment(Initiator, 1001, 5001, ACK, pad);
        let script = exchange(begin.ack());
        let [next, peer] = [1001 + wire::get("/a").len(), 5001 + wire::response(200, "body").len()];
        let [next, peer] = [next as u32, peer as u32];
        let heard = hear(
            script
                .segment(Initiator, next, peer, fin, pad)
                .segment(Responder, peer, next + 1, ACK, b"")
                .segment(Responder, peer, next + 1, fin, pad)
                .segment(Initiator, next + 1, peer + 1, ACK, b""),
        );
        assert_eq!(heard.lines(), [&["open"], &SAID[..]].concat(), "{zeros}");
        assert_eq!(heard.bytes.lost(Loss::Duplicate), 5 * zeros as u64);
    }
}

/// Data in a SYN or before a FIN is data, whatever it is.
#[test]
fn zeros_that_are_pushed_with_a_fin_are_delivered() {
    let [next, peer] = [1001 + wire::get("/a").len(), 5001 + wire::response(200, "bo\0\0").len()];
    let cut = wire::response(200, "bo\0\0");
    let (head, tail) = cut.split_at(cut.len() - 2);
    let fin = TcpFlags::FIN | TcpFlags::PSH | ACK;
    let heard = hear(
        talk()
            .handshake()
            .data(Initiator, wire::get("/a"))
            .data(Responder, head)
            .segment(Responder, peer as u32 - 2, next as u32, fin, tail)
            .next_seq(Responder, peer as u32 + 1)
            .fin(Initiator)
            .ack_from(Responder),
    );
    assert_eq!(heard.lines(), [&["open"], &SAID[..]].concat());
    assert_eq!(heard.bytes.lost(Loss::Duplicate), 0);
}
