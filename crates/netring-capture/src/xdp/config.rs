use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::xdp::QueueSetup;

/// Configuration of an [`AfXdp`](crate::AfXdp) capture.
#[derive(Clone, Debug)]
pub struct AfXdpConfig {
    pub(super) queues: Vec<u32>,
    pub(super) mode: XdpMode,
    pub(super) copy: CopyMode,
    pub(super) multi_buffer: bool,
    frames: u32,
    frame_size: u32,
    rx_ring: u32,
    tx_ring: u32,
    pub(super) need_wakeup: bool,
    pub(super) busy_poll: Option<Duration>,
    pub(super) map: Option<Arc<OwnedFd>>,
    pub(super) shunt: Option<NonZeroU32>,
    pub(super) promiscuous: bool,
    pub(super) snap_len: u32,
    pub(super) interface_number: u32,
}

/// Place of the XDP program in the kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum XdpMode {
    /// In the driver if supported, else as [`Generic`](Self::Generic).
    #[default]
    Auto,
    /// In the driver; opening fails if it is not supported.
    Native,
    /// After the driver, when the kernel has built a buffer for the frame. Every interface supports
    /// it; it is slower.
    Generic,
}

/// Whether the kernel copies frames into the memory of the capture.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum CopyMode {
    /// Zero-copy if the driver supports it.
    #[default]
    Auto,
    /// The card writes to the memory directly; opening fails if it is not supported.
    ZeroCopy,
    /// The kernel always copies.
    Copy,
}

impl AfXdpConfig {
    /// Numbers of the receive queues to capture. Default, also for an empty list: all.
    #[must_use]
    pub fn queues(mut self, queues: impl Into<Vec<u32>>) -> Self {
        self.queues = queues.into();
        self
    }

    /// Place of the program. Default [`XdpMode::Auto`].
    #[must_use]
    pub fn mode(mut self, mode: XdpMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether frames are copied. In [`XdpMode::Generic`] they always are. Default
    /// [`CopyMode::Auto`].
    #[must_use]
    pub fn copy(mut self, copy: CopyMode) -> Self {
        self.copy = copy;
        self
    }

    /// Accepts packets that are longer than a frame, in several pieces (Linux 6.6 and later). They
    /// are copied together; at most 128 KiB of each are kept. Default no: such packets are lost and
    /// counted as invalid.
    #[must_use]
    pub fn multi_buffer(mut self, on: bool) -> Self {
        self.multi_buffer = on;
        self
    }

    /// Number of frames for receiving per queue, at most 2^20; as many packets can wait to be read.
    /// Default 4096.
    #[must_use]
    pub fn frames(mut self, count: NonZeroU32) -> Self {
        self.frames = count.get();
        self
    }

    /// Size of a frame: 2048 bytes, 4096, or a value that is rounded up to a power of two up to the
    /// page size. The kernel takes 256 bytes of it, the rest is for the packet. Default 4096.
    #[must_use]
    pub fn frame_size(mut self, bytes: NonZeroU32) -> Self {
        self.frame_size = bytes.get();
        self
    }

    /// Entries of the receive ring; rounded up to a power of two, at most 2^20. A packet in several
    /// pieces takes one entry per piece. Default 4096, as many as there are frames.
    #[must_use]
    pub fn rx_ring(mut self, places: NonZeroU32) -> Self {
        self.rx_ring = places.get();
        self
    }

    /// Entries of the send ring, and number of frames for sending; rounded up to a power of two, at
    /// most 2^20. Default 256.
    #[must_use]
    pub fn tx_ring(mut self, places: NonZeroU32) -> Self {
        self.tx_ring = places.get();
        self
    }

    /// Lets the driver sleep until it is woken, which is done when it requests it. Default yes.
    #[must_use]
    pub fn need_wakeup(mut self, on: bool) -> Self {
        self.need_wakeup = on;
        self
    }

    /// Makes each read that finds no frame do the work of the driver for this long, in place of
    /// interrupts (Linux 5.11 and later; `napi_defer_hard_irqs` and `gro_flush_timeout` of the
    /// interface must be set too). For threads that only read. Whole microseconds. Default: no.
    #[must_use]
    pub fn busy_poll(mut self, time: Duration) -> Self {
        self.busy_poll = Some(time);
        self
    }

    /// Adds the sockets to this map (`BPF_MAP_TYPE_XSKMAP`) of a program that is already attached. Opening the
    /// capture fails if the descriptor is something else.
    /// No other program is attached, and [`mode`](Self::mode) has no effect. Default: the capture
    /// attaches a program that takes all frames of the queues.
    #[must_use]
    pub fn socket_map(mut self, map: OwnedFd) -> Self {
        self.map = Some(Arc::new(map));
        self
    }

    /// Lets the kernel count packets of at most so many flows at a time, and drop them, without this capture
    /// receiving them: see [`ShuntMap`](crate::ShuntMap) (Linux 5.18 and later). A flow takes about 300 bytes of
    /// kernel memory while it is in the map; a flow that finds the map full is read as before. Not possible
    /// together with [`socket_map`](Self::socket_map). Default no.
    #[must_use]
    pub fn shunt(mut self, flows: NonZeroU32) -> Self {
        self.shunt = Some(flows);
        self
    }

    /// Receives frames that are not addressed to the interface, until the capture is dropped.
    /// Default no.
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.promiscuous = on;
        self
    }

