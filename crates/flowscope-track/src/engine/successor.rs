//! Flows that end because a new connection takes their addresses and ports.

use std::hash::Hash;

use flowscope_core::{FlowSide, Orientation, TcpInfo, Timestamp};

use super::counters::{counted, spill};
use super::{Engine, PacketContext, at_packet};
use crate::entry::{Cold, PendingSyn, bit, slow_path};
use crate::lists::Slot;
use crate::sink::{EventOrder, FlowSink};
use crate::stats::Counters;
use crate::table::Entry;
use crate::tcp::Seg;
use crate::times;
use crate::{Change, EndReason, InitiatorEvidence};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// The flow in `slot` ends because another takes its key.
    pub(super) fn end_superseded<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        order: EventOrder,
        out: &mut O,
    ) {
        self.end_and_remove(slot, None, order, EndReason::Superseded, out);
    }

    /// REUSE-1: a remembered SYN was answered. The flow ends without it, and a new flow begins at it.
    pub(super) fn open_at_pending_syn<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        syn: &PendingSyn,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (x, now) = (packet.extracted, packet.now);
        let order = at_packet(now);
        let hot = self.slots.hot[slot].record;
        let begun_by = if (syn.side == FlowSide::Initiator) == hot.has(bit::REVERSE) {
            Orientation::Reverse
        } else {
            Orientation::Forward
        };
        // What the end of a flow has reported stays: then the SYN remains where it was counted.
        let over = hot.state.is_over();
        let counters = if over {
            Counters::default()
        } else {
            self.uncount(slot, syn);
            syn.counters
        };
        self.end_superseded(slot, order, out);
        let evidence = InitiatorEvidence::Syn;
        let slot = self.insert(packet, out);
        let mut entry = self.slots.entry(slot);
        entry.begin(packet, begun_by, evidence, syn.packet, &self.config);
        let Entry { hot, cold, .. } = &mut entry;
        hot.tos[0] = syn.tos;
        hot.sides[0].flags = syn.flags;
        hot.ttl[0] = syn.ttl;
        cold.labels[0].set_label(syn.flow_label);
        cold.first_seen = syn.ts;
        hot.touched = now.watermark;
        times::set_last_seen(hot, cold, syn.last_ts);
        (cold.min_ttl[0], cold.max_ttl[0]) = (syn.ttl, syn.ttl);
        cold.rare().spilled[0] = counters;
        cold.rare().path = syn.path;
        cold.rare().sides[0].retransmitted = if over { 0 } else { syn.again };
        let header = TcpInfo {
            seq: syn.seq,
            window: syn.window,
            flags: syn.flags,
            options: syn.options,
            ..TcpInfo::default()
        };
        let first = Seg::new(FlowSide::Initiator, &header, syn.len, syn.ts);
        entry.hot.state = entry.tcp(&self.config).open(&first);
        entry.hot.slow_path |= slow_path::STATE;
        self.schedule_new(slot, now);
        let mut entry = self.slots.entry(slot);
        entry.emit(syn.ts, order, Change::Started { evidence }, out);
        entry.emit_syn(&first, order, out);
        let side = entry.hot.side_of(x.orientation);
        let seg = Seg::of(entry.hot, side, packet.view, x);
        let follow_up = entry.take(side, seg.as_ref(), packet, &mut self.order, &self.config, out);
        self.follow_up(slot, false, follow_up, packet, out);
    }

    /// Takes a remembered SYN and its repetitions out of the counters of the flow it hit.
    pub(super) fn uncount(&mut self, slot: Slot, syn: &PendingSyn) {
        let x = syn.side.index();
        let Entry { hot, cold, .. } = self.slots.entry(slot);
        spill(&mut hot.sides[x], x, cold);
        let spilled = &mut cold.rare().spilled[x];
        *spilled = spilled.minus(&syn.counters);
        let (first_seen, last_seen) = syn.seen_without;
        cold.first_seen = first_seen;
        times::set_last_seen(hot, cold, last_seen);
    }
}

/// Keeps the counters of remembered SYNs, and what the flow's times are without them. `syn`: the
/// packet is one of them.
pub(super) fn count_pending_syns<K>(
    cold: &mut Cold,
    syn: Option<&Seg>,
    packet: &PacketContext<'_, '_, K>,
    seen: (Timestamp, Timestamp),
) {
    let (view, x) = (packet.view, packet.extracted);
    let Some(rare) = &mut cold.rare else { return };
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
