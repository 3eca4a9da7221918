//! What is read, and what is not.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use example_redis::{
    Kind, MAX_DEPTH, MAX_LINE, MAX_TEXT, MAX_VALUES, RedisMessage, RedisParser, Value,
};
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};

/// Feeds one piece after the other, and gives messages as text and the last status.
fn said(pieces: &[(FlowSide, &[u8])]) -> (Vec<String>, ParserStatus) {
    let mut parser = RedisParser::default();
    let (mut out, mut status) = (Vec::new(), ParserStatus::Continue);
    for (side, bytes) in pieces {
        let feed = StreamChunk::new(*side, Timestamp::ZERO, 0, bytes);
        status = parser.feed_into(feed, &mut out);
    }
    let number = |message: &RedisMessage| match message {
        RedisMessage::Reply(reply) => match reply.request {
            Some(number) => format!("{number}: {reply}"),
            None => format!("?: {reply}"),
        },
        other => other.to_string(),
    };
    (out.iter().map(number).collect(), status)
}

fn check(pieces: &[(FlowSide, &[u8])], expected: &[&str]) {
    let (said, status) = said(pieces);
    assert_eq!(said, expected, "{pieces:?}");
    assert_eq!(status, ParserStatus::Continue);
}

fn check_end(pieces: &[(FlowSide, &[u8])], messages: usize, expected: ParserStatus) {
    let (said, status) = said(pieces);
    assert_eq!((said.len(), status), (messages, expected), "{pieces:?}");
}

