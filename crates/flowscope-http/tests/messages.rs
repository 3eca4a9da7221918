//! The messages that are read from conversations, case by case.

mod common;
mod script;

use common::Talk;
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParseError, ParserStatus, SessionParser};
use flowscope_http::{
    Bodies, Ending, Fields, Framing, HttpConfig, HttpExchanges, HttpMessage, HttpParser,
    HttpVersion,
};
use script::{GET, OK, exchanges, play};

fn arrow(side: FlowSide) -> char {
    if side == Initiator { '>' } else { '<' }
}

fn number(exchange: Option<u64>) -> String {
    exchange.map_or("?".to_owned(), |exchange| exchange.to_string())
}

fn framing(framing: Framing) -> String {
    match framing {
        Framing::None => "none".to_owned(),
        Framing::Length(length) => format!("length={length}"),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => "until-close".to_owned(),
        Framing::Tunnel => "tunnel".to_owned(),
    }
}

fn line(message: &HttpMessage) -> String {
    let text = String::from_utf8_lossy;
    match message {
        HttpMessage::Request(r) => format!(
            "> {} {} {} #{} {}",
            r.method(),
            text(r.target()),
            r.version(),
            number(r.exchange),
            framing(r.framing)
        ),
        HttpMessage::Response(r) => format!(
            "< {} {}#{} {}",
            r.status(),
            r.reason().first().map_or(String::new(), |_| text(r.reason()).into_owned() + " "),
            number(r.exchange),
            framing(r.framing)
        ),
        HttpMessage::Body(body) => {
            format!("{} body {}+{}", arrow(body.side), body.at, text(&body.bytes))
        }
        HttpMessage::End(end) => {
            let mut line =
                format!("{} end #{} {}", arrow(end.side), number(end.exchange), end.body_len);
            if end.missing > 0 {
                line += &format!(" missing={}", end.missing);
            }
            if end.ending != Ending::Complete {
                line += &format!(" {:?}", end.ending);
            }
            for (name, value) in end.trailers.iter().flat_map(Fields::iter) {
                line += &format!(" {name}={}", text(value));
            }
            line
        }
        HttpMessage::Anomaly(a) => format!("{} ! {} @{}", arrow(a.side), a.kind.slug(), a.offset),
        other => format!("{other:?}"),
    }
}

fn check_with(config: HttpConfig, script: &[(&str, &str)], expected: &[&str]) {
    for piece in [usize::MAX, 1, 7] {
        let talk = play(HttpParser::with_config(config), script, piece);
        let lines: Vec<String> = talk.out.iter().map(line).collect();
        assert_eq!(lines, expected, "{script:#?} by {piece}");
        assert!(
            talk.parser.heap_bytes() <= 128,
            "{} bytes held at the end",
            talk.parser.heap_bytes()
        );
    }
}

fn check(script: &[(&str, &str)], expected: &[&str]) {
    check_with(HttpConfig::default(), script, expected);
}

#[test]
fn a_request_and_its_response() {
    check(
        &[(">", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), ("<", OK)],
        &["> GET /x HTTP/1.1 #0 none", "> end #0 0", "< 200 OK #0 length=2", "< end #0 2"],
    );
}

