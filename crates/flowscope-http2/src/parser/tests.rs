mod files;

use std::time::Duration;

use super::*;
use crate::{Http2Outcome, error_name};

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const BOTH: u8 = END_STREAM | END_HEADERS;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    [&[a, b, c, kind, flags, d, e, f, g][..], payload].concat()
}

fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(frame::HEADERS, flags, stream, block)
}

/// A connection whose opening was read.
struct Connection {
    parser: Http2Parser,
    out: Vec<Http2Exchange>,
    at: [u64; 2],
    secs: u64,
    last: ParserStatus,
}

impl Connection {
    fn new() -> Self {
        Connection::of(Http2Parser::default())
    }

    fn of(parser: Http2Parser) -> Self {
        let last = ParserStatus::Continue;
        let mut new = Connection { parser, out: Vec::new(), at: [0; 2], secs: 0, last };
        new.client(&[&frame::PREFACE[..], &frame(frame::SETTINGS, 0, 0, b"")].concat());
        new.server(&frame(frame::SETTINGS, 0, 0, b""));
        new
    }

    fn feed(&mut self, side: FlowSide, bytes: &[u8]) -> &mut Self {
        let at = self.at[side.index()];
        self.at[side.index()] += bytes.len() as u64;
        let chunk = StreamChunk::new(side, Timestamp::from_secs(self.secs), at, bytes);
        self.last = self.parser.feed_into(chunk, &mut self.out);
        self
    }

    fn client(&mut self, bytes: &[u8]) -> &mut Self {
        self.feed(Initiator, bytes)
    }

    fn server(&mut self, bytes: &[u8]) -> &mut Self {
        self.feed(Responder, bytes)
    }

    fn gap(&mut self, side: FlowSide, len: u64) -> &mut Self {
        self.at[side.index()] += len;
        self.last = self.parser.gap(side, len, &mut self.out);
        self
    }

    fn end(mut self) -> Vec<Http2Exchange> {
        self.parser.end(&mut self.out);
        self.out
    }
}

/// `GET http://a/`, whose authority goes into the table.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";
/// The same once more.
const AGAIN: &[u8] = b"\x82\x86\x84\xbe";

#[track_caller]
fn only(exchanges: Vec<Http2Exchange>) -> Http2Exchange {
    let [exchange] = <[_; 1]>::try_from(exchanges).unwrap();
    exchange
}

fn authority(exchange: &Http2Exchange) -> Option<&[u8]> {
    exchange.request.as_ref()?.authority()
}

fn status(exchange: &Http2Exchange) -> Option<u16> {
    exchange.response.as_ref()?.status()
}

#[test]
fn streams_are_separate_and_timed() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET)).client(&headers(END_HEADERS, 3, AGAIN));
    connection.secs = 2;
    connection
        .client(&frame(frame::DATA, 0x09, 3, b"\x02abc\0\0"))
        .server(&headers(BOTH, 3, b"\x89"));
    connection.server(&headers(END_HEADERS, 1, b"\x88"));
    connection.secs = 3;
    connection.server(&frame(frame::DATA, END_STREAM, 1, b"hello"));
    let [third, first] = <[_; 2]>::try_from(connection.end()).unwrap();
    assert_eq!((third.stream_id, status(&third), third.request_body.len), (3, Some(204), 3));
    assert_eq!(third.latency, Some(Duration::ZERO));
    assert_eq!((first.stream_id, status(&first), first.response_body.len), (1, Some(200), 5));
    assert_eq!(
        (first.latency, first.outcome),
        (Some(Duration::from_secs(2)), Http2Outcome::Answered)
    );
    assert_eq!((authority(&first), authority(&third)), (Some(&b"a"[..]), Some(&b"a"[..])));
}

#[test]
fn a_response_that_is_captured_first_is_paired() {
    let mut connection = Connection::new();
    connection.server(&headers(BOTH, 1, b"\x88")).server(&headers(BOTH, 3, b"\x89"));
    assert!(connection.out.is_empty());
    connection.client(&headers(BOTH, 1, GET)).client(&headers(BOTH, 5, AGAIN));
    // Stream 3 was opened by no request, and stream 5 shows that none comes.
    let exchanges = connection.end();
    let found: Vec<_> = exchanges.iter().map(|it| (it.stream_id, it.outcome)).collect();
    let (answered, orphan) = (Http2Outcome::Answered, Http2Outcome::Orphan);
    assert_eq!(found, [(1, answered), (3, orphan), (5, Http2Outcome::Unanswered)]);
    assert_eq!(exchanges[0].latency, Some(Duration::ZERO));
}