const GET: (FlowSide, &[u8]) = (Initiator, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");

#[test]
fn requests_and_replies() {
    check(&[GET, (Responder, b"$-1\r\n")], &["#0 GET k", "0: (nil)"]);
    check(
        &[GET, GET, (Responder, b":1\r\n-ERR no\r\n")],
        &["#0 GET k", "#1 GET k", "0: 1", "1: (error) ERR no"],
    );
    check(
        &[(Initiator, b"\r\nset k  'v'\n*0\r\n*-1\r\nPING\r\n")],
        &["#0 set k \\'v\\'", "#1 PING"],
    );
    check(
        &[GET, (Responder, b"*3\r\n*1\r\n:1\r\n*0\r\n$2\r\n\r\n\r\n")],
        &["#0 GET k", "0: [[1] [] \\r\\n]"],
    );
}

#[test]
fn the_third_version() {
    let reply: &[u8] = b"%2\r\n+a\r\n#t\r\n+b\r\n~2\r\n_\r\n,1.5\r\n";
    check(&[GET, (Responder, reply)], &["#0 GET k", "0: [a true b [(nil) 1.5]]"]);
    check(&[GET, (Responder, b"(123\r\n")], &["#0 GET k", "0: 123"]);
    check(&[GET, (Responder, b"=6\r\ntxt:hi\r\n")], &["#0 GET k", "0: txt:hi"]);
    check(&[GET, (Responder, b"!5\r\nERR x\r\n")], &["#0 GET k", "0: (error) ERR x"]);
    // An attribute is no value, at the top or inside.
    let reply: &[u8] = b"|1\r\n+ttl\r\n:3\r\n*2\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:9\r\n:2\r\n";
    check(&[GET, (Responder, reply)], &["#0 GET k", "0: [1 2]"]);
    // What comes unasked answers nothing.
    check(
        &[GET, (Responder, b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n")],
        &["#0 GET k", "[invalidate [k]]", "0: OK"],
    );
}

#[test]
fn replies_are_paired_only_where_that_is_certain() {
    check(&[(Responder, b"+OK\r\n"), GET, (Responder, b"+1\r\n")], &["?: OK", "#0 GET k", "?: 1"]);
    for line in ["subscribe ch", "MONITOR", "client reply off"] {
        let line = format!("{line}\r\n");
        let (said, _) = said(&[(Initiator, line.as_bytes()), GET, (Responder, b"+1\r\n")]);
        assert_eq!(said[2], "?: 1", "{line}");
    }
    check_end(&[GET, (Initiator, b"PSYNC ? -1\r\n"), GET], 2, ParserStatus::Done);
}

#[test]
fn what_is_not_the_protocol() {
    use ParseError::{InvalidField, NotTheProtocol, TooLong};
    for (side, bytes, error) in [
        (Responder, &b"HTTP/1.1 200 OK\r\n"[..], NotTheProtocol),
        (Responder, b"$1\r\nab\r\n", InvalidField("end of a string")),
        (Responder, b"$-2\r\n", InvalidField("length")),
        (Responder, b"$\r\n", InvalidField("length")),
        (Responder, b"$4294967296\r\n", TooLong(4_294_967_296)),
        (Responder, b"$99999999999999999999\r\n", InvalidField("length")),
        (Responder, b":x\r\n", InvalidField("integer")),
        (Responder, b"#y\r\n", InvalidField("boolean")),
        (Responder, b"+a\n", InvalidField("end of line")),
        (Responder, b"_x\r\n", NotTheProtocol),
        (Initiator, b"*1\r\n:1\r\n", InvalidField("bulk string in a request")),
        (Initiator, &[b'a'; MAX_LINE + 1], TooLong(MAX_LINE as u64 + 1)),
    ] {
        check_end(&[(side, bytes)], 0, ParserStatus::Failed(error));
    }
    let (deep, deeper) = (b"*1\r\n".repeat(MAX_DEPTH), b"*1\r\n".repeat(MAX_DEPTH + 1));
    check_end(&[(Responder, &deep), (Responder, b":1\r\n")], 1, ParserStatus::Continue);
    let error = InvalidField("depth of lists");
    check_end(&[(Responder, &deeper)], 0, ParserStatus::Failed(error));
}

#[test]
fn what_is_large_is_counted_and_the_beginning_kept() {
    let len = MAX_TEXT as u64 + 1000;
    let mut reply = format!("*2\r\n${len}\r\n").into_bytes();
    reply.extend(vec![b'x'; len as usize]);
    reply.extend(b"\r\n+after\r\n");
    let RedisMessage::Reply(reply) = RedisParser::default().feed_responder(&reply).remove(0) else {
        panic!()
    };
    let Value::List(list) = reply.value else { panic!() };
    let [Value::Text(long), Value::Text(after)] = &list.values[..] else { panic!() };
    assert_eq!((long.bytes.len(), long.len, long.is_whole()), (MAX_TEXT, len, false));
    assert_eq!((after.bytes.len(), after.len), (0, 5));

    let many = [b"*3000\r\n".to_vec(), b":7\r\n".repeat(3000)].concat();
    let mut parser = RedisParser::default();
    let RedisMessage::Reply(reply) = parser.feed_responder(&many).remove(0) else { panic!() };
    let Value::List(list) = reply.value else { panic!() };
    assert_eq!((list.kind, list.values.len(), list.len), (Kind::Array, MAX_VALUES, 3000));
    // The next message has all the room again.
    let RedisMessage::Reply(reply) = parser.feed_responder(b"*1\r\n+a\r\n").remove(0) else {
        panic!()
    };
    assert_eq!(reply.to_string(), "[a]");
}

#[test]
fn a_gap_within_a_string_costs_its_bytes_and_no_more() {
    for (before, gap, after, expected) in [
        ("$10\r\nab", 8, "\r\n", "ab…"),
        ("$10\r\nab", 5, "cde\r\n", "ab…"),
        ("$10\r\nab", 9, "\n", "ab…"),
        ("$10\r\nab", 10, "", "ab…"),
        ("*2\r\n$4\r\n", 6, ":1\r\n", "[… 1]"),
    ] {
        let (mut parser, mut out) = (RedisParser::default(), Vec::new());
        out.extend(parser.feed_responder(before.as_bytes()));
        assert_eq!(parser.gap(Responder, gap, &mut out), ParserStatus::Continue);
        out.extend(parser.feed_responder(after.as_bytes()));
        out.extend(parser.feed_responder(b"+next\r\n"));
        let said: Vec<String> = out.iter().map(ToString::to_string).collect();
        assert_eq!(said, [expected, "next"], "{before}");
    }
    for (before, gap) in [("$10\r\nab", 11), ("$1", 1), ("", 0), ("*2\r\n", 4)] {
        let (mut parser, mut out) = (RedisParser::default(), Vec::new());
        out.extend(parser.feed_responder(before.as_bytes()));
        assert_eq!(parser.gap(Responder, gap, &mut out), ParserStatus::StopSide(Responder));
        assert!(parser.feed_responder(b"+next\r\n").is_empty());
        assert_eq!(parser.feed_initiator(b"PING\r\n").len(), 1, "the other side goes on");
    }
}

#[test]
fn latency_is_from_request_to_reply() {
    let (mut parser, mut out) = (RedisParser::default(), Vec::new());
    for (side, secs, bytes) in
        [(Initiator, 5, &b"PI"[..]), (Initiator, 6, b"NG\r\n"), (Responder, 8, b"+PONG\r\n")]
    {
        parser.feed_into(StreamChunk::new(side, Timestamp::from_secs(secs), 0, bytes), &mut out);
    }
    let RedisMessage::Reply(reply) = &out[1] else { panic!() };
    assert_eq!(reply.latency.unwrap().as_secs(), 2);
}

#[test]
fn first_bytes() {
    for (side, bytes, expected) in [
        (Initiator, &b"*"[..], Probe::Maybe),
        (Initiator, b"*2\r\n", Probe::Maybe),
        (Initiator, b"*2\r\n$", Probe::Yes),
        (Initiator, b"*2\r\n+", Probe::No),
        (Initiator, b"*x", Probe::No),
        (Initiator, b"PING\r\n", Probe::Maybe),
        (Initiator, b"\x16\x03\x01", Probe::No),
        (Responder, b"$5\r\n", Probe::Yes),
        (Responder, b"$5", Probe::Maybe),
        (Responder, b"$-1\r\n", Probe::Maybe),
        (Responder, b"+OK\r\n", Probe::Maybe),
        (Responder, b"SSH-2.0", Probe::No),
    ] {
        assert_eq!(RedisParser::probe(side, bytes), expected, "{}", bytes.escape_ascii());
        // What is certain stays so.
        for more in bytes {
            let longer = [bytes, std::slice::from_ref(more), b"\r\n"].concat();
            if expected != Probe::Maybe {
                assert_eq!(RedisParser::probe(side, &longer), expected);
            }
        }
    }
}
