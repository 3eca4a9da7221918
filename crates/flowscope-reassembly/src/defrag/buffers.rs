//! Buffers of a few sizes, counted by capacity and used again.

use super::store::{Piece, Store};

/// All memory that datagrams have beside their records.
pub(super) struct Buffers {
    limit: usize,
    in_use: usize,
    bytes: Shelves<u8>,
    pieces: Shelves<Piece>,
}

impl Buffers {
    /// With this many bytes for everything, spare buffers included.
    pub(super) fn new(limit: usize) -> Self {
        Buffers { limit, in_use: 0, bytes: Shelves::new(64), pieces: Shelves::new(4) }
    }

    /// Bytes to be taken before `bytes` more, and one more piece, can be appended.
    pub(super) fn growth(&self, store: &Store, bytes: usize) -> usize {
        self.bytes.growth(&store.bytes, bytes) + self.pieces.growth(&store.pieces, 1)
    }

    /// Whether a store of `own` bytes could take `growth` more if it were the only one.
    pub(super) fn could_hold(&self, own: usize, growth: usize) -> bool {
        own + growth <= self.limit
    }

    /// Whether `growth` bytes can be taken. Spare buffers make way, so what is spare never matters.
    pub(super) fn has_room(&self, growth: usize) -> bool {
        self.in_use + growth <= self.limit
    }

    /// Makes room in `store` for `bytes` more and one more piece; [`has_room`](Self::has_room) for
    /// the growth must have been true.
    pub(super) fn grow(&mut self, store: &mut Store, bytes: usize) {
        let growth = self.growth(store, bytes);
        if growth == 0 {
            return;
        }
        let spare = self.bytes.heap_bytes() + self.pieces.heap_bytes();
        if self.in_use + spare + growth > self.limit {
            self.bytes.clear();
            self.pieces.clear();
        }
        let before = store.capacity_bytes();
        self.bytes.grow(&mut store.bytes, bytes);
        self.pieces.grow(&mut store.pieces, 1);
        self.in_use += store.capacity_bytes() - before;
        self.trim();
    }

    /// Takes a store back.
    pub(super) fn put(&mut self, store: Store) {
        self.in_use -= store.capacity_bytes();
        self.pieces.put(store.pieces);
        self.put_bytes(store.bytes);
    }

    /// Takes back the pieces only: the bytes leave the pool.
    pub(super) fn put_pieces(&mut self, store: Store) -> Vec<u8> {
        self.in_use -= store.capacity_bytes();
        self.pieces.put(store.pieces);
        self.trim();
        store.bytes
    }

    /// A buffer that leaves the pool.
    pub(super) fn lend_bytes(&mut self, len: usize) -> Vec<u8> {
        self.bytes.take(len)
    }

    /// Takes a buffer in that had left.
    pub(super) fn put_bytes(&mut self, bytes: Vec<u8>) {
        self.bytes.put(bytes);
        self.trim();
    }

    fn trim(&mut self) {
        if self.heap_bytes() > self.limit {
            self.bytes.clear();
            self.pieces.clear();
        }
    }

    /// Bytes held, in use or spare.
    pub(super) fn heap_bytes(&self) -> usize {
        self.in_use + self.bytes.heap_bytes() + self.pieces.heap_bytes()
    }
}

/// Spare buffers, sorted by capacity, which is a power of two: it follows from how much is in a
/// buffer, not from how it came to be.
struct Shelves<T> {
    least: usize,
    shelves: Vec<Vec<Vec<T>>>,
    held: usize,
}

/// More spare buffers of one size than this are freed.
const MOST_SPARE: usize = 16;

impl<T: Copy> Shelves<T> {
    fn new(least: usize) -> Self {
        Shelves { least, shelves: Vec::new(), held: 0 }
    }

    fn capacity_for(&self, len: usize) -> usize {
        len.max(self.least).next_power_of_two()
    }

    fn shelf(&self, capacity: usize) -> usize {
        (capacity / self.least).ilog2() as usize
    }

    /// Bytes of the buffer that has to be taken before `more` can be appended.
    fn growth(&self, buffer: &Vec<T>, more: usize) -> usize {
        let len = buffer.len() + more;
        if len <= buffer.capacity() { 0 } else { self.capacity_for(len) * size_of::<T>() }
    }

    fn grow(&mut self, buffer: &mut Vec<T>, more: usize) {
        if self.growth(buffer, more) > 0 {
            let mut larger = self.take(buffer.len() + more);
            larger.extend_from_slice(buffer);
            self.put(std::mem::replace(buffer, larger));
        }
    }

    fn take(&mut self, len: usize) -> Vec<T> {
        let capacity = self.capacity_for(len);
        let shelf = self.shelf(capacity);
        match self.shelves.get_mut(shelf).and_then(Vec::pop) {
            Some(buffer) => {
                self.held -= buffer.capacity() * size_of::<T>();
                buffer
            }
            None => Vec::with_capacity(capacity),
        }
    }

    fn put(&mut self, mut buffer: Vec<T>) {
        let capacity = buffer.capacity();
        if capacity < self.least || !capacity.is_power_of_two() {
            return;
        }
        let shelf = self.shelf(capacity);
        if self.shelves.len() <= shelf {
            self.held += (shelf + 1 - self.shelves.len()) * size_of::<Vec<Vec<T>>>();
            self.shelves.reserve_exact(shelf + 1 - self.shelves.len());
            self.shelves.resize_with(shelf + 1, Vec::new);
        }
        if self.shelves[shelf].len() < MOST_SPARE {
            if self.shelves[shelf].capacity() == 0 {
                self.shelves[shelf].reserve_exact(MOST_SPARE);
                self.held += MOST_SPARE * size_of::<Vec<T>>();
            }
            buffer.clear();
            self.shelves[shelf].push(buffer);
            self.held += capacity * size_of::<T>();
        }
    }

    fn clear(&mut self) {
        self.shelves = Vec::new();
        self.held = 0;
    }

    /// Bytes held by spare buffers and the shelves themselves.
    fn heap_bytes(&self) -> usize {
        self.held
    }
}
