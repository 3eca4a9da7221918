//! New flows.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, L4Proto, Orientation, TcpFlags, Timestamp};

use super::{Engine, PacketContext, at_packet};
use crate::clock::PacketTime;
use crate::entry::{Cold, HotRecord, Rare, bit, slow_path};
use crate::lists::Slot;
use crate::sink::FlowSink;
use crate::table::{BLANK_HOT, blank_cold};
use crate::tcp::Step;
use crate::wheel::{TICK, passed, tick_of};
use crate::{Change, FlowState, InitiatorEvidence};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    #[inline(never)]
    pub(super) fn open<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x, now) = (packet.view, packet.extracted, packet.now);
        let (orientation, evidence) = self.initiator(x);
        let slot = self.insert(packet, orientation, evidence, now.packet, out);
        let is_tcp = self.slots.hot[slot].record.proto == L4Proto::Tcp.number();
        if orientation != x.orientation {
            self.slots.cold[slot].history.push(b'^', FlowSide::Initiator);
        }
        let side = self.slots.hot[slot].record.side_of(x.orientation);
        let order = at_packet(now);
        self.count_slowly(slot, side, packet);
        if let Some(icmp) = &x.icmp {
            self.slots.cold[slot].set_icmp(icmp);
        }
        let seg = self.seg_of(slot, side, packet);
        let mut step = Step::new(FlowState::Active);
        if let Some(seg) = &seg {
            let state = self.tcp(slot).open(seg);
            self.slots.hot[slot].record.state = state;
            step.before = state;
        } else if is_tcp {
            let hot = &mut self.slots.hot[slot].record;
            hot.state = FlowState::SynReceived;
            hot.set(bit::MID_STREAM, true);
            step.before = FlowState::SynReceived;
        }
        self.schedule_new(slot, now);
        self.emit(slot, view.ts(), order, Change::Started { evidence }, out);
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        self.emit_packet(slot, side, packet, flags, order, out);
        match &seg {
            Some(seg) => {
                let seg = *seg;
                self.reorder(slot, |engine| engine.tcp(slot).first(&seg, &mut step));
                self.emit_step(slot, &seg, &step, packet, order, out);
            }
            None => {
                if step.before != FlowState::Active {
                    self.reorder(slot, |engine| {
                        engine.tcp(slot).truncated_header(view.ts(), &mut step);
                    });
                }
                self.emit_payload(slot, side, packet, None, order, out);
                self.emit_established(slot, view.ts(), order, &step, out);
            }
        }
        self.account_rare(slot, false, now, out);
    }

    /// ORIG-1: who began a flow, by its first packet. Returns the orientation of the packets of that side,
    /// and the evidence.
    pub(super) fn initiator(&self, x: &Extracted<K>) -> (Orientation, InitiatorEvidence) {
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
    #[inline]
    pub(super) fn insert<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        orientation: Orientation,
        evidence: InitiatorEvidence,
        id: u64,
        out: &mut O,
    ) -> Slot {
        let (x, now) = (packet.extracted, packet.now);
        self.make_room(now, out);
        let reverse = if orientation == Orientation::Reverse { bit::REVERSE } else { 0 };
        let active = if self.config.active.is_some() { slow_path::ACTIVE } else { 0 };
        let hot = HotRecord {
            proto: x.l4.map_or(0, L4Proto::number),
            bits: reverse | bit::LAGGED | if x.l4.is_none() { bit::NO_L4 } else { 0 },
            slow_path: active,
            id,
            last_packet: now.packet,
            touched: now.watermark,
            ..BLANK_HOT
        };
        let mut cold = Cold { evidence, first_seen: Timestamp::MAX, ..blank_cold() };
        if !x.path.is_empty() {
            cold.rare = Some(Box::new(Rare { path: x.path, ..Rare::default() }));
        }
        let state = (self.init)(x);
        let (slot, new) = self.slots.put(x.key.clone(), hot, cold, state);
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
    #[inline]
    pub(super) fn schedule_new(&mut self, slot: Slot, now: PacketTime) {
        let tick = tick_of(self.deadline(slot));
        self.wheel.start_at(passed(now.watermark).unwrap_or(0));
        self.wheel.schedule(slot, tick);
        self.next_sweep_after =
            self.next_sweep_after.min(Timestamp::from_nanos(tick.saturating_mul(TICK)));
        self.order.insert(slot, &mut self.slots.hot[slot].record);
    }
}
