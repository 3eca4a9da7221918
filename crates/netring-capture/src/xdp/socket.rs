use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use std::{mem, thread};

use flowscope_core::{LinkType, PacketSource, PacketView, Timestamp};

use super::block::{XdpBlock, XdpPackets, now};
use super::program::Program;
use crate::ring::tags::TAG;
use crate::sys::xdp::{BATCH, Queue, QueueError, QueueSetup};
use crate::umem::chain::Batch;
use crate::views::recycle;
use crate::{
    AfXdpConfig, Capture, CaptureError, CaptureStats, CopyMode, Interface, ShuntMap, XdpMode, sys,
};

/// AF_XDP capture of receive queues of an interface.
///
/// Frames are read in place, from one queue at a time and in the order of each queue. For
/// everything else see [`Capture`].
///
/// **It is not a passive tap.** An XDP program redirects each frame to the capture instead of the
/// network stack, so this host no longer receives the traffic of the captured interface. Capture
/// the output of a mirror port.
///
/// Frames have no timestamp of their own: all frames of a batch get the system time at which the
/// batch is read, which can be set back. Nothing says whether a checksum is still to be filled in;
/// on a virtual interface it may be wrong for that reason.
///
/// Only received frames are captured, not those that this host sends.
///
/// # Sending
///
/// Frames are sent through the first queue. Frames that the driver does not take yet stay in the
/// ring and are sent with the next call or wait; those of a [`CaptureError::InterfaceDown`] are
/// sent when the interface is up again. Packet sockets on the same interface do not see them.
///
/// # Losses
///
/// A frame is lost when there is no memory for it (`fill_empty`), when the ring is full
/// (`ring_full`), or when it is too long (`invalid`, also for packets in several pieces without
/// enough memory). With zero-copy the card finds no memory and counts the frames (`ethtool -S`);
/// `freezes` then says how often that happened.
///
/// # Privileges
///
/// `CAP_NET_RAW`, `CAP_NET_ADMIN` and `CAP_BPF`, for opening only; `CAP_IPC_LOCK` if the memory
/// exceeds `ulimit -l`.
#[derive(Debug)]
pub struct AfXdp {
    members: Vec<Member>,
    /// Queue to read next.
    next: usize,
    /// Storage for the views of a batch; empty between batches.
    views: Vec<PacketView<'static>>,
    /// Becomes readable with the sockets and `guard`.
    watch: OwnedFd,
    /// Packet socket that receives no frames: it reports errors of the interface, and keeps it
    /// promiscuous.
    guard: OwnedFd,
    program: Arc<Program>,
    interface: Interface,
    interface_number: u32,
    snap_len: usize,
    /// Longest frame to send, in bytes.
    longest: usize,
    busy: bool,
    /// The first capture that was opened with the program.
    is_first: bool,
    delivered: u64,
}

/// One queue.
#[derive(Debug)]
struct Member {
    number: u32,
    queue: Queue,
    batch: Batch,
}

/// Counters of the kernel for the sockets of an [`AfXdp`], all queues together: `xdp_statistics` of
/// `linux/if_xdp.h`. [`CaptureStats`] counts frames, each once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct XdpCounters {
    /// Frames dropped because there was no memory for them, or too little.
    pub rx_dropped: u64,
    /// Invalid receive descriptors. This does not count frames.
    pub rx_invalid_descs: u64,
    /// Invalid send descriptors.
    pub tx_invalid_descs: u64,
    /// Frames dropped because the receive ring was full.
    pub rx_ring_full: u64,
    /// How often the fill ring was empty. In copy mode, each time is also a frame in `rx_dropped`.
    pub rx_fill_ring_empty_descs: u64,
    /// How often the send ring was empty.
    pub tx_ring_empty_descs: u64,
}

