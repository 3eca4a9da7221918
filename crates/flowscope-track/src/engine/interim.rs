//! Interim records: the active timeout.

use std::hash::Hash;

use flowscope_core::Timestamp;

use super::{Engine, at_packet};
use crate::Change;
use crate::clock::PacketTime;
use crate::lists::Slot;
use crate::sink::FlowSink;

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// ACTIVE-1
    pub(super) fn interim<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        now: &PacketTime,
        ts: Timestamp,
        out: &mut O,
    ) {
        let Some(active) = self.config.active else { return };
        let from = self.slots.cold[slot]
            .rare
            .as_ref()
            .and_then(|rare| rare.interim_from)
            .unwrap_or(self.slots.cold[slot].first_seen);
        // By the watermark: a corrupt time in the far future must not use up years of intervals.
        let lasted = now.watermark.since(from);
        if lasted < active {
            return;
        }
        let rare = self.slots.cold[slot].rare();
        rare.interims += 1;
        let sequence = rare.interims;
        // Whole intervals, so that a pause does not shift those that follow.
        let interval = active.as_nanos().max(1);
        let whole = u64::try_from(lasted.as_nanos() / interval * interval).unwrap_or(u64::MAX);
        rare.interim_from = Some(Timestamp::from_nanos(from.as_nanos().saturating_add(whole)));
        self.slots.entry(slot).emit(ts, at_packet(now), Change::Interim { sequence }, out);
        let record = self.slots.record(slot);
        let base = [record.counters(0), record.counters(1)];
        self.slots.cold[slot].rare().interim_base = base;
    }
}
