//! The XDP program, its map of sockets, and its attachment to an interface: `bpf(2)`.
//!
//! Numbers and layouts are those of `linux/bpf.h`.

use std::ffi::{c_int, c_long};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Creates a map from receive queue numbers to AF_XDP sockets.
pub(crate) fn create_socket_map(entries: u32) -> io::Result<OwnedFd> {
    make(MAP_CREATE, &MapCreate { kind: MAP_TYPE_XSKMAP, key_size: 4, value_size: 4, entries })
}

/// Redirects the frames of a queue to a socket.
pub(crate) fn put(map: BorrowedFd<'_>, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
    let socket = socket.as_raw_fd();
    let (key, value) =
        ((&raw const queue).expose_provenance(), (&raw const socket).expose_provenance());
    let element = MapElement {
        map: map.as_raw_fd(),
        _pad: 0,
        key: key as u64,
        value: value as u64,
        flags: 0,
    };
    call(MAP_UPDATE_ELEM, &element).map(drop)
}

/// Stops redirecting the frames of a queue. It is no error if they are not redirected.
pub(crate) fn remove(map: BorrowedFd<'_>, queue: u32) -> io::Result<()> {
    let key = (&raw const queue).expose_provenance() as u64;
    let element = MapElement { map: map.as_raw_fd(), _pad: 0, key, value: 0, flags: 0 };
    match call(MAP_DELETE_ELEM, &element) {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
        _ => Ok(()),
    }
}

/// Loads the program that redirects each frame to the socket of its queue in `map`, and passes it
/// to the network stack if there is none.
pub(crate) fn load_redirect(map: BorrowedFd<'_>, multi_buffer: bool) -> io::Result<OwnedFd> {
    let program = [
        // r2 = context->rx_queue_index
        instruction(0x61, 2, 1, 16, 0),
        // r1 = map, in two halves
        instruction(0x18, 1, PSEUDO_MAP_FD, 0, map.as_raw_fd()),
        instruction(0, 0, 0, 0, 0),
        // r3 = what to do without a socket
        instruction(0xb7, 3, 0, 0, XDP_PASS),
        // r0 = redirect_map(r1, r2, r3)
        instruction(0x85, 0, 0, 0, REDIRECT_MAP),
        // return r0
        instruction(0x95, 0, 0, 0, 0),
    ];
    // It calls no helper that requires the GPL.
    let license = c"MIT OR Apache-2.0";
    make(
        PROG_LOAD,
        &ProgLoad {
            kind: PROG_TYPE_XDP,
            count: program.len() as u32,
            instructions: program.as_ptr().expose_provenance() as u64,
            license: license.as_ptr().expose_provenance() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: if multi_buffer { XDP_HAS_FRAGS } else { 0 },
            name: *b"flowscope_xsk\0\0\0",
            interface: 0,
            attach_type: ATTACH_XDP,
        },
    )
}

/// Attaches a program to an interface while the returned descriptor is open; it is detached when
/// the process ends in any way.
pub(crate) fn attach(program: BorrowedFd<'_>, interface: u32, native: bool) -> io::Result<OwnedFd> {
    let flags = if native { XDP_FLAGS_DRV_MODE } else { XDP_FLAGS_SKB_MODE };
    let program = program.as_raw_fd();
    make(LINK_CREATE, &LinkCreate { program, interface, attach_type: ATTACH_XDP, flags })
}

/// `union bpf_attr` of the commands in use, up to the fields in use.
///
/// Every pointer refers to a value that outlives the call, which only reads it: a key or value of
/// four bytes, as in the maps here; `count` instructions; a string that ends in 0.
trait Attributes {}

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
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

#[repr(C)]
struct LinkCreate {
    program: c_int,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

impl Attributes for MapCreate {}
impl Attributes for MapElement {}
impl Attributes for ProgLoad {}
impl Attributes for LinkCreate {}

/// `struct bpf_insn`.
fn instruction(code: u8, to: u8, from: u8, offset: i16, constant: i32) -> [u8; 8] {
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
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `at`, and what they point to (see
    // `Attributes`); these commands write nothing there.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, at, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as c_int) }
}

const MAP_CREATE: c_long = 0;
const MAP_UPDATE_ELEM: c_long = 2;
const MAP_DELETE_ELEM: c_long = 3;
const PROG_LOAD: c_long = 5;
const LINK_CREATE: c_long = 28;

const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const PSEUDO_MAP_FD: u8 = 1;
const REDIRECT_MAP: i32 = 51;
const XDP_PASS: i32 = 2;
const XDP_HAS_FRAGS: u32 = 1 << 5;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
