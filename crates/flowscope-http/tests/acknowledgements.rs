//! What acknowledgements say of the order between the two sides.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_http::{
    HttpConfig, HttpExchange, HttpExchanges, HttpMessage, HttpOutcome, HttpParser,
};

/// A side, where its bytes begin, what their segment acknowledges, and the bytes.
type Piece<'a> = (FlowSide, u64, u64, &'a str);

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const ASKED: u64 = GET.len() as u64;
const SAID: u64 = OK.len() as u64;

fn feed(parser: &mut HttpExchanges, (side, at, acked, text): Piece<'_>) -> Vec<HttpExchange> {
    let mut out = Vec::new();
    let chunk = StreamChunk::new(side, Timestamp::from_secs(1), at, text.as_bytes());
    assert_eq!(parser.feed_into(chunk.acked(Some(acked)), &mut out), ParserStatus::Continue);
    out
}

fn check(pieces: &[Piece<'_>], gap_before: Option<(usize, FlowSide, u64)>, expected: &[&str]) {
    let (mut parser, mut out) = (HttpExchanges::default(), Vec::new());
    for (n, piece) in pieces.iter().enumerate() {
        if let Some((place, side, len)) = gap_before
            && place == n
        {
            parser.gap(side, len, &mut out);
        }
        out.extend(feed(&mut parser, *piece));
    }
    parser.end(&mut out);
    let line = |x: &HttpExchange| {
        let asked = x.request.as_ref().map_or("-", |request| request.method());
        let status = x.response.as_ref().map_or("-".to_owned(), |r| r.status().to_string());
        let resumed = if x.resumed { " resumed" } else { "" };
        format!("{} {asked} {status}{resumed}", x.id)
    };
    let lines: Vec<String> = out.iter().map(line).collect();
    assert_eq!(lines, expected, "{pieces:#?}");
}

#[test]
fn a_response_waits_for_the_request_that_it_acknowledges() {
    let head = HEAD.len() as u64;
    let bare = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    check(
        &[
            // Without the request, the response would have a body.
            (Responder, 0, head, bare),
            (Responder, bare.len() as u64, head + ASKED, "HTTP/1.1 404 x\r\n\r\n"),
            (Initiator, 0, 0, HEAD),
            (Initiator, head, bare.len() as u64, GET),
        ],
        None,
        &["0 HEAD 200", "1 GET 404"],
    );
}

#[test]
fn a_response_that_does_not_acknowledge_a_request_does_not_answer_it() {
    check(
        &[
            (Initiator, 0, 0, GET),
            (Responder, 0, 0, "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"),
        ],
        None,
        &["0 GET -", "1 - 408"],
    );
}

#[test]
fn after_lost_requests_two_exchanges_in_lockstep_are_pairs() {
    let lost = 50;
    check(
        &[
            (Responder, 0, lost, OK),
            (Initiator, lost, SAID, GET),
            (Responder, SAID, lost + ASKED, OK),
            (Initiator, lost + ASKED, 2 * SAID, GET),
            (Responder, 2 * SAID, lost + 2 * ASKED, OK),
        ],
        Some((1, Initiator, lost)),
        &["0 - 200", "1 GET 200 resumed", "2 GET 200 resumed"],
    );
}

#[test]
fn a_request_of_which_nothing_was_seen_may_be_the_one_that_is_answered() {
    let lost = 50;
    check(
        &[
            (Initiator, lost, 0, GET),
            // Two were unanswered.
            (Responder, 0, lost + ASKED, OK),
            (Responder, SAID, lost + ASKED, OK),
            // Who pipelines is not trusted to be in lockstep.
            (Initiator, lost + ASKED, 2 * SAID, GET),
            (Responder, 2 * SAID, lost + 2 * ASKED, OK),
        ],
        Some((0, Initiator, lost)),
        &["0 GET -", "1 - 200", "2 - 200", "3 GET -", "4 - 200"],
    );
}

#[test]
fn a_response_that_does_not_acknowledge_the_next_request_is_not_in_lockstep() {
    let lost = 50;
    check(
        &[
            (Initiator, lost, 0, GET),
            (Responder, 0, lost + ASKED, OK),
            (Initiator, lost + ASKED, SAID, GET),
            // It was sent before the second request arrived, so it answers the first.
            (Responder, SAID, lost + ASKED, OK),
        ],
        Some((0, Initiator, lost)),
        &["0 GET -", "1 - 200", "2 GET -", "3 - 200"],
    );
}

#[test]
fn the_response_to_a_lost_head_request_has_no_body() {
    let lost = 50;
    let bare = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n";
    let end = bare.len() as u64;
    check(
        &[
            (Responder, 0, lost, bare),
            (Initiator, lost, end, GET),
            (Responder, end, lost + ASKED, OK),
            (Initiator, lost + ASKED, end + SAID, GET),
            (Responder, end + SAID, lost + 2 * ASKED, OK),
        ],
        Some((1, Initiator, lost)),
        &["0 - 200", "1 GET 200 resumed", "2 GET 200 resumed"],
    );
}

/// What was missed is over where the request begins: it cannot be the response to it.
#[test]
fn after_a_lost_response_the_next_exchanges_in_lockstep_are_pairs() {
    check(
        &[
            (Initiator, 0, 0, GET),
            (Initiator, ASKED, SAID, GET),
            (Responder, SAID, 2 * ASKED, OK),
            (Initiator, 2 * ASKED, 2 * SAID, GET),
            (Responder, 2 * SAID, 3 * ASKED, OK),
        ],
        Some((1, Responder, SAID)),
        &["0 GET -", "1 GET 200 resumed", "2 GET 200 resumed"],
    );
    // Here a part of it is not acknowledged.
    check(
        &[
            (Initiator, 0, 0, GET),
            (Initiator, ASKED, SAID - 1, GET),
            (Responder, SAID, 2 * ASKED, OK),
            (Initiator, 2 * ASKED, 2 * SAID, GET),
            (Responder, 2 * SAID, 3 * ASKED, OK),
            (Initiator, 3 * ASKED, 3 * SAID, GET),
            (Responder, 3 * SAID, 4 * ASKED, OK),
        ],
        Some((1, Responder, SAID)),
        &["0 GET -", "1 GET -", "2 - 200", "3 GET 200 resumed", "4 GET 200 resumed"],
    );
}

/// One number behind the last byte may be that of a FIN, or of a byte that is still to come.
#[test]
fn a_number_behind_the_last_byte_is_no_sign_of_pipelining() {
    let lost = 50;
    check(
        &[
            (Responder, 0, lost, OK),
            (Initiator, lost, SAID + 1, GET),
            (Responder, SAID, lost + ASKED, OK),
            (Initiator, lost + ASKED, 2 * SAID, GET),
            (Responder, 2 * SAID, lost + 2 * ASKED, OK),
            (Initiator, lost + 2 * ASKED, 3 * SAID, GET),
            (Responder, 3 * SAID, lost + 3 * ASKED, OK),
        ],
        Some((1, Initiator, lost)),
        &["0 - 200", "1 GET -", "2 - 200", "3 GET 200 resumed", "4 GET 200 resumed"],
    );
}

/// Numbers of requests are compared modulo 2^30: a response acknowledges what lies less than half of that before.
#[test]
fn responses_are_paired_wherever_the_streams_are() {
    let starts = [(1 << 29) - 9, (1 << 30) - 9, (1 << 32) - 9, u64::MAX / 2];
    for (start, before) in starts.into_iter().flat_map(|start| [(start, start), (start, start - 5)])
    {
        let (mut parser, mut out) = (HttpParser::default(), Vec::new());
        for (side, at, acked, text) in [
            (Initiator, start, 0, GET),
            (Responder, 0, before, "HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n"),
            (Responder, 37, start + ASKED, OK),
        ] {
            let chunk = StreamChunk::new(side, Timestamp::from_secs(1), at, text.as_bytes());
            parser.feed_into(chunk.acked(Some(acked)), &mut out);
        }
        let answered = out.iter().filter_map(|message| match message {
            HttpMessage::Response(response) => Some((response.status(), response.exchange)),
            _ => None,
        });
        assert_eq!(answered.collect::<Vec<_>>(), [(408, None), (200, Some(0))], "{start}");
    }
}

#[test]
fn a_side_that_was_held_is_stopped_by_name() {
    let config = HttpConfig::default().max_head(100);
    let (mut parser, mut out) = (HttpParser::with_config(config), Vec::new());
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200));
    let chunk = |side, acked, text: &'static [u8]| {
        StreamChunk::new(side, Timestamp::from_secs(1), 0, text).acked(Some(acked))
    };
    let response = StreamChunk::new(Responder, Timestamp::from_secs(2), 0, long.as_bytes());
    assert_eq!(parser.feed_into(response.acked(Some(ASKED)), &mut out), ParserStatus::Continue);
    assert!(out.is_empty());
    let status = parser.feed_into(chunk(Initiator, 0, GET.as_bytes()), &mut out);
    assert_eq!(status, ParserStatus::StopSide(Responder));
}

