//! A packet of a flow in the table.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, PacketView, TcpFlags};

use super::counters::count;
use super::emit::lent;
use super::successor::count_pending_syns;
use super::time::{idle_of, may_be_overdue};
use super::{Engine, PacketContext, RARE_SHARE, SPILL, at_packet};
use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::entry::{HotRecord, bit, side_bit, slow_path};
use crate::lists::Slot;
use crate::order::EvictionOrder;
use crate::sink::FlowSink;
use crate::table::Entry;
use crate::tcp::{Seg, Step, Successor, Tcp};
use crate::{EndReason, FlowState};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// A packet of a flow in the table.
    #[inline]
    pub(super) fn update_fast<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x, now) = (packet.view, packet.extracted, packet.now);
        let hot = &mut self.slots.hot[slot].record;
        let idle = idle_of(&self.idle, hot.proto);
        let silence = now.watermark.as_nanos().saturating_sub(hot.touched.as_nanos());
        let side = hot.side_of(x.orientation);
        let countable = silence <= idle
            && hot.ttl[side.index()] == x.ip.ttl
            && !x.corrupt
            && !now.suspect
            && is_countable(hot, side, view, x, now);
        let tcp = match &x.tcp {
            Some(tcp) if countable && hot.state != FlowState::Active => {
                let seg = Seg::new(side, tcp, x.payload.wire_len, view.ts());
                if x.payload.cut > 0 || !Tcp::update_in_sequence(hot, &seg) {
                    return self.update_young(slot, side, packet, out);
                }
                Some(seg)
            }
            // The first packet of a side writes a letter.
            None if countable
                && hot.slow_path == 0
                && hot.state == FlowState::Active
                && hot.sides[side.index()].has(side_bit::HISTORY_D) =>
            {
                None
            }
            _ => return self.update_slow(slot, packet, out),
        };
        let flags = tcp.map_or(TcpFlags(0), |seg| seg.flags);
        let ranked = !self.order.is_idle(hot);
        if ranked {
            self.order.remove(slot, hot);
        }
        count_fast(hot, side, view, x, flags, now);
        if ranked {
            self.order.insert(slot, hot);
        }
        if out.wants_packets() || out.wants_payload() {
            let mut entry = self.slots.entry(slot);
            entry.emit_packet(side, packet, flags, out);
            match &tcp {
                Some(seg) => entry.emit_segment(lent(seg, packet), packet, out),
                None => entry.emit_datagram(side, packet, out),
            }
        }
    }

    /// A segment that [`count_fast`] can count, of a flow that is not established or closes, or that changes
    /// more than the fast path does: in sequence it needs no more than the rules for such segments.
    #[inline(never)]
    fn update_young<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x) = (packet.view, packet.extracted);
        let mut entry = self.slots.entry(slot);
        let seg = Seg::of(entry.hot, side, view, x);
        let Some(seg) = seg.filter(|seg| Tcp::is_in_sequence(entry.hot, entry.cold, seg)) else {
            return self.update_slow(slot, packet, out);
        };
        let mut step = Step::new(entry.hot.state);
        self.order.remove(slot, entry.hot);
        count_fast(entry.hot, side, view, x, seg.flags, packet.now);
        entry.cold.first_seen = entry.cold.first_seen.min(view.first_ts());
        let mut tcp = entry.tcp(&self.config);
        tcp.advance_in_sequence(&seg, &mut step);
        self.order.insert(slot, entry.hot);
        if out.wants_packets() || out.wants_payload() || step.is_told(entry.hot) {
            entry.emit_packet(side, packet, seg.flags, out);
            entry.emit_step(&seg, &step, packet, out);
        }
        if step.ended.is_some() || entry.cold.rare.is_some() {
            let follow_up = FollowUp { ended: step.ended, begins_reset: false };
            self.follow_up(slot, false, follow_up, packet, out);
        }
    }

    /// The slow path: timeouts, successors, states, anomalies.
    #[inline(never)]
    pub(super) fn update_slow<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x, now) = (packet.view, packet.extracted, packet.now);
        if self.slots.hot[slot].record.slow_path & slow_path::SHUNTED != 0 {
            self.receive_shunted(slot, packet, out);
        }
        let mut entry = self.slots.entry(slot);
        if may_be_overdue(&self.idle, entry.hot, now) {
            if self.catch_up(slot, now, at_packet(now), out) {
                return self.open(packet, out);
            }
            entry = self.slots.entry(slot);
        }
        let had_rare = entry.cold.rare.is_some();
        let side = entry.hot.side_of(x.orientation);
        let seg = Seg::of(entry.hot, side, view, x);
        // Only a SYN, or an answer to a remembered one, begins another connection.
        if let Some(seg) = &seg
            && (seg.flags.syn() || entry.hot.slow_path & slow_path::RARE != 0)
        {
            match entry.tcp(&self.config).successor(seg, now) {
                Some(Successor::This) => {
                    self.end_superseded(slot, at_packet(now), out);
                    return self.open(packet, out);
                }
                Some(Successor::Remembered(syn)) => {
                    return self.open_at_pending_syn(slot, &syn, packet, out);
                }
                None => {}
            }
        }
        if entry.hot.state.is_over() {
            self.late(slot, side, seg.as_ref(), packet);
            let mut entry = self.slots.entry(slot);
            let flags = seg.as_ref().map_or(TcpFlags(0), |seg| seg.flags);
            entry.emit_late_packet(side, packet, flags, out);
            if let Some(seg) = &seg {
                let tcp = entry.tcp(&self.config);
                if tcp.continues_after_end(seg) {
                    let far_ack = tcp.acknowledges_far(seg);
                    entry.emit_late_segment(seg, far_ack, packet, out);
                }
            }
            return self.account_rare(slot, had_rare, now, out);
        }
        if self.config.active.is_some() {
            self.interim(slot, now, view.ts(), out);
            entry = self.slots.entry(slot);
        }
        let follow_up = entry.take(side, seg.as_ref(), packet, &mut self.order, &self.config, out);
        if follow_up.is_any() || now.suspect || !had_rare && entry.cold.rare.is_some() {
            self.follow_up(slot, had_rare, follow_up, packet, out);
        }
        if self.shunts.is_some() && self.slots.is_live(slot) {
            self.consider_shunt(slot, out);
        }
    }

    /// What a packet brings about beyond its own entry. `had_rare`: the rare part is accounted for.
    #[inline(never)]
    pub(super) fn follow_up<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        had_rare: bool,
        follow_up: FollowUp,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let now = packet.now;
        if now.suspect {
            self.suspect(slot, packet);
        }
        if follow_up.begins_reset {
            self.reschedule(slot);
        }
        if let Some(reason) = follow_up.ended {
            self.begin_linger(slot, now.watermark);
            self.emit_end(slot, packet.view.ts(), at_packet(now), reason, out);
        }
        self.account_rare(slot, had_rare, now, out);
    }

    /// Keeps the number of rare parts right after a packet that may have made one.
    pub(super) fn account_rare<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        had_rare: bool,
        now: &PacketTime,
        out: &mut O,
    ) {
        if had_rare || self.slots.cold[slot].rare.is_none() {
            return;
        }
        self.rares += 1;
        if self.is_rare_share_full(self.rares) {
            self.evict(slot, now, out);
        }
    }

    /// Whether so many rare parts are more than their share of the memory. Where each flow has one, there is room
    /// for those of all.
    pub(super) fn is_rare_share_full(&self, rares: usize) -> bool {
        let share = self.config.memory_budget / RARE_SHARE;
        rares > 1 && !self.config.macs && rares * self.rare_bytes() > share
    }
}

