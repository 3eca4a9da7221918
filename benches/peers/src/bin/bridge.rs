//! Somebody else's reassembler behind our trait: `protolens` 0.2.3 under a [`StreamDriver`].
//!
//! A [`Bridge`] shows each segment to `protolens` as a packet and takes back the packets that this
//! lends to its callback in order. The program runs it over generated connections and compares every byte with what
//! our own reassembler delivers; where the two differ it says so and fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::rc::Rc;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{
    StreamChunk, FlowSide, Loss, ParserStatus, Reassembler, ReassemblerFactory, Segment, SessionParser,
    StreamSink, TcpFlags, Timestamp,
};
use flowscope_driver::{SessionDriver, SessionEvent, StreamDriver};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_testkit::{Dialogue, Rng, views};
use flowscope_track::EndReason;
use protolens::{L7Proto, Packet, Prolens, Task, TransProto};

/// One direction of a flow, put in order by `protolens`.
///
/// A direction is a connection of its own to `protolens`: the sides of a flow share nothing but the
/// instance. Two things it does not do: release a hole that is never filled, so that what lies behind
/// it is lost, as [`Loss::OooDropped`], at the end; and follow sequence numbers beyond 2³², where its
/// debug builds panic.
///
/// Memory: what `protolens` keeps, which it does not tell.
struct Bridge {
    lens: Rc<RefCell<Prolens<Piece>>>,
    task: Task<Piece>,
    /// Where the callback puts packets, for the time of one call.
    said: AppRecord,
    /// Sequence number of the next byte, once one or a SYN has come.
    next: Option<u32>,
    /// Offset of the next byte.
    at: u64,
    /// Bytes of payload that came.
    seen: u64,
    /// Those that were delivered, or lost.
    done: u64,
}

/// Makes [`Bridge`]s, all of one thread and of one instance of `protolens`.
struct Bridges {
    lens: Rc<RefCell<Prolens<Piece>>>,
    said: AppRecord,
    /// What came out, by flow and side.
    log: Log,
}

/// A [`Bridge`] whose bytes are written down as well: all there is to do with them here.
struct Recorded {
    bridge: Bridge,
    log: Log,
    key: FiveTupleKey,
    side: FlowSide,
}

type AppRecord = Rc<RefCell<Vec<Piece>>>;
type Streams = BTreeMap<(String, FlowSide), Vec<u8>>;
type Log = Rc<RefCell<Streams>>;

/// A segment as `protolens` wants to see it.
#[derive(Clone, Debug)]
struct Piece {
    seq: u32,
    syn: bool,
    fin: bool,
    payload: Rc<[u8]>,
}

impl Packet for Piece {
    fn trans_proto(&self) -> TransProto {
        TransProto::Tcp
    }
    fn sip(&self) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, 1).into()
    }
    fn dip(&self) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, 2).into()
    }
    fn tu_sport(&self) -> u16 {
        40000
    }
    fn tu_dport(&self) -> u16 {
        7
    }
    fn seq(&self) -> u32 {
        self.seq
    }
    fn syn(&self) -> bool {
        self.syn
    }
    fn fin(&self) -> bool {
        self.fin
    }
    fn payload_len(&self) -> usize {
        self.payload.len()
    }
    fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl Bridge {
    /// Shows a segment to `protolens`; what that makes of it lies in `said`.
    fn run(&mut self, piece: Piece) {
        self.seen += piece.payload.len() as u64;
        // An error is one of its protocol parsers': there is none for this stream.
        let _ = self.lens.borrow_mut().run_task(&mut self.task, piece);
    }

    fn lose(&mut self, cause: Loss, bytes: u64, out: &mut dyn StreamSink) {
        if bytes > 0 {
            self.done += bytes;
            out.lost(cause, bytes);
        }
    }
}

