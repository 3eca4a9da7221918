//! The exchanges that messages are paired to.

mod common;
mod script;

use common::Talk;
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::SessionParser;
use flowscope_http::{HttpConfig, HttpExchanges};
use script::{GET, OK, exchanges, play};

#[test]
fn one_exchange_per_request_and_per_orphan() {
    let check = |script: &[(&str, &str)], expected: &[&str]| {
        for piece in [usize::MAX, 1] {
            let talk = play(HttpExchanges::default(), script, piece);
            assert_eq!(exchanges(&talk.out), expected, "{script:#?} by {piece}");
            assert!(talk.parser.heap_bytes() < 16 * 1024, "{}", talk.parser.heap_bytes());
        }
    };
    check(&[(">", GET), ("<", OK)], &["0 GET / -> 200 2 Answered"]);
    check(
        &[("<", OK), (">", GET), ("<", OK)],
        &["0 - -> 200 2 Orphan", "1 GET / -> 200 2 Answered"],
    );
    check(
        &[(">", GET), (">", GET), ("<", "HTTP/1.1 103 x\r\n\r\n"), ("<", OK)],
        &["0 GET / -> 200 2 Answered", "1 GET / -> - 0 Unanswered"],
    );
    check(
        &[(">", GET), ("<", "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc"), ("< fin", "")],
        &["0 GET / -> 200 3 Cut"],
    );
    check(
        &[(">", GET), ("<", "HTTP/1.1 101 x\r\n\r\n"), ("<", "\x01")],
        &["0 GET / -> 101 0 Tunnel"],
    );
    check(
        &[(">", GET), ("> gap", "9"), (">", GET), ("<", OK), ("<", OK)],
        &["0 GET / -> 200 2 Answered", "1 GET / -> - 0 Unpaired", "2 - -> 200 2 Orphan"],
    );
    // The answer comes before the request is over; the record waits for both.
    check(
        &[(">", "POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"), ("<", OK), (">", "cd")],
        &["0 POST /p -> 200 2 Answered"],
    );
}

/// RFC 9110 §9.3.6: a tunnel begins with a 2xx answer to CONNECT and with no other.
#[test]
fn a_tunnel_begins_with_every_2xx_and_nothing_else() {
    let connect = "CONNECT a:443 HTTP/1.1\r\n\r\n";
    for status in [200, 204, 299, 300, 304, 399, 403, 502] {
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\n");
        let body = if status == 204 || status == 304 { "" } else { "hi" };
        let script = [(">", connect), ("<", &answer), ("<", body), (">", GET), ("<", OK)];
        let talk = play(HttpExchanges::default(), &script, 100);
        let expected = match status {
            200..300 => vec![format!("0 CONNECT a:443 -> {status} 0 Tunnel")],
            _ => vec![
                format!("0 CONNECT a:443 -> {status} {} Answered", body.len()),
                "1 GET / -> 200 2 Answered".to_owned(),
            ],
        };
        assert_eq!(exchanges(&talk.out), expected, "{status}");
    }
}

#[test]
fn exchanges_have_times_and_anomalies() {
    let mut talk = Talk::new(HttpExchanges::default());
    let ts = flowscope_core::Timestamp::from_secs;
    let mut at = [0, 0];
    for (side, secs, text) in [
        (Initiator, 10, "POST / HTTP/1.1\n"),
        (Initiator, 11, "Content-Length: 1\r\n\r\n"),
        (Initiator, 12, "x"),
        (Responder, 15, "HTTP/1.1 200 OK\r\n"),
        (Responder, 16, "Content-Length: 1\r\n\r\n"),
        (Responder, 18, "x"),
    ] {
        let offset = at[side.index()];
        at[side.index()] += text.len() as u64;
        let feed = flowscope_core::StreamChunk::new(side, ts(secs), offset, text.as_bytes());
        talk.parser.feed_into(feed, &mut talk.out);
    }
    let x = &talk.out[0];
    assert_eq!((x.started, x.ended), (ts(10), ts(18)));
    assert_eq!(x.latency, Some(std::time::Duration::from_secs(4)));
    assert_eq!(x.request.as_ref().unwrap().ts, ts(11));
    assert_eq!(x.anomalies.len(), 1);
    assert!(x.request_body.complete && x.response_body.complete);
}

/// Anomalies of interim responses belong to no exchange that is known when they are found.
#[test]
fn anomalies_between_messages_are_bounded() {
    let mut talk = Talk::new(HttpExchanges::default());
    for _ in 0..1000 {
        talk.send(Responder, b"HTTP/1.1 103 x\nA: b\r\n\r\n");
    }
    assert!(talk.most_held < 16 * 1024, "{}", talk.most_held);
    talk.send(Responder, OK.as_bytes());
    assert_eq!(talk.out[0].anomalies.len(), 32);
}

#[test]
fn heads_of_open_responses_are_held_and_let_go() {
    let mut talk = Talk::new(HttpExchanges::default());
    // The response comes before the request is over.
    talk.send(Initiator, b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
    let asked = talk.parser.heap_bytes();
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(10_000));
    talk.send(Responder, long.as_bytes());
    let answered = talk.parser.heap_bytes();
    assert!(answered >= asked + 10_000, "{asked} {answered}");
    talk.send(Initiator, b"cde");
    assert_eq!(talk.out.len(), 1);
    assert!(talk.parser.heap_bytes() < asked, "{} of {asked}", talk.parser.heap_bytes());
}

#[test]
fn open_exchanges_are_bounded() {
    let config = HttpConfig::default().max_open_bytes(20_000);
    let mut talk = Talk::new(HttpExchanges::with_config(config));
    for n in 0..1000 {
        talk.send(Initiator, format!("GET /{n} HTTP/1.1\r\n\r\n").as_bytes());
    }
    assert!(talk.most_held < 60_000, "{}", talk.most_held);
    talk.end();
    let ids: Vec<u64> = talk.out.iter().map(|x| x.id).collect();
    assert_eq!(ids, (0..1000).collect::<Vec<_>>());
}
