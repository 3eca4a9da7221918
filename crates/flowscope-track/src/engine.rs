//! The flow table at work: look-up, life and death of entries, counters, events.
//!
//! [`FlowTracker`](crate::FlowTracker) puts an extractor and a clock in front of it.

mod emit;
mod eviction;
mod time;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use flowscope_core::{
    Extracted, FlowSide, IcmpInfo, L4Proto, Orientation, PacketView, TcpFlags, Timestamp,
};

use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::entry::{Cold, Meter, PendingSyn, Rare, bit, watch};
use crate::history::is_power_of_ten;
use crate::index::{Index, Tag};
use crate::lists::Slot;
use crate::order::EvictionOrder;
use crate::sink::{EventOrder, FlowSink, Phase};
use crate::stats::{Counters, LateStats};
use crate::table::{BLANK_METER, Slots, blank_cold};
use crate::tcp::{MOST_SYNS, Seg, Step, Successor, Tcp};
use crate::wheel::{TICK, Wheel, passed, tick_of};
use crate::{Change, EndReason, FlowId, FlowState, InitiatorEvidence, TrackerStats};

/// Counters are moved out of the hot part before they pass this.
const SPILL: u32 = 1 << 31;

/// Rare parts may take this fraction of the memory budget; a flow that needs one beyond that is
/// evicted itself, so that a flood of odd packets pushes out no other flow.
const RARE_SHARE: usize = 4;

/// Steps of expiry that a flow pays for that found the table full.
const STEPS_FOR_ROOM: usize = 64;

/// Makes the caller's state of a new flow.
pub(crate) type Init<K, S> = Box<dyn FnMut(&Extracted<K>) -> S + Send>;

pub(crate) struct Engine<K, S> {
    config: TrackerConfig,
    idle: [u64; 3],
    init: Init<K, S>,
    index: Index,
    slots: Slots<K, S>,
    wheel: Wheel,
    /// Flows whose tick has come, in order of deadline, then of id.
    due: BinaryHeap<Reverse<Due>>,
    /// The sweep has nothing to do until the watermark is beyond this.
    quiet_until: Timestamp,
    order: EvictionOrder,
    /// Flows touched by packets whose time is suspect: believed if the clock comes to believe it.
    suspects: Vec<Suspect>,
    rares: usize,
    /// Flows that a finish under way has still to end, the next one last.
    ending: Vec<(u64, Slot)>,
    stats: TrackerStats,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Due {
    deadline: Timestamp,
    id: u64,
    slot: Slot,
}

/// A packet on its way into the table.
pub(crate) struct PacketContext<'p, 'v, K> {
    pub(crate) view: &'p PacketView<'v>,
    pub(crate) extracted: &'p Extracted<K>,
    pub(crate) moment: PacketTime,
    pub(crate) tag: Tag,
    /// A slot that had this tag a moment ago.
    pub(crate) guess: Option<Slot>,
}

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    pub(crate) fn new(config: TrackerConfig, init: Init<K, S>) -> Self {
        let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Engine {
            idle: [config.tcp_idle, config.udp_idle, config.other_idle].map(nanos),
            init,
            index: Index::new(config.hash, config.seed),
            slots: Slots::new(),
            wheel: Wheel::new(),
            due: BinaryHeap::new(),
            quiet_until: Timestamp::MAX,
            order: EvictionOrder::new(),
            suspects: Vec::new(),
            rares: 0,
            ending: Vec::new(),
            stats: TrackerStats::default(),
            config,
        }
    }

    // ---- look-up

    #[inline]
    pub(crate) fn tag(&self, key: &K) -> Tag {
        self.index.tag(key)
    }

    #[inline]
    pub(crate) fn guess(&self, tag: Tag) -> Option<Slot> {
        self.index.guess(tag)
    }

    /// Reads the record's lines, so that they are on their way when the packet's turn comes.
    #[inline]
    pub(crate) fn touch(&self, slot: Slot) -> u64 {
        let hot = &self.slots.hot[slot];
        hot.meter.last_packet ^ u64::from(hot.meter.sides[1].next)
    }

