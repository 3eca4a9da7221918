//! Input made to cost: what a parser holds stays within its bounds.

mod common;

use std::fmt::Write as _;

use common::Talk;
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{FlowSide, ParserStatus, SessionParser};
use flowscope_http::{
    Ending, Framing, HttpAnomalyKind, HttpExchanges, HttpMessage, HttpOutcome, HttpParser,
};

/// What a side may hold: a head under construction, its `Vec` having grown by doubling.
const SIDE: usize = 2 * 64 * 1024;

fn feed(side: FlowSide, parts: &[&[u8]], piece: usize) -> Talk<HttpParser> {
    let mut talk = Talk::new(HttpParser::default());
    for part in parts {
        for bytes in part.chunks(piece) {
            talk.send(side, bytes);
        }
    }
    assert!(talk.most_held <= 2 * SIDE, "{} bytes held", talk.most_held);
    talk
}

fn anomalies(talk: &Talk<HttpParser>) -> Vec<HttpAnomalyKind> {
    let kind = |message: &HttpMessage| match message {
        HttpMessage::Anomaly(anomaly) => Some(anomaly.kind),
        _ => None,
    };
    talk.out.iter().filter_map(kind).collect()
}

#[test]
fn sixty_four_thousand_headers() {
    let headers = "A: b\r\n".repeat(65_536);
    for piece in [1, 1460, usize::MAX] {
        let talk = feed(Initiator, &[b"GET / HTTP/1.1\r\n", headers.as_bytes()], piece);
        assert_eq!(anomalies(&talk), [HttpAnomalyKind::HeadTooLong]);
        assert_eq!(talk.status, ParserStatus::StopSide(Initiator));
        assert!(talk.parser.heap_bytes() < 64);
    }
    let headers = "A: b\r\n".repeat(300);
    let talk = feed(Initiator, &[b"GET / HTTP/1.1\r\n", headers.as_bytes(), b"\r\n"], 100);
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::TooManyHeaders]);
    let headers = "A: b\r\n".repeat(256);
    let talk = feed(Initiator, &[b"GET / HTTP/1.1\r\n", headers.as_bytes(), b"\r\n"], 100);
    let HttpMessage::Request(request) = &talk.out[0] else { panic!() };
    assert_eq!(request.headers().len(), 256);
}

#[test]
fn a_header_of_a_megabyte() {
    let value = vec![b'x'; 1 << 20];
    for piece in [1, usize::MAX] {
        let talk = feed(Initiator, &[b"GET / HTTP/1.1\r\nA: ", &value, b"\r\n\r\n"], piece);
        assert_eq!(anomalies(&talk), [HttpAnomalyKind::HeadTooLong]);
    }
}

#[test]
fn no_newline_ever() {
    for start in [&b"GET /"[..], b"x", b"HTTP/1.1 200 ", b"\0"] {
        let mut talk = feed(Initiator, &[start, &vec![b'a'; 2 << 20]], 1000);
        assert!(anomalies(&talk).len() <= 1);
        talk.fin(Initiator).end();
        assert!(!matches!(talk.out.last(), Some(HttpMessage::Request(_))));
    }
    // While the next message is searched for, too.
    let mut talk = Talk::new(HttpParser::default());
    talk.send(Initiator, b"GET / HTTP/1.1\r\n\r\n").gap(Initiator, 10);
    for _ in 0..1000 {
        talk.send(Initiator, b"GET /");
        talk.send(Initiator, &[b'a'; 1000]);
    }
    talk.send(Initiator, b"\nGET / HTTP/1.1\r\n\r\n");
    assert!(talk.most_held <= 20_000, "{} bytes held", talk.most_held);
    assert_eq!(talk.out.len(), 4);
}

