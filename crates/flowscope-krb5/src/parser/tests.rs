use flowscope_core::ParserStatus::{Continue, Done, Failed};

use super::*;
use crate::{Krb5Encryption, Krb5MessageType};

fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &len, contents].concat()
}

fn name(tag: u8, name: &[u8]) -> Vec<u8> {
    let strings = value(0xa1, &value(0x30, &value(0x1b, name)));
    value(tag, &value(0x30, &[&b"\xa0\x03\x02\x01\x01"[..], &strings].concat()))
}

/// A request for a ticket: 10 for one that gets others, 12 for one of a service.
fn request(kind: u8, nonce: u8, service: &[u8]) -> Vec<u8> {
    let nonce = [0xa7, 3, 2, 1, nonce];
    let body = value(0xa4, &value(0x30, &[name(0xa3, service), nonce.to_vec()].concat()));
    let head = [0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, kind];
    value(0x60 | kind, &value(0x30, &[&head[..], &body].concat()))
}

/// The ticket for this service, and an encrypted part.
fn reply(kind: u8, service: &[u8]) -> Vec<u8> {
    let encrypted = |number| value(0x30, &[0xa0, 3, 2, 1, number]);
    let ticket = value(0x30, &[name(0xa2, service), value(0xa3, &encrypted(23))].concat());
    let head = [0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, kind];
    let contents = [
        head.to_vec(),
        value(0xa3, &value(0x1b, b"R")),
        name(0xa4, b"alice"),
        value(0xa5, &value(0x61, &ticket)),
        value(0xa6, &encrypted(18)),
    ];
    value(0x60 | kind, &value(0x30, &contents.concat()))
}

fn error(code: u8, service: &[u8]) -> Vec<u8> {
    let head = [0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 30, 0xa6, 3, 2, 1, code];
    value(0x7e, &value(0x30, &[&head[..], &name(0xaa, service)].concat()))
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// Types of request and answer, service, code of an error.
fn summaries(exchanges: &[Krb5Exchange]) -> Vec<(u8, u8, &str, i32)> {
    let kind = |kind: Option<Krb5MessageType>| kind.map_or(0, |kind| kind.0);
    let mut summaries = Vec::new();
    for x in exchanges {
        let service = std::str::from_utf8(x.service.as_deref().unwrap_or_default()).unwrap();
        summaries.push((kind(x.request), kind(x.response), service, x.error_code.unwrap_or(0)));
    }
    summaries
}

fn chunk(bytes: &[u8]) -> StreamChunk<'_> {
    StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes)
}

#[test]
fn answers_find_their_requests() {
    let mut parser = Krb5Datagrams::default();
    let mut out = Vec::new();
    for (at, (side, message)) in [
        (Initiator, request(12, 1, b"a")),
        (Initiator, request(12, 2, b"b")),
        (Initiator, request(12, 1, b"a")),
        (Responder, reply(13, b"b")),
        (Responder, reply(11, b"a")),
        (Responder, error(7, b"a")),
        (Initiator, request(10, 3, b"alias")),
        (Responder, reply(11, b"name")),
        (Initiator, request(10, 4, b"c")),
    ]
    .into_iter()
    .enumerate()
    {
        let datagram = Datagram::new(side, Timestamp::from_secs(at as u64), &message);
        assert_eq!(parser.parse_into(datagram, &mut out), Continue);
    }
    parser.end(&mut out);
    assert_eq!(
        summaries(&out),
        [(12, 13, "b", 0), (0, 11, "a", 0), (12, 30, "a", 7), (10, 11, "name", 0), (10, 0, "c", 0)]
    );
    let (first, failed) = (&out[0], &out[2]);
    assert_eq!(
        (first.encryption, first.ticket_encryption),
        (Some(Krb5Encryption(18)), Some(Krb5Encryption(23)))
    );
    assert_eq!(first.client.as_deref(), Some(&b"alice"[..]));
    assert_eq!((failed.retransmissions, failed.latency.unwrap().as_secs()), (1, 5));
    assert_eq!((failed.success(), out[1].side, out[4].success()), (Some(false), Initiator, None));
}

