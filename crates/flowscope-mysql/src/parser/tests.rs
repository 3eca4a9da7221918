use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp,
};

use super::MysqlParser;
use crate::wire::MAX_PAYLOAD;
use crate::{MysqlOutcome, MysqlStart};

/// A packet around this payload.
fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend(payload);
    packet
}

fn greeting() -> Vec<u8> {
    let mut payload = b"\x0a8.0.36\0\x07\0\0\0saltsalt\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
    payload.extend([0; 10]);
    payload.extend(b"saltsaltsalt\0caching_sha2_password\0");
    packet(0, &payload)
}

/// The fixed part of a client's response with these capabilities.
fn fixed(capabilities: u32) -> Vec<u8> {
    [&capabilities.to_le_bytes()[..], &[0; 28]].concat()
}

fn feed(
    parser: &mut MysqlParser,
    responder: bool,
    bytes: &[u8],
    out: &mut Vec<MysqlStart>,
) -> ParserStatus {
    let side = if responder { Responder } else { Initiator };
    parser.feed_into(StreamChunk::new(side, Timestamp::from_secs(1), 0, bytes), out)
}

#[test]
fn tls_begins_behind_a_request_of_32_bytes() {
    let (mut parser, mut out) = (MysqlParser::default(), Vec::new());
    assert_eq!(feed(&mut parser, true, &greeting(), &mut out), ParserStatus::Continue);
    let request = [packet(1, &fixed(0x0a00)), b"\x16\x03".to_vec()].concat();
    assert_eq!(feed(&mut parser, false, &request, &mut out), ParserStatus::Upgrade);
    let left = Remainder { offset: 36, bytes: b"\x16\x03".to_vec() };
    assert_eq!(parser.take_remainder(Responder), None);
    assert_eq!(parser.take_remainder(Initiator), Some(left));
    assert_eq!(out[0].outcome, MysqlOutcome::Encrypted);
    assert_eq!(out[0].server_plugin.as_deref(), Some(&b"caching_sha2_password"[..]));
    assert_eq!((out[0].connection_id, out[0].user.as_ref()), (Some(7), None));
}

#[test]
fn what_is_cut_within_a_response_stays_unknown() {
    let (mut parser, mut out) = (MysqlParser::default(), Vec::new());
    feed(&mut parser, true, &greeting(), &mut out);
    // The answer to authentication is said to be longer than the packet.
    let response = [fixed(0x8208), b"me\0\xf0db".to_vec()].concat();
    let status = feed(&mut parser, false, &packet(1, &response), &mut out);
    assert_eq!(status, ParserStatus::StopSide(Initiator));
    parser.end(&mut out);
    assert_eq!(out[0].user.as_deref(), Some(&b"me"[..]));
    assert_eq!((&out[0].database, out[0].outcome), (&None, MysqlOutcome::Incomplete));
}

#[test]
fn a_server_may_ask_for_another_factor() {
    let login = |answer: &[u8]| {
        let (mut parser, mut out) = (MysqlParser::default(), Vec::new());
        feed(&mut parser, true, &greeting(), &mut out);
        let response = [fixed(0x8208), b"me\0\0db\0".to_vec()].concat();
        feed(&mut parser, false, &packet(1, &response), &mut out);
        for number in [2, 4] {
            let next = packet(number, b"\x02authentication_ldap_simple\0data");
            assert_eq!(feed(&mut parser, true, &next, &mut out), ParserStatus::Continue);
            let status = feed(&mut parser, false, &packet(number + 1, b"sesame\0"), &mut out);
            assert_eq!(status, ParserStatus::StopSide(Initiator));
        }
        assert_eq!(feed(&mut parser, true, &packet(6, answer), &mut out), ParserStatus::Done);
        (out[0].outcome, out[0].success)
    };
    assert_eq!(login(b"\0\0\0\x02\0\0\0"), (MysqlOutcome::Accepted, Some(true)));
    assert_eq!(login(b"\xff\x15\x04#28000no"), (MysqlOutcome::Refused, Some(false)));
}

#[test]
fn a_server_may_refuse_at_once() {
    let (mut parser, mut out) = (MysqlParser::default(), Vec::new());
    let refusal = packet(0, b"\xff\x69\x04#HY000blocked");
    assert_eq!(MysqlParser::probe(Responder, &refusal), Probe::Maybe);
    assert_eq!(feed(&mut parser, true, &refusal, &mut out), ParserStatus::Done);
    let error = out[0].error.as_ref().unwrap();
    assert_eq!((error.code, error.sqlstate.as_deref()), (1129, Some(&b"HY000"[..])));
    assert_eq!((error.message.as_slice(), out[0].success), (&b"blocked"[..], Some(false)));
}

#[test]
fn what_is_not_mysql_or_too_long_is_an_error() {
    let (mut parser, mut out) = (MysqlParser::default(), Vec::new());
    let status = feed(&mut parser, false, b"GET / HTTP/1.1\r\n", &mut out);
    assert_eq!(status, ParserStatus::Failed(ParseError::NotTheProtocol));
    assert!(out.is_empty());
    let mut parser = MysqlParser::default();
    feed(&mut parser, true, &greeting(), &mut out);
    let head = &packet(1, &vec![0; MAX_PAYLOAD + 1])[..4];
    let status = feed(&mut parser, false, head, &mut out);
    assert_eq!(status, ParserStatus::Failed(ParseError::TooLong(MAX_PAYLOAD as u64 + 1)));
    assert_eq!((out.len(), parser.heap_bytes()), (1, 0));
}

#[test]
fn greetings_are_sure() {
    let greeting = greeting();
    assert_eq!(MysqlParser::probe(Responder, &greeting), Probe::Yes);
    assert_eq!(MysqlParser::probe(Responder, &greeting[..6]), Probe::Maybe);
    assert_eq!(MysqlParser::probe(Responder, b"J\0\0\0\x0aabc"), Probe::No);
    assert_eq!(MysqlParser::probe(Responder, b"J\0\0\0\x0a8a.0"), Probe::No);
    assert_eq!(MysqlParser::probe(Initiator, b"GET / "), Probe::No);
}
