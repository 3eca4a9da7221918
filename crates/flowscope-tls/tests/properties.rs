//! Laws that hold for every handshake, and for what is none.

mod support;

use std::borrow::Cow;

use flowscope_core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_testkit::Rng;
use flowscope_tls::{ClientHello, ServerHello, TlsHandshakes, TlsMessage, TlsParser, TlsTransport};
use proptest::prelude::*;
use support::*;

/// Random handshakes: what is sent, and what a reader of it must say.
fn handshake(rng: &mut Rng) -> (Dialogue, Vec<String>) {
    let name = format!("host{}.example", rng.below(1000));
    let mut client = match rng.below(3) {
        0 => hello(0x0303, &[0xc02f]).name(&name),
        _ => client13(&name),
    };
    for _ in 0..rng.below(6) {
        let len = rng.below(400);
        client = client.ext(0x4000 + rng.below(0x1000) as u16, rng.bytes(len));
    }
    let tls13 = client.extensions.iter().any(|(kind, _)| *kind == 43);
    let version = if tls13 { "TLS 1.3" } else { "TLS 1.2" };
    let offer = format!("I client {version} {name}");
    let first = fragment(rng, &client.client());
    if rng.one_in(8) {
        let expected = vec![offer, "R alert 2 handshake_failure".to_owned()];
        return (vec![(I, first), (R, alert(2, 40))], expected);
    }
    let (mut dialogue, mut expected) = (vec![(I, first)], vec![offer.clone()]);
    if tls13 {
        if rng.one_in(3) {
            let retry = server13().random(RETRY).server();
            dialogue.push((R, [fragment(rng, &retry), change_cipher()].concat()));
            let again = fragment(rng, &client.client());
            dialogue.push((I, [change_cipher(), again].concat()));
            expected.extend(["R retry TLS 1.3".to_owned(), offer]);
        }
        let answer = fragment(rng, &server13().server());
        let middle = if rng.one_in(2) { change_cipher() } else { Vec::new() };
        dialogue.push((R, [answer, middle.clone(), data(300)].concat()));
        dialogue.push((I, [middle, data(53), data(99)].concat()));
        let rest = ["R server TLS 1.3 1301", "R encrypted", "I encrypted"];
        expected.extend(rest.map(str::to_owned));
    } else {
        let server = hello(0x0303, &[0xc02f]).server();
        expected.push("R server TLS 1.2 c02f".to_owned());
        let close = |rng: &mut Rng| [change_cipher(), secret(rng)].concat();
        if rng.one_in(3) {
            dialogue.push((R, [fragment(rng, &server), close(rng)].concat()));
            dialogue.push((I, close(rng)));
            expected.extend(["R encrypted", "I encrypted"].map(str::to_owned));
        } else {
            let lens: Vec<usize> = (0..rng.below(4)).map(|_| rng.below(1500)).collect();
            let ders: Vec<Vec<u8>> = lens.iter().map(|len| rng.bytes(*len)).collect();
            let chain = certificate(&ders.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let rest = [message(12, &rng.bytes(300)), message(14, &[])].concat();
            dialogue.push((R, fragment(rng, &[server, chain, rest].concat())));
            let exchange = message(16, &rng.bytes(66));
            dialogue.push((I, [fragment(rng, &exchange), close(rng)].concat()));
            dialogue.push((R, close(rng)));
            expected.push(format!("R certificate {lens:?}"));
            expected.extend(["I encrypted", "R encrypted"].map(str::to_owned));
        }
    }
    (dialogue, expected)
}

/// An encrypted handshake record, as AES-GCM makes them.
fn secret(rng: &mut Rng) -> Vec<u8> {
    record(22, &[vec![0; 8], rng.bytes(32)].concat())
}

/// Messages in records of random sizes, among them empty ones and heartbeats.
fn fragment(rng: &mut Rng, mut messages: &[u8]) -> Vec<u8> {
    let most = *rng.pick(&[1, 3, 40, 500, 16_384]);
    let mut out = Vec::new();
    while !messages.is_empty() {
        let (body, rest) = messages.split_at((1 + rng.below(most)).min(messages.len()));
        out.extend(record(22, body));
        messages = rest;
        if rng.one_in(20) {
            out.extend(if rng.one_in(2) { record(22, &[]) } else { record(24, &[1; 20]) });
        }
    }
    out
}

/// Damages a dialogue in a few places.
fn mutate(rng: &mut Rng, dialogue: &mut Dialogue) {
    for _ in 0..1 + rng.below(4) {
        let turn = rng.below(dialogue.len());
        let bytes = &mut dialogue[turn].1;
        if bytes.is_empty() {
            continue;
        }
        let at = rng.below(bytes.len());
        match rng.below(5) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = *rng.pick(&[0, 1, 2, 3, 20, 21, 22, 23, 0x7f, 0x80, 0xff]),
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            _ => {
                let len = rng.below(30);
                let junk = rng.bytes(len);
                bytes.splice(at..at, junk);
            }
        }
    }
}

