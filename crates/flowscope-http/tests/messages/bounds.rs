//! Limits, and the end of a connection.

use super::*;

#[test]
fn bounds_stop_a_side_and_not_the_other() {
    let config = HttpConfig::default().max_head(100).max_headers(2).max_chunk_line(20);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100));
    let many = "GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\n\r\n";
    for (text, kind) in [(long.as_str(), "head_too_long"), (many, "too_many_headers")] {
        let anomaly = format!("> ! {kind} @0");
        let script = [(">", text), (">", GET), ("<", OK)];
        check_with(config, &script, &[&anomaly, "< 200 OK #? length=2", "< end #? 2"]);
        let talk = play(HttpParser::with_config(config), &script[..1], 50);
        assert_eq!(talk.status, ParserStatus::StopSide(Initiator));
        let talk = play(
            HttpParser::with_config(config),
            &[(">", text), ("<", "HTTP/1.1 200 OK\r\n"), ("<", &long)],
            50,
        );
        assert_eq!(talk.status, ParserStatus::Failed(ParseError::TooLong(101)));
    }
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("{chunked}1;{}\r\n", "x".repeat(100));
    check_with(
        config,
        &[(">", &extension)],
        &["> POST / HTTP/1.1 #0 chunked", "> ! chunk_line_too_long @0", "> end #0 0 TooLong"],
    );
    let trailers = format!("{chunked}0\r\n{}", "X: y\r\n".repeat(100));
    check_with(
        config,
        &[(">", &trailers)],
        &["> POST / HTTP/1.1 #0 chunked", "> ! head_too_long @0", "> end #0 0 TooLong"],
    );
}

/// As many header lines as the bound, in a head and in a trailer section, and one more.
#[test]
fn header_lines_are_counted() {
    let config = HttpConfig::default().max_headers(2);
    let fields = |n: usize| "A: b\r\n".repeat(n);
    for piece in [1, usize::MAX] {
        for (n, stops) in [(2, false), (3, true)] {
            let head = format!("GET / HTTP/1.1\r\n{}\r\n", fields(n));
            let post = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
            let trailers = format!("{post}{}\r\n", fields(n));
            // Not as the strict reader has it.
            let lenient = format!("GET / HTTP/1.1\r\nA : b\r\n{}\r\n", fields(n - 1));
            for text in [head, trailers, lenient] {
                let talk = play(HttpParser::with_config(config), &[(">", &text)], piece);
                let expected =
                    if stops { ParserStatus::StopSide(Initiator) } else { ParserStatus::Continue };
                assert_eq!(talk.status, expected, "{text:?} by {piece}");
            }
        }
    }
}

#[test]
fn a_flow_is_searched_up_to_the_bound() {
    let config = HttpConfig::default().max_search(100);
    for piece in [1, 7, usize::MAX] {
        for (len, expected) in
            [(100, ParserStatus::Continue), (101, ParserStatus::Failed(ParseError::NotTheProtocol))]
        {
            let bytes = "\x01".repeat(len);
            let talk = play(HttpParser::with_config(config), &[(">", &bytes)], piece);
            assert_eq!(talk.status, expected, "{len} by {piece}");
        }
    }
}

#[test]
fn what_a_client_sends_ahead_of_its_tunnel_is_kept_up_to_16_kib() {
    for (len, kept) in [(16 * 1024, true), (16 * 1024 + 1, false)] {
        let mut talk = Talk::new(HttpParser::default());
        talk.send(Initiator, b"CONNECT a:443 HTTP/1.1\r\n\r\n");
        for piece in vec![b'x'; len].chunks(1000) {
            talk.send(Initiator, piece);
        }
        talk.send(Responder, b"HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(talk.status, ParserStatus::Upgrade);
        let left =
            talk.parser.take_remainder(Initiator).map(|left| (left.offset, left.bytes.len()));
        assert_eq!(left, kept.then_some((26, len)), "{len}");
    }
}

/// Bytes behind a gap do not follow what was left before it.
#[test]
fn what_is_left_of_a_tunnel_ends_at_a_gap() {
    let mut talk = Talk::new(HttpParser::default());
    talk.send(Initiator, GET.as_bytes());
    talk.send(Responder, b"HTTP/1.1 101 x\r\n\r\nab").send(Responder, b"cd");
    talk.gap(Responder, 3).send(Responder, b"ef");
    let left = talk.parser.take_remainder(Responder).expect("bytes of the tunnel came");
    assert_eq!((left.offset, &left.bytes[..]), (18, &b"abcd"[..]));
}

#[test]
fn fin_is_idempotent() {
    let mut talk = Talk::new(HttpParser::default());
    talk.send(Responder, b"HTTP/1.0 200 OK\r\n\r\nabc").fin(Responder).fin(Responder).end().end();
    assert_eq!(talk.out.len(), 2);
}

#[test]
fn the_locked_methods_say_the_same() {
    let mut parser = HttpParser::default();
    let mut out = parser.feed_initiator(GET.as_bytes());
    out.extend(parser.feed_responder(OK.as_bytes()));
    let expected = play(HttpParser::default(), &[(">", GET), ("<", OK)], usize::MAX).out;
    assert_eq!(
        out.iter().map(line).collect::<Vec<_>>(),
        expected.iter().map(line).collect::<Vec<_>>()
    );
    let mut exchanges = HttpExchanges::default();
    assert!(exchanges.feed_initiator(GET.as_bytes()).is_empty());
    assert_eq!(exchanges.feed_responder(OK.as_bytes()).len(), 1);
}
