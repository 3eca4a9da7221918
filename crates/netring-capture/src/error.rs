use std::{env, io};

/// Why an interface cannot be captured from, or not any more. The message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The process lacks `CAP_NET_RAW` in the network namespace it is in.
    #[error(
        "capturing needs a capability that this program does not have; grant it with\n    \
         sudo setcap cap_net_raw,cap_net_admin+ep {program}"
    )]
    NoPermission {
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
            io::ErrorKind::PermissionDenied => CaptureError::NoPermission { program: program() },
            _ => CaptureError::System { doing, source },
        }
    }
}

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
