//! Connections whose packets come out of order, twice, or beside forged ones: the streams are those that the two
//! ends agree on (RFC 9293 §3.5, §3.10.7; RFC 5961 §3 to §5).

use std::time::Duration;

use flowscope::core::{FlowSide, Timestamp};
use flowscope::driver::{DriverConfig, SessionDriver, SessionEvent};
use flowscope::track::EndReason;
use flowscope_testkit::frame;
use flowscope_tests::session::{EXTRACTOR, run};
use proptest::prelude::{
    ProptestConfig, TestCaseError, prop_assert, prop_assert_eq, prop_assume, proptest,
};

use super::closing::{Said, Tape};
use super::*;

/// A segment as it is sent.
#[derive(Clone, Debug)]
struct Seg {
    side: FlowSide,
    seq: u32,
    ack: u32,
    flags: TcpFlags,
    payload: Vec<u8>,
    options: Vec<u8>,
}

/// What all segments of a connection have in common.
#[derive(Clone, Copy, Debug)]
struct Link {
    v6: bool,
    vlan: bool,
    timestamps: bool,
    signed: Option<&'static [u8]>,
}

/// TCP MD5 (RFC 2385) and TCP-AO (RFC 5925).
const MD5: &[u8] = &[19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1];
const AO: &[u8] = &[29, 16, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const SIGNATURES: [&[u8]; 2] = [MD5, AO];

const FIN_ACK: TcpFlags = TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0);
const PSH_ACK: TcpFlags = TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0);

