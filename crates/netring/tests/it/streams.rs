//! What all streams of events do: order, time, errors, ends, cancellation.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowscope_core::{LinkType, Loss, PacketSource};
use flowscope_driver::{DriverConfig, FlowDriver};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_pcap::{CaptureReader, CaptureWriter};
use flowscope_track::{FlowEvent, TrackerConfig};
use futures_core::Stream;
use netring::{AsyncCapture, Dedup, Error, Filter, FlowStream, Merge};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;

use crate::source::{Script, Step, datagram};

type Event = FlowEvent<FiveTupleKey>;

fn flows(script: Script) -> FlowStream<Script, FiveTuple> {
    AsyncCapture::new(script).flow_stream(FiveTuple::bidirectional())
}

/// One line for each item: what a test compares.
fn said(item: &Result<Event, Error>) -> String {
    match item {
        Ok(FlowEvent::Started { flow, .. }) => format!("start {}", flow.key),
        Ok(FlowEvent::Ended { flow, reason, stats, .. }) => {
            format!("end {} {reason:?} {}", flow.key, stats.initiator.counters.packets)
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error {error}"),
    }
}

async fn all(stream: &mut (impl Stream<Item = Result<Event, Error>> + Unpin)) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(item) = next(stream).await {
        lines.push(said(&item));
    }
    lines
}