#[test]
fn responses_without_a_body_by_rule_1() {
    for status in [100, 103, 199, 204, 304] {
        let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n");
        let (head, end) = (format!("< {status} x #0 none"), "< end #0 0");
        let mut expected = vec!["> GET / HTTP/1.1 #0 none", "> end #0 0", &head, end];
        let next = if status < 200 { "0" } else { "?" };
        let (second, second_end) =
            (format!("< 200 OK #{next} length=2"), format!("< end #{next} 2"));
        expected.extend([second.as_str(), second_end.as_str()]);
        check(&[(">", GET), ("<", &response), ("<", OK)], &expected);
    }
    check(
        &[
            (">", "HEAD / HTTP/1.1\r\n\r\n"),
            (">", GET),
            ("<", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("<", OK),
        ],
        &[
            "> HEAD / HTTP/1.1 #0 none",
            "> end #0 0",
            "> GET / HTTP/1.1 #1 none",
            "> end #1 0",
            "< 200 #0 none",
            "< end #0 0",
            "< 200 OK #1 length=2",
            "< end #1 2",
        ],
    );
}

#[test]
fn tunnels_by_rule_2() {
    let connect = "CONNECT a:443 HTTP/1.1\r\n\r\n";
    let asked = ["> CONNECT a:443 HTTP/1.1 #0 none", "> end #0 0"];
    let tunnel = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let mut expected = asked.to_vec();
    expected.extend(["< 200 OK #0 tunnel", "< end #0 0"]);
    // What the client sends before it has the answer is not read.
    check(
        &[(">", connect), (">", "\x16\x03\x01"), ("<", tunnel), (">", GET), ("<", OK)],
        &expected,
    );

    let refused = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
    let mut expected = asked.to_vec();
    expected.extend(["< 407 No #0 length=0", "< end #0 0"]);
    expected.extend(["> CONNECT a:443 HTTP/1.1 #1 none", "> end #1 0"]);
    expected.extend(["< 200 OK #1 tunnel", "< end #1 0"]);
    check(&[(">", connect), ("<", refused), (">", connect), ("<", tunnel), (">", GET)], &expected);
    // It took the answer for granted: what it sent is lost, and perhaps requests with it.
    let mut expected = asked.to_vec();
    expected.extend(["< 407 No #0 length=0", "< end #0 0"]);
    expected.extend(["> GET / HTTP/1.1 #? none", "> end #? 0"]);
    check(&[(">", connect), (">", "\x16\x03\x01\r\n"), ("<", refused), (">", GET)], &expected);

    let upgrade = "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n";
    for piece in [1, usize::MAX] {
        let script = [(">", GET), ("<", upgrade), ("<", "\x01\x02HTTP/1.1 200 OK\r\n\r\n")];
        let talk = play(HttpParser::default(), &script, piece);
        assert_eq!(talk.status, ParserStatus::Upgrade);
        assert_eq!(talk.out.len(), 4);
    }
}

#[test]
fn chunked_bodies_by_rules_3_and_4() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    let body = "3;a=b\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX: 1\r\nY:\r\n\r\n";
    check(
        &[("<", head), ("<", body), ("<", OK)],
        &["< 200 OK #? chunked", "< end #? 13 X=1 Y=", "< 200 OK #? length=2", "< end #? 2"],
    );
    let post = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n";
    check(
        &[(">", post), (">", "1\r\nx\r\n0\r\n\r\n"), (">", GET)],
        &[
            "> POST / HTTP/1.0 #0 chunked",
            "> ! length_and_transfer_encoding @0",
            "> ! transfer_encoding_in_10 @0",
            "> end #0 1",
            "> GET / HTTP/1.1 #1 none",
            "> end #1 0",
        ],
    );
}

#[test]
fn transfer_codings_that_do_not_end_in_chunked() {
    let cases: [(&str, &[&str]); 7] = [
        ("chunked, gzip", &["chunked_not_last"]),
        ("gzip", &["chunked_not_last"]),
        ("lalala", &["unknown_transfer_coding", "chunked_not_last"]),
        ("chunked, identity, gzip", &["unknown_transfer_coding", "chunked_not_last"]),
        (";chunked", &["unknown_transfer_coding", "chunked_not_last"]),
        ("xchunked", &["unknown_transfer_coding", "chunked_not_last"]),
        ("chunked\r\nTransfer-Encoding: gzip", &["chunked_not_last"]),
    ];
    for (codings, kinds) in cases {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n");
        let anomalies: Vec<String> = kinds.iter().map(|kind| format!("< ! {kind} @0")).collect();
        let mut expected = vec!["< 200 OK #? until-close"];
        expected.extend(anomalies.iter().map(String::as_str));
        expected.push("< end #? 5");
        check(&[("<", &head), ("<", "0\r\n\r\n"), ("< fin", "")], &expected);
    }
    let twice = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n";
    check(&[("<", twice)], &["< 200 OK #? chunked", "< ! chunked_not_last @0", "< end #? 0"]);
    let identity = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx";
    check(
        &[("<", identity)],
        &[
            "< 200 OK #? length=1",
            "< ! unknown_transfer_coding @0",
            "< ! length_and_transfer_encoding @0",
            "< end #? 1",
        ],
    );
}