impl Reassembler for Bridge {
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        self.run(Piece { seq, syn: false, fin: false, payload: payload.into() });
    }

    fn fin(&mut self) {}

    fn rst(&mut self) {}

    fn drain(&mut self, out: &mut dyn StreamSink) {
        let ordered = std::mem::take(&mut *self.said.borrow_mut());
        for piece in ordered {
            let seq = piece.seq.wrapping_add(u32::from(piece.syn));
            let next = *self.next.get_or_insert(seq);
            let len = piece.payload.len();
            // In order does not mean without overlap, nor, for who trusts nobody, without holes.
            let behind = next.wrapping_sub(seq).cast_signed();
            let old = usize::try_from(behind).unwrap_or(0).min(len);
            let missing = u64::from(behind.min(0).unsigned_abs());
            let new = &piece.payload[old..];
            if new.is_empty() {
                self.lose(Loss::Duplicate, len as u64, out);
                continue;
            }
            if missing > 0 {
                out.gap(self.at, missing);
            }
            out.bytes(self.at + missing, new);
            self.at += missing + new.len() as u64;
            self.done += new.len() as u64;
            self.next = Some(seq.wrapping_add(len as u32));
            self.lose(Loss::Duplicate, old as u64, out);
        }
    }

    fn push(&mut self, segment: Segment<'_>, _: &mut Self, out: &mut dyn StreamSink) {
        let Segment { seq, payload, syn, fin, .. } = segment;
        if syn || fin || !payload.is_empty() {
            // Ours numbers the first byte of payload, the header of a SYN the one before.
            let seq = seq.wrapping_sub(u32::from(syn));
            self.run(Piece { seq, syn, fin, payload: payload.into() });
            self.drain(out);
        }
    }

    fn end(&mut self, _: &mut Self, out: &mut dyn StreamSink) {
        // Copies that it dropped among them: it does not tell the one from the other.
        self.lose(Loss::OooDropped, self.pending(), out);
    }

    fn pending(&self) -> u64 {
        self.seen - self.done
    }
}

impl Bridges {
    fn new(log: Log) -> Self {
        let said = AppRecord::default();
        let mut lens = Prolens::default();
        let ordered = Rc::clone(&said);
        lens.set_cb_ord_pkt(move |piece, _, _| ordered.borrow_mut().push(piece));
        Bridges { lens: Rc::new(RefCell::new(lens)), said, log }
    }
}

impl ReassemblerFactory<FiveTupleKey> for Bridges {
    type Reassembler = Recorded;

    fn new_reassembler(&mut self, key: &FiveTupleKey, side: FlowSide) -> Recorded {
        let lens = self.lens.borrow();
        let mut task = lens.new_task(TransProto::Tcp);
        // Its name for no parser but the order. Without one it waits to be told.
        lens.set_task_parser(&mut task, L7Proto::OrdPacket);
        let bridge = Bridge {
            lens: Rc::clone(&self.lens),
            task,
            said: Rc::clone(&self.said),
            next: None,
            at: 0,
            seen: 0,
            done: 0,
        };
        Recorded { bridge, log: Rc::clone(&self.log), key: *key, side }
    }
}

impl Reassembler for Recorded {
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        self.bridge.segment(seq, payload);
    }
    fn fin(&mut self) {
        self.bridge.fin();
    }
    fn rst(&mut self) {
        self.bridge.rst();
    }
    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        let mut log = self.log.borrow_mut();
        let log = log.entry((self.key.to_string(), self.side)).or_default();
        self.bridge.push(segment, &mut peer.bridge, &mut Tee { log, out });
    }
    fn end(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        self.bridge.end(&mut peer.bridge, out);
    }
    fn pending(&self) -> u64 {
        self.bridge.pending()
    }
}

/// Writes bytes down on their way.
struct Tee<'a> {
    log: &'a mut Vec<u8>,
    out: &'a mut dyn StreamSink,
}

impl StreamSink for Tee<'_> {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        self.log.extend_from_slice(bytes);
        self.out.bytes(at, bytes);
    }
    fn gap(&mut self, at: u64, len: u64) {
        self.out.gap(at, len);
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.out.lost(cause, bytes);
    }
}

type Packets = Vec<(Timestamp, Vec<u8>)>;

/// What `protolens` makes of the packets, and how many bytes of payload it was shown.
fn theirs(packets: &Packets) -> (Streams, u64) {
    let log = Log::default();
    let mut driver = StreamDriver::new(FiveTuple::bidirectional(), Bridges::new(Rc::clone(&log)));
    for view in views(packets) {
        driver.handle_packet(view);
    }
    driver.finish(EndReason::EndOfInput);
    let bytes = driver.bytes();
    assert_eq!(driver.pending(), 0, "all that was seen was delivered or lost: {bytes:?}");
    drop(driver);
    let streams = log.borrow().clone();
    (streams, bytes.seen())
}