impl Link {
    fn packet(self, seg: &Seg, ts: Timestamp) -> Packet {
        let hosts = if self.v6 { ["2001:db8::1", "2001:db8::2"] } else { ["10.0.0.1", "10.0.0.2"] };
        let ports = [40000, 4444];
        let (from, to) = (seg.side.index(), (!seg.side).index());
        let mut frame = frame().ethernet_between([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        if self.vlan {
            frame = frame.vlan(100).vlan(7);
        }
        let mut options = seg.options.clone();
        if self.timestamps && !seg.flags.rst() {
            options.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
        }
        let tcp = frame.ip(hosts[from], hosts[to]).tcp(ports[from], ports[to]);
        let tcp = tcp.seq(seg.seq).ack(seg.ack).flags(seg.flags).window(8000).options(&options);
        let bytes = tcp.payload(&seg.payload).build();
        Packet::ethernet(ts, bytes)
    }
}

/// A connection, segment by segment.
#[derive(Clone, Debug)]
struct Connection {
    link: Link,
    isn: [u32; 2],
    next: [u32; 2],
    sent: [Vec<u8>; 2],
    segments: Vec<Seg>,
    /// Where the first segment behind the handshake stands.
    begun: usize,
}

impl Connection {
    /// Handshake, some data, close.
    fn new(rng: &mut Rng) -> Self {
        let near_wrap = |rng: &mut Rng| 0_u32.wrapping_sub(1 + rng.below(1500) as u32);
        let isn =
            [0, 1].map(|_| if rng.one_in(3) { near_wrap(rng) } else { rng.next_u64() as u32 });
        let signed = rng.one_in(4).then(|| *rng.pick(&SIGNATURES));
        let timestamps = signed.is_none() && rng.one_in(3);
        let link = Link { v6: rng.one_in(2), vlan: rng.one_in(3), timestamps, signed };
        let mut it = Connection {
            link,
            isn,
            next: isn.map(|isn| isn.wrapping_add(1)),
            sent: [Vec::new(), Vec::new()],
            segments: Vec::new(),
            begun: 0,
        };
        it.open(rng);
        it.begun = it.segments.len();
        for n in 0..1 + rng.below(12) as u8 {
            let side = *rng.pick(&[Initiator, Responder]);
            let payload = vec![b'a' + n; 1 + rng.below(900)];
            it.send(side, PSH_ACK, &payload);
            if rng.one_in(2) {
                it.send(!side, ACK, &[]);
            }
        }
        let first = *rng.pick(&[Initiator, Responder]);
        for (side, flags) in [(first, FIN_ACK), (!first, ACK), (!first, FIN_ACK), (first, ACK)] {
            it.send(side, flags, &[]);
        }
        it
    }

    /// A handshake, sometimes with data in it, sometimes a simultaneous open.
    fn open(&mut self, rng: &mut Rng) {
        let [ours, theirs] = self.isn;
        match rng.below(4) {
            0 => {
                self.push(Initiator, ours, 0, SYN, &[]);
                self.push(Responder, theirs, 0, SYN, &[]);
                self.push(Initiator, ours, theirs.wrapping_add(1), SYN_ACK, &[]);
                self.push(Responder, theirs, ours.wrapping_add(1), SYN_ACK, &[]);
            }
            1 => {
                let early = b"early data";
                self.push(Initiator, ours, 0, SYN, early);
                let taken = if rng.one_in(2) { early.len() as u32 } else { 0 };
                self.push(Responder, theirs, ours.wrapping_add(1 + taken), SYN_ACK, &[]);
                if taken == 0 {
                    self.send(Initiator, PSH_ACK, early);
                } else {
                    self.sent[0].extend(early);
                    self.next[0] = self.next[0].wrapping_add(taken);
                    self.send(Initiator, ACK, &[]);
                }
            }
            _ => {
                self.push(Initiator, ours, 0, SYN, &[]);
                self.push(Responder, theirs, ours.wrapping_add(1), SYN_ACK, &[]);
                self.send(Initiator, ACK, &[]);
            }
        }
    }

    fn push(&mut self, side: FlowSide, seq: u32, ack: u32, flags: TcpFlags, payload: &[u8]) {
        let seg = self.seg(side, seq, ack, flags, payload);
        self.segments.push(seg);
    }

    fn send(&mut self, side: FlowSide, flags: TcpFlags, payload: &[u8]) {
        let (own, peer) = (side.index(), (!side).index());
        self.push(side, self.next[own], self.next[peer], flags, payload);
        self.sent[own].extend(payload);
        let taken = payload.len() as u32 + u32::from(flags.fin());
        self.next[own] = self.next[own].wrapping_add(taken);
    }

    fn seg(&self, side: FlowSide, seq: u32, ack: u32, flags: TcpFlags, payload: &[u8]) -> Seg {
        let mut options = self.link.signed.map(<[u8]>::to_vec).unwrap_or_default();
        if flags.syn() && self.link.signed.is_none() {
            // MSS, SACK permitted, window scale.
            options = vec![2, 4, 5, 180, 4, 2, 1, 3, 3, 7, 1, 1];
        }
        Seg { side, seq, ack, flags, payload: payload.to_vec(), options }
    }

    fn opens_at_once(&self) -> bool {
        self.segments.iter().any(|seg| (seg.side, seg.flags) == (Responder, SYN))
    }

    /// A number nothing of the connection is near to.
    fn far(&self, rng: &mut Rng, side: FlowSide) -> u32 {
        let reach = *rng.pick(&[3 << 20, 24 << 20, 1 << 30]);
        let away = (2 << 20) + rng.below(reach - (2 << 20)) as u32;
        let at = self.isn[side.index()];
        if rng.one_in(2) { at.wrapping_add(away) } else { at.wrapping_sub(away) }
    }

    /// Inserts a segment at this place or behind it.
    fn insert(&mut self, rng: &mut Rng, from: usize, seg: Seg) {
        let at = from + rng.below(self.segments.len() - from);
        self.segments.insert(at, seg);
    }
}

/// What happens to the packets of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mishap {
    SynAgain,
    SynLate,
    SynAckLate,
    ForgedSyn,
    ForgedSynOfResponder,
    ForgedSynAcks,
    ForgedSynAckOfOtherNumber,
    ForgedSynAckOfInitiator,
    WronglySignedReset,
    FarReset,
    FarData,
    FarFin,
    Swapped,
    Retransmitted,
}

const MISHAPS: [Mishap; 14] = [
    Mishap::SynAgain,
    Mishap::SynLate,
    Mishap::SynAckLate,
    Mishap::ForgedSyn,
    Mishap::ForgedSynOfResponder,
    Mishap::ForgedSynAcks,
    Mishap::ForgedSynAckOfOtherNumber,
    Mishap::ForgedSynAckOfInitiator,
    Mishap::WronglySignedReset,
    Mishap::FarReset,
    Mishap::FarData,
    Mishap::FarFin,
    Mishap::Swapped,
    Mishap::Retransmitted,
];

impl Mishap {
    /// A SYN that is captured late: until then it looks like a forged one.
    fn is_late(self) -> bool {
        matches!(self, Mishap::SynLate | Mishap::SynAckLate)
    }