#[test]
fn what_waited_is_not_held_any_more() {
    let (mut parser, mut out) = (HttpParser::default(), Vec::new());
    let mut feed = |parser: &mut HttpParser, side, at, acked, text: &'static str| {
        let chunk = StreamChunk::new(side, Timestamp::from_secs(1), at, text.as_bytes());
        parser.feed_into(chunk.acked(Some(acked)), &mut out);
        parser.heap_bytes()
    };
    feed(&mut parser, Responder, 0, ASKED, OK);
    let both = feed(&mut parser, Responder, SAID, 2 * ASKED, OK);
    let one = feed(&mut parser, Initiator, 0, 0, GET);
    let none = feed(&mut parser, Initiator, ASKED, 0, GET);
    // A list of requests takes 16 bytes.
    assert!(one + SAID as usize <= both + 16, "{one} of {both}");
    assert!(none < one, "{none} of {one}");
}

#[test]
fn what_waits_is_bounded() {
    let config = HttpConfig::default().max_held(4096);
    let mut parser = HttpExchanges::with_config(config);
    let mut out = Vec::new();
    for n in 0..1000 {
        out.extend(feed(&mut parser, (Responder, n * SAID, 1 << 20, OK)));
        assert!(parser.heap_bytes() < 64 * 1024, "{}", parser.heap_bytes());
    }
    // The parser alone holds no more than the bound.
    let (mut alone, mut said) = (HttpParser::with_config(config), Vec::new());
    for n in 0..1000 {
        let ts = Timestamp::from_secs(1);
        let chunk = StreamChunk::new(Responder, ts, n * SAID, OK.as_bytes()).acked(Some(1 << 20));
        alone.feed_into(chunk, &mut said);
        assert!(alone.heap_bytes() <= 4096 + 128, "{}", alone.heap_bytes());
    }
    // The request comes too late for any of them to be called its own.
    out.extend(feed(&mut parser, (Initiator, 0, 0, GET)));
    parser.end(&mut out);
    assert!(out.iter().all(|x| x.request.is_none() || x.outcome == HttpOutcome::Unpaired));
    assert_eq!(out.iter().filter(|x| x.response.is_some()).count(), 1000);
}

