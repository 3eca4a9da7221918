//! Flows that the capture counts: their start, and the merging of what was counted.

use std::hash::Hash;
use std::time::Duration;

use flowscope_core::{
    FlowSide, L4Proto, Orientation, Segment, ShuntSide, ShuntStart, Shunted, ShuntedSide,
};

use super::{Engine, PacketContext, at_packet};
use crate::clock::PacketTime;
use crate::entry::{Hot, HotRecord, side_bit, slow_path};
use crate::lists::Slot;
use crate::seq::serial;
use crate::shunt::{Shunt, ShuntRefusal, Shunting};
use crate::sink::{EventOrder, FlowSink};
use crate::stats::Counters;
use crate::table::Entry;
use crate::tcp::Step;
use crate::times;
use crate::{Change, FlowState};

/// Who counts packets of flows, and of which.
pub(super) struct Shunts<K> {
    by: Box<dyn Shunt<K> + Send>,
    which: Shunting,
}

const ORIENTATIONS: [Orientation; 2] = [Orientation::Forward, Orientation::Reverse];

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    pub(crate) fn shunt_with(&mut self, by: Box<dyn Shunt<K> + Send>, which: Shunting) {
        self.shunts = Some(Shunts { by, which });
    }

    /// The slow-path bit of a new TCP flow, if flows are shunted automatically.
    #[inline]
    pub(super) fn wants_shunt(&self, hot: &HotRecord) -> u8 {
        let all = self.shunts.as_ref().is_some_and(|it| it.which == Shunting::Established);
        if all && hot.is_tcp() { slow_path::SHUNT } else { 0 }
    }

    /// Asks the capture to count the packets of a flow.
    pub(crate) fn shunt(&mut self, slot: Slot) -> Result<(), ShuntRefusal> {
        let no_room = self.is_rare_share_full(self.rares + 1);
        let Some(shunts) = &mut self.shunts else { return Err(ShuntRefusal::NotOffered) };
        let Entry { key, hot, cold, .. } = self.slots.entry(slot);
        if hot.slow_path & slow_path::SHUNTED != 0 {
            return Err(ShuntRefusal::Already);
        }
        if cold.rare.as_ref().is_some_and(|rare| !rare.path.is_empty()) {
            return Err(ShuntRefusal::NotFound);
        }
        if hot.slow_path & !(slow_path::ALWAYS | slow_path::SHUNT) != 0 || !is_steady(hot) {
            return Err(ShuntRefusal::NotSteady);
        }
        let had_rare = cold.rare.is_some();
        if no_room && !had_rare {
            return Err(ShuntRefusal::Full);
        }
        let interim_from = cold.rare.as_ref().and_then(|rare| rare.interim_from);
        let start = ShuntStart {
            sides: ORIENTATIONS.map(|orientation| start_of(hot, hot.side_of(orientation))),
            last_seen: hot.touched,
            idle: Duration::from_nanos(super::time::idle_of(&self.idle, hot.proto)),
            until: self
                .config
                .active
                .map(|active| interim_from.unwrap_or(cold.first_seen) + active),
        };
        shunts.by.start(key, &start)?;
        hot.slow_path = hot.slow_path & !slow_path::SHUNT | slow_path::SHUNTED;
        cold.rare().shunt.get_or_insert_default().merged = [Counters::default(); 2];
        self.rares += usize::from(!had_rare);
        Ok(())
    }

    /// Ends the shunting of a flow on request.
    pub(crate) fn unshunt<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        now: &PacketTime,
        out: &mut O,
    ) -> bool {
        let shunted = self.slots.hot[slot].record.slow_path & slow_path::SHUNTED != 0;
        self.take_shunted(slot, at_packet(now), out);
        self.slots.hot[slot].record.slow_path &= !slow_path::SHUNT;
        shunted
    }

    /// After a packet: asks for the flow to be counted by the capture, if that is what all flows are for.
    #[cold]
    pub(super) fn consider_shunt<O: FlowSink<K, S>>(&mut self, slot: Slot, out: &O) {
        let hot = &self.slots.hot[slot].record;
        let reasons = hot.slow_path & !slow_path::ALWAYS;
        if self.wants_shunt(hot) == 0 || reasons & !slow_path::SHUNT != 0 || !is_steady(hot) {
            return;
        }
        if !self.slots.state(slot).is_some_and(|state| out.may_shunt(state)) {
            self.slots.hot[slot].record.slow_path |= slow_path::SHUNT;
            return;
        }
        if self.shunt(slot).is_err() {
            // Tried again after the next packet that takes the slow path.
            self.slots.hot[slot].record.slow_path &= !slow_path::SHUNT;
        }
    }

    /// A packet of a flow that the capture counts: takes over what was counted before it.
    #[cold]
    pub(super) fn receive_shunted<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        let Some(counted) = self.peek(slot) else {
            return self.take_shunted(slot, at_packet(packet.now), out);
        };
        let x = packet.extracted;
        let is_after = match &x.tcp {
            Some(tcp) if counted.packets() > 0 => {
                let own = &counted.sides[usize::from(x.orientation == Orientation::Reverse)];
                let end = tcp.seq.wrapping_add(x.payload.wire_len);
                // One that looks the same may have come before: then there are segments between that the
                // table does not know yet.
                let returned =
                    counted.returned.is_some_and(|it| it.is(x.orientation, x.ip.len, tcp));
                // It may have been lost on its way, and the capture may not recognise every packet.
                returned && self.has_come_to(slot, &counted)
                    || serial(end, own.base_seq) > 0
                    || serial(tcp.ack, own.base_ack) > 0
            }
            // Whatever the order, the sums are the same.
            _ => counted.returned.is_some(),
        };
        if is_after {
            self.take_shunted(slot, at_packet(packet.now), out);
        }
    }

    /// Whether the streams stand where the capture began to count.
    fn has_come_to(&self, slot: Slot, counted: &Shunted) -> bool {
        let hot = &self.slots.hot[slot].record;
        ORIENTATIONS.into_iter().zip(&counted.sides).all(|(orientation, counted)| {
            let own = hot.side(hot.side_of(orientation));
            (own.next, own.ack) == (counted.base_seq, counted.base_ack)
        })
    }

    /// Adds what was counted so far; the capture goes on counting.
    pub(super) fn peek_shunted(&mut self, slot: Slot) {
        if self.slots.hot[slot].record.slow_path & slow_path::SHUNTED != 0
            && let Some(counted) = self.peek(slot)
        {
            self.merge(slot, &counted);
        }
    }

    fn peek(&mut self, slot: Slot) -> Option<Shunted> {
        self.shunts.as_mut()?.by.peek(&self.slots.hot[slot].key)
    }

    /// Ends the counting of a flow, and takes over what was counted.
    pub(super) fn take_shunted<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        order: EventOrder,
        out: &mut O,
    ) {
        let hot = &mut self.slots.hot[slot];
        if hot.record.slow_path & slow_path::SHUNTED == 0 {
            return;
        }
        hot.record.slow_path &= !slow_path::SHUNTED;
        let wanted = self.wants_shunt(&self.slots.hot[slot].record);
        let Hot { key, record } = &mut self.slots.hot[slot];
        record.slow_path |= wanted;
        let counted = self.shunts.as_mut().and_then(|shunts| shunts.by.take(key));
        let Some(counted) = counted.filter(|counted| counted.packets() > 0) else { return };
        self.merge(slot, &counted);
        let sides =
            ORIENTATIONS.map(|orientation| self.slots.hot[slot].record.side_of(orientation));
        let counted =
            sides.into_iter().zip(&counted.sides).filter(|(_, counted)| counted.packets > 0);
        for (side, counted) in counted {
            self.continue_behind(slot, side, counted, order, out);
        }
        self.settle_shunted(slot, order, out);
    }

    /// Adds what was counted since the last time to counters and times. The place of the flow in the eviction
    /// order is that of the latest packet that was tracked.
    fn merge(&mut self, slot: Slot, counted: &Shunted) {
        let added = self.slots.entry(slot).add(counted);
        self.stats.shunted.add(&added);
    }

    /// The stream of a side goes on behind what was counted.
    fn continue_behind<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        side: FlowSide,
        counted: &ShuntedSide,
        order: EventOrder,
        out: &mut O,
    ) {
        let mut entry = self.slots.entry(slot);
        let ts = entry.record().last_seen();
        if entry.hot.is_tcp() {
            entry.tcp(&self.config).place_shunted(side, counted);
        }
        let ShuntedSide { packets, payload_bytes, .. } = *counted;
        entry.emit(ts, order, Change::Shunted { side, packets, payload_bytes }, out);
        if !entry.hot.is_tcp() || !out.wants_payload() {
            return;
        }
        let (mut seq, mut left) = (counted.base_seq, payload_bytes);
        while left > 0 {
            let len = left.min(LONGEST_STEP) as u32;
            let mut segment = Segment::new(side, ts, seq, &[]);
            segment.wire_len = len;
            if let Some(flow) = entry.flow(ts, order) {
                out.segment(flow, segment);
            }
            seq = seq.wrapping_add(len);
            left -= u64::from(len);
        }
    }
}

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// What was counted may acknowledge a FIN that was tracked since.
    fn settle_shunted<O: FlowSink<K, S>>(&mut self, slot: Slot, order: EventOrder, out: &mut O) {
        let mut entry = self.slots.entry(slot);
        let fins = entry.hot.sides[0].bits | entry.hot.sides[1].bits;
        if !entry.hot.is_tcp() || entry.hot.state.is_over() || fins & side_bit::FIN == 0 {
            return;
        }
        let ts = entry.record().last_seen();
        let mut step = Step::new(entry.hot.state);
        self.order.remove(slot, entry.hot);
        entry.tcp(&self.config).settle_fins(ts, &mut step);
        self.order.insert(slot, entry.hot);
        for (kind, side) in step.anomalies() {
            entry.emit(ts, order, Change::Anomaly { kind, side }, out);
        }
        entry.emit_state(ts, order, &step, out);
        if let Some(reason) = step.ended {
            let touched = entry.hot.touched;
            self.begin_linger(slot, touched);
            self.emit_end(slot, ts, order, reason, out);
        }
    }
}