#[test]
fn lengths_by_rules_5_and_6() {
    let cases: [(&str, &str, &[&str]); 8] = [
        ("1", "length=1", &[]),
        ("1\r\nContent-Length: 1", "length=1", &["length_repeated"]),
        ("1, 1", "length=1", &["length_repeated"]),
        ("2\r\ncontent-length: 1", "length=1", &["lengths_differ"]),
        ("-1", "until-close", &["length_invalid"]),
        ("0x1", "until-close", &["length_invalid"]),
        ("18446744073709551616", "until-close", &["length_invalid"]),
        ("1\r\nContent-Length: x", "until-close", &["length_invalid"]),
    ];
    for (value, framing, kinds) in cases {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
        let first = format!("> POST / HTTP/1.1 #0 {framing}");
        let anomalies: Vec<String> = kinds.iter().map(|kind| format!("> ! {kind} @0")).collect();
        let mut expected = vec![first.as_str()];
        expected.extend(anomalies.iter().map(String::as_str));
        expected.push("> end #0 1");
        check(&[(">", &head), (">", "x"), ("> fin", "")], &expected);
    }
    check(
        &[(">", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n"), (">", GET)],
        &[
            "> POST / HTTP/1.1 #0 none",
            "> ! length_invalid @0",
            "> end #0 0",
            "> GET / HTTP/1.1 #1 none",
            "> end #1 0",
        ],
    );
}

#[test]
fn bodies_until_close_by_rules_7_and_8() {
    let script = [(">", GET), ("<", "HTTP/1.0 200 OK\r\n\r\n"), ("<", "abc"), ("< fin", "")];
    let head = ["> GET / HTTP/1.1 #0 none", "> end #0 0", "< 200 OK #0 until-close"];
    let mut expected = head.to_vec();
    expected.push("< end #0 3");
    check(&script, &expected);
    *expected.last_mut().unwrap() = "< end #0 3 FlowEnd";
    check(&script[..3], &expected);
    *expected.last_mut().unwrap() = "< end #0 3 Rst";
    check(&[script[0], script[1], script[2], ("< rst", "")], &expected);
}

#[test]
fn messages_cut_short() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    check(&[("<", length), ("< fin", "")], &["< 200 OK #? length=9", "< end #? 3 Fin"]);
    check(&[("<", length), ("< rst", "")], &["< 200 OK #? length=9", "< end #? 3 Rst"]);
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    check(&[("<", chunk), ("< fin", "")], &["< 200 OK #? chunked", "< end #? 3 Fin"]);
    let trailer = format!("{chunk}0\r\nX: 1");
    check(&[("<", &trailer)], &["< 200 OK #? chunked", "< end #? 3 FlowEnd"]);
    check(
        &[(">", GET), (">", "GET / HT"), ("> fin", "")],
        &["> GET / HTTP/1.1 #0 none", "> end #0 0", "> ! cut_head @18"],
    );
}

#[test]
fn broken_chunks_end_the_message_and_the_next_is_searched() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(
        &[(">", GET), ("<", head), ("<", "3\r\nabc\r\nzz\r\nHTTP/1.1 204 x\r\n\r\n")],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "< 200 OK #0 chunked",
            "< ! invalid_chunk_size @55",
            "< end #0 3 Invalid",
            "< 204 x #? none",
            "< end #? 0",
        ],
    );
}

