//! What a sink is lent.

use std::hash::Hash;

use flowscope_core::{
    Datagram, FlowSide, IcmpInfo, L4Proto, Orientation, Segment, TcpFlags, Timestamp,
};

use super::{Engine, PacketContext, at_packet};
use crate::clock::PacketTime;
use crate::lists::Slot;
use crate::sink::{EventOrder, FlowSink, Phase};
use crate::tcp::{Seg, Step};
use crate::{Change, PacketInfo};

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
        if let Some(flow) = self.slots.flow(slot, ts, order) {
            out.event(flow, change);
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
    pub(super) fn emit_payload<O: FlowSink<K, S>>(
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
        let is_tcp = self.slots.hot[slot].record.proto == L4Proto::Tcp.number();
        let Some(flow) = self.slots.flow(slot, view.ts(), order) else { return };
        let (payload, wire_len) = (x.payload.of(view), x.payload.wire_len);
        if let Some(seg) = seg {
            out.segment(flow, lent(seg, packet));
        } else if wire_len > 0 && !is_tcp && !x.corrupt {
            out.datagram(flow, Datagram { side, ts: view.ts(), payload, wire_len });
        }
    }

    /// LATE-5: lends a segment that came after the end of the flow.
    pub(super) fn emit_late_segment<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        seg: &Seg,
        packet: &PacketContext<'_, '_, K>,
        order: EventOrder,
        out: &mut O,
    ) {
        if out.wants_payload()
            && let Some(flow) = self.slots.flow(slot, seg.ts, order)
        {
            out.late_segment(flow, lent(seg, packet));
        }
    }

    /// Lends a SYN that was lent before, as a segment of another flow, without its payload.
    pub(super) fn emit_syn<O: FlowSink<K, S>>(
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
            padding: false,
        };
        if let Some(flow) = self.slots.flow(slot, syn.ts, order) {
            out.segment(flow, segment);
        }
    }

    pub(super) fn emit_step<O: FlowSink<K, S>>(
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
            self.emit_payload(slot, seg.side, packet, Some(seg), order, out);
        }
        self.emit_established(slot, ts, order, step, out);
        if let Some(reason) = step.ended {
            self.begin_linger(slot, packet.now.watermark);
            self.emit_end(slot, ts, order, reason, out);
        }
    }

    pub(super) fn emit_established<O: FlowSink<K, S>>(
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

    pub(super) fn emit_state<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        step: &Step,
        out: &mut O,
    ) {
        let (from, to) = (step.before, self.slots.hot[slot].record.state);
        if from != to {
            self.emit(slot, ts, order, Change::StateChange { from, to }, out);
        }
    }

    /// An ICMP error quotes a packet of this flow.
    pub(crate) fn quote<O: FlowSink<K, S>>(
        &mut self,
        key: &K,
        from: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
        out: &mut O,
    ) {
        let Some(slot) = self.find(key) else { return };
        let gone = self.overdue(slot, now).is_some();
        let hot = &self.slots.hot[slot].record;
        if gone || hot.state.is_over() {
            return;
        }
        let side = hot.side_of(from);
        let order = EventOrder { phase: Phase::Quoted, ..at_packet(now) };
        self.emit(slot, ts, order, Change::IcmpError { icmp, side }, out);
    }
}

/// The segment as a sink is lent it.
#[inline]
fn lent<'v, K>(seg: &Seg, packet: &PacketContext<'_, 'v, K>) -> Segment<'v> {
    let found = packet.extracted;
    let payload = found.payload.of(packet.view);
    Segment {
        side: seg.side,
        ts: seg.ts,
        seq: seg.seq.wrapping_add(u32::from(seg.flags.syn())),
        payload,
        wire_len: found.payload.wire_len,
        ack: seg.flags.ack().then_some(seg.ack),
        syn: seg.flags.syn(),
        fin: seg.flags.fin(),
        padding: found.ip.len <= MIN_ETHERNET_PAYLOAD
            && seg.len > 0
            && seg.flags == TcpFlags::ACK
            && payload.iter().all(|byte| *byte == 0),
    }
}

/// What a minimal Ethernet frame carries, in bytes (IEEE 802.3 §3.2.8): shorter packets are padded.
const MIN_ETHERNET_PAYLOAD: u32 = 46;
