//! The same records from any number of workers, and errors of workers.

use std::num::NonZeroUsize;

use flowscope_core::{DatagramParser, L4Proto, Payload, Probe, ShuntStart, Shunted};
use flowscope_driver::{Checksums, Recognition};
use flowscope_parallel::{
    Change, DriverConfig, EndReason, Extracted, Flow, FlowExtractor, FlowSide, LinkType, Merged,
    Orientation, PacketView, ParallelDriver, Protocols, Recorder, SHARDS, Shunt, ShuntRefusal,
    Shunting, Timestamp, WorkerError,
};
use flowscope_testkit::{Dialogue, views};
use flowscope_track::TrackerConfig;

/// One flow per source and destination port of an IPv4 frame without options.
struct Ports;

impl FlowExtractor for Ports {
    type Key = [u8; 4];
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<[u8; 4]>> {
        let key = view.frame().get(34..38)?.try_into().ok()?;
        Some(Extracted::new(key, Orientation::Forward))
    }
}

fn hash(key: &[u8; 4]) -> u64 {
    u64::from(u32::from_be_bytes(*key)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// Records every change as text; panics at the end of a flow if asked to.
#[derive(Clone)]
struct Text {
    panics: bool,
    encodes: bool,
}

impl<M> Recorder<[u8; 4], M> for Text {
    type State = ();
    type Record = String;

    fn state(&self, _: &Extracted<[u8; 4]>) {}

    fn wants_packets(&self) -> bool {
        true
    }

    fn flow(&self, flow: Flow<'_, [u8; 4], ()>, change: Change) -> Option<String> {
        assert!(!self.panics, "boom");
        Some(format!("{} {} {change:?}\n", flow.packet, flow.id))
    }

    fn encodes(&self) -> bool {
        self.encodes
    }

    fn encode(&mut self, record: &String, out: &mut Vec<u8>) {
        out.extend(record.as_bytes());
    }
}

fn packets() -> Vec<(Timestamp, Vec<u8>)> {
    (0..60)
        .flat_map(|n| {
            Dialogue::tcp(&format!("10.0.0.1:{}", 1000 + n), "10.0.0.2:80")
                .handshake()
                .data(FlowSide::Initiator, b"hello")
                .fin(FlowSide::Initiator)
                .build()
        })
        .collect()
}

fn run(workers: usize, batch: usize, text: &Text) -> Result<Vec<u8>, WorkerError> {
    let config = DriverConfig::default();
    let workers = NonZeroUsize::new(workers).expect("at least one worker");
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    let mut driver = ParallelDriver::new(Ports, &config, workers, hash, protocols, text)?;
    let mut all = Vec::new();
    let mut take = |merged: Merged<'_, String>| -> Result<(), WorkerError> {
        match merged {
            Merged::Record(record) => all.extend(record.as_bytes()),
            Merged::Encoded(bytes) => all.extend(bytes),
        }
        Ok(())
    };
    let packets = packets();
    let views: Vec<_> = views(&packets).collect();
    for batch in views.chunks(batch) {
        driver.handle_batch(batch);
        driver.flush(&mut take)?;
    }
    let counts = driver.finish(EndReason::EndOfInput, &mut take)?;
    assert_eq!(counts.packets.delivered(), packets.len() as u64);
    Ok(all)
}

#[test]
fn records_do_not_depend_on_workers_batches_or_encoding() {
    let text = |encodes| Text { panics: false, encodes };
    let expected = run(1, 1000, &text(false)).unwrap();
    assert!(expected.len() > 1000);
    for (workers, batch) in [(1, 1), (2, 7), (4, 64), (8, 1000), (99, 3)] {
        for encodes in [false, true] {
            let found = run(workers, batch, &text(encodes)).unwrap();
            assert!(found == expected, "{workers} workers, batches of {batch}");
        }
    }
}

#[test]
fn a_worker_that_panics_is_an_error_with_its_message() {
    let error = run(3, 10, &Text { panics: true, encodes: false }).unwrap_err();
    assert_eq!(error.message(), "boom");
}

/// A capture that counts nothing.
struct Full;

impl Shunt<[u8; 4]> for Full {
    fn start(&mut self, _: &[u8; 4], _: &ShuntStart) -> Result<(), ShuntRefusal> {
        Err(ShuntRefusal::Full)
    }
    fn peek(&mut self, _: &[u8; 4]) -> Option<Shunted> {
        None
    }
    fn take(&mut self, _: &[u8; 4]) -> Option<Shunted> {
        None
    }
}

#[test]
fn each_shard_has_its_flows_counted_unless_checksums_are_verified() {
    let text = Text { panics: false, encodes: false };
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    for workers in [1, 3, 99] {
        let workers = NonZeroUsize::new(workers).expect("at least one worker");
        for (checksums, expected) in [
            (Checksums::Off, Ok(SHARDS.get())),
            (Checksums::Count, Err(ShuntRefusal::Checksums)),
            (Checksums::Exclude, Err(ShuntRefusal::Checksums)),
        ] {
            let config = DriverConfig::default().checksums(checksums);
            let driver = ParallelDriver::new(Ports, &config, workers, hash, protocols, &text);
            let (mut driver, mut made) = (driver.unwrap(), 0);
            let make = || -> Box<dyn Shunt<[u8; 4]> + Send> {
                made += 1;
                Box::new(Full)
            };
            let shunted = driver.shunt_with(make, Shunting::Established);
            assert_eq!(shunted.map(|()| made), expected);
            let packets = packets();
            driver.handle_batch(&views(&packets).collect::<Vec<_>>());
            let mut take = |_: Merged<'_, String>| Ok::<_, WorkerError>(());
            let counts = driver.finish(EndReason::EndOfInput, &mut take).unwrap();
            assert_eq!(counts.packets.seen(), packets.len() as u64);
            assert_eq!(counts.shunted.packets, 0);
        }
    }
}

/// Time that passes without packets is named exactly: each call of `handle_timeout` moves it on.
#[test]
fn time_that_was_handled_is_not_due_again() {
    let text = Text { panics: false, encodes: false };
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    let dialogue = Dialogue::tcp("10.0.0.1:1000", "10.0.0.2:80").handshake().build();
    let (_, frame) = dialogue.first().expect("a packet");
    // The flow table looks ahead in steps: a flow may end in this one, or behind it.
    for start in 0..70 {
        for workers in [1, 2] {
            let (config, workers) = (DriverConfig::default(), NonZeroUsize::new(workers).unwrap());
            let driver = ParallelDriver::new(Ports, &config, workers, hash, protocols, &text);
            let mut driver = driver.unwrap();
            let mut ended = 0;
            let mut take = |merged: Merged<'_, String>| -> Result<(), WorkerError> {
                let Merged::Record(record) = merged else { panic!("it does not encode") };
                ended += usize::from(record.contains("Ended"));
                Ok(())
            };
            let at = Timestamp::from_nanos(1_000_000_000_000 + start * 100_000_000);
            driver.handle_batch(&[PacketView::new(frame, LinkType::ETHERNET, at)]);
            driver.flush(&mut take).unwrap();
            driver.drain(&mut take).unwrap();
            let (mut last, mut calls) = (Timestamp::ZERO, 0);
            while let Some(due) = driver.poll_timeout() {
                assert!(due > last, "{due:?} again");
                driver.handle_timeout(due, &mut take).unwrap();
                (last, calls) = (due, calls + 1);
            }
            assert_eq!(ended, 1);
            assert!(calls <= 4, "{calls}");
            assert!(last.since(at) >= std::time::Duration::from_secs(30));
        }
    }
}

