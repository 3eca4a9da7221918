use std::time::Duration;

use flowscope_core::Timestamp;

/// A command and its tagged response, or a response without a command: the greeting.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ImapExchange {
    /// Time of the end of the command; without one, of the response.
    pub ts: Timestamp,
    /// The tag that connects the two (RFC 9051 §2.2.1), up to 64 bytes.
    pub tag: Option<Vec<u8>>,
    /// The command in upper case, `UID` with the command behind it (RFC 9051 §6); `None` for the greeting.
    pub command: Option<Vec<u8>>,
    /// Its arguments, up to 256 bytes. Of `LOGIN` there are none, of `AUTHENTICATE` the mechanism only.
    /// Literals are left out but for their length: `{310}`.
    pub argument: Option<Vec<u8>>,
    /// The name in `LOGIN` or in the credentials of `AUTHENTICATE` `PLAIN` and `LOGIN`; in later exchanges that
    /// of the login that succeeded. Up to 128 bytes.
    pub user: Option<Vec<u8>>,
    /// Status of the response (RFC 9051 §7.1); `None` if none was seen.
    pub status: Option<ImapStatus>,
    /// Text of the response, with its code in brackets, up to 512 bytes.
    pub text: Option<Vec<u8>>,
    /// Untagged responses while it was the oldest command without a response (RFC 9051 §7).
    pub responses: u64,
    /// Bytes of these, literals and ends of lines included.
    pub bytes: u64,
    /// Bytes of the command's literals (RFC 9051 §4.3): of `APPEND` the message.
    pub literal_bytes: u64,
    /// From the end of the command to that of the tagged response.
    pub latency: Option<Duration>,
}

/// Status of a response (RFC 9051 §7.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ImapStatus {
    /// Success.
    Ok,
    /// Failure.
    No,
    /// The command was not understood.
    Bad,
    /// A greeting: already authenticated.
    PreAuth,
    /// A greeting: the connection is refused.
    Bye,
}

impl ImapStatus {
    /// The word of the protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ImapStatus::Ok => "OK",
            ImapStatus::No => "NO",
            ImapStatus::Bad => "BAD",
            ImapStatus::PreAuth => "PREAUTH",
            ImapStatus::Bye => "BYE",
        }
    }

    /// The status that begins `text`, and what is behind it.
    pub(crate) fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let word = &text[..end];
        let all = [Self::Ok, Self::No, Self::Bad, Self::PreAuth, Self::Bye];
        let status =
            all.into_iter().find(|status| word.eq_ignore_ascii_case(status.as_str().as_bytes()))?;
        Some((status, text[end..].trim_ascii()))
    }
}

impl ImapExchange {
    /// Memory held beside the value itself, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [&self.tag, &self.command, &self.argument, &self.user, &self.text];
        texts.into_iter().flatten().map(Vec::capacity).sum()
    }
}