    fn is_forged(self) -> bool {
        use Mishap::{Retransmitted, Swapped, SynAgain};
        !self.is_late() && !matches!(self, SynAgain | Swapped | Retransmitted)
    }

    fn befall(self, it: &mut Connection, rng: &mut Rng) {
        let end = it.segments.len() - 4;
        let side = *rng.pick(&[Initiator, Responder]);
        let first_of = |it: &Connection, side: FlowSide| {
            it.segments.iter().position(|seg| seg.side == side && seg.flags.syn())
        };
        match self {
            Mishap::SynAgain => {
                let Some(at) = first_of(it, side) else { return };
                let again = it.segments[at].clone();
                it.segments.insert(at + 1 + rng.below(4).min(it.segments.len() - at - 1), again);
            }
            Mishap::SynLate | Mishap::SynAckLate => {
                let side = if self == Mishap::SynLate { Initiator } else { Responder };
                let Some(at) = first_of(it, side) else { return };
                // A SYN+ACK that comes first says where the stream begins, not what the SYN carried; of two
                // SYNs, the one that comes first is the initiator's.
                if side == Initiator && (!it.segments[at].payload.is_empty() || it.opens_at_once())
                {
                    return;
                }
                let seg = it.segments.remove(at);
                let to = (at + 1 + rng.below(8)).min(end - 1);
                it.segments.insert(to.max(at), seg);
            }
            Mishap::ForgedSyn | Mishap::ForgedSynOfResponder => {
                let side = if self == Mishap::ForgedSyn { Initiator } else { Responder };
                // Of two SYNs that open a connection at once, the first counts: nobody could know better.
                let from = if it.opens_at_once() { it.begun } else { 1 };
                for _ in 0..1 + rng.below(3) {
                    let seg = it.seg(side, it.far(rng, side), 0, SYN, &[]);
                    it.insert(rng, from, seg);
                }
            }
            Mishap::ForgedSynAcks => {
                let from = if it.opens_at_once() { it.begun } else { 1 };
                for _ in 0..1 + rng.below(2) {
                    let ack = it.isn[0].wrapping_add(1);
                    let seg = it.seg(Responder, it.far(rng, Responder), ack, SYN_ACK, &[]);
                    it.insert(rng, from, seg);
                }
            }
            Mishap::ForgedSynAckOfOtherNumber => {
                let (seq, ack) = (it.far(rng, Responder), it.far(rng, Initiator));
                let seg = it.seg(Responder, seq, ack, SYN_ACK, &[]);
                it.insert(rng, 1, seg);
            }
            Mishap::ForgedSynAckOfInitiator => {
                let (seq, ack) = (it.far(rng, Initiator), it.far(rng, Responder));
                let seg = it.seg(Initiator, seq, ack, SYN_ACK, &[]);
                it.insert(rng, it.begun, seg);
            }
            Mishap::WronglySignedReset => {
                let at = it.begun + rng.below(it.segments.len() - 4 - it.begun);
                let next = it.segments[at..].iter().find(|seg| seg.side == side);
                let Some(seq) = next.map(|seg| seg.seq) else { return };
                let mut seg = it.seg(side, seq, 0, RST, &[]);
                seg.options =
                    if it.link.signed.is_some() { vec![] } else { rng.pick(&SIGNATURES).to_vec() };
                it.segments.insert(at, seg);
            }
            Mishap::FarReset => {
                let seg = it.seg(side, it.far(rng, side), 0, RST, &[]);
                it.insert(rng, it.begun, seg);
            }
            Mishap::FarData => {
                let (mut seq, at) = (it.far(rng, side), it.begun + rng.below(end - it.begun));
                let ack = it.isn[(!side).index()].wrapping_add(1);
                for n in 0..1 + rng.below(3) {
                    let seg = it.seg(side, seq, ack, PSH_ACK, b"stray");
                    seq = seq.wrapping_add(5);
                    it.segments.insert(at + n, seg);
                }
            }
            Mishap::FarFin => {
                let ack = it.isn[(!side).index()].wrapping_add(1);
                let seg = it.seg(side, it.far(rng, side), ack, FIN_ACK, &[]);
                it.insert(rng, it.begun, seg);
            }
            Mishap::Swapped => {
                let at = it.begun + rng.below(end - it.begun);
                it.segments.swap(at, at + 1);
            }
            Mishap::Retransmitted => {
                let at = it.begun + rng.below(end - it.begun);
                let again = it.segments[at].clone();
                it.insert(rng, at + 1, again);
            }
        }
    }
}

fn listen(it: &Connection) -> Heard<Said> {
    let start = Timestamp::from_secs(1_700_000_000);
    let at = |n: usize| start + Duration::from_micros(300 * n as u64);
    let packets: Vec<Packet> =
        it.segments.iter().enumerate().map(|(n, seg)| it.link.packet(seg, at(n))).collect();
    run(|| SessionDriver::with_config(EXTRACTOR, Tape, DriverConfig::default()), &packets)
}

/// The streams that were heard, and what else was said of them.
fn streams(heard: &Heard<Said>) -> ([Vec<u8>; 2], Vec<Said>) {
    let (mut streams, mut others) = ([Vec::new(), Vec::new()], Vec::new());
    for (_, message) in heard.messages() {
        match message {
            Said::Bytes(side, bytes) => streams[side.index()].extend(bytes),
            other => others.push(other.clone()),
        }
    }
    (streams, others)
}

/// Runs a connection with these mishaps: one flow, closed, whose streams are what was sent.
fn agreed(seed: u64, mishaps: &[Mishap]) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(seed);
    let mut it = Connection::new(&mut rng);
    for mishap in mishaps {
        mishap.befall(&mut it, &mut rng);
    }
    let heard = listen(&it);
    let (streams, others) = streams(&heard);
    let trace = || {
        let line = |seg: &Seg| {
            let [a, b] = [seg.side, !seg.side].map(|side| it.isn[side.index()]);
            format!(
                "{:?} {} {} {} {}\n",
                seg.side,
                seg.flags,
                seg.seq.wrapping_sub(a).cast_signed(),
                seg.ack.wrapping_sub(b).cast_signed(),
                seg.payload.len()
            )
        };
        let all: String = it.segments.iter().map(line).collect();
        format!("{mishaps:?} {:?}\n{all}{others:?}", it.link)
    };
    let opened = heard.events.iter().filter(|e| matches!(e, SessionEvent::Started { .. })).count();
    prop_assert_eq!(opened, 1, "{}", trace());
    for side in [Initiator, Responder] {
        let (got, sent) = (&streams[side.index()], &it.sent[side.index()]);
        prop_assert!(got == sent, "{side:?}: {} of {}\n{}", got.len(), sent.len(), trace());
    }
    // A gap of length 0 says that the start was not seen before the first bytes.
    let is_gap = |said: &Said| matches!(said, Said::Gap(_, len) if *len > 0);
    prop_assert!(!others.iter().any(is_gap), "{}", trace());
    let reasons: Vec<EndReason> = heard.ended().map(|(reason, _)| reason).collect();
    prop_assert_eq!(reasons, [EndReason::Fin], "{}", trace());
    // Data that comes before the acknowledgement of its SYN+ACK is placed by that of a forged one.
    for (_, stats) in heard.ended().filter(|_| mishaps.len() < 2) {
        prop_assert_eq!(stats.initiator.gap_bytes + stats.responder.gap_bytes, 0, "{}", trace());
    }
    Ok(())
}

