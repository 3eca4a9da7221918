//! The same records from any number of workers, and errors of workers.

use std::num::NonZeroUsize;

use flowscope_core::{DatagramParser, L4Proto, Payload, ShuntStart, Shunted};
use flowscope_driver::{Checksums, Datagrams};
use flowscope_parallel::{
    Change, DriverConfig, EndReason, Extracted, Flow, FlowExtractor, FlowSide, LinkType, Merged,
    Orientation, PacketView, ParallelDriver, Protocols, Recorder, SHARDS, Shunt, ShuntRefusal,
    Shunting, Timestamp, WorkerError,
};
use flowscope_testkit::{Dialogue, views};

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

/// Flows of UDP by the ports of an IPv4 frame without options, with the payload behind the header.
struct Udp;

impl FlowExtractor for Udp {
    type Key = [u8; 4];
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<[u8; 4]>> {
        const HEADERS: u32 = 14 + 20 + 8;
        let mut found = Ports.extract(view)?;
        let len = u32::try_from(view.frame().len()).ok()?.checked_sub(HEADERS)?;
        found.l4 = Some(L4Proto::Udp);
        found.payload = Payload { offset: HEADERS, captured: len, wire_len: len, cut: 0 };
        Some(found)
    }
}

/// A message is the text of a datagram.
#[derive(Clone, Default)]
struct Echo;

impl DatagramParser for Echo {
    type Message = String;
    fn parse(&mut self, payload: &[u8], _: FlowSide) -> Vec<String> {
        vec![String::from_utf8_lossy(payload).into_owned()]
    }
}

/// The messages, and nothing of flows.
#[derive(Clone)]
struct Messages;

impl Recorder<[u8; 4], String> for Messages {
    type State = ();
    type Record = String;

    fn state(&self, _: &Extracted<[u8; 4]>) {}

    fn message(&self, _: Flow<'_, [u8; 4], ()>, _: FlowSide, message: String) -> Option<String> {
        Some(message)
    }
}

#[test]
fn parsers_get_all_of_the_payload_unless_told_otherwise() {
    let run = |workers: usize, keep: Option<usize>| -> Result<Vec<String>, WorkerError> {
        let workers = NonZeroUsize::new(workers).expect("at least one worker");
        let datagrams = |_: &DriverConfig| Datagrams::new(Echo);
        let config = DriverConfig::default();
        let mut driver = ParallelDriver::new(Udp, &config, workers, hash, datagrams, &Messages)?;
        if let Some(bytes) = keep {
            driver = driver.keep_payload(bytes);
        }
        let mut messages = Vec::new();
        let mut take = |merged: Merged<'_, String>| -> Result<(), WorkerError> {
            if let Merged::Record(message) = merged {
                messages.push(message);
            }
            Ok(())
        };
        let packets: Vec<_> = (0..20)
            .flat_map(|n| {
                let script = Dialogue::udp(&format!("10.0.0.1:{}", 1000 + n), "10.0.0.2:53");
                script.datagram(FlowSide::Initiator, format!("datagram {n}").as_bytes()).build()
            })
            .collect();
        driver.handle_batch(&views(&packets).collect::<Vec<_>>());
        driver.finish(EndReason::EndOfInput, &mut take)?;
        Ok(messages)
    };
    let expected: Vec<String> = (0..20).map(|n| format!("datagram {n}")).collect();
    for workers in [1, 2, 8] {
        assert_eq!(run(workers, None).unwrap(), expected, "{workers} workers");
        assert_eq!(run(workers, Some(100)).unwrap(), expected, "{workers} workers");
        let without = run(workers, Some(0)).unwrap();
        assert!(without.iter().all(String::is_empty), "{workers} workers: {without:?}");
    }
}
