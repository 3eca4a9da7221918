use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::xdp::QueueSetup;

/// How an [`AfXdp`](crate::AfXdp) captures.
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
    pub(super) promiscuous: bool,
    pub(super) snap_len: u32,
    pub(super) interface_number: u32,
}

/// Where in the kernel the XDP program runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum XdpMode {
    /// In the driver if it can do that, else as [`Generic`](Self::Generic).
    #[default]
    Auto,
    /// In the driver, or opening fails.
    Native,
    /// Behind the driver, once the kernel has made a buffer of its own of the frame: any interface
    /// can do that, and it is slower.
    Generic,
}

/// Whether the kernel copies frames into the memory of the capture.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum CopyMode {
    /// Not if the driver can do without.
    #[default]
    Auto,
    /// The driver hands the memory to the card, or opening fails.
    ZeroCopy,
    /// Always.
    Copy,
}

impl AfXdpConfig {
    /// Which receive queues to capture, by number. Default, and if there are none here: all.
    #[must_use]
    pub fn queues(mut self, queues: impl Into<Vec<u32>>) -> Self {
        self.queues = queues.into();
        self
    }

    /// Where the program runs. Default [`XdpMode::Auto`].
    #[must_use]
    pub fn mode(mut self, mode: XdpMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether frames are copied. Where the program runs behind the driver they always are. Default
    /// [`CopyMode::Auto`].
    #[must_use]
    pub fn copy(mut self, copy: CopyMode) -> Self {
        self.copy = copy;
        self
    }

    /// Whether to take packets that are longer than a frame holds, in several pieces (Linux 6.6 and
    /// later). Those are copied together; at most 128 KiB of each are kept. Default no: what is
    /// longer is lost, and counted as invalid.
    #[must_use]
    pub fn multi_buffer(mut self, on: bool) -> Self {
        self.multi_buffer = on;
        self
    }

    /// How many frames each queue has to receive into, at most 2^20. A reader may leave as many
    /// unread. Default 4096.
    #[must_use]
    pub fn frames(mut self, count: NonZeroU32) -> Self {
        self.frames = count.get();
        self
    }

    /// Bytes of a frame: 2048, or 4096, or whatever power of two in between and the page size this
    /// is rounded up to. 256 of them are the kernel's, the rest is for the packet. Default 4096.
    #[must_use]
    pub fn frame_size(mut self, bytes: NonZeroU32) -> Self {
        self.frame_size = bytes.get();
        self
    }

    /// Places in the ring from which frames are read; rounded up to a power of two, at most 2^20. A
    /// packet in several pieces takes one for each. Default 4096, as many as there are frames.
    #[must_use]
    pub fn rx_ring(mut self, places: NonZeroU32) -> Self {
        self.rx_ring = places.get();
        self
    }

    /// Places in the ring for frames to be sent, and memory for as many; rounded up to a power of
    /// two, at most 2^20. Default 256.
    #[must_use]
    pub fn tx_ring(mut self, places: NonZeroU32) -> Self {
        self.tx_ring = places.get();
        self
    }

    /// Whether the driver may stop looking at the rings until it is woken, which is done where it
    /// asks for it. Default yes.
    #[must_use]
    pub fn need_wakeup(mut self, on: bool) -> Self {
        self.need_wakeup = on;
        self
    }

    /// Has the thread that reads do the driver's work, for so long each time that it finds nothing,
    /// in place of interrupts (Linux 5.11 and later; the interface's `napi_defer_hard_irqs` and
    /// `gro_flush_timeout` have to be set too). For threads that do nothing but read. Whole
    /// microseconds. Default: no.
    #[must_use]
    pub fn busy_poll(mut self, time: Duration) -> Self {
        self.busy_poll = Some(time);
        self
    }

    /// Puts the sockets into this map (`BPF_MAP_TYPE_XSKMAP`), for a program that is attached
    /// already, by whoever made it; none is attached here, and [`mode`](Self::mode) means nothing.
    /// Default: a program of our own, that takes all frames of the queues.
    #[must_use]
    pub fn socket_map(mut self, map: OwnedFd) -> Self {
        self.map = Some(Arc::new(map));
        self
    }

    /// Whether to have the interface receive frames that are not addressed to it, until the capture
    /// is dropped. Default no.
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.promiscuous = on;
        self
    }

    /// How many bytes of a frame to lend, from the link header on. The view still tells the length
    /// on the wire. Default: all of them.
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.snap_len = bytes.get();
        self
    }

    /// The number by which views name this interface, for those who merge several. Default 0.
    #[must_use]
    pub fn interface_number(mut self, number: u32) -> Self {
        self.interface_number = number;
        self
    }

    /// What each queue is opened with, on a machine with pages of this size.
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
            promiscuous: false,
            snap_len: u32::MAX,
            interface_number: 0,
        }
    }
}

/// `XDP_UMEM_MIN_CHUNK_SIZE`.
const SMALLEST_FRAME: u32 = 2048;

/// Of frames and places in rings.
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
