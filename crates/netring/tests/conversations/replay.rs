//! Capture files: conversations carry the bytes that a synchronous driver puts in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flowscope_core::{
    Conflict, FlowSide, Ledger, LinkType, Loss, PacketSource, PacketView, Reassembler,
    ReassemblerFactory, Segment, StreamSink, Timestamp,
};
use flowscope_driver::{SessionSink, StreamDriver};
use flowscope_extract::FiveTupleKey;
use flowscope_pcap::{CaptureFiles, CaptureWriter};
use flowscope_reassembly::{StreamReassembler, StreamReassemblerFactory};
use flowscope_testkit::Dialogue;
use flowscope_track::{Change, EndReason, Flow, FlowEvent};
use netring::{
    AsyncCapture, AsyncReassembler, ConversationConfig, Ended, GapCause, Piece, Stats,
    default_config,
};

use crate::world::extractor;

/// Bytes and gaps of one side.
#[derive(Clone, Debug, Eq, PartialEq)]
enum AppRecord {
    Bytes(Vec<u8>),
    Gap(u64),
}

/// What one side said, however it was cut.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Side {
    said: Vec<AppRecord>,
    at: u64,
}

impl Side {
    fn bytes(&mut self, at: u64, more: &[u8]) {
        assert_eq!(at, self.at);
        self.at += more.len() as u64;
        match self.said.last_mut() {
            Some(AppRecord::Bytes(bytes)) => bytes.extend_from_slice(more),
            _ => self.said.push(AppRecord::Bytes(more.to_vec())),
        }
    }

    fn gap(&mut self, at: u64, len: u64) {
        assert_eq!(at, self.at);
        self.at += len;
        match self.said.last_mut() {
            Some(AppRecord::Gap(before)) => *before += len,
            _ => self.said.push(AppRecord::Gap(len)),
        }
    }
}

/// What flows said, by key; those of one key in the order in which they began.
type Flows = BTreeMap<FiveTupleKey, Vec<[Side; 2]>>;

/// Collects what passes through the reassembler that drivers use.
struct Collecting {
    stream: StreamReassembler,
    key: FiveTupleKey,
    nth: usize,
    side: FlowSide,
    flows: Arc<Mutex<Flows>>,
}

struct Collect<'a> {
    to: &'a Arc<Mutex<Flows>>,
    of: (FiveTupleKey, usize, FlowSide),
    out: &'a mut dyn StreamSink,
}

impl Collect<'_> {
    fn side(&self, write: impl FnOnce(&mut Side)) {
        let (key, nth, side) = self.of;
        write(&mut self.to.lock().unwrap().get_mut(&key).unwrap()[nth][side.index()]);
    }
}

impl StreamSink for Collect<'_> {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        self.side(|side| side.bytes(at, bytes));
        self.out.bytes(at, bytes);
    }
    fn gap(&mut self, at: u64, len: u64) {
        self.side(|side| side.gap(at, len));
        self.out.gap(at, len);
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.out.lost(cause, bytes);
    }
    fn conflict(&mut self, conflict: Conflict) {
        self.out.conflict(conflict);
    }
}

impl Collecting {
    fn with<'a>(
        &'a mut self,
        out: &'a mut dyn StreamSink,
    ) -> (&'a mut StreamReassembler, Collect<'a>) {
        let of = (self.key, self.nth, self.side);
        (&mut self.stream, Collect { to: &self.flows, of, out })
    }
}

impl Reassembler for Collecting {
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        self.stream.segment(seq, payload);
    }
    fn fin(&mut self) {
        self.stream.fin();
    }
    fn rst(&mut self) {
        self.stream.rst();
    }
    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        let (own, mut to) = self.with(out);
        own.push(segment, &mut peer.stream, &mut to);
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.stream.deadline()
    }
    fn timeout(&mut self, now: Timestamp, peer: &mut Self, out: &mut dyn StreamSink) {
        let (own, mut to) = self.with(out);
        own.timeout(now, &mut peer.stream, &mut to);
    }
    fn end(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        let (own, mut to) = self.with(out);
        own.end(&mut peer.stream, &mut to);
    }
    fn finished(&self) -> bool {
        self.stream.finished()
    }
    fn has_hole(&self, peer: &Self) -> bool {
        self.stream.has_hole(&peer.stream)
    }
    fn drop_buffered(&mut self, out: &mut dyn StreamSink) {
        self.stream.drop_buffered(out);
    }
    fn pending(&self) -> u64 {
        self.stream.pending()
    }
    fn heap_bytes(&self) -> usize {
        self.stream.heap_bytes()
    }
}

struct Collector {
    streams: StreamReassemblerFactory,
    flows: Arc<Mutex<Flows>>,
}

