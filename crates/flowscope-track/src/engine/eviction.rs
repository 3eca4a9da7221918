//! Who leaves when there is no room.

use std::hash::Hash;

use super::{Due, EVICTION_SWEEP_STEPS, Engine, RARE_SHARE, at_packet, rare_bytes};
use crate::EndReason;
use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::index::Index;
use crate::lists::{Lists, Slot};
use crate::sink::{FlowSink, Phase};
use crate::table::Slots;

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// How many entries there may be.
    pub(super) fn limit(config: &TrackerConfig) -> usize {
        let mut per_flow =
            Slots::<K, S>::bytes_per_slot() + 2 * Lists::bytes_per_slot() + Index::bytes_per_slot();
        let mut budget = slot_budget(config);
        if config.macs {
            // Every flow has a rare part then.
            per_flow += rare_bytes(config);
            budget = config.memory_budget;
        }
        config.max_flows.get().min((budget / per_flow).max(1))
    }

    pub(super) fn make_room<O: FlowSink<K, S>>(&mut self, now: &PacketTime, out: &mut O) {
        let limit = self.limit;
        self.order.prepare(self.index.len(), limit, &mut self.slots.hot);
        if !self.is_full(limit) {
            return;
        }
        let before = self.index.len();
        self.sweep(now, Phase::Expiry, EVICTION_SWEEP_STEPS, out);
        while self.index.len() == before || self.is_full(limit) {
            if !self.evict_one(now, out) {
                return;
            }
        }
    }

    /// EVICT-1
    #[inline]
    pub(super) fn is_full(&self, limit: usize) -> bool {
        let live = self.index.len();
        // Memory is only summed up where the next entry takes some.
        live >= limit
            || (live > 0
                && (self.config.macs || self.slots.growth() > 0)
                && self.would_exceed_budget())
    }

    #[inline(never)]
    fn would_exceed_budget(&self) -> bool {
        let (held, growth, rare) = (self.heap_bytes(), self.slots.growth(), self.rare_bytes());
        if self.config.macs {
            held + growth + rare > self.config.memory_budget
        } else {
            held - self.rares * rare + growth > slot_budget(&self.config)
        }
    }

    /// Evicts the entry that is next in order.
    pub(super) fn evict_one<O: FlowSink<K, S>>(&mut self, now: &PacketTime, out: &mut O) -> bool {
        let victim = self.order.victim(self.config.eviction, &mut self.slots.hot);
        let Some(slot) = victim else { return false };
        let order = at_packet(now);
        if self.catch_up(slot, now, order, out) {
            return true;
        }
        self.evict(slot, now, out);
        if let Some(next) = self.order.front() {
            self.read_for_eviction(next);
        }
        true
    }

    pub(super) fn evict<O: FlowSink<K, S>>(&mut self, slot: Slot, now: &PacketTime, out: &mut O) {
        let order = at_packet(now);
        self.end_and_remove(slot, None, order, EndReason::Evicted, out);
    }

    /// Frees an entry.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.order.remove(slot, &mut self.slots.hot[slot].record);
        self.wheel.cancel(slot);
        let tag = self.index.tag(&self.slots.hot[slot].key);
        self.index.remove(tag, slot);
        self.rares -= usize::from(self.slots.cold[slot].rare.is_some());
        self.slots.free(slot);
    }

    /// Bytes held, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.capacity_bytes()
            + self.index.capacity_bytes()
            + self.wheel.capacity_bytes()
            + self.order.capacity_bytes()
            + self.due.capacity() * size_of::<Due>()
            + self.rares * self.rare_bytes()
    }
}

/// The part of the memory budget for what every entry has.
fn slot_budget(config: &TrackerConfig) -> usize {
    config.memory_budget - config.memory_budget / RARE_SHARE
}