/// What a packet brings about beyond the entry of its flow.
#[derive(Clone, Copy, Default)]
pub(super) struct FollowUp {
    pub(super) ended: Option<EndReason>,
    /// A reset waits for its time now: the flow has an earlier deadline.
    pub(super) begins_reset: bool,
}

impl FollowUp {
    #[inline]
    pub(super) fn is_any(self) -> bool {
        self.ended.is_some() || self.begins_reset
    }
}

impl<K, S> Entry<'_, K, S> {
    /// Counts a packet of a live flow and does what it changes.
    #[inline(always)]
    pub(super) fn take<O: FlowSink<K, S>>(
        &mut self,
        side: FlowSide,
        seg: Option<&Seg>,
        packet: &PacketContext<'_, '_, K>,
        ranks: &mut EvictionOrder,
        config: &TrackerConfig,
        out: &mut O,
    ) -> FollowUp {
        let (view, now) = (packet.view, packet.now);
        let had_reset = self.record().pending_reset().is_some();
        let seen = (self.cold.first_seen, self.record().last_seen());
        let mut step = Step::new(self.hot.state);
        ranks.remove(self.slot, self.hot);
        count(self.hot, self.cold, side, packet, config.macs);
        if let Some(seg) = seg {
            let mut tcp = self.tcp(config);
            tcp.advance(seg, now, &mut step);
            if step.far_ack.is_none() && out.wants_payload() {
                step.far_ack = Some(tcp.acknowledges_far(seg));
            }
        } else if step.before != FlowState::Active {
            self.tcp(config).truncated_header(view.ts(), &mut step);
        }
        ranks.insert(self.slot, self.hot);
        if self.hot.slow_path & slow_path::RARE != 0 {
            let syn = seg.filter(|_| step.remembered);
            count_pending_syns(self.cold, syn, packet, seen);
        }
        let begins_reset = !had_reset && self.record().pending_reset().is_some();
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        self.emit_packet(side, packet, flags, out);
        match seg {
            Some(seg) => self.emit_step(seg, &step, packet, out),
            None => {
                self.emit_datagram(side, packet, out);
                self.emit_established(view.ts(), at_packet(now), &step, out);
            }
        }
        FollowUp { ended: step.ended, begins_reset }
    }
}

/// Whether [`count_fast`] can count the packet.
#[inline(always)]
fn is_countable<K>(
    hot: &HotRecord,
    side: FlowSide,
    view: &PacketView<'_>,
    x: &Extracted<K>,
    now: &PacketTime,
) -> bool {
    let own = &hot.sides[side.index()];
    let large = own.wire | own.ip | own.payload | own.packets;
    let packet = view.wire_len() | x.ip.len | x.payload.wire_len;
    let in_order = view.ts() == now.watermark;
    // One that lags may have been seen later than now: a packet's time was not believed.
    (large | packet) < SPILL && in_order && !hot.has(bit::LAGGED)
}

/// Counts an ordinary packet within the hot part.
#[inline(always)]
fn count_fast<K>(
    hot: &mut HotRecord,
    side: FlowSide,
    view: &PacketView<'_>,
    x: &Extracted<K>,
    flags: TcpFlags,
    now: &PacketTime,
) {
    let own = &mut hot.sides[side.index()];
    own.packets += view.frames();
    own.wire += view.wire_len();
    own.ip += x.ip.len;
    own.payload += x.payload.wire_len;
    own.flags |= flags;
    hot.touched = now.watermark;
    hot.last_packet = now.packet;
}
