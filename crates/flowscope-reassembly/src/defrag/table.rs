//! Table of datagrams by key, with a queue per IP version in the order of arrival.

use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};

use flowscope_core::Timestamp;
use foldhash::{SharedSeed, quality::SeedableRandomState};
use hashbrown::HashTable;

use super::datagram::Datagram;
use super::key::{Family, Key};

/// Index of a datagram in the table.
pub(super) type Slot = u32;

pub(super) struct Table {
    nodes: Vec<Node>,
    free: Slot,
    index: HashTable<Slot>,
    hash: SeedableRandomState,
    queues: [Queue; 2],
    begun: u64,
}

struct Node {
    datagram: Datagram,
    /// Number in order of arrival, to compare the fronts of the two queues.
    number: u64,
    prev: Slot,
    next: Slot,
}

/// Datagrams of one family in order of arrival, which is the order of their deadlines.
#[derive(Clone, Copy)]
struct Queue {
    front: Slot,
    back: Slot,
}

const NONE: Slot = Slot::MAX;

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Table {
            nodes: Vec::new(),
            free: NONE,
            index: HashTable::new(),
            hash: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            queues: [Queue { front: NONE, back: NONE }; 2],
            begun: 0,
        }
    }

    /// An upper bound for [`heap_bytes`](Self::heap_bytes) with up to this many datagrams.
    pub(super) const fn max_bytes(datagrams: usize) -> usize {
        if datagrams == 0 {
            return 0;
        }
        // Buckets are a power of two, an eighth of them stay free, and removals may leave marks that
        // make hashbrown double them once more.
        let buckets = (datagrams * 8 / 7 + 4).next_power_of_two() * 2;
        datagrams * size_of::<Node>() + buckets * (size_of::<Slot>() + 1) + 64
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, key: &Key) -> Option<Slot> {
        let is_it = |slot: &Slot| self.nodes[*slot as usize].datagram.key == *key;
        self.index.find(hash_of(&self.hash, key), is_it).copied()
    }

    /// Adds a datagram that [`find`](Self::find) does not; the table never grows beyond `most`.
    pub(super) fn insert(&mut self, datagram: Datagram, most: usize) -> Slot {
        let hash = hash_of(&self.hash, &datagram.key);
        let family = datagram.key.family;
        let node = Node { datagram, number: self.begun, prev: NONE, next: NONE };
        self.begun += 1;
        let slot = self.free;
        let slot = if slot == NONE {
            if self.nodes.len() == self.nodes.capacity() {
                let double = self.nodes.len().max(16);
                let more = double.min(most.saturating_sub(self.nodes.len())).max(1);
                self.nodes.reserve_exact(more);
            }
            self.nodes.push(node);
            (self.nodes.len() - 1) as Slot
        } else {
            let reused = &mut self.nodes[slot as usize];
            self.free = reused.next;
            *reused = node;
            slot
        };
        let nodes = &self.nodes;
        let rehash = |slot: &Slot| hash_of(&self.hash, &nodes[*slot as usize].datagram.key);
        self.index.insert_unique(hash, slot, rehash);
        self.link_back(family, slot);
        slot
    }

    /// Removes a datagram, whose store the caller has taken before.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.unlink(slot);
        let hash = hash_of(&self.hash, &self[slot].key);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        self.nodes[slot as usize].next = self.free;
        self.free = slot;
    }

    /// The oldest datagram of this family, and its start time.
    pub(super) fn front(&self, family: Family) -> Option<(Slot, Timestamp)> {
        let front = self.queues[family as usize].front;
        (front != NONE).then(|| (front, self[front].since))
    }

    /// The oldest datagram.
    pub(super) fn oldest(&self) -> Option<Slot> {
        let fronts = self.queues.iter().map(|queue| queue.front).filter(|front| *front != NONE);
        fronts.min_by_key(|front| self.nodes[*front as usize].number)
    }

    /// Bytes held, by capacity.
    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.index.allocation_size()
    }

    fn link_back(&mut self, family: Family, slot: Slot) {
        let queue = &mut self.queues[family as usize];
        let last = std::mem::replace(&mut queue.back, slot);
        if last == NONE {
            queue.front = slot;
        } else {
            self.nodes[last as usize].next = slot;
        }
        self.nodes[slot as usize].prev = last;
    }

    fn unlink(&mut self, slot: Slot) {
        let node = &self.nodes[slot as usize];
        let (prev, next, family) = (node.prev, node.next, node.datagram.key.family);
        let queue = &mut self.queues[family as usize];
        if prev == NONE {
            queue.front = next;
        } else {
            self.nodes[prev as usize].next = next;
        }
        if next == NONE {
            queue.back = prev;
        } else {
            self.nodes[next as usize].prev = prev;
        }
    }
}

fn hash_of(hash: &SeedableRandomState, key: &Key) -> u64 {
    hash.hash_one(key)
}

impl Index<Slot> for Table {
    type Output = Datagram;

    fn index(&self, slot: Slot) -> &Datagram {
        &self.nodes[slot as usize].datagram
    }
}

impl IndexMut<Slot> for Table {
    fn index_mut(&mut self, slot: Slot) -> &mut Datagram {
        &mut self.nodes[slot as usize].datagram
    }
}
