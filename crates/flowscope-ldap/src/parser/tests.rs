use flowscope_core::ParserStatus::{Continue, Done, Failed, Upgrade};

use super::*;

const START_TLS_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const START_TLS_RESPONSE: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0";

/// A message with this operation.
fn bytes(id: u8, tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len() as u8;
    [&[0x30, 5 + len, 2, 1, id, tag, len][..], contents].concat()
}

/// A result with this code.
fn result(id: u8, tag: u8, code: u8) -> Vec<u8> {
    bytes(id, tag, &[10, 1, code, 4, 0, 4, 0])
}

fn bind(id: u8, mechanism: Option<&[u8]>) -> Vec<u8> {
    let authentication = match mechanism {
        Some(name) => [&[0xa3, name.len() as u8 + 2, 4, name.len() as u8][..], name].concat(),
        None => b"\x80\x06sesame".to_vec(),
    };
    bytes(id, 0x60, &[&b"\x02\x01\x03\x04\x03o=x"[..], &authentication].concat())
}

/// Feeds turns one second apart.
fn play(
    parser: &mut LdapParser,
    turns: &[(FlowSide, Vec<u8>)],
) -> (Vec<LdapExchange>, ParserStatus) {
    let mut out = Vec::new();
    for (at, (side, bytes)) in turns.iter().enumerate() {
        let chunk = StreamChunk::new(*side, Timestamp::from_secs(at as u64), 0, bytes);
        let status = parser.feed_into(chunk, &mut out);
        if status != Continue {
            return (out, status);
        }
    }
    (out, Continue)
}

/// Name of each operation, and code of its result.
fn summaries(exchanges: &[LdapExchange]) -> Vec<(&'static str, Option<i32>)> {
    let code = |x: &LdapExchange| x.result.as_ref().map(|result| result.code);
    exchanges.iter().map(|x| (x.operation.name(), code(x))).collect()
}

#[test]
fn results_find_their_operation() {
    let search = bytes(
        2,
        0x63,
        b"\x04\0\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\x02cn\x30\0",
    );
    let turns = [
        (Initiator, [bind(1, None), search, bytes(3, 0x4a, b"cn=a")].concat()),
        (Responder, [result(1, 0x61, 0), result(3, 0x6b, 32)].concat()),
        (Responder, [bytes(2, 0x64, b"\x04\0\x30\0"), bytes(2, 0x73, b"\x04\x01u")].concat()),
        (Initiator, [bytes(4, 0x50, b"\x02"), bytes(5, 0x42, b"")].concat()),
        (Responder, [result(2, 0x65, 0), result(0, 0x78, 52)].concat()),
    ];
    let mut parser = LdapParser::default();
    let (out, status) = play(&mut parser, &turns);
    assert_eq!(
        summaries(&out),
        [
            ("bind_request", Some(0)),
            ("del_request", Some(32)),
            ("abandon_request", None),
            ("unbind_request", None),
            ("search_request", Some(0)),
            ("extended_request", Some(52)),
        ]
    );
    assert_eq!((out[4].entries, out[4].references, status), (1, 1, Continue));
    assert_eq!((out[4].latency.unwrap().as_secs(), out[5].side), (4, Initiator));
    assert_eq!(out[1].object.as_deref(), Some(&b"cn=a"[..]));
    let secret = format!("{:?}", b"sesame");
    assert!(!format!("{out:?}").contains(secret.trim_matches(['[', ']'])));
}

/// A search below this base.
fn search(id: u8, base: u8) -> Vec<u8> {
    let rest = b"\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\x02cn\x30\0";
    bytes(id, 0x63, &[&[4, 1, base][..], rest].concat())
}

/// An entry that was found.
fn entry(id: u8) -> Vec<u8> {
    bytes(id, 0x64, b"\x04\0\x30\0")
}

/// Base, code of the result, entries and latency in seconds of each search.
fn searches(exchanges: &[LdapExchange]) -> Vec<(u8, Option<i32>, u64, Option<u64>)> {
    let of = |x: &LdapExchange| {
        let base = x.object.as_ref().map_or(b'-', |object| object[0]);
        let code = x.result.as_ref().map(|result| result.code);
        (base, code, x.entries, x.latency.map(|it| it.as_secs()))
    };
    let is_search = |x: &&LdapExchange| x.operation == LdapOperation::Search;
    exchanges.iter().filter(is_search).map(of).collect()
}

