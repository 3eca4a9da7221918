//! Reads of records that are needed soon: issued together, their cache misses overlap.

use std::hash::Hash;

use super::{Due, Engine};
use crate::lists::Slot;
use crate::sink::FlowSink;

/// How many flows that are due, or looked at for it, are read ahead.
pub(super) const READ_AHEAD: usize = 8;

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// Reads the lines of the record that a packet will need. That a young flow's packets need the cold part
    /// stands in the hot part, which has not arrived yet: the processor guesses, and goes on to the next packet.
    #[inline]
    pub(crate) fn read_for_packet(&self, slot: Slot) -> u64 {
        let hot = &self.slots.hot[slot];
        let read = hot.record.last_packet ^ u64::from(hot.record.sides[1].next);
        if hot.record.slow_path == 0 {
            return read;
        }
        let cold = &self.slots.cold[slot];
        read ^ cold.first_seen.as_nanos() ^ u64::from(cold.marks)
    }

    /// Reads what the ends of these flows will need: record, place on the wheel, state, and last the place in the
    /// index, for which the key has to have come.
    pub(super) fn read_for_ends(&self, due: &[Due], out: &impl FlowSink<K, S>) {
        let slots = || due.iter().map(|due| due.slot);
        let records = slots().fold(0, |read, slot| read ^ self.read_for_end(slot));
        let states = if size_of::<S>() == 0 {
            0
        } else {
            let states = slots().filter_map(|slot| self.slots.state(slot));
            states.fold(0, |read, state| read ^ out.fetch(state))
        };
        let places =
            slots().filter_map(|slot| self.index.guess(self.index.tag(&self.slots.hot[slot].key)));
        // Keeps the reads, which are there for the cache alone.
        std::hint::black_box((records, states, places.fold(0, |read, slot| read ^ slot)));
    }

    fn read_for_end(&self, slot: Slot) -> u64 {
        let (hot, cold) = (&self.slots.hot[slot].record, &self.slots.cold[slot]);
        hot.id
            ^ u64::from(hot.sides[1].next)
            ^ cold.first_seen.as_nanos()
            ^ u64::from(cold.marks)
            ^ u64::from(cold.rare.is_some())
            ^ u64::from(self.wheel.is_scheduled(slot))
    }

    /// Reads what the end of a flow will need that is likely to be evicted for the next one.
    pub(super) fn read_for_eviction(&self, slot: Slot) {
        std::hint::black_box(self.read_for_end(slot));
    }

    /// Reads what the deadlines of these flows follow from.
    pub(super) fn read_for_deadlines(&self, slots: &[Slot]) {
        let read = slots.iter().fold(0, |read, slot| {
            let hot = &self.slots.hot[*slot].record;
            read ^ hot.touched.as_nanos() ^ u64::from(hot.slow_path)
        });
        std::hint::black_box(read);
    }
}
