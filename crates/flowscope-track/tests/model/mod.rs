//! A reference model of the flow tracker: a list of flows, scanned for everything. Written from
//! `docs/TCP_LIFE.md`; ids in comments name its rules.
//!
//! Nothing is shared with the tracker but the vocabulary of its output.

#![allow(dead_code, unreachable_pub, unused_imports)] // each test binary takes what it needs

mod clock;
mod event;
mod flow;
mod tcp;

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope_core::{Extracted, FlowSide, L4Proto, TcpInfo, Timestamp};
use flowscope_track::{
    ClockConfig, EndReason, Eviction, FlowState, InitiatorEvidence, ResetRule, TrackerConfig,
};

use self::clock::Clock;
pub use self::event::{Call, Calls, Snapshot, Stats, What};
use self::flow::Flow;
use self::tcp::Verdict;

/// A packet, as the tracker gets to see it.
#[derive(Clone)]
pub struct Packet {
    pub ts: Timestamp,
    /// Earlier than `ts` for a joined datagram.
    pub first_ts: Timestamp,
    pub frames: u32,
    pub wire_len: u32,
    /// What was captured of the payload.
    pub payload: Vec<u8>,
    /// `None`: the extractor refuses it.
    pub found: Option<Extracted<u8>>,
}

/// One line, so that failures can be read.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Packet { ts, first_ts, frames, wire_len, payload, found } = self;
        write!(f, "{ts}")?;
        if frames != &1 {
            write!(f, " (since {first_ts}, {frames} frames)")?;
        }
        let Some(x) = found else { return write!(f, " refused, {wire_len} bytes") };
        write!(f, " key {} {:?} {:?}", x.key, x.orientation, x.l4)?;
        if let Some(tcp) = x.tcp {
            let TcpInfo { flags, seq, ack, window, options, .. } = tcp;
            write!(f, " {flags} seq {seq} ack {ack} window {window}")?;
            if flags.syn() {
                write!(f, " {options:?}")?;
            }
        }
        write!(f, " len {} of {}", payload.len(), x.payload.wire_len)?;
        write!(f, " ttl {} tos {} label {}", x.ip.ttl, x.ip.tos, x.ip.flow_label)?;
        write!(f, " path {:?}{}", x.path, if x.fragment.is_some() { " fragment" } else { "" })
    }
}

/// [`TrackerConfig`], with open fields.
#[derive(Clone, Debug)]
pub struct Settings {
    pub max_flows: usize,
    pub tcp_idle: Duration,
    pub udp_idle: Duration,
    pub other_idle: Duration,
    pub linger: Duration,
    pub reuse_after: Duration,
    pub active: Option<Duration>,
    pub eviction: Eviction,
    pub resets: ResetRule,
    pub mid_stream_packets: u32,
    pub listening: Vec<u16>,
    pub jump: Duration,
    pub confirm: u32,
}

impl Settings {
    pub fn config(&self) -> TrackerConfig {
        TrackerConfig::default()
            .max_flows(NonZeroUsize::new(self.max_flows).expect("at least one flow"))
            .tcp_idle(self.tcp_idle)
            .udp_idle(self.udp_idle)
            .other_idle(self.other_idle)
            .linger(self.linger)
            .reuse_after(self.reuse_after)
            .active(self.active)
            .eviction(self.eviction)
            .resets(self.resets)
            .mid_stream_packets(self.mid_stream_packets)
            .listening_ports(self.listening.iter().copied())
            .clock(ClockConfig::default().jump(self.jump).confirm(self.confirm))
    }

    fn idle_timeout(&self, l4: Option<L4Proto>) -> Duration {
        match l4 {
            Some(L4Proto::Tcp) => self.tcp_idle,
            Some(L4Proto::Udp) => self.udp_idle,
            _ => self.other_idle,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_flows: 1000,
            tcp_idle: Duration::from_secs(300),
            udp_idle: Duration::from_secs(60),
            other_idle: Duration::from_secs(30),
            linger: Duration::from_secs(5),
            reuse_after: Duration::from_secs(60),
            active: None,
            eviction: Eviction::OldestLastSeen,
            resets: ResetRule::InSequence,
            mid_stream_packets: 4,
            listening: Vec::new(),
            jump: Duration::from_secs(3600),
            confirm: 16,
        }
    }
}

/// What comes to a flow when time passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Due {
    Idle,
    /// A pending reset counts.
    Reset,
    /// The linger time is over.
    Leave,
}