impl AfXdp {
    /// Captures all receive queues of an interface, or those of `config`. An interface that is down
    /// delivers frames once it is up.
    ///
    /// The kernel releases the queue of a dropped capture after a moment, so opening waits for a
    /// busy queue, at most one second.
    ///
    /// # Errors
    ///
    /// [`CaptureError`]: no such interface, missing permission, another attached program, or a
    /// setting that the driver or the kernel does not support.
    pub fn open(interface: &str, config: &AfXdpConfig) -> Result<Self, CaptureError> {
        let (interface, queues) = find(interface, config)?;
        let program = Arc::new(Program::open(&interface, config, &queues)?);
        Self::with(&interface, config, &queues, &program, true)
    }

    /// Captures each of these queues separately, for workers that each read one queue. They share
    /// one program, which is detached when the last of them is dropped.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_queues(interface: &str, config: &AfXdpConfig) -> Result<Vec<Self>, CaptureError> {
        let (interface, queues) = find(interface, config)?;
        let program = Arc::new(Program::open(&interface, config, &queues)?);
        (queues.iter().enumerate())
            .map(|(at, &queue)| Self::with(&interface, config, &[queue], &program, at == 0))
            .collect()
    }

    fn with(
        interface: &Interface,
        config: &AfXdpConfig,
        numbers: &[u32],
        program: &Arc<Program>,
        is_first: bool,
    ) -> Result<Self, CaptureError> {
        let failed = |doing| move |source| CaptureError::of_xdp(doing, source);
        let mut setup = config.setup(sys::page_size());
        let guard = open_guard(interface, config)?;
        let watch = sys::epoll::epoll().map_err(failed("watch several sockets"))?;
        sys::epoll::watch(watch.as_fd(), guard.as_fd(), false).map_err(failed("watch a socket"))?;

        if program.mode() == Some(XdpMode::Generic) && config.copy == CopyMode::Auto {
            // A driver with zero-copy would wait for a program of its own.
            setup.copy = Some(true);
        }
        let mut members = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let queue = open_queue(interface, number, &setup).map_err(|error| {
                let bytes = u64::from(setup.frames + setup.tx_ring) * u64::from(setup.frame_size);
                why_no_queue(interface, config, number, bytes, error)
            })?;
            if let Some(time) = config.busy_poll {
                sys::epoll::busy_poll(queue.as_fd(), time).map_err(failed("poll busily"))?;
            }
            sys::epoll::watch(watch.as_fd(), queue.as_fd(), true)
                .map_err(failed("watch a socket"))?;
            let batch = Batch::new(BATCH, config.snap_len, config.multi_buffer);
            members.push(Member { number, queue, batch });
        }
        let capacity = members.first().map_or(0, |member| member.queue.capacity());
        let most = interface.mtu as usize + LINK_HEADER;
        let capture = AfXdp {
            members,
            next: 0,
            views: Vec::with_capacity(BATCH),
            watch,
            guard,
            program: Arc::clone(program),
            interface: interface.clone(),
            interface_number: config.interface_number,
            snap_len: usize::try_from(config.snap_len).unwrap_or(usize::MAX),
            longest: most.min(if config.multi_buffer {
                capacity.saturating_mul(setup.tx_ring as usize)
            } else {
                capacity
            }),
            busy: config.busy_poll.is_some(),
            is_first,
            delivered: 0,
        };
        for member in &capture.members {
            program.put(member.number, member.queue.as_fd())?;
        }
        Ok(capture)
    }

    /// Numbers of the queues, in the order of reading.
    pub fn queues(&self) -> impl Iterator<Item = u32> {
        self.members.iter().map(|member| member.number)
    }

    /// Mode of the program: [`XdpMode::Native`] or [`XdpMode::Generic`]; `None` with a given map.
    #[must_use]
    pub fn mode(&self) -> Option<XdpMode> {
        self.program.mode()
    }

    /// Map from queues to sockets, to add other sockets, such as those of
    /// [`AfXdpConfig::socket_map`].
    #[must_use]
    pub fn socket_map(&self) -> BorrowedFd<'_> {
        self.program.map()
    }

    /// Whether the card writes to the memory of this capture, on all queues.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    pub fn is_zero_copy(&self) -> Result<bool, CaptureError> {
        let failed = |source| CaptureError::of_xdp("ask whether frames are copied", source);
        for member in &self.members {
            if !member.queue.is_zero_copy().map_err(failed)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counters of the kernel since the capture was opened.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    pub fn counters(&self) -> Result<XdpCounters, CaptureError> {
        let mut total = XdpCounters::default();
        for member in &self.members {
            let read = member.queue.counters();
            let [dropped, rx_invalid, tx_invalid, full, fill_empty, tx_empty] =
                read.map_err(|source| CaptureError::of_xdp("read the counters", source))?;
            total.rx_dropped += dropped;
            total.rx_invalid_descs += rx_invalid;
            total.tx_invalid_descs += tx_invalid;
            total.rx_ring_full += full;
            total.rx_fill_ring_empty_descs += fill_empty;
            total.tx_ring_empty_descs += tx_empty;
        }
        Ok(total)
    }

    /// Lends the next frames of a queue, at most 64, for as long as the block is kept; `None` if there are none
    /// at the moment.
    ///
    /// Dropping the block returns them to the kernel.
    pub fn next_block(&mut self) -> Option<XdpBlock<'_>> {
        let at = self.take()?;
        Some(XdpBlock::new(self, at))
    }

    /// Takes the next frames of the next queue that has some, and returns its index.
    fn take(&mut self) -> Option<usize> {
        for _ in 0..self.members.len() {
            let at = self.next;
            self.next = (at + 1) % self.members.len();
            if self.take_from(at) {
                return Some(at);
            }
        }
        if self.busy {
            self.members.iter().for_each(|member| member.queue.poll_busily());
        }
        None
    }

    /// Takes the next frames of one queue, and says whether there were any.
    fn take_from(&mut self, at: usize) -> bool {
        let Some(Member { queue, batch, .. }) = self.members.get_mut(at) else { return false };
        // Frames of a batch whose reader panicked, or of a block that was leaked.
        batch.clear();
        queue.send_rest();
        // Repeated if there was only a part of a packet, or one that cannot be read.
        while batch.packets().is_empty() {
            queue.give_back();
            if queue.receive() == 0 {
                break;
            }
            while batch.has_room()
                && let Some(piece) = queue.next()
            {
                let bytes = if piece.is_valid { queue.bytes(piece.slot) } else { None };
                batch.push(piece.slot, piece.len, bytes, piece.more);
            }
        }
        let taken = batch.packets().len();
        if taken == 0 {
            self.give_back(at);
        }
        self.delivered += taken as u64;
        taken > 0
    }

    /// The frames that were taken from a queue last.
    pub(super) fn packets(&self, at: usize, now: Timestamp) -> XdpPackets<'_> {
        let taken = self.members.get(at).map(|member| (&member.queue, &member.batch));
        XdpPackets::new(taken, now, self.interface_number, self.snap_len)
    }

    /// Returns the frames of a queue to the kernel.
    pub(super) fn give_back(&mut self, at: usize) {
        if let Some(Member { queue, batch, .. }) = self.members.get_mut(at) {
            batch.clear();
            queue.give_back();
        }
    }

    /// Frames that the kernel counted and kept back. Of captures that share a map, the first one reports them.
    fn shunted(&self) -> u64 {
        self.program.shunt().filter(|_| self.is_first).map_or(0, ShuntMap::packets)
    }

    fn failed(&self, doing: &'static str, source: std::io::Error) -> CaptureError {
        CaptureError::on(&self.interface, doing, source)
    }
}

