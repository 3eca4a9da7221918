//! Maps and programs of the kernel: `bpf(2)`.
//!
//! Numbers and layouts are those of `linux/bpf.h`.

#[cfg(feature = "af-xdp")]
pub(crate) mod xdp;

use std::ffi::{c_int, c_long};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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

/// Creates a map whose entries are allocated when they are needed, and freed when no program uses them any
/// more.
pub(crate) fn create_hash_map(key: u32, value: u32, entries: u32) -> io::Result<OwnedFd> {
    create_map(MAP_TYPE_HASH, key, value, entries, NO_PREALLOC)
}

/// Creates a map of one number, 0 at first.
pub(crate) fn create_counter() -> io::Result<OwnedFd> {
    create_map(MAP_TYPE_ARRAY, 4, 8, 1, 0)
}

fn create_map(kind: u32, key: u32, value: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    make(MAP_CREATE, &MapCreate { kind, key_size: key, value_size: value, entries, flags })
}

/// Sets the value of an entry; if `new`, there must be none with this key. Both slices are as long as the map was created for.
pub(crate) fn put(map: BorrowedFd<'_>, key: &[u8], value: &[u8], new: bool) -> io::Result<()> {
    let element = MapElement {
        map: map.as_raw_fd(),
        _pad: 0,
        key: key.as_ptr().expose_provenance() as u64,
        value: value.as_ptr().expose_provenance() as u64,
        flags: if new { NO_EXIST } else { 0 },
    };
    call(MAP_UPDATE_ELEM, &element).map(drop)
}

/// Copies the value of an entry, and removes the entry if `remove`; `false` if there is none. Both slices are as
/// long as the map was created for.
pub(crate) fn read(
    map: BorrowedFd<'_>,
    key: &[u8],
    value: &mut [u8],
    remove: bool,
) -> io::Result<bool> {
    let command = if remove { MAP_LOOKUP_AND_DELETE_ELEM } else { MAP_LOOKUP_ELEM };
    let element = MapElement {
        map: map.as_raw_fd(),
        _pad: 0,
        key: key.as_ptr().expose_provenance() as u64,
        value: value.as_mut_ptr().expose_provenance() as u64,
        flags: 0,
    };
    match call(command, &element) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        done => done.map(|_| true),
    }
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
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// `union bpf_attr` of the commands in use, up to the fields in use.
///
/// Every pointer refers to memory that outlives the call: a key or a value, as long as the map was created for,
/// or longer; `count` instructions; a string that ends in 0. The kernel reads it. Only look-ups write, to a
/// value that was passed as `&mut`.
trait Attributes {}

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapElement {
    map: c_int,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

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

impl Attributes for MapCreate {}
impl Attributes for MapElement {}
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

const MAP_CREATE: c_long = 0;
const MAP_LOOKUP_ELEM: c_long = 1;
const MAP_UPDATE_ELEM: c_long = 2;
#[cfg(feature = "af-xdp")]
const MAP_DELETE_ELEM: c_long = 3;
const PROG_LOAD: c_long = 5;
const MAP_LOOKUP_AND_DELETE_ELEM: c_long = 21;

const MAP_TYPE_HASH: u32 = 1;
const MAP_TYPE_ARRAY: u32 = 2;
const NO_PREALLOC: u32 = 1;
const NO_EXIST: u64 = 1;
const PROG_TYPE_SOCKET_FILTER: u32 = 1;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const XDP_HAS_FRAGS: u32 = 1 << 5;