    pub(crate) fn find(&mut self, key: &K) -> Option<Slot> {
        let tag = self.index.tag(key);
        self.find_tagged(tag, key)
    }

    fn find_tagged(&mut self, tag: Tag, key: &K) -> Option<Slot> {
        let slots = &self.slots;
        self.index.find(tag, |slot| slots.hot[slot].key == *key)
    }

    /// Looks after the index between packets: tags taken before this are void after it.
    #[inline]
    pub(crate) fn tend(&mut self) {
        if self.index.is_suspicious() {
            self.reseed();
        }
    }

    #[cold]
    fn reseed(&mut self) {
        let slots = &self.slots;
        self.index.reseed(|slot| &slots.hot[slot].key);
        self.stats.hash_collisions_suspected += 1;
    }

    // ---- a packet

    #[inline]
    pub(crate) fn process<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let moment = packet.moment;
        self.sweep_for_packet(moment, out);
        let key = &packet.extracted.key;
        let guess = packet
            .guess
            .filter(|slot| self.slots.hot[*slot].key == *key && self.slots.is_live(*slot));
        match guess.or_else(|| self.find_tagged(packet.tag, key)) {
            Some(slot) => self.update_fast(slot, packet, out),
            None => self.open(packet, out),
        }
    }

    /// A packet of a flow in the table.
    #[inline]
    fn update_fast<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x, moment) = (packet.view, packet.extracted, packet.moment);
        let idle = self.idle_of(self.slots.hot[slot].meter.proto);
        let meter = &mut self.slots.hot[slot].meter;
        let silence =
            moment.watermark.as_nanos() - meter.touched.as_nanos().min(moment.watermark.as_nanos());
        let side = meter.side_of(x.orientation);
        let short = meter.watch == 0
            && silence <= idle
            && meter.ttl[side.index()] == x.ip.ttl
            && !x.corrupt
            && !moment.suspect;
        let tcp = match x.tcp {
            Some(tcp) if short && meter.state == FlowState::Established => {
                let seg = Seg::new(side, &tcp, x.payload.wire_len, view.ts());
                if !Tcp::short_way(meter, &seg) {
                    return self.update_slow(slot, packet, out);
                }
                Some(seg)
            }
            None if short && meter.state == FlowState::Active => None,
            _ => return self.update_slow(slot, packet, out),
        };
        let flags = tcp.map_or(TcpFlags(0), |seg| seg.flags);
        let ranked = !self.order.is_idle(meter);
        if ranked {
            self.order.remove(slot, meter);
        }
        if !count(meter, side, view, x, flags, moment) {
            let had_rare = self.slots.cold[slot].rare.is_some();
            self.count_slowly(slot, side, packet);
            self.rares += usize::from(!had_rare && self.slots.cold[slot].rare.is_some());
        }
        if ranked {
            self.order.insert(slot, &mut self.slots.hot[slot].meter);
        }
        let order = at_packet(moment);
        self.emit_packet(slot, side, packet, flags, order, out);
        self.lend_payload(slot, side, packet, tcp.as_ref(), order, out);
    }

    /// The long way: timeouts, successors, states, anomalies.
    #[inline(never)]
    fn update_slow<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x, moment) = (packet.view, packet.extracted, packet.moment);
        let order = at_packet(moment);
        if self.catch_up(slot, moment, order, out) {
            return self.open(packet, out);
        }
        let side = self.slots.hot[slot].meter.side_of(x.orientation);
        let seg = self.seg_of(slot, side, packet);
        if let Some(seg) = &seg {
            match self.tcp(slot).successor(seg, moment) {
                Some(Successor::This) => {
                    self.supersede(slot, order, out);
                    return self.open(packet, out);
                }
                Some(Successor::Remembered(syn)) => return self.succeed(slot, &syn, packet, out),
                None => {}
            }
        }
        let had_rare = self.slots.cold[slot].rare.is_some();
        if self.slots.hot[slot].meter.state.is_over() {
            self.late(slot, side, seg.as_ref(), packet);
        } else {
            self.interim(slot, moment, view.ts(), out);
            self.take(slot, side, seg, packet, out);
        }
        self.note_rare(slot, had_rare, moment, out);
    }

    /// Counts a packet of a live flow and does what it changes.
    fn take<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        seg: Option<Seg>,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let order = at_packet(packet.moment);
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        let seen = (self.slots.cold[slot].first_seen, self.slots.record(slot).last_seen());
        let had_reset = self.pending_reset(slot);
        let mut step = Step::new(self.slots.hot[slot].meter.state);
        self.rank(slot, |engine| {
            engine.count_slowly(slot, side, packet);
            if let Some(seg) = &seg {
                engine.tcp(slot).advance(seg, packet.moment, &mut step);
            } else if step.before != FlowState::Active {
                engine.tcp(slot).truncated_header(packet.view.ts(), &mut step);
            }
        });
        if self.slots.hot[slot].meter.watch & watch::RARE != 0 {
            let syn = seg.filter(|_| step.remembered);
            self.book_syns(slot, syn.as_ref(), packet, seen);
        }
        self.emit_packet(slot, side, packet, flags, order, out);
        let Some(seg) = seg else {
            self.lend_payload(slot, side, packet, None, order, out);
            self.emit_established(slot, packet.view.ts(), order, &step, out);
            return;
        };
        if had_reset.is_none() && self.pending_reset(slot).is_some() {
            self.reschedule(slot);
        }
        self.emit_step(slot, &seg, &step, packet, order, out);
    }

    /// Keeps the number of rare parts right after a packet that may have made one.
    fn note_rare<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        had_rare: bool,
        moment: PacketTime,
        out: &mut O,
    ) {
        if had_rare || self.slots.cold[slot].rare.is_none() {
            return;
        }
        self.rares += 1;
        if self.rares > 1 && self.rares * RARE_BYTES > self.config.memory_budget / RARE_SHARE {
            self.evict(slot, moment, out);
        }
    }

    fn emit_step<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        seg: &Seg,
        step: &Step,
        packet: &PacketContext<'_, '_, K>,
        order: EventOrder,
        out: &mut O,
    ) {
        let ts = seg.ts;
        for (kind, side) in step.anomalies() {
            self.emit(slot, ts, order, Change::Anomaly { kind, side }, out);
        }
        if !seg.flags.rst() {
            self.lend_payload(slot, seg.side, packet, Some(seg), order, out);
        }
        self.emit_established(slot, ts, order, step, out);
        if let Some(reason) = step.ended {
            self.begin_linger(slot, packet.moment.watermark);
            self.emit_end(slot, ts, order, reason, out);
        }
    }

    fn emit_established<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        step: &Step,
        out: &mut O,
    ) {
        if step.established {
            self.emit(slot, ts, order, Change::Established, out);
        }
        self.emit_state(slot, ts, order, step, out);
    }

    fn emit_state<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        step: &Step,
        out: &mut O,
    ) {
        let (from, to) = (step.before, self.slots.hot[slot].meter.state);
        if from != to {
            self.emit(slot, ts, order, Change::StateChange { from, to }, out);
        }
    }

    fn seg_of(&self, slot: Slot, side: FlowSide, packet: &PacketContext<'_, '_, K>) -> Option<Seg> {
        let is_tcp = self.slots.hot[slot].meter.proto == L4Proto::Tcp.number();
        let tcp = packet.extracted.tcp.filter(|_| is_tcp && !packet.extracted.corrupt)?;
        Some(Seg::new(side, &tcp, packet.extracted.payload.wire_len, packet.view.ts()))
    }

    fn tcp(&mut self, slot: Slot) -> Tcp<'_> {
        Tcp {
            meter: &mut self.slots.hot[slot].meter,
            cold: &mut self.slots.cold[slot],
            config: &self.config,
        }
    }

    // ---- new flows

    #[inline(never)]
    fn open<O: FlowSink<K, S>>(&mut self, packet: &PacketContext<'_, '_, K>, out: &mut O) {
        let (view, x, moment) = (packet.view, packet.extracted, packet.moment);
        let (orientation, evidence) = self.initiator(x);
        let slot = self.insert(packet, orientation, evidence, moment.packet, out);
        let is_tcp = self.slots.hot[slot].meter.proto == L4Proto::Tcp.number();
        if is_tcp && orientation != x.orientation {
            self.slots.cold[slot].history.push(b'^', FlowSide::Initiator);
        }
        let side = self.slots.hot[slot].meter.side_of(x.orientation);
        let order = at_packet(moment);
        self.count_slowly(slot, side, packet);
        if let Some(icmp) = &x.icmp {
            self.slots.cold[slot].set_icmp(icmp);
        }
        let seg = self.seg_of(slot, side, packet);
        let mut step = Step::new(FlowState::Active);
        if let Some(seg) = &seg {
            let state = self.tcp(slot).open(seg);
            self.slots.hot[slot].meter.state = state;
            step.before = state;
        } else if is_tcp {
            let meter = &mut self.slots.hot[slot].meter;
            meter.state = FlowState::SynReceived;
            meter.set(bit::MID_STREAM, true);
            step.before = FlowState::SynReceived;
        }
        self.enter(slot, moment);
        self.emit(slot, view.ts(), order, Change::Started { evidence }, out);
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        self.emit_packet(slot, side, packet, flags, order, out);
        match &seg {
            Some(seg) => {
                let seg = *seg;
                self.rank(slot, |engine| engine.tcp(slot).first(&seg, &mut step));
                self.emit_step(slot, &seg, &step, packet, order, out);
            }
            None => {
                if step.before != FlowState::Active {
                    self.rank(slot, |engine| {
                        engine.tcp(slot).truncated_header(view.ts(), &mut step);
                    });
                }
                self.lend_payload(slot, side, packet, None, order, out);
                self.emit_established(slot, view.ts(), order, &step, out);
            }
        }
        self.note_rare(slot, false, moment, out);
    }

    /// Who began a flow, by its first packet: the orientation of that side's packets, and why.
    fn initiator(&self, x: &Extracted<K>) -> (Orientation, InitiatorEvidence) {
        let sender = x.orientation;
        if let Some(tcp) = x.tcp.filter(|tcp| tcp.flags.syn() && !x.corrupt) {
            return match tcp.flags.ack() {
                true => (!sender, InitiatorEvidence::SynAck),
                false => (sender, InitiatorEvidence::Syn),
            };
        }
        let listens = |port: u16| self.config.listening.binary_search(&port).is_ok();
        match x.ports {
            Some((source, destination)) => match (listens(source), listens(destination)) {
                (true, false) => (!sender, InitiatorEvidence::ListeningPort),
                (false, true) => (sender, InitiatorEvidence::ListeningPort),
                _ => (sender, InitiatorEvidence::FirstPacket),
            },
            None => (sender, InitiatorEvidence::FirstPacket),
        }
    }

    /// A fresh entry, counters at zero.
    fn insert<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        orientation: Orientation,
        evidence: InitiatorEvidence,
        id: u64,
        out: &mut O,
    ) -> Slot {
        let (x, moment) = (packet.extracted, packet.moment);
        self.make_room(moment, out);
        let reverse = if orientation == Orientation::Reverse { bit::REVERSE } else { 0 };
        let active = if self.config.active.is_some() { watch::ACTIVE } else { 0 };
        let meter = Meter {
            proto: x.l4.map_or(0, L4Proto::number),
            bits: reverse | bit::LAGGED | if x.l4.is_none() { bit::NO_L4 } else { 0 },
            watch: active,
            id,
            last_packet: moment.packet,
            touched: moment.watermark,
            ..BLANK_METER
        };
        let mut cold = Cold { evidence, first_seen: Timestamp::MAX, ..blank_cold() };
        if !x.path.is_empty() {
            cold.rare = Some(Box::new(Rare { path: x.path, ..Rare::default() }));
        }
        let state = (self.init)(x);
        let (slot, new) = self.slots.put(x.key.clone(), meter, cold, state);
        if new {
            self.wheel.add_slot();
            self.order.add_slot();
        }
        self.index.insert(packet.tag, slot);
        self.stats.flows += 1;
        slot
    }

    /// Gives a fresh entry, whose state is known now, its place among timeouts and in the eviction
    /// order.
    fn enter(&mut self, slot: Slot, moment: PacketTime) {
        let tick = tick_of(self.deadline(slot));
        self.wheel.start_at(passed(moment.watermark).unwrap_or(0));
        self.wheel.schedule(slot, tick);
        self.quiet_until = self.quiet_until.min(Timestamp::from_nanos(tick.saturating_mul(TICK)));
        self.order.insert(slot, &mut self.slots.hot[slot].meter);
    }

    // ---- successors

    /// The flow in `slot` ends because another takes its key.
    fn supersede<O: FlowSink<K, S>>(&mut self, slot: Slot, order: EventOrder, out: &mut O) {
        let last_seen = self.slots.record(slot).last_seen();
        self.end_and_remove(slot, last_seen, order, EndReason::Superseded, out);
    }

    /// A remembered SYN was answered: the flow it hit ends without it, and a new one begins at it.
    fn succeed<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        syn: &PendingSyn,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (x, moment) = (packet.extracted, packet.moment);
        let order = at_packet(moment);
        let meter = self.slots.hot[slot].meter;
        let begun_by = if (syn.side == FlowSide::Initiator) == meter.has(bit::REVERSE) {
            Orientation::Reverse
        } else {
            Orientation::Forward
        };
        // What a flow's end has told stays told: then the SYN remains where it was counted.
        let over = meter.state.is_over();
        let counters = if over {
            Counters::default()
        } else {
            self.uncount(slot, syn);
            syn.counters
        };
        self.supersede(slot, order, out);
        let slot = self.insert(packet, begun_by, InitiatorEvidence::Syn, syn.packet, out);
        let side = &mut self.slots.hot[slot].meter;
        side.tos[0] = syn.tos;
        side.sides[0].flags = syn.flags;
        side.ttl[0] = syn.ttl;
        let cold = &mut self.slots.cold[slot];
        cold.flow_label[0] = syn.flow_label;
        cold.first_seen = syn.ts;
        cold.last_seen = syn.last_ts;
        (cold.min_ttl[0], cold.max_ttl[0]) = (syn.ttl, syn.ttl);
        cold.rare().spilled[0] = counters;
        cold.rare().path = syn.path;
        cold.rare().sides[0].retransmitted = if over { 0 } else { syn.again };
        let first = Seg {
            side: FlowSide::Initiator,
            seq: syn.seq,
            ack: 0,
            window: syn.window,
            flags: syn.flags,
            len: syn.len,
            options: syn.options,
            ts: syn.ts,
        };
        let state = self.tcp(slot).open(&first);
        let meter = &mut self.slots.hot[slot].meter;
        meter.state = state;
        meter.watch |= watch::STATE;
        meter.set(bit::LAGGED, true);
        self.enter(slot, moment);
        let evidence = InitiatorEvidence::Syn;
        self.emit(slot, syn.ts, order, Change::Started { evidence }, out);
        self.lend_syn(slot, &first, order, out);
        let side = self.slots.hot[slot].meter.side_of(x.orientation);
        let seg = self.seg_of(slot, side, packet);
        self.take(slot, side, seg, packet, out);
        self.note_rare(slot, false, moment, out);
    }

    /// Takes a remembered SYN and its repetitions out of the counters of the flow it hit.
    fn uncount(&mut self, slot: Slot, syn: &PendingSyn) {
        let x = syn.side.index();
        self.spill(slot, x);
        let cold = &mut self.slots.cold[slot];
        let spilled = &mut cold.rare().spilled[x];
        *spilled = spilled.minus(&syn.counters);
        (cold.first_seen, cold.last_seen) = syn.seen_without;
        self.slots.hot[slot].meter.set(bit::LAGGED, true);
    }

    /// Keeps the counters of remembered SYNs, and what the flow's times are without them. `syn`: the
    /// packet is one of them.
    fn book_syns(
        &mut self,
        slot: Slot,
        syn: Option<&Seg>,
        packet: &PacketContext<'_, '_, K>,
        seen: (Timestamp, Timestamp),
    ) {
        let (view, x) = (packet.view, packet.extracted);
        let Some(rare) = &mut self.slots.cold[slot].rare else { return };
        for known in &mut rare.syns {
            if syn.is_some_and(|syn| syn.side == known.side && syn.seq == known.seq) {
                if known.counters.packets == 0 {
                    known.seen_without = seen;
                    known.ts = view.first_ts();
                    known.ttl = x.ip.ttl;
                    known.tos = x.ip.tos;
                    known.flow_label = x.ip.flow_label;
                    known.path = x.path;
                } else {
                    known.again += 1;
                }
                known.ts = known.ts.min(view.first_ts());
                known.last_ts = known.last_ts.max(view.ts());
                known.counters.add(&counted(view, x));
            } else {
                let (first, last) = &mut known.seen_without;
                (*first, *last) = ((*first).min(view.first_ts()), (*last).max(view.ts()));
            }
        }
    }

    // ---- counting

    /// Counts a packet with all that is rarely needed.
    fn count_slowly(&mut self, slot: Slot, side: FlowSide, packet: &PacketContext<'_, '_, K>) {
        let (view, x, moment) = (packet.view, packet.extracted, packet.moment);
        let i = side.index();
        let first = self.slots.record(slot).counters(i).packets == 0;
        if self.slots.hot[slot].meter.sides[i].wire >= SPILL
            || self.slots.hot[slot].meter.sides[i].payload >= SPILL
            || self.slots.hot[slot].meter.sides[i].ip >= SPILL
            || view.wire_len() >= SPILL
            || x.ip.len >= SPILL
            || x.payload.wire_len >= SPILL
            || self.slots.hot[slot].meter.sides[i].packets >= SPILL
        {
            self.spill(slot, i);
            self.slots.cold[slot].rare().spilled[i].add(&counted(view, x));
        } else {
            let own = &mut self.slots.hot[slot].meter.sides[i];
            own.packets += view.frames();
            own.wire += view.wire_len();
            own.ip += x.ip.len;
            own.payload += x.payload.wire_len;
        }
        let before = self.slots.record(slot).last_seen();
        let meter = &mut self.slots.hot[slot].meter;
        let cold = &mut self.slots.cold[slot];
        if first {
            meter.tos[i] = x.ip.tos;
            cold.flow_label[i] = x.ip.flow_label;
            (cold.min_ttl[i], cold.max_ttl[i]) = (x.ip.ttl, x.ip.ttl);
        } else {
            cold.min_ttl[i] = cold.min_ttl[i].min(x.ip.ttl);
            cold.max_ttl[i] = cold.max_ttl[i].max(x.ip.ttl);
        }
        meter.ttl[i] = x.ip.ttl;
        if x.corrupt {
            let rare = &mut cold.rare().sides[i];
            rare.bad_checksums += 1;
            if is_power_of_ten(rare.bad_checksums) {
                cold.history.push(b'c', side);
            }
        } else if let Some(tcp) = x.tcp.filter(|_| meter.proto == L4Proto::Tcp.number()) {
            meter.sides[i].flags |= tcp.flags;
        }
        let last_seen = before.max(view.ts());
        meter.touched = moment.watermark;
        meter.last_packet = moment.packet;
        cold.last_seen = last_seen;
        cold.first_seen = cold.first_seen.min(view.first_ts());
        meter.set(bit::LAGGED, last_seen != moment.watermark);
        if moment.suspect {
            let (flow, packet) = (self.slots.hot[slot].meter.id, moment.packet);
            self.suspects.push(Suspect { slot, flow, packet, ts: view.ts() });
        }
    }

    /// Moves a side's hot counters into the rare part.
    fn spill(&mut self, slot: Slot, side: usize) {
        let hot = &mut self.slots.hot[slot].meter.sides[side];
        let moved = Counters {
            packets: u64::from(std::mem::take(&mut hot.packets)),
            wire_bytes: u64::from(std::mem::take(&mut hot.wire)),
            ip_bytes: u64::from(std::mem::take(&mut hot.ip)),
            payload_bytes: u64::from(std::mem::take(&mut hot.payload)),
        };
        self.slots.cold[slot].rare().spilled[side].add(&moved);
    }

    /// Counts a packet that reached the flow after its end.
    fn late(
        &mut self,
        slot: Slot,
        side: FlowSide,
        seg: Option<&Seg>,
        packet: &PacketContext<'_, '_, K>,
    ) {
        let (view, x) = (packet.view, packet.extracted);
        let late = self.slots.cold[slot].rare().late.get_or_insert(LateStats {
            sides: [Counters::default(); 2],
            tcp_flags: [TcpFlags(0); 2],
            first_seen: view.first_ts(),
            last_seen: view.ts(),
        });
        late.sides[side.index()].add(&counted(view, x));
        late.first_seen = late.first_seen.min(view.first_ts());
        late.last_seen = late.last_seen.max(view.ts());
        if let Some(seg) = seg {
            late.tcp_flags[side.index()] |= seg.flags;
            self.tcp(slot).late_letters(seg);
        }
        self.stats.late_packets += u64::from(view.frames());
    }

    /// Adds what came late to the flow's own counters, times and history.
    fn include_late(&mut self, slot: Slot) {
        let Some(late) = self.slots.cold[slot].rare.as_ref().and_then(|rare| rare.late) else {
            return;
        };
        let last_seen = self.slots.record(slot).last_seen().max(late.last_seen);
        let meter = &mut self.slots.hot[slot].meter;
        let cold = &mut self.slots.cold[slot];
        meter.set(bit::LAGGED, true);
        cold.last_seen = last_seen;
        cold.first_seen = cold.first_seen.min(late.first_seen);
        for (side, flags) in meter.sides.iter_mut().zip(late.tcp_flags) {
            side.flags |= flags;
        }
        let rare = cold.rare();
        for (spilled, late) in rare.spilled.iter_mut().zip(&late.sides) {
            spilled.add(late);
        }
        rare.late_letters = 0;
    }

    fn interim<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        moment: PacketTime,
        ts: Timestamp,
        out: &mut O,
    ) {
        let Some(active) = self.config.active else { return };
        let from = self.slots.cold[slot]
            .rare
            .as_ref()
            .and_then(|rare| rare.interim_from)
            .unwrap_or(self.slots.cold[slot].first_seen);
        // By the watermark: a corrupt time in the far future must not use up years of intervals.
        let lasted = moment.watermark.since(from);
        if lasted < active {
            return;
        }
        let rare = self.slots.cold[slot].rare();
        rare.interims += 1;
        let sequence = rare.interims;
        // Whole intervals, so that a pause does not shift those that follow.
        let interval = active.as_nanos().max(1);
        let whole = u64::try_from(lasted.as_nanos() / interval * interval).unwrap_or(u64::MAX);
        rare.interim_from = Some(Timestamp::from_nanos(from.as_nanos().saturating_add(whole)));
        self.emit(slot, ts, at_packet(moment), Change::Interim { sequence }, out);
        let record = self.slots.record(slot);
        let base = [record.counters(0), record.counters(1)];
        self.slots.cold[slot].rare().interim_base = base;
    }

    // ---- quoted

    /// An ICMP error quotes a packet of this flow.
    pub(crate) fn quote<O: FlowSink<K, S>>(
        &mut self,
        key: &K,
        from: Orientation,
        icmp: IcmpInfo,
        moment: PacketTime,
        ts: Timestamp,
        out: &mut O,
    ) {
        let Some(slot) = self.find(key) else { return };
        let gone = self.overdue(slot, moment).is_some();
        let meter = &self.slots.hot[slot].meter;
        if gone || meter.state.is_over() {
            return;
        }
        let side = meter.side_of(from);
        let order = EventOrder { phase: Phase::Quoted, ..at_packet(moment) };
        self.emit(slot, ts, order, Change::IcmpError { icmp, side }, out);
    }

    // ---- ends

    /// Ends the flow in `slot`; says whether its time had not come before.
    pub(crate) fn end<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        moment: PacketTime,
        out: &mut O,
    ) -> bool {
        let order = at_packet(moment);
        if self.catch_up(slot, moment, order, out) {
            return false;
        }
        self.end_and_remove(slot, moment.watermark, order, EndReason::Forced, out);
        true
    }

    /// Ends flows, in order of their ids, as long as `go_on` says so of the next one; says whether
    /// any is left.
    pub(crate) fn finish<O: FlowSink<K, S>>(
        &mut self,
        reason: EndReason,
        moment: PacketTime,
        mut go_on: impl FnMut(FlowId) -> bool,
        out: &mut O,
    ) -> bool {
        if self.ending.is_empty() {
            self.ending = self.by_id();
            self.ending.reverse();
        }
        while let Some((id, slot)) = self.ending.last().copied() {
            if !go_on(FlowId(id)) {
                return true;
            }
            self.ending.pop();
            // Whoever tracks packets in between may end or replace it.
            if !self.slots.is_live(slot) || self.slots.hot[slot].meter.id != id {
                continue;
            }
            let order = EventOrder {
                packet: moment.packet,
                phase: Phase::End,
                deadline: Timestamp::ZERO,
                flow: FlowId(id),
            };
            // What its deadline brought is told, although no sweep came that far.
            if self.catch_up(slot, moment, order, out) {
                continue;
            }
            self.end_and_remove(slot, moment.watermark, order, reason, out);
        }
        self.ending = Vec::new();
        self.due.clear();
        self.suspects.clear();
        false
    }

    /// The entries, in order of their flows' ids.
    pub(crate) fn by_id(&self) -> Vec<(u64, Slot)> {
        let live = (0..self.slots.len()).filter(|slot| self.slots.is_live(*slot));
        let mut all: Vec<(u64, Slot)> =
            live.map(|slot| (self.slots.hot[slot].meter.id, slot)).collect();
        all.sort_unstable();
        all
    }

    // ---- looking in

    pub(crate) fn slots(&self) -> &Slots<K, S> {
        &self.slots
    }

    pub(crate) fn slots_mut(&mut self) -> &mut Slots<K, S> {
        &mut self.slots
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn stats(&self) -> &TrackerStats {
        &self.stats
    }
}