/// `next_batch` does not wait: `Ok(0)` means that no frame is ready.
impl PacketSource for AfXdp {
    type Error = CaptureError;

    fn next_batch(
        &mut self,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Result<usize, CaptureError> {
        let Some(at) = self.take() else { return self.take_error().map_or(Ok(0), Err) };
        let mut views = recycle(mem::take(&mut self.views));
        views.extend(self.packets(at, now()));
        let lent = views.len();
        lend(&views);
        self.views = recycle(views);
        self.give_back(at);
        Ok(lent)
    }
}

impl Capture for AfXdp {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn link(&self) -> LinkType {
        LinkType::ETHERNET
    }

    fn stats(&mut self) -> Result<CaptureStats, CaptureError> {
        let counters = self.counters()?;
        // In copy mode, the kernel counts a frame without fill ring entry twice.
        let fill_empty = counters.rx_fill_ring_empty_descs.min(counters.rx_dropped);
        let unreadable: u64 = self.members.iter().map(|member| member.batch.invalid()).sum();
        let mut stats = CaptureStats {
            packets: 0,
            delivered: self.delivered,
            kernel_drop: 0,
            ring_full: counters.rx_ring_full,
            fill_empty,
            invalid: counters.rx_dropped - fill_empty + unreadable,
            shunted: self.shunted(),
            freezes: counters.rx_fill_ring_empty_descs - fill_empty,
        };
        stats.packets = stats.delivered + stats.shunted + stats.lost();
        Ok(stats)
    }

