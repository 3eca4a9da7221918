//! Counters of flows.

use std::hash::Hash;

use flowscope_core::{Extracted, FlowSide, L4Proto, PacketView, TcpFlags};

use super::{Engine, PacketContext, SPILL, Suspect};
use crate::entry::{Cold, HotRecord, SideRecord, side_bit};
use crate::history::is_power_of_ten;
use crate::lists::Slot;
use crate::record::Record;
use crate::stats::{Counters, LateStats};
use crate::table::Entry;
use crate::tcp::Seg;
use crate::times;

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// A packet whose time is suspect touched the flow in `slot`.
    #[cold]
    pub(super) fn suspect(&mut self, slot: Slot, packet: &PacketContext<'_, '_, K>) {
        let (flow, ts) = (self.slots.hot[slot].record.id, packet.view.ts());
        self.suspects.push(Suspect { slot, flow, packet: packet.now.packet, ts });
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
        if self.config.macs {
            add_macs(&mut self.slots.cold[slot], side, packet);
        }
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
            let mut entry = self.slots.entry(slot);
            let mut tcp = entry.tcp(&self.config);
            tcp.fill_late(seg);
            tcp.late_letters(seg);
        }
        self.stats.late_packets += u64::from(view.frames());
    }

    /// LATE-3: adds what came late to the counters, times and history of the flow.
    pub(super) fn include_late(&mut self, slot: Slot) {
        let Some(late) = self.slots.cold[slot].rare.as_ref().and_then(|rare| rare.late) else {
            return;
        };
        let Entry { hot, cold, .. } = self.slots.entry(slot);
        let last_seen = Record { hot, cold }.last_seen().max(late.last_seen);
        times::set_last_seen(hot, cold, last_seen);
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

/// Counts a packet with all that is rarely needed.
#[inline(always)]
pub(super) fn count<K>(
    hot: &mut HotRecord,
    cold: &mut Cold,
    side: FlowSide,
    packet: &PacketContext<'_, '_, K>,
    keep_macs: bool,
) {
    let (view, x, now) = (packet.view, packet.extracted, packet.now);
    let (i, is_tcp) = (side.index(), hot.is_tcp());
    if keep_macs {
        add_macs(cold, side, packet);
    }
    let last_seen = Record { hot, cold }.last_seen().max(view.ts());
    let own = &mut hot.sides[i];
    let rare = cold.rare.as_ref();
    let first = own.packets == 0 && rare.is_none_or(|rare| rare.spilled[i].packets == 0);
    let large = own.wire | own.payload | own.ip | own.packets;
    if (large | view.wire_len() | x.ip.len | x.payload.wire_len) >= SPILL {
        spill(own, i, cold);
        cold.rare().spilled[i].add(&counted(view, x));
    } else {
        own.packets += view.frames();
        own.wire += view.wire_len();
        own.ip += x.ip.len;
        own.payload += x.payload.wire_len;
    }
    if first {
        hot.tos[i] = x.ip.tos;
        cold.labels[i].set_label(x.ip.flow_label);
        (cold.min_ttl[i], cold.max_ttl[i]) = (x.ip.ttl, x.ip.ttl);
    } else if hot.ttl[i] != x.ip.ttl {
        cold.min_ttl[i] = cold.min_ttl[i].min(x.ip.ttl);
        cold.max_ttl[i] = cold.max_ttl[i].max(x.ip.ttl);
    }
    hot.ttl[i] = x.ip.ttl;
    if x.corrupt {
        count_corrupt(cold, side);
    } else if is_tcp {
        if let Some(tcp) = &x.tcp {
            own.flags |= tcp.flags;
        }
    } else if !own.has(side_bit::HISTORY_D) {
        own.bits |= side_bit::HISTORY_D;
        // HIST-2
        if let L4Proto::Udp | L4Proto::Icmp | L4Proto::Icmpv6 = L4Proto::from_number(hot.proto) {
            cold.push_letter(b'd', side);
        }
    }
    // TIME-2
    hot.touched = now.watermark;
    hot.last_packet = now.packet;
    cold.first_seen = cold.first_seen.min(view.first_ts());
    times::set_last_seen(hot, cold, last_seen);
}

/// Adds the Ethernet addresses of a packet.
#[cold]
fn add_macs<K>(cold: &mut Cold, side: FlowSide, packet: &PacketContext<'_, '_, K>) {
    if let Some(macs) = packet.macs.of(packet.view) {
        cold.rare().macs.get_or_insert_default().add(side, &macs);
    }
}

#[cold]
fn count_corrupt(cold: &mut Cold, side: FlowSide) {
    let rare = &mut cold.rare().sides[side.index()];
    rare.bad_checksums += 1;
    if is_power_of_ten(rare.bad_checksums) {
        cold.push_letter(b'c', side);
    }
}

/// Moves a side's hot counters into the rare part.
#[cold]
pub(super) fn spill(own: &mut SideRecord, side: usize, cold: &mut Cold) {
    let moved = Counters {
        packets: u64::from(std::mem::take(&mut own.packets)),
        wire_bytes: u64::from(std::mem::take(&mut own.wire)),
        ip_bytes: u64::from(std::mem::take(&mut own.ip)),
        payload_bytes: u64::from(std::mem::take(&mut own.payload)),
    };
    cold.rare().spilled[side].add(&moved);
}

pub(super) fn counted<K>(view: &PacketView<'_>, x: &Extracted<K>) -> Counters {
    Counters {
        packets: u64::from(view.frames()),
        wire_bytes: u64::from(view.wire_len()),
        ip_bytes: u64::from(x.ip.len),
        payload_bytes: u64::from(x.payload.wire_len),
    }
}
