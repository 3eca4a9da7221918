//! A key log, and a connection that is decrypted with it: the same streams however the bytes are cut, in bounded memory.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::Arc;

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{
    PacketSource, ParserStatus, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope::decrypt::{KeyLog, TlsDecryption};
use flowscope::driver::{Driver, Protocols, Recognition, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::pcap::CaptureReader;

use crate::Input;

/// A key log, a zero byte, and what comes to the parser: two bytes say of which side, what, and how much.
pub(crate) fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let mut log = KeyLog::new();
    log.extend(text);
    let mut pieces = KeyLog::new();
    let read = pieces.read(BufReader::with_capacity(7, text));
    assert!(read.is_ok(), "a text has no errors");
    let counts = |log: &KeyLog| (log.sessions(), log.malformed(), log.refused());
    assert!(log.sessions() <= text.len() / 128);
    assert_eq!(counts(&log), counts(&pieces));
    let ops = parts.next().unwrap_or_default();
    let whole = carried(&log, ops, usize::MAX);
    for size in [1, 700] {
        assert_eq!(carried(&log, ops, size), whole, "in pieces of {size}");
    }
}

/// What is carried, by side and position, and how many records there are of handshakes.
type Carried = ([Vec<(u64, Vec<u8>)>; 2], usize);

fn carried(log: &KeyLog, ops: &[u8], size: usize) -> Carried {
    let mut parser = TlsDecryption::new(Arc::new(log.clone()));
    let (mut records, mut carried, mut stopped) = (Vec::new(), [vec![], vec![]], [false; 2]);
    let mut input = Input::new(ops);
    let mut steps = 0;
    while !input.is_empty() && steps < 200 {
        steps += 1;
        let word = input.half();
        let side = if word & 1 == 0 { Initiator } else { Responder };
        let len = usize::from(word >> 3);
        if stopped[side.index()] {
            input.take(len);
            continue;
        }
        if word >> 1 & 3 == 3 {
            let status = parser.gap(side, len as u64, &mut records);
            apply(&mut parser, status, &mut stopped, &mut carried);
            continue;
        }
        let bytes = input.take(len);
        for piece in bytes.chunks(size.min(len).max(1)) {
            if stopped[side.index()] {
                break;
            }
            let chunk = StreamChunk::new(side, Timestamp::from_secs(7), 0, piece);
            let status = parser.feed_into(chunk, &mut records);
            apply(&mut parser, status, &mut stopped, &mut carried);
            let held = parser.heap_bytes();
            assert!(held <= 1 << 19, "{held} bytes held");
        }
    }
    parser.end(&mut records);
    if let ParserStatus::Carries(_) = parser.end_status() {
        take(&mut parser, &mut carried);
    }
    let is_left = [Initiator, Responder].map(|side| parser.take_remainder(side).is_some());
    assert_eq!(is_left, [false; 2], "what is held back until the end is announced");
    (carried, records.len())
}

fn apply(
    parser: &mut TlsDecryption,
    status: ParserStatus,
    stopped: &mut [bool; 2],
    carried: &mut [Vec<(u64, Vec<u8>)>; 2],
) {
    match status {
        ParserStatus::Continue => {}
        ParserStatus::Carries(_) => take(parser, carried),
        ParserStatus::StopSide(side) => stopped[side.index()] = true,
        _ => *stopped = [true; 2],
    }
}

fn take(parser: &mut TlsDecryption, carried: &mut [Vec<(u64, Vec<u8>)>; 2]) {
    for side in [Initiator, Responder] {
        let carried = &mut carried[side.index()];
        while let Some(taken) = parser.take_remainder(side) {
            match carried.last_mut() {
                Some((at, bytes)) if *at + bytes.len() as u64 == taken.offset => {
                    bytes.extend(taken.bytes);
                }
                last => {
                    let end = last.map_or(0, |(at, bytes)| *at + bytes.len() as u64);
                    assert!(taken.offset >= end, "streams do not go back");
                    carried.push((taken.offset, taken.bytes));
                }
            }
        }
    }
}

/// The connections of two recordings, each with its key log.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tls12 = (
        &include_bytes!("../../../tests/data/tls12-keys.pcap")[..],
        include_bytes!("../../../tests/data/tls12-keys.txt").to_vec(),
    );
    let tls13 = &include_bytes!("../../../tests/data/tls13-keys.pcapng")[..];
    let mut seeds = Vec::new();
    for (capture, log) in [tls12, (tls13, secrets(tls13))] {
        for connection in connections(capture) {
            let mut seed = of_connection(&log, &connection);
            seed.push(0);
            for (side, bytes) in connection {
                for piece in bytes.chunks(8000) {
                    let word = (piece.len() as u16) << 3 | side.index() as u16;
                    seed.extend(word.to_be_bytes());
                    seed.extend_from_slice(piece);
                }
            }
            seeds.push(seed);
        }
    }
    seeds
}

/// The lines of a key log that are of a connection: they have the random of its hello.
fn of_connection(log: &[u8], connection: &[(FlowSide, Vec<u8>)]) -> Vec<u8> {
    let hello = connection.first().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
    let random = hello.get(11..43).unwrap_or_default();
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(log);
    let lines = text.lines().filter(|line| line.contains(&random));
    lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

/// The key log that a capture holds.
fn secrets(capture: &[u8]) -> Vec<u8> {
    let (sender, texts) = std::sync::mpsc::channel();
    let Ok(reader) = CaptureReader::new(capture) else { return Vec::new() };
    let mut reader = reader.secrets_to(move |secrets| {
        // The receiver lives until the end of the function.
        let _ = sender.send(secrets.data.to_vec());
    });
    while let Ok(1..) = reader.next_batch(&mut |_| ()) {}
    texts.try_iter().flatten().collect()
}

/// What the two sides of each connection of a capture say, in the order of the capture.
fn connections(capture: &[u8]) -> Vec<Vec<(FlowSide, Vec<u8>)>> {
    let copy = Recognition::by_bytes();
    let protocols = Protocols::new().stream("copy", Copy, copy, |bytes| bytes);
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    let mut all: BTreeMap<u64, Vec<(FlowSide, Vec<u8>)>> = BTreeMap::new();
    if let Ok(mut reader) = CaptureReader::new(capture) {
        while let Ok(1..) = reader.next_batch(&mut |packets| driver.handle_batch(packets)) {}
    }
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { flow, side, message } = event {
            all.entry(flow.id.0).or_default().push((side, message));
        }
    }
    all.into_values().collect()
}

/// Gives the bytes as they come.
#[derive(Clone)]
struct Copy;

impl SessionParser for Copy {
    type Message = Vec<u8>;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Vec<u8>>) -> ParserStatus {
        out.push(chunk.bytes.to_vec());
        ParserStatus::Continue
    }

    fn probe(_: FlowSide, _: &[u8]) -> flowscope::core::Probe {
        flowscope::core::Probe::Yes
    }
}