pub struct Model {
    settings: Settings,
    clock: Clock,
    flows: Vec<Flow>,
    calls: Vec<Call>,
    /// Rules that few packets get to, since they were last asked for.
    pub reached: Vec<&'static str>,
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        let clock = Clock::new(settings.jump, settings.confirm);
        Model { settings, clock, flows: Vec::new(), calls: Vec::new(), reached: Vec::new() }
    }

    /// What a sink would have been called with since the last time.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    pub fn calls(&self) -> &Vec<Call> {
        &self.calls
    }

    pub fn len(&self) -> usize {
        self.flows.len()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All flows that have not ended, in order of their ids.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let mut all: Vec<Snapshot> =
            self.flows.iter().filter(|flow| flow.ended.is_none()).map(Flow::snapshot).collect();
        all.sort_by_key(|snapshot| snapshot.flow);
        all
    }

    pub fn packet(&mut self, packet: &Packet) {
        self.clock.observe(packet.ts);
        self.settle_suspects();
        // IDLE-2
        self.sweep();
        let Some(mut found) = packet.found.filter(|found| found.fragment.is_none()) else { return };
        if found.corrupt {
            // ORIG-2, STATE-6
            found.tcp = None;
        }
        self.catch_up(found.key);
        let Some(at) = self.position(found.key) else { return self.begin(packet, &found) };
        let silence = self.now().since(self.flows[at].touched);
        let silent = silence > self.settings.reuse_after;
        match self.flows[at].judge(packet, &found, silent) {
            Verdict::Counts if self.flows[at].ended.is_some() => {
                self.flows[at].count_late(packet, &found);
                let lent = self.flows[at].late_segment(packet, &found);
                let number = self.clock.packet;
                self.calls.extend(lent.map(|what| self.flows[at].call(number, packet.ts, what)));
            }
            Verdict::Counts => {
                self.interim(at, packet.ts);
                self.count(at, packet, &found);
            }
            Verdict::BeginsAnother => {
                self.remove(at, EndReason::Superseded);
                self.begin(packet, &found);
            }
            Verdict::Answers(syn) => {
                let syn = self.flows[at].take_remembered(syn);
                self.remove(at, EndReason::Superseded);
                let flow = Flow::begun_by(&syn, found.key);
                let at = self.start(flow, packet);
                self.count(at, packet, &found);
            }
        }
    }

    /// Time has reached `now` without a packet.
    pub fn expire(&mut self, now: Timestamp) {
        self.clock.advance(now);
        self.settle_suspects();
        self.sweep();
    }

    /// The caller ends one flow.
    pub fn end(&mut self, key: u8) -> bool {
        self.catch_up(key);
        let Some(at) = self.position(key) else { return false };
        self.remove(at, EndReason::Forced);
        true
    }

    /// Ends every flow, in order of their ids.
    pub fn finish(&mut self, reason: EndReason) {
        while let Some(flow) = self.flows.iter().min_by_key(|flow| flow.id) {
            let key = flow.key;
            self.catch_up(key);
            if let Some(at) = self.position(key) {
                self.remove(at, reason);
            }
        }
    }

    fn position(&self, key: u8) -> Option<usize> {
        self.flows.iter().position(|flow| flow.key == key)
    }

    // -- Time ------------------------------------------------------------------------------------

    /// When silence, a pending reset, or the end of the linger time would next change this flow.
    fn deadline(&self, flow: &Flow) -> (Timestamp, Due) {
        if let Some(end) = flow.ended {
            // LATE-1
            return (end.at + self.settings.linger, Due::Leave);
        }
        let idle = (flow.touched + self.settings.idle_timeout(flow.l4), Due::Idle);
        // RST-2
        let reset = flow.pending.map(|reset| (reset.at + self.settings.linger, Due::Reset));
        match reset {
            Some(reset) if reset.0 <= idle.0 => reset,
            _ => idle,
        }
    }

    /// TIME-1, of suspect times that the clock accepts.
    fn settle_suspects(&mut self) {
        let (now, open) = (self.now(), self.clock.is_suspicious());
        let from = self.clock.believed_from;
        for flow in &mut self.flows {
            let passed = flow.suspects.iter().filter(|(packet, ts)| *packet >= from && *ts <= now);
            let believed = passed.map(|(_, ts)| *ts).max();
            if flow.ended.is_none() {
                flow.touched = flow.touched.max(believed.unwrap_or_default());
            }
            flow.suspects.retain(|(_, ts)| *ts > now && open);
        }
    }

    /// IDLE-2
    fn sweep(&mut self) {
        let now = self.now();
        while let Some((_, _, at)) = self
            .flows
            .iter()
            .enumerate()
            .map(|(at, flow)| (self.deadline(flow).0, flow.id, at))
            .filter(|(deadline, ..)| now > rounded_up(*deadline))
            .min()
        {
            self.fall_due(at);
        }
    }

    /// IDLE-1, IDLE-3: here the exact deadline counts.
    fn catch_up(&mut self, key: u8) {
        while let Some(at) = self.position(key)
            && self.now() > self.deadline(&self.flows[at]).0
        {
            self.fall_due(at);
        }
    }

    fn fall_due(&mut self, at: usize) {
        let (deadline, due) = self.deadline(&self.flows[at]);
        let packet = self.clock.packet;
        let flow = &mut self.flows[at];
        match due {
            Due::Idle => self.remove(at, EndReason::IdleTimeout),
            // RST-2
            Due::Reset => {
                let reset = flow.pending.take().expect("it is due");
                let from = flow.state;
                flow.reset_by(reset.side);
                let change = What::StateChange(from, FlowState::Reset);
                self.calls.push(self.flows[at].call(packet, reset.ts, change));
                self.end_by_packet(at, reset.ts, deadline, EndReason::Rst);
            }
            Due::Leave => self.remove(at, EndReason::Fin),
        }
    }

    // -- Beginning and end -----------------------------------------------------------------------

    fn begin(&mut self, packet: &Packet, found: &Extracted<u8>) {
        let (orientation, evidence) = self.who_began_it(found);
        let flow = Flow::new(found, orientation, evidence, self.clock.packet);
        let at = self.start(flow, packet);
        self.count(at, packet, found);
    }

    /// ORIG-1
    fn who_began_it(
        &self,
        found: &Extracted<u8>,
    ) -> (flowscope_core::Orientation, InitiatorEvidence) {
        let (sender, receiver) = (found.orientation, !found.orientation);
        if let Some(tcp) = found.tcp
            && tcp.flags.syn()
        {
            return if tcp.flags.ack() {
                (receiver, InitiatorEvidence::SynAck)
            } else {
                (sender, InitiatorEvidence::Syn)
            };
        }
        let listening = |port| self.settings.listening.contains(&port);
        match found.ports.map(|(from, to)| (listening(from), listening(to))) {
            Some((true, false)) => (receiver, InitiatorEvidence::ListeningPort),
            Some((false, true)) => (sender, InitiatorEvidence::ListeningPort),
            _ => (sender, InitiatorEvidence::FirstPacket),
        }
    }

    /// Gives a flow its place in the table. Its first packet has yet to be counted.
    fn start(&mut self, flow: Flow, packet: &Packet) -> usize {
        // EVICT-1
        if self.flows.len() == self.settings.max_flows {
            let key = self.flows[self.victim()].key;
            self.catch_up(key);
            if let Some(at) = self.position(key) {
                self.remove(at, EndReason::Evicted);
            }
        }
        let ts = if flow.id == self.clock.packet { packet.ts } else { flow.first_seen() };
        let mut calls = vec![flow.call(self.clock.packet, ts, What::Started(flow.evidence))];
        if flow.id != self.clock.packet {
            // REUSE-1
            let syn = What::Segment {
                side: FlowSide::Initiator,
                out_of_window: false,
                seq: flow.sides[0].isn.wrapping_add(1),
                payload: Vec::new(),
                wire_len: 0,
                ack: None,
                syn: true,
                fin: false,
                starts: flow.starts(),
                ends: flow.ends(),
                acknowledged: [None; 2],
            };
            calls.push(flow.call(self.clock.packet, ts, syn));
        }
        self.flows.push(flow);
        self.calls.extend(calls);
        self.flows.len() - 1
    }

    /// EVICT-2
    fn victim(&self) -> usize {
        let all = || self.flows.iter().enumerate();
        let lingering = all().filter(|(_, flow)| flow.ended.is_some());
        let lingering = lingering.min_by_key(|(_, flow)| flow.ended.map(|end| end.order));
        let half_open = all().filter(|(_, flow)| {
            self.settings.eviction == Eviction::HalfOpenFirst && flow.state.is_half_open()
        });
        let half_open = half_open.min_by_key(|(_, flow)| flow.latest_packet);
        let oldest = all().min_by_key(|(_, flow)| flow.latest_packet);
        let victim = lingering.or(half_open).or(oldest);
        victim.expect("a full table is not empty").0
    }

    /// LATE-2, LATE-3: removes an entry, with `Ended` if the flow had not ended, with `Late` if it had
    /// and anything was late.
    fn remove(&mut self, at: usize, reason: EndReason) {
        let packet = self.clock.packet;
        let flow = self.flows.remove(at);
        let reason = match flow.state {
            FlowState::Closed => EndReason::Fin,
            FlowState::Reset => EndReason::Rst,
            _ => reason,
        };
        if flow.ended.is_none() {
            // TIME-3
            let by_caller =
                matches!(reason, EndReason::Forced | EndReason::EndOfInput | EndReason::Shutdown);
            let ts = if by_caller { self.now() } else { flow.last_seen() };
            self.calls.push(flow.call(packet, ts, flow.ended_as(reason)));
        } else if let Some(late) = flow.late {
            let stats = Box::new(flow.stats());
            self.calls.push(flow.call(packet, late.last_seen, What::Late(stats)));
        }
        let removed = flow.removed_as(reason);
        let What::Removed(_, stats, _) = &removed else { return };
        self.calls.push(flow.call(packet, stats.last_seen, removed));
    }

    /// LATE-1
    fn end_by_packet(&mut self, at: usize, ts: Timestamp, linger_from: Timestamp, why: EndReason) {
        let order = self.flows.iter().filter_map(|flow| flow.ended).map(|end| end.order).max();
        let flow = &mut self.flows[at];
        flow.ended = Some(flow::End { at: linger_from, order: order.map_or(0, |last| last + 1) });
        let ended = flow.ended_as(why);
        self.calls.push(self.flows[at].call(self.clock.packet, ts, ended));
    }

    /// ACTIVE-1
    fn interim(&mut self, at: usize, ts: Timestamp) {
        let (packet, now) = (self.clock.packet, self.now());
        let Some(interval) = self.settings.active else { return };
        let flow = &mut self.flows[at];
        let from = flow.interim_from.unwrap_or(flow.first_seen());
        if now.since(from) < interval {
            return;
        }
        let whole = now.since(from).as_nanos() / interval.as_nanos();
        let whole = u64::try_from(whole * interval.as_nanos()).expect("not beyond now");
        flow.interim_from = Some(from + Duration::from_nanos(whole));
        flow.interims += 1;
        let call = flow.call(packet, ts, What::Interim(flow.interims, Box::new(flow.stats())));
        flow.at_last_interim = [0, 1].map(|side| flow.sides[side].stats.counters);
        self.calls.push(call);
    }

    // -- A packet of a flow that has not ended ---------------------------------------------------

    fn count(&mut self, at: usize, packet: &Packet, found: &Extracted<u8>) {
        let (number, now) = (self.clock.packet, self.now());
        let flow = &mut self.flows[at];
        let side = flow.side_of(found);
        flow.count(packet, found, number, now);
        if self.clock.is_suspicious() {
            flow.suspects.push((number, packet.ts));
        }
        let changes = flow.follow(packet, found, now, &self.settings);
        self.reached.extend(changes.reached);

        let mut calls = vec![What::Packet(flowscope_track::PacketInfo {
            side,
            ts: packet.ts,
            wire_len: packet.wire_len,
            payload_len: found.payload.wire_len,
            tcp_flags: found.tcp.map(|tcp| tcp.flags).unwrap_or_default(),
        })];
        let lend = (changes.out_of_window, changes.refused_fin, changes.far_ack);
        calls.extend(changes.anomalies.into_iter().map(|(kind, side)| What::Anomaly(kind, side)));
        calls.extend(lent(flow, packet, found, side, &lend));
        if changes.established {
            calls.push(What::Established);
        }
        calls.extend(changes.state.map(|(from, to)| What::StateChange(from, to)));
        let flow = &self.flows[at];
        self.calls.extend(calls.into_iter().map(|what| flow.call(number, packet.ts, what)));
        match self.flows[at].state {
            FlowState::Closed => self.end_by_packet(at, packet.ts, now, EndReason::Fin),
            FlowState::Reset => self.end_by_packet(at, packet.ts, now, EndReason::Rst),
            _ => {}
        }
    }
}

