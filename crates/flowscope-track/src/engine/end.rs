//! Ends of flows, and the removal of their entries.

use std::hash::Hash;

use flowscope_core::Timestamp;

use super::ending::Ending;
use super::{Engine, at_packet};
use crate::clock::PacketTime;
use crate::lists::Slot;
use crate::sink::{EventOrder, FlowSink, Phase};
use crate::{Change, EndReason, FlowId, FlowState};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// Ends the flow in `slot`; says whether its time had not come before.
    pub(crate) fn end<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        now: &PacketTime,
        out: &mut O,
    ) -> bool {
        let order = at_packet(now);
        if self.catch_up(slot, now, order, out) {
            return false;
        }
        self.end_and_remove(slot, Some(now.watermark), order, EndReason::Forced, out);
        true
    }

    /// Ends flows, in order of their ids, as long as `go_on` says so of the next one; says whether
    /// any is left.
    pub(crate) fn finish<O: FlowSink<K, S>>(
        &mut self,
        reason: EndReason,
        now: &PacketTime,
        mut go_on: impl FnMut(FlowId) -> bool,
        out: &mut O,
    ) -> bool {
        while !self.gather_ending(Slot::MAX) {}
        while let Some((id, slot)) = self.ending.first() {
            if !go_on(FlowId(id)) {
                return true;
            }
            self.ending.pop();
            // Whoever tracks packets in between may end or replace it.
            if !self.slots.is_live(slot) || self.slots.hot[slot].record.id != id {
                continue;
            }
            let order = EventOrder {
                packet: now.packet,
                phase: Phase::End,
                deadline: Timestamp::ZERO,
                flow: FlowId(id),
            };
            // Deadlines that have passed apply, although no sweep came that far.
            if self.catch_up(slot, now, order, out) {
                continue;
            }
            self.end_and_remove(slot, Some(now.watermark), order, reason, out);
        }
        self.ending = Ending::default();
        self.due.clear();
        self.suspects.clear();
        false
    }

    /// Looks at the next `most` slots for flows to end; says whether all of them are known.
    pub(crate) fn gather_ending(&mut self, most: Slot) -> bool {
        let Engine { ending, slots, .. } = self;
        if !ending.complete {
            let until = slots.len().min(ending.scanned.saturating_add(most));
            let live = (ending.scanned..until).filter(|slot| slots.is_live(*slot));
            ending.add(live.map(|slot| (slots.hot[slot].record.id, slot)).collect());
            ending.scanned = until;
            ending.complete = until == slots.len();
        }
        ending.complete
    }

    /// The entries, in order of their flows' ids.
    pub(crate) fn by_id(&self) -> Vec<(u64, Slot)> {
        let live = (0..self.slots.len()).filter(|slot| self.slots.is_live(*slot));
        let mut all: Vec<(u64, Slot)> =
            live.map(|slot| (self.slots.hot[slot].record.id, slot)).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn emit_end<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Timestamp,
        order: EventOrder,
        reason: EndReason,
        out: &mut O,
    ) {
        self.take_shunted(slot, order, out);
        self.stats.ended[reason as usize] += 1;
        self.slots.entry(slot).emit(ts, order, Change::Ended { reason }, out);
    }

    /// LATE-3: ends the flow in `slot` for `reason` at the packet time `ts` (TIME-3), unless it has ended
    /// already, and removes its entry. `None`: at the time of its latest packet.
    pub(super) fn end_and_remove<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        ts: Option<Timestamp>,
        order: EventOrder,
        reason: EndReason,
        out: &mut O,
    ) {
        // What was counted may close the flow.
        self.take_shunted(slot, order, out);
        let ts = ts.unwrap_or_else(|| self.slots.record(slot).last_seen());
        let reason = match self.slots.hot[slot].record.state {
            FlowState::Closed => EndReason::Fin,
            FlowState::Reset => EndReason::Rst,
            _ => {
                self.emit_end(slot, ts, order, reason, out);
                reason
            }
        };
        self.emit_late(slot, order, out);
        self.include_late(slot);
        let mut entry = self.slots.entry(slot);
        let last_seen = entry.record().last_seen();
        if let Some(flow) = entry.flow(last_seen, order) {
            out.removed(flow, reason);
        }
        self.remove(slot);
    }

    /// LATE-2
    pub(super) fn emit_late<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        order: EventOrder,
        out: &mut O,
    ) {
        let mut entry = self.slots.entry(slot);
        let late = entry.cold.rare.as_ref().and_then(|rare| rare.late);
        if let Some(late) = late {
            entry.emit(late.last_seen, order, Change::Late, out);
        }
    }
}
