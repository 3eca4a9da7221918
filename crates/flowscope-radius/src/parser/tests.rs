use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::ParseError;

use super::*;
use crate::RadiusCode;

/// A packet with a user.
fn bytes(code: u8, id: u8, authenticator: u8, user: &str) -> Vec<u8> {
    let len = 20 + 2 + user.len() as u8;
    let head = [code, id, 0, len];
    [&head[..], &[authenticator; 16], &[1, len - 20], user.as_bytes()].concat()
}

/// Feeds packets one second apart.
fn play(parser: &mut RadiusParser, packets: &[(FlowSide, Vec<u8>)]) -> Vec<RadiusExchange> {
    let mut out = Vec::new();
    for (at, (side, bytes)) in packets.iter().enumerate() {
        let datagram = Datagram::new(*side, Timestamp::from_secs(at as u64), bytes);
        assert_eq!(parser.parse_into(datagram, &mut out), ParserStatus::Continue);
    }
    parser.end(&mut out);
    out
}

/// Codes of request and answer, 0 for none, and the user.
fn summaries(exchanges: &[RadiusExchange]) -> Vec<String> {
    let code = |code: Option<RadiusCode>| code.map_or(0, |code| code.0);
    let summaries = |x: &RadiusExchange| {
        let user = x.attributes.user_name.as_deref().unwrap_or_default();
        format!("{} {} {}", code(x.request), code(x.response), String::from_utf8_lossy(user))
    };
    exchanges.iter().map(summaries).collect()
}

#[test]
fn answers_find_their_request_by_identifier_and_code() {
    let out = play(
        &mut RadiusParser::default(),
        &[
            (Initiator, bytes(1, 1, 0, "a")),
            (Initiator, bytes(4, 1, 1, "b")),
            (Initiator, bytes(1, 2, 2, "c")),
            (Responder, bytes(3, 2, 9, "C")),
            (Responder, bytes(5, 1, 9, "b")),
            (Responder, bytes(2, 7, 9, "x")),
            (Initiator, bytes(2, 1, 9, "y")),
        ],
    );
    assert_eq!(summaries(&out), ["1 3 C", "4 5 b", "0 2 x", "0 2 y", "1 0 a"]);
    assert_eq!((out[0].success(), out[0].latency.unwrap().as_secs()), (Some(false), 1));
    assert_eq!((out[2].side, out[3].side, out[4].success()), (Initiator, Responder, None));
}

#[test]
fn an_identifier_is_used_again_or_a_request_repeated() {
    let out = play(
        &mut RadiusParser::default(),
        &[
            (Initiator, bytes(1, 1, 0, "a")),
            (Initiator, bytes(1, 1, 0, "a")),
            (Initiator, bytes(1, 1, 7, "b")),
            (Responder, bytes(11, 1, 9, "b")),
        ],
    );
    assert_eq!(summaries(&out), ["1 0 a", "1 11 b"]);
    assert_eq!((out[0].retransmissions, out[1].success()), (1, None));
}

#[test]
fn repetitions_of_an_exchange_are_part_of_it() {
    let request = || (Initiator, bytes(1, 7, 1, "a"));
    let answer = |authenticator| (Responder, bytes(2, 7, authenticator, "a"));
    let check = |packets: &[(FlowSide, Vec<u8>)], expected: &[&str], retransmissions| {
        let out = play(&mut RadiusParser::default(), packets);
        assert_eq!(summaries(&out), expected, "{packets:?}");
        assert_eq!(out[0].retransmissions, retransmissions, "{packets:?}");
    };
    check(&[request(), request(), answer(9), answer(9)], &["1 2 a"], 1);
    check(&[request(), answer(9), request(), answer(9)], &["1 2 a"], 0);
    // The server makes another answer: as many as there are repetitions.
    check(&[request(), request(), answer(9), answer(8)], &["1 2 a"], 1);
    check(&[request(), answer(9), answer(8)], &["1 2 a", "0 2 a"], 0);
    check(&[answer(9), answer(9)], &["0 2 a"], 0);
    // The identifier is used again, and the first answer is late.
    let again = (Initiator, bytes(1, 7, 2, "b"));
    let late = [request(), answer(9), again, answer(9), request(), answer(8)];
    check(&late, &["1 2 a", "1 2 a"], 0);
    // Other side, other code.
    let others =
        [request(), answer(9), (Responder, bytes(1, 7, 1, "b")), (Initiator, bytes(4, 7, 1, "c"))];
    check(&others, &["1 2 a", "1 0 b", "4 0 c"], 0);
}

#[test]
fn repetitions_have_a_time() {
    let mut parser = RadiusParser::default();
    let mut out = Vec::new();
    for (secs, side, code) in
        [(0, Initiator, 1), (1, Responder, 2), (31, Initiator, 1), (32, Initiator, 1)]
    {
        let bytes = bytes(code, 7, code, "a");
        parser.parse_into(Datagram::new(side, Timestamp::from_secs(secs), &bytes), &mut out);
    }
    parser.end(&mut out);
    assert_eq!(summaries(&out), ["1 2 a", "1 0 a"]);
}

#[test]
fn exchanges_that_are_over_are_bounded() {
    let mut parser = RadiusParser::default();
    let mut out = Vec::new();
    for id in 0..=255 {
        out.extend(parser.parse(&bytes(1, id, id, "a"), Initiator));
        out.extend(parser.parse(&bytes(2, id, id, "a"), Responder));
    }
    assert_eq!((out.len(), parser.over.len()), (256, MAX_OVER));
    assert!(parser.heap_bytes() < 16 * 1024);
}

#[test]
fn many_open_requests_are_bounded() {
    let packets: Vec<_> = (0..200).map(|id| (Initiator, bytes(1, id, 0, "a"))).collect();
    let mut parser = RadiusParser::default();
    let mut out = Vec::new();
    for (side, bytes) in &packets {
        out.extend(parser.parse(bytes, *side));
    }
    assert_eq!(out.len(), 200 - MAX_OPEN);
    parser.end(&mut out);
    assert!(out.iter().map(|x| x.id).eq(0..200));
}

#[test]
fn first_bytes() {
    let sure = bytes(1, 1, 0, "alice");
    let check = |bytes: &[u8], expected| {
        assert_eq!(RadiusParser::probe(Initiator, bytes), expected, "{bytes:?}");
    };
    check(&sure, Probe::Yes);
    check(&sure[..25], Probe::Maybe);
    check(&sure[..19], Probe::No);
    check(&[&sure[..], b"\0"].concat(), Probe::Maybe);
    check(&[&[5, 1, 0, 20][..], &[7; 16]].concat(), Probe::Maybe);
    check(&bytes(6, 1, 0, "alice"), Probe::No);
}

#[test]
fn datagrams_that_are_no_packets_end_parsing() {
    let mut parser = RadiusParser::default();
    let mut out = Vec::new();
    let junk = Datagram::new(Initiator, Timestamp::ZERO, b"\x01\x02");
    for _ in 0..MessageCheck::MAX_INVALID {
        assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
    }
    let failed = ParserStatus::Failed(ParseError::NotTheProtocol);
    assert_eq!(parser.clone().parse_into(junk, &mut out), failed);
    parser.parse(&bytes(1, 1, 0, "a"), Initiator);
    assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
}
