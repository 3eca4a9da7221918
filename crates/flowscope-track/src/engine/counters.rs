//! Counters of flows.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, L4Proto, PacketView, TcpFlags};

use super::{Engine, PacketContext, SPILL, Suspect};
use crate::entry::{bit, side_bit};
use crate::history::is_power_of_ten;
use crate::lists::Slot;
use crate::stats::{Counters, LateStats};
use crate::tcp::Seg;

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// Counts a packet with all that is rarely needed.
    pub(super) fn count_slowly(
        &mut self,
        slot: Slot,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
    ) {
        let (view, x, now) = (packet.view, packet.extracted, packet.now);
        let i = side.index();
        let first = self.slots.record(slot).counters(i).packets == 0;
        if self.slots.hot[slot].record.sides[i].wire >= SPILL
            || self.slots.hot[slot].record.sides[i].payload >= SPILL
            || self.slots.hot[slot].record.sides[i].ip >= SPILL
            || view.wire_len() >= SPILL
            || x.ip.len >= SPILL
            || x.payload.wire_len >= SPILL
            || self.slots.hot[slot].record.sides[i].packets >= SPILL
        {
            self.spill(slot, i);
            self.slots.cold[slot].rare().spilled[i].add(&counted(view, x));
        } else {
            let own = &mut self.slots.hot[slot].record.sides[i];
            own.packets += view.frames();
            own.wire += view.wire_len();
            own.ip += x.ip.len;
            own.payload += x.payload.wire_len;
        }
        let before = self.slots.record(slot).last_seen();
        let hot = &mut self.slots.hot[slot].record;
        let cold = &mut self.slots.cold[slot];
        if first {
            hot.tos[i] = x.ip.tos;
            cold.flow_label[i] = x.ip.flow_label;
            (cold.min_ttl[i], cold.max_ttl[i]) = (x.ip.ttl, x.ip.ttl);
        } else {
            cold.min_ttl[i] = cold.min_ttl[i].min(x.ip.ttl);
            cold.max_ttl[i] = cold.max_ttl[i].max(x.ip.ttl);
        }
        hot.ttl[i] = x.ip.ttl;
        if x.corrupt {
            let rare = &mut cold.rare().sides[i];
            rare.bad_checksums += 1;
            if is_power_of_ten(rare.bad_checksums) {
                cold.history.push(b'c', side);
            }
        } else if let Some(tcp) = x.tcp.filter(|_| hot.proto == L4Proto::Tcp.number()) {
            hot.sides[i].flags |= tcp.flags;
        }
        if !x.corrupt
            && hot.proto != L4Proto::Tcp.number()
            && !hot.sides[i].has(side_bit::HISTORY_D)
        {
            hot.sides[i].bits |= side_bit::HISTORY_D;
            // HIST-2
            if let L4Proto::Udp | L4Proto::Icmp | L4Proto::Icmpv6 = L4Proto::from_number(hot.proto)
            {
                cold.history.push(b'd', side);
            }
        }
        // TIME-2
        let last_seen = before.max(view.ts());
        hot.touched = now.watermark;
        hot.last_packet = now.packet;
        cold.last_seen = last_seen;
        cold.first_seen = cold.first_seen.min(view.first_ts());
        hot.set(bit::LAGGED, last_seen != now.watermark);
        if now.suspect {
            let (flow, packet) = (self.slots.hot[slot].record.id, now.packet);
            self.suspects.push(Suspect { slot, flow, packet, ts: view.ts() });
        }
    }

    /// Moves a side's hot counters into the rare part.
    pub(super) fn spill(&mut self, slot: Slot, side: usize) {
        let own = &mut self.slots.hot[slot].record.sides[side];
        let moved = Counters {
            packets: u64::from(std::mem::take(&mut own.packets)),
            wire_bytes: u64::from(std::mem::take(&mut own.wire)),
            ip_bytes: u64::from(std::mem::take(&mut own.ip)),
            payload_bytes: u64::from(std::mem::take(&mut own.payload)),
        };
        self.slots.cold[slot].rare().spilled[side].add(&moved);
    }

    /// Counts a packet that reached the flow after its end.
    pub(super) fn late(
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
            self.tcp(slot).fill_late(seg);
            self.tcp(slot).late_letters(seg);
        }
        self.stats.late_packets += u64::from(view.frames());
    }

    /// LATE-3: adds what came late to the counters, times and history of the flow.
    pub(super) fn include_late(&mut self, slot: Slot) {
        let Some(late) = self.slots.cold[slot].rare.as_ref().and_then(|rare| rare.late) else {
            return;
        };
        let last_seen = self.slots.record(slot).last_seen().max(late.last_seen);
        let hot = &mut self.slots.hot[slot].record;
        let cold = &mut self.slots.cold[slot];
        hot.set(bit::LAGGED, true);
        cold.last_seen = last_seen;
        cold.first_seen = cold.first_seen.min(late.first_seen);
        for (side, flags) in hot.sides.iter_mut().zip(late.tcp_flags) {
            side.flags |= flags;
        }
        let rare = cold.rare();
        for (spilled, late) in rare.spilled.iter_mut().zip(&late.sides) {
            spilled.add(late);
        }
        rare.late_letters = 0;
    }
}

pub(super) fn counted<K>(view: &PacketView<'_>, x: &Extracted<K>) -> Counters {
    Counters {
        packets: u64::from(view.frames()),
        wire_bytes: u64::from(view.wire_len()),
        ip_bytes: u64::from(x.ip.len),
        payload_bytes: u64::from(x.payload.wire_len),
    }
}
