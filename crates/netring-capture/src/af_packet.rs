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
use crate::{
    AfPacketConfig, Block, Capture, CaptureError, CaptureStats, Interface, ShuntMap, setup,
};

/// AF_PACKET capture on one interface, through a ring shared with the kernel (`TPACKET_V3`).
///
/// Frames are read in place, a block at a time by [`next_block`](Self::next_block), or in batches
/// of at most 64 by [`PacketSource`]. For everything else see [`Capture`].
///
/// Other captures on the interface see the frames that this one sends; it does not see them itself.
///
/// # Losses
///
/// When all blocks are unread, new frames are dropped and counted: see [`CaptureStats`]. A slow
/// reader loses the newest frames, never those that are in the ring.
///
/// The kernel's counters have 32 bits and are reset by reading. They are read regularly while
/// frames are lent, so the totals are exact unless 2^32 frames are dropped while none is lent.
#[derive(Debug)]
pub struct AfPacket {
    // Declared before the socket, because it must be unmapped before the socket is closed.
    memory: RingMemory,
    socket: OwnedFd,
    shunt: Option<ShuntMap>,
    interface: Interface,
    link: LinkType,
    interface_number: u32,
    snap_len: u32,
    latency: Duration,
    /// Index of the block that is read, or that the kernel hands over next.
    at: usize,
    held: Held,
    /// Storage for the views of a batch; empty between batches.
    views: Vec<PacketView<'static>>,
    stats: CaptureStats,
    /// Frames lent since the kernel's counters were last read.
    lent: u64,
}

/// Read position in the current block.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// No current block.
    Nothing,
    /// Read up to this position.
    Part(Cursor),
    /// Lent as a whole; it is returned at the end of the loan.
    Lent,
}

impl AfPacket {
    /// Opens a capture. An interface that is down delivers frames once it is up.
    ///
    /// # Errors
    ///
    /// [`CaptureError`]: no such interface, missing permission, or a setting that the kernel
    /// refused.
    pub fn open(interface: &str, config: &AfPacketConfig) -> Result<Self, CaptureError> {
        let interface = Interface::find(interface)?;
        let Some(link) = interface.link else {
            let (hardware, interface) = (interface.hardware, interface.name);
            return Err(CaptureError::UnsupportedLink { interface, hardware });
        };
        let (socket, memory, shunt) = setup::open(&interface, config)?;
        Ok(AfPacket {
            memory,
            socket,
            shunt,
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

    /// Lends the next block handed over by the kernel, or the rest of one that
    /// [`PacketSource::next_batch`] has begun; `None` if there is none at the moment.
    ///
    /// Dropping the block returns it to the kernel.
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

    /// Finds the block and the position to read on. Looks at each block at most once.
    fn hold(&mut self) -> Option<Cursor> {
        if let Held::Lent = self.held {
            // Its `Block` was leaked instead of dropped.
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

    /// Restores the VLAN tags that the kernel removed from the next frames of the current block.
    /// Only Ethernet frames have tags.
    fn restore_tags(&mut self, cursor: Cursor, frames: usize, fetch: bool) {
        if self.link == LinkType::ETHERNET
            && let Some(block) = self.memory.block_mut(self.at)
        {
            tags::restore(block, cursor, frames, fetch);
        }
    }

    /// The frames of the current block.
    #[inline]
    pub(crate) fn frames_from(&self, cursor: Cursor) -> Frames<'_> {
        // The block is owned until it is returned, so the default is never used.
        let memory = self.memory.block(self.at).unwrap_or_default();
        Frames::new(memory, cursor, self.snap_len)
    }

    /// Returns the current block to the kernel.
    pub(crate) fn give_back(&mut self) {
        self.memory.give_back(self.at);
        self.at = (self.at + 1) % self.memory.blocks();
        self.held = Held::Nothing;
    }

    /// Counts lent frames, and reads the kernel's counters long before they wrap.
    fn count(&mut self, frames: u64) {
        self.stats.delivered += frames;
        self.lent += frames;
        if self.lent >= 1 << 30 {
            self.lent = 0;
            // On failure the kernel's counters go on, and the next attempt reads them.
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

/// `next_batch` does not wait: `Ok(0)` means that no frame is ready.
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
                // A block that contradicts itself is not read further.
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
        // The kernel's packet count includes drops.
        self.stats.packets += packets;
        self.stats.kernel_drop += drops;
        self.stats.freezes += freezes;
        let shunted = self.shunt.as_ref().map_or(0, ShuntMap::packets);
        // The kernel does not count what a program keeps back.
        Ok(CaptureStats { packets: self.stats.packets + shunted, shunted, ..self.stats })
    }

    fn shunt_map(&self) -> Option<&ShuntMap> {
        self.shunt.as_ref()
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

    fn check_interface(&self) -> Option<CaptureError> {
        self.interface.check(self.socket.as_fd())
    }

    fn refuse(&mut self) -> Result<(), CaptureError> {
        sys::attach_filter(self.socket.as_fd(), &Program::nothing())
            .map_err(|source| CaptureError::of("stop capturing", source))
    }

    fn is_drained(&mut self) -> Result<bool, CaptureError> {
        let stats = self.stats()?;
        Ok(stats.delivered + stats.shunted + stats.lost() >= stats.packets)
    }

    fn ring(&self) -> Option<(u64, u64)> {
        // The kernel hands blocks over in order.
        let blocks = self.memory.blocks();
        let ours = |step: &usize| self.memory.block((self.at + step) % blocks).is_some();
        Some(((0..blocks).take_while(ours).count() as u64, blocks as u64))
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
                // If the error persists, the next call returns it.
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

/// Frames per batch: enough to amortise the call, few enough to stay in the cache.
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