#[test]
fn an_identifier_that_is_used_again_is_of_the_later_operation() {
    let turns = [
        (Initiator, [search(2, b'x'), search(3, b'y'), bytes(4, 0x50, b"\x02")].concat()),
        (Responder, [entry(2), result(3, 0x65, 0)].concat()),
        (Initiator, search(2, b'a')),
        (Responder, [entry(2), result(2, 0x65, 0)].concat()),
        // That the client uses it says nothing of what the server asks.
        (Initiator, search(5, b'b')),
        (Responder, search(5, b'c')),
        (Responder, result(5, 0x65, 0)),
        (Initiator, result(5, 0x65, 0)),
    ];
    let (out, status) = play(&mut LdapParser::default(), &turns);
    assert_eq!(
        searches(&out),
        [
            (b'y', Some(0), 0, Some(1)),
            (b'x', None, 1, None),
            (b'a', Some(0), 1, Some(1)),
            (b'b', Some(0), 0, Some(2)),
            (b'c', Some(0), 0, Some(2)),
        ]
    );
    assert_eq!(status, Continue);
}

#[test]
fn behind_starttls_another_protocol_is_looked_for() {
    let mut parser = LdapParser::default();
    let answer = [START_TLS_RESPONSE, b"\x16"].concat();
    let turns = [(Initiator, START_TLS_REQUEST.to_vec()), (Responder, answer)];
    let (out, status) = play(&mut parser, &turns);
    assert_eq!((summaries(&out), status), (vec![("extended_request", Some(0))], Upgrade));
    let left = parser.take_remainder(Responder).unwrap();
    assert_eq!(
        (left.offset, left.bytes.as_slice()),
        (START_TLS_RESPONSE.len() as u64, &b"\x16"[..])
    );
    assert_eq!(parser.take_remainder(Initiator), None);
    let refused = [(Initiator, START_TLS_REQUEST.to_vec()), (Responder, result(1, 0x78, 2))];
    assert_eq!(play(&mut LdapParser::default(), &refused).1, Continue);
    let early = [(Initiator, START_TLS_REQUEST.to_vec()), (Initiator, b"\x16\x03".to_vec())];
    assert_eq!(play(&mut LdapParser::default(), &early).1, Done);
}

#[test]
fn behind_a_security_layer_nothing_is_read() {
    let wrapped = b"\0\0\0\x10abc".to_vec();
    let turns = |mechanism| {
        [
            (Initiator, bind(1, mechanism)),
            (Responder, result(1, 0x61, 0)),
            (Initiator, wrapped.clone()),
        ]
    };
    let (out, status) = play(&mut LdapParser::default(), &turns(Some(b"GSSAPI")));
    assert_eq!((out[0].argument.as_deref(), status), (Some(&b"GSSAPI"[..]), Done));
    let failed = Failed(ParseError::InvalidField("LDAPMessage"));
    assert_eq!(play(&mut LdapParser::default(), &turns(None)).1, failed);
}

#[test]
fn many_open_operations_are_bounded() {
    let mut parser = LdapParser::default();
    let mut out = Vec::new();
    for id in 1..=100 {
        out.extend(parser.feed_initiator(&bytes(id, 0x4a, b"cn=a")));
    }
    assert_eq!(out.len(), 36);
    parser.end(&mut out);
    assert!(out.iter().map(|x| x.message_id).eq(1..=100));
}

#[test]
fn a_gap_within_a_message_is_passed_over() {
    let mut parser = LdapParser::default();
    let mut out = Vec::new();
    parser.feed_initiator(&bytes(1, 0x4a, b"cn=a"));
    parser.feed_responder(b"\x30\x84\0\x01\0\0\x02\x01\x01");
    assert_eq!(parser.gap(Responder, 65_532, &mut out), Continue);
    out.extend(parser.feed_responder(&[b"x", &result(1, 0x6b, 0)[..]].concat()));
    assert_eq!(summaries(&out), [("del_request", Some(0))]);
    // Up to the end of a message, which has its result before.
    parser.feed_initiator(&bytes(2, 0x4a, b"cn=b"));
    let answer = result(2, 0x6b, 0);
    let (start, end) = answer.split_at(answer.len() - 4);
    parser.feed_responder(start);
    assert_eq!(parser.gap(Responder, end.len() as u64, &mut out), Continue);
    assert_eq!(summaries(&out[1..]), [("del_request", Some(0))]);
    assert_eq!(parser.gap(Responder, 1, &mut out), Done);
}

