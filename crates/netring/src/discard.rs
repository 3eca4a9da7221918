//! Dropping what takes long to drop where no other task waits for it.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio::runtime::Handle;

use crate::AsyncDriver;

/// Drops a value in a thread of the runtime for blocking work. Outside of a runtime no task waits, so it
/// is dropped in place; by a runtime that is shutting down, too.
pub(crate) fn drop_elsewhere<T: Send + 'static>(value: T) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(value))),
        Err(_) => drop(value),
    }
}

/// The driver of a stream, and events that were taken out of it and not read yet.
///
/// Freeing a flow table takes some tenths of a microsecond per flow, so a large one is dropped
/// [elsewhere](drop_elsewhere). A small one is dropped in place, which takes less than passing it on.
pub(crate) struct Driven<D: AsyncDriver> {
    /// `None` only while it is dropped.
    parts: Option<(D, Kept<D::Event>)>,
    in_place: bool,
}

/// Largest driver that is dropped in place: flows, bytes of memory, and events that wait.
const SMALL: (usize, usize, usize) = (256, 1 << 20, 1024);

const THERE: &str = "taken only by what consumes the owner";

impl<D: AsyncDriver> Driven<D> {
    pub(crate) fn new(driver: D) -> Self {
        Driven { parts: Some((driver, Kept::default())), in_place: false }
    }

    /// Drops the driver where the stream is dropped, for a thread that does nothing else.
    #[cfg(target_os = "linux")]
    pub(crate) fn drop_in_place(&mut self) {
        self.in_place = true;
    }

    /// The driver. Events that were kept are dropped.
    pub(crate) fn into_driver(mut self) -> D {
        self.parts.take().expect(THERE).0
    }

    /// Puts the driver into another one, with the same events.
    #[cfg(target_os = "linux")]
    pub(crate) fn wrap<N: AsyncDriver<Event = D::Event>>(
        mut self,
        wrap: impl FnOnce(D) -> N,
    ) -> Driven<N> {
        let (driver, kept) = self.parts.take().expect(THERE);
        Driven { parts: Some((wrap(driver), kept)), in_place: self.in_place }
    }

    /// Takes all events out of the driver, to be read later.
    pub(crate) fn keep_events(&mut self) {
        let (driver, kept) = self.parts.as_mut().expect(THERE);
        while let Some(event) = driver.poll_event() {
            kept.push(event);
        }
    }

    /// The next event.
    #[inline]
    pub(crate) fn next_event(&mut self) -> Option<D::Event> {
        let (driver, kept) = self.parts.as_mut().expect(THERE);
        if kept.blocks.is_empty() { driver.poll_event() } else { kept.pop() }
    }

    fn is_small(driver: &D, kept: &Kept<D::Event>) -> bool {
        let (flows, bytes, events) = SMALL;
        driver.flows() <= flows && driver.heap_bytes() <= bytes && kept.len() <= events
    }
}

impl<D: AsyncDriver> Deref for Driven<D> {
    type Target = D;

    #[inline]
    fn deref(&self) -> &D {
        &self.parts.as_ref().expect(THERE).0
    }
}

impl<D: AsyncDriver> DerefMut for Driven<D> {
    #[inline]
    fn deref_mut(&mut self) -> &mut D {
        &mut self.parts.as_mut().expect(THERE).0
    }
}

impl<D: AsyncDriver> Drop for Driven<D> {
    fn drop(&mut self) {
        let Some((driver, kept)) = self.parts.take() else { return };
        if !self.in_place && !Self::is_small(&driver, &kept) {
            drop_elsewhere((driver, kept));
        }
    }
}

impl<D: AsyncDriver + fmt::Debug> fmt::Debug for Driven<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A queue in blocks: it grows by one block at a time, and never moves what is in it.
struct Kept<T> {
    /// None is empty.
    blocks: VecDeque<VecDeque<T>>,
    /// Blocks that were read.
    read: usize,
}

/// Items of a block.
const BLOCK: usize = 256;

impl<T: Send + 'static> Kept<T> {
    fn push(&mut self, item: T) {
        match self.blocks.back_mut() {
            Some(last) if last.len() < BLOCK => last.push_back(item),
            _ => {
                let mut block = VecDeque::with_capacity(BLOCK);
                block.push_back(item);
                self.blocks.push_back(block);
            }
        }
    }

    fn pop(&mut self) -> Option<T> {
        let first = self.blocks.front_mut()?;
        let item = first.pop_front();
        if first.is_empty() {
            let block = self.blocks.pop_front();
            self.read += 1;
            if self.blocks.is_empty() && std::mem::take(&mut self.read) > SMALL.2 / BLOCK {
                // With the last block, the allocator may give the memory of all of them back to the system.
                drop_elsewhere(block);
            }
        }
        item
    }

    /// Number of items, rounded up to whole blocks.
    fn len(&self) -> usize {
        self.blocks.len() * BLOCK
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { blocks: VecDeque::new(), read: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_items_come_out_in_order() {
        let mut kept = Kept::default();
        let (mut pushed, mut popped) = (0..3000, 0..);
        for some in [1, 255, 256, 257, 700, 1] {
            pushed.by_ref().take(some).for_each(|item| kept.push(item));
            for _ in 0..some / 2 {
                assert_eq!(kept.pop(), popped.next());
            }
        }
        while let Some(item) = kept.pop() {
            assert_eq!(Some(item), popped.next());
        }
        assert_eq!((pushed.next(), popped.next()), (Some(1470), Some(1470)));
        assert!(kept.blocks.is_empty());
    }
}
