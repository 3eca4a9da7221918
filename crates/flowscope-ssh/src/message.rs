use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::{Algorithms, KexInit};

/// What one SSH connection says before it is encrypted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SshHandshake {
    /// When the first identification was captured.
    pub started: Timestamp,
    /// Which side is the client: the flow's initiator, unless its bytes say otherwise.
    pub client_side: FlowSide,
    /// The client.
    pub client: SshEnd,
    /// The server.
    pub server: SshEnd,
    /// From the first identification to the start of encryption.
    pub duration: Option<Duration>,
    /// How far the handshake came.
    pub outcome: SshOutcome,
}

/// One end of an SSH connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SshEnd {
    /// Its identification line.
    pub identification: Option<Identification>,
    /// What it proposes.
    pub kex_init: Option<KexInit>,
    /// Whether it has said that what follows is encrypted (SSH_MSG_NEWKEYS).
    pub new_keys: bool,
}

/// How far an SSH handshake came.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SshOutcome {
    /// Both ends went on to encryption.
    Encrypted,
    /// An end said SSH_MSG_DISCONNECT before.
    Disconnected,
    /// Bytes were missing: the rest of the handshake is unknown.
    Cut,
    /// The connection ended before.
    Incomplete,
}

/// An identification line: `SSH-protoversion-softwareversion SP comments` (RFC 4253 §4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identification(pub(crate) Vec<u8>);

impl Identification {
    /// The line without its end, as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The protocol version: `2.0`, `1.99`, `1.5`.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        self.parts().0
    }

    /// The software version, without comments.
    #[must_use]
    pub fn software(&self) -> Option<&[u8]> {
        let software = self.parts().1?;
        software.split(|byte| *byte == b' ').next()
    }

    fn parts(&self) -> (&[u8], Option<&[u8]>) {
        let rest = self.0.strip_prefix(b"SSH-").unwrap_or(&self.0);
        match rest.iter().position(|byte| *byte == b'-') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        }
    }
}

impl SshHandshake {
    /// The algorithms that both ends have in common, if both proposals were seen.
    #[must_use]
    pub fn agreed(&self) -> Option<Algorithms<'_>> {
        Some(KexInit::agreed(self.client.kex_init.as_ref()?, self.server.kex_init.as_ref()?))
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.client.heap_bytes() + self.server.heap_bytes()
    }
}

impl SshEnd {
    fn heap_bytes(&self) -> usize {
        self.identification.as_ref().map_or(0, |line| line.0.capacity())
            + self.kex_init.as_ref().map_or(0, KexInit::heap_bytes)
    }
}

impl SshOutcome {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SshOutcome::Encrypted => "encrypted",
            SshOutcome::Disconnected => "disconnected",
            SshOutcome::Cut => "cut",
            SshOutcome::Incomplete => "incomplete",
        }
    }
}