/// What `httparse` takes as it is, and what has to be mended first, with the place of each oddity.
#[test]
fn odd_heads() {
    let check = |head: &str, first: &str, headers: &[(&str, &str)], anomalies: &[&str]| {
        for piece in [usize::MAX, 1, 7] {
            let talk = play(HttpParser::default(), &[(">", head)], piece);
            let lines: Vec<String> = talk.out.iter().map(line).collect();
            let mut expected = vec![first.to_owned()];
            expected.extend(anomalies.iter().map(|anomaly| format!("> ! {anomaly}")));
            expected.push("> end #0 0".to_owned());
            assert_eq!(lines, expected, "{head:?} by {piece}");
            let HttpMessage::Request(request) = &talk.out[0] else { panic!("{head:?}") };
            let found: Vec<_> = request
                .headers()
                .iter()
                .map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()))
                .collect();
            let found: Vec<_> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(found, headers, "{head:?} by {piece}");
            assert_eq!(request.headers().raw(), head.as_bytes());
        }
    };
    let get = "> GET / HTTP/1.1 #0 none";
    check("GET / HTTP/1.1\r\nA: b \r\n\r\n", get, &[("A", "b")], &[]);
    check("GET / HTTP/1.1\nA: b\n\n", get, &[("A", "b")], &["bare_lf @14"]);
    check("GET / HTTP/1.1\r\nA: b \n\r\n", get, &[("A", "b")], &["bare_lf @21"]);
    check("GET / HTTP/1.1\r\nA:\n\r\n", get, &[("A", "")], &["bare_lf @18"]);
    check("GET / HTTP/1.1\r\nA: b\r\n\n", get, &[("A", "b")], &["bare_lf @22"]);
    check("GET / HTTP/1.1\r\nA : b\r\n\r\n", get, &[("A", "b")], &["space_before_colon @17"]);
    check(
        "GET / HTTP/1.1\r\nA: b\r\n c\r\nD: e\r\n\r\n",
        get,
        &[("A", "b\r\n c"), ("D", "e")],
        &["obs_fold @22"],
    );
    check("GET / HTTP/1.1\r\n A: b\r\nC: d\r\n\r\n", get, &[("C", "d")], &["invalid_header @16"]);
    check("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", get, &[("A", "b\rC: d")], &["bare_cr @20"]);
    check("GET / HTTP/1.1\r\nA: \0b\r\n\r\n", get, &[("A", "\0b")], &["control_byte @19"]);
    check(
        "GET / HTTP/1.1\r\nA\0: b\r\nC: d\r\n\r\n",
        get,
        &[("C", "d")],
        &["invalid_header @16", "control_byte @17"],
    );
    check(
        "GET / HTTP/1.1\r\nnone\r\n: x\r\nC: d\r\n\r\n",
        get,
        &[("C", "d")],
        &["invalid_header @16"],
    );
    let spaced = "> GET /a b HTTP/1.1 #0 none";
    check("GET /a b HTTP/1.1\r\n\r\n", spaced, &[], &["invalid_target @4"]);
    check("GET  / HTTP/1.1\r\n\r\n", get, &[], &["invalid_target @5"]);
    check("GET / HTTP/1.7\r\n\r\n", "> GET / HTTP/1.7 #0 none", &[], &["invalid_version @0"]);
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        get,
        &[("Host", "a"), ("Host", "b")],
        &["host_repeated @0"],
    );
    check(
        "GET /\u{e9} HTTP/1.1\r\nA: \u{e9}\r\n\r\n",
        "> GET /\u{e9} HTTP/1.1 #0 none",
        &[("A", "\u{e9}")],
        &[],
    );
}

#[test]
fn odd_status_lines() {
    let end = "< end #? 0";
    let none = "\r\nContent-Length: 0\r\n\r\n";
    let check = |first: &str, expected: &str, anomalies: &[&str]| {
        let mut lines = vec![expected];
        lines.extend(anomalies);
        lines.push(end);
        check(&[("<", &format!("{first}{none}"))], &lines);
    };
    check("HTTP/1.1 200", "< 200 #? length=0", &[]);
    check("HTTP/1.1 200 ", "< 200 #? length=0", &[]);
    check("HTTP/1.1 200 \u{fc}", "< 200 \u{fc} #? length=0", &[]);
    check("HTTP/1.0 2XX OK", "< 2 OK #? length=0", &["< ! invalid_status @9"]);
    check("HTTP/1.1  200 OK", "< 200 OK #? length=0", &["< ! invalid_status @9"]);
    check("HTTP/3.0 200 OK", "< 200 OK #? length=0", &["< ! invalid_version @0"]);
}