/// What the payload of a packet is delivered as.
fn lent(
    flow: &Flow,
    packet: &Packet,
    found: &Extracted<u8>,
    side: FlowSide,
    &(out_of_window, refused_fin, far_ack): &(bool, bool, Option<bool>),
) -> Option<What> {
    let (payload, wire_len) = (packet.payload.clone(), found.payload.wire_len);
    if flow.l4 == Some(L4Proto::Tcp) {
        let tcp = found.tcp.filter(|tcp| !tcp.flags.rst())?;
        return Some(What::Segment {
            side,
            out_of_window,
            seq: tcp.seq.wrapping_add(u32::from(tcp.flags.syn())),
            payload,
            wire_len,
            ack: flow.lent_ack(side, &tcp, far_ack),
            syn: tcp.flags.syn(),
            fin: tcp.flags.fin() && !refused_fin,
            starts: flow.starts(),
            ends: flow.ends(),
            acknowledged: [flow.sides[1].ack, flow.sides[0].ack],
        });
    }
    (wire_len > 0 && !found.corrupt).then_some(What::Datagram { side, payload, wire_len })
}

/// IDLE-2: a multiple of 100 ms.
fn rounded_up(time: Timestamp) -> Timestamp {
    const TICK: u64 = 100_000_000;
    Timestamp::from_nanos(time.as_nanos().div_ceil(TICK).saturating_mul(TICK))
}
