//! Maps and programs of the kernel: `bpf(2)`.
//!
//! Numbers and layouts are those of `linux/bpf.h`.

mod map;
#[cfg(feature = "af-xdp")]
pub(crate) mod xdp;

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

pub(crate) use self::map::Map;

/// An instruction of a program: `struct bpf_insn`.
pub(crate) type Instruction = [u8; 8];

/// Kind of a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Decides which frames a packet socket receives.
    SocketFilter,
    /// Decides what becomes of a received frame; whether it may be in several pieces.
    #[cfg_attr(not(feature = "af-xdp"), expect(dead_code))]
    Xdp { multi_buffer: bool },
}

/// Loads a program.
pub(crate) fn load(kind: Kind, program: &[Instruction], name: &[u8; 16]) -> io::Result<OwnedFd> {
    let (number, attach_type, flags) = match kind {
        Kind::SocketFilter => (PROG_TYPE_SOCKET_FILTER, 0, 0),
        Kind::Xdp { multi_buffer: false } => (PROG_TYPE_XDP, ATTACH_XDP, 0),
        Kind::Xdp { multi_buffer: true } => (PROG_TYPE_XDP, ATTACH_XDP, XDP_HAS_FRAGS),
    };
    // It calls no helper that requires the GPL.
    let license = c"MIT OR Apache-2.0";
    make(
        PROG_LOAD,
        &ProgLoad {
            kind: number,
            count: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            instructions: program.as_ptr().expose_provenance() as u64,
            license: license.as_ptr().expose_provenance() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags,
            name: *name,
            interface: 0,
            attach_type,
        },
    )
}

/// Time of the clock that programs read, in nanoseconds: `CLOCK_MONOTONIC`.
pub(crate) fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec` to `now`, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    // Fields of 32 bits on some machines. This clock begins at 0 and does not go back.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// `union bpf_attr` of the commands in use, up to the fields in use.
///
/// Every pointer refers to memory that outlives the call: a key or a value, as long as the map was created for
/// (`Map` checks it); `count` instructions; a string that ends in 0. The kernel reads it. Only look-ups and
/// `OBJ_GET_INFO_BY_FD` write: to a value or a `MapInfo` that is borrowed as `&mut`.
trait Attributes {}

#[repr(C)]
struct ProgLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

impl Attributes for ProgLoad {}

/// `struct bpf_insn`.
pub(crate) fn instruction(code: u8, to: u8, from: u8, offset: i16, constant: i32) -> Instruction {
    let [a, b] = offset.to_ne_bytes();
    let [c, d, e, f] = constant.to_ne_bytes();
    // Two fields of four bits, the first one in the low bits of a little-endian machine.
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    [code, registers, a, b, c, d, e, f]
}

/// Runs a command that returns a file descriptor.
fn make<T: Attributes>(command: c_long, attributes: &T) -> io::Result<OwnedFd> {
    let fd = call(command, attributes)?;
    // SAFETY: the kernel has just created this descriptor; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T: Attributes>(command: c_long, attributes: &T) -> io::Result<c_int> {
    let at: *const T = attributes;
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `at`, and uses what they point to (see
    // `Attributes`).
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, at, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as c_int) }
}

const PROG_LOAD: c_long = 5;

const PROG_TYPE_SOCKET_FILTER: u32 = 1;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const XDP_HAS_FRAGS: u32 = 1 << 5;
