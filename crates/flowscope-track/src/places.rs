//! Places by tag: hashbrown's table, which grows a few places at a time, so that no insertion takes long.
//!
//! A table without room is kept as the old one beside its larger successor. Every insertion then copies what is in some
//! buckets of the old table, until there are no more.

use std::mem;

use hashbrown::HashTable;

use crate::index::Tag;
use crate::lists::Slot;

/// Buckets of the old table that an insertion goes through. All are done after a sixteenth as many insertions
/// as there are buckets, so that both tables are held for a short time, and these fit into the new table together with what is
/// copied: its own growth would be the stall.
const STEP: usize = 16;

/// Buckets of a table that does not grow at once: growth of a smaller one takes a tenth of a millisecond.
const LARGE_TABLE: usize = 1 << 15;

/// A table of places, which grows a little at a time from so many buckets on.
pub(crate) struct Places<const LARGE: usize = LARGE_TABLE> {
    table: HashTable<Place>,
    old: Option<Box<Old>>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Place {
    tag: Tag,
    slot: Slot,
}

struct Old {
    /// What is in buckets before `next` counts no more: it was copied.
    table: HashTable<Place>,
    next: usize,
}

/// A look-up.
pub(crate) struct Found {
    pub(crate) slot: Option<Slot>,
    /// How many places were compared with the tag.
    pub(crate) candidates: u32,
}

impl<const LARGE: usize> Places<LARGE> {
    /// The slot of the first place with this tag for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, tag: Tag, is_it: impl Fn(Slot) -> bool) -> Found {
        let mut candidates = 0;
        let place = self.table.find(spread(tag), |place| {
            candidates += 1;
            place.tag == tag && is_it(place.slot)
        });
        match (place, &self.old) {
            (None, Some(old)) => old.find(tag, candidates, is_it),
            (place, _) => Found { slot: place.map(|place| place.slot), candidates },
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, tag: Tag, slot: Slot) {
        if self.old.is_some() {
            self.copy_some();
        } else if self.table.len() == self.table.capacity() && self.table.num_buckets() >= LARGE {
            self.grow();
        }
        self.table.insert_unique(spread(tag), Place { tag, slot }, Place::hash);
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, tag: Tag, slot: Slot) {
        let is_it = |place: &Place| place.slot == slot;
        if let Ok(entry) = self.table.find_entry(spread(tag), is_it) {
            entry.remove();
            self.len -= 1;
            if self.table.is_empty() && self.table.capacity() < self.table.num_buckets() / 2 {
                // The rest of the room is that of places that were removed.
                self.table.clear();
            }
        } else if let Some(old) = &mut self.old
            && let Ok(entry) = old.table.find_entry(spread(tag), is_it)
            && entry.bucket_index() >= old.next
        {
            entry.remove();
            self.len -= 1;
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All slots, with the tags that `tag_of` has for them.
    pub(crate) fn retagged(self, tag_of: impl Fn(Slot) -> Tag) -> Self {
        let mut places = Places { table: HashTable::with_capacity(self.len), old: None, len: 0 };
        let old = self.old.iter().flat_map(|old| old.places(old.table.num_buckets()));
        for place in self.table.iter().chain(old) {
            places.insert(tag_of(place.slot), place.slot);
        }
        places
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        let old = self.old.as_ref().map_or(0, |old| old.table.allocation_size() + size_of::<Old>());
        self.table.allocation_size() + old
    }

    /// Bytes that one more place takes, at the table's fullest.
    pub(crate) const fn bytes_per_slot() -> usize {
        size_of::<Place>() + 2
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let room = self.table.num_buckets() / 8 * 7;
        // Of a table that is half empty, the rest of the room is that of places that were removed.
        let room = if self.table.len() > room / 2 { room + 1 } else { room };
        let table = mem::replace(&mut self.table, HashTable::with_capacity(room));
        self.old = Some(Box::new(Old { table, next: 0 }));
        self.copy_some();
    }

    #[inline(never)]
    fn copy_some(&mut self) {
        let Some(old) = &mut self.old else { return };
        let buckets = old.table.num_buckets();
        let end = buckets.min(old.next + STEP);
        for place in old.places(end) {
            self.table.insert_unique(place.hash(), *place, Place::hash);
        }
        old.next = end;
        if end == buckets {
            self.old = None;
        }
    }
}

impl<const LARGE: usize> Default for Places<LARGE> {
    fn default() -> Self {
        Places { table: HashTable::new(), old: None, len: 0 }
    }
}

impl Place {
    fn hash(&self) -> u64 {
        spread(self.tag)
    }
}

impl Old {
    /// The places in buckets before `end` that count.
    fn places(&self, end: usize) -> impl Iterator<Item = &Place> {
        (self.next..end).filter_map(|bucket| self.table.get_bucket(bucket))
    }

    #[cold]
    #[inline(never)]
    fn find(&self, tag: Tag, mut candidates: u32, is_it: impl Fn(Slot) -> bool) -> Found {
        let bucket = self.table.find_bucket_index(spread(tag), |place| {
            candidates += 1;
            place.tag == tag && is_it(place.slot)
        });
        // A copied place that is found here is that of a flow that has ended since, and is in no table: the place of one
        // that goes on is in the new table, and was found there.
        let bucket = bucket.filter(|bucket| *bucket >= self.next);
        let place = bucket.and_then(|bucket| self.table.get_bucket(bucket));
        Found { slot: place.map(|place| place.slot), candidates }
    }
}

/// hashbrown wants 64 well-mixed bits; a tag has 32.
#[inline]
pub(crate) fn spread(tag: Tag) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const LARGE: usize = 1 << 10;

    /// A flow table of which only the keys matter, and its places. As there, a slot that is free keeps its last key, and is
    /// used again.
    #[derive(Default)]
    struct Flows {
        places: Places<LARGE>,
        keys: Vec<u32>,
        free: Vec<Slot>,
        model: HashMap<u32, Slot>,
        /// Most places that one insertion copied.
        most_copied: usize,
        growths: usize,
    }

    impl Flows {
        fn open(&mut self, key: u32) {
            let slot = self.free.pop().unwrap_or(self.keys.len() as Slot);
            self.keys.resize(self.keys.len().max(slot as usize + 1), key);
            self.keys[slot as usize] = key;
            self.model.insert(key, slot);
            let (buckets, count) = (self.places.table.num_buckets(), self.places.table.len());
            let had_old = self.places.old.is_some();
            self.places.insert(tag(key), slot);
            if buckets >= LARGE {
                let began = !had_old && self.places.old.is_some();
                self.growths += usize::from(began);
                let is_same = self.places.table.num_buckets() == buckets;
                assert!(is_same || began, "a large table grows by copying");
                let before = if began { 0 } else { count };
                self.most_copied = self.most_copied.max(self.places.table.len() - before - 1);
            }
        }

        fn close(&mut self, key: u32) {
            if let Some(slot) = self.model.remove(&key) {
                self.places.remove(tag(key), slot);
                self.free.push(slot);
            }
        }

        fn find(&self, key: u32) -> Option<Slot> {
            self.places.find(tag(key), |slot| self.keys[slot as usize] == key).slot
        }

        fn agree(&self) {
            assert_eq!(self.places.len(), self.model.len());
            for key in 0..=self.keys.iter().max().copied().unwrap_or(0) {
                assert_eq!(self.find(key), self.model.get(&key).copied(), "{key}");
            }
        }
    }

    /// The tags of two keys each are the same.
    fn tag(key: u32) -> Tag {
        (key / 2).wrapping_mul(0x9e37_79b1) >> 1
    }

    #[test]
    fn places_are_found_while_the_table_grows() {
        let mut flows = Flows::default();
        for key in 0..20_000 {
            flows.open(key);
            if key % 997 == 0 || (flows.places.old.is_some() && key % 61 == 0) {
                flows.agree();
            }
        }
        flows.agree();
        assert!(flows.growths >= 4 && (1..=STEP).contains(&flows.most_copied));
    }

    #[test]
    fn flows_come_and_go_in_any_order() {
        let (mut flows, mut random) = (Flows::default(), 1u64);
        for step in 0..300_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = (random >> 40) as u32 % 6000;
            // The number of flows swings between a fifth and four fifths of the keys.
            let is_rising = (step / 30_000) % 2 == 0;
            match flows.model.contains_key(&key) {
                true if !is_rising || random >> 60 < 4 => flows.close(key),
                false if is_rising || random >> 60 < 4 => flows.open(key),
                _ => {}
            }
            if step % 5003 == 0 || (flows.places.old.is_some() && step % 101 == 0) {
                flows.agree();
            }
        }
        flows.agree();
        assert!(flows.growths >= 3 && (1..=STEP).contains(&flows.most_copied));
    }

