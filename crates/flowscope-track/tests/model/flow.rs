use std::time::Duration;

use flowscope_core::{
    Extracted, FlowSide, IcmpInfo, IpInfo, L4Proto, Orientation, Path, TcpFlags, TcpInfo, Timestamp,
};
use flowscope_track::{
    ConnState, Counters, EndReason, FlowState, History, InitiatorEvidence, LateStats, SideStats,
    TcpState,
};

use super::Packet;
use super::event::{Call, Snapshot, Stats, What};

/// An entry of the table.
pub struct Flow {
    /// Number of its first packet.
    pub id: u64,
    pub key: u8,
    pub l4: Option<L4Proto>,
    pub icmp: Option<IcmpInfo>,
    pub path: Path,
    /// That of the initiator's packets.
    pub orientation: Orientation,
    pub evidence: InitiatorEvidence,
    pub state: FlowState,
    pub was_established: bool,
    /// The side whose FIN was effective when that of the other was not, the latest time.
    pub closed_first: FlowSide,
    pub mid_stream: bool,
    /// Of every packet: its earliest and its latest time, and the first packet of the remembered SYN
    /// that it is or repeats.
    pub times: Vec<(Timestamp, Timestamp, Option<u64>)>,
    /// The watermark at its latest counted packet, and that packet's number.
    pub touched: Timestamp,
    pub latest_packet: u64,
    /// Numbers and times of its packets that the clock does not believe yet.
    pub suspects: Vec<(u64, Timestamp)>,
    pub sides: [Side; 2],
    pub history: String,
    pub interims: u32,
    pub interim_from: Option<Timestamp>,
    pub at_last_interim: [Counters; 2],
    /// SYNs that may yet begin another connection, oldest first; at most four.
    pub remembered: Vec<RememberedSyn>,
    /// SYN+ACKs that the initiator may yet acknowledge, oldest first; at most four.
    pub other_syn_acks: Vec<OtherSynAck>,
    pub pending: Option<PendingReset>,
    pub reset_by: Option<FlowSide>,
    pub syn_rtt: Option<Duration>,
    pub ack_rtt: Option<Duration>,
    /// STAT-7
    pub closed: Option<Timestamp>,
    pub ended: Option<End>,
    pub late: Option<LateStats>,
    /// Letters of late packets.
    pub late_history: String,
}

/// The end of a flow whose entry lingers.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Where the linger time begins.
    pub at: Timestamp,
    /// Its place among the lingering.
    pub order: u64,
}

/// A reset that counts unless it is contradicted.
#[derive(Clone, Copy, Debug)]
pub struct PendingReset {
    pub side: FlowSide,
    /// Its own time.
    pub ts: Timestamp,
    /// The watermark with it.
    pub at: Timestamp,
}

/// SEQ-1: the state of one side.
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub stats: SideStats,
    /// It has sent a segment that was believed.
    pub shown: bool,
    pub syn_seen: bool,
    pub syn_ack_seen: bool,
    /// An accepted SYN+ACK acknowledged its SYN before anything of it was seen.
    pub syn_acked: bool,
    pub isn: u32,
    pub next: u32,
    pub ack: Option<u32>,
    pub window: Option<u16>,
    /// As its SYN offered it.
    pub scale: Option<u8>,
    pub fin: Option<u32>,
    /// Ranges below `next` that were not seen, oldest first.
    pub holes: Vec<(u32, u32)>,
    /// Its latest segments, if they were out of window.
    pub stray: Option<Stray>,
    /// Payload out of window that nobody acknowledged.
    pub stray_bytes: u64,
    /// Its SYN was signed.
    pub signed: bool,
    /// It sent payload.
    pub payload_seen: bool,
    pub letters: Letters,
}

/// Segments out of window, each of which continues the one before.
#[derive(Clone, Copy, Debug)]
pub struct Stray {
    pub start: u32,
    pub end: u32,
    pub ack: Option<u32>,
    pub fin: bool,
}

/// A SYN+ACK of the responder beside the accepted one.
#[derive(Clone, Copy, Debug)]
pub struct OtherSynAck {
    pub tcp: TcpInfo,
    pub len: u32,
    pub ts: Timestamp,
}

/// What of a side is in the history already.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    pub once: String,
    /// The last FIN and RST that have a letter.
    pub fin: Option<u32>,
    pub rst: Option<u32>,
    pub gaps: u32,
    pub retransmissions: u32,
}