/// Passes over all records.
fn nothing(_: Merged<'_, String>) -> Result<(), WorkerError> {
    Ok(())
}

#[test]
fn counters_are_those_of_all_shards() {
    let text = Text { panics: false, encodes: false };
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    let tracker = TrackerConfig::default().max_flows(SHARDS);
    let config = DriverConfig::default().tracker(tracker);
    let packets = packets();
    let mut all = Vec::new();
    for workers in [1, 3, 16] {
        let workers = NonZeroUsize::new(workers).expect("at least one worker");
        let driver = ParallelDriver::new(Ports, &config, workers, hash, protocols, &text);
        let mut driver = driver.unwrap();
        driver.handle_batch(&views(&packets).collect::<Vec<_>>());
        driver.flush(&mut nothing).unwrap();
        driver.drain(&mut nothing).unwrap();
        let counts = driver.counts();
        assert_eq!(counts.packets.seen(), packets.len() as u64);
        // Each shard has its part of the limit, which is one flow, and evicts all others.
        assert_eq!(counts.open, SHARDS.get() as u64);
        assert!(counts.flows >= 120, "{counts:?}");
        assert_eq!(counts.flows, counts.open + counts.evicted);
        assert!(counts.heap_bytes > 0);
        let before = (counts.flows, counts.evicted);
        let counts = driver.finish(EndReason::EndOfInput, &mut nothing).unwrap();
        assert_eq!((counts.flows, counts.evicted, counts.open), (before.0, before.1, 0));
        all.push(before);
    }
    assert!(all.iter().all(|counts| *counts == all[0]), "{all:?}");
}

/// As [`Ports`], with all that is behind 40 bytes of headers as payload of UDP.
struct WithPayload;

impl FlowExtractor for WithPayload {
    type Key = [u8; 4];
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<[u8; 4]>> {
        let mut found = Ports.extract(view)?;
        let len = view.frame().len() as u32 - 40;
        found.l4 = Some(L4Proto::Udp);
        found.payload = Payload::new(40, len, len);
        Some(found)
    }
}

