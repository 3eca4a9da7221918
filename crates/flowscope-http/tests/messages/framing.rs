//! Where messages and their bodies end (RFC 9112 §6.3).

use super::*;

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

    // RFC 9110 §9.3.6: any 2xx, and no other.
    for (status, framing) in [(204, "tunnel"), (299, "tunnel"), (300, "length=0")] {
        let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        let head = format!("< {status} x #0 {framing}");
        check(&[(">", connect), ("<", &response)], &[asked[0], asked[1], &head, "< end #0 0"]);
    }

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
        assert_eq!(talk.status, ParserStatus::UpgradeTo("websocket"));
        assert_eq!(talk.out.len(), 4);
    }
    for (field, expected) in [
        ("upgrade: H2C", ParserStatus::UpgradeTo("http2")),
        ("Upgrade: TLS/1.2", ParserStatus::Upgrade),
        ("Server: a", ParserStatus::Upgrade),
    ] {
        let upgrade = format!("HTTP/1.1 101 Switching\r\n{field}\r\n\r\n");
        let script = [(">", GET), ("<", &*upgrade)];
        assert_eq!(play(HttpParser::default(), &script, usize::MAX).status, expected, "{field}");
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

/// One that names no coding is none (RFC 9112 §6.1): the length counts.
#[test]
fn an_empty_transfer_encoding_says_nothing_of_the_length() {
    for value in ["", " , "] {
        let head =
            format!("POST / HTTP/1.1\r\nTransfer-Encoding:{value}\r\nContent-Length: 1\r\n\r\n");
        check(
            &[(">", &head), (">", "x")],
            &[
                "> POST / HTTP/1.1 #0 length=1",
                "> ! unknown_transfer_coding @0",
                "> ! length_and_transfer_encoding @0",
                "> end #0 1",
            ],
        );
    }
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
    // Behind a gap, it would not be known where in the body the bytes belong.
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabc";
    check_with(
        HttpConfig::default().bodies(Bodies::Collect(8)),
        &[("<", length), ("< gap", "1"), ("<", "efgh")],
        &["< 200 OK #? length=8", "< body 0+abc", "< end #? 7 missing=1 Gap"],
    );
    let spans = HttpConfig::default().bodies(Bodies::Spans);
    let talk = play(
        HttpParser::with_config(spans),
        &[("<", length), ("< gap", "1"), ("<", "e"), ("< gap", "1"), ("<", "gh")],
        usize::MAX,
    );
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    let bodies = ["< body 0+abc", "< body 4+e", "< body 6+gh", "< end #? 6 missing=2 Gap"];
    assert_eq!(lines[1..], bodies);
    let talk = play(HttpParser::with_config(spans), &script, usize::MAX);
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    assert_eq!(lines[1..3], ["< body 0+abc", "< body 3+de"]);
}
