//! Packets through the whole driver with all protocols, and what has to be true of any run.

use flowscope::core::{FlowExtractor, FlowSide, PacketView};
use flowscope::driver::{Driver, DriverConfig, SessionEvent, Transport};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::protocols::{self, AppRecord, Registry};
use flowscope::track::{Counters, EndReason, FlowEvent, TrackerConfig};
use flowscope_testkit::Packet;
use flowscope_testkit::attacks;

/// The driver of the `flowscope` command: the innermost flow, all protocols.
pub type AllProtocols = Driver<AutoDetectEncap<FiveTuple>, AppRecord, (), Registry>;

/// An event of it.
pub type Event = SessionEvent<FiveTupleKey, AppRecord>;

/// Port of the server, transport, and what the sides say in turn.
pub type Conversation = (u16, Transport, Vec<(FlowSide, Vec<u8>)>);

/// Flows that begin, and those that end, and the packets in their records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// Flows that began.
    pub started: u64,
    /// Flows that ended.
    pub ended: u64,
    /// Packets in records.
    pub packets: u64,
    /// Bytes of payload in records.
    pub payload: u64,
    /// Records of protocols.
    pub records: u64,
    /// Most bytes of memory held at a time.
    pub peak: usize,
}

/// A driver whose flows, streams and parsers may take `budget` bytes.
#[must_use]
pub fn driver(budget: usize) -> AllProtocols {
    let tracker = TrackerConfig::default().memory_budget(budget);
    let config = DriverConfig::default().tracker(tracker);
    let registered = protocols::registered::<AppRecord>();
    Driver::with_config(extractor(), registered, config)
}

fn extractor() -> AutoDetectEncap<FiveTuple> {
    AutoDetectEncap(FiveTuple::bidirectional())
}

/// Runs packets to the end of input, in batches of `size`, and shows `see` every event. Checks at every batch that
/// each packet has one ledger entry or waits, and so each byte of payload until the first fragment comes, whose
/// datagram may or may not become whole; at the end that flows have ended, and that records have as many packets
/// and bytes as the ledgers.
///
/// # Panics
///
/// When something is not true.
pub fn run(
    mut driver: AllProtocols,
    packets: impl Iterator<Item = Packet>,
    size: usize,
    mut see: impl FnMut(&Event),
) -> Sums {
    let (mut sums, mut sent, mut payload) = (Sums::default(), 0, Some(0));
    let mut packets = packets.peekable();
    while packets.peek().is_some() {
        let batch: Vec<Packet> = packets.by_ref().take(size).collect();
        let views: Vec<PacketView<'_>> = batch.iter().map(Packet::view).collect();
        driver.handle_batch(&views);
        sent += batch.len() as u64;
        assert_eq!(driver.packets().seen() + driver.pending_fragments(), sent);
        payload = views.iter().fold(payload, |sum, view| Some(sum? + payload_of(view)?));
        if let Some(payload) = payload {
            assert_eq!(driver.bytes().seen() + driver.pending(), payload, "after {sent} packets");
        }
        sums.peak = sums.peak.max(driver.heap_bytes());
        while let Some(event) = driver.poll_event() {
            sums.take(&event);
            see(&event);
        }
    }
    driver.finish(EndReason::EndOfInput);
    while let Some(event) = driver.poll_event() {
        sums.take(&event);
        see(&event);
    }
    assert_eq!((driver.packets().seen(), driver.pending_fragments()), (sent, 0));
    assert_eq!(driver.pending(), 0, "no byte waits at the end");
    assert_eq!(sums.packets, driver.packets().delivered(), "records miss no packet");
    assert_eq!(sums.payload, driver.bytes().seen(), "records miss no byte");
    assert_eq!(sums.started, sums.ended, "every flow that began has ended");
    sums
}

/// Bytes of payload of a packet on the wire, 0 if it belongs to no flow; `None` for a fragment.
fn payload_of(view: &PacketView<'_>) -> Option<u64> {
    let Some(found) = extractor().extract(*view) else { return Some(0) };
    found.fragment.is_none().then_some(found.payload.wire_len.into())
}

impl Sums {
    fn take(&mut self, event: &Event) {
        match event {
            SessionEvent::Started { .. } => self.started += 1,
            SessionEvent::Application { .. } => self.records += 1,
            SessionEvent::Closed { stats, .. } => {
                self.ended += 1;
                self.count([&stats.initiator, &stats.responder].map(|side| side.counters));
            }
            SessionEvent::Flow(FlowEvent::Late { stats, .. }) => {
                self.count(stats.late.map(|late| late.sides).unwrap_or_default());
            }
            _ => {}
        }
    }

    fn count(&mut self, sides: [Counters; 2]) {
        for side in sides {
            self.packets += side.packets;
            self.payload += side.payload_bytes;
        }
    }
}

/// What the first connection or datagram of each attack on a protocol says: port, transport, and the turns.
#[must_use]
pub fn conversations(volume: usize) -> Vec<Conversation> {
    let lists = [
        attacks::http::list,
        attacks::tls::list,
        attacks::dns::list,
        attacks::quic::list,
        attacks::names::list,
    ];
    let all = lists.into_iter().flat_map(|list| list(volume));
    all.map(|attack| conversation(attack.packets.take(400))).collect()
}

/// The turns of one conversation, from its packets; ports of servers are the low ones.
fn conversation(packets: impl Iterator<Item = Packet>) -> Conversation {
    let extractor = extractor();
    let (mut port, mut transport, mut turns) = (0, Transport::Datagram, Vec::new());
    let mut first = None;
    for packet in packets {
        let view = packet.view();
        let Some(found) = extractor.extract(view) else { continue };
        if *first.get_or_insert(found.key) != found.key {
            break;
        }
        let (from, to) = found.key.endpoints(found.orientation);
        let (from, to) = (from.port.unwrap_or(0), to.port.unwrap_or(0));
        let side = if from > to { FlowSide::Initiator } else { FlowSide::Responder };
        port = from.min(to);
        if found.tcp.is_some() {
            transport = Transport::Stream;
        }
        let payload = found.payload.of(&view);
        match turns.last_mut() {
            _ if payload.is_empty() => {}
            Some((last, bytes)) if *last == side && transport == Transport::Stream => {
                let bytes: &mut Vec<u8> = bytes;
                bytes.extend_from_slice(payload);
            }
            _ => turns.push((side, payload.to_vec())),
        }
    }
    (port, transport, turns)
}
