use std::error::Error;
use std::ffi::c_int;
use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xsk_rs::config::{BindFlags, FrameSize, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, Socket, TxQueue, Umem};

use crate::umem::Frames;

/// AF_XDP socket with the frames of one receive queue, in memory shared with the kernel.
///
/// Invariant: a frame is read or written here only while [`Frames`] says that this process owns it.
/// It goes to the kernel through `fill` and `tx`, and back through `rx` and `completion`, which are
/// used nowhere else. A frame that comes back without having been given is not touched. A kernel
/// that writes to a frame which it does not own would break it.
pub(crate) struct Queue {
    // The socket is closed when the last of these four is dropped. They can be moved to another thread, but
    // not shared; the locks are for methods with `&self`, the others go around them.
    rx: Mutex<RxQueue>,
    tx: Mutex<TxQueue>,
    fill: Mutex<FillQueue>,
    completion: Mutex<CompQueue>,
    fd: RawFd,
    umem: Umem,
    frames: Frames,
    /// Descriptor of each frame.
    home: Vec<FrameDesc>,
    /// Descriptors received last, up to `taken_to`; those up to `at` were read.
    taken: Vec<FrameDesc>,
    taken_to: usize,
    at: usize,
    /// Storage for descriptors passed to the kernel; empty between calls.
    handed: Vec<FrameDesc>,
    /// Bytes of a packet that fit a frame.
    capacity: usize,
    wakes: bool,
    /// Whether the kernel has frames left to send.
    has_rest: bool,
}

/// Settings of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueSetup {
    /// Number of frames for receiving.
    pub(crate) frames: u32,
    /// Size of a frame, in bytes; a power of two.
    pub(crate) frame_size: u32,
    /// Entries of the receive ring; a power of two.
    pub(crate) rx_ring: u32,
    /// Entries of the send ring, and number of frames for sending; a power of two.
    pub(crate) tx_ring: u32,
    pub(crate) need_wakeup: bool,
    pub(crate) multi_buffer: bool,
    /// Whether the kernel must copy, must not copy, or may choose.
    pub(crate) copy: Option<bool>,
}

/// Step of opening a queue that failed.
#[derive(Debug)]
pub(crate) enum QueueError {
    /// The memory, and the socket that it belongs to.
    Memory(io::Error),
    /// The rings of the socket, and binding it to the queue.
    Bind(io::Error),
}

/// Descriptor of the receive ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Index for [`Queue::bytes`], until [`Queue::receive`] takes new descriptors.
    pub(crate) slot: usize,
    pub(crate) len: usize,
    /// Whether its bytes may be read.
    pub(crate) is_valid: bool,
    /// Whether the packet continues in the next descriptor.
    pub(crate) more: bool,
}

impl Queue {
    /// Opens a socket for a queue, and gives the kernel all frames for receiving.
    pub(crate) fn open(
        interface: &str,
        queue: u32,
        setup: &QueueSetup,
    ) -> Result<Self, QueueError> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let size = |size| QueueSize::new(size).map_err(|_| invalid());
        let configs = || {
            let umem = UmemConfig::builder()
                .frame_size(FrameSize::new(setup.frame_size).map_err(|_| invalid())?)
                .fill_queue_size(size(setup.frames.next_power_of_two())?)
                .comp_queue_size(size(setup.tx_ring)?)
                .build()
                .map_err(|_| invalid())?;
            let mut flags = BindFlags::empty();
            flags.set(BindFlags::XDP_USE_NEED_WAKEUP, setup.need_wakeup);
            flags.set(BindFlags::XDP_USE_SG, setup.multi_buffer);
            flags.set(BindFlags::XDP_COPY, setup.copy == Some(true));
            flags.set(BindFlags::XDP_ZEROCOPY, setup.copy == Some(false));
            let socket = SocketConfig::builder()
                .rx_queue_size(size(setup.rx_ring)?)
                .tx_queue_size(size(setup.tx_ring)?)
                .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
                .bind_flags(flags)
                .build();
            let all = setup.frames.checked_add(setup.tx_ring).and_then(NonZeroU32::new);
            Ok((umem, socket, all.ok_or_else(invalid)?))
        };
        let (umem_config, socket_config, all) = configs().map_err(QueueError::Memory)?;
        let interface = interface.parse().map_err(|_| QueueError::Memory(invalid()))?;
        let (umem, home) = Umem::new(umem_config, all, false)
            .map_err(|error| QueueError::Memory(cause(&error)))?;
        // SAFETY: the memory is not shared with any other socket, and no program is loaded.
        let made = unsafe { Socket::new(socket_config, &umem, &interface, queue) };
        let (tx, rx, rings) = made.map_err(|error| QueueError::Bind(cause(&error)))?;
        let (fill, completion) = rings.ok_or_else(|| QueueError::Bind(invalid()))?;