/// A SYN that hit a flow it does not belong to.
#[derive(Clone, Debug)]
pub struct RememberedSyn {
    pub side: FlowSide,
    pub orientation: Orientation,
    pub tcp: TcpInfo,
    pub ip: IpInfo,
    pub path: Path,
    pub payload_len: u32,
    pub packet: u64,
    pub ts: Timestamp,
    pub first_ts: Timestamp,
    pub last_ts: Timestamp,
    /// Of the SYN and its repetitions.
    pub counters: Counters,
    pub repetitions: u32,
}

impl Flow {
    pub fn new(
        found: &Extracted<u8>,
        orientation: Orientation,
        evidence: InitiatorEvidence,
        packet: u64,
    ) -> Self {
        // STATE-1
        let flags = found.tcp.map(|tcp| tcp.flags).unwrap_or_default();
        let state = match found.l4 {
            Some(L4Proto::Tcp) if flags.syn() && !flags.ack() => FlowState::SynSent,
            Some(L4Proto::Tcp) => FlowState::SynReceived,
            _ => FlowState::Active,
        };
        let mut flow = Flow {
            id: packet,
            key: found.key,
            l4: found.l4,
            icmp: found.icmp,
            path: found.path,
            orientation,
            evidence,
            state,
            was_established: false,
            closed_first: FlowSide::Initiator,
            mid_stream: found.l4 == Some(L4Proto::Tcp) && !flags.syn(),
            times: Vec::new(),
            touched: Timestamp::ZERO,
            latest_packet: packet,
            suspects: Vec::new(),
            sides: [Side::default(), Side::default()],
            history: String::new(),
            interims: 0,
            interim_from: None,
            at_last_interim: [Counters::default(); 2],
            remembered: Vec::new(),
            other_syn_acks: Vec::new(),
            pending: None,
            reset_by: None,
            syn_rtt: None,
            ack_rtt: None,
            closed: None,
            ended: None,
            late: None,
            late_history: String::new(),
        };
        if orientation != found.orientation {
            flow.history.push('^');
        }
        flow
    }

    /// REUSE-1: a flow that begins at a remembered SYN.
    pub fn begun_by(syn: &RememberedSyn, key: u8) -> Self {
        let mut found = Extracted::new(key, syn.orientation);
        found.l4 = Some(L4Proto::Tcp);
        found.tcp = Some(syn.tcp);
        found.ip = syn.ip;
        found.path = syn.path;
        let mut flow = Flow::new(&found, syn.orientation, InitiatorEvidence::Syn, syn.packet);
        flow.see_first_syn(FlowSide::Initiator, &syn.tcp, syn.payload_len);
        flow.note_syn(FlowSide::Initiator, 's', syn.payload_len);
        flow.times.push((syn.first_ts, syn.last_ts, None));
        let side = &mut flow.sides[0];
        side.stats.counters = syn.counters;
        side.stats.retransmitted = syn.repetitions;
        side.stats.tos = syn.ip.tos;
        side.stats.flow_label = syn.ip.flow_label;
        side.stats.ttl = Some((syn.ip.ttl, syn.ip.ttl));
        side.stats.tcp_flags = syn.tcp.flags;
        flow
    }

    /// Takes a remembered SYN, and what it counted for, out of the flow.
    pub fn take_remembered(&mut self, at: usize) -> RememberedSyn {
        let mut syn = self.remembered.remove(at);
        if self.ended.is_some() {
            // REUSE-1: what the end of the flow has reported stays.
            (syn.counters, syn.repetitions) = (Counters::default(), 0);
            return syn;
        }
        self.times.retain(|(_, _, of)| *of != Some(syn.packet));
        let counters = &mut self.sides[syn.side.index()].stats.counters;
        *counters = minus(counters, &syn.counters);
        syn
    }

    /// TIME-2
    pub fn first_seen(&self) -> Timestamp {
        self.times.iter().map(|times| times.0).min().unwrap_or(Timestamp::MAX)
    }

    pub fn last_seen(&self) -> Timestamp {
        self.times.iter().map(|times| times.1).max().unwrap_or_default()
    }

    pub fn side_of(&self, found: &Extracted<u8>) -> FlowSide {
        if found.orientation == self.orientation {
            FlowSide::Initiator
        } else {
            FlowSide::Responder
        }
    }

