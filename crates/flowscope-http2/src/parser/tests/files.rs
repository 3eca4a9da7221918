//! Contents as files.

use flowscope_files::{FileHasher, FileInfo};
use sha2::{Digest, Sha256};

use super::*;

const PADDED: u8 = 8;
/// `POST http://a/`.
const POST: &[u8] = b"\x83\x86\x84\x41\x01a";

fn examining() -> Connection {
    Connection::of(Http2Parser::with_files(0))
}

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

fn data(flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(frame::DATA, flags, stream, payload)
}

/// A header section of a response with this Content-Length.
fn ok(length: &str) -> Vec<u8> {
    [&b"\x88\x5c"[..], &[length.len() as u8], length.as_bytes()].concat()
}

/// The file of the only response.
#[track_caller]
fn response(connection: Connection) -> FileInfo {
    *only(connection.end()).response_file.expect("the response has content")
}

#[test]
fn contents_of_streams_at_once_are_files_of_their_own() {
    let mut connection = examining();
    connection.client(&headers(END_HEADERS, 1, POST)).client(&headers(END_HEADERS, 3, POST));
    connection.client(&data(PADDED, 1, b"\x03%PDF-1\0\0\0")).client(&data(0, 3, b"GIF"));
    connection.client(&data(END_STREAM, 1, b".7\n")).client(&data(END_STREAM, 3, b"89a"));
    for stream in [3, 1] {
        connection.server(&headers(END_HEADERS, stream, b"\x88"));
        connection.server(&data(0, stream, b"o")).server(&data(END_STREAM, stream, b"k"));
    }
    let [gif, pdf] = <[_; 2]>::try_from(connection.end()).unwrap();
    let request = |exchange: &Http2Exchange| exchange.request_file.as_deref().cloned().unwrap();
    assert_eq!(request(&pdf).sha256, sha256(b"%PDF-1.7\n"));
    assert_eq!(request(&pdf).mime_type, Some("application/pdf"));
    assert_eq!(
        (request(&gif).sha256, request(&gif).mime_type),
        (sha256(b"GIF89a"), Some("image/gif"))
    );
    for exchange in [&gif, &pdf] {
        let response = exchange.response_file.as_deref().unwrap();
        assert_eq!((response.sha256, response.seen_bytes), (sha256(b"ok"), 2));
    }
}

#[test]
fn trailers_end_a_content_and_resets_cut_it() {
    let begun = || {
        let mut connection = examining();
        connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
        connection.server(&data(0, 1, b"hello"));
        connection
    };
    let hash = |file: FileInfo| (file.sha256, file.is_cut);
    let mut connection = begun();
    connection.server(&headers(BOTH, 1, b"\0\x01a\x01b"));
    assert_eq!(hash(response(connection)), (sha256(b"hello"), false));
    let mut connection = begun();
    connection.server(&frame(frame::RST_STREAM, 0, 1, &[0; 4]));
    assert_eq!(hash(response(connection)), (None, true));
    assert_eq!(hash(response(begun())), (None, true));
}

#[test]
fn a_content_shorter_than_declared_is_cut() {
    let file = |length, content: &[u8]| {
        let mut connection = examining();
        connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, &ok(length)));
        connection.server(&data(END_STREAM, 1, content));
        let file = response(connection);
        (file.sha256, file.is_cut)
    };
    assert_eq!(file("5", b"hello"), (sha256(b"hello"), false));
    assert_eq!(file("6", b"hello"), (None, true));
    // What is no length declares none.
    assert_eq!(file("6x", b"hello"), (sha256(b"hello"), false));
    assert_eq!(file("18446744073709551616", b"hello"), (sha256(b"hello"), false));
}

#[test]
fn a_gap_within_a_frame_leaves_no_hash_and_streams_go_on() {
    let mut connection = examining();
    connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, &ok("9")));
    connection.server(&data(0, 1, b"%PDF-1.7\n")[..14]).gap(Responder, 4);
    connection.client(&headers(BOTH, 3, AGAIN)).server(&headers(END_HEADERS, 3, b"\x88"));
    connection.server(&data(END_STREAM, 3, b"hi")).server(&data(END_STREAM, 1, b""));
    let [whole, lossy] = <[_; 2]>::try_from(connection.end()).unwrap();
    assert_eq!(whole.response_file.unwrap().sha256, sha256(b"hi"));
    let lossy = lossy.response_file.unwrap();
    assert_eq!((lossy.seen_bytes, lossy.missing_bytes, lossy.sha256), (5, 4, None));
    assert_eq!((lossy.is_cut, lossy.mime_type), (false, Some("application/pdf")));
}

