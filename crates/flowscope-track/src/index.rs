//! From key to slot: a table of small places, a seeded hash, and a tripwire for floods of keys that were made to
//! collide.

use std::hash::{BuildHasher, Hash};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use siphasher::sip::SipHasher13;

use crate::TableHash;
use crate::lists::Slot;
use crate::places::{Found, Places};

/// More candidates than this in one look-up are no accident.
const MAX_CANDIDATES: u32 = 32;
/// Nor are more than this on average over [`WINDOW`] look-ups.
const MEAN_CANDIDATES: u32 = 4;
const WINDOW: u32 = 4096;

/// 32 bits of a key's hash. Kept beside the slot, so that growing the table and passing over a
/// candidate read no record.
pub(crate) type Tag = u32;

pub(crate) struct Index {
    places: Places,
    hash: Hash64,
    seed: u64,
    lookups: u32,
    candidates: u32,
    suspicious: bool,
}

/// Variants differ in size, but there is one of these in a tracker.
#[allow(clippy::large_enum_variant)]
enum Hash64 {
    Fold(SeedableRandomState),
    Sip(SipHasher13),
}

impl Index {
    pub(crate) fn new(hash: TableHash, seed: u64) -> Self {
        let hash = match hash {
            TableHash::Fold => {
                Hash64::Fold(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
            }
            TableHash::Sip13 => Hash64::Sip(SipHasher13::new_with_keys(seed, !seed)),
        };
        Index {
            places: Places::default(),
            hash,
            seed,
            lookups: 0,
            candidates: 0,
            suspicious: false,
        }
    }

    #[inline]
    pub(crate) fn tag<K: Hash>(&self, key: &K) -> Tag {
        let hash = match &self.hash {
            Hash64::Fold(state) => state.hash_one(key),
            Hash64::Sip(hasher) => {
                let mut hasher = *hasher;
                key.hash(&mut hasher);
                std::hash::Hasher::finish(&hasher)
            }
        };
        (hash ^ (hash >> 32)) as Tag
    }

    /// The first slot with this tag, whether or not its key fits: a guess to be verified later.
    #[inline]
    pub(crate) fn guess(&self, tag: Tag) -> Option<Slot> {
        self.places.find(tag, |_| true).slot
    }

    /// The slot with this tag whose key `is_it` says is the one.
    #[inline]
    pub(crate) fn find(&mut self, tag: Tag, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let Found { slot, candidates } = self.places.find(tag, is_it);
        self.lookups += 1;
        self.candidates += candidates;
        if candidates > MAX_CANDIDATES {
            self.suspicious = true;
        } else if self.lookups == WINDOW {
            self.suspicious |= self.candidates > MEAN_CANDIDATES * WINDOW;
            self.lookups = 0;
            self.candidates = 0;
        }
        slot
    }

    pub(crate) fn insert(&mut self, tag: Tag, slot: Slot) {
        self.places.insert(tag, slot);
    }

    pub(crate) fn remove(&mut self, tag: Tag, slot: Slot) {
        self.places.remove(tag, slot);
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether look-ups met more candidates than chance explains.
    #[inline]
    pub(crate) fn is_suspicious(&self) -> bool {
        self.suspicious
    }

    /// Goes over to SipHash-1-3 under a seed that follows from the old one, all entries along.
    pub(crate) fn reseed<'a, K: Hash + 'a>(&mut self, key_of: impl Fn(Slot) -> &'a K) {
        // splitmix64: whoever found collisions under the old seed has to begin again.
        let mut seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (seed >> 31);
        let places = std::mem::take(&mut self.places);
        *self = Index::new(TableHash::Sip13, seed);
        self.places = places.retagged(|slot| self.tag(key_of(slot)));
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.places.capacity_bytes()
    }

    /// Bytes that one more entry takes, at the table's fullest.
    pub(crate) const fn bytes_per_slot() -> usize {
        <Places>::bytes_per_slot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::spread;

    #[test]
    fn colliding_keys_trip_the_wire_and_a_new_seed_parts_them() {
        let mut index = Index::new(TableHash::Fold, 1);
        let mut keys: Vec<u64> = Vec::new();
        // A table of 2^13 buckets: keys whose tags lead to the same bucket and control byte.
        let alike = |index: &Index, key: u64| spread(index.tag(&key)) & (0x1fff | 0x7f << 57);
        let goal = alike(&index, 0);
        let mut candidate = 0;
        while keys.len() < 40 {
            if alike(&index, candidate) == goal {
                keys.push(candidate);
            }
            candidate += 1;
        }
        for (slot, key) in keys.iter().enumerate() {
            let tag = index.tag(key);
            index.find(tag, |slot| keys[slot as usize] == *key);
            index.insert(tag, slot as Slot);
        }
        assert!(index.is_suspicious());
        index.reseed(|slot| &keys[slot as usize]);
        assert!(!index.is_suspicious());
        for (slot, key) in keys.iter().enumerate() {
            let tag = index.tag(key);
            assert_eq!(index.find(tag, |s| keys[s as usize] == *key), Some(slot as Slot));
        }
        assert!(!index.is_suspicious());
    }
}
