//! What a sink is lent.

use std::hash::Hash;

use flowscope_core::{Datagram, FlowSide, L4Proto, Segment, TcpFlags, Timestamp};

use super::{Engine, PacketContext};
use crate::lists::Slot;
use crate::sink::{EventOrder, FlowSink};
use crate::tcp::Seg;
use crate::{Change, EndReason, FlowState, PacketInfo};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    #[inline]
    pub(super) fn emit<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        change: Change,
        out: &mut O,
    ) {
        if let Some(flow) = self.slots.lend(slot, ts, order) {
            out.event(flow, change);
        }
    }

    pub(super) fn emit_end<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        reason: EndReason,
        out: &mut O,
    ) {
        self.stats.ended[reason as usize] += 1;
        self.emit(slot, ts, order, Change::Ended { reason }, out);
    }

    /// Ends the flow in `slot` for `reason` at the packet time `ts`, unless it has ended already, and
    /// removes its entry.
    pub(super) fn end_and_remove<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        reason: EndReason,
        out: &mut O,
    ) {
        let reason = match self.slots.hot[slot].meter.state {
            FlowState::Closed => EndReason::Fin,
            FlowState::Reset => EndReason::Rst,
            _ => {
                self.emit_end(slot, ts, order, reason, out);
                reason
            }
        };
        self.emit_late(slot, order, out);
        self.include_late(slot);
        let last_seen = self.slots.record(slot).last_seen();
        if let Some(flow) = self.slots.lend(slot, last_seen, order) {
            out.removed(flow, reason);
        }
        self.remove(slot);
    }

    fn emit_late<O: FlowSink<K, S>>(&mut self, slot: Slot, order: EventOrder, out: &mut O) {
        let late = self.slots.cold[slot].rare.as_ref().and_then(|rare| rare.late);
        if let Some(late) = late {
            self.emit(slot, late.last_seen, order, Change::Late, out);
        }
    }

    #[inline]
    pub(super) fn emit_packet<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        tcp_flags: TcpFlags,
        order: EventOrder,
        out: &mut O,
    ) {
        if !out.wants_packets() {
            return;
        }
        let (view, x) = (packet.view, packet.extracted);
        let info = PacketInfo {
            side,
            ts: view.ts(),
            wire_len: view.wire_len(),
            payload_len: x.payload.wire_len,
            tcp_flags,
        };
        self.emit(slot, view.ts(), order, Change::Packet(info), out);
    }

    #[inline]
    pub(super) fn lend_payload<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        seg: Option<&Seg>,
        order: EventOrder,
        out: &mut O,
    ) {
        if !out.wants_payload() {
            return;
        }
        let (view, x) = (packet.view, packet.extracted);
        let is_tcp = self.slots.hot[slot].meter.proto == L4Proto::Tcp.number();
        let Some(flow) = self.slots.lend(slot, view.ts(), order) else { return };
        let (payload, wire_len) = (x.payload.of(view), x.payload.wire_len);
        if let Some(seg) = seg {
            let segment = Segment {
                side,
                ts: seg.ts,
                seq: seg.seq.wrapping_add(u32::from(seg.flags.syn())),
                payload,
                wire_len,
                ack: seg.flags.ack().then_some(seg.ack),
                syn: seg.flags.syn(),
                fin: seg.flags.fin(),
            };
            out.segment(flow, segment);
        } else if wire_len > 0 && !is_tcp && !x.corrupt {
            out.datagram(flow, Datagram { side, ts: view.ts(), payload, wire_len });
        }
    }

    /// Lends a SYN that was lent before, as a segment of another flow, without its payload.
    pub(super) fn lend_syn<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        syn: &Seg,
        order: EventOrder,
        out: &mut O,
    ) {
        if !out.wants_payload() {
            return;
        }
        let segment = Segment {
            side: syn.side,
            ts: syn.ts,
            seq: syn.seq.wrapping_add(1),
            payload: &[],
            wire_len: 0,
            ack: None,
            syn: true,
            fin: false,
        };
        if let Some(flow) = self.slots.lend(slot, syn.ts, order) {
            out.segment(flow, segment);
        }
    }
}