#[test]
fn interim_responses_and_trailers_are_no_responses() {
    let mut connection = Connection::new();
    let grpc = b"\x83\x86\x44\x06/a.B/C\x41\x01a\x0f\x10\x16application/grpc+proto";
    connection.client(&headers(BOTH, 1, grpc));
    connection.server(&headers(END_HEADERS, 1, b"\x08\x03103")).server(&headers(
        END_HEADERS,
        1,
        b"\x88",
    ));
    connection.server(&headers(BOTH, 1, b"\0\x0bgrpc-status\x015\0\x0cgrpc-message\x02no"));
    let exchange = only(connection.end());
    assert_eq!((status(&exchange), exchange.grpc_status), (Some(200), Some(5)));
    assert_eq!(exchange.grpc_message.as_deref(), Some(&b"no"[..]));
    assert_eq!(exchange.request.unwrap().grpc_method(), Some(&b"a.B/C"[..]));
}

#[test]
fn a_promise_is_a_request() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET));
    let promise = [&b"\0\0\0\x02"[..], GET].concat();
    connection.server(&frame(frame::PUSH_PROMISE, END_HEADERS, 1, &promise));
    connection.server(&headers(BOTH, 2, b"\x88")).server(&headers(BOTH, 1, b"\x88"));
    let [pushed, asked] = <[_; 2]>::try_from(connection.end()).unwrap();
    assert_eq!(
        (pushed.stream_id, pushed.is_pushed, authority(&pushed)),
        (2, true, Some(&b"a"[..]))
    );
    assert_eq!((pushed.outcome, pushed.latency), (Http2Outcome::Answered, None));
    assert!(!asked.is_pushed);
}

