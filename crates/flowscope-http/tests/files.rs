//! Bodies as files.

mod common;
mod script;

use common::Talk;
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_http::{Bodies, FileInfo, HttpConfig, HttpExchanges, HttpMessage, HttpParser};
use script::{GET, OK, exchanges, play};
use sha2::{Digest, Sha256};

fn config() -> HttpConfig {
    HttpConfig::default().bodies(Bodies::Files(0))
}

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

/// The files of the only exchange of a script, whatever its pieces: request, response.
fn files(script: &[(&str, &str)]) -> [Option<FileInfo>; 2] {
    let of = |piece| {
        let talk = play(HttpExchanges::with_config(config()), script, piece);
        let [exchange] = &talk.out[..] else { panic!("{script:#?}: {:#?}", talk.out) };
        [&exchange.request_file, &exchange.response_file].map(|file| file.as_deref().cloned())
    };
    let whole = of(usize::MAX);
    for piece in [1, 3, 64] {
        assert_eq!(of(piece), whole, "{script:#?} by {piece}");
    }
    whole
}

#[test]
fn both_bodies_are_files_without_their_framing() {
    let request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                   9;x=y\r\n%PDF-1.7\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n";
    let [request, response] = files(&[(">", request), ("<", OK)]);
    let request = request.expect("the request has a body");
    assert_eq!((request.seen_bytes, request.mime_type), (12, Some("application/pdf")));
    assert_eq!(request.sha256, sha256(b"%PDF-1.7\nabc"));
    let response = response.expect("the response has a body");
    assert_eq!((response.sha256, response.mime_type), (sha256(b"hi"), None));
}

#[test]
fn a_body_up_to_the_close_is_whole_if_its_sender_closed() {
    let head = "HTTP/1.1 200 OK\r\n\r\n<html><p>";
    let hash = |end: &[(&str, &str)]| {
        let script = [&[(">", GET), ("<", head)], end].concat();
        let [_, file] = files(&script);
        let file = file.expect("there is a body");
        assert_eq!((file.seen_bytes, file.mime_type), (9, Some("text/html")));
        (file.sha256, file.is_cut)
    };
    assert_eq!(hash(&[("< fin", "")]), (sha256(b"<html><p>"), false));
    assert_eq!(hash(&[("< rst", "")]), (None, true));
    assert_eq!(hash(&[]), (None, true));
}

#[test]
fn a_body_that_is_cut_or_has_a_gap_has_no_hash() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
    let file = |rest: &[(&str, &str)]| {
        let [_, file] = files(&[&[(">", GET), ("<", head)], rest].concat());
        file.map(|file| (file.seen_bytes, file.missing_bytes, file.mime_type, file.sha256))
    };
    let pdf = Some("application/pdf");
    assert_eq!(file(&[("<", "%PDF-1.7\n"), ("< fin", "")]), Some((9, 0, pdf, None)));
    assert_eq!(file(&[("<", "%PDF-1.7\n"), ("< gap", "11")]), Some((9, 11, pdf, None)));
    assert_eq!(
        file(&[("<", "%PDF-1.7\n"), ("< gap", "10"), ("<", "x")]),
        Some((10, 10, pdf, None))
    );
    // What follows a gap is no start of a file.
    assert_eq!(file(&[("< gap", "11"), ("<", "%PDF-1.7\n")]), Some((9, 11, None, None)));
    assert_eq!(file(&[("< gap", "20")]), None);
}

#[test]
fn what_has_no_body_has_no_file() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(files(&[(">", GET), ("<", response)]), [None, None]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(files(&[(">", GET), ("<", chunked)]), [None, None]);
    let response = "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(files(&[(">", GET), ("<", response)]), [None, None]);
}

#[test]
fn the_files_of_pipelined_requests_are_their_own() {
    let posts = "POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nb";
    let talk = play(HttpExchanges::with_config(config()), &[(">", posts), ("<", OK), ("<", OK)], 5);
    let hashes: Vec<_> = talk
        .out
        .iter()
        .map(|exchange| exchange.request_file.as_ref().and_then(|file| file.sha256))
        .collect();
    assert_eq!(hashes, [sha256(b"a"), sha256(b"b")]);
    let lines = ["0 POST /a -> 200 2 Answered", "1 POST /b -> 200 2 Answered"];
    assert_eq!(exchanges(&talk.out), lines);
}

