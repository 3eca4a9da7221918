//! Storage that grows by whole chunks: nothing moves when it grows, so growing never stalls.

use std::ops::{Index, IndexMut};

const SHIFT: u32 = 9;
/// Entries per chunk.
pub(crate) const CHUNK: usize = 1 << SHIFT;

/// A vector in chunks of [`CHUNK`] entries.
pub(crate) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Chunked<T> {
    pub(crate) const fn new() -> Self {
        Chunked { chunks: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Whether the next push allocates.
    pub(crate) fn is_full(&self) -> bool {
        (self.len as usize).is_multiple_of(CHUNK)
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if self.is_full() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(value);
            self.len += 1;
        }
    }

    /// Pushes a value that is the same for all entries: they are made a chunk at a time.
    #[inline]
    pub(crate) fn push_filler(&mut self, value: T)
    where
        T: Copy,
    {
        if self.is_full() {
            self.chunks.push(vec![value; CHUNK]);
        }
        self.len += 1;
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }
}

impl<T> Index<u32> for Chunked<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: u32) -> &T {
        &self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)]
    }
}

impl<T> IndexMut<u32> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_stays_where_it_is() {
        let mut chunked = Chunked::new();
        for i in 0..5 * CHUNK as u32 + 3 {
            chunked.push(i);
        }
        assert_eq!(chunked.len(), 5 * CHUNK as u32 + 3);
        assert!((0..chunked.len()).all(|i| chunked[i] == i));
        assert!(chunked.capacity_bytes() >= 6 * CHUNK * 4);
    }
}
