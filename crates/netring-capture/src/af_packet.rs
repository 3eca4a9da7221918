use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource, PacketView};

use crate::block::view;
use crate::ring::{Cursor, Frames};
use crate::sys::{self, ring::RingMemory};
use crate::{AfPacketConfig, Block, CaptureError, Filter, Interface, setup};

/// A capture on one interface, through a ring of memory that the kernel shares.
///
/// Nothing here waits but [`wait`](Self::wait). Frames are read where the kernel put them, a block
/// of them at a time: by [`next_block`](Self::next_block), or through [`PacketSource`] in batches of
/// at most 64. The descriptor that [`AsFd`] lends is readable whenever a block is ready, for `poll`,
/// `epoll` and what is built on them; on waking, read until there is nothing more, and ask
/// [`take_error`](Self::take_error) if there was nothing at all.
///
/// The capture is in the network namespace of the thread that opened it, and may be used from any.
///
/// # Losses
///
/// A frame that finds all blocks unread is dropped and counted: see [`stats`](Self::stats). So a
/// reader that is too slow loses the newest frames, never those it has not read yet.
#[derive(Debug)]
pub struct AfPacket {
    // Unmapped before the socket is closed.
    memory: RingMemory,
    socket: OwnedFd,
    interface: Interface,
    link: LinkType,
    interface_number: u32,
    snap_len: u32,
    /// The block that is read, or that the kernel hands over next.
    at: usize,
    held: Held,
    /// Storage for the views of a batch; empty between batches.
    views: Vec<PacketView<'static>>,
    stats: CaptureStats,
    /// Frames lent since the kernel's counters were read.
    lent: u64,
}

/// How far the block at hand is read.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// There is none.
    Nothing,
    /// Up to here.
    Part(Cursor),
    /// It was lent whole, and goes back once the loan is over.
    Lent,
}

/// What a capture has met since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Frames that passed the filter, those dropped included.
    pub packets: u64,
    /// Frames dropped as there was no room in the ring: `kernel_drop` of a ledger.
    pub drops: u64,
    /// How many times the ring was found full. These are no frames: those are in `drops`.
    pub freezes: u64,
}

impl AfPacket {
    /// Starts to capture. An interface that is down gives frames as soon as it is up.
    ///
    /// # Errors
    ///
    /// [`CaptureError`]: the interface, the permission, or what the kernel did not accept.
    pub fn open(interface: &str, config: &AfPacketConfig) -> Result<Self, CaptureError> {
        let interface = Interface::find(interface)?;
        let Some(link) = interface.link else {
            let (hardware, interface) = (interface.hardware, interface.name);
            return Err(CaptureError::UnsupportedLink { interface, hardware });
        };
        let (socket, memory) = setup::open(&interface, config)?;
        Ok(AfPacket {
            memory,
            socket,
            interface,
            link,
            interface_number: config.interface_number,
            snap_len: config.snap_len,
            at: 0,
            held: Held::Nothing,
            views: Vec::with_capacity(BATCH),
            stats: CaptureStats::default(),
            lent: 0,
        })
    }

