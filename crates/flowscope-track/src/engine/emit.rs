//! What a sink is lent.

use std::hash::Hash;

use flowscope_core::{Datagram, FlowSide, IcmpInfo, Orientation, Segment, TcpFlags, Timestamp};

use super::{Engine, PacketContext, at_packet};
use crate::clock::PacketTime;
use crate::sink::{EventOrder, FlowSink, Phase};
use crate::table::Entry;
use crate::tcp::{MIN_ETHERNET_PAYLOAD, Seg, Step, may_be_padding};
use crate::{Change, PacketInfo};

impl<K, S> Entry<'_, K, S> {
    #[inline]
    pub(super) fn emit<O: FlowSink<K, S>>(
        &mut self,
        ts: Timestamp,
        order: EventOrder,
        change: Change,
        out: &mut O,
    ) {
        if let Some(flow) = self.flow(ts, order) {
            out.event(flow, change);
        }
    }

    #[inline]
    pub(super) fn emit_packet<O: FlowSink<K, S>>(
        &mut self,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        tcp_flags: TcpFlags,
        out: &mut O,
    ) {
        if !out.wants_packets() {
            return;
        }
        let info = info(side, packet, tcp_flags);
        self.emit(info.ts, at_packet(packet.now), Change::Packet(info), out);
    }

    /// LATE-1: a packet that came after the end of the flow.
    pub(super) fn emit_late_packet<O: FlowSink<K, S>>(
        &mut self,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        tcp_flags: TcpFlags,
        out: &mut O,
    ) {
        if !out.wants_packets() {
            return;
        }
        let info = info(side, packet, tcp_flags);
        if let Some(flow) = self.flow(info.ts, at_packet(packet.now)) {
            out.late_packet(flow, info);
        }
    }

    /// Lends the payload of a packet that is no TCP segment.
    #[inline]
    pub(super) fn emit_datagram<O: FlowSink<K, S>>(
        &mut self,
        side: FlowSide,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let (view, x) = (packet.view, packet.extracted);
        let wire_len = x.payload.wire_len;
        if !out.wants_payload() || wire_len == 0 || self.hot.is_tcp() || x.corrupt {
            return;
        }
        let Some(flow) = self.flow(view.ts(), at_packet(packet.now)) else { return };
        let payload = x.payload.of(view);
        out.datagram(flow, Datagram { side, ts: view.ts(), payload, wire_len });
    }

    #[inline]
    pub(super) fn emit_segment<O: FlowSink<K, S>>(
        &mut self,
        segment: Segment<'_>,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        if !out.wants_payload() {
            return;
        }
        let Some(flow) = self.flow(segment.ts, at_packet(packet.now)) else { return };
        out.segment(flow, segment);
    }

    /// LATE-5: lends a segment that came after the end of the flow.
    pub(super) fn emit_late_segment<O: FlowSink<K, S>>(
        &mut self,
        seg: &Seg,
        far_ack: bool,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        if !out.wants_payload() {
            return;
        }
        let mut segment = lent(seg, packet);
        if far_ack {
            segment.ack = None;
        }
        if let Some(flow) = self.flow(seg.ts, at_packet(packet.now)) {
            out.late_segment(flow, segment);
        }
    }

    /// Lends a SYN that was lent before, as a segment of another flow, without its payload.
    pub(super) fn emit_syn<O: FlowSink<K, S>>(
        &mut self,
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
            out_of_window: false,
        };
        if let Some(flow) = self.flow(syn.ts, order) {
            out.segment(flow, segment);
        }
    }

    /// What a segment changed and what it carries, but for the end of its flow.
    #[inline]
    pub(super) fn emit_step<O: FlowSink<K, S>>(
        &mut self,
        seg: &Seg,
        step: &Step,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let order = at_packet(packet.now);
        for (kind, side) in step.anomalies() {
            self.emit(seg.ts, order, Change::Anomaly { kind, side }, out);
        }
        if !seg.flags.rst() {
            let mut segment = lent(seg, packet);
            segment.out_of_window = step.out_of_window;
            segment.fin &= !step.refused_fin;
            if step.far_ack == Some(true) {
                segment.ack = None;
            }
            self.emit_segment(segment, packet, out);
        }
        self.emit_established(seg.ts, order, step, out);
    }

    #[inline]
    pub(super) fn emit_established<O: FlowSink<K, S>>(
        &mut self,
        ts: Timestamp,
        order: EventOrder,
        step: &Step,
        out: &mut O,
    ) {
        if step.established {
            self.emit(ts, order, Change::Established, out);
        }
        self.emit_state(ts, order, step, out);
    }

    #[inline]
    pub(super) fn emit_state<O: FlowSink<K, S>>(
        &mut self,
        ts: Timestamp,
        order: EventOrder,
        step: &Step,
        out: &mut O,
    ) {
        let (from, to) = (step.before, self.hot.state);
        if from != to {
            self.emit(ts, order, Change::StateChange { from, to }, out);
        }
    }
}

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// An ICMP error quotes a packet of this flow.
    pub(crate) fn quote<O: FlowSink<K, S>>(
        &mut self,
        key: &K,
        from: Orientation,
        icmp: IcmpInfo,
        now: &PacketTime,
        ts: Timestamp,
        out: &mut O,
    ) {
        let Some(slot) = self.find(key) else { return };
        let gone = self.overdue(slot, now).is_some();
        let mut entry = self.slots.entry(slot);
        if gone || entry.hot.state.is_over() {
            return;
        }
        let side = entry.hot.side_of(from);
        let order = EventOrder { phase: Phase::Quoted, ..at_packet(now) };
        entry.emit(ts, order, Change::IcmpError { icmp, side }, out);
    }
}

/// The segment as a sink is lent it.
#[inline]
pub(super) fn lent<'v, K>(seg: &Seg, packet: &PacketContext<'_, 'v, K>) -> Segment<'v> {
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
        padding: match seg.flags {
            TcpFlags::ACK => {
                seg.len > 0
                    && found.ip.len <= MIN_ETHERNET_PAYLOAD
                    && may_be_padding(packet.view, found)
            }
            _ => seg.len == 0 && found.payload.wire_len > 0,
        },
        out_of_window: false,
    }
}

fn info<K>(side: FlowSide, packet: &PacketContext<'_, '_, K>, tcp_flags: TcpFlags) -> PacketInfo {
    let (view, x) = (packet.view, packet.extracted);
    PacketInfo {
        side,
        ts: view.ts(),
        wire_len: view.wire_len(),
        payload_len: x.payload.wire_len,
        tcp_flags,
    }
}
