//! Input made to cost more than it should: what is held stays bounded, and nothing panics.

use flowscope_core::{ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_tls::{TlsHandshakes, TlsParser};

use crate::support::*;

/// Feeds one side in pieces of `size`; what is held never exceeds `bound`.
fn bounded(bytes: &[u8], size: usize, bound: usize) -> Vec<String> {
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    for bytes in bytes.chunks(size) {
        let feed = StreamChunk::new(I, Timestamp::ZERO, 0, bytes);
        if !matches!(parser.feed_into(feed, &mut out), ParserStatus::Continue) {
            break;
        }
        assert!(parser.heap_bytes() <= bound, "{} bytes held", parser.heap_bytes());
    }
    out.iter().map(describe).collect()
}

#[test]
fn one_byte_records() {
    let hello = client13("slow.example").ext(21, vec![0; 60_000]).client();
    let said = bounded(&records(&hello, 1), 1, hello.len());
    assert_eq!(said, ["I client TLS 1.3 slow.example"]);
}

#[test]
fn fifty_records() {
    let hello = client13("slow.example").ext(51, vec![0; 1300]).client();
    assert_eq!(bounded(&records(&hello, hello.len() / 49), 1000, 2000).len(), 1);
}

#[test]
fn empty_records() {
    let nothing = record(22, &[]).repeat(100_000);
    let bytes = [nothing, clear(&[&client13("x").client()])].concat();
    assert_eq!(bounded(&bytes, 1448, 0), ["I client TLS 1.3 x"]);
}

#[test]
fn the_longest_message() {
    for kind in [1, 2, 11] {
        let start = record(22, &[kind, 0xff, 0xff, 0xff]);
        let body = record(22, &[kind; 0x4000]);
        let bytes = [start, body.repeat(1023), record(22, &[0; 0x3fff])].concat();
        let bytes = [bytes, clear(&[&client13("after").client()])].concat();
        let said = bounded(&bytes, 1 << 20, 0);
        let anomaly = format!("I anomaly in {kind}: TooLong(16777215)");
        assert_eq!(said, [&anomaly[..], "I client TLS 1.3 after"]);
    }
}

#[test]
fn a_message_that_never_ends() {
    // Just within the bound, and only begun: no more is held than has come, twice at most.
    let start = record(22, &[1, 1, 0, 0]);
    bounded(&[start.clone(), record(22, &[0; 1000])].concat(), 100, 2000);
    bounded(&[start, record(22, &[0; 0x3000]).repeat(5)].concat(), 100, 65_536);
}

#[test]
fn what_is_given_up_is_let_go() {
    let start = record(22, &[&[1, 0, 200, 0][..], &[3; 4000]].concat());
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    feed(&mut parser, &[(I, start.clone()), (R, start)], 1448);
    assert!(parser.heap_bytes() >= 8000);
    parser.gap(I, 1, &mut out);
    assert!((4000..=8000).contains(&parser.heap_bytes()), "{}", parser.heap_bytes());
    feed(&mut parser, &[(R, b"no record".to_vec())], 1448);
    assert_eq!(parser.heap_bytes(), 0);
}

#[test]
fn four_thousand_extensions() {
    let mut hello = client13("many.example");
    hello.extensions.extend((0..4000).map(|n| (n + 1000, vec![1, 2])));
    let message = hello.client();
    let said = bounded(&records(&message, 0x4000), 1448, message.len());
    assert_eq!(said, ["I client TLS 1.3 many.example"]);
    let (out, _) = feed(&mut TlsParser::default(), &[(I, records(&message, 0x4000))], 1 << 20);
    let [flowscope_tls::TlsMessage::ClientHello(hello)] = &out[..] else { panic!() };
    assert_eq!(hello.extensions().count(), 4003);
    assert!(hello.ja4().unwrap().as_str().starts_with("t13d029900_"));
    assert!(hello.ja3().unwrap().string.len() < 4003 * 6);
}

#[test]
fn all_cipher_suites() {
    let all: Vec<u16> = (0..32_700).collect();
    let message = hello(0x0303, &all).client();
    let (out, _) = feed(&mut TlsParser::default(), &[(I, records(&message, 0x4000))], 1 << 20);
    let [flowscope_tls::TlsMessage::ClientHello(hello)] = &out[..] else { panic!() };
    assert_eq!(hello.ciphers().count(), 32_700);
    assert!(hello.ja4().unwrap().as_str().starts_with("t12i990000_"));
    // More of them than fit the length field's even values: the message is over the bound.
    let body = hello_with_ciphers(65_534);
    let said = bounded(&records(&message_of(&body), 0x4000), 1448, 65_536);
    assert_eq!(said, [format!("I anomaly in 1: TooLong({})", body.len())]);
}

#[test]
fn floods_of_messages() {
    for flood in [record(21, &[1, 90].repeat(8000)), clear(&[&message(1, &[]).repeat(4000)])] {
        let bytes = flood.repeat(10);
        for size in [1448, 1 << 20] {
            assert_eq!(bounded(&bytes, size, 0).len(), 64);
        }
        // The other side is still read.
        let dialogue = [(I, bytes), (R, clear(&[&server13().server()]))];
        let (said, status) = parse(&TlsParser::default(), &dialogue, 1448);
        assert_eq!(said.last().unwrap(), "R server TLS 1.3 1301");
        assert_eq!(status, ParserStatus::Continue);
    }
}

fn hello_with_ciphers(bytes: usize) -> Vec<u8> {
    let list = vec![1; bytes];
    [&[3, 3][..], &[7; 32], &[0], &vector16(&list), &[1, 0]].concat()
}

fn message_of(body: &[u8]) -> Vec<u8> {
    message(1, body)
}

#[test]
fn names_that_are_none() {
    let names: [&[u8]; 4] =
        [b"\x1b[2J\x07", b"</script>", b"=cmd|' /C calc'!A0", "\u{202e}gro.elpmaxe".as_bytes()];
    for name in names {
        let entry = [&[0][..], &vector16(name)].concat();
        let hello = hello(0x0303, &[1]).ext(0, vector16(&entry)).client();
        let (out, _) = feed(&mut TlsParser::default(), &[(I, clear(&[&hello]))], 5);
        let [flowscope_tls::TlsMessage::ClientHello(hello)] = &out[..] else { panic!() };
        assert_eq!(hello.server_name(), Some(name));
        let shown = format!("{hello:?}");
        assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{shown}");
    }
}

#[test]
fn a_summary_holds_two_hellos_and_two_chains() {
    // Every message at its bound, again and again.
    let long = client13("x").ext(21, vec![0; 65_000]).client();
    let chain = certificate(&[&[1; 65_000]]);
    let turn: Vec<u8> = [long, chain].iter().flat_map(|message| records(message, 0x4000)).collect();
    let mut adapter = TlsHandshakes::default();
    for _ in 0..20 {
        for side in [I, R] {
            for bytes in turn.chunks(1448) {
                let feed = StreamChunk::new(side, Timestamp::ZERO, 0, bytes);
                assert_eq!(adapter.feed_into(feed, &mut Vec::new()), ParserStatus::Continue);
                assert!(adapter.heap_bytes() <= 6 * 65_536 + 4096, "{}", adapter.heap_bytes());
            }
        }
    }
}
