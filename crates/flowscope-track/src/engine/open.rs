//! New flows.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, L4Proto, Orientation, TcpFlags, Timestamp};

use super::counters::count;
use super::time::idle_deadline;
use super::update::FollowUp;
use super::{Engine, PacketContext, at_packet};
use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::entry::{Rare, bit, slow_path};
use crate::lists::Slot;
use crate::sink::FlowSink;
use crate::table::Entry;
use crate::tcp::{Seg, Step};
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
        let slot = self.insert(packet, out);
        let mut entry = self.slots.entry(slot);
        entry.begin(packet, orientation, evidence, now.packet, &self.config);
        if orientation != x.orientation {
            entry.cold.push_letter(b'^', FlowSide::Initiator);
        }
        let side = entry.hot.side_of(x.orientation);
        count(entry.hot, entry.cold, side, packet, self.config.macs);
        if let Some(icmp) = &x.icmp {
            entry.cold.set_icmp(icmp);
        }
        let seg = Seg::of(entry.hot, side, view, x);
        if let Some(seg) = &seg {
            entry.hot.state = entry.tcp(&self.config).open(seg);
        } else if entry.hot.is_tcp() {
            entry.hot.state = FlowState::SynReceived;
            entry.hot.set(bit::MID_STREAM, true);
        }
        let mut step = Step::new(entry.hot.state);
        let order = at_packet(now);
        entry.emit(view.ts(), order, Change::Started { evidence }, out);
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        entry.emit_packet(side, packet, flags, out);
        match &seg {
            Some(seg) => {
                entry.tcp(&self.config).first(seg, &mut step);
                entry.emit_step(seg, &step, packet, out);
            }
            None => {
                if step.before != FlowState::Active {
                    entry.tcp(&self.config).truncated_header(view.ts(), &mut step);
                }
                entry.emit_datagram(side, packet, out);
                entry.emit_established(view.ts(), order, &step, out);
            }
        }
        let has_rare = entry.cold.rare.is_some();
        if self.shunts.is_some() {
            let wanted = self.wants_shunt(&self.slots.hot[slot].record);
            self.slots.hot[slot].record.slow_path |= wanted;
        }
        self.schedule_new(slot, now);
        let follow_up = FollowUp { ended: step.ended, begins_reset: false };
        if follow_up.is_any() || now.suspect || has_rare {
            self.follow_up(slot, false, follow_up, packet, out);
        }
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

    /// A blank entry for a new flow, for which there is room then.
    #[inline]
    pub(super) fn insert<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) -> Slot {
        self.make_room(packet.now, out);
        let state = (self.init)(packet.extracted);
        let (slot, new) = self.slots.put(packet.extracted.key.clone(), state);
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
    pub(super) fn schedule_new(&mut self, slot: Slot, now: &PacketTime) {
        let hot = &mut self.slots.hot[slot].record;
        // That of a pending reset comes later, if at all.
        let deadline = if hot.state.is_over() {
            hot.touched + self.config.linger
        } else {
            idle_deadline(&self.idle, hot)
        };
        let tick = tick_of(deadline);
        self.wheel.start_at(passed(now.watermark).unwrap_or(0));
        self.wheel.schedule(slot, tick);
        self.next_sweep_after =
            self.next_sweep_after.min(Timestamp::from_nanos(tick.saturating_mul(TICK)));
        self.order.insert(slot, hot);
    }
}

impl<K, S> Entry<'_, K, S> {
    /// Makes a blank entry that of a flow which begins with the packet `id`. It has been touched at no time yet.
    #[inline(always)]
    pub(super) fn begin(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        orientation: Orientation,
        evidence: InitiatorEvidence,
        id: u64,
        config: &TrackerConfig,
    ) {
        let (x, now, hot) = (packet.extracted, packet.now, &mut *self.hot);
        let reverse = if orientation == Orientation::Reverse { bit::REVERSE } else { 0 };
        hot.proto = x.l4.map_or(0, L4Proto::number);
        hot.bits = reverse | if x.l4.is_none() { bit::NO_L4 } else { 0 };
        let always = config.active.is_some() || config.macs;
        hot.slow_path = if always { slow_path::ALWAYS } else { 0 };
        hot.id = id;
        hot.last_packet = now.packet;
        self.cold.evidence = evidence;
        self.cold.first_seen = Timestamp::MAX;
        if !x.path.is_empty() {
            self.cold.rare = Some(Box::new(Rare { path: x.path, ..Rare::default() }));
        }
    }
}
