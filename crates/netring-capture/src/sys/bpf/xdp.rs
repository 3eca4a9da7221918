//! What only AF_XDP needs: a map of sockets, and a program attached to an interface.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Attributes, MAP_DELETE_ELEM, MAP_UPDATE_ELEM, MapElement, call, create_map, make};

/// Creates a map from receive queue numbers to AF_XDP sockets.
pub(crate) fn create_socket_map(entries: u32) -> io::Result<OwnedFd> {
    create_map(MAP_TYPE_XSKMAP, 4, 4, entries, 0)
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

/// Attaches a program to an interface while the returned descriptor is open; it is detached when
/// the process ends in any way.
pub(crate) fn attach(program: BorrowedFd<'_>, interface: u32, native: bool) -> io::Result<OwnedFd> {
    let flags = if native { XDP_FLAGS_DRV_MODE } else { XDP_FLAGS_SKB_MODE };
    let program = program.as_raw_fd();
    make(LINK_CREATE, &LinkCreate { program, interface, attach_type: ATTACH_XDP, flags })
}

#[repr(C)]
struct LinkCreate {
    program: c_int,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

impl Attributes for LinkCreate {}

const LINK_CREATE: std::ffi::c_long = 28;

const MAP_TYPE_XSKMAP: u32 = 17;
const ATTACH_XDP: u32 = 37;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
