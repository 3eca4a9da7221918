//! A bounded queue that knows how much memory its entries hold: that is asked for with every packet.

use std::collections::VecDeque;

/// What holds memory beside itself.
pub(crate) trait HeapBytes {
    /// The allocated memory, in bytes, by capacity.
    fn heap_bytes(&self) -> usize;
}

/// Up to `MAX` entries, oldest first, and the sum of the memory they hold.
#[derive(Debug)]
pub(crate) struct Counted<T, const MAX: usize> {
    entries: VecDeque<T>,
    held: usize,
}

impl<T: HeapBytes, const MAX: usize> Counted<T, MAX> {
    /// Adds an entry. Returns the oldest one, if it has to go for it.
    pub(crate) fn push(&mut self, entry: T) -> Option<T> {
        let oldest = if self.entries.len() == MAX { self.remove(0) } else { None };
        self.held += entry.heap_bytes();
        self.entries.push_back(entry);
        oldest
    }

    /// Removes the entry at this place.
    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        let entry = self.entries.remove(at)?;
        self.held -= entry.heap_bytes();
        Some(entry)
    }

    /// Removes all entries, and returns them.
    pub(crate) fn take(&mut self) -> VecDeque<T> {
        self.held = 0;
        std::mem::take(&mut self.entries)
    }

    /// Changes the entry at this place, and counts it anew.
    pub(crate) fn update(&mut self, at: usize, change: impl FnOnce(&mut T)) {
        if let Some(entry) = self.entries.get_mut(at) {
            self.held -= entry.heap_bytes();
            change(entry);
            self.held += entry.heap_bytes();
        }
    }

    /// The entry at this place.
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.entries.get(at)
    }

    /// The place of the first entry that is one.
    pub(crate) fn position(&self, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        self.entries.iter().position(is_it)
    }

    /// The place of the last entry that is one.
    pub(crate) fn last_position(&self, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        self.entries.iter().rposition(is_it)
    }

    /// The memory of the queue and of what its entries hold, in bytes. Does not look at the entries.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<T>() + self.held
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub(crate) fn recounted(&self) -> usize {
        self.entries.capacity() * size_of::<T>()
            + self.entries.iter().map(T::heap_bytes).sum::<usize>()
    }
}

impl<T, const MAX: usize> Default for Counted<T, MAX> {
    fn default() -> Self {
        Counted { entries: VecDeque::new(), held: 0 }
    }
}

/// Copies of texts have no spare capacity, so a copy is counted anew.
impl<T: Clone + HeapBytes, const MAX: usize> Clone for Counted<T, MAX> {
    fn clone(&self) -> Self {
        let entries = self.entries.clone();
        let held = entries.iter().map(T::heap_bytes).sum();
        Counted { entries, held }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How often an entry was counted.
        static COUNTED: Cell<usize> = const { Cell::new(0) };
    }

    impl HeapBytes for Vec<u8> {
        fn heap_bytes(&self) -> usize {
            COUNTED.set(COUNTED.get() + 1);
            self.capacity()
        }
    }

    #[test]
    fn every_change_is_counted() {
        let mut queue = Counted::<Vec<u8>, 3>::default();
        let is_counted = |queue: &Counted<Vec<u8>, 3>| {
            assert_eq!(queue.heap_bytes(), queue.recounted());
            queue.heap_bytes()
        };
        for len in 1..6 {
            let oldest = queue.push(vec![0; len]);
            assert_eq!(oldest.map(|it| it.len()), len.checked_sub(3).filter(|&len| len > 0));
            is_counted(&queue);
        }
        let before = is_counted(&queue);
        queue.update(1, |it| *it = vec![0; 100]);
        queue.update(9, |it| *it = vec![0; 100]);
        assert_eq!(is_counted(&queue), before + 96);
        queue.update(0, Vec::clear);
        queue.update(0, Vec::shrink_to_fit);
        assert_eq!(is_counted(&queue), before + 93);
        assert_eq!((queue.remove(1).map(|it| it.len()), queue.remove(7)), (Some(100), None));
        assert_eq!(is_counted(&queue), before - 7);
        assert_eq!((queue.take().len(), is_counted(&queue)), (2, 0));
    }

    #[test]
    fn a_copy_is_counted_as_it_is() {
        let mut queue = Counted::<Vec<u8>, 3>::default();
        queue.push(Vec::with_capacity(100));
        let mut copy = queue.clone();
        assert_eq!(copy.heap_bytes(), copy.recounted());
        copy.remove(0);
        assert_eq!(copy.heap_bytes(), copy.recounted());
    }

    #[test]
    fn entries_are_not_looked_at_for_the_sum() {
        let mut queue = Counted::<Vec<u8>, 3>::default();
        queue.push(vec![0; 7]);
        let before = COUNTED.get();
        assert!(queue.heap_bytes() > 7);
        assert_eq!(COUNTED.get(), before);
    }
}
