//! Messages of HTTP/1 that cost their reader more than their sender, or that two readers read differently.

use flowscope_core::FlowSide::{Initiator, Responder};

use super::talk::{SEGMENT, connection, repeated};
use super::{Attack, Fate};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// All of this module; about `volume` packets each, in connections of a megabyte at most.
pub fn list(volume: usize) -> Vec<Attack> {
    let bytes = (volume * SEGMENT).min(1 << 20);
    let all = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    // A request of these bytes, and an answer.
    let request = |make: fn(usize) -> Vec<u8>| -> super::Packets {
        let turns = move || [(Initiator, make(bytes)), (Responder, ok(b"hi"))];
        Box::new(repeated(volume, move |n| connection(n, 80, SEGMENT, turns())))
    };
    // A request, and an answer of these bytes.
    let answer = |make: fn(usize) -> Vec<u8>| -> super::Packets {
        let turns = move || [(Initiator, GET.to_vec()), (Responder, make(bytes))];
        Box::new(repeated(volume, move |n| connection(n, 80, SEGMENT, turns())))
    };
    vec![
        all("65536 header fields", request(fields)),
        all("a header field of a megabyte", request(long_field)),
        all("a request line without end", request(endless_line)),
        all("a header folded over and over", request(folded)),
        all("the same length again and again", request(lengths)),
        all("length and transfer coding", request(smuggled)),
        all("10000 requests in a row", request(|len| repeat(GET, len.min(10_000 * GET.len())))),
        all("chunks of 2^64-1 bytes", answer(endless_chunk)),
        all("chunks of one byte", answer(|len| chunks(b"1\r\nx\r\n", len))),
        all("chunk extensions", answer(|len| chunks(&extended_chunk(), len))),
        all("chunk sizes of many zeros", answer(zeros)),
        all("trailers without end", answer(trailers)),
        all("interim responses without end", answer(|len| repeat(b"HTTP/1.1 100 Go\r\n\r\n", len))),
        all("responses without requests", answer(|len| repeat(&ok(b"x"), len))),
        all("an upgrade and noise", answer(upgrade)),
        all("a response split over lines", answer(split)),
    ]
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn repeat(unit: &[u8], len: usize) -> Vec<u8> {
    unit.repeat(len.div_ceil(unit.len()).max(1))
}

fn request(fields: &[u8]) -> Vec<u8> {
    [b"POST /a HTTP/1.1\r\nHost: a.example\r\n".as_slice(), fields, b"\r\n"].concat()
}

fn fields(len: usize) -> Vec<u8> {
    request(&(0..(len / 6).min(65_536)).flat_map(|_| *b"a: b\r\n").collect::<Vec<_>>())
}

fn long_field(len: usize) -> Vec<u8> {
    request(&[b"Cookie: ".as_slice(), &vec![b'c'; len], b"\r\n"].concat())
}

fn endless_line(len: usize) -> Vec<u8> {
    [b"GET /".as_slice(), &vec![b'a'; len]].concat()
}

fn folded(len: usize) -> Vec<u8> {
    request(&[b"X: a\r\n".as_slice(), &repeat(b" b\r\n", len)].concat())
}

fn lengths(len: usize) -> Vec<u8> {
    request(&repeat(b"Content-Length: 5\r\n", len.min(60_000)))
}

fn smuggled(len: usize) -> Vec<u8> {
    let both = [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "Content-Length: +1\r\n\r\na",
        "Content-Length: 18446744073709551616\r\n\r\na",
        "Transfer-Encoding:\x0bchunked\r\nContent-Length: 3\r\n\r\nabc",
    ];
    let all: Vec<u8> = both
        .iter()
        .flat_map(|text| format!("POST / HTTP/1.1\r\nHost: a\r\n{text}").into_bytes())
        .collect();
    repeat(&all, len)
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), body].concat()
}

fn endless_chunk(len: usize) -> Vec<u8> {
    chunked(&[b"ffffffffffffffff\r\n".as_slice(), &vec![b'z'; len]].concat())
}

fn chunks(chunk: &[u8], len: usize) -> Vec<u8> {
    chunked(&[&repeat(chunk, len), b"0\r\n\r\n".as_slice()].concat())
}

fn extended_chunk() -> Vec<u8> {
    [b"1;".as_slice(), &[b'e'; 200], b"=\"v\"\r\nx\r\n"].concat()
}

fn zeros(len: usize) -> Vec<u8> {
    chunked(&[&vec![b'0'; len], b"1\r\nx\r\n0\r\n\r\n".as_slice()].concat())
}

fn trailers(len: usize) -> Vec<u8> {
    chunked(&[b"0\r\n".as_slice(), &repeat(b"t: u\r\n", len)].concat())
}

fn upgrade(len: usize) -> Vec<u8> {
    let head = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n";
    [head.as_slice(), &repeat(&[0x81, 0xfe, 0xff, 0x00, 0x0a], len)].concat()
}

fn split(len: usize) -> Vec<u8> {
    repeat(b"HTTP/1.1 200 OK\nA: b\r\r\nContent-Length : 1\n\nx", len)
}
