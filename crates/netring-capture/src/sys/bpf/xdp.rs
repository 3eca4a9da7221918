//! What only AF_XDP needs: a program attached to an interface.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{ATTACH_XDP, Attributes, make};

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

const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