/// One call of a parser's, by an engine.
#[derive(Clone, Debug)]
enum Call {
    StreamChunk(FlowSide, Vec<u8>),
    Gap(FlowSide, u64),
    Fin(FlowSide),
}

/// Makes the calls, the bytes in random pieces if there is an `rng`; each side until it is stopped.
fn run<P: SessionParser>(
    parser: &mut P,
    calls: &[Call],
    mut rng: Option<&mut Rng>,
    bound: usize,
) -> (Vec<P::Message>, ParserStatus) {
    let (mut out, mut status, mut stopped) = (Vec::new(), ParserStatus::Continue, [false; 2]);
    for call in calls {
        let (side, mut bytes) = match call {
            Call::StreamChunk(side, bytes) => (*side, &bytes[..]),
            Call::Gap(side, _) | Call::Fin(side) => (*side, &[][..]),
        };
        loop {
            if stopped[side.index()] {
                break;
            }
            let len = match &mut rng {
                Some(rng) => {
                    let most = *rng.pick(&[1, 4, 100, 2000]);
                    (1 + rng.below(most)).min(bytes.len())
                }
                None => bytes.len(),
            };
            let (piece, rest) = bytes.split_at(len);
            bytes = rest;
            status = match call {
                Call::StreamChunk(..) => {
                    let feed = StreamChunk::new(side, Timestamp::ZERO, 0, piece);
                    parser.feed_into(feed, &mut out)
                }
                Call::Gap(_, len) => parser.gap(side, *len, &mut out),
                Call::Fin(_) => {
                    parser.fin(side, &mut out);
                    status
                }
            };
            assert!(parser.heap_bytes() <= bound, "{} bytes held", parser.heap_bytes());
            match status {
                ParserStatus::StopSide(side) => stopped[side.index()] = true,
                ParserStatus::Done | ParserStatus::Failed(_) => {
                    parser.end(&mut out);
                    return (out, status);
                }
                _ => {}
            }
            if bytes.is_empty() {
                break;
            }
        }
    }
    parser.end(&mut out);
    (out, status)
}

fn calls(dialogue: &Dialogue) -> Vec<Call> {
    dialogue.iter().map(|(side, bytes)| Call::StreamChunk(*side, bytes.clone())).collect()
}

/// Puts a gap somewhere: what was sent there is cut out.
fn lose(rng: &mut Rng, calls: &mut Vec<Call>) {
    let turn = rng.below(calls.len());
    if let Call::StreamChunk(side, bytes) = calls[turn].clone() {
        let at = rng.below(bytes.len() + 1);
        let most = *rng.pick(&[4, 300, 5000]);
        let len = (1 + rng.below(most)).min(bytes.len() - at);
        let (before, after) = (bytes[..at].to_vec(), bytes[at + len..].to_vec());
        let cut = [
            Call::StreamChunk(side, before),
            Call::Gap(side, len as u64),
            Call::StreamChunk(side, after),
        ];
        calls.splice(turn..=turn, cut);
    }
}

/// Reads everything that there is to read.
fn exercise(hello: &ClientHello) -> usize {
    let numbers = hello.ciphers().chain(hello.groups()).chain(hello.key_shares());
    let numbers = numbers.chain(hello.signature_algorithms());
    let prints = [hello.ja4_raw(TlsTransport::Quic), hello.ja3().map(|ja3| ja3.string)];
    assert_eq!(hello.ja4().is_some(), hello.ja3().is_some());
    numbers.count()
        + hello.alpn().map(<[u8]>::len).sum::<usize>()
        + hello.extensions().map(|(_, content)| content.len()).sum::<usize>()
        + hello.server_name().map_or(0, <[u8]>::len)
        + prints.into_iter().flatten().map(|print| print.len()).sum::<usize>()
        + hello.point_formats().len()
        + hello.random().len()
        + hello.session_id().len()
        + format!("{hello:?}").len()
        + usize::from(hello.has_grease())
}

/// Two parsers' bounds: a message of either side, and what is kept for the record.
const BOUND: usize = 2 * 65_536;
const SUMMARY_BOUND: usize = 6 * 65_536 + 65_536;

