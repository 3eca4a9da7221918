//! Start lines and fields that are out of the ordinary.

use super::*;

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
    check(
        "GET / HTTP/1.1\r\nA : b\n\r\n",
        get,
        &[("A", "b")],
        &["bare_lf @21", "space_before_colon @17"],
    );
    // A line of one character is no empty line.
    check(
        "GET / HTTP/1.1\r\nx\nA: b\r\n\r\n",
        get,
        &[("A", "b")],
        &["bare_lf @17", "invalid_header @16"],
    );
    check("GET / HTTP/1.1 \r\n\r\n", get, &[], &["invalid_target @4"]);
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
    let both = ["< ! bare_cr @14", "< ! invalid_status @9"];
    check("HTTP/1.0 2XX O\rK", "< 2 O\rK #? length=0", &both);
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