#[test]
fn what_follows_a_gap_is_no_start() {
    let mut connection = examining();
    connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
    connection.server(&data(0, 1, b"x")[..9]).gap(Responder, 1);
    connection.server(&data(END_STREAM, 1, b"%PDF-1.7\n"));
    let file = response(connection);
    assert_eq!((file.seen_bytes, file.missing_bytes, file.mime_type), (9, 1, None));
}

#[test]
fn messages_without_content_tunnels_and_what_is_not_asked_for_have_none() {
    let mut connection = examining();
    connection.client(&headers(BOTH, 1, GET)).server(&headers(BOTH, 1, &ok("5")));
    // CONNECT a.
    connection.client(&headers(END_HEADERS, 3, b"\x02\x07CONNECT\x41\x01a"));
    connection.server(&headers(END_HEADERS, 3, b"\x88")).server(&data(END_STREAM, 3, b"SSH-"));
    connection.client(&data(END_STREAM, 3, b"SSH-"));
    let mut others = Connection::new();
    others.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
    others.server(&data(END_STREAM, 1, b"hello"));
    let exchanges = [connection.end(), others.end()].concat();
    assert_eq!(exchanges.len(), 3);
    for exchange in exchanges {
        assert_eq!((exchange.request_file, exchange.response_file), (None, None));
    }
}

#[test]
fn as_much_is_kept_as_asked_for() {
    for (most, kept) in [(0, ""), (3, "hel"), (5, "hello"), (usize::MAX, "hello")] {
        let mut connection = Connection::of(Http2Parser::with_files(most));
        connection.client(&headers(BOTH, 1, GET)).server(&headers(END_HEADERS, 1, b"\x88"));
        connection.server(&data(0, 1, b"he")).server(&data(END_STREAM, 1, b"llo"));
        let file = response(connection);
        assert_eq!((&*file.content, file.is_kept()), (kept.as_bytes(), kept.len() == 5));
    }
}

#[test]
fn memory_is_bounded_however_many_streams_are_open() {
    let most = 256 * 1024;
    let mut connection = Connection::of(Http2Parser::with_files(most));
    for stream in (1..256).step_by(2) {
        connection.client(&headers(END_HEADERS, stream, POST));
        connection.server(&headers(END_HEADERS, stream, b"\x88"));
    }
    let opened = connection.parser.heap_bytes();
    let mut held = 0;
    for _ in 0..40 {
        for stream in (1..256).step_by(2) {
            connection.client(&data(0, stream, &[b'x'; 1500]));
            connection.server(&data(0, stream, &[b'y'; 8000]));
            held = held.max(connection.parser.heap_bytes() - opened);
        }
    }
    let bound = 128 * 2 * (size_of::<FileHasher>() + 2 * FileHasher::MAX_START) + 6 * most;
    assert!(most < held && held < bound, "{held} of {bound}");
    let exchanges = connection.end();
    // The bound of files ends no stream.
    assert_eq!(exchanges.len(), 128);
    let kept = |exchange: &Http2Exchange| exchange.response_file.as_ref().unwrap().content.len();
    assert!(exchanges.iter().any(|exchange| kept(exchange) > 8000));
}

#[test]
fn a_form_has_files_beside_the_one_that_it_is() {
    let kind = b"multipart/form-data; boundary=x";
    let block = [POST, b"\x5f", &[kind.len() as u8], kind].concat();
    let mut connection = examining();
    connection.client(&headers(END_HEADERS, 1, &block));
    let body =
        b"--x\r\nContent-Disposition: form-data; name=f; filename=a.txt\r\n\r\nabc\r\n--x--\r\n";
    let (first, second) = body.split_at(40);
    connection.client(&data(0, 1, first)).client(&data(END_STREAM, 1, second));
    connection.server(&headers(END_HEADERS | END_STREAM, 1, b"\x88"));
    let exchange = only(connection.end());
    assert_eq!(exchange.request_file.expect("it is one").sha256, sha256(body));
    let form = exchange.request_form.expect("it has a file");
    assert_eq!(form.files[0].name.as_deref(), Some(&b"a.txt"[..]));
    assert_eq!((form.files.len(), form.files[0].info.sha256), (1, sha256(b"abc")));
}
