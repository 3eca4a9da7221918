use std::time::Duration;

use flowscope_core::Timestamp;

/// A command and its reply, or a reply without a command: the greeting.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pop3Exchange {
    /// Time of the end of the command; without one, of the reply.
    pub ts: Timestamp,
    /// The command in upper case (RFC 1939 §3); `None` for a reply without a command.
    pub command: Option<Vec<u8>>,
    /// Its argument. At most 128 bytes; never kept of `PASS`; of `APOP` the name only, of `AUTH` the mechanism only.
    pub argument: Option<Vec<u8>>,
    /// The name in the last `USER` or `APOP` (RFC 1939 §7).
    pub user: Option<Vec<u8>>,
    /// Whether the reply is `+OK` (RFC 1939 §3); `None` if none was seen.
    pub success: Option<bool>,
    /// The text behind `+OK` or `-ERR`, up to 512 bytes.
    pub text: Option<Vec<u8>>,
    /// Lines of the reply behind its first, without the last, which is a dot.
    pub lines: u64,
    /// Bytes of these lines, with their ends.
    pub bytes: u64,
    /// From the end of the command to the end of the reply's first line.
    pub latency: Option<Duration>,
}

impl Pop3Exchange {
    /// Memory held beside the value itself, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [&self.command, &self.argument, &self.user, &self.text];
        texts.into_iter().flatten().map(Vec::capacity).sum()
    }
}