    /// All that is counted of every packet, whatever it says.
    pub fn count(&mut self, packet: &Packet, found: &Extracted<u8>, number: u64, now: Timestamp) {
        let side = self.side_of(found);
        self.times.push((packet.first_ts.min(packet.ts), packet.ts, None));
        self.touched = now;
        self.latest_packet = number;
        let stats = &mut self.sides[side.index()].stats;
        if stats.counters.packets == 0 {
            stats.ttl = None;
            stats.tos = found.ip.tos;
            stats.flow_label = found.ip.flow_label;
        }
        add(&mut stats.counters, &counters_of(packet, found));
        let (low, high) = stats.ttl.unwrap_or((found.ip.ttl, found.ip.ttl));
        stats.ttl = Some((low.min(found.ip.ttl), high.max(found.ip.ttl)));
        if let Some(tcp) = found.tcp
            && self.l4 == Some(L4Proto::Tcp)
        {
            stats.tcp_flags |= tcp.flags;
        }
        if found.corrupt {
            stats.bad_checksums += 1;
            if is_power_of_ten(stats.bad_checksums) {
                self.note(side, 'c');
            }
        } else if matches!(self.l4, Some(L4Proto::Udp | L4Proto::Icmp | L4Proto::Icmpv6)) {
            // HIST-2
            self.note_once(side, 'd');
        }
    }

    /// LATE-1
    pub fn count_late(&mut self, packet: &Packet, found: &Extracted<u8>) {
        let side = self.side_of(found);
        let late = self.late.get_or_insert(LateStats {
            sides: [Counters::default(); 2],
            tcp_flags: [TcpFlags::default(); 2],
            first_seen: Timestamp::MAX,
            last_seen: Timestamp::ZERO,
        });
        late.first_seen = late.first_seen.min(packet.first_ts).min(packet.ts);
        late.last_seen = late.last_seen.max(packet.ts);
        add(&mut late.sides[side.index()], &counters_of(packet, found));
        if let Some(tcp) = found.tcp
            && self.l4 == Some(L4Proto::Tcp)
        {
            late.tcp_flags[side.index()] |= tcp.flags;
            self.note_late(side, &tcp, sent_len(found, &packet.payload));
        }
    }

    /// ACK-1: the acknowledgement that is lent with a segment; `far` if it was processed.
    pub fn lent_ack(&self, side: FlowSide, tcp: &TcpInfo, far: Option<bool>) -> Option<u32> {
        let peer = &self.sides[(!side).index()];
        let ahead = i64::from(tcp.ack.wrapping_sub(peer.next).cast_signed());
        let far_now = || peer.shown && ahead > self.receive_window(!side);
        (tcp.flags.ack() && !far.unwrap_or_else(far_now)).then_some(tcp.ack)
    }

    /// LATE-5
    pub fn late_segment(&mut self, packet: &Packet, found: &Extracted<u8>) -> Option<What> {
        let tcp = found.tcp.filter(|_| self.l4 == Some(L4Proto::Tcp))?;
        let len = sent_len(found, &packet.payload);
        let (side, fin) = (self.side_of(found), tcp.flags.fin());
        if tcp.flags.syn() || tcp.flags.rst() {
            return None;
        }
        if len > 0 {
            self.sides[side.index()].fill(tcp.seq, tcp.seq.wrapping_add(len));
        }
        if self.reset_by == Some(side) {
            let own = &self.sides[side.index()];
            let sent = [own.shown.then_some(own.next), self.sides[(!side).index()].ack];
            let end = tcp.seq.wrapping_add(len).wrapping_add(u32::from(fin));
            let reaches = |sent: &u32| end.wrapping_sub(*sent).cast_signed() <= 0;
            sent.iter().flatten().find(|sent| reaches(sent))?;
        } else {
            let own = &self.sides[side.index()];
            let ahead = i64::from(tcp.seq.wrapping_sub(own.next).cast_signed());
            if own.shown && ahead > self.receive_window(side) {
                return None;
            }
        }
        Some(What::LateSegment {
            side,
            seq: tcp.seq,
            payload: packet.payload.clone(),
            wire_len: found.payload.wire_len,
            ack: self.lent_ack(side, &tcp, None),
            fin,
        })
    }

    /// LATE-4
    fn note_late(&mut self, side: FlowSide, tcp: &TcpInfo, len: u32) {
        let flags = tcp.flags;
        let letters = &mut self.sides[side.index()].letters;
        let fin = tcp.seq.wrapping_add(len);
        let mut new = String::new();
        if flags.syn() {
            return;
        }
        if flags.rst() {
            if letters.rst.replace(tcp.seq) != Some(tcp.seq) {
                new.push('r');
            }
        } else {
            for (letter, holds) in [('d', len > 0), ('a', len == 0 && flags.ack() && !flags.fin())]
            {
                if holds && !letters.once.contains(letter) {
                    letters.once.push(letter);
                    new.push(letter);
                }
            }
            if flags.fin() && letters.fin.replace(fin) != Some(fin) {
                new.push('f');
            }
        }
        let initiator = side == FlowSide::Initiator;
        self.late_history += &if initiator { new.to_uppercase() } else { new };
    }