    /// Lends the next block that the kernel has handed over, or what [`PacketSource::next_batch`]
    /// left of it; `None` if there is none at the moment.
    ///
    /// The block goes back to the kernel when it is dropped.
    #[inline]
    pub fn next_block(&mut self) -> Option<Block<'_>> {
        let cursor = self.hold()?;
        self.held = Held::Lent;
        self.count(u64::from(cursor.left()));
        Some(Block::new(self, cursor))
    }

    /// What was received and lost so far. The kernel keeps 32 bits of each; they are read now and
    /// then while frames are lent, so that the totals stay right for any length of time, unless
    /// 2^32 frames are dropped between two calls.
    ///
    /// `packets` is `drops` and the frames that were lent, once those are read that lie in blocks
    /// not yet handed over.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    pub fn stats(&mut self) -> Result<CaptureStats, CaptureError> {
        let new = sys::take_statistics(self.socket.as_fd());
        let [packets, drops, freezes] =
            new.map_err(|source| CaptureError::of("read the counters", source))?.map(u64::from);
        self.lent = 0;
        self.stats.packets += packets;
        self.stats.drops += drops;
        self.stats.freezes += freezes;
        Ok(self.stats)
    }

    /// Waits until a block is ready, for at most `timeout`, or for ever. False if there is none:
    /// the time is over, or a signal came.
    ///
    /// # Errors
    ///
    /// When there is nothing to read, what [`take_error`](Self::take_error) gives.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool, CaptureError> {
        if self.is_ready() {
            return Ok(true);
        }
        // Rounded up: waiting for less than a millisecond is not asking whether it is over.
        let milliseconds = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let woken = sys::poll_readable(self.socket.as_fd(), milliseconds)
            .map_err(|source| CaptureError::of("wait for frames", source))?;
        if self.is_ready() {
            return Ok(true);
        }
        // Not asked for unless it woke us: asking clears it.
        woken.then(|| self.take_error()).flatten().map_or(Ok(false), Err)
    }

    /// What befell the interface since the last call: [`CaptureError::InterfaceDown`], after which
    /// the capture goes on by itself once it is up again, or [`CaptureError::InterfaceGone`], after
    /// which nothing more will come. Each is told once, here, by [`wait`](Self::wait), or by
    /// [`PacketSource::next_batch`].
    #[must_use]
    pub fn take_error(&self) -> Option<CaptureError> {
        match sys::take_error(self.socket.as_fd()) {
            Ok(None) => None,
            Ok(Some(source)) | Err(source) => Some(self.error("capture", source)),
        }
    }

    /// Takes in no more frames. What is in the ring can still be read, all of it once the
    /// [retire timeout](AfPacketConfig::retire_timeout) is over.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    pub fn stop(&self) -> Result<(), CaptureError> {
        sys::attach_filter(self.socket.as_fd(), &Filter::nothing().raw())
            .map_err(|source| CaptureError::of("stop capturing", source))
    }

    /// Sends a frame, link header included, through the interface. This capture does not see it;
    /// others on the interface do.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Busy`] when there is no room at the moment; [`CaptureError::FrameTooLong`],
    /// [`CaptureError::InterfaceDown`], [`CaptureError::InterfaceGone`], [`CaptureError::System`].
    pub fn send(&self, frame: &[u8]) -> Result<(), CaptureError> {
        sys::send(self.socket.as_fd(), frame).map_err(|source| match source.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => CaptureError::Busy,
            Some(libc::EMSGSIZE) => {
                CaptureError::FrameTooLong { len: frame.len(), mtu: self.interface.mtu }
            }
            _ => self.error("send a frame", source),
        })
    }

    /// The interface, as it was when the capture was opened.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// What every frame begins with.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    pub(crate) fn interface_number(&self) -> u32 {
        self.interface_number
    }

    /// Finds the block to read on, and where. Looks at each block once at most.
    fn hold(&mut self) -> Option<Cursor> {
        if let Held::Lent = self.held {
            // Its `Block` was forgotten instead of dropped.
            self.give_back();
        }
        for _ in 0..self.memory.blocks() {
            if let Held::Part(cursor) = self.held {
                return Some(cursor);
            }
            let cursor = Cursor::start(self.memory.block(self.at)?);
            if cursor.left() > 0 {
                self.held = Held::Part(cursor);
                return Some(cursor);
            }
            self.give_back();
        }
        None
    }

    /// The frames of the block at hand.
    #[inline]
    pub(crate) fn frames_from(&self, cursor: Cursor) -> Frames<'_> {
        // It is ours until it is given back, so the default is never taken.
        let memory = self.memory.block(self.at).unwrap_or_default();
        Frames::new(memory, cursor, self.snap_len)
    }

    /// Hands the block at hand back to the kernel.
    pub(crate) fn give_back(&mut self) {
        self.memory.give_back(self.at);
        self.at = (self.at + 1) % self.memory.blocks();
        self.held = Held::Nothing;
    }

    fn is_ready(&self) -> bool {
        matches!(self.held, Held::Part(_)) || self.memory.block(self.at).is_some()
    }

    /// Counts frames as lent, and reads the kernel's counters long before they can wrap.
    fn count(&mut self, frames: u64) {
        self.lent += frames;
        if self.lent >= 1 << 30 {
            self.lent = 0;
            // If it fails, the counters go on and the next attempt reads them.
            let _ = self.stats();
        }
    }

    fn error(&self, doing: &'static str, source: io::Error) -> CaptureError {
        let Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) = source.raw_os_error() else {
            return CaptureError::of(doing, source);
        };
        let interface = self.interface.name.clone();
        match Interface::find(&interface) {
            Ok(now) if now.index == self.interface.index => {
                CaptureError::InterfaceDown { interface }
            }
            _ => CaptureError::InterfaceGone { interface },
        }
    }
}

/// `next_batch` does not wait: `Ok(0)` says that nothing is ready.
impl PacketSource for AfPacket {
    type Error = CaptureError;

    fn next_batch(
        &mut self,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Result<usize, CaptureError> {
        for _ in 0..self.memory.blocks() {
            let Some(cursor) = self.hold() else { break };
            let mut views = recycle(mem::take(&mut self.views));
            let mut frames = self.frames_from(cursor);
            let (link, number) = (self.link, self.interface_number);
            views.extend(frames.by_ref().take(BATCH).map(|frame| view(frame, link, number)));
            let lent = views.len();
            if lent > 0 {
                lend(&views);
            }
            let rest = frames.cursor();
            self.views = recycle(views);
            self.held = Held::Part(rest);
            if rest.left() == 0 {
                self.give_back();
            }
            self.count(lent as u64);
            if lent > 0 {
                return Ok(lent);
            }
        }
        self.take_error().map_or(Ok(0), Err)
    }
}

impl AsFd for AfPacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for AfPacket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Empties a list of views and gives its storage another lifetime. Collecting from a vector's own
/// iterator into the same layout keeps the allocation.
fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}

/// Packets lent at once: enough to spread the cost of a call, few enough to stay in the cache.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_of_a_batch_is_kept() {
        let views: Vec<PacketView<'_>> = Vec::with_capacity(BATCH);
        let start = views.as_ptr();
        let again = recycle(views);
        assert!(again.capacity() >= BATCH);
        assert_eq!(again.as_ptr().cast::<u8>(), start.cast());
    }

    #[test]
    fn a_capture_goes_where_it_is_needed() {
        fn check<T: Send + Sync>() {}
        check::<AfPacket>();
    }
}