        let mut queue = Queue {
            fd: tx.fd().as_raw_fd(),
            rx: Mutex::new(rx),
            tx: Mutex::new(tx),
            fill: Mutex::new(fill),
            completion: Mutex::new(completion),
            umem,
            frames: Frames::new(setup.frames, setup.tx_ring, setup.frame_size as usize),
            home,
            taken: vec![FrameDesc::default(); BATCH],
            taken_to: 0,
            at: 0,
            handed: Vec::with_capacity(BATCH.max(setup.tx_ring as usize)),
            capacity: umem_config.mtu() as usize,
            wakes: setup.need_wakeup,
            has_rest: false,
        };
        super::epoll::close_on_exec(queue.as_fd()).map_err(QueueError::Bind)?;
        queue.refill();
        Ok(queue)
    }

    /// Bytes of a packet that fit a frame.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether [`receive`](Self::receive) would return descriptors now.
    pub(crate) fn is_ready(&self) -> bool {
        self.at < self.taken_to || locked(&self.rx).nb_avail(1) > 0
    }

    /// Takes the next filled descriptors, unless some are left, and returns how many
    /// [`next`](Self::next) will return.
    pub(crate) fn receive(&mut self) -> usize {
        if self.at < self.taken_to {
            return self.taken_to - self.at;
        }
        self.at = 0;
        // SAFETY: the frames are of `umem`, as the socket was made with it. They are not used
        // before `Frames` has confirmed that the kernel owned each until now.
        self.taken_to = unsafe { own(&mut self.rx).consume(&mut self.taken) };
        self.taken_to
    }

    /// Next descriptor. Its frame is lent until [`give_back`](Self::give_back).
    pub(crate) fn next(&mut self) -> Option<Piece> {
        let slot = self.at;
        let desc = self.taken.get(slot).filter(|_| slot < self.taken_to)?;
        self.at += 1;
        let len = desc.lengths().data();
        let is_valid = self.frames.receive(desc.addr(), len);
        Some(Piece { slot, len, is_valid, more: desc.has_more_frames() })
    }

    /// Bytes of a lent descriptor.
    pub(crate) fn bytes(&self, slot: usize) -> Option<&[u8]> {
        let desc = self.taken.get(slot)?;
        if !self.frames.is_lent(desc.addr(), desc.lengths().data()) {
            return None;
        }
        // SAFETY: the bytes are within a frame of `umem`, and that frame is owned by this process
        // (see the type) until `give_back`, which takes `&mut self` and so waits for this borrow to
        // end.
        Some(unsafe { self.umem.data(desc) }.contents())
    }

    /// Ends all loans, and gives the frames back to the kernel for receiving.
    pub(crate) fn give_back(&mut self) {
        self.frames.give_back();
        self.refill();
    }

    fn refill(&mut self) {
        let mut given = false;
        while let Some(number) = self.frames.take_to_receive() {
            self.handed.extend(self.home.get(number as usize));
            if self.handed.len() == BATCH {
                self.hand_to_fill();
            }
            given = true;
        }
        if !self.handed.is_empty() {
            self.hand_to_fill();
        }
        let fill = own(&mut self.fill);
        if given && self.wakes && fill.needs_wakeup() {
            // Failing to wake the driver is no failure to receive: the next call tries again.
            let _ = fill.wakeup(own(&mut self.rx).fd_mut(), 0);
        }
    }

    fn hand_to_fill(&mut self) {
        // SAFETY: frames of `umem` that `Frames` has just marked as the kernel's, each once.
        let handed = unsafe { own(&mut self.fill).produce(&self.handed) };
        debug_assert_eq!(handed, self.handed.len(), "the ring has room for every frame there is");
        self.handed.clear();
    }

    /// Queues as many of `frames` for sending as there is room for, and returns their number.
    /// [`kick`](Self::kick) sends them. None may be empty; a frame longer than `capacity` takes
    /// several descriptors.
    pub(crate) fn send(&mut self, frames: &[&[u8]]) -> usize {
        self.reap();
        let room = own(&mut self.tx).nb_free_exact() as usize;
        let mut sent = 0;
        for frame in frames {
            let pieces = frame.len().div_ceil(self.capacity);
            if self.handed.len() + pieces > room || pieces > self.frames.left_to_send() {
                break;
            }
            let mut parts = frame.chunks(self.capacity).peekable();
            while let Some(part) = parts.next() {
                let number = self.frames.take_to_send();
                let desc = number.and_then(|number| self.home.get(number as usize));
                let Some(&(mut desc)) = desc else { break };
                // SAFETY: a frame of `umem` that is owned by this process until it is handed over
                // below.
                let mut data = unsafe { self.umem.data_mut(&mut desc) };
                // A chunk has at most as many bytes as it holds.
                let _ = data.cursor().write_all(part);
                desc.set_options(if parts.peek().is_some() { CONTINUES } else { 0 });
                self.handed.push(desc);
            }
            sent += 1;
        }
        // SAFETY: frames of `umem` that `Frames` has just marked as the kernel's, each once.
        let handed = unsafe { own(&mut self.tx).produce(&self.handed) };
        debug_assert_eq!(handed, self.handed.len(), "there was room");
        self.handed.clear();
        sent
    }

    /// Takes back the frames that were sent.
    fn reap(&mut self) {
        let mut done = [FrameDesc::default(); BATCH];
        loop {
            // SAFETY: frames of `umem`, as the socket was made with it; `Frames` checks each.
            let count = unsafe { own(&mut self.completion).consume(&mut done) };
            for desc in &done[..count] {
                self.frames.sent(desc.addr());
            }
            if count < BATCH {
                return;
            }
        }
    }

    /// Retries sending what the kernel left, if anything.
    #[inline]
    pub(crate) fn send_rest(&mut self) {
        if self.has_rest {
            // A failure is reported by the next send.
            let _ = self.kick();
        }
    }

    /// Makes the kernel send the queued frames, where it does not by itself. Some may be left for
    /// the next call.
    pub(crate) fn kick(&mut self) -> io::Result<()> {
        self.has_rest = false;
        if self.wakes && !own(&mut self.tx).needs_wakeup() {
            return Ok(());
        }
        let mut room = own(&mut self.tx).nb_free_exact();
        loop {
            let fd = self.as_fd().as_raw_fd();
            // SAFETY: no bytes are passed.
            let result =
                unsafe { libc::sendto(fd, ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) };
            if result >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            let before = std::mem::replace(&mut room, own(&mut self.tx).nb_free_exact());
            match error.raw_os_error() {
                // The kernel sends some frames per call.
                Some(libc::EAGAIN) if room > before => {}
                Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::EINTR) => {
                    self.has_rest = true;
                    return Ok(());
                }
                _ => return Err(error),
            }
        }
    }

    /// Makes the driver look for frames now, if busy polling is set up.
    pub(crate) fn poll_busily(&self) {
        let fd = self.as_fd().as_raw_fd();
        // SAFETY: no bytes are asked for.
        unsafe { libc::recv(fd, ptr::null_mut(), 0, libc::MSG_DONTWAIT) };
    }

    /// Counters of the kernel since the socket was opened: `xdp_statistics`.
    pub(crate) fn counters(&self) -> io::Result<[u64; 6]> {
        let stats = locked(&self.rx).fd().xdp_statistics()?;
        Ok([
            stats.rx_dropped(),
            stats.rx_invalid_descs(),
            stats.tx_invalid_descs(),
            stats.rx_ring_full(),
            stats.rx_fill_ring_empty_descs(),
            stats.tx_ring_empty_descs(),
        ])
    }

    /// Whether the card writes to this memory directly.
    pub(crate) fn is_zero_copy(&self) -> io::Result<bool> {
        let flags: c_int = super::option(self.as_fd(), libc::SOL_XDP, libc::XDP_OPTIONS)?;
        Ok(flags.cast_unsigned() & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open as long as `self` has its rings.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("fd", &self.as_fd()).finish_non_exhaustive()
    }
}

/// A ring, whose lock need not be taken.
fn own<T>(ring: &mut Mutex<T>) -> &mut T {
    ring.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// A ring, which is consistent whenever its lock is free.
fn locked<T>(ring: &Mutex<T>) -> MutexGuard<'_, T> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The I/O error in an error of the library.
fn cause(error: &dyn Error) -> io::Error {
    let code = error.source().and_then(|source| source.downcast_ref::<io::Error>()?.raw_os_error());
    code.map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}

/// `XDP_PKT_CONTD`: the packet continues in the next descriptor.
const CONTINUES: u32 = 1;

/// Descriptors taken at once.
pub(crate) const BATCH: usize = 64;