    /// Captures of [`open_queues`](AfXdp::open_queues) share one map.
    fn shunt_map(&self) -> Option<&ShuntMap> {
        self.program.shunt()
    }

    fn is_ready(&self) -> bool {
        self.members.iter().any(|member| member.queue.is_ready())
    }

    fn take_error(&self) -> Option<CaptureError> {
        match sys::take_error(self.guard.as_fd()) {
            Ok(None) => None,
            Ok(Some(source)) | Err(source) => Some(self.failed("capture", source)),
        }
    }

    fn check_interface(&self) -> Option<CaptureError> {
        self.interface.check(self.guard.as_fd())
    }

    fn refuse(&mut self) -> Result<(), CaptureError> {
        for member in &self.members {
            self.program.remove(member.number)?;
        }
        if let Some(shunt) = self.program.shunt() {
            shunt.stop().map_err(|source| CaptureError::of_xdp("stop counting flows", source))?;
        }
        Ok(())
    }

    fn is_drained(&mut self) -> Result<bool, CaptureError> {
        Ok(!self.is_ready())
    }

    fn latency(&self) -> Duration {
        Duration::ZERO
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), CaptureError> {
        match self.send_batch(&[frame])? {
            0 => Err(CaptureError::Busy),
            _ => Ok(()),
        }
    }