impl<K, S> Entry<'_, K, S> {
    /// Adds counters and times; returns what was added.
    fn add(&mut self, counted: &Shunted) -> Counters {
        let last_seen = self.record().last_seen();
        let (hot, cold) = (&mut *self.hot, &mut *self.cold);
        let mut sum = Counters::default();
        let rare = cold.rare();
        let shunt = rare.shunt.get_or_insert_default();
        for (orientation, counted) in ORIENTATIONS.into_iter().zip(&counted.sides) {
            let i = hot.side_of(orientation).index();
            let total = Counters {
                packets: counted.packets,
                wire_bytes: counted.wire_bytes,
                ip_bytes: counted.ip_bytes,
                payload_bytes: counted.payload_bytes,
            };
            let added = total.minus(&shunt.merged[i]);
            shunt.merged[i] = total;
            shunt.total[i].add(&added);
            rare.spilled[i].add(&added);
            hot.sides[i].flags |= counted.flags;
            sum.add(&added);
        }
        if sum.packets > 0 {
            hot.touched = hot.touched.max(counted.last_seen);
            times::set_last_seen(hot, cold, last_seen.max(counted.last_seen));
        }
        sum
    }
}

/// Whether ordinary packets of the flow change nothing but counters.
fn is_steady(hot: &HotRecord) -> bool {
    match L4Proto::from_number(hot.proto) {
        L4Proto::Tcp => hot.state == FlowState::Established,
        L4Proto::Udp => {
            hot.state == FlowState::Active
                && hot.sides.iter().any(|side| side.has(side_bit::HISTORY_D))
        }
        _ => false,
    }
}

fn start_of(hot: &HotRecord, side: FlowSide) -> ShuntSide {
    let own = hot.side(side);
    ShuntSide {
        next: own.next,
        ack: own.ack,
        ttl: hot.ttl[side.index()],
        data: own.has(side_bit::HISTORY_D),
        acks: hot.is_tcp() && own.has(side_bit::HISTORY_A),
    }
}

/// Bytes that a reassembler is passed over at once: less than half of the sequence numbers.
const LONGEST_STEP: u64 = 1 << 28;
