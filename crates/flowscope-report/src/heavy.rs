//! The keys with the largest sums, in bounded memory.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The largest sums of many keys, of which at most so many are kept.
///
/// A key that finds no room takes the place of the one with the smallest sum and goes on from that sum: sums are too
/// high by at most [`error`](Heavy::error), and a key whose sum is higher than that is among them ("space-saving"). What else
/// is kept of a key begins anew then. Nothing depends on hashes: of equal sums, the key that comes first in order is
/// replaced.
#[derive(Clone, Debug)]
pub struct Heavy<K, V> {
    entries: HashMap<K, (u64, V)>,
    order: BTreeSet<(u64, K)>,
    room: usize,
    error: u64,
}

impl<K: Clone + Eq + Hash + Ord, V: Clone + Default> Heavy<K, V> {
    /// With room for so many keys, at least one.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Heavy { entries: HashMap::new(), order: BTreeSet::new(), room: room.max(1), error: 0 }
    }

    /// Adds to the sum of a key, and returns what else is kept of it.
    pub fn add(&mut self, key: K, n: u64) -> &mut V {
        let before = self.entries.get(&key).map(|(sum, _)| *sum);
        let from = match before {
            Some(sum) => {
                self.order.remove(&(sum, key.clone()));
                sum
            }
            None if self.entries.len() < self.room => 0,
            None => match self.order.pop_first() {
                Some((least, replaced)) => {
                    self.entries.remove(&replaced);
                    self.error = self.error.max(least);
                    least
                }
                None => 0,
            },
        };
        let sum = from.saturating_add(n);
        self.order.insert((sum, key.clone()));
        let entry = self.entries.entry(key).or_default();
        entry.0 = sum;
        &mut entry.1
    }

    /// The keys with the largest sums, those first; of equal sums, in the order of the keys.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&K, u64, &V)> {
        let mut all: Vec<_> = self.order.iter().map(|(sum, key)| (*sum, key)).collect();
        all.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
        let entry = |(sum, key): (u64, _)| Some((key, sum, &self.entries.get(key)?.1));
        all.into_iter().take(most).filter_map(entry).collect()
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// By how much a sum may be too high; 0 if all keys found room.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.error
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flowscope_testkit::Rng;

    use super::*;

    #[test]
    fn all_keys_that_find_room_are_exact() {
        let mut heavy: Heavy<&str, u32> = Heavy::new(3);
        for (key, n) in [("b", 5), ("a", 2), ("b", 1), ("c", 2)] {
            *heavy.add(key, n) += 1;
        }
        assert_eq!(heavy.top(9), [(&"b", 6, &2), (&"a", 2, &1), (&"c", 2, &1)]);
        assert_eq!((heavy.error(), heavy.top(1).len()), (0, 1));
        *heavy.add("d", 1) += 1;
        assert_eq!(heavy.top(9), [(&"b", 6, &2), (&"d", 3, &1), (&"c", 2, &1)]);
        assert_eq!(heavy.error(), 2);
    }

    #[test]
    fn sums_are_too_high_by_the_error_at_most_and_no_large_key_is_missing() {
        let mut rng = Rng::new(7);
        for room in [1, 4, 30] {
            let mut heavy: Heavy<u64, ()> = Heavy::new(room);
            let mut exact: BTreeMap<u64, u64> = BTreeMap::new();
            for _ in 0..3000 {
                let key = (rng.below(10) * rng.below(10)) as u64;
                let n = rng.below(20) as u64;
                heavy.add(key, n);
                *exact.entry(key).or_default() += n;
            }
            let top = heavy.top(usize::MAX);
            assert!(top.len() <= room);
            for (key, sum, ()) in &top {
                assert!(exact[*key] <= *sum && *sum <= exact[*key] + heavy.error(), "{key}");
            }
            for (key, sum) in &exact {
                assert!(
                    *sum <= heavy.error() || top.iter().any(|(kept, ..)| *kept == key),
                    "{key}"
                );
            }
        }
    }
}
