use std::io;

use crate::denial::{FOR_PACKETS, FOR_SHUNTS};
#[cfg(feature = "af-xdp")]
use crate::denial::{FOR_XDP, program, setcap};
use crate::{Denial, Interface};

/// Error of a live capture. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A capability is missing, or does not count in the network namespace of the process: `CAP_NET_RAW`; for AF_XDP
    /// also `CAP_NET_ADMIN` and `CAP_BPF`.
    #[error("{0}")]
    NoPermission(Denial),
    /// There is no interface with this name.
    #[error("there is no interface `{interface}`; `ip link` lists those that there are")]
    NoSuchInterface {
        /// The name.
        interface: String,
    },
    /// The link header of the interface cannot be decoded.
    #[error(
        "the frames of `{interface}` (hardware type {hardware}) are of a kind not decoded here"
    )]
    UnsupportedLink {
        /// The name.
        interface: String,
        /// `ARPHRD_` number of the hardware.
        hardware: u16,
    },
    /// The kernel did not allocate the ring.
    #[error("no memory for a ring of {bytes} bytes; ask for fewer or smaller blocks: {source}")]
    NoRing {
        /// Requested size, in bytes.
        bytes: u64,
        /// Error of the kernel.
        source: io::Error,
    },
    /// The memory of an AF_XDP capture exceeds the limit of locked memory.
    #[error(
        "the capture's {bytes} bytes are more than this program may lock into memory; ask for fewer \
         frames, raise `ulimit -l`, or grant it CAP_IPC_LOCK with\n    {remedy}"
    )]
    MemoryLimit {
        /// Requested size, in bytes.
        bytes: u64,
        /// The command that grants it to the file of the running program.
        remedy: String,
    },
    /// The kernel refused the filter program.
    #[error("the kernel does not accept the filter: {source}")]
    FilterRefused {
        /// Error of the kernel.
        source: io::Error,
    },
    /// The fanout group cannot be joined: a group of this number has other members or settings, or
    /// is full.
    #[error("cannot join fanout group {group}; use a number that no other capture uses: {source}")]
    FanoutRefused {
        /// Number of the group.
        group: u16,
        /// Error of the kernel.
        source: io::Error,
    },
    /// Another XDP program is attached to the interface.
    #[error(
        "another XDP program is attached to `{interface}`; stop the program that did so, or remove \
         it with `sudo ip link set {interface} xdp off`"
    )]
    ProgramAttached {
        /// The name.
        interface: String,
    },
    /// Another AF_XDP socket uses this queue.
    #[error(
        "queue {queue} of `{interface}` is captured already; stop that, or leave the queue out"
    )]
    QueueTaken {
        /// The name.
        interface: String,
        /// The queue.
        queue: u32,
    },
    /// There is no receive queue with this number.
    #[error(
        "`{interface}` has no queue {queue}: it has {queues}, the first being 0; \
         `ethtool -l {interface}` lists them"
    )]
    NoSuchQueue {
        /// The name.
        interface: String,
        /// Requested queue.
        queue: u32,
        /// Number of queues.
        queues: u32,
    },
    /// Packets of the interface can be longer than a frame of the AF_XDP capture.
    #[error(
        "the packets of `{interface}` (MTU {mtu}) do not fit the frames of the capture (MTU {most} \
         at most); ask for multi_buffer or larger frames, or \
         `sudo ip link set {interface} mtu {most}`"
    )]
    MtuTooLarge {
        /// The name.
        interface: String,
        /// MTU of the interface, in bytes.
        mtu: u32,
        /// Longest packet that fits, in bytes.
        most: u32,
    },
    /// The driver of the interface, or the kernel, does not support a setting.
    #[error("`{interface}` does not do {what}; {advice}: {source}")]
    Unsupported {
        /// The name.
        interface: String,
        /// The setting.
        what: &'static str,
        /// What to do instead.
        advice: &'static str,
        /// Error of the kernel.
        source: io::Error,
    },
    /// The kernel cannot count flows in place of the reader with these settings.
    #[error("flows cannot be counted by the kernel: {reason}")]
    NoShunt {
        /// What is in the way, and what to do.
        reason: &'static str,
    },
    /// The kernel cannot count flows: it has no such map, or did not take the program.
    #[error(
        "the kernel cannot count flows, which needs Linux 5.14, with AF_XDP 5.18; do without: {source}"
    )]
    ShuntRefused {
        /// Error of the kernel.
        source: io::Error,
    },
    /// The interface is down. The capture stays open and resumes when it is up again.
    #[error("interface `{interface}` is down; `sudo ip link set {interface} up` brings it up")]
    InterfaceDown {
        /// The name.
        interface: String,
    },
    /// The interface was deleted or renamed. Frames in the ring can still be read; no more will
    /// arrive.
    #[error("interface `{interface}` is gone; open a new capture once there is one again")]
    InterfaceGone {
        /// The name.
        interface: String,
    },
    /// A frame to send is too long for the interface.
    #[error("a frame of {len} bytes is too long for an interface whose packets have {mtu} at most")]
    FrameTooLong {
        /// Length of the frame with its link header, in bytes.
        len: usize,
        /// MTU of the interface, without the link header, in bytes.
        mtu: u32,
    },
    /// The send queue of the interface or socket is full; try again later.
    #[error("the queue for sending is full; try again")]
    Busy,
    /// Any other system call failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What the call was for.
        doing: &'static str,
        /// Error of the kernel.
        source: io::Error,
    },
}