#[test]
fn as_much_of_a_body_is_kept_as_asked_for() {
    let post =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    for (most, kept) in [(0, ""), (3, "abc"), (4, "abcd"), (usize::MAX, "abcd")] {
        let config = HttpConfig::default().bodies(Bodies::Files(most));
        let talk = play(HttpExchanges::with_config(config), &[(">", post), ("<", OK)], 1);
        let file = talk.out[0].request_file.as_ref().expect("there is a body");
        assert_eq!(file.content, kept.as_bytes());
        assert_eq!(file.is_kept(), kept.len() == 4);
        assert_eq!(file.sha256, sha256(b"abcd"));
    }
}

#[test]
fn messages_have_them_at_their_end() {
    let talk = play(HttpParser::with_config(config()), &[(">", GET), ("<", OK)], usize::MAX);
    let ends: Vec<_> = talk
        .out
        .iter()
        .filter_map(|message| match message {
            HttpMessage::End(end) => Some(end.file.as_ref().and_then(|file| file.sha256)),
            HttpMessage::Body(body) => panic!("{body:?}"),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [None, sha256(b"hi")]);
}

#[test]
fn nothing_is_examined_unless_asked_for() {
    let talk = play(HttpExchanges::default(), &[(">", GET), ("<", OK)], usize::MAX);
    assert_eq!(talk.out.len(), 1);
    assert!(talk.out[0].response_file.is_none());
}

#[test]
fn memory_does_not_grow_with_a_body() {
    let mut talk = Talk::new(HttpExchanges::with_config(config()));
    talk.send(Initiator, GET.as_bytes());
    talk.send(Responder, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    for _ in 0..10_000 {
        talk.send(Responder, &[b'x'; 100]);
    }
    assert!(talk.most_held < 16 * 1024, "{}", talk.most_held);
    let file = talk.out[0].response_file.as_ref().expect("there is a body");
    assert_eq!(file.sha256, sha256(&[b'x'; 1_000_000]));
}

/// Name, length and hash of each file in the form of a request, whatever its pieces.
fn form(script: &[(&str, &str)]) -> Vec<(String, u64, Option<[u8; 32]>)> {
    let of = |piece| {
        let talk = play(HttpExchanges::with_config(config()), script, piece);
        let [exchange] = &talk.out[..] else { panic!("{script:#?}: {:#?}", talk.out) };
        exchange.request_form.as_deref().cloned()
    };
    let whole = of(usize::MAX);
    for piece in [1, 3, 64] {
        assert_eq!(of(piece), whole, "{script:#?} by {piece}");
    }
    let files = whole.map(|form| form.files).unwrap_or_default();
    let name =
        |name: Option<Vec<u8>>| String::from_utf8_lossy(&name.unwrap_or_default()).into_owned();
    files
        .into_iter()
        .map(|file| (name(file.name), file.info.seen_bytes, file.info.sha256))
        .collect()
}

#[test]
fn a_form_has_files_beside_the_one_that_it_is() {
    let head = |kind: &str| {
        format!(
            "POST / HTTP/1.1\r\nContent-Type: {kind}; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
    };
    // In chunks that end anywhere.
    let chunks = "4e\r\n--x\r\nContent-Disposition: form-data; name=a; filename=a.txt\r\n\r\nab\r\n--x\r\nConten\r\n\
                  42\r\nt-Disposition: form-data; name=b; filename=b\r\n\r\n\r\n--not x\r\n--x--\r\n0\r\n\r\n";
    let request = |kind: &str| head(kind) + chunks;
    let found = form(&[(">", &request("Multipart/Form-Data")), ("<", OK)]);
    let expected = [("a.txt", &b"ab"[..]), ("b", b"\r\n--not x")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.len() as u64, sha256(text)));
    assert_eq!(found, expected);
    assert_eq!(form(&[(">", &request("multipart/mixed")), ("<", OK)]), []);
    let [file, _] = files(&[(">", &request("multipart/form-data")), ("<", OK)]);
    assert_eq!(file.expect("the body is one file").seen_bytes, 0x4e + 0x42);
    // A form of which nothing was captured is no file.
    let empty = "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(files(&[(">", empty), ("<", OK)])[0], None);
}