#[test]
fn messages_of_an_application_are_no_answers() {
    let mut parser = Krb5Parser::default();
    let mut out = parser.feed_initiator(&framed(&request(10, 1, b"a")));
    for kind in 20..=22 {
        let head = [0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, kind];
        let message = framed(&value(0x60 | kind, &value(0x30, &head)));
        out.extend(parser.feed_initiator(&message));
        out.extend(parser.feed_responder(&message));
    }
    assert_eq!(out, []);
    // They are messages of the protocol nevertheless.
    let junk = framed(b"AAAAA").repeat(MessageCheck::MAX_INVALID as usize + 1);
    assert_eq!(parser.feed_into(chunk(&junk), &mut out), Continue);
    out.extend(parser.feed_responder(&framed(&error(25, b"a"))));
    assert_eq!(summaries(&out), [(10, 30, "a", 25)]);
}

#[test]
fn many_requests_without_an_answer_are_bounded() {
    let mut parser = Krb5Datagrams::default();
    let mut out = Vec::new();
    for nonce in 0..100 {
        out.extend(parser.parse(&request(12, nonce, &[b'a'; 256]), Initiator));
        assert!(parser.heap_bytes() < 64 * 1024);
    }
    assert_eq!(out.len(), 68);
    parser.end(&mut out);
    assert_eq!(out.len(), 100);
}

#[test]
fn what_is_no_message_costs_itself_only() {
    let mut parser = Krb5Parser::default();
    let bytes = [framed(b"AAAAA"), framed(b""), framed(&request(10, 1, b"a"))].concat();
    assert_eq!(parser.feed_initiator(&bytes), []);
    let out = parser.feed_responder(&[framed(b"AAAAA"), framed(&error(25, b"a"))].concat());
    assert_eq!(summaries(&out), [(10, 30, "a", 25)]);
    let mut out = Vec::new();
    let junk = framed(b"AAAAA").repeat(MessageCheck::MAX_INVALID as usize);
    let mut parser = Krb5Parser::default();
    assert_eq!(parser.feed_into(chunk(&junk), &mut out), Continue);
    let failed = Failed(ParseError::NotTheProtocol);
    assert_eq!(parser.feed_into(chunk(&framed(b"A")), &mut out), failed);
    let too_long = Krb5Parser::default().feed_into(chunk(b"\x80\0\0\0"), &mut out);
    assert_eq!(too_long, failed);
    let behind = [framed(&request(10, 1, b"a")), b"\x80\0\0\0".to_vec()].concat();
    let too_long = Krb5Parser::default().feed_into(chunk(&behind), &mut out);
    assert_eq!(too_long, Failed(ParseError::InvalidField("length")));
}

#[test]
fn a_long_message_is_read_as_far_as_it_is_kept() {
    // A ticket of a client in many groups, before what is asked.
    let long = |padding: usize| {
        let preauth = value(0x30, &value(0x04, &vec![7; padding]));
        let head = [&[0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 12][..], &value(0xa3, &preauth)].concat();
        let body = value(0xa4, &value(0x30, &name(0xa3, b"a")));
        framed(&value(0x6c, &value(0x30, &[head, body].concat())))
    };
    for (padding, service) in [(20_000, "a"), (60_000, "")] {
        let mut parser = Krb5Parser::default();
        for piece in long(padding).chunks(1448) {
            parser.feed_initiator(piece);
        }
        assert!(parser.heap_bytes() <= 192 * 1024);
        let mut out = Vec::new();
        parser.end(&mut out);
        assert_eq!(summaries(&out), [(12, 0, service, 0)]);
    }
}