#[test]
fn hosts() {
    let check = |head: &str, expected: Option<&str>| {
        let talk = play(HttpParser::default(), &[(">", head)], usize::MAX);
        let HttpMessage::Request(request) = &talk.out[0] else { panic!("{head}") };
        assert_eq!(request.host().map(String::from_utf8_lossy).as_deref(), expected, "{head}");
    };
    check("GET / HTTP/1.1\r\nHOST: a:80\r\n\r\n", Some("a:80"));
    check("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", Some("b"));
    check("GET http://u@b:8/x HTTP/1.1\r\n\r\n", Some("b:8"));
    check("GET http://b?x HTTP/1.1\r\nHost:\r\n\r\n", Some("b"));
    check("CONNECT c:443 HTTP/1.1\r\n\r\n", Some("c:443"));
    check("GET /?u=http://b/ HTTP/1.1\r\n\r\n", None);
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", Some(""));
}

#[test]
fn empty_lines_between_messages_are_passed_over() {
    check(
        &[(">", "\r\n\r\n"), (">", GET), (">", "\r\n"), (">", GET), ("<", "\r\n"), ("<", OK)],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "> GET / HTTP/1.1 #1 none",
            "> end #1 0",
            "< 200 OK #0 length=2",
            "< end #0 2",
        ],
    );
}

#[test]
fn sides_are_known_by_what_they_send() {
    let talk = play(HttpParser::default(), &[("<", GET), (">", OK)], 3);
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    assert_eq!(lines[2..], ["< 200 OK #0 length=2", "> end #0 2"]);
}

#[test]
fn http_09() {
    let script = [(">", "GET /old\r\n"), ("<", "<html>\r\n"), ("<", "x"), ("< fin", "")];
    let expected = ["> GET /old HTTP/0.9 #0 none", "> ! no_version @0", "> end #0 0", "< end #0 9"];
    check(&script, &expected);
    let out = play(HttpExchanges::default(), &script, 2).out;
    assert_eq!(exchanges(&out), ["0 GET /old -> - 9 SimpleResponse"]);
    // A server of today answers with a head.
    let mut expected = expected[..3].to_vec();
    expected.extend(["< 400 x #0 until-close", "< end #0 0"]);
    check(&[script[0], ("<", "HTTP/1.1 400 x\r\n\r\n"), ("< fin", "")], &expected);
}

#[test]
fn other_protocols_fail() {
    let failed = ParserStatus::Failed(ParseError::NotTheProtocol);
    for (to, from) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("\x16\x03\x01\x02", "\x16\x03\x03"),
        ("SSH-2.0-x\r\n", "SSH-2.0-y\r\n"),
    ] {
        for piece in [1, usize::MAX] {
            let talk = play(HttpParser::default(), &[(">", to), ("<", from)], piece);
            assert_eq!(talk.status, failed, "{to:?}");
        }
    }
    // Not by the first bytes: a flow may be joined in the middle. But not for ever.
    let text = "no such line\r\n".repeat(100);
    let config = HttpConfig::default().max_search(1000);
    for piece in [1, 999, usize::MAX] {
        let talk = play(HttpParser::with_config(config), &[(">", &text)], piece);
        assert_eq!(talk.status, failed);
    }
}

#[test]
fn what_a_server_answers_to_another_protocol_is_read() {
    for request in ["\x16\x03\x01\x02\x00\x01", "SSH-2.0-x\r\n", "\x01\x02\x03\x04", "AAAA\r\n\r\n"]
    {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        let talk = play(HttpExchanges::default(), &[(">", request), ("<", answer)], 3);
        assert_eq!(exchanges(&talk.out), ["0 - -> 400 0 Orphan"], "{request:?}");
    }
}

#[test]
fn icy_is_read_as_http_1_0() {
    let script = [
        (">", "GET /radio HTTP/1.0\r\n\r\n"),
        ("<", "ICY 200 OK\r\nicy-name: x\r\n\r\nmp3"),
        ("< fin", ""),
    ];
    let expected = [
        "> GET /radio HTTP/1.0 #0 none",
        "> end #0 0",
        "< 200 OK #0 until-close",
        "< ! invalid_version @0",
        "< end #0 3",
    ];
    let talk = play(HttpParser::default(), &script, 2);
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    assert_eq!(lines, expected);
    let HttpMessage::Response(response) = &talk.out[2] else { panic!() };
    assert_eq!(response.version(), HttpVersion::HTTP_10);
}

