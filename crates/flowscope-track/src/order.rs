//! Which flow leaves when there is no room: an exact order that costs nothing until it is needed.
//!
//! The order is by the number of each flow's latest packet. Keeping it in a list that every packet
//! relinks costs cache misses on each of them, so that is done only while the table is more than
//! half full (*strict*). Going over to it moves no million flows at once: each insertion enters a
//! few untouched flows into a sorted map, and a flow that is touched moves from there to the end of
//! the list. Nothing in the list was touched before the head of it, nothing in the map before its
//! first key, so the victim is the older of the two. Half-open flows have a list and a map of their own.
//! Lingering flows leave in the order in which they ended, which no record tells: their list is always
//! kept.

use std::collections::BTreeMap;

use crate::Eviction;
use crate::chunked::Chunked;
use crate::entry::{Hot, HotRecord, bit};
use crate::lists::{Lists, Slot};

/// What kind of flow an entry is, as eviction sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    Lingering,
    HalfOpen,
    Rest,
}

/// How many flows each insertion enters into the map. The table fills from half to full by as many
/// insertions as half its limit, so two would do.
const STEPS: u32 = 4;

pub(crate) struct EvictionOrder {
    lists: Lists,
    /// Of half-open flows and of the rest, by the number of the latest packet.
    maps: [BTreeMap<u64, Slot>; 2],
    strict: bool,
    /// The next slot to enter into the map, while there are any.
    scan: Option<Slot>,
    /// Where the scan ends: slots made later are listed from the start.
    scan_end: Slot,
}

/// The entries, by slot. One that is free has `last_packet` 0.
pub(crate) trait HotRecords {
    fn record(&mut self, slot: Slot) -> &mut HotRecord;
    /// Slots made so far, used or free.
    fn count(&self) -> Slot;
}

impl<K> HotRecords for Chunked<Hot<K>> {
    fn record(&mut self, slot: Slot) -> &mut HotRecord {
        &mut self[slot].record
    }

    fn count(&self) -> Slot {
        self.len()
    }
}

impl Class {
    pub(crate) fn of(hot: &HotRecord) -> Class {
        if hot.state.is_over() {
            Class::Lingering
        } else if hot.state.is_half_open() {
            Class::HalfOpen
        } else {
            Class::Rest
        }
    }
}

impl EvictionOrder {
    pub(crate) fn new() -> Self {
        EvictionOrder {
            lists: Lists::new(3),
            maps: [BTreeMap::new(), BTreeMap::new()],
            strict: false,
            scan: None,
            scan_end: 0,
        }
    }

    pub(crate) fn add_slot(&mut self) {
        self.lists.add_slot();
    }

    /// Whether [`insert`](Self::insert) has nothing to do for this entry.
    #[inline]
    pub(crate) fn is_idle(&self, hot: &HotRecord) -> bool {
        !self.strict && hot.bits & (bit::LISTED | bit::MAPPED) == 0
    }

    /// A new entry, the youngest.
    #[inline]
    pub(crate) fn insert(&mut self, slot: Slot, hot: &mut HotRecord) {
        if self.strict || hot.state.is_over() {
            self.list(slot, hot);
        }
    }

    #[inline(never)]
    fn list(&mut self, slot: Slot, hot: &mut HotRecord) {
        self.lists.push_back(Class::of(hot) as u32, slot);
        hot.set(bit::LISTED, true);
    }

    /// The entry is about to become the youngest, or to change its class; call before its
    /// `last_packet` or state does, and [`insert`](Self::insert) afterwards.
    #[inline]
    pub(crate) fn remove(&mut self, slot: Slot, hot: &mut HotRecord) {
        if hot.bits & (bit::LISTED | bit::MAPPED) != 0 {
            self.take_out(slot, hot);
        }
    }

    #[inline(never)]
    fn take_out(&mut self, slot: Slot, hot: &mut HotRecord) {
        if hot.has(bit::LISTED) {
            self.lists.unlink(slot);
        } else {
            self.map_of(hot).remove(&hot.last_packet);
        }
        hot.bits &= !(bit::LISTED | bit::MAPPED);
    }

    /// The map for a flow that is not lingering.
    fn map_of(&mut self, hot: &HotRecord) -> &mut BTreeMap<u64, Slot> {
        &mut self.maps[usize::from(!hot.state.is_half_open())]
    }

    /// Works towards an exact order, some steps per insertion, as soon as the table is half full.
    pub(crate) fn prepare(&mut self, live: usize, limit: usize, records: &mut impl HotRecords) {
        if live * 4 < limit {
            self.strict = false;
            self.scan = None;
        } else if !self.strict && (live + 1) * 2 >= limit {
            self.strict = true;
            self.scan = Some(0);
            self.scan_end = records.count();
        }
        self.collect(STEPS, records);
    }

    fn collect(&mut self, steps: u32, records: &mut impl HotRecords) {
        let Some(mut at) = self.scan else { return };
        for _ in 0..steps {
            if at >= self.scan_end {
                self.scan = None;
                return;
            }
            let hot = records.record(at);
            if hot.last_packet != 0 && hot.bits & (bit::LISTED | bit::MAPPED) == 0 {
                self.map_of(hot).insert(hot.last_packet, at);
                hot.set(bit::MAPPED, true);
            }
            at += 1;
        }
        self.scan = Some(at);
    }

    /// EVICT-2: the entry to evict.
    pub(crate) fn victim(
        &mut self,
        policy: Eviction,
        records: &mut impl HotRecords,
    ) -> Option<Slot> {
        if let Some(lingering) = self.lists.front(Class::Lingering as u32) {
            return Some(lingering);
        }
        if !self.strict {
            // The limit is reached by memory, not by number: the order was not foreseen.
            self.strict = true;
            self.scan = Some(0);
            self.scan_end = records.count();
        }
        self.collect(u32::MAX, records);
        let mut oldest = |class: Class, map: usize| {
            let listed = self.lists.front(class as u32);
            let listed = listed.map(|slot| (records.record(slot).last_packet, slot));
            let mapped = self.maps[map].first_key_value().map(|(packet, slot)| (*packet, *slot));
            listed.into_iter().chain(mapped).min()
        };
        let (half_open, rest) = (oldest(Class::HalfOpen, 0), oldest(Class::Rest, 1));
        let victim = match policy {
            Eviction::HalfOpenFirst => half_open.or(rest),
            Eviction::OldestLastSeen => half_open.into_iter().chain(rest).min(),
        };
        victim.map(|(_, slot)| slot)
    }

    /// A flow that is likely to be the next [`victim`](Self::victim).
    pub(crate) fn front(&self) -> Option<Slot> {
        let classes = [Class::Lingering, Class::HalfOpen, Class::Rest];
        classes.into_iter().find_map(|class| self.lists.front(class as u32))
    }

    /// Bytes held, by capacity; of the maps, by content.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.lists.capacity_bytes()
            + self.maps.iter().map(BTreeMap::len).sum::<usize>() * size_of::<(u64, Slot)>() * 3 / 2
    }
}