const CASES: u32 = if cfg!(debug_assertions) { 400 } else { 10_000 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_mishap_changes_no_stream(seed: u64, which in 0..MISHAPS.len()) {
        agreed(seed, &[MISHAPS[which]])?;
    }

    #[test]
    fn two_mishaps_change_no_stream(seed: u64, first in 0..MISHAPS.len(), second in 0..MISHAPS.len()) {
        let both = [MISHAPS[first], MISHAPS[second]];
        prop_assume!(!both.iter().any(|it| it.is_late()) || !both.iter().any(|it| it.is_forged()));
        agreed(seed, &both)?;
    }
}

/// The first payload of a side is a keep-alive: its byte was acknowledged before, and the receiver drops it.
#[test]
fn the_byte_of_a_keep_alive_begins_no_stream() {
    let get = wire::get("/a");
    let (seq, next) = (1001, 1001 + get.len() as u32);
    let probe = talk()
        .segment(Responder, 5001, seq, ACK, b"")
        .segment(Initiator, seq - 1, 5001, ACK, b"Z")
        .segment(Responder, 5001, seq, ACK, b"")
        .after(30)
        .segment(Initiator, seq, 5001, TcpFlags::PSH | ACK, &get)
        .segment(Responder, 5001, next, TcpFlags::PSH | ACK, wire::response(200, "body"));
    let heard = hear(probe);
    assert_eq!(heard.said()[0], "> GET /a #0", "{:?}", heard.lines());
    assert_eq!(heard.bytes.lost(Loss::OutOfWindow), 1);
    // A byte that nothing has acknowledged is one of the stream.
    let first = talk().segment(Initiator, seq - 1, 5001, ACK, b"Z").after(30).segment(
        Initiator,
        seq,
        5001,
        TcpFlags::PSH | ACK,
        &get,
    );
    assert_eq!(hear(first).bytes.lost(Loss::OutOfWindow), 0);
}