    /// LATE-3
    pub fn removed_as(&self, reason: EndReason) -> What {
        let mut stats = self.stats();
        let mut history = self.history.clone() + &self.late_history;
        history.truncate(History::CAP);
        if let Some(late) = self.late {
            stats.first_seen = stats.first_seen.min(late.first_seen);
            stats.last_seen = stats.last_seen.max(late.last_seen);
            for side in 0..2 {
                add(&mut stats.sides[side].counters, &late.sides[side]);
                add(&mut stats.delta[side], &late.sides[side]);
                stats.sides[side].tcp_flags |= late.tcp_flags[side];
            }
        }
        What::Removed(reason, Box::new(stats), history)
    }

    /// HIST-1, of a letter that is written once per side.
    pub fn note_once(&mut self, side: FlowSide, letter: char) {
        let letters = &mut self.sides[side.index()].letters;
        if !letters.once.contains(letter) {
            letters.once.push(letter);
            self.note(side, letter);
        }
    }

    pub fn note(&mut self, side: FlowSide, letter: char) {
        if self.history.len() < History::CAP {
            self.history.push(match side {
                FlowSide::Initiator => letter.to_ascii_uppercase(),
                FlowSide::Responder => letter,
            });
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            flow: self.id,
            key: self.key,
            stats: self.stats(),
            history: self.history.clone(),
        }
    }

    pub fn call(&self, packet: u64, ts: Timestamp, what: What) -> Call {
        Call { flow: self.id, key: self.key, packet, ts, what }
    }

    pub fn ended_as(&self, reason: EndReason) -> What {
        What::Ended(reason, Box::new(self.stats()), self.history.clone())
    }

    pub fn stats(&self) -> Stats {
        let [initiator, responder] = &self.sides;
        let mut sides = [initiator.stats.clone(), responder.stats.clone()];
        for stats in &mut sides {
            // STAT-2
            stats.ttl = stats.ttl.filter(|(_, high)| *high > 0);
        }
        for (stats, side) in sides.iter_mut().zip(&self.sides) {
            stats.stream_bytes = side.stream_bytes();
        }
        // SEQ-2
        if self.scale_known() {
            for (stats, side) in sides.iter_mut().zip(&self.sides) {
                stats.window_scale = side.scale;
            }
        }
        let delta = [0, 1].map(|i| minus(&self.sides[i].stats.counters, &self.at_last_interim[i]));
        Stats {
            sides,
            first_seen: self.first_seen(),
            last_seen: self.last_seen(),
            orientation: self.orientation,
            evidence: self.evidence,
            l4: self.l4,
            state: self.state,
            mid_stream: self.mid_stream,
            syn_rtt: self.syn_rtt,
            ack_rtt: self.ack_rtt,
            icmp: self.icmp,
            path: self.path,
            interims: self.interims,
            delta,
            late: self.late,
            closed: self.closed,
            conn_state: self.conn_state(),
            tcp_state: self.tcp_state(),
        }
    }

    /// SEQ-5
    pub fn starts(&self) -> [Option<u32>; 2] {
        [0, 1].map(|side: usize| {
            let side = &self.sides[side];
            (side.syn_seen || side.syn_acked).then_some(side.isn.wrapping_add(1))
        })
    }

    /// SEQ-5
    pub fn ends(&self) -> [Option<u32>; 2] {
        [0, 1].map(|side: usize| self.sides[side].fin)
    }

    pub fn scale_known(&self) -> bool {
        self.sides.iter().all(|side| side.scale.is_some())
    }

    /// CONN-3
    fn tcp_state(&self) -> Option<TcpState> {
        if self.l4 != Some(L4Proto::Tcp) {
            return None;
        }
        let [initiator, responder] = &self.sides;
        let acknowledged = responder.fin_is_acknowledged(initiator);
        Some(match (self.state, self.closed_first, acknowledged) {
            (FlowState::SynSent, ..) => TcpState::SynSent,
            (FlowState::SynReceived, ..) if self.mid_stream => TcpState::None,
            (FlowState::SynReceived, ..) => TcpState::SynReceived,
            (FlowState::Established | FlowState::Active, ..) => TcpState::Established,
            (FlowState::FinWait, FlowSide::Initiator, _) => TcpState::CloseWait,
            (FlowState::FinWait, FlowSide::Responder, false) => TcpState::FinWait1,
            (FlowState::FinWait, FlowSide::Responder, true) => TcpState::FinWait2,
            (FlowState::ClosingTcp, FlowSide::Initiator, _) => TcpState::LastAck,
            (FlowState::ClosingTcp, FlowSide::Responder, false) => TcpState::Closing,
            (FlowState::ClosingTcp, FlowSide::Responder, true) => TcpState::TimeWait,
            (FlowState::Closed | FlowState::Reset, ..) => TcpState::Closed,
        })
    }

