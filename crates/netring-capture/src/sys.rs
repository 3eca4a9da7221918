//! System calls behind safe functions, and the memory shared with the kernel.
//!
//! All unsafe code of the crate is here and in [`ring`]. Arguments of system calls are references
//! to plain integers with their sizes, valid during the call. No function keeps a pointer, and none
//! returns a file descriptor that it does not own.

pub(crate) mod bpf;
#[cfg(feature = "af-xdp")]
pub(crate) mod epoll;
pub(crate) mod ring;
#[cfg(feature = "af-xdp")]
pub(crate) mod xdp;

use std::ffi::{CStr, c_int, c_short, c_uint, c_ulong, c_void};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{array, io, ptr};

use flowscope_filter::Program;

/// Opens a packet socket that receives nothing before [`bind`].
pub(crate) fn packet_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_PACKET, libc::SOCK_RAW)
}

/// Opens a socket for queries about interfaces; needs no privilege.
pub(crate) fn any_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_INET, libc::SOCK_DGRAM)
}

fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes three integers. Protocol 0 is the family's default, and none for AF_PACKET.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the kernel has just created this descriptor; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Starts receiving frames of a protocol, and errors, from the interface with this index.
pub(crate) fn bind(fd: BorrowedFd<'_>, interface: u32, protocol: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a `sockaddr_ll` of `len` bytes, which the call only reads.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}

/// Protocol that receives all frames.
pub(crate) const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;

/// Protocol that receives no frames: an unused Ethertype (RFC 1701).
#[cfg(feature = "af-xdp")]
pub(crate) const NO_PROTOCOL: u16 = 0xffff;

/// Selects `TPACKET_V3`, before the ring is made.
pub(crate) fn use_version_3(fd: BorrowedFd<'_>) -> io::Result<()> {
    let version = libc::tpacket_versions::TPACKET_V3 as c_int;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)
}

/// Makes the kernel allocate the ring.
pub(crate) fn make_ring(fd: BorrowedFd<'_>, request: &libc::tpacket_req3) -> io::Result<()> {
    set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, request)
}

/// Reserves this many bytes in front of every frame, before the ring is made.
pub(crate) fn reserve_headroom(fd: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    set_option(fd, libc::SOL_PACKET, libc::PACKET_RESERVE, &bytes)
}

/// Replaces the filter atomically.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &Program) -> io::Result<()> {
    set_program(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
}

/// Attaches a loaded program in place of a filter.
pub(crate) fn attach_loaded(fd: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_BPF, &program.as_raw_fd())
}

/// Replaces the program of the fanout group that the socket has joined, atomically.
pub(crate) fn set_fanout_program(fd: BorrowedFd<'_>, program: &Program) -> io::Result<()> {
    set_program(fd, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
}

fn set_program(fd: BorrowedFd<'_>, level: c_int, name: c_int, program: &Program) -> io::Result<()> {
    let program: Vec<libc::sock_filter> = program
        .instructions()
        .iter()
        .map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
        .collect();
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel copies the program and never writes to it, although the field is not `const`.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    set_option(fd, level, name, &program)
}

/// Joins a fanout group; the socket must be bound.
pub(crate) fn join_fanout(fd: BorrowedFd<'_>, group: u16, mode: u32) -> io::Result<()> {
    set_option(fd, libc::SOL_PACKET, libc::PACKET_FANOUT, &(mode << 16 | u32::from(group)))
}

/// Ignores frames that this host sends.
pub(crate) fn ignore_outgoing(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32)
}

/// Uses timestamps of the network card, where it has them.
pub(crate) fn hardware_timestamps(fd: BorrowedFd<'_>) -> io::Result<()> {
    let source = libc::SOF_TIMESTAMPING_RAW_HARDWARE as c_int;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &source)
}

/// Takes timestamps when a frame is received, not when it reaches the ring.
pub(crate) fn early_timestamps(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)
}

/// Sets promiscuous mode until the socket is closed.
pub(crate) fn be_promiscuous(fd: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// Counters since the last call: frames that passed the filter (including dropped ones), frames
/// dropped, and how often the ring was full.
pub(crate) fn take_statistics(fd: BorrowedFd<'_>) -> io::Result<[u32; 3]> {
    // Laid out as `tpacket_stats_v3`: three unsigned integers.
    option(fd, libc::SOL_PACKET, libc::PACKET_STATISTICS)
}

/// Pending error of a socket, cleared by reading.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let code: c_int = option(fd, libc::SOL_SOCKET, libc::SO_ERROR)?;
    Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
}

/// Waits for data or an error, at most this many milliseconds, or without limit if negative. Also
/// false when a signal arrived first.
pub(crate) fn poll_readable(fd: BorrowedFd<'_>, milliseconds: c_int) -> io::Result<bool> {
    let mut one = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN as c_short, revents: 0 };
    // SAFETY: `one` is one `pollfd`, as the count says.
    match check(unsafe { libc::poll(&raw mut one, 1, milliseconds) }) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends one frame on the interface to which the socket is bound.
