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
        assert!(
            matches!(talk.status, ParserStatus::Failed(ParseError::TooLong(_))),
            "{:?}",
            talk.status
        );
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