    /// CONN-1
    fn conn_state(&self) -> ConnState {
        let [initiator, responder] = &self.sides;
        let sent = |side: &Side| side.stats.counters.packets > 0;
        if self.l4 != Some(L4Proto::Tcp) {
            // CONN-2
            return match (self.l4, sent(initiator), sent(responder)) {
                (Some(L4Proto::Udp), true, true) => ConnState::Sf,
                (Some(L4Proto::Udp), true, false) => ConnState::S0,
                (Some(L4Proto::Udp), false, _) => ConnState::Shr,
                _ => ConnState::Oth,
            };
        }
        let syn = initiator.syn_seen;
        // More than acknowledgements and resets.
        let active =
            |side: &Side| side.syn_seen || side.fin.is_some() || side.letters.once.contains('d');
        let (begun, answered) = (active(initiator), active(responder));
        let finished = [initiator.fin.is_some(), responder.fin.is_some()];
        let plain =
            syn && !initiator.syn_ack_seen && !finished[0] && !initiator.letters.once.contains('a');
        match (finished, self.reset_by) {
            ([true, true], _) => ConnState::Sf,
            (_, Some(FlowSide::Responder)) if !begun => ConnState::Rstrh,
            (_, Some(FlowSide::Responder)) if syn && !answered => ConnState::Rej,
            (_, Some(FlowSide::Responder)) => ConnState::Rstr,
            (_, Some(FlowSide::Initiator)) if answered => ConnState::Rsto,
            (_, Some(FlowSide::Initiator)) if plain => ConnState::Rstos0,
            (_, Some(FlowSide::Initiator)) => ConnState::Oth,
            ([true, false], None) if answered => ConnState::S2,
            ([true, false], None) => ConnState::Sh,
            ([false, true], None) if begun => ConnState::S3,
            ([false, true], None) => ConnState::Shr,
            ([false, false], None) if self.mid_stream => ConnState::Oth,
            ([false, false], None) if syn && !answered => ConnState::S0,
            ([false, false], None) if syn && responder.syn_seen => ConnState::S1,
            ([false, false], None) if self.was_established => ConnState::S1,
            ([false, false], None) => ConnState::Oth,
        }
    }
}

impl Side {
    /// STAT-8. No stream of these tests is so long that its numbers go round.
    fn stream_bytes(&self) -> u64 {
        let fin = self.fin.is_some_and(|fin| fin.wrapping_add(1) == self.next);
        let end = self.next.wrapping_sub(u32::from(fin));
        let start = self.isn.wrapping_add(1);
        if self.shown { u64::from(end.wrapping_sub(start)) + self.stray_bytes } else { 0 }
    }
}

/// SEG-8: the payload that a segment has, without padding.
pub fn sent_len(found: &Extracted<u8>, payload: &[u8]) -> u32 {
    let len = found.payload.wire_len;
    let padded = found.tcp.is_some_and(|tcp| {
        (tcp.flags.syn() || tcp.flags.fin()) && !tcp.flags.intersects(TcpFlags::PSH | TcpFlags::URG)
    });
    let whole = len > 0 && payload.len() == len as usize;
    let zeros = whole && payload.iter().all(|byte| *byte == 0);
    if padded && zeros && found.ip.len <= 46 { 0 } else { len }
}

pub fn counters_of(packet: &Packet, found: &Extracted<u8>) -> Counters {
    Counters {
        packets: u64::from(packet.frames),
        wire_bytes: u64::from(packet.wire_len),
        ip_bytes: u64::from(found.ip.len),
        payload_bytes: u64::from(found.payload.wire_len),
    }
}

pub fn add(to: &mut Counters, more: &Counters) {
    to.packets += more.packets;
    to.wire_bytes += more.wire_bytes;
    to.ip_bytes += more.ip_bytes;
    to.payload_bytes += more.payload_bytes;
}

pub fn minus(from: &Counters, less: &Counters) -> Counters {
    Counters {
        packets: from.packets.saturating_sub(less.packets),
        wire_bytes: from.wire_bytes.saturating_sub(less.wire_bytes),
        ip_bytes: from.ip_bytes.saturating_sub(less.ip_bytes),
        payload_bytes: from.payload_bytes.saturating_sub(less.payload_bytes),
    }
}

/// The 1st, 10th, 100th … time.
pub fn is_power_of_ten(n: u32) -> bool {
    (0..10).any(|power| 10_u32.pow(power) == n)
}