#[test]
fn resets_and_the_end_of_the_connection_have_their_errors() {
    let mut connection = Connection::new();
    for stream in [1, 3, 5, 7] {
        connection.client(&headers(BOTH, stream, GET));
    }
    connection.client(&frame(frame::RST_STREAM, 0, 1, &8_u32.to_be_bytes()));
    connection.server(&headers(END_HEADERS, 3, b"\x88"));
    connection.server(&frame(frame::RST_STREAM, 0, 3, &2_u32.to_be_bytes()));
    connection.server(&frame(frame::GOAWAY, 0, 0, b"\0\0\0\x05\0\0\0\x0bwhy"));
    let found: Vec<_> = connection
        .end()
        .iter()
        .map(|it| (it.stream_id, it.reset.map(|(side, code)| (side, error_name(code))), it.goaway))
        .collect();
    let (cancel, internal) = (Some("CANCEL"), Some("INTERNAL_ERROR"));
    let expected = [
        (1, Some((Initiator, cancel)), None),
        (3, Some((Responder, internal)), None),
        (7, None, Some(11)),
        (5, None, Some(11)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_oldest_stream_gives_way_when_there_is_no_room() {
    let mut connection = Connection::new();
    let id = |n: u32| 2 * n + 1;
    for n in 0..128 {
        connection.client(&headers(END_HEADERS, id(n), b"\x82"));
    }
    assert!(connection.out.is_empty());
    connection.client(&headers(END_HEADERS, id(128), b"\x82"));
    let first = only(std::mem::take(&mut connection.out));
    assert_eq!((first.stream_id, first.outcome), (1, Http2Outcome::Unanswered));
    assert_eq!(connection.end().len(), 128);
}

/// RFC 9113 §6.8: the first bit of the last stream is reserved, and has no meaning.
#[test]
fn the_end_of_the_connection_spares_streams_up_to_the_last() {
    for last in [&b"\0\0\0\x05"[..], b"\x80\0\0\x05"] {
        let mut connection = Connection::new();
        for stream in [3, 5, 7] {
            connection.client(&headers(BOTH, stream, GET));
        }
        // No error: what goes on is not touched by it.
        connection.server(&frame(frame::GOAWAY, 0, 0, &[last, &[0; 4]].concat()));
        let ended: Vec<_> = connection.out.iter().map(|it| (it.stream_id, it.goaway)).collect();
        assert_eq!(ended, [(7, Some(0))]);
        connection.out.clear();
        let left: Vec<_> = connection.end().iter().map(|it| (it.stream_id, it.goaway)).collect();
        assert_eq!(left, [(3, None), (5, None)]);
    }
}

/// RFC 9113 §6: lengths that a type has to have, and none beside them.
#[test]
fn frames_of_their_length_are_taken() {
    let mut connection = Connection::new();
    connection
        .client(&headers(END_HEADERS, 1, GET))
        .client(&frame(frame::WINDOW_UPDATE, 0, 0, &[0; 4]))
        .client(&frame(frame::PRIORITY, 0, 1, &[0; 5]))
        .client(&frame(frame::PING, 0, 0, &[0; 8]))
        .client(&frame(frame::SETTINGS, 1, 0, b""))
        .client(&frame(frame::SETTINGS, 0, 0, &[0; 12]))
        .server(&frame(frame::GOAWAY, 0, 0, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
    assert_eq!(connection.last, ParserStatus::Continue);
    for (kind, len) in [
        (frame::WINDOW_UPDATE, 3),
        (frame::WINDOW_UPDATE, 5),
        (frame::PING, 9),
        (frame::SETTINGS, 7),
    ] {
        let mut connection = Connection::new();
        connection.client(&frame(kind, 0, 0, &vec![0; len]));
        assert!(matches!(connection.last, ParserStatus::Failed(_)), "{kind} {len}");
    }
}

#[test]
fn header_blocks_go_on_in_other_frames() {
    let mut connection = Connection::new();
    connection.client(&headers(END_STREAM, 1, &GET[..4]));
    connection.client(&frame(frame::CONTINUATION, 0, 1, b"\x01"));
    connection.client(&frame(frame::CONTINUATION, END_HEADERS, 1, b"a"));
    connection.server(&headers(BOTH, 1, b"\x88"));
    assert_eq!(authority(&only(connection.end())), Some(&b"a"[..]));
    // Frames of another stream or kind within a block, and a block that has not begun.
    for wrong in [
        frame(frame::CONTINUATION, END_HEADERS, 3, b"a"),
        frame(frame::DATA, 0, 1, b"a"),
        headers(BOTH, 1, b"a"),
    ] {
        let mut connection = Connection::new();
        connection.client(&headers(END_STREAM, 1, &GET[..4])).client(&wrong);
        assert_eq!(connection.last, ParserStatus::Failed(ParseError::InvalidField("CONTINUATION")));
    }
    let mut connection = Connection::new();
    connection.client(&frame(frame::CONTINUATION, END_HEADERS, 1, b"a"));
    assert!(matches!(connection.last, ParserStatus::Failed(_)));
}

#[test]
fn frames_of_other_types_are_passed_over() {
    let mut connection = Connection::new();
    connection.client(&frame(0xfa, 0xff, 0, b"anything")).client(&frame(0x10, 0, 1, b"u=1"));
    connection.client(&headers(BOTH, 1, GET)).server(&frame(0xfa, 0, 7, &[0; 20]));
    connection.server(&headers(BOTH, 1, b"\x88"));
    assert_eq!(status(&only(connection.end())), Some(200));
}

#[test]
fn what_is_no_http2_fails_with_the_first_bytes() {
    let not = ParserStatus::Failed(ParseError::NotTheProtocol);
    for bytes in [
        &b"PRI * HTTP/1.1\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &frame(frame::PING, 0, 0, &[0; 8]),
        &frame(frame::SETTINGS, 1, 0, b""),
    ] {
        let mut parser = Http2Parser::default();
        let chunk = StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes);
        assert_eq!(parser.feed_into(chunk, &mut Vec::new()), not, "{bytes:?}");
    }
    // Two clients.
    let mut connection = Connection::new();
    connection.parser.sides[1] = Side::default();
    connection.server(frame::PREFACE);
    assert_eq!(connection.last, not);
}

#[test]
fn the_server_may_be_the_initiator() {
    let mut parser = Http2Parser::default();
    parser.feed_initiator(&frame(frame::SETTINGS, 0, 0, b""));
    parser.feed_responder(&[&frame::PREFACE[..], &frame(frame::SETTINGS, 0, 0, b"")].concat());
    parser.feed_responder(&headers(BOTH, 1, GET));
    let exchange = only(parser.feed_initiator(&headers(BOTH, 1, b"\x88")));
    assert_eq!((exchange.client, exchange.outcome), (Responder, Http2Outcome::Answered));
}

#[test]
fn content_that_is_missing_is_counted() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
    connection.server(&frame(frame::DATA, END_STREAM, 1, &[0; 100])[..19]).gap(Responder, 60);
    connection.server(&[0; 30]);
    let exchange = only(connection.end());
    assert_eq!((exchange.response_body.len, exchange.response_body.missing), (40, 60));
    // A gap up to the end of the frame ends the stream.
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
    connection.server(&frame(frame::DATA, END_STREAM, 1, &[0; 100])[..19]).gap(Responder, 90);
    assert_eq!(connection.out[0].response_body.missing, 90);
}

#[test]
fn fields_that_a_gap_has_made_unknown_are_no_others() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET));
    connection.client(&headers(BOTH, 3, AGAIN)[..10]).gap(Initiator, 3);
    // An authority of before, and one of now.
    connection.client(&headers(BOTH, 5, AGAIN)).client(&headers(BOTH, 7, b"\x82\x41\x01b"));
    connection.client(&headers(BOTH, 9, b"\x82\xbe"));
    let exchanges = connection.end();
    let requests: Vec<_> = exchanges.iter().map(|it| it.request.as_ref().unwrap()).collect();
    let found: Vec<_> = requests.iter().map(|it| (it.authority(), it.is_partial())).collect();
    let (a, b) = (Some(&b"a"[..]), Some(&b"b"[..]));
    assert_eq!(found, [(a, false), (None, true), (None, true), (b, false), (b, false)]);
    assert!(requests[1..].iter().all(|it| it.method() == Some(b"GET")));
}