impl ReassemblerFactory<FiveTupleKey> for Collector {
    type Reassembler = Collecting;
    fn new_reassembler(&mut self, key: &FiveTupleKey, side: FlowSide) -> Collecting {
        let flows = &mut *self.flows.lock().unwrap();
        let flows = flows.entry(*key).or_default();
        if side == FlowSide::Initiator {
            flows.push(Default::default());
        }
        let (nth, to) = (flows.len() - 1, Arc::clone(&self.flows));
        Collecting { stream: self.streams.make(), key: *key, nth, side, flows: to }
    }
}

/// The captures of this repository, and one with a gap.
fn bundled() -> Vec<PathBuf> {
    let mut captures = captures_below("../../tests/data");
    assert!(captures.len() > 20, "{} captures", captures.len());
    let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .handshake()
        .data(FlowSide::Initiator, b"first")
        .data(FlowSide::Initiator, b"never captured")
        .data(FlowSide::Initiator, b"last")
        .close(FlowSide::Initiator)
        .build();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conversation-with-a-gap.pcap");
    let file = fs::File::create(&path).unwrap();
    let mut writer = CaptureWriter::pcap(file, LinkType::ETHERNET).unwrap();
    for (_, (ts, frame)) in packets.iter().enumerate().filter(|(at, _)| *at != 4) {
        writer.write(PacketView::new(frame, LinkType::ETHERNET, *ts)).unwrap();
    }
    writer.finish().unwrap();
    captures.push(path);
    captures
}

/// Capture files in a folder, given from the manifest of the crate, and in those below it.
pub(crate) fn captures_below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            let known = [".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.zst"];
            if path.is_dir() {
                folders.push(path);
            } else if known.iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What a synchronous driver puts in order, and where all bytes went.
fn expected(path: &Path) -> (Flows, Ledger) {
    let flows = Arc::new(Mutex::new(Flows::new()));
    let streams = StreamReassemblerFactory::new(default_config().stream_config().clone());
    let collector = Collector { streams, flows: Arc::clone(&flows) };
    let mut driver = StreamDriver::with_config(extractor(), collector, default_config());
    let mut source = CaptureFiles::new([path]);
    while !matches!(source.next_batch(&mut |packets| driver.handle_batch(packets)), Ok(0)) {}
    driver.finish(EndReason::EndOfInput);
    let mut found = flows.lock().unwrap().clone();
    for flows in found.values_mut() {
        flows.retain(|sides| sides.iter().any(|side| !side.said.is_empty()));
    }
    found.retain(|_, flows| !flows.is_empty());
    (found, driver.bytes())
}

fn check_stats(path: &Path, stats: &Stats, bytes: &Ledger) {
    assert_eq!(stats.bytes, *bytes, "{}", path.display());
    assert_eq!(stats.pending, 0, "{}", path.display());
}

#[tokio::test]
async fn conversations_of_bundled_captures_equal_those_of_the_driver() {
    let (conversations, gaps) = compare_conversations(bundled()).await;
    assert!(conversations > 30 && gaps > 0, "{conversations} conversations, {gaps} gaps");
}

#[tokio::test]
async fn async_reassemblers_read_of_bundled_captures_what_the_driver_s_do() {
    let sides = compare_async_reassemblers(bundled()).await;
    assert!(sides > 60, "{sides} sides");
}

/// Returns the number of conversations, and of gaps in them.
pub(crate) async fn compare_conversations(captures: Vec<PathBuf>) -> (usize, usize) {
    let (mut conversations, mut gaps) = (0, 0);
    for path in captures {
        let (expected, bytes) = expected(&path);
        // A credit that large flows use up, so that the file is held up now and then.
        let config = ConversationConfig::default().credit(20_000);
        let flows = AsyncCapture::open_file(&path).flow_stream(extractor());
        let mut stream = flows.conversations(config);
        let mut readers = Vec::new();
        while let Some(item) = stream.next().await {
            let Ok(mut talk) = item else { continue };
            readers.push(tokio::spawn(async move {
                let mut sides = [Side::default(), Side::default()];
                let mut ended = None;
                while let Some(piece) = talk.next().await {
                    assert!(ended.is_none(), "the end is last");
                    match piece {
                        Piece::Bytes { side, offset, bytes, .. } => {
                            sides[side.index()].bytes(offset, &bytes);
                        }
                        Piece::Gap { side, offset, len, cause } => {
                            assert_eq!(cause, GapCause::NotCaptured);
                            sides[side.index()].gap(offset, len);
                        }
                        Piece::Ended(how) => ended = Some(how),
                        _ => {}
                    }
                }
                assert!(matches!(ended, Some(Ended::Flow { .. })), "{ended:?}");
                (*talk.key(), talk.id(), sides)
            }));
        }
        let mut found = BTreeMap::new();
        for reader in readers {
            let (key, id, sides) = reader.await.unwrap();
            gaps += sides
                .iter()
                .flat_map(|side| &side.said)
                .filter(|s| matches!(s, AppRecord::Gap(_)))
                .count();
            found.entry(key).or_insert_with(BTreeMap::new).insert(id, sides);
            conversations += 1;
        }
        let found: Flows =
            found.into_iter().map(|(key, flows)| (key, flows.into_values().collect())).collect();
        assert!(found == expected, "{}", path.display());
        check_stats(&path, &stream.stats().unwrap(), &bytes);
    }
    (conversations, gaps)
}