/// The next item that is not about a single packet.
async fn next(
    stream: &mut (impl Stream<Item = Result<Event, Error>> + Unpin),
) -> Option<Result<Event, Error>> {
    loop {
        match stream.next().await {
            Some(Ok(FlowEvent::Packet { .. })) => {}
            other => return other,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flows_end_in_silence_once_no_packet_can_be_on_its_way() {
    let latency = Duration::from_millis(10);
    let steps = [Step::Packets(vec![datagram(1, 0)]), Step::Silence(Duration::from_secs(600))];
    let mut stream = flows(Script::new(steps).live(latency));
    let start = Instant::now();
    assert_eq!(said(&next(&mut stream).await.unwrap()), "start 10.0.0.1:1025 <-> 10.0.0.2:9");
    let end = said(&next(&mut stream).await.unwrap());
    assert_eq!(end, "end 10.0.0.1:1025 <-> 10.0.0.2:9 IdleTimeout 1");
    let waited = start.elapsed();
    assert!(waited > Duration::from_secs(60) + latency, "{waited:?}");
    assert!(waited < Duration::from_secs(61), "{waited:?}");
    // The silence lasts on, and nobody is woken for it.
    assert!(timeout(Duration::from_secs(500), next(&mut stream)).await.is_err());
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_lies_ready_was_before_what_is_due() {
    let steps = [
        Step::Packets(vec![datagram(1, 0)]),
        Step::Silence(Duration::from_secs(1)),
        Step::Packets(vec![datagram(1, 50_000)]),
        Step::Silence(Duration::from_secs(1)),
    ];
    let mut stream = flows(Script::new(steps).live(Duration::ZERO));
    next(&mut stream).await.unwrap().unwrap();
    assert!(timeout(Duration::ZERO, next(&mut stream)).await.is_err());
    // The consumer does something else while the second packet, of second 50, comes in.
    sleep(Duration::from_secs(100)).await;
    let mut rest = all(&mut stream).await;
    assert_eq!(rest.pop().unwrap(), "end 10.0.0.1:1025 <-> 10.0.0.2:9 EndOfInput 2");
    assert!(!rest.iter().any(|line| line.contains("end")), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_file_is_its_packets() {
    let steps = [Step::Packets(vec![datagram(1, 0)]), Step::Silence(Duration::from_secs(600))];
    let lines = all(&mut flows(Script::new(steps))).await;
    assert!(lines.last().unwrap().ends_with("EndOfInput 1"), "{lines:?}");
}

#[tokio::test]
async fn errors_are_items_and_the_stream_goes_on() {
    let steps = [
        Step::Packets(vec![datagram(1, 0)]),
        Step::Failure("the cable was pulled"),
        Step::Packets(vec![datagram(2, 1)]),
    ];
    let lines = all(&mut flows(Script::new(steps))).await;
    let words: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["start", "error", "start", "end", "end"], "{lines:?}");
    assert_eq!(lines[1], "error the cable was pulled");
}

#[tokio::test]
async fn a_stopped_stream_gives_what_was_received_and_ends_as_shutdown() {
    let steps = [
        Step::Packets(vec![datagram(1, 0)]),
        Step::Packets(vec![datagram(2, 1)]),
        Step::Silence(Duration::from_secs(1000)),
        Step::Packets(vec![datagram(3, 2)]),
    ];
    let mut stream = flows(Script::new(steps));
    next(&mut stream).await.unwrap().unwrap();
    stream.stop();
    let lines = all(&mut stream).await;
    assert_eq!(
        lines,
        [
            "start 10.0.0.1:1026 <-> 10.0.0.2:9",
            "end 10.0.0.1:1025 <-> 10.0.0.2:9 Shutdown 1",
            "end 10.0.0.1:1026 <-> 10.0.0.2:9 Shutdown 1",
        ]
    );
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_signal_stops_it() {
    let silence = || Step::Silence(Duration::from_secs(1000));
    let steps = [Step::Packets(vec![datagram(1, 0)]), silence()];
    let mut stream = flows(Script::new(steps)).stop_when(sleep(Duration::from_secs(3)));
    let start = Instant::now();
    let lines = all(&mut stream).await;
    assert!(lines.last().unwrap().ends_with("Shutdown 1"), "{lines:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn shutdown_tells_the_ledger_and_leaves_the_events() {
    let steps = (0..100).map(|n| Step::Packets(vec![datagram(n, u64::from(n))]));
    let mut stream = flows(Script::new(steps));
    next(&mut stream).await.unwrap().unwrap();
    let stats = stream.shutdown().await.unwrap();
    assert_eq!((stats.arrived, stats.packets.delivered(), stats.flows), (Some(100), 100, 0));
    let lines = all(&mut stream).await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("start")).count(), 99);
    assert_eq!(lines.iter().filter(|line| line.ends_with("Shutdown 1")).count(), 100);
    // Once more changes nothing.
    assert_eq!(stream.shutdown().await.unwrap(), stats);
}

#[tokio::test]
async fn nothing_is_read_before_the_events_at_hand_are_taken() {
    let batch = |from: u16| Step::Packets((from..from + 10).map(|n| datagram(n, 0)).collect());
    let script = Script::new([batch(0), batch(10)]);
    let lent = script.lent();
    let mut stream = flows(script);
    // Two events of each flow's one packet.
    for taken in 1..=40 {
        stream.next().await.unwrap().unwrap();
        assert_eq!(lent.load(Ordering::Relaxed), if taken <= 20 { 10 } else { 20 });
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_future_at_any_poll_loses_nothing() {
    let steps = || {
        (0..200).flat_map(|n: u16| {
            let pause = match n % 4 {
                0 => Step::Pending,
                1 => Step::Silence(Duration::from_millis(3)),
                2 => Step::Failure("now and then"),
                _ => Step::Packets(Vec::from([datagram(n, u64::from(n))])),
            };
            [Step::Packets(vec![datagram(n, u64::from(n)), datagram(n / 3, u64::from(n))]), pause]
        })
    };
    let expected = all(&mut flows(Script::new(steps()))).await;
    let mut stream = flows(Script::new(steps()));
    let mut lines = Vec::new();
    let mut dropped = 0;
    loop {
        // Polled once, then dropped unless it was ready.
        match timeout(Duration::ZERO, next(&mut stream)).await {
            Ok(Some(item)) => lines.push(said(&item)),
            Ok(None) => break,
            Err(_) => {
                dropped += 1;
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
    assert_eq!(lines, expected);
    assert!(dropped > 100, "{dropped}");
}

#[tokio::test]
async fn a_source_that_always_has_more_leaves_others_their_turn() {
    let packets: Vec<_> = (0..64).map(|_| datagram(1, 0)).collect();
    let steps = std::iter::repeat_n(Step::Packets(packets), 2000);
    let mut stream = flows(Script::new(steps));
    let turns = Arc::new(AtomicUsize::new(0));
    let other = Arc::clone(&turns);
    let task = tokio::spawn(async move {
        loop {
            other.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    all(&mut stream).await;
    task.abort();
    assert!(turns.load(Ordering::Relaxed) > 10, "{turns:?}");
}

/// Where a tap writes, to be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tap<W: Write>(out: W) -> CaptureWriter<W> {
    CaptureWriter::pcap(out, LinkType::ETHERNET).expect("there is room for the header")
}

#[tokio::test]
async fn the_tap_records_what_passes_the_filter() {
    let steps = (0..50).map(|n| Step::Packets(vec![datagram(n, u64::from(n))]));
    let out = Shared::default();
    let mut stream = flows(Script::new(steps))
        .with_filter(Filter::parse("udp src portrange 1030-1039").unwrap())
        .with_pcap_tap(tap(out.clone()));
    let lines = all(&mut stream).await;
    assert_eq!(lines.len(), 20);
    let stats = stream.stats().unwrap();
    assert_eq!((stats.arrived, stats.refused, stats.recorded), (Some(50), 40, 10));
    assert_eq!(stats.packets.seen() + stats.refused, 50);

    let written = out.0.lock().unwrap().clone();
    let mut reader = CaptureReader::new(written.as_slice()).unwrap();
    let mut ports = Vec::new();
    let mut lend = |packets: &[flowscope_core::PacketView<'_>]| {
        ports.extend(packets.iter().map(|packet| packet.frame()[35]));
    };
    while reader.next_batch(&mut lend).unwrap() > 0 {}
    assert!(ports.iter().copied().eq(6..16), "{ports:?}");
}

/// A disk with room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_tap_that_fails_is_told_once_and_stops_nothing_else() {
    let steps = (0..50).map(|n| Step::Packets(vec![datagram(n, u64::from(n))]));
    let mut stream = flows(Script::new(steps)).with_pcap_tap(tap(Full(500)));
    let lines = all(&mut stream).await;
    let errors: Vec<&String> = lines.iter().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("error recording has ended: "), "{errors:?}");
    assert_eq!(lines.len(), 101);
    assert!(stream.stats().unwrap().recorded < 10);
}

#[tokio::test(start_paused = true)]
async fn several_sources_are_one_capture() {
    let source = |from: u16| {
        Script::new((0..30).flat_map(move |n| {
            let packet = datagram(n, u64::from(n));
            let wait = Step::Silence(Duration::from_millis(u64::from(n % 7 + from)));
            [Step::Packets(vec![packet]), wait]
        }))
    };
    let merged = Merge::new([source(0), source(1), source(5)]);
    let mut stream = AsyncCapture::new(merged).flow_stream(FiveTuple::bidirectional());
    let lines = all(&mut stream).await;
    // The same 30 flows by three ways.
    assert_eq!(lines.iter().filter(|line| line.ends_with("EndOfInput 3")).count(), 30);
    assert_eq!(stream.stats().unwrap().arrived, Some(90));
    assert_eq!(lines.len(), 60, "{lines:?}");
}

#[tokio::test]
async fn packets_can_be_kept() {
    let steps = (0..20).map(|n| Step::Packets(vec![datagram(n, u64::from(n)), datagram(n, 0)]));
    let mut packets = AsyncCapture::new(Script::new(steps)).packet_stream();
    let mut kept = Vec::new();
    while let Some(packet) = packets.next().await {
        kept.push(packet.unwrap());
    }
    assert_eq!(kept.len(), 40);
    for (n, packet) in kept.iter().step_by(2).enumerate() {
        let sent = datagram(n as u16, n as u64);
        assert_eq!((packet.view().frame(), packet.ts), (sent.view().frame(), sent.ts));
    }
    let stats = packets.stats().unwrap();
    assert_eq!((stats.arrived, stats.packets.delivered(), stats.waiting), (Some(40), 40, 0));
}

#[tokio::test]
async fn copies_are_left_out_and_named() {
    let steps = (0..100).map(|n| {
        let packet = datagram(n, u64::from(n));
        Step::Packets(vec![packet.clone(), packet.clone(), packet])
    });
    let out = Shared::default();
    let mut stream =
        flows(Script::new(steps)).dedup(Dedup::default()).with_pcap_tap(tap(out.clone()));
    let lines = all(&mut stream).await;
    assert_eq!(lines.iter().filter(|line| line.ends_with("EndOfInput 1")).count(), 100);
    let stats = stream.stats().unwrap();
    assert_eq!((stats.packets.lost(Loss::Duplicate), stats.packets.delivered()), (200, 100));
    assert_eq!((stats.arrived, stats.recorded), (Some(300), 300));
}

#[tokio::test]
async fn a_driver_of_ones_own_keeps_its_configuration() {
    let steps = || (0..50).map(|n| Step::Packets(vec![datagram(n, u64::from(n))]));
    let config =
        DriverConfig::default().map_tracker(|tracker| tracker.max_flows(NonZeroUsize::MIN));
    let driver = || FlowDriver::with_config(FiveTuple::bidirectional(), config.clone());
    let capture = || AsyncCapture::new(Script::new(steps()));
    let evicted = |lines: &[String]| lines.iter().filter(|line| line.contains("Evicted")).count();
    assert_eq!(evicted(&all(&mut capture().drive(driver())).await), 49);
    assert_eq!(evicted(&all(&mut capture().drive(driver()).without_packets()).await), 49);
    let told = |tracker: TrackerConfig| tracker.udp_idle(Duration::from_secs(1));
    assert_eq!(evicted(&all(&mut capture().drive(driver()).with_tracker(told)).await), 49);
}