#[test]
fn tabs_separate_the_parts_of_a_request_line() {
    let script = [(">", "GET\t/a\tHTTP/1.1\r\nHost: a\r\n\r\n"), ("<", OK)];
    let talk = play(HttpParser::default(), &script, 1);
    let HttpMessage::Request(request) = &talk.out[0] else { panic!() };
    assert_eq!((request.method(), request.target()), ("GET", &b"/a"[..]));
    assert_eq!(line(&talk.out[1]), "> ! tab_in_request_line @3");
}

#[test]
fn the_host_is_that_of_the_absolute_target() {
    let check = |start: &str, host: Option<&str>, expected: Option<(&str, Option<u16>)>| {
        let field = host.map_or(String::new(), |host| format!("Host: {host}\r\n"));
        let text = format!("{start} HTTP/1.1\r\n{field}\r\n");
        let out = play(HttpParser::default(), &[(">", &text)], 99).out;
        let HttpMessage::Request(request) = &out[0] else { panic!("{out:?}") };
        let name = request.host_name().map(|name| std::str::from_utf8(name).unwrap());
        assert_eq!(name.map(|name| (name, request.host_port())), expected, "{text}");
    };
    check("GET /", Some("a.example:8080"), Some(("a.example", Some(8080))));
    check("GET /", Some("[::1]:81"), Some(("[::1]", Some(81))));
    check("GET /", Some("[::1]"), Some(("[::1]", None)));
    check("GET /", Some("::1"), Some(("::1", None)));
    check("GET /", Some("a:99999"), Some(("a:99999", None)));
    check("GET /", Some("a:"), Some(("a", None)));
    check("GET /", None, None);
    check("GET http://b.example:81/a", None, Some(("b.example", Some(81))));
    check("GET http://u:p@b.example/z", Some("a.example"), Some(("b.example", None)));
    check("CONNECT c.example:443", None, Some(("c.example", Some(443))));
}

#[test]
fn garbage_between_messages() {
    check(
        &[(">", GET), (">", "garbage\r\n"), (">", "GET / HTTP/1.1\n\n"), (">", GET), ("<", OK)],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "> ! garbage @18",
            "> GET / HTTP/1.1 #? none",
            "> end #? 0",
            "< 200 OK #0 length=2",
            "< end #0 2",
        ],
    );
    // What follows garbage is a response, and nobody knows of what.
    check(
        &[(">", GET), ("<", "\0HTTP/1.1 200 OK\r\n\r\n")],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "< ! garbage @0",
            "< 200 OK #? until-close",
            "< end #? 0 FlowEnd",
        ],
    );
}