#[test]
fn chunks_of_all_sizes() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let talk = feed(Responder, &[HEAD, b"ffffffffffffffff\r\nabc"], usize::MAX);
    assert_eq!(anomalies(&talk), []);
    let talk = feed(Responder, &[HEAD, b"fffffffffffffffff\r\nabc"], 1);
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::InvalidChunkSize]);

    let n = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let body = b"1\r\nx\r\n".repeat(n);
    for piece in [1, 7, 1460] {
        let mut talk = feed(Responder, &[HEAD, &body, b"0\r\n\r\n"], piece);
        talk.end();
        let Some(HttpMessage::End(end)) = talk.out.last() else { panic!() };
        assert_eq!((end.body_len, end.ending), (n as u64, Ending::Complete));
        assert_eq!(talk.out.len(), 2);
        assert!(talk.most_held <= 1024, "{} bytes held", talk.most_held);
    }
    // Anomalies are reported once, not once per chunk.
    let body = b"1\nx\n".repeat(10_000);
    let talk = feed(Responder, &[HEAD, &body], 1000);
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::BareLf]);
    let extension = vec![b'e'; 1 << 20];
    let talk = feed(Responder, &[HEAD, b"1;", &extension], 1000);
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::ChunkLineTooLong]);
}

#[test]
fn a_length_nobody_sends() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
    let mut talk = feed(Responder, &[head, b"abc"], usize::MAX);
    talk.gap(Responder, u64::MAX - 3).end();
    let HttpMessage::Response(response) = &talk.out[0] else { panic!() };
    assert_eq!(response.framing, Framing::Length(u64::MAX));
    let Some(HttpMessage::End(end)) = talk.out.last() else { panic!() };
    assert_eq!((end.body_len, end.missing, end.ending), (3, u64::MAX - 3, Ending::Gap));
}

#[test]
fn lengths_and_codings_together() {
    let smuggle = b"POST / HTTP/1.1\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n";
    let talk = feed(Initiator, &[smuggle], 5);
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::LengthAndTransferEncoding]);
    assert_eq!(talk.out.len(), 5, "the second request is seen");
}

#[test]
fn ten_thousand_pipelined_requests() {
    let mut talk = Talk::new(HttpExchanges::default());
    let mut requests = String::new();
    for n in 0..10_000 {
        write!(requests, "GET /{n} HTTP/1.1\r\nTag: {n}\r\n\r\n").unwrap();
    }
    for piece in requests.as_bytes().chunks(1460) {
        talk.send(Initiator, piece);
    }
    assert!(talk.most_held <= 16 << 20, "{} bytes held", talk.most_held);
    for n in 0..10_000 {
        talk.send(Responder, format!("HTTP/1.1 204 x\r\nTag: {n}\r\n\r\n").as_bytes());
    }
    assert_eq!(talk.out.len(), 10_000);
    for x in &talk.out {
        let (request, response) = (x.request.as_ref().unwrap(), x.response.as_ref().unwrap());
        assert_eq!(request.header("tag"), response.header("tag"));
        assert_eq!(x.outcome, HttpOutcome::Answered);
    }
    assert!(talk.parser.heap_bytes() <= 1 << 20, "{} bytes held", talk.parser.heap_bytes());
}

#[test]
fn requests_that_nobody_answers() {
    let mut talk = Talk::new(HttpParser::default());
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(1000);
    for _ in 0..200 {
        talk.send(Initiator, requests.as_bytes());
    }
    assert_eq!(anomalies(&talk), [HttpAnomalyKind::PipelineFull]);
    assert!(talk.most_held <= 70_000 * 4, "{} bytes held", talk.most_held);
}

#[test]
fn responses_that_nobody_asked_for() {
    let mut talk = Talk::new(HttpExchanges::default());
    for n in 0..10_000 {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTag: {n}\r\n\r\nx");
        talk.send(Responder, response.as_bytes());
    }
    assert_eq!(talk.out.len(), 10_000);
    assert!(talk.out.iter().all(|x| x.outcome == HttpOutcome::Orphan));
    assert!(talk.most_held <= 16 * 1024, "{} bytes held", talk.most_held);
}

#[test]
fn offsets_at_the_end_of_their_range() {
    let mut parser = HttpParser::default();
    let mut out = Vec::new();
    let (ts, offset) = (flowscope_core::Timestamp::MAX, u64::MAX - 2);
    let bytes =
        b"GET / HTTP/1.1\nA: b\n\nGET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;\r\r\nx\n";
    for bytes in [&bytes[..], bytes] {
        let feed = flowscope_core::StreamChunk::new(Initiator, ts, offset, bytes);
        parser.feed_into(feed, &mut out);
        parser.gap(Initiator, u64::MAX, &mut out);
    }
    assert!(out.len() > 4);
}
