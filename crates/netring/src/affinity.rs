use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowscope_core::{Endpoints, Extracted, FlowExtractor, PacketView, Refusal};

use crate::{Error, Stats};

/// Checks while workers run that both directions of a flow reach the same one: made by
/// [`Sharded::affinity`](crate::Sharded::affinity).
///
/// It follows one of eight flows, chosen by a hash of the key, and at most 4096 of them at a time. A flow
/// that is seen at two workers is split: each of them has one side of it, or a part of its packets. The
/// check costs a hash of the key per packet. Fragments are not looked at before they are joined.
#[derive(Clone)]
pub struct FlowAffinity(Arc<Table>);

struct Table {
    /// Flows by hash: see [`Table::check`].
    slots: Box<[AtomicU64]>,
    workers: Box<[Counts]>,
}

#[derive(Default)]
struct Counts {
    checked: AtomicU64,
    split: AtomicU64,
}

/// An extractor whose keys are checked. Made by [`FlowAffinity::watch`].
#[derive(Clone, Debug)]
pub struct Watched<E> {
    extractor: E,
    affinity: FlowAffinity,
    worker: usize,
}

const SLOTS: usize = 4096;

/// One of this many flows is followed.
const SAMPLE: u64 = 8;

/// Parts of a slot: number of the worker, whether the flow is known to be split, and the rest of the hash.
const WORKER: u64 = 0xfff;
const SPLIT: u64 = 0x1000;
const FLOW: u64 = !0x1fff;

impl FlowAffinity {
    pub(crate) fn new(workers: usize) -> Self {
        FlowAffinity(Arc::new(Table {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            workers: (0..workers).map(|_| Counts::default()).collect(),
        }))
    }

    /// Checks the keys that `extractor` finds at the worker with this number.
    pub fn watch<E: FlowExtractor>(&self, worker: usize, extractor: E) -> Watched<E> {
        Watched { extractor, affinity: self.clone(), worker }
    }

    /// Flows that were followed, of all workers. One that was forgotten counts again.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.0.workers.iter().map(|counts| counts.checked.load(Ordering::Relaxed)).sum()
    }

    /// Flows among them that were seen at more than one worker.
    #[must_use]
    pub fn split(&self) -> u64 {
        self.0.workers.iter().map(|counts| counts.split.load(Ordering::Relaxed)).sum()
    }

    /// Adds what a worker has found to its counters.
    pub(crate) fn add_to(
        &self,
        worker: usize,
        stats: Result<Stats, Error>,
    ) -> Result<Stats, Error> {
        let mut stats = stats?;
        if let Some(counts) = self.0.workers.get(worker) {
            stats.checked_flows = counts.checked.load(Ordering::Relaxed);
            stats.split_flows = counts.split.load(Ordering::Relaxed);
        }
        Ok(stats)
    }
}

impl Table {
    /// A packet of the flow with this hash is at a worker.
    fn check(&self, hash: u64, worker: usize) {
        let Some(counts) = self.workers.get(worker) else { return };
        let Some(slot) = self.slots.get((hash >> 48) as usize % SLOTS) else { return };
        // 0 is an empty slot.
        let here = hash & FLOW | (worker as u64 + 1) & WORKER;
        let there = slot.load(Ordering::Relaxed);
        if there & !SPLIT == here {
            return;
        }
        if there & FLOW != here & FLOW {
            slot.store(here, Ordering::Relaxed);
            counts.checked.fetch_add(1, Ordering::Relaxed);
        } else if there & SPLIT == 0 {
            // Of two workers that find it at the same time, one counts it.
            let split =
                slot.compare_exchange(there, there | SPLIT, Ordering::Relaxed, Ordering::Relaxed);
            counts.split.fetch_add(split.is_ok().into(), Ordering::Relaxed);
        }
    }
}

impl<E: FlowExtractor> FlowExtractor for Watched<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        let found = self.extractor.extract(view)?;
        if found.fragment.is_none() {
            let mut hasher = KeyHasher::default();
            found.key.hash(&mut hasher);
            let hash = hasher.finish();
            if (hash >> 32).is_multiple_of(SAMPLE) {
                self.affinity.0.check(hash, self.worker);
            }
        }
        Some(found)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.extractor.explain(view)
    }

    fn endpoints(key: &E::Key) -> Option<Endpoints> {
        E::endpoints(key)
    }
}

/// Quick hash of a key. Collisions spoil only the check.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl fmt::Debug for FlowAffinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowAffinity")
            .field("checked", &self.checked())
            .field("split", &self.split())
            .finish_non_exhaustive()
    }
}

/// Checks that both directions of flows reach the same worker, from the key and the worker of every
/// flow that starts: exact, for a limited number of keys, and by hand, unlike [`FlowAffinity`].
///
/// The other direction of a split flow is a one-sided flow at another worker. A new flow with the
/// same key at another worker counts as split too, so the check requires that the number of workers
/// and the indirection table of the card do not change. It remembers a limited number of keys and
/// ignores others.
#[derive(Clone, Debug)]
pub struct Affinity<K> {
    workers: HashMap<K, usize>,
    most: usize,
    split: u64,
}

impl<K: Hash + Eq + Clone> Affinity<K> {
    /// Remembers at most `most` keys.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Affinity { workers: HashMap::new(), most, split: 0 }
    }

    /// Records that a flow of this key has started at a worker. False if it was at another one
    /// before.
    pub fn saw(&mut self, key: &K, worker: usize) -> bool {
        let same = match self.workers.get(key) {
            Some(&before) => before == worker,
            None => {
                if self.workers.len() < self.most {
                    self.workers.insert(key.clone(), worker);
                }
                true
            }
        };
        self.split += u64::from(!same);
        same
    }

    /// Number of remembered keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.workers.len()
    }

    /// Number of starts at another worker than before.
    #[must_use]
    pub fn split(&self) -> u64 {
        self.split
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_at_two_workers_is_split_once() {
        let affinity = FlowAffinity::new(3);
        for hash in 1..=100_u64 {
            let hash = hash << 48 | hash << 20;
            affinity.0.check(hash, 1);
            affinity.0.check(hash, 1);
            if hash & 1 << 20 == 0 {
                affinity.0.check(hash, 0);
                affinity.0.check(hash, 2);
                affinity.0.check(hash, 1);
            }
        }
        assert_eq!((affinity.checked(), affinity.split()), (100, 50));
        let of = |worker| affinity.add_to(worker, Ok(Stats::default())).unwrap();
        assert_eq!([0, 1, 2].map(|worker| of(worker).split_flows), [50, 0, 0]);
        assert_eq!([0, 1, 2].map(|worker| of(worker).checked_flows), [0, 100, 0]);
    }

    #[test]
    fn one_of_eight_keys_is_followed() {
        let hash = |key: u64| {
            let mut hasher = KeyHasher::default();
            key.to_be_bytes().hash(&mut hasher);
            hasher.finish()
        };
        let followed = (0..8000).filter(|key| (hash(*key) >> 32) % SAMPLE == 0).count();
        assert!((800..1200).contains(&followed), "{followed}");
    }
}