proptest! {
    #[test]
    fn a_handshake_is_read_whatever_its_pieces(seed: u64) {
        let rng = &mut Rng::new(seed);
        let (dialogue, expected) = handshake(rng);
        let (said, status) = run(&mut TlsParser::default(), &calls(&dialogue), Some(rng), BOUND);
        prop_assert_eq!(said.iter().map(describe).collect::<Vec<_>>(), expected);
        prop_assert_eq!(status, ParserStatus::Done);
        let (records, _) = run(&mut TlsHandshakes::default(), &calls(&dialogue), Some(rng), SUMMARY_BOUND);
        prop_assert_eq!(records.len(), 1);
    }

    #[test]
    fn pieces_make_no_difference_to_damaged_streams_with_gaps(seed: u64) {
        let rng = &mut Rng::new(seed);
        let (mut dialogue, _) = handshake(rng);
        mutate(rng, &mut dialogue);
        let mut calls = calls(&dialogue);
        for _ in 0..rng.below(3) {
            lose(rng, &mut calls);
        }
        if rng.one_in(4) {
            let at = rng.below(calls.len() + 1);
            calls.insert(at, Call::Fin(*rng.pick(&[I, R])));
        }
        let whole = run(&mut TlsParser::default(), &calls, None, BOUND);
        let pieces = run(&mut TlsParser::default(), &calls, Some(rng), BOUND);
        prop_assert_eq!(&whole, &pieces);
        let whole = run(&mut TlsHandshakes::default(), &calls, None, SUMMARY_BOUND);
        let pieces = run(&mut TlsHandshakes::default(), &calls, Some(rng), SUMMARY_BOUND);
        prop_assert_eq!(whole, pieces);
    }

    /// What is said of a stream with gaps is said of the whole one too, in that order.
    #[test]
    fn a_gap_invents_nothing(seed: u64) {
        let rng = &mut Rng::new(seed);
        let (dialogue, mut expected) = handshake(rng);
        let mut calls = calls(&dialogue);
        lose(rng, &mut calls);
        let lost = calls.iter().position(|call| matches!(call, Call::Gap(..))).unwrap_or(0);
        let (before, _) = run(&mut TlsParser::default(), &calls[..lost], None, BOUND);
        let (said, _) = run(&mut TlsParser::default(), &calls, None, BOUND);
        prop_assert_eq!(&said[..before.len()], &before);
        for message in &said {
            match message {
                TlsMessage::Anomaly(_) | TlsMessage::Encrypted { .. } => {}
                message => {
                    let found = expected.iter().position(|other| *other == describe(message));
                    prop_assert!(found.is_some(), "{message:?}");
                    expected.drain(..=found.unwrap_or(0));
                }
            }
        }
    }

    #[test]
    fn random_bytes_do_no_harm(seed: u64, len in 0usize..3000) {
        let rng = &mut Rng::new(seed);
        // Enough of a record to get past the first bytes.
        let mut bytes = rng.bytes(len);
        let mut at = 0;
        while rng.below(10) > 0 && at + 9 < bytes.len() {
            let next = rng.below(bytes.len() - at - 5);
            let [high, low] = (next as u16).to_be_bytes();
            let kind = *rng.pick(&[1, 2, 6, 11, 14]);
            let start = [*rng.pick(&[20, 21, 22, 22, 22, 23]), 3, 3, high, low, kind, 0];
            bytes[at..at + 7].copy_from_slice(&start);
            at += 5 + next;
        }
        let calls = [Call::StreamChunk(I, bytes.clone()), Call::StreamChunk(R, bytes)];
        let whole = run(&mut TlsHandshakes::default(), &calls, None, SUMMARY_BOUND);
        let pieces = run(&mut TlsHandshakes::default(), &calls, Some(rng), SUMMARY_BOUND);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn a_damaged_hello_can_be_read(seed: u64) {
        let rng = &mut Rng::new(seed);
        let client = client13("damaged.example").alpn(&[b"h2", b"x"]).list(10, &[29, 23]);
        let client = client.list(13, &[0x0403]).ext(11, [1, 0]).ext(51, [0, 6, 0, 29, 0, 2, 1, 1]);
        let bodies = [client.client_body(), server13().alpn(&[b"h2"]).server()[4..].to_vec()];
        for body in bodies {
            let mut dialogue = vec![(I, body)];
            mutate(rng, &mut dialogue);
            let body = &dialogue[0].1;
            if let Some(hello) = ClientHello::parse(I, Cow::Borrowed(body)) {
                // Nothing is read twice or from elsewhere: the work is bounded by the length.
                prop_assert!(exercise(&hello) <= 16 * body.len() + 1000);
                prop_assert_eq!(hello.as_bytes(), &body[..]);
            }
            if let Some(hello) = ServerHello::parse(R, Cow::Borrowed(body)) {
                let read: usize = hello.extensions().map(|(_, content)| 4 + content.len()).sum();
                prop_assert!(read <= body.len());
                prop_assert!(hello.ja3s().is_some());
                prop_assert!(hello.alpn().is_none_or(|name| name.len() < body.len()));
                prop_assert_ne!(format!("{hello:?}"), "");
            }
        }
    }
}