pub(crate) fn send(fd: BorrowedFd<'_>, frame: &[u8]) -> io::Result<()> {
    // SAFETY: reads `frame.len()` bytes from `frame`.
    let sent = unsafe { libc::send(fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends up to 64 of `frames` in one call, on the interface to which the socket is bound; returns
/// their number.
pub(crate) fn send_many(fd: BorrowedFd<'_>, frames: &[&[u8]]) -> io::Result<usize> {
    const MOST: usize = 64;
    let empty = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
    let mut parts = [empty; MOST];
    for (part, frame) in parts.iter_mut().zip(frames) {
        // The kernel only reads it, although the field is not `const`.
        *part = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    }
    let base = parts.as_mut_ptr();
    let mut messages: [libc::mmsghdr; MOST] = array::from_fn(|number| {
        let mut message = MaybeUninit::<libc::mmsghdr>::zeroed();
        // SAFETY: integers and pointers only, for all of which zeros are a value.
        let message: &mut libc::mmsghdr = unsafe { message.assume_init_mut() };
        message.msg_hdr.msg_iov = base.wrapping_add(number);
        message.msg_hdr.msg_iovlen = 1;
        *message
    });
    let count = frames.len().min(MOST) as c_uint;
    let to = messages.as_mut_ptr();
    // SAFETY: the first `count` messages have one part each, which is a frame that outlives the call
    // and is only read; what is written are the lengths in `messages`.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), to, count, 0) };
    check(sent).map(|sent| sent.unsigned_abs() as usize)
}

/// Waits until the kernel has finished all frames that it was processing: a frame that passed a
/// replaced filter or program has reached its ring. Returns at once on kernels without this call.
pub(crate) fn wait_for_frames_under_way() {
    // SAFETY: takes integers, touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}

/// Numbers of the CPU cores that the calling thread may use.
pub(crate) fn affinity() -> io::Result<Vec<usize>> {
    let mut mask: CpuMask = [0; CPU_WORDS];
    let (size, to) = (size_of::<CpuMask>(), (&raw mut mask).cast());
    // SAFETY: the kernel writes at most `size` bytes of `mask`, as a mask of bits.
    check(unsafe { libc::sched_getaffinity(0, size, to) })?;
    let has = |core: &usize| mask[core / WORD] >> (core % WORD) & 1 != 0;
    Ok((0..CPU_WORDS * WORD).filter(has).collect())
}

/// Restricts the calling thread to one core.
pub(crate) fn set_affinity(core: usize) -> io::Result<()> {
    let mut mask: CpuMask = [0; CPU_WORDS];
    *mask.get_mut(core / WORD).ok_or(io::ErrorKind::InvalidInput)? = 1 << (core % WORD);
    let (size, from) = (size_of::<CpuMask>(), (&raw const mask).cast());
    // SAFETY: the kernel reads at most `size` bytes of `mask`.
    check(unsafe { libc::sched_setaffinity(0, size, from) }).map(drop)
}

/// One bit for each of 8192 cores, the most that Linux supports.
type CpuMask = [c_ulong; CPU_WORDS];
const WORD: usize = c_ulong::BITS as usize;
const CPU_WORDS: usize = 8192 / WORD;

/// Query of an interface by `ioctl`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Index,
    Mtu,
    Flags,
    Hardware,
}

/// First 16 bytes of the answer, the most that these queries return: an integer or a `sockaddr`.
pub(crate) fn ask_interface(fd: BorrowedFd<'_>, name: &str, ask: Ask) -> io::Result<[u8; 16]> {
    let mut request = Request::of(name)?;
    let number = match ask {
        Ask::Index => libc::SIOCGIFINDEX,
        Ask::Mtu => libc::SIOCGIFMTU,
        Ask::Flags => libc::SIOCGIFFLAGS,
        Ask::Hardware => libc::SIOCGIFHWADDR,
    };
    // SAFETY: these four requests read and write one `ifreq`, and `request` is as large (asserted
    // above), as aligned, and of bytes that may have any value.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), number as libc::Ioctl, &raw mut request) })?;
    let mut answer = [0; 16];
    answer.copy_from_slice(&request.answer[..16]);
    Ok(answer)
}

/// Number of receive channels of the interface, if the driver reports it.
pub(crate) fn rx_channels(fd: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    // `ethtool_channels`: the command; the most there can be of four kinds; how many there are. The
    // kinds: receiving, sending, other, both.
    let [_, _, _, _, _, rx, _, _, both, ..] = ethtool(fd, name, ETHTOOL_GCHANNELS)?;
    Ok(rx.saturating_add(both))
}

/// Descriptors of the receive ring of the card: how many there are, and the most there can be.
pub(crate) fn rx_descriptors(fd: BorrowedFd<'_>, name: &str) -> io::Result<(u32, u32)> {
    // `ethtool_ringparam`: the command; the most there can be of four kinds; how many there are. The
    // first kind is that of receiving.
    let [_, most, _, _, _, now, ..] = ethtool(fd, name, ETHTOOL_GRINGPARAM)?;
    Ok((now, most))
}

/// Whether packets are joined as they are received, by the kernel.
pub(crate) fn joins_in_kernel(fd: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let [_, value, ..] = ethtool(fd, name, ETHTOOL_GGRO)?;
    Ok(value != 0)
}

/// Whether packets are joined as they are received, by the card.
pub(crate) fn joins_in_card(fd: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let [_, flags, ..] = ethtool(fd, name, ETHTOOL_GFLAGS)?;
    Ok(flags & ETH_FLAG_LRO != 0)
}

/// Whether the card can stamp packets as they arrive.
pub(crate) fn stamps_in_card(fd: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    // `ethtool_ts_info`: the command; what can be asked for.
    let [_, kinds, ..] = ethtool(fd, name, ETHTOOL_GET_TS_INFO)?;
    Ok(kinds & libc::SOF_TIMESTAMPING_RX_HARDWARE != 0)
}

/// The answer to a command of `ethtool`: the command, and what the driver says.
fn ethtool(fd: BorrowedFd<'_>, name: &str, command: u32) -> io::Result<[u32; ETHTOOL_WORDS]> {
    let mut words = [0; ETHTOOL_WORDS];
    words[0] = command;
    let mut request = Request::of(name)?;
    let pointer = (&raw mut words).expose_provenance();
    request.answer[..size_of::<usize>()].copy_from_slice(&pointer.to_ne_bytes());
    let fd = fd.as_raw_fd();
    // SAFETY: the request reads an `ifreq`, as large as `request`, whose union is a pointer to a structure. Those of
    // the five commands used here are 2, 9 or 11 integers, of which the kernel reads one and writes no more than
    // all; `words` is longer.
    check(unsafe { libc::ioctl(fd, SIOCETHTOOL, &raw mut request) })?;
    Ok(words)
}

/// More than the longest structure that is asked for: `ethtool_ts_info` has 11 words.
const ETHTOOL_WORDS: usize = 16;

/// `ifreq`: name of an interface, and a query or its answer.
#[repr(C, align(8))]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    // The union of `ifreq` has at most 24 bytes; a longer one does no harm.
    answer: [u8; 32],
}

impl Request {
    fn of(name: &str) -> io::Result<Self> {
        const { assert!(size_of::<Request>() >= size_of::<libc::ifreq>()) };
        // With room for the byte 0 at its end.
        if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains('\0') {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        let mut request = Request { name: [0; libc::IFNAMSIZ], answer: [0; 32] };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        Ok(request)
    }
}

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const ETHTOOL_GRINGPARAM: u32 = 0x10;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_GET_TS_INFO: u32 = 0x41;
const ETH_FLAG_LRO: u32 = 1 << 15;

/// Names of all interfaces, in the kernel's order.
pub(crate) fn interface_names() -> io::Result<Vec<String>> {
    // SAFETY: takes nothing; gives an array that ends with an entry of index 0 and no name, or null.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut names = Vec::new();
    let mut at = list;
    loop {
        // SAFETY: `at` starts at the array's first entry and has not passed the last one, at which
        // the loop ends.
        let entry = unsafe { at.read() };
        if entry.if_index == 0 || entry.if_name.is_null() {
            break;
        }
        // SAFETY: the name of an entry is a C string that lives until the array is freed below.
        let name = unsafe { CStr::from_ptr(entry.if_name) };
        names.push(name.to_string_lossy().into_owned());
        // SAFETY: this was not the last entry, so another one follows it.
        at = unsafe { at.add(1) };
    }
    // SAFETY: `list` came from `if_nameindex`, is freed once, and no name borrows from it any more.
    unsafe { libc::if_freenameindex(list) };
    Ok(names)
}

/// Size of a memory page, in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: takes an integer.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Sets an option whose value the kernel reads as a `T`: an integer, or a structure of integers.
/// The only one with a pointer is made by [`set_program`], from a slice that outlives the call.
fn set_option<T: Copy>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    let value: *const c_void = (&raw const *value).cast();
    // SAFETY: `value` points to `len` bytes that outlive the call, which only reads them.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, len) }).map(drop)
}

/// Type for which any bytes are a valid value, so that the kernel may write it.
trait Plain: Copy {}
impl Plain for c_int {}
impl Plain for [c_uint; 3] {}

/// Reads an option that the kernel writes as a `T`.
fn option<T: Plain>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    let to: *mut c_void = value.as_mut_ptr().cast();
    // SAFETY: `to` points to `len` bytes; the kernel writes no more than `len` says.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, to, &raw mut len) })?;
    // SAFETY: all bytes were zeroed before the kernel wrote some, and any bytes make a `Plain`.
    Ok(unsafe { value.assume_init() })
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