impl CaptureError {
    /// Error of a failed call, from its code where that has one meaning for all calls.
    pub(crate) fn of(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => CaptureError::NoPermission(Denial::of(FOR_PACKETS)),
            _ => CaptureError::System { doing, source },
        }
    }

    /// The kernel refused the map or program that counts flows.
    pub(crate) fn of_shunt(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => CaptureError::NoPermission(Denial::of(FOR_SHUNTS)),
            _ => CaptureError::ShuntRefused { source },
        }
    }

    /// As [`of`](Self::of), for a call of AF_XDP.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn of_xdp(doing: &'static str, source: io::Error) -> Self {
        match CaptureError::of(doing, source) {
            CaptureError::NoPermission(_) => CaptureError::NoPermission(Denial::of(FOR_XDP)),
            error => error,
        }
    }

    /// The limit of locked memory was exceeded.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn memory_limit(bytes: u64) -> Self {
        CaptureError::MemoryLimit { bytes, remedy: setcap(FOR_XDP, &program()) }
    }

    /// Error of a failed call on an open capture, which may be caused by the interface.
    pub(crate) fn on(interface: &Interface, doing: &'static str, source: io::Error) -> Self {
        let Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) = source.raw_os_error() else {
            return CaptureError::of(doing, source);
        };
        let (index, interface) = (interface.index, interface.name.clone());
        match Interface::find(&interface) {
            Ok(now) if now.index == index => CaptureError::InterfaceDown { interface },
            _ => CaptureError::InterfaceGone { interface },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel for the program's name")]
    fn a_missing_permission_is_an_error_of_its_own() {
        for code in [libc::EPERM, libc::EACCES] {
            let denied = || io::Error::from_raw_os_error(code);
            let error = CaptureError::of("open a socket", denied());
            assert!(matches!(error, CaptureError::NoPermission(_)), "{error}");
            let error = CaptureError::of_shunt(denied());
            assert!(matches!(error, CaptureError::NoPermission(_)), "{error}");
        }
    }

    #[test]
    fn other_failures_name_the_call() {
        let error = CaptureError::of("bind", io::Error::from_raw_os_error(libc::EINVAL));
        assert!(error.to_string().starts_with("cannot bind: Invalid argument"), "{error}");
    }
}