#[test]
fn a_side_whose_frames_are_lost_is_read_no_further() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET)).gap(Initiator, 10);
    assert_eq!(connection.last, ParserStatus::StopSide(Initiator));
    connection.server(&headers(BOTH, 1, b"\x88")).server(&headers(BOTH, 3, b"\x89"));
    let [answered, orphan] = <[_; 2]>::try_from(connection.out).unwrap();
    assert_eq!((answered.outcome, orphan.outcome), (Http2Outcome::Answered, Http2Outcome::Orphan));
    assert_eq!(status(&orphan), Some(204));
}

#[test]
fn responses_without_requests_come_in_any_order_and_once() {
    let mut connection = Connection::new();
    connection.gap(Initiator, 10);
    for stream in [5, 1, 3, 5, 1, 999, 997, 743, 745] {
        connection.server(&headers(BOTH, stream, b"\x88"));
    }
    // The last but one is too old to be known.
    let found: Vec<_> = connection.end().iter().map(|it| it.stream_id).collect();
    assert_eq!(found, [5, 1, 3, 999, 997, 745]);
}

/// What is held stays below the documented bound, and records in proportion to the bytes.
#[track_caller]
fn flood(name: &str, side: FlowSide, most: usize, mut next: impl FnMut(u32) -> Vec<u8>) {
    let mut connection = Connection::new();
    let mut sent = 0;
    for n in 0..20_000 {
        let bytes = next(n);
        sent += bytes.len();
        connection.feed(side, &bytes);
        assert_eq!(connection.last, ParserStatus::Continue, "{name}: {n}");
        let held = connection.parser.heap_bytes();
        assert!(held <= most, "{name}: {held} bytes are held behind {n}");
        assert!(connection.out.len() * 9 <= sent, "{name}: {} records", connection.out.len());
    }
}

