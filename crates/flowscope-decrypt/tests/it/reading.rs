//! What is read where nothing is missing.

use flowscope_core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_decrypt::KeyLog;
use flowscope_tls::TlsHandshakes;
use proptest::prelude::*;

use crate::connection::{
    ALERT, Beginning, CLIENT, DATA, Ends, HANDSHAKE, Reading, SERVER, TLS12, TLS13, Turns,
    conversation, message, read,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: lab.test\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn whole(says: [&[u8]; 2]) -> [Vec<(u64, Vec<u8>)>; 2] {
    says.map(|said| vec![(0, said.to_vec())])
}

/// The records that a parser of handshakes makes of these turns.
fn handshakes(turns: &Turns) -> Vec<flowscope_tls::TlsHandshake> {
    let (mut parser, mut records) = (TlsHandshakes::default(), Vec::new());
    let mut stopped = [false; 2];
    for (side, bytes) in turns {
        if stopped[side.index()] {
            continue;
        }
        let chunk = StreamChunk::new(*side, Timestamp::from_secs(7), 0, bytes);
        match parser.feed_into(chunk, &mut records) {
            ParserStatus::StopSide(side) => stopped[side.index()] = true,
            ParserStatus::Done => stopped = [true; 2],
            _ => {}
        }
    }
    parser.end(&mut records);
    records
}

#[test]
fn every_suite_is_decrypted_and_the_records_of_handshakes_stay() {
    for cipher in TLS12.into_iter().chain(TLS13) {
        let (ends, turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        let seen = read(ends.log(""), &turns, usize::MAX);
        assert_eq!(seen.carried, whole([REQUEST, ANSWER]), "{cipher:#06x}");
        assert_eq!(seen.protocol, Some("http2"), "{cipher:#06x}");
        assert_eq!(seen.records, handshakes(&turns), "{cipher:#06x}");
        assert_eq!(seen.records.len(), 1, "{cipher:#06x}");
    }
}

#[test]
fn without_secrets_a_connection_is_read_as_far_as_its_handshake() {
    for cipher in [TLS12[0], TLS13[0]] {
        let (ends, turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        let other = Ends::new(cipher, Beginning::default()).0.log("nothing");
        assert!(other.sessions() == 0 && ends.log("").sessions() == 1);
        let mut reading = Reading::new(other);
        let mut plain = (TlsHandshakes::default(), [false; 2]);
        for (side, bytes) in &turns {
            reading.feed(*side, bytes);
            let (parser, stopped) = &mut plain;
            if !stopped[side.index()] {
                let chunk = StreamChunk::new(*side, Timestamp::ZERO, 0, bytes);
                match parser.feed_into(chunk, &mut Vec::new()) {
                    ParserStatus::StopSide(side) => stopped[side.index()] = true,
                    ParserStatus::Done => *stopped = [true; 2],
                    _ => {}
                }
            }
            assert_eq!(reading.stopped, *stopped, "{cipher:#06x}");
        }
        assert_eq!(reading.stopped, [true; 2]);
        let seen = reading.end();
        assert_eq!((seen.carried, seen.records), ([vec![], vec![]], handshakes(&turns)));
    }
}

#[test]
fn secrets_that_are_wrong_end_both_sides_and_the_record_stays() {
    for cipher in [TLS12[0], TLS13[0]] {
        let (ends, mut turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        turns.extend([(CLIENT, vec![DATA, 3, 3, 0, 1, 0]), (SERVER, vec![DATA, 3, 3, 0, 1, 0])]);
        let text = format!("{} {} ", "CLIENT_RANDOM", "c1".repeat(32)) + &"99".repeat(48);
        let mut log = KeyLog::new();
        log.extend(text.as_bytes());
        for label in ["CLIENT", "SERVER"] {
            for kind in ["TRAFFIC_SECRET_0", "HANDSHAKE_TRAFFIC_SECRET"] {
                let line = format!("{label}_{kind} {} {}\n", "c1".repeat(32), "99".repeat(32));
                log.extend(line.as_bytes());
            }
        }
        let mut reading = Reading::new(log);
        turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
        assert_eq!(reading.stopped, [true; 2], "{cipher:#06x}");
        let seen = reading.end();
        assert_eq!((seen.carried, seen.records), ([vec![], vec![]], handshakes(&turns)));
        drop(ends);
    }
}

#[test]
fn traffic_secrets_alone_are_enough() {
    for cipher in TLS13 {
        let (ends, turns) = conversation(cipher, [REQUEST, ANSWER], 10);
        let seen = read(ends.log("_SECRET_0"), &turns, usize::MAX);
        assert_eq!(seen.carried, whole([REQUEST, ANSWER]), "{cipher:#06x}");
        // The choice of the protocol was encrypted with other keys.
        assert_eq!(seen.protocol, None);
        let server = read(ends.log("SERVER_TRAFFIC"), &turns, usize::MAX);
        assert_eq!(server.carried, [vec![], vec![(0, ANSWER.to_vec())]], "{cipher:#06x}");
    }
}

#[test]
fn keys_are_updated_by_either_side() {
    for cipher in TLS13 {
        let (mut ends, mut turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        for _ in 0..2 {
            let update = message(24, &[1]);
            turns.push((CLIENT, ends.client.seal(HANDSHAKE, &update)));
            ends.client.update();
            turns.push((CLIENT, ends.client.data(REQUEST, 9)));
            let ticket = [message(4, &[0; 40]), update].concat();
            turns.push((SERVER, ends.server.seal(HANDSHAKE, &ticket)));
            ends.server.update();
            turns.push((SERVER, ends.server.data(ANSWER, 9)));
        }
        turns.push((CLIENT, ends.client.seal(ALERT, &[1, 0])));
        let seen = read(ends.log(""), &turns, usize::MAX);
        assert_eq!(seen.carried, whole([&REQUEST.repeat(3), &ANSWER.repeat(3)]), "{cipher:#06x}");
    }
}

#[test]
fn early_data_is_a_gap_at_the_start() {
    let beginning = Beginning { early_data: true, ..Beginning::default() };
    for cipher in TLS13 {
        let (mut ends, mut turns) = Ends::new(cipher, beginning);
        turns.push((CLIENT, ends.client.data(REQUEST, 16)));
        // Without the keys of the handshake, its end may be early data too.
        let finished = 4 + if cipher == 0x1302 { 48 } else { 32 } + 3;
        for (labels, more) in [("", 0), ("_SECRET_0", finished)] {
            for size in [1, 100, usize::MAX] {
                let seen = read(ends.log(labels), &turns, size);
                let [client, server] = seen.carried;
                // The five bytes of early data, and the padding of their record.
                assert_eq!(client, [(8 + more, REQUEST.to_vec())], "{cipher:#06x} {size}");
                assert!(server.is_empty());
            }
        }
    }
}

/// The record of the handshake is made when the client finishes it: what the server says before has to wait, or the
/// record would come within its own connection.
#[test]
fn what_is_carried_waits_for_the_record_of_the_handshake() {
    let beginning = Beginning { early_answer: Some(ANSWER), ..Beginning::default() };
    let (ends, turns) = Ends::new(TLS13[0], beginning);
    let mut reading = Reading::new(ends.log(""));
    for (side, bytes) in &turns {
        assert_eq!(reading.seen.carried, [vec![], vec![]]);
        reading.feed(*side, bytes);
    }
    assert_eq!(reading.seen.records.len(), 1);
    assert_eq!(reading.seen.carried, [vec![], vec![(0, ANSWER.to_vec())]]);
}

/// The connection ends before the client has finished the handshake.
#[test]
fn what_waits_is_carried_at_the_end() {
    let beginning = Beginning { early_answer: Some(ANSWER), ..Beginning::default() };
    let (ends, mut turns) = Ends::new(TLS13[0], beginning);
    let finished = turns.pop();
    assert!(finished.is_some_and(|(side, _)| side == CLIENT));
    let seen = read(ends.log(""), &turns, usize::MAX);
    assert_eq!(seen.records.len(), 1);
    assert_eq!(seen.carried, [vec![], vec![(0, ANSWER.to_vec())]]);
    assert_eq!(seen.protocol, Some("http2"));
}

#[test]
fn so_much_waits_and_no_more() {
    let (mut ends, mut turns) = Ends::new(TLS13[0], Beginning::default());
    let finished = turns.pop();
    assert!(finished.is_some_and(|(side, _)| side == CLIENT));
    let mut reading = Reading::new(ends.log(""));
    turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
    for _ in 0..6 {
        reading.feed(SERVER, &ends.server.seal(DATA, &[7; 16_000]));
    }
    assert!(reading.most_heap < 200_000, "{}", reading.most_heap);
    let [_, server] = &reading.seen.carried;
    assert_eq!(server.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), 96_000);
}

/// A connection that ends within its handshake has the record that a parser of handshakes makes of it, however it ends.
#[test]
fn the_end_of_a_connection_is_that_of_its_handshake() {
    type End<P> = fn(&mut P, &mut Vec<flowscope_tls::TlsHandshake>);
    let ends: [(End<flowscope_decrypt::TlsDecryption>, End<TlsHandshakes>); 4] = [
        (|it, out| it.fin(CLIENT, out), |it, out| it.fin(CLIENT, out)),
        (|it, out| it.fin(SERVER, out), |it, out| it.fin(SERVER, out)),
        (|it, out| it.rst(SERVER, out), |it, out| it.rst(SERVER, out)),
        (|_, _| (), |_, _| ()),
    ];
    for cipher in [TLS12[0], TLS13[0]] {
        let (keys, turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        for count in 0..3 {
            for (end, plain_end) in ends {
                let mut reading = Reading::new(keys.log(""));
                let (mut plain, mut expected) = (TlsHandshakes::default(), Vec::new());
                for (side, bytes) in &turns[..count] {
                    reading.feed(*side, bytes);
                    let chunk = StreamChunk::new(*side, Timestamp::from_secs(7), 0, bytes);
                    plain.feed_into(chunk, &mut expected);
                }
                end(&mut reading.parser, &mut reading.seen.records);
                plain_end(&mut plain, &mut expected);
                assert_eq!(reading.seen.records, expected, "{cipher:#06x} {count}");
                plain.end(&mut expected);
                assert_eq!(reading.end().records, expected, "{cipher:#06x} {count}");
            }
        }
    }
}

/// Records are appended to those of other connections.
#[test]
fn a_record_that_was_there_before_is_of_another_connection() {
    let (other, turns) = conversation(TLS12[0], [REQUEST, ANSWER], 1 << 14);
    let before = read(other.log(""), &turns, usize::MAX).records;
    let (ends, turns) = conversation(TLS13[0], [ANSWER, REQUEST], 1 << 14);
    let mut reading = Reading::new(ends.log(""));
    reading.seen.records = before;
    turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
    let seen = reading.end();
    assert_eq!(seen.carried, whole([ANSWER, REQUEST]));
    assert_eq!(seen.records.len(), 2);
}

#[test]
fn a_record_that_is_not_authentic_ends_its_side_only() {
    for cipher in [TLS12[0], TLS13[2]] {
        let (mut ends, mut turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        let mut damaged = ends.client.seal(DATA, b"more");
        *damaged.last_mut().unwrap() ^= 1;
        damaged.extend(ends.client.seal(DATA, b"and more"));
        turns.push((CLIENT, damaged));
        let mut reading = Reading::new(ends.log(""));
        turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
        assert_eq!(reading.stopped, [true, false], "{cipher:#06x}");
        reading.feed(SERVER, &ends.server.seal(DATA, b"!"));
        let server = [ANSWER, b"!"].concat();
        assert_eq!(reading.end().carried, whole([REQUEST, &server]), "{cipher:#06x}");
    }
}

/// In TLS 1.2 other keys follow, which no log has.
#[test]
fn a_renegotiation_ends_its_side() {
    let (mut ends, mut turns) = conversation(TLS12[0], [REQUEST, ANSWER], 1 << 14);
    turns.push((CLIENT, ends.client.seal(HANDSHAKE, &message(1, &[0; 40]))));
    turns.push((CLIENT, ends.client.data(b"+", 1)));
    turns.push((CLIENT, ends.client.seal(20, &[1])));
    turns.push((CLIENT, ends.client.seal(DATA, b"-")));
    let mut reading = Reading::new(ends.log(""));
    turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
    assert_eq!(reading.stopped, [true, false]);
    let client = [REQUEST, b"+"].concat();
    assert_eq!(reading.end().carried, whole([&client, ANSWER]));
}

proptest! {
    /// Any pieces give the same records and the same streams.
    #[test]
    fn what_is_read_does_not_depend_on_segmentation(
        suite in 0_usize..6,
        says in any::<[Vec<u8>; 2]>(),
        record_len in 1_usize..200,
        size in 1_usize..300,
    ) {
        let cipher = TLS12.into_iter().chain(TLS13).nth(suite).unwrap();
        let (ends, turns) = conversation(cipher, [&says[0], &says[1]], record_len);
        let whole = read(ends.log(""), &turns, usize::MAX);
        let expected = says.map(|said| if said.is_empty() { vec![] } else { vec![(0, said)] });
        prop_assert_eq!(&whole.carried, &expected);
        prop_assert_eq!(read(ends.log(""), &turns, size), whole);
    }
}

/// The server may have opened the connection.
#[test]
fn the_client_is_who_sends_its_hello() {
    for cipher in [TLS12[1], TLS13[1]] {
        let (ends, turns) = conversation(cipher, [REQUEST, ANSWER], 1 << 14);
        let swapped: Turns =
            turns.into_iter().map(|(side, bytes): (FlowSide, _)| (!side, bytes)).collect();
        let seen = read(ends.log(""), &swapped, 50);
        assert_eq!(seen.carried, whole([ANSWER, REQUEST]), "{cipher:#06x}");
    }
}
