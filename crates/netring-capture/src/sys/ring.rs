use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ring::BLOCK_STATUS;

/// Memory of the ring, shared with the kernel; each block is owned by one side at a time.
///
/// Invariant, by the kernel's protocol: a block whose status has `TP_STATUS_USER` set is owned by
/// this process, and the kernel neither reads nor writes it until `TP_STATUS_KERNEL` is stored
/// there. A second mapping of the same socket in this process would break it, so callers get only a
/// borrowed file descriptor, to wait on. A kernel that violates its protocol would break it too.
#[derive(Debug)]
pub(crate) struct RingMemory {
    start: NonNull<u8>,
    block_size: usize,
    blocks: usize,
}

impl RingMemory {
    /// Maps the ring of `blocks` blocks of `block_size` bytes that the socket has.
    pub(crate) fn map(fd: BorrowedFd<'_>, block_size: usize, blocks: usize) -> io::Result<Self> {
        Self::map_with(libc::MAP_SHARED, fd.as_raw_fd(), block_size, blocks)
    }

    fn map_with(flags: c_int, fd: RawFd, block_size: usize, blocks: usize) -> io::Result<Self> {
        let len = block_size.checked_mul(blocks).ok_or(io::ErrorKind::OutOfMemory)?;
        if block_size < BLOCK_STATUS + size_of::<u32>() || !block_size.is_multiple_of(4) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (hint, protection) = (ptr::null_mut(), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping at an address chosen by the kernel touches no memory in use. The
        // kernel refuses a length that is not the ring's.
        let start = unsafe { libc::mmap(hint, len, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(RingMemory { start, block_size, blocks })
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Memory of a block, if this process owns it.
    pub(crate) fn block(&self, number: usize) -> Option<&[u8]> {
        let start = self.block_start(number)?;
        // Acquire: what the kernel wrote before it set the status is visible after this.
        if self.status(start).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the block lies within the mapping and is owned by this process (see the type), so
        // nobody writes to it until `give_back`, which takes `&mut self` and therefore waits for
        // this borrow to end.
        Some(unsafe { slice::from_raw_parts(start.as_ptr(), self.block_size) })
    }

    /// Mutable memory of a block, if this process owns it.
    pub(crate) fn block_mut(&mut self, number: usize) -> Option<&mut [u8]> {
        let start = self.block_start(number)?;
        if self.status(start).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: as in `block`; and `&mut self` lasts as long as the slice does, so nothing on this
        // side reads or writes the block beside it, its status included.
        Some(unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.block_size) })
    }

    /// Returns a block to the kernel, which may write to it from then on. No effect on a block that
    /// the kernel owns already, or that does not exist.
    pub(crate) fn give_back(&mut self, number: usize) {
        if let Some(start) = self.block_start(number) {
            let status = self.status(start);
            if status.load(Ordering::Relaxed) & libc::TP_STATUS_USER != 0 {
                // Release: all reads of the block happen before the kernel sees this.
                status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            }
        }
    }

    fn block_start(&self, number: usize) -> Option<NonNull<u8>> {
        if number >= self.blocks {
            return None;
        }
        // SAFETY: `number` is below the count of blocks, so the offset is below the length that was
        // mapped, which `map` found not to overflow.
        Some(unsafe { self.start.add(number * self.block_size) })
    }

    /// Status word of a block, which says who owns it.
    fn status(&self, block: NonNull<u8>) -> &AtomicU32 {
        // SAFETY: a block holds its status, as `map` checked.
        let word = unsafe { block.add(BLOCK_STATUS) };
        // SAFETY: the word is aligned: mappings begin at a page, blocks and offset are multiples of
        // four. It lives as long as the mapping. Both sides treat it as atomic; slices that `block`
        // gives cover it, but only while neither side writes.
        unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
    }
}

impl Drop for RingMemory {
    fn drop(&mut self) {
        // SAFETY: exactly what `map` mapped, and every slice of it borrows from `self`. It cannot
        // fail with the arguments it was made with.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_size * self.blocks) };
    }
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for RingMemory {}
// SAFETY: `&self` reads blocks that nobody writes, and loads an atomic; what writes takes `&mut`.
unsafe impl Sync for RingMemory {}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const BLOCK_SIZE: usize = 4096;
    const BLOCKS: usize = 3;

    /// A ring whose kernel side is played by the test.
    fn plain() -> RingMemory {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        RingMemory::map_with(flags, -1, BLOCK_SIZE, BLOCKS).unwrap()
    }

    /// Acts as the kernel: fills a block with `value`, and hands it over.
    fn hand_over(start: usize, number: usize, value: u8) {
        let block: *mut u8 = ptr::with_exposed_provenance_mut(start + number * BLOCK_SIZE);
        let (status, rest) =
            (block.wrapping_add(BLOCK_STATUS), block.wrapping_add(BLOCK_STATUS + 4));
        // SAFETY: the tests call this for blocks of a mapping that is alive.
        let status = unsafe { AtomicU32::from_ptr(status.cast()) };
        while status.load(Ordering::Acquire) != libc::TP_STATUS_KERNEL {
            thread::yield_now();
        }
        // SAFETY: as above; the reader leaves the block alone until the status says otherwise.
        unsafe { rest.write_bytes(value, BLOCK_SIZE - BLOCK_STATUS - 4) };
        status.store(libc::TP_STATUS_USER, Ordering::Release);
    }

    #[test]
    fn a_block_is_lent_only_while_it_is_ours() {
        let mut ring = plain();
        let start = ring.start.as_ptr().expose_provenance();
        assert!((0..BLOCKS).all(|number| ring.block(number).is_none()));
        // A block that the kernel owns stays as it is.
        ring.give_back(1);
        hand_over(start, 1, 7);
        assert!(ring.block(0).is_none() && ring.block(2).is_none());
        let block = ring.block(1).unwrap();
        assert_eq!(block.len(), BLOCK_SIZE);
        assert!(block[BLOCK_STATUS + 4..].iter().all(|&byte| byte == 7));
        ring.give_back(1);
        assert!(ring.block(1).is_none());
    }

    #[test]
    fn a_block_that_is_ours_can_be_changed() {
        let mut ring = plain();
        let start = ring.start.as_ptr().expose_provenance();
        assert!((0..BLOCKS).all(|number| ring.block_mut(number).is_none()));
        for value in [7, 8] {
            hand_over(start, 1, value);
            ring.block_mut(1).unwrap()[100..200].fill(0);
            let block = ring.block(1).unwrap();
            assert_eq!(block[99..201], [&[value][..], &[0; 100], &[value]].concat());
            ring.give_back(1);
            assert!(ring.block_mut(1).is_none());
        }
    }

    #[test]
    fn blocks_that_do_not_exist_are_nobodys() {
        let mut ring = plain();
        for number in [BLOCKS, BLOCKS + 1, usize::MAX] {
            assert!(ring.block(number).is_none());
            assert!(ring.block_mut(number).is_none());
            ring.give_back(number);
        }
    }

    #[test]
    fn rings_that_cannot_be_are_refused() {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        for (block_size, blocks) in [(0, 1), (8, 1), (4097, 1), (usize::MAX & !3, 2), (4096, 0)] {
            assert!(RingMemory::map_with(flags, -1, block_size, blocks).is_err(), "{block_size}");
        }
    }

    #[test]
    fn what_was_written_before_the_hand_over_is_read_after_it() {
        let mut ring = plain();
        let start = ring.start.as_ptr().expose_provenance();
        let rounds = if cfg!(miri) { 10 } else { 1000 };
        thread::scope(|scope| {
            scope.spawn(move || {
                for round in 0..rounds {
                    hand_over(start, round % BLOCKS, round as u8);
                }
            });
            for round in 0..rounds {
                let number = round % BLOCKS;
                while ring.block(number).is_none() {
                    thread::yield_now();
                }
                let block = ring.block(number).unwrap();
                assert!(block[BLOCK_STATUS + 4..].iter().all(|&byte| byte == round as u8));
                ring.give_back(number);
            }
        });
    }
}