/// What our own reassembler makes of them.
fn ours(packets: &Packets) -> Streams {
    let mut driver = SessionDriver::new(FiveTuple::bidirectional(), Bytes);
    for view in views(packets) {
        driver.handle_packet(view);
    }
    driver.finish(EndReason::EndOfInput);
    let mut streams = Streams::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { flow, side, message } = event {
            streams.entry((flow.key.to_string(), side)).or_default().extend(message);
        }
    }
    streams
}

/// The parser that takes everything for a message.
#[derive(Clone, Default)]
struct Bytes;

impl SessionParser for Bytes {
    type Message = Vec<u8>;
    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }
    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }
    fn gap(&mut self, _: FlowSide, _: u64, _: &mut Vec<Vec<u8>>) -> ParserStatus {
        ParserStatus::Continue
    }
    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<Vec<u8>>) -> ParserStatus {
        out.push(feed.bytes.to_vec());
        ParserStatus::Continue
    }
}

/// A connection of `turns` segments of both sides, whose numbers begin here.
fn dialogue(port: u16, turns: usize, first: u32, rng: &mut Rng) -> Dialogue {
    let mut script = Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:7")
        .next_seq(Initiator, first)
        .next_seq(Responder, first ^ 0x5555_0000)
        .handshake();
    for turn in 0..turns {
        let side = if turn % 3 == 0 { Responder } else { Initiator };
        let payload: Vec<u8> = (0..1 + rng.below(1400)).map(|_| rng.below(256) as u8).collect();
        script = script.data(side, payload);
    }
    script.close(Initiator)
}

/// Segments of data change places with their neighbors, one pair in `every`.
fn swapped(mut packets: Packets, every: usize) -> Packets {
    let last = packets.len().saturating_sub(5);
    for at in (4..last).step_by(every) {
        let (before, after) = packets.split_at_mut(at + 1);
        std::mem::swap(&mut before[at].1, &mut after[0].1);
    }
    packets
}

/// Every third packet of data comes twice.
fn repeated(packets: &Packets) -> Packets {
    let mut all = Packets::new();
    for (at, packet) in packets.iter().enumerate() {
        all.push(packet.clone());
        if at > 3 && at % 3 == 0 && at + 4 < packets.len() {
            all.push(packet.clone());
        }
    }
    all
}

/// A segment that was not captured.
fn missing(mut packets: Packets) -> Packets {
    packets.remove(packets.len() / 2);
    packets
}

/// One segment begins within the one before.
fn overlapping() -> Packets {
    let flags = TcpFlags::PSH | TcpFlags::ACK;
    Dialogue::tcp("10.0.0.1:1004", "10.0.0.2:7")
        .handshake()
        .segment(Initiator, 1001, 5001, flags, b"abcdef")
        .segment(Initiator, 1004, 5001, flags, b"defghi")
        .segment(Initiator, 1010, 5001, flags, b"jkl")
        .next_seq(Initiator, 1013)
        .close(Initiator)
        .build()
}

fn main() -> ExitCode {
    let mut rng = Rng::new(7);
    let mut plain = |port, turns, first| dialogue(port, turns, first, &mut rng).build();
    let cases = [
        ("in order", plain(1001, 60, 1000)),
        ("neighbors swapped", swapped(plain(1002, 60, 1_000_000), 4)),
        ("retransmitted", repeated(&plain(1003, 60, 77))),
        ("overlapping", overlapping()),
    ];
    let mut failed = false;
    for (name, packets) in cases {
        failed |= !compare(name, &packets, |ours, theirs| ours == theirs);
    }
    // Ours goes on behind the gap.
    let packets = missing(plain(1005, 60, 1000));
    failed |= !compare("a hole", &packets, |ours, theirs| ours.starts_with(theirs));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints what came out on both ways, and whether it is as it should.
fn compare(name: &str, packets: &Packets, right: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let (theirs, shown) = theirs(packets);
    println!("{name}: {shown} bytes of payload shown");
    let mut all = true;
    for ((flow, side), ours) in &ours(packets) {
        let theirs = theirs.get(&(flow.clone(), *side)).map_or(&[][..], Vec::as_slice);
        let verdict = match (ours == theirs, right(ours, theirs)) {
            (true, true) => "the same",
            (false, true) => "the same, as far as it goes",
            (_, false) => "WRONG",
        };
        all &= right(ours, theirs);
        println!("  {side:?}: StreamReassembler {}, protolens {}: {verdict}", ours.len(), theirs.len());
    }
    all
}
