//! A packet of a flow in the table.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, PacketView, TcpFlags};

use super::{Engine, PacketContext, RARE_BYTES, RARE_SHARE, SPILL, at_packet};
use crate::FlowState;
use crate::clock::PacketTime;
use crate::entry::{HotRecord, bit, side_bit, slow_path};
use crate::lists::Slot;
use crate::sink::FlowSink;
use crate::tcp::{Seg, Step, Successor, Tcp};

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
        let idle = self.idle_of(self.slots.hot[slot].record.proto);
        let hot = &mut self.slots.hot[slot].record;
        let silence =
            now.watermark.as_nanos() - hot.touched.as_nanos().min(now.watermark.as_nanos());
        let side = hot.side_of(x.orientation);
        let short = hot.slow_path == 0
            && silence <= idle
            && hot.ttl[side.index()] == x.ip.ttl
            && !x.corrupt
            && !now.suspect;
        let tcp = match x.tcp {
            Some(tcp) if short && hot.state == FlowState::Established => {
                let seg = Seg::new(side, &tcp, x.payload.wire_len, view.ts());
                if !Tcp::update_in_sequence(hot, &seg) {
                    return self.update_slow(slot, packet, out);
                }
                Some(seg)
            }
            // The first packet of a side writes a letter.
            None if short
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
        if !count(hot, side, view, x, flags, now) {
            let had_rare = self.slots.cold[slot].rare.is_some();
            self.count_slowly(slot, side, packet);
            self.rares += usize::from(!had_rare && self.slots.cold[slot].rare.is_some());
        }
        if ranked {
            self.order.insert(slot, &mut self.slots.hot[slot].record);
        }
        let order = at_packet(now);
        self.emit_packet(slot, side, packet, flags, order, out);
        self.emit_payload(slot, side, packet, tcp.as_ref(), order, out);
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
        let order = at_packet(now);
        if self.catch_up(slot, now, order, out) {
            return self.open(packet, out);
        }
        let side = self.slots.hot[slot].record.side_of(x.orientation);
        let seg = self.seg_of(slot, side, packet);
        if let Some(seg) = &seg {
            match self.tcp(slot).successor(seg, now) {
                Some(Successor::This) => {
                    self.end_superseded(slot, order, out);
                    return self.open(packet, out);
                }
                Some(Successor::Remembered(syn)) => {
                    return self.open_at_pending_syn(slot, &syn, packet, out);
                }
                None => {}
            }
        }
        let had_rare = self.slots.cold[slot].rare.is_some();
        if self.slots.hot[slot].record.state.is_over() {
            self.late(slot, side, seg.as_ref(), packet);
            if let Some(seg) = &seg
                && self.tcp(slot).continues_after_end(seg)
            {
                self.emit_late_segment(slot, seg, packet, order, out);
            }
        } else {
            self.interim(slot, now, view.ts(), out);
            self.take(slot, side, seg, packet, out);
        }
        self.account_rare(slot, had_rare, now, out);
    }

    /// Counts a packet of a live flow and does what it changes.
    pub(super) fn take<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        seg: Option<Seg>,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let order = at_packet(packet.now);
        let flags = seg.map_or(TcpFlags(0), |seg| seg.flags);
        let seen = (self.slots.cold[slot].first_seen, self.slots.record(slot).last_seen());
        let had_reset = self.pending_reset(slot);
        let mut step = Step::new(self.slots.hot[slot].record.state);
        self.reorder(slot, |engine| {
            engine.count_slowly(slot, side, packet);
            if let Some(seg) = &seg {
                engine.tcp(slot).advance(seg, packet.now, &mut step);
            } else if step.before != FlowState::Active {
                engine.tcp(slot).truncated_header(packet.view.ts(), &mut step);
            }
        });
        if self.slots.hot[slot].record.slow_path & slow_path::RARE != 0 {
            let syn = seg.filter(|_| step.remembered);
            self.count_pending_syns(slot, syn.as_ref(), packet, seen);
        }
        self.emit_packet(slot, side, packet, flags, order, out);
        let Some(seg) = seg else {
            self.emit_payload(slot, side, packet, None, order, out);
            self.emit_established(slot, packet.view.ts(), order, &step, out);
            return;
        };
        if had_reset.is_none() && self.pending_reset(slot).is_some() {
            self.reschedule(slot);
        }
        self.emit_step(slot, &seg, &step, packet, order, out);
    }

    /// Keeps the number of rare parts right after a packet that may have made one.
    pub(super) fn account_rare<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        had_rare: bool,
        now: PacketTime,
        out: &mut O,
    ) {
        if had_rare || self.slots.cold[slot].rare.is_none() {
            return;
        }
        self.rares += 1;
        if self.rares > 1 && self.rares * RARE_BYTES > self.config.memory_budget / RARE_SHARE {
            self.evict(slot, now, out);
        }
    }
}

/// Counts an everyday packet within the hot part; says whether it could.
#[inline(always)]
fn count<K>(
    hot: &mut HotRecord,
    side: FlowSide,
    view: &PacketView<'_>,
    x: &Extracted<K>,
    flags: TcpFlags,
    now: PacketTime,
) -> bool {
    let own = &mut hot.sides[side.index()];
    let large = own.wire | own.ip | own.payload | own.packets;
    let packet = view.wire_len() | x.ip.len | x.payload.wire_len;
    let in_order = view.ts() == now.watermark;
    // One that lags may have been seen later than now: a packet's time was not believed.
    let lags = hot.bits & bit::LAGGED != 0;
    if (large | packet) >= SPILL || !in_order || lags || own.packets == 0 {
        return false;
    }
    own.packets += view.frames();
    own.wire += view.wire_len();
    own.ip += x.ip.len;
    own.payload += x.payload.wire_len;
    own.flags |= flags;
    hot.touched = now.watermark;
    hot.last_packet = now.packet;
    true
}