#[test]
fn messages_that_follow_a_body_of_unknown_length() {
    let json = r#"{"POST":"HTTP/1.1 200","n":1}"#;
    check(
        &[
            ("> gap", "50"),
            (">", &format!("{json}POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}")),
            ("< gap", "40"),
            ("<", &format!("{json}HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
        ],
        &[
            "> POST /b HTTP/1.1 #? length=2",
            "> end #? 2",
            "< 404 Not Found #? length=0",
            "< end #? 0",
        ],
    );
}

#[test]
fn gaps_within_bodies() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    check(
        &[("<", length), ("< gap", "4"), ("<", "de"), ("<", OK)],
        &["< 200 OK #? length=9", "< end #? 5 missing=4 Gap", "< 200 OK #? length=2", "< end #? 2"],
    );
    check(
        &[("<", length), ("< gap", "6"), ("<", OK)],
        &["< 200 OK #? length=9", "< end #? 3 missing=6 Gap", "< 200 OK #? length=2", "< end #? 2"],
    );
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc";
    check(
        &[("<", chunk), ("< gap", "6"), ("<", "\r\n1\r\nd\r\n0\r\n\r\n"), ("<", OK)],
        &["< 200 OK #? chunked", "< end #? 4 missing=6 Gap", "< 200 OK #? length=2", "< end #? 2"],
    );
    let close = "HTTP/1.1 200 OK\r\n\r\nabc";
    check(
        &[("<", close), ("< gap", "99"), ("<", OK), ("< fin", "")],
        &["< 200 OK #? until-close", "< end #? 43 missing=99 Gap"],
    );
}

#[test]
fn gaps_that_hide_where_messages_begin() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    let asked =
        ["> GET / HTTP/1.1 #0 none", "> end #0 0", "> GET / HTTP/1.1 #1 none", "> end #1 0"];
    // Beyond the body: the second response may be in it.
    let mut expected = asked.to_vec();
    expected.extend([
        "< 200 OK #0 length=9",
        "< end #0 3 Lost",
        "< 200 OK #? length=2",
        "< end #? 2",
    ]);
    check(&[(">", GET), (">", GET), ("<", length), ("< gap", "7"), ("<", OK)], &expected);
    // In a head, of the first response perhaps; the one that follows may be to either.
    let mut expected = asked.to_vec();
    expected.extend(["< ! cut_head @0", "< 200 OK #? length=2", "< end #? 2"]);
    let cut = [(">", GET), (">", GET), ("<", "HTTP/1.1 2"), ("< gap", "7"), ("<", OK)];
    check(&cut, &expected);
    // With both answered, there is no doubt about the next.
    expected.extend(["< 200 OK #? length=2", "< end #? 2", "> GET / HTTP/1.1 #2 none"]);
    expected.extend(["> end #2 0", "< 200 OK #2 length=2", "< end #2 2"]);
    check(&[&cut[..], &[("<", OK), (">", GET), ("<", OK)]].concat(), &expected);
    // Requests may be missing: those behind are not paired.
    check(
        &[
            (">", GET),
            (">", "GET"),
            ("> gap", "7"),
            (">", "x: y\r\n\r\n"),
            (">", GET),
            ("<", OK),
            ("<", OK),
        ],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "> ! cut_head @18",
            "> GET / HTTP/1.1 #? none",
            "> end #? 0",
            "< 200 OK #0 length=2",
            "< end #0 2",
            "< 200 OK #? length=2",
            "< end #? 2",
        ],
    );
    // The octet of a keep-alive, seen first of a stream.
    check(
        &[("> gap", "0"), (">", "\0GET / HTTP/1.1\r\n\r\n")],
        &["> GET / HTTP/1.1 #? none", "> end #? 0"],
    );
    // At the start of a stream, and at the start of what was seen of one.
    check(
        &[("> gap", "0"), (">", "OST / HTTP/1.1\r\n\r\n"), (">", GET), ("<", OK)],
        &["> GET / HTTP/1.1 #? none", "> end #? 0", "< 200 OK #? length=2", "< end #? 2"],
    );
    check(
        &[("> gap", "7"), (">", "x\r\n"), (">", GET), ("<", OK)],
        &["> GET / HTTP/1.1 #? none", "> end #? 0", "< 200 OK #? length=2", "< end #? 2"],
    );
}

#[test]
fn without_pipelining_pairing_goes_on_after_a_gap() {
    let config = HttpConfig::default().pipelining(false);
    check_with(
        config,
        &[(">", GET), ("> gap", "20"), (">", GET), ("<", OK), (">", GET), ("<", OK)],
        &[
            "> GET / HTTP/1.1 #0 none",
            "> end #0 0",
            "> GET / HTTP/1.1 #1 none",
            "> end #1 0",
            "< 200 OK #1 length=2",
            "< end #1 2",
            "> GET / HTTP/1.1 #2 none",
            "> end #2 0",
            "< 200 OK #2 length=2",
            "< end #2 2",
        ],
    );
}

#[test]
fn bodies_if_asked_for() {
    let script = [
        ("<", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        ("<", "2\r\nde\r\n0\r\n\r\n"),
    ];
    check_with(
        HttpConfig::default().bodies(Bodies::Collect(4)),
        &script,
        &["< 200 OK #? chunked", "< body 0+abcd", "< end #? 5"],
    );
    let spans = HttpConfig::default().bodies(Bodies::Spans);
    let talk = play(HttpParser::with_config(spans), &script, usize::MAX);
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    assert_eq!(lines[1..3], ["< body 0+abc", "< body 3+de"]);
}

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
