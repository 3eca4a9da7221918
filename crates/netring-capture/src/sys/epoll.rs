//! `epoll(7)` and socket options for AF_XDP.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{check, set_option};

/// Creates an epoll descriptor.
pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: takes an integer.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel has just created this descriptor; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes `epoll` readable while `fd` has an error, or data to read if `frames`.
pub(crate) fn watch(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>, frames: bool) -> io::Result<()> {
    let events = if frames { libc::EPOLLIN } else { libc::EPOLLERR };
    let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: 0 };
    let (add, fd) = (libc::EPOLL_CTL_ADD, fd.as_raw_fd());
    // SAFETY: `event` outlives the call, which only reads it.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), add, fd, &raw mut event) }).map(drop)
}

/// Closes the descriptor in programs that this one starts.
pub(crate) fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// Lets reads of the socket do the work of the driver, for at most `time`.
pub(crate) fn busy_poll(fd: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    let microseconds = c_int::try_from(time.as_micros()).unwrap_or(c_int::MAX);
    set_option(fd, libc::SOL_SOCKET, SO_PREFER_BUSY_POLL, &1)?;
    set_option(fd, libc::SOL_SOCKET, libc::SO_BUSY_POLL, &microseconds)?;
    set_option(fd, libc::SOL_SOCKET, SO_BUSY_POLL_BUDGET, &BUDGET)
}

const SO_PREFER_BUSY_POLL: c_int = 69;
const SO_BUSY_POLL_BUDGET: c_int = 70;

/// Frames that the driver hands over at once.
const BUDGET: c_int = 64;
