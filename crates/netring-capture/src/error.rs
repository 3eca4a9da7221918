use std::{env, io};

use crate::Interface;

/// Why an interface cannot be captured from, or not any more. The message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The process lacks a capability in the network namespace it is in: `CAP_NET_RAW`; for AF_XDP
    /// also `CAP_NET_ADMIN` and `CAP_BPF`.
    #[error(
        "capturing needs a capability that this program does not have; grant it with\n    \
         sudo setcap {capabilities}+ep {program}"
    )]
    NoPermission {
        /// What it needs, as `setcap` takes it.
        capabilities: &'static str,
        /// The running program, quoted for a shell where it needs to be.
        program: String,
    },
    /// There is no interface of this name.
    #[error("there is no interface `{interface}`; `ip link` lists those that there are")]
    NoSuchInterface {
        /// The name.
        interface: String,
    },
    /// The interface's frames begin with a header that nothing here decodes.
    #[error(
        "the frames of `{interface}` (hardware type {hardware}) are of a kind not decoded here"
    )]
    UnsupportedLink {
        /// The name.
        interface: String,
        /// Its `ARPHRD_` number.
        hardware: u16,
    },
    /// The kernel could not, or would not, allocate the ring.
    #[error("no memory for a ring of {bytes} bytes; ask for fewer or smaller blocks: {source}")]
    NoRing {
        /// The size that was asked for.
        bytes: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// The memory of an AF_XDP capture is more than this program may keep from being swapped out.
    #[error(
        "the capture's {bytes} bytes are more than this program may lock into memory; ask for fewer \
         frames, raise `ulimit -l`, or grant it CAP_IPC_LOCK with\n    \
         sudo setcap {capabilities}+ep {program}"
    )]
    MemoryLimit {
        /// The size that was asked for.
        bytes: u64,
        /// What it needs to lock as much as it likes, as `setcap` takes it.
        capabilities: &'static str,
        /// The running program, quoted for a shell where it needs to be.
        program: String,
    },
    /// The kernel's own check did not accept the filter.
    #[error("the kernel does not accept the filter: {source}")]
    FilterRefused {
        /// What it said.
        source: io::Error,
    },
    /// The fanout group cannot be joined: another group of this number has different members or
    /// rules, or it is full.
    #[error("cannot join fanout group {group}; use a number that no other capture uses: {source}")]
    FanoutRefused {
        /// Its number.
        group: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// An XDP program is attached to the interface already.
    #[error(
        "another XDP program is attached to `{interface}`; stop the program that did so, or remove \
         it with `sudo ip link set {interface} xdp off`"
    )]
    ProgramAttached {
        /// The name.
        interface: String,
    },
    /// Another AF_XDP socket has this queue.
    #[error(
        "queue {queue} of `{interface}` is captured already; stop that, or leave the queue out"
    )]
    QueueTaken {
        /// The name.
        interface: String,
        /// The queue.
        queue: u32,
    },
    /// There is no receive queue of this number.
    #[error(
        "`{interface}` has no queue {queue}: it has {queues}, the first being 0; \
         `ethtool -l {interface}` lists them"
    )]
    NoSuchQueue {
        /// The name.
        interface: String,
        /// The number that was asked for.
        queue: u32,
        /// How many there are.
        queues: u32,
    },
    /// The interface carries packets that are longer than a frame of an AF_XDP capture holds.
    #[error(
        "the packets of `{interface}` (MTU {mtu}) do not fit the frames of the capture (MTU {most} \
         at most); ask for multi_buffer or larger frames, or \
         `sudo ip link set {interface} mtu {most}`"
    )]
    MtuTooLarge {
        /// The name.
        interface: String,
        /// Its longest packet, in bytes.
        mtu: u32,
        /// The longest that fits.
        most: u32,
    },
    /// The interface's driver, or the kernel, cannot do what was asked for.
    #[error("`{interface}` does not do {what}; {advice}: {source}")]
    Unsupported {
        /// The name.
        interface: String,
        /// What it cannot do.
        what: &'static str,
        /// What to do about it.
        advice: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interface is down. The capture stays open, and goes on by itself once it is up again.
    #[error("interface `{interface}` is down; `sudo ip link set {interface} up` brings it up")]
    InterfaceDown {
        /// The name.
        interface: String,
    },
    /// The interface was deleted, or renamed. What is in the ring can still be read; nothing more
    /// will come.
    #[error("interface `{interface}` is gone; open a new capture once there is one again")]
    InterfaceGone {
        /// The name.
        interface: String,
    },
    /// A frame to be sent is longer than the interface takes.
    #[error("a frame of {len} bytes is too long for an interface whose packets have {mtu} at most")]
    FrameTooLong {
        /// Its length with its link header, in bytes.
        len: usize,
        /// The longest packet, without its link header, in bytes.
        mtu: u32,
    },
    /// The frame was not sent as the queue of the interface or socket is full: try again later.
    #[error("the queue for sending is full; try again")]
    Busy,
    /// Any other system call that failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What it was for.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl CaptureError {
    /// A failed call, told by its code where that has one meaning whatever the call was.
    pub(crate) fn of(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => {
                CaptureError::NoPermission { capabilities: FOR_PACKETS, program: program() }
            }
            _ => CaptureError::System { doing, source },
        }
    }

    /// As [`of`](Self::of), where the call is one that AF_XDP needs.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn of_xdp(doing: &'static str, source: io::Error) -> Self {
        match CaptureError::of(doing, source) {
            CaptureError::NoPermission { program, .. } => {
                CaptureError::NoPermission { capabilities: FOR_XDP, program }
            }
            error => error,
        }
    }

    /// More memory than may be locked.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn memory_limit(bytes: u64) -> Self {
        CaptureError::MemoryLimit { bytes, capabilities: FOR_XDP, program: program() }
    }

    /// A failed call on an open capture, which may be the interface's doing.
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

/// What AF_PACKET needs: the second one to be promiscuous on any kernel.
const FOR_PACKETS: &str = "cap_net_raw,cap_net_admin";

/// What AF_XDP needs, and the right to lock memory without limit.
#[cfg(feature = "af-xdp")]
const FOR_XDP: &str = "cap_net_raw,cap_net_admin,cap_bpf,cap_ipc_lock";

/// The running program as one word of a shell.
fn program() -> String {
    let path = env::current_exe().map(|path| path.to_string_lossy().into_owned());
    quoted(path.unwrap_or_else(|_| "PROGRAM".to_owned()))
}

fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_copy_is_one_line_and_survives_a_shell() {
        for (path, expected) in [
            ("/usr/bin/flowscope", "/usr/bin/flowscope"),
            ("/home/a b/x", "'/home/a b/x'"),
            ("/it's", r"'/it'\''s'"),
        ] {
            assert_eq!(quoted(path.to_owned()), expected);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel for the program's name")]
    fn the_line_names_the_program_and_what_it_lacks() {
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let text = CaptureError::of("open a socket", denied).to_string();
        let line = text.lines().last().unwrap_or_default().trim_start();
        assert!(line.starts_with("sudo setcap cap_net_raw,cap_net_admin+ep /"), "{text}");
    }

    #[test]
    fn other_failures_name_the_call() {
        let error = CaptureError::of("bind", io::Error::from_raw_os_error(libc::EINVAL));
        assert!(error.to_string().starts_with("cannot bind: Invalid argument"), "{error}");
    }
}
