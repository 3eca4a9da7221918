//! What is said at the edges of a connection's life.

use std::time::Duration;

use super::*;

/// A request and its response.
const ONE: [&str; 5] = ["http Port", "> GET /a #0", "< 200 #0", "< end #0 4", "closed Fin"];

fn with_open(lines: &[&'static str]) -> Vec<&'static str> {
    ["open"].iter().chain(lines).copied().collect()
}

fn exchange(script: Dialogue) -> Dialogue {
    script.data(Initiator, wire::get("/a")).data(Responder, wire::response(200, "body"))
}

#[test]
fn a_connection_from_handshake_to_close() {
    let heard = check(exchange(talk().handshake()).close(Initiator), &with_open(&ONE));
    let payload = wire::get("/a").len() + wire::response(200, "body").len();
    assert_eq!(heard.bytes.delivered(), payload as u64);
    assert_eq!(heard.bytes.losses().count(), 0);
}

#[test]
fn after_a_forged_reset_the_conversation_goes_on() {
    let more = |script: Dialogue| {
        script.data(Initiator, wire::get("/b")).data(Responder, wire::response(404, "no"))
    };
    let rest = ["> GET /b #1", "< 404 #1", "< end #1 2", "closed Fin"];
    // Far outside of the window.
    let far = exchange(talk().handshake()).segment(Responder, 900_000_000, 0, RST, []);
    let lines = [&["open"], &ONE[..4], &["< InvalidReset"], &rest].concat();
    check(more(far).close(Initiator), &lines);
    // Within, but not where the stream stands: what follows in sequence contradicts it.
    let near = exchange(talk().handshake()).segment(Responder, 5001 + 5000, 0, RST, []);
    let heard = hear(more(near).close(Initiator));
    let lines: Vec<String> =
        heard.lines().into_iter().filter(|line| line != "< InvalidReset").collect();
    assert_eq!(lines, [&["open"], &ONE[..4], &rest].concat());
}

#[test]
fn a_reset_in_sequence_ends_the_conversation() {
    check(
        exchange(talk().handshake()).data(Initiator, b"GET /b HT").rst(Responder),
        &[
            "open",
            "http Port",
            "> GET /a #0",
            "< 200 #0",
            "< end #0 4",
            "closed Rst",
            "> ! CutHead",
        ],
    );
}

#[test]
fn a_port_used_again_begins_another_conversation() {
    let again = exchange(talk().handshake())
        .close(Initiator)
        .after(100)
        .next_seq(Initiator, 700_000)
        .next_seq(Responder, 3)
        .handshake()
        .data(Initiator, wire::get("/second"))
        .data(Responder, wire::response(201, ""))
        .close(Responder);
    let second = ["open", "http Port", "> GET /second #0", "< 201 #0", "< end #0 0", "closed Fin"];
    check(again, &[&with_open(&ONE)[..], &second].concat());
    // The first was left open: half a response waits when the SYN of the second is answered.
    let again = talk()
        .handshake()
        .data(Initiator, wire::get("/a"))
        .data(Responder, &wire::response(200, "body")[..40])
        .after(1000)
        .next_seq(Initiator, 700_000)
        .next_seq(Responder, 3)
        .handshake()
        .data(Initiator, wire::get("/second"))
        .data(Responder, wire::response(201, ""))
        .close(Responder);
    let first = [
        "open",
        "http Port",
        "> GET /a #0",
        "< 200 #0",
        "> UnexpectedSyn",
        "< end #0 3 FlowEnd",
        "closed Superseded",
    ];
    check(again, &[&first[..], &second].concat());
}

#[test]
fn a_capture_may_begin_with_the_syn_ack() {
    let all = packets(exchange(talk().handshake()).close(Initiator));
    check_packets(&all[1..], &with_open(&ONE));
}

#[test]
fn a_capture_may_begin_anywhere() {
    // Slow enough for the start of a stream to be known before the next packet.
    let two = exchange(talk().step(Duration::from_millis(20)).handshake())
        .data(Initiator, wire::get("/b"))
        .data(Responder, wire::response(404, "no"));
    let all = packets(two.close(Initiator));
    let first = ["open", "http Port", "> GET /a #0", "< 200 #?", "< end #? 4", "> GET /b #1"];
    // The second exchange shows that the connection is in lockstep.
    let second = ["< paired #0", "< 404 #1", "< end #1 2", "closed Fin"];
    // At the last packet of the handshake, and at the first request.
    check_packets(&all[2..], &[&first[..], &second].concat());
    check_packets(&all[3..], &[&first[..], &second].concat());
    // At a response: who asks is known by the port; its request was not seen.
    let heard = hear_packets(&all[4..]);
    let b = ["> GET /b #0", "< 404 #?", "< end #? 2", "< paired #0"];
    assert_eq!(heard.said(), [&["< 200 #?", "< end #? 4"], &b[..]].concat());
    // Between the two.
    let heard = hear_packets(&all[5..]);
    assert_eq!(heard.said(), b);
}

#[test]
fn one_side_alone_is_read() {
    let all = packets(exchange(talk().handshake()).close(Initiator));
    check_packets(
        &arranged(&all, &[0, 2, 3, 5, 8]),
        &["open", "http Port", "> GET /a #0", "closed EndOfInput"],
    );
    // What the responder acknowledges was sent, and never captured.
    check_packets(
        &arranged(&all, &[1, 4]),
        &["open", "> gap 0+28", "http Port", "< 200 #?", "< end #? 4", "closed EndOfInput"],
    );
}

#[test]
fn a_fin_before_the_last_data_waits_for_it() {
    let response = wire::response(200, "0123456789");
    let (first, last) = response.split_at(30);
    let all = packets(
        talk()
            .handshake()
            .data(Initiator, wire::get("/a"))
            .data(Responder, first)
            .data(Responder, last)
            .close(Responder),
    );
    let expected = ["open", "http Port", "> GET /a #0", "< 200 #0", "< end #0 10", "closed Fin"];
    check_packets(&arranged(&all, &[0, 1, 2, 3, 4, 6, 5, 7, 8, 9]), &expected);
    check_packets(&arranged(&all, &[0, 1, 2, 3, 6, 5, 4, 7, 8, 9]), &expected);
    // A response without a length ends with the FIN, not before.
    let all = packets(
        talk()
            .handshake()
            .data(Initiator, wire::get("/a"))
            .data(Responder, b"HTTP/1.0 200 X\r\n\r\nabc")
            .data(Responder, b"defg")
            .close(Responder),
    );
    let expected = ["open", "http Port", "> GET /a #0", "< 200 #0", "< end #0 7", "closed Fin"];
    check_packets(&arranged(&all, &[0, 1, 2, 3, 4, 6, 5, 7, 8, 9]), &expected);
}

#[test]
fn after_a_half_close_the_other_side_is_read() {
    let script = talk()
        .handshake()
        .data(Initiator, wire::get("/a"))
        .fin(Initiator)
        .ack_from(Responder)
        .data(Responder, &wire::response(200, "body")[..30])
        .after(30_000)
        .data(Responder, &wire::response(200, "body")[30..])
        .fin(Responder)
        .ack_from(Initiator);
    check(script, &with_open(&ONE));
}

#[test]
fn data_on_the_syn_is_read_once() {
    let get = wire::get("/a");
    let next = 1001 + get.len() as u32;
    let syn = || talk().segment(Initiator, 1000, 0, SYN, &get).next_seq(Responder, 5001);
    // The server takes the data.
    let taken = syn().segment(Responder, 5000, next, SYN_ACK, []).next_seq(Initiator, next);
    let answered = |script: Dialogue| script.data(Responder, wire::response(200, "body"));
    let heard = check(answered(taken.ack()).close(Initiator), &with_open(&ONE));
    assert_eq!(heard.bytes.losses().count(), 0);
    // It does not, and they are sent again.
    let refused = syn().segment(Responder, 5000, 1001, SYN_ACK, []).next_seq(Initiator, 1001);
    let heard =
        check(answered(refused.ack().data(Initiator, &get)).close(Initiator), &with_open(&ONE));
    assert_eq!(heard.bytes.lost(Loss::Duplicate), get.len() as u64);
}

#[test]
fn keep_alives_are_no_data() {
    let before = exchange(talk().handshake());
    let (next, ack) =
        (1001 + wire::get("/a").len() as u32, 5001 + wire::response(200, "body").len() as u32);
    let probed = before
        .after(60_000)
        .segment(Initiator, next - 1, ack, ACK, [0])
        .ack_from(Responder)
        .after(60_000)
        .segment(Responder, ack - 1, next, ACK, [0])
        .ack_from(Initiator)
        .segment(Initiator, next - 1, ack, ACK, [])
        .data(Initiator, wire::get("/b"))
        .data(Responder, wire::response(404, "no"))
        .close(Initiator);
    let rest = ["> GET /b #1", "< 404 #1", "< end #1 2", "closed Fin"];
    let heard = check(probed, &[&with_open(&ONE)[..5], &rest].concat());
    assert_eq!(heard.bytes.lost(Loss::Duplicate), 2);
    let (_, stats) = heard.ended().next().unwrap();
    assert_eq!((stats.initiator.probes, stats.responder.probes), (2, 1));
}

#[test]
fn sequence_numbers_wrap_within_a_response() {
    let body = "0123456789".repeat(20);
    let response = wire::response(200, &body);
    for before in [1, 2, 40, 41, 100, response.len() as u32 - 1, response.len() as u32] {
        let mut script = talk()
            .next_seq(Initiator, u32::MAX - 2)
            .next_seq(Responder, 0_u32.wrapping_sub(before + 1))
            .handshake()
            .data(Initiator, wire::get("/a"));
        for piece in response.chunks(40) {
            script = script.data(Responder, piece);
        }
        let all = packets(script.close(Initiator));
        let expected =
            ["open", "http Port", "> GET /a #0", "< 200 #0", "< end #0 200", "closed Fin"];
        check_packets(&all, &expected);
        // And with two of the segments swapped.
        let mut places: Vec<usize> = (0..all.len()).collect();
        places.swap(5, 7);
        check_packets(&arranged(&all, &places), &expected);
    }
}

#[test]
fn late_data_says_nothing() {
    let late = exchange(talk().handshake())
        .close(Initiator)
        .next_seq(Initiator, 1001)
        .data(Initiator, wire::get("/a"));
    let heard = hear(late);
    assert_eq!(heard.lines(), [&with_open(&ONE)[..], &["late"]].concat());
    assert_eq!(heard.bytes.lost(Loss::Unclaimed), wire::get("/a").len() as u64);
}

#[test]
fn what_the_end_of_input_lets_out_has_the_time_of_its_own_flow() {
    use flowscope::http::HttpMessage;
    let get = wire::get("/a");
    let held = talk().handshake().segment(Initiator, 1001 + 100, 5001, ACK, &get);
    let last = held.now();
    let other = Dialogue::tcp("10.0.0.7:40000", "10.0.0.2:80").after(200_000).handshake();
    let all: Vec<Packet> = packets(held).into_iter().chain(packets(other)).collect();
    let heard = hear_packets(&all);
    let request = heard.messages().find_map(|(_, said)| match said {
        AppRecord::Http(HttpMessage::Request(request)) => Some(request),
        _ => None,
    });
    let request = request.expect("it was held until the end");
    assert!(request.ts <= last, "{} is no time of a packet of the flow", request.ts);
}

/// RFC 9293 §3.10.7.4, RFC 5961 §4: a SYN in a synchronized state is answered by a challenge ACK, no more.
#[test]
fn a_forged_syn_between_handshake_and_data_moves_no_stream() {
    let syn = TcpFlags::SYN;
    for (side, seq, flags) in [(Initiator, 77_777, syn), (Responder, 99_999, syn | TcpFlags::ACK)] {
        let script = talk().handshake().segment(side, seq, 1_001, flags, b"");
        let said = hear(exchange(script).close(Initiator)).said();
        let (anomalies, messages): (Vec<_>, Vec<_>) =
            said.into_iter().partition(|line| line.contains("Unexpected"));
        assert_eq!(messages, ["> GET /a #0", "< 200 #0", "< end #0 4"], "{side:?} {flags:?}");
        assert_eq!(anomalies.len(), 1, "{side:?} {flags:?}: {anomalies:?}");
    }
}
