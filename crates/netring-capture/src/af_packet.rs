use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource, PacketView};
use flowscope_filter::Program;

use crate::block::view;
use crate::ring::{Cursor, Frames, tags};
use crate::sys::{self, ring::RingMemory};
use crate::views::recycle;
use crate::{AfPacketConfig, Block, Capture, CaptureError, CaptureStats, Interface, setup};

/// A capture on one interface, through a ring of memory that the kernel shares.
///
/// Frames are read where the kernel put them, a block of them at a time: by
/// [`next_block`](Self::next_block), or through [`PacketSource`] in batches of at most 64. For all
/// else see [`Capture`].
///
/// A frame that this capture sends is seen by others on the interface, not by itself.
///
/// # Losses
///
/// A frame that finds all blocks unread is dropped and counted: see [`CaptureStats`]. So a reader
/// that is too slow loses the newest frames, never those it has not read yet.
///
/// The kernel keeps 32 bits of each counter and starts them again when they are read; they are read
/// now and then while frames are lent, so that the totals stay right for any length of time, unless
/// 2^32 frames are dropped while none is lent.
#[derive(Debug)]
pub struct AfPacket {
    // Unmapped before the socket is closed.
    memory: RingMemory,
    socket: OwnedFd,
    interface: Interface,
    link: LinkType,
    interface_number: u32,
    snap_len: u32,
    latency: Duration,
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
            latency: Duration::from_millis(config.retire_milliseconds().into()),
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
        self.restore_tags(cursor, usize::MAX, false);
        self.held = Held::Lent;
        self.count(u64::from(cursor.left()));
        Some(Block::new(self, cursor))
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

    /// Puts the tags back that the kernel took out of the next frames of the block at hand. Only
    /// Ethernet frames have any.
    fn restore_tags(&mut self, cursor: Cursor, frames: usize, fetch: bool) {
        if self.link == LinkType::ETHERNET
            && let Some(block) = self.memory.block_mut(self.at)
        {
            tags::restore(block, cursor, frames, fetch);
        }
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

    /// Counts frames as lent, and reads the kernel's counters long before they can wrap.
    fn count(&mut self, frames: u64) {
        self.stats.delivered += frames;
        self.lent += frames;
        if self.lent >= 1 << 30 {
            self.lent = 0;
            // If it fails, the counters go on and the next attempt reads them.
            let _ = self.stats();
        }
    }

    fn send_error(&self, len: usize, source: io::Error) -> CaptureError {
        match source.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => CaptureError::Busy,
            Some(libc::EMSGSIZE) => CaptureError::FrameTooLong { len, mtu: self.interface.mtu },
            _ => self.error("send a frame", source),
        }
    }

    fn error(&self, doing: &'static str, source: io::Error) -> CaptureError {
        CaptureError::on(&self.interface, doing, source)
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
            self.restore_tags(cursor, BATCH, true);
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
                // Not read if the block contradicts itself.
                self.stats.invalid += u64::from(cursor.left()).saturating_sub(lent as u64);
            }
            self.count(lent as u64);
            if lent > 0 {
                return Ok(lent);
            }
        }
        self.take_error().map_or(Ok(0), Err)
    }
}

impl Capture for AfPacket {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn link(&self) -> LinkType {
        self.link
    }

    fn stats(&mut self) -> Result<CaptureStats, CaptureError> {
        let new = sys::take_statistics(self.socket.as_fd());
        let [packets, drops, freezes] =
            new.map_err(|source| CaptureError::of("read the counters", source))?.map(u64::from);
        self.lent = 0;
        // The kernel's count of packets includes its drops.
        self.stats.packets += packets;
        self.stats.kernel_drop += drops;
        self.stats.freezes += freezes;
        Ok(self.stats)
    }

    fn is_ready(&self) -> bool {
        matches!(self.held, Held::Part(_)) || self.memory.block(self.at).is_some()
    }

    fn take_error(&self) -> Option<CaptureError> {
        match sys::take_error(self.socket.as_fd()) {
            Ok(None) => None,
            Ok(Some(source)) | Err(source) => Some(self.error("capture", source)),
        }
    }

    fn stop(&mut self) -> Result<(), CaptureError> {
        sys::attach_filter(self.socket.as_fd(), &Program::nothing())
            .map_err(|source| CaptureError::of("stop capturing", source))?;
        sys::wait_for_frames_under_way();
        Ok(())
    }

    fn is_drained(&mut self) -> Result<bool, CaptureError> {
        let stats = self.stats()?;
        Ok(stats.delivered + stats.lost() >= stats.packets)
    }

    fn latency(&self) -> Duration {
        self.latency
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), CaptureError> {
        sys::send(self.socket.as_fd(), frame).map_err(|source| self.send_error(frame.len(), source))
    }

    fn send_batch(&mut self, frames: &[&[u8]]) -> Result<usize, CaptureError> {
        let mut sent = 0;
        while let Some(first) = frames.get(sent) {
            match sys::send_many(self.socket.as_fd(), &frames[sent..]) {
                Ok(0) => break,
                Ok(some) => sent += some,
                // The next call meets it again, if it lasts.
                Err(_) if sent > 0 => break,
                Err(source) => {
                    return match self.send_error(first.len(), source) {
                        CaptureError::Busy => Ok(0),
                        error => Err(error),
                    };
                }
            }
        }
        Ok(sent)
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

/// Packets lent at once: enough to spread the cost of a call, few enough to stay in the cache.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_goes_where_it_is_needed() {
        fn check<T: Send + Sync>() {}
        check::<AfPacket>();
        // One type for all back ends.
        let _: Option<Box<dyn Capture>> = None;
    }
}