/// Reads datagrams of any kind.
#[derive(Clone)]
struct Any;

impl DatagramParser for Any {
    type Message = ();
    fn parse(&mut self, _: &[u8], _: FlowSide) -> Vec<()> {
        Vec::new()
    }
    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

#[test]
fn parsers_get_all_payload_from_any_number_of_workers() {
    let text = Text { panics: false, encodes: false };
    let protocols =
        |_: &DriverConfig| Protocols::new().datagram("any", Any, Recognition::by_bytes(), |()| ());
    let frame = [7; 1040];
    for workers in [1, 2, 16] {
        for (keep, delivered) in [(None, 1000), (Some(1), 1000), (Some(0), 0)] {
            let workers = NonZeroUsize::new(workers).expect("at least one worker");
            let config = DriverConfig::default();
            let driver = ParallelDriver::new(WithPayload, &config, workers, hash, protocols, &text);
            let mut driver = driver.unwrap();
            if let Some(bytes) = keep {
                driver = driver.keep_payload(bytes);
            }
            let at = Timestamp::from_secs(1);
            driver.handle_batch(&[PacketView::new(&frame, LinkType::ETHERNET, at)]);
            let counts = driver.finish(EndReason::EndOfInput, &mut nothing).unwrap();
            let bytes = driver.bytes(counts.payload);
            assert_eq!(bytes.delivered(), delivered, "{workers} workers, {keep:?}");
        }
    }
}

#[test]
fn a_round_is_full_of_packets_or_of_payload_that_was_copied() {
    let text = Text { panics: false, encodes: false };
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    // 64 of the long ones have 4 MiB of payload, which a driver on the thread of its caller does not copy.
    let (short, long) = (vec![0; 40], vec![0; 40 + (64 << 10)]);
    for (workers, frame, full) in
        [(1, &short, 2048), (2, &short, 2048), (1, &long, 2048), (2, &long, 64)]
    {
        let workers = NonZeroUsize::new(workers).expect("at least one worker");
        let config = DriverConfig::default();
        let driver = ParallelDriver::new(WithPayload, &config, workers, hash, protocols, &text);
        let mut driver = driver.unwrap();
        let view = PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_secs(1));
        for round in 0..2 {
            driver.handle_batch(&vec![view; full - 1]);
            assert!(!driver.is_round_full(), "{workers} {full} {round}");
            driver.handle_batch(&[view]);
            assert!(driver.is_round_full(), "{workers} {full} {round}");
            driver.flush(&mut nothing).unwrap();
            assert!(!driver.is_round_full());
        }
        let counts = driver.finish(EndReason::EndOfInput, &mut nothing).unwrap();
        assert_eq!(counts.packets.delivered(), 2 * full as u64);
    }
}

/// Records the number of each packet, in 4096 bytes.
#[derive(Clone)]
struct Long;

impl<M> Recorder<[u8; 4], M> for Long {
    type State = ();
    type Record = u64;

    fn state(&self, _: &Extracted<[u8; 4]>) {}

    fn wants_packets(&self) -> bool {
        true
    }

    fn flow(&self, flow: Flow<'_, [u8; 4], ()>, change: Change) -> Option<u64> {
        matches!(change, Change::Packet(_)).then_some(flow.packet)
    }

    fn encodes(&self) -> bool {
        true
    }

    fn encode(&mut self, record: &u64, out: &mut Vec<u8>) {
        out.extend([&record.to_le_bytes()[..], &[b' '; 4088]].concat());
    }
}

/// A worker encodes 1 MiB of a round: what is behind it comes as records, in the same order.
#[test]
fn encodings_of_a_round_have_a_bound() {
    let (config, workers) = (DriverConfig::default(), NonZeroUsize::new(2).expect("not zero"));
    let protocols = |_: &DriverConfig| Protocols::<()>::new();
    let driver = ParallelDriver::new(Ports, &config, workers, hash, protocols, &Long);
    let mut driver = driver.unwrap();
    let view = PacketView::new(&[0; 40], LinkType::ETHERNET, Timestamp::from_secs(1));
    for round in 0..2_u64 {
        driver.handle_batch(&[view; 300]);
        let (mut encoded, mut numbers) = (0, Vec::new());
        let mut take = |merged: Merged<'_, u64>| -> Result<(), WorkerError> {
            numbers.push(match merged {
                Merged::Record(number) => number,
                Merged::Encoded(bytes) => {
                    assert_eq!(bytes.len(), 4096);
                    encoded += 1;
                    u64::from_le_bytes(*bytes.first_chunk().expect("a number"))
                }
            });
            Ok(())
        };
        driver.flush(&mut take).unwrap();
        driver.drain(&mut take).unwrap();
        let first = numbers[0];
        assert_eq!(numbers, (first..first + 300).collect::<Vec<_>>(), "{round}");
        assert_eq!(encoded, 256, "{round}");
    }
}