#[test]
fn a_gap_within_a_message_is_passed_over() {
    let mut parser = Krb5Parser::default();
    let mut out = Vec::new();
    parser.feed_initiator(&framed(&request(12, 1, b"a")));
    let answer = framed(&reply(13, b"a"));
    let (start, end) = answer.split_at(answer.len() - 20);
    parser.feed_responder(start);
    assert_eq!(parser.gap(Responder, 15, &mut out), Continue);
    out.extend(parser.feed_responder(&end[15..]));
    assert_eq!(summaries(&out), [(12, 13, "a", 0)]);
    // Up to the end of a message.
    parser.feed_initiator(&framed(&request(12, 2, b"b")));
    let answer = framed(&reply(13, b"b"));
    parser.feed_responder(&answer[..answer.len() - 20]);
    assert_eq!(parser.gap(Responder, 20, &mut out), Continue);
    assert_eq!(summaries(&out[1..]), [(12, 13, "b", 0)]);
    parser.feed_initiator(&framed(&request(12, 3, b"c")));
    assert_eq!(parser.gap(Responder, 1, &mut out), Done);
    assert_eq!(out.len(), 3);
}

#[test]
fn repetitions_of_an_exchange_are_part_of_it() {
    let check = |secs: u64, turns: &[(FlowSide, Vec<u8>)], expected: &[(u8, u8, &str, i32)]| {
        let mut parser = Krb5Datagrams::default();
        let mut out = Vec::new();
        for (at, (side, message)) in turns.iter().enumerate() {
            let datagram = Datagram::new(*side, Timestamp::from_secs(at as u64 * secs), message);
            assert_eq!(parser.parse_into(datagram, &mut out), Continue);
        }
        parser.end(&mut out);
        assert_eq!(summaries(&out), expected);
        out
    };
    let ask = |nonce| (Initiator, request(10, nonce, b"a"));
    let answer = || (Responder, reply(11, b"a"));
    // Of the same answer, but for the ticket.
    let other = || {
        let mut bytes = reply(11, b"a");
        let at = bytes.len() - 1;
        bytes[at] = 17;
        (Responder, bytes)
    };
    let failed = || (Responder, error(25, b"a"));
    let out = check(1, &[ask(77), ask(77), answer(), answer()], &[(10, 11, "a", 0)]);
    assert_eq!(out[0].retransmissions, 1);
    let late = [ask(77), answer(), ask(77), answer()];
    let out = check(1, &late, &[(10, 11, "a", 0)]);
    assert_eq!(out[0].retransmissions, 0);
    check(31, &late, &[(10, 11, "a", 0); 2]);
    check(1, &[ask(77), ask(77), answer(), other()], &[(10, 11, "a", 0)]);
    check(1, &[ask(77), answer(), other()], &[(10, 11, "a", 0), (0, 11, "a", 0)]);
    // A late answer is not that of the next request, but the same error may be.
    check(1, &[ask(1), ask(1), answer(), ask(2), answer()], &[(10, 11, "a", 0), (10, 0, "a", 0)]);
    check(1, &[ask(1), failed(), ask(2), failed()], &[(10, 30, "a", 25); 2]);
    check(1, &[ask(1), ask(1), failed(), failed()], &[(10, 30, "a", 25)]);
    check(1, &[failed(), failed()], &[(0, 30, "a", 25)]);
    // The same nonce, but another request.
    let again = (Initiator, request(10, 1, b"b"));
    check(1, &[ask(1), failed(), again], &[(10, 30, "a", 25), (10, 0, "b", 0)]);
}

#[test]
fn what_was_cut_is_no_repetition() {
    let mut parser = Krb5Datagrams::default();
    let mut out = Vec::new();
    let message = error(25, b"a");
    for _ in 0..2 {
        let datagram = Datagram::new(Responder, Timestamp::ZERO, &message);
        parser.parse_into(datagram.wire_len(2000), &mut out);
    }
    assert_eq!(out.len(), 2);
    // TCP repeats nothing.
    let mut parser = Krb5Parser::default();
    let bytes = framed(&message).repeat(2);
    assert_eq!(parser.feed_responder(&bytes).len(), 2);
}

#[test]
fn exchanges_that_are_over_are_bounded() {
    let mut parser = Krb5Datagrams::default();
    let mut out = Vec::new();
    for nonce in 0..100 {
        out.extend(parser.parse(&request(10, nonce, &[nonce]), Initiator));
        out.extend(parser.parse(&reply(11, &[nonce]), Responder));
        assert!(parser.heap_bytes() < 8 * 1024);
    }
    assert_eq!(out.len(), 100);
}
