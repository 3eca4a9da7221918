use std::time::Duration;

use flowscope_core::Timestamp;

use crate::DataChannel;

/// A command and the replies to it, or a reply without a command: the greeting, or one that the server sends
/// unasked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FtpExchange {
    /// Time of the end of the command; without one, of the reply.
    pub ts: Timestamp,
    /// Number of the exchange in its connection, from 0.
    pub id: u64,
    /// The command in upper case (RFC 959 §5.3); `None` for a reply without a command.
    pub command: Option<Vec<u8>>,
    /// Its argument. Never kept of `PASS`, `ACCT`, `ADAT`, `MIC`, `CONF` and `ENC`, of which it is a secret or
    /// encrypted; of `SITE` commands that change passwords the first word only.
    pub argument: Option<Vec<u8>>,
    /// Whether the command was longer than 2048 bytes; the rest of it is not in `argument`.
    pub command_truncated: bool,
    /// The lines of all replies, in order; the first 32 of at most 4096 bytes together (RFC 959 §4.2).
    pub reply: Vec<FtpReplyLine>,
    /// Whether `reply` lacks lines or ends of lines.
    pub reply_truncated: bool,
    /// The code of the last reply.
    pub code: Option<u16>,
    /// The name of the last `USER` (RFC 959 §4.1.1).
    pub user: Option<Vec<u8>>,
    /// Whether a `PASS` was sent since the last `USER`.
    pub password_sent: bool,
    /// The data connection that the command or its reply prepares.
    pub data: Option<DataChannel>,
    /// Size of a file in bytes, as the reply to `SIZE` (RFC 3659 §4) or the opening of a transfer says.
    pub file_size: Option<u64>,
    /// From the end of the command to the end of its first reply.
    pub latency: Option<Duration>,
}

/// A line of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FtpReplyLine {
    /// The code that the line begins with; `None` within a reply of several lines (RFC 959 §4.2).
    pub code: Option<u16>,
    /// The text behind the code and its separator, without the end of the line.
    pub text: Vec<u8>,
}

impl FtpExchange {
    /// Memory held beside the value itself, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [&self.command, &self.argument, &self.user];
        let texts: usize = texts.into_iter().flatten().map(Vec::capacity).sum();
        let lines: usize = self.reply.iter().map(|line| line.text.capacity()).sum();
        texts + lines + self.reply.capacity() * size_of::<FtpReplyLine>()
    }
}