#[test]
fn floods_cost_no_memory() {
    let id = |n: u32| 2 * n + 1;
    let small = 8 * 1024;
    flood("rapid reset", Initiator, small, |n| {
        let reset = frame(frame::RST_STREAM, 0, id(n), &8_u32.to_be_bytes());
        [headers(BOTH, id(n), b"\x82"), reset].concat()
    });
    flood("settings", Initiator, small, |n| {
        frame(frame::SETTINGS, 0, 0, &[0, 1, 0, 0, n as u8, 0].repeat(20))
    });
    flood("acknowledgements", Initiator, small, |_| frame(frame::SETTINGS, 1, 0, b""));
    flood("pings", Responder, small, |n| frame(frame::PING, 0, 0, &[n as u8; 8]));
    flood("empty content", Initiator, small, |_| frame(frame::DATA, 0, 1, b""));
    flood("windows", Initiator, small, |_| frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]));
    flood("priorities that depend on each other", Initiator, small, |n| {
        let [a, b, c, d] = id(n % 100).to_be_bytes();
        frame(frame::PRIORITY, 0, id((n + 1) % 100), &[a, b, c, d, 16])
    });
    let long = [&b"\x82\x86\x44\x7f\x81\x0f"[..], &[b'p'; 2048]].concat();
    flood("streams without an end", Initiator, 200 * 1024, |n| headers(END_HEADERS, id(n), &long));
    flood("responses that nobody asked for", Responder, 200 * 1024, |n| {
        headers(END_HEADERS, id(n), b"\x88\x5f\x03a/b")
    });
    flood("promises", Responder, 200 * 1024, |n| {
        let promised = (2 * n + 2).to_be_bytes();
        frame(frame::PUSH_PROMISE, END_HEADERS, 1, &[&promised[..], GET].concat())
    });
    // A header block that goes on and on (CVE-2024-27316), empty or not.
    flood("empty continuations", Initiator, small, |n| match n {
        0 => headers(0, 1, b"\x82"),
        _ => frame(frame::CONTINUATION, 0, 1, b""),
    });
    flood("continuations", Initiator, 16 * 1024, |n| match n {
        0 => headers(0, 1, b"\x82"),
        n => frame(frame::CONTINUATION, 0, 1, &[&b"\0\x01x\x04"[..], &n.to_be_bytes()].concat()),
    });
    // Each index stands for an entry of four thousand bytes.
    let entry = [&b"\x44\x7f\xa1\x1e"[..], &[b'p'; 4000]].concat();
    flood("indexes", Initiator, 16 * 1024, |n| match n {
        0 => headers(0, 1, &entry),
        _ => frame(frame::CONTINUATION, 0, 1, &[0xbe; 50]),
    });
    // A table as large as an integer may be, filled with as many entries as there is room for.
    flood("tables", Initiator, 128 * 1024, |n| match n {
        0 => headers(0, 1, b"\x3f\xe0\xff\xff\xff\x07"),
        _ => frame(frame::CONTINUATION, 0, 1, b"\x44\x01/\x40\x01x\x01y\x44\x02/a"),
    });
}

#[test]
fn a_frame_of_any_length_is_passed_over() {
    let mut connection = Connection::new();
    connection.client(&headers(END_HEADERS, 1, GET)).client(b"\xff\xff\xff\0\x01\0\0\0\x01");
    connection.client(&[7; 1000]).gap(Initiator, 0xff_ffff - 2000).client(&[7; 1000]);
    connection.server(&headers(BOTH, 1, b"\x88"));
    let body = only(connection.end()).request_body;
    assert_eq!((body.len, body.missing, body.is_complete), (2000, 0xff_ffff - 2000, true));
}

/// A stream that was opened before its client knew that the server goes is not served either.
#[test]
fn a_stream_that_crosses_the_end_of_the_connection_is_not_served() {
    let mut connection = Connection::new();
    connection.client(&headers(BOTH, 1, GET));
    connection.server(&frame(frame::GOAWAY, 0, 0, b"\0\0\0\x01\0\0\0\x0b"));
    connection.client(&headers(BOTH, 3, GET));
    let left: Vec<_> = connection.end().iter().map(|it| (it.stream_id, it.goaway)).collect();
    assert_eq!(left, [(1, Some(11)), (3, Some(11))]);
}