/// What a SYN carries that is sent again on an open connection is dropped by its receiver (RFC 9293 §3.10.7.4).
#[test]
fn the_payload_of_a_repeated_syn_is_not_read() {
    for (side, seq, ack, flags) in
        [(Initiator, 1000, 0, TcpFlags::SYN), (Responder, 5000, 1001, TcpFlags::SYN | ACK)]
    {
        let forged = wire::get("/evil");
        let script = talk()
            .handshake()
            .segment(side, seq, ack, flags, &forged)
            .data(Initiator, wire::get("/a"))
            .data(Responder, wire::response(200, "body"));
        let heard = hear(script.close(Initiator));
        assert_eq!(heard.said(), ["> GET /a #0", "< 200 #0", "< end #0 4"], "{side:?}");
        assert_eq!(heard.bytes.lost(Loss::OutOfWindow), forged.len() as u64);
    }
}

/// A SYN with data that was captured behind its SYN+ACK, which acknowledges both.
#[test]
fn a_late_syn_with_data_begins_the_stream() {
    let get = wire::get("/a");
    let next = 1001 + get.len() as u32;
    let script = talk()
        .segment(Responder, 5000, next, TcpFlags::SYN | ACK, b"")
        .segment(Initiator, 1000, 0, TcpFlags::SYN, &get)
        .next_seq(Initiator, next)
        .next_seq(Responder, 5001)
        .ack()
        .data(Responder, wire::response(200, "body"))
        .close(Initiator);
    let heard = hear(script);
    assert_eq!(heard.said(), ["> GET /a #0", "< 200 #0", "< end #0 4"], "{:?}", heard.lines());
}

/// An acknowledgement of an older connection, and the reset that answers it, which the initiator drops.
#[test]
fn a_stale_acknowledgement_and_its_reset_end_nothing() {
    let script = talk()
        .syn()
        .syn_ack()
        .segment(Initiator, 1001, 4000, ACK, b"")
        .segment(Responder, 4000, 0, TcpFlags::RST, b"")
        .ack()
        .data(Initiator, wire::get("/a"))
        .data(Responder, wire::response(200, "body"));
    let heard = hear(script.close(Initiator));
    let said = heard.said();
    assert_eq!(said, ["< InvalidReset", "> GET /a #0", "< 200 #0", "< end #0 4"]);
    assert_eq!(heard.lines().last().map(String::as_str), Some("closed Fin"));
}