/// [`HttpConfig::max_held`]: what exceeds it is read, and not paired.
#[test]
fn what_could_not_wait_is_not_paired() {
    let config = HttpConfig::default().max_held(4096);
    let mut parser = HttpExchanges::with_config(config);
    let mut out = feed(&mut parser, (Initiator, 0, 0, GET));
    for n in 0..200 {
        out.extend(feed(&mut parser, (Responder, n * SAID, 1 << 20, OK)));
    }
    out.extend(feed(&mut parser, (Initiator, ASKED, 200 * SAID, GET)));
    out.extend(feed(&mut parser, (Responder, 200 * SAID, 2 * ASKED, OK)));
    parser.end(&mut out);
    assert!(out.iter().all(|x| x.request.is_none() || x.response.is_none()), "{out:#?}");
}

/// An exchange that is paired late is reported for the side of its response, whichever side opened the connection.
#[test]
fn late_pairs_are_of_the_side_that_responds() {
    let lost = 50;
    let pieces = [
        (Responder, 0, lost, OK),
        (Initiator, lost, SAID, GET),
        (Responder, SAID, lost + ASKED, OK),
    ];
    for swapped in [false, true] {
        let turn = |side: FlowSide| if swapped { !side } else { side };
        let (mut parser, mut out) = (HttpParser::default(), Vec::new());
        for (n, (side, at, acked, text)) in pieces.into_iter().enumerate() {
            if n == 1 {
                parser.gap(turn(Initiator), lost, &mut out);
            }
            let chunk = StreamChunk::new(turn(side), Timestamp::from_secs(1), at, text.as_bytes());
            parser.feed_into(chunk.acked(Some(acked)), &mut out);
        }
        parser.fin(turn(Responder), &mut out);
        parser.fin(turn(Initiator), &mut out);
        parser.end(&mut out);
        let paired = out.iter().filter_map(|message| match message {
            HttpMessage::Paired(paired) => Some(paired.side),
            _ => None,
        });
        assert_eq!(paired.collect::<Vec<_>>(), [turn(Responder)], "swapped: {swapped}");
    }
}