    fn send_batch(&mut self, frames: &[&[u8]]) -> Result<usize, CaptureError> {
        let longest = self.longest;
        let fits = |frame: &&&[u8]| {
            // A VLAN tag comes on top of the MTU.
            let tag = if frame.get(12..14) == Some(&[0x81, 0]) { 4 } else { 0 };
            (1..=longest + tag).contains(&frame.len())
        };
        let sendable = frames.iter().take_while(fits).count();
        if let (0, Some(first)) = (sendable, frames.first()) {
            let mtu = u32::try_from(longest.saturating_sub(LINK_HEADER)).unwrap_or(u32::MAX);
            return Err(match first.len() {
                0 => self.failed("send a frame", std::io::ErrorKind::InvalidInput.into()),
                len => CaptureError::FrameTooLong { len, mtu },
            });
        }
        let mut sent = 0;
        while sent < sendable
            && let Some(Member { queue, .. }) = self.members.first_mut()
        {
            let some = queue.send(&frames[sent..sendable]);
            sent += some;
            // Also without new frames: frames left in the ring make room.
            let kicked = queue.kick();
            kicked.map_err(|source| self.failed("send a frame", source))?;
            if some == 0 {
                break;
            }
        }
        Ok(sent)
    }
}

impl AsFd for AfXdp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

impl AsRawFd for AfXdp {
    fn as_raw_fd(&self) -> RawFd {
        self.watch.as_raw_fd()
    }
}

/// The interface, and the numbers of the queues to capture, at least one.
fn find(interface: &str, config: &AfXdpConfig) -> Result<(Interface, Vec<u32>), CaptureError> {
    let interface = Interface::find(interface)?;
    if interface.link != Some(LinkType::ETHERNET) {
        let (hardware, interface) = (interface.hardware, interface.name);
        return Err(CaptureError::UnsupportedLink { interface, hardware });
    }
    let mut queues = config.queues.clone();
    queues.sort_unstable();
    queues.dedup();
    if queues.is_empty() {
        queues = (0..interface.rx_queues).collect();
    }
    let room = config.setup(sys::page_size()).frame_size - KERNEL_HEADROOM;
    let most = room - (LINK_HEADER + 2 * TAG) as u32;
    if !config.multi_buffer && interface.mtu > most {
        let (mtu, interface) = (interface.mtu, interface.name);
        return Err(CaptureError::MtuTooLarge { interface, mtu, most });
    }
    Ok((interface, queues))
}

fn open_guard(interface: &Interface, config: &AfXdpConfig) -> Result<OwnedFd, CaptureError> {
    let failed = |doing| move |source| CaptureError::of_xdp(doing, source);
    let guard = sys::packet_socket().map_err(failed("open a packet socket"))?;
    let fd = guard.as_fd();
    sys::attach_filter(fd, &flowscope_filter::Program::nothing())
        .map_err(failed("attach a filter"))?;
    sys::bind(fd, interface.index, sys::NO_PROTOCOL).map_err(failed("bind to the interface"))?;
    if config.promiscuous {
        sys::be_promiscuous(fd, interface.index).map_err(failed("be promiscuous"))?;
    }
    Ok(guard)
}

/// Opens a queue. The kernel releases a queue some time after its last socket was closed, so a busy
/// one is retried for a second.
fn open_queue(interface: &Interface, number: u32, setup: &QueueSetup) -> Result<Queue, QueueError> {
    for _ in 0..100 {
        match Queue::open(&interface.name, number, setup) {
            Err(QueueError::Bind(error)) if error.raw_os_error() == Some(libc::EBUSY) => {
                thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
    Queue::open(&interface.name, number, setup)
}

fn why_no_queue(
    interface: &Interface,
    config: &AfXdpConfig,
    queue: u32,
    bytes: u64,
    error: QueueError,
) -> CaptureError {
    let name = interface.name.clone();
    let (source, bound) = match error {
        QueueError::Memory(source) => (source, false),
        QueueError::Bind(source) => (source, true),
    };
    match source.raw_os_error() {
        Some(libc::ENOBUFS) => CaptureError::memory_limit(bytes),
        Some(libc::ENOMEM) => CaptureError::NoRing { bytes, source },
        Some(libc::EBUSY) if bound => CaptureError::QueueTaken { interface: name, queue },
        Some(libc::EINVAL) if bound && queue >= interface.rx_queues => {
            let queues = interface.rx_queues;
            CaptureError::NoSuchQueue { interface: name, queue, queues }
        }
        Some(libc::EOPNOTSUPP | libc::EINVAL) if bound => {
            let (what, advice) = match config.copy {
                CopyMode::ZeroCopy => ("AF_XDP without copying", "ask for CopyMode::Auto"),
                _ if config.multi_buffer => {
                    ("AF_XDP in several pieces", "ask for CopyMode::Copy, or not for multi_buffer")
                }
                _ => ("AF_XDP", "use AF_PACKET"),
            };
            CaptureError::Unsupported { interface: name, what, advice, source }
        }
        _ => CaptureError::of_xdp("open an AF_XDP socket", source),
    }
}

/// Two addresses and an Ethertype.
const LINK_HEADER: usize = 14;

/// `XDP_PACKET_HEADROOM`: bytes of each frame that are not for the packet.
const KERNEL_HEADROOM: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_and_its_blocks_go_where_they_are_needed() {
        fn check<T: Send + Sync>() {}
        check::<AfXdp>();
        check::<XdpBlock<'_>>();
        check::<XdpPackets<'_>>();
    }
}