/// A flow touched by a packet whose time is suspect.
struct Suspect {
    slot: Slot,
    flow: u64,
    packet: u64,
    ts: Timestamp,
}

/// What a rare part may hold, by capacity.
const RARE_BYTES: usize = size_of::<Rare>() + MOST_SYNS * size_of::<PendingSyn>();

fn at_packet(moment: PacketTime) -> EventOrder {
    EventOrder { packet: moment.packet, ..EventOrder::default() }
}

fn counted<K>(view: &PacketView<'_>, x: &Extracted<K>) -> Counters {
    Counters {
        packets: u64::from(view.frames()),
        wire_bytes: u64::from(view.wire_len()),
        ip_bytes: u64::from(x.ip.len),
        payload_bytes: u64::from(x.payload.wire_len),
    }
}

/// Counts an everyday packet within the hot part; says whether it could.
#[inline]
fn count<K>(
    meter: &mut Meter,
    side: FlowSide,
    view: &PacketView<'_>,
    x: &Extracted<K>,
    flags: TcpFlags,
    moment: PacketTime,
) -> bool {
    let own = &mut meter.sides[side.index()];
    let large = own.wire | own.ip | own.payload | own.packets;
    let packet = view.wire_len() | x.ip.len | x.payload.wire_len;
    let in_order = view.ts() == moment.watermark;
    // One that lags may have been seen later than now: a packet's time was not believed.
    let lags = meter.bits & bit::LAGGED != 0;
    if (large | packet) >= SPILL || !in_order || lags || own.packets == 0 {
        return false;
    }
    own.packets += view.frames();
    own.wire += view.wire_len();
    own.ip += x.ip.len;
    own.payload += x.payload.wire_len;
    own.flags |= flags;
    meter.touched = moment.watermark;
    meter.last_packet = moment.packet;
    true
}