    #[test]
    fn room_of_flows_that_ended_is_used_again_a_little_at_a_time() {
        let mut flows = Flows::default();
        for key in 0..60_000 {
            flows.open(key);
            if key >= 2500 {
                // Not quite in the order in which they came.
                flows.close(key - 2500 + (key.wrapping_mul(2_654_435_761) >> 30));
            }
            if key % 1777 == 0 {
                flows.agree();
            }
        }
        flows.agree();
        // The number of flows asks for two growths at most.
        assert!(flows.growths > 3 && (1..=STEP).contains(&flows.most_copied), "{}", flows.growths);
        let bytes = flows.places.capacity_bytes();
        assert!(bytes < flows.model.len() * 5 * Places::<LARGE>::bytes_per_slot(), "{bytes}");
    }

    #[test]
    fn a_flow_that_ends_before_or_after_it_is_copied_is_gone() {
        let mut flows = Flows::default();
        while flows.places.old.is_none() {
            flows.open(flows.keys.len() as u32);
        }
        let count = flows.keys.len() as u32;
        (0..count).for_each(|key| flows.close(key));
        flows.agree();
        assert_eq!(flows.places.len(), 0);
        for key in count.. {
            flows.open(key);
            if flows.places.old.is_none() {
                break;
            }
        }
        flows.agree();
    }

    #[test]
    fn all_places_get_new_tags() {
        let mut flows = Flows::default();
        while flows.places.old.as_ref().is_none_or(|old| old.next < 500) {
            flows.open(flows.keys.len() as u32);
        }
        let places = flows.places.retagged(|slot| !slot);
        assert_eq!(places.len(), flows.keys.len());
        for slot in 0..flows.keys.len() as Slot {
            assert_eq!(places.find(!slot, |at| at == slot).slot, Some(slot));
        }
    }
}
