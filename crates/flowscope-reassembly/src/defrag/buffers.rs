//! Reusable buffers in power-of-two sizes, counted by capacity.

use super::store::{FragmentStore, StoredFragment};

/// The buffers of all datagrams.
pub(super) struct Buffers {
    limit: usize,
    in_use: usize,
    bytes: BufferPool<u8>,
    pieces: BufferPool<StoredFragment>,
}

impl Buffers {
    /// Buffers of at most `limit` bytes in total, spare ones included.
    pub(super) fn new(limit: usize) -> Self {
        Buffers { limit, in_use: 0, bytes: BufferPool::new(64), pieces: BufferPool::new(4) }
    }

    /// Bytes to allocate before `bytes` more and one more fragment fit.
    pub(super) fn growth(&self, store: &FragmentStore, bytes: usize) -> usize {
        self.bytes.growth(&store.bytes, bytes) + self.pieces.growth(&store.pieces, 1)
    }

    /// Whether a store of `own` bytes could grow by `growth` if it were the only one.
    pub(super) fn could_hold(&self, own: usize, growth: usize) -> bool {
        own + growth <= self.limit
    }

    /// Whether `growth` bytes can be allocated. Spare buffers are freed first, so they do not count.
    pub(super) fn has_room(&self, growth: usize) -> bool {
        self.in_use + growth <= self.limit
    }

    /// Grows `store` for `bytes` more and one more fragment. [`has_room`](Self::has_room) must be true for
    /// the growth.
    pub(super) fn grow(&mut self, store: &mut FragmentStore, bytes: usize) {
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

    /// Returns a store to the pool.
    pub(super) fn put(&mut self, store: FragmentStore) {
        self.in_use -= store.capacity_bytes();
        self.pieces.put(store.pieces);
        self.put_bytes(store.bytes);
    }

    /// Returns the list of fragments to the pool; the byte buffer goes to the caller.
    pub(super) fn put_pieces(&mut self, store: FragmentStore) -> Vec<u8> {
        self.in_use -= store.capacity_bytes();
        self.pieces.put(store.pieces);
        self.trim();
        store.bytes
    }

    /// A byte buffer for the caller to keep.
    pub(super) fn take_bytes(&mut self, len: usize) -> Vec<u8> {
        self.bytes.take(len)
    }

    /// Returns a byte buffer to the pool.
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

/// Spare buffers by capacity, a power of two. The capacity depends on the content of a buffer only, not on
/// its history.
struct BufferPool<T> {
    least: usize,
    classes: Vec<Vec<Vec<T>>>,
    held: usize,
}

/// More spare buffers of one size than this are freed.
const MOST_SPARE: usize = 16;

impl<T: Copy> BufferPool<T> {
    fn new(least: usize) -> Self {
        BufferPool { least, classes: Vec::new(), held: 0 }
    }

    fn capacity_for(&self, len: usize) -> usize {
        len.max(self.least).next_power_of_two()
    }

    fn class(&self, capacity: usize) -> usize {
        (capacity / self.least).ilog2() as usize
    }

    /// Size in bytes of the new buffer needed before `more` elements fit; 0 if they fit.
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
        let class = self.class(capacity);
        match self.classes.get_mut(class).and_then(Vec::pop) {
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
        let class = self.class(capacity);
        if self.classes.len() <= class {
            self.held += (class + 1 - self.classes.len()) * size_of::<Vec<Vec<T>>>();
            self.classes.reserve_exact(class + 1 - self.classes.len());
            self.classes.resize_with(class + 1, Vec::new);
        }
        if self.classes[class].len() < MOST_SPARE {
            if self.classes[class].capacity() == 0 {
                self.classes[class].reserve_exact(MOST_SPARE);
                self.held += MOST_SPARE * size_of::<Vec<T>>();
            }
            buffer.clear();
            self.classes[class].push(buffer);
            self.held += capacity * size_of::<T>();
        }
    }

    fn clear(&mut self) {
        self.classes = Vec::new();
        self.held = 0;
    }

    /// Bytes in spare buffers and in the lists of them.
    fn heap_bytes(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_limit_may_be_used() {
        let mut buffers = Buffers::new(1000);
        assert!(buffers.could_hold(600, 400) && !buffers.could_hold(600, 401));
        assert!(buffers.has_room(1000) && !buffers.has_room(1001));
        buffers.in_use = 600;
        assert!(buffers.has_room(400) && !buffers.has_room(401));
    }
}