    /// Most bytes lent of a frame, from the link header on. The view still has the length on the
    /// wire. Default: all.
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.snap_len = bytes.get();
        self
    }

    /// Interface number in the views, to tell merged captures apart. Default 0.
    #[must_use]
    pub fn interface_number(mut self, number: u32) -> Self {
        self.interface_number = number;
        self
    }

    /// Settings of each queue, for this page size.
    pub(super) fn setup(&self, page_size: usize) -> QueueSetup {
        let largest = u32::try_from(page_size).unwrap_or(MOST).clamp(SMALLEST_FRAME, MOST);
        let ring = |places: u32| places.clamp(1, MOST).next_power_of_two();
        QueueSetup {
            frames: self.frames.clamp(1, MOST),
            frame_size: self.frame_size.clamp(SMALLEST_FRAME, largest).next_power_of_two(),
            rx_ring: ring(self.rx_ring),
            tx_ring: ring(self.tx_ring),
            need_wakeup: self.need_wakeup,
            multi_buffer: self.multi_buffer,
            copy: match self.copy {
                CopyMode::Auto => None,
                CopyMode::ZeroCopy => Some(false),
                CopyMode::Copy => Some(true),
            },
        }
    }
}

impl Default for AfXdpConfig {
    fn default() -> Self {
        AfXdpConfig {
            queues: Vec::new(),
            mode: XdpMode::default(),
            copy: CopyMode::default(),
            multi_buffer: false,
            frames: 4096,
            frame_size: 4096,
            rx_ring: 4096,
            tx_ring: 256,
            need_wakeup: true,
            busy_poll: None,
            map: None,
            shunt: None,
            promiscuous: false,
            snap_len: u32::MAX,
            interface_number: 0,
        }
    }
}

/// `XDP_UMEM_MIN_CHUNK_SIZE`.
const SMALLEST_FRAME: u32 = 2048;

/// Limit of frames and ring entries.
const MOST: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_the_kernel_takes() {
        for (asked, page_size, frame_size, ring) in [
            (1, 4096, 2048, 1),
            (2049, 4096, 4096, 4096),
            (4096, 4096, 4096, 4096),
            (5000, 4096, 4096, 8192),
            (5000, 65_536, 8192, 8192),
            (u32::MAX, 4096, 4096, MOST),
        ] {
            let size = NonZeroU32::new(asked).unwrap();
            let config = AfXdpConfig::default().frames(size).frame_size(size).rx_ring(size);
            let setup = config.tx_ring(size).setup(page_size);
            assert_eq!((setup.frames, setup.frame_size), (asked.min(MOST), frame_size));
            assert_eq!((setup.rx_ring, setup.tx_ring), (ring, ring));
        }
    }
}
