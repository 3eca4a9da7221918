//! Where messages begin again behind garbage, gaps and bodies of unknown length.

use super::*;

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