/// Yields in the middle of everything.
struct Slow {
    key: FiveTupleKey,
    side: FlowSide,
    said: Side,
    sent: Arc<Mutex<Vec<(FiveTupleKey, FlowSide, Side)>>>,
}

impl AsyncReassembler for Slow {
    async fn segment(&mut self, at: u64, bytes: bytes::Bytes) {
        tokio::task::yield_now().await;
        self.said.bytes(at, &bytes);
    }
    async fn gap(&mut self, at: u64, len: u64, _: GapCause) {
        self.said.gap(at, len);
        tokio::task::yield_now().await;
    }
    async fn end(&mut self, _: Ended) {
        tokio::task::yield_now().await;
        let said = (self.key, self.side, self.said.clone());
        self.sent.lock().unwrap().push(said);
    }
}

/// Returns the number of sides of flows with payload.
pub(crate) async fn compare_async_reassemblers(captures: Vec<PathBuf>) -> usize {
    let mut total = 0;
    for path in captures {
        let (expected, bytes) = expected(&path);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&sent);
        let flows = AsyncCapture::open_file(&path).flow_stream(extractor());
        let config = ConversationConfig::default().credit(5_000).total(50_000);
        let mut stream = flows.with_async_reassembler_config(
            move |key: &FiveTupleKey, side| Slow {
                key: *key,
                side,
                said: Side::default(),
                sent: Arc::clone(&to),
            },
            config,
        );
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.extend(event.ok());
        }
        // The end of a flow waits for bytes that its streams lack, where they are read: it may come later among
        // the events of other flows, and behind late packets of its own, which its counters then have.
        let text = |event: &FlowEvent<FiveTupleKey>| match event {
            FlowEvent::Ended { flow, reason, history, .. } => {
                format!("{} {:?} ended: {reason:?} {history}", flow.key, flow.id)
            }
            event => format!("{event:?}"),
        };
        let in_any_order = |events: &[FlowEvent<FiveTupleKey>]| {
            let mut events: Vec<String> = events.iter().map(text).collect();
            events.sort_unstable();
            events
        };
        let differing = in_any_order(&events)
            .into_iter()
            .zip(in_any_order(&flow_events(&path)))
            .find(|(got, expected)| got != expected);
        assert_eq!(
            (events.len(), differing),
            (flow_events(&path).len(), None),
            "{}",
            path.display()
        );
        // Flows of one key end in no order that would tell them apart: as a bag of sides.
        let bag = |sides: &mut dyn Iterator<Item = (FiveTupleKey, FlowSide, Side)>| {
            let mut bag: Vec<String> =
                sides.filter(|(_, _, side)| side.at > 0).map(|side| format!("{side:?}")).collect();
            bag.sort();
            bag
        };
        let expected = bag(&mut expected.into_iter().flat_map(|(key, flows)| {
            flows.into_iter().flat_map(move |[i, r]| {
                [(key, FlowSide::Initiator, i), (key, FlowSide::Responder, r)]
            })
        }));
        let found = bag(&mut sent.lock().unwrap().drain(..));
        assert!(found == expected, "{}", path.display());
        total += found.len();
        check_stats(&path, &stream.stats().unwrap(), &bytes);
    }
    total
}

/// The flow events of a driver that reads streams: a flow ends behind what its streams still get.
fn flow_events(path: &Path) -> Vec<FlowEvent<FiveTupleKey>> {
    #[derive(Default)]
    struct Events(Vec<FlowEvent<FiveTupleKey>>);

    impl SessionSink<FiveTupleKey, Infallible> for Events {
        fn wants_packets(&self) -> bool {
            true
        }
        fn flow(&mut self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) {
            self.0.push(FlowEvent::from_change(&flow, change));
        }
    }

    let streams = StreamReassemblerFactory::new(default_config().stream_config().clone());
    let mut driver = StreamDriver::with_config(extractor(), streams, default_config());
    let mut source = CaptureFiles::new([path]);
    let mut events = Events::default();
    let mut take = |packets: &[PacketView<'_>]| driver.handle_batch_with(packets, &mut events);
    while !matches!(source.next_batch(&mut take), Ok(0)) {}
    driver.finish_with(EndReason::EndOfInput, &mut events);
    events.0
}
