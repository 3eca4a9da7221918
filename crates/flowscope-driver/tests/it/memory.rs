//! Memory of streams and parsers: what is dropped at the limit, and under which name.

use flowscope_core::FlowSide::{self, Initiator};
use flowscope_core::{Loss, Probe, SessionParser};
use flowscope_driver::{Driver, DriverConfig, Protocols, Recognition, SessionEvent, StopReason};
use flowscope_testkit::Dialogue;
use flowscope_track::{EndReason, TrackerConfig};

use super::{EXTRACTOR, packets};

/// Keeps everything that it reads.
#[derive(Clone, Default)]
struct Hoarder(Vec<u8>);

impl SessionParser for Hoarder {
    type Message = ();

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<()> {
        self.0.extend_from_slice(bytes);
        Vec::new()
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<()> {
        self.feed_initiator(bytes)
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

fn hoarders(
    budget: usize,
) -> Driver<flowscope_extract::AutoDetectEncap<flowscope_extract::FiveTuple>, ()> {
    let protocols =
        Protocols::new().stream("hoarder", Hoarder::default(), Recognition::by_bytes(), |()| ());
    let tracker = TrackerConfig::default().memory_budget(budget);
    Driver::with_config(EXTRACTOR, protocols, DriverConfig::default().tracker(tracker))
}

/// A budget of 1 MiB: the flow table takes what streams and parsers do not get.
#[test]
fn streams_and_parsers_have_their_share_of_the_budget() {
    for (percent, least, most) in [
        (0, 0, 2000),
        (25, 100_000, (1 << 20) / 4 + 2000),
        (100, 1_000_000, 1_000_000),
        (200, 1_000_000, 1_000_000),
    ] {
        let protocols =
            Protocols::new()
                .stream("hoarder", Hoarder::default(), Recognition::by_bytes(), |()| ());
        let tracker = TrackerConfig::default().memory_budget(1 << 20);
        let config = DriverConfig::default().tracker(tracker).stream_share(percent);
        let mut driver = Driver::with_config(EXTRACTOR, protocols, config);
        let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
        let script = (0..1000).fold(start, |script, _| script.data(Initiator, [b'x'; 1000]));
        for packet in packets(script.close(Initiator)) {
            driver.handle_packet(packet.view());
        }
        driver.finish(EndReason::EndOfInput);
        let bytes = driver.bytes();
        assert!((least..=most).contains(&bytes.delivered()), "{percent} %: {bytes:?}");
        assert_eq!(bytes.delivered() + bytes.lost(Loss::Memcap), 1_000_000);
    }
}

#[test]
fn a_parser_that_keeps_too_much_is_stopped_and_the_flow_goes_on() {
    let budget = 1 << 20;
    let mut driver = hoarders(budget);
    let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
    let script = (0..1000).fold(start, |script, _| script.data(Initiator, [b'x'; 1000]));
    let sent = 1_000_000;
    let mut stopped = Vec::new();
    let mut peak = 0;
    for packet in packets(script.close(Initiator)) {
        driver.handle_packet(packet.view());
        peak = peak.max(driver.heap_bytes());
        while let Some(event) = driver.poll_event() {
            match event {
                SessionEvent::ParserStopped { why, .. } => stopped.push(why),
                SessionEvent::Closed { stats, reason, .. } => {
                    assert_eq!(reason, EndReason::Fin);
                    assert_eq!(stats.initiator.counters.payload_bytes, sent);
                }
                _ => {}
            }
        }
    }
    assert_eq!(stopped, [StopReason::MemoryLimit]);
    let bytes = driver.bytes();
    // It read what fits into half of the budget; a buffer that grows doubles.
    assert!(bytes.delivered() >= 200_000, "{bytes:?}");
    assert!(bytes.delivered() < budget as u64 / 2 + 2000, "{bytes:?}");
    assert_eq!(bytes.delivered() + bytes.lost(Loss::Memcap), sent);
    // The table grows too: all of it within the budget, and one growth of the buffer.
    assert!(peak <= budget + budget / 2, "{peak}");
    driver.finish(EndReason::EndOfInput);
    assert_eq!(driver.pending(), 0);
}

#[test]
fn bytes_that_wait_are_dropped_before_a_flow_is_given_up() {
    // Streams may hold half of this.
    let mut driver = hoarders(512 << 10);
    let ack = flowscope_core::TcpFlags::ACK;
    let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
    // All of it behind a hole of one byte, which is filled at the end.
    let script = (0..300_u32).fold(start, |script, n| {
        script.segment(Initiator, 1002 + n * 1000, 5001, ack, [b'x'; 1000])
    });
    let script = script.segment(Initiator, 1001, 5001, ack, [b'y'; 1]);
    let mut stops = 0;
    for packet in packets(script) {
        driver.handle_packet(packet.view());
        let waiting = std::iter::from_fn(|| driver.poll_event());
        stops += waiting.filter(|e| matches!(e, SessionEvent::ParserStopped { .. })).count();
    }
    driver.finish(EndReason::EndOfInput);
    let bytes = driver.bytes();
    assert_eq!(stops, 0);
    assert!(bytes.lost(Loss::Memcap) > 0, "{bytes:?}");
    assert_eq!((bytes.seen(), driver.pending()), (300_001, 0));
    assert!(bytes.delivered() > 0, "{bytes:?}");
}