#[test]
fn what_ends_parsing() {
    let ends = |bytes: &[u8]| {
        let turns = [(Initiator, bind(1, None)), (Initiator, bytes.to_vec())];
        play(&mut LdapParser::default(), &turns).1
    };
    let failed = |field| Failed(ParseError::InvalidField(field));
    assert_eq!(ends(b"\x31"), failed("LDAPMessage"));
    assert_eq!(ends(b"\x30\x80"), failed("length"));
    assert_eq!(ends(&bytes(1, 0x7f, b"")), failed("protocolOp"));
    let first = |bytes: &[u8]| play(&mut LdapParser::default(), &[(Initiator, bytes.to_vec())]).1;
    assert_eq!(first(b"GET /"), Failed(ParseError::NotTheProtocol));
    assert_eq!(first(b"\x30\x03\x02\x01\x05"), Failed(ParseError::NotTheProtocol));
}

#[test]
fn first_bytes() {
    let check = |bytes: &[u8], expected| assert_eq!(probe(bytes), expected, "{bytes:?}");
    let bind = bind(1, None);
    check(&bind, Probe::Yes);
    check(&bind[..7], Probe::Maybe);
    check(START_TLS_REQUEST, Probe::Yes);
    check(&bytes(0, 0x60, b"\x02\x01\x03"), Probe::No);
    check(&bytes(1, 0x60, b"\x04\0"), Probe::No);
    // SNMP has a version in the place of the identifier, and no operation behind it.
    check(b"\x30\x27\x02\x01\x01\x04\x06public", Probe::No);
    check(b"\x16\x03\x01", Probe::No);
}

#[test]
fn datagrams_may_hold_several_messages() {
    let mut parser = LdapDatagrams::default();
    parser.parse(&bytes(1, 0x63, b"\x04\0\x0a\x01\0\x0a\x01\0"), Initiator);
    let out =
        parser.parse(&[bytes(1, 0x64, b"\x04\0\x30\0"), result(1, 0x65, 0)].concat(), Responder);
    assert_eq!((summaries(&out), out[0].entries), (vec![("search_request", Some(0))], 1));
    let mut parser = LdapDatagrams::default();
    let mut out = Vec::new();
    let junk = Datagram::new(Initiator, Timestamp::ZERO, b"\x30\0");
    for _ in 0..MessageCheck::MAX_INVALID {
        assert_eq!(parser.parse_into(junk, &mut out), Continue);
    }
    assert_eq!(parser.parse_into(junk, &mut out), Failed(ParseError::NotTheProtocol));
}

#[test]
fn a_datagram_that_is_sent_again_is_the_same_operation() {
    let play = |turns: &[(u64, FlowSide, Vec<u8>)]| {
        let (mut parser, mut out) = (LdapDatagrams::default(), Vec::new());
        for (secs, side, bytes) in turns {
            let datagram = Datagram::new(*side, Timestamp::from_secs(*secs), bytes);
            assert_eq!(parser.parse_into(datagram, &mut out), Continue);
        }
        parser.end(&mut out);
        out
    };
    let ping = |secs| (secs, Initiator, search(1, b'x'));
    let pong = |secs| (secs, Responder, [entry(1), result(1, 0x65, 0)].concat());
    let once = [(b'x', Some(0), 1, Some(2))];
    for turns in [
        vec![ping(0), ping(1), pong(2), pong(2)],
        vec![ping(0), pong(2), ping(2), pong(3)],
        vec![ping(0), ping(1), pong(2), ping(7), pong(7), pong(7)],
        vec![ping(0), ping(1), pong(2)],
    ] {
        assert_eq!(searches(&play(&turns)), once, "{turns:?}");
    }
    // Much later, or with other bytes, it is another one.
    let later = play(&[ping(0), pong(2), ping(8), pong(9)]);
    assert_eq!(searches(&later), [(b'x', Some(0), 1, Some(2)), (b'x', Some(0), 1, Some(1))]);
    let other = play(&[ping(0), (1, Initiator, search(1, b'y')), pong(2)]);
    assert_eq!(searches(&other), [(b'x', None, 0, None), (b'y', Some(0), 1, Some(1))]);
    // What answers no request that was captured is a record.
    assert_eq!(searches(&play(&[pong(0)])), [(b'-', Some(0), 0, None)]);
}

#[test]
fn repetitions_of_the_latest_requests_are_known() {
    let mut parser = LdapDatagrams::default();
    for id in 1..=127 {
        parser.parse(&search(id, b'x'), Initiator);
    }
    let held = parser.heap_bytes();
    // The first one of those that wait, and one that made way for others.
    assert!(parser.parse(&search(64, b'x'), Initiator).is_empty());
    assert_eq!(parser.parse(&search(63, b'x'), Initiator).len(), 1);
    assert!(parser.heap_bytes() <= held + 1024);
}
