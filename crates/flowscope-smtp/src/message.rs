use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_files::mime::NamedFile;

/// A mail transaction: from `MAIL` to the reply to the message (RFC 5321 §3.3), or a session without one.
///
/// All texts of one record together have at most 8 KiB, and a reply; what exceeds that is cut off.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmtpTransaction {
    /// Time of the end of `MAIL`; of the first line of either side where there is no mail.
    pub ts: Timestamp,
    /// Number of the transaction in its session, from 0.
    pub id: u32,
    /// The name that the client gave in `EHLO` or `HELO` (RFC 5321 §4.1.1.1), at most 255 bytes.
    pub helo: Option<Vec<u8>>,
    /// The reverse-path without its brackets, at most 256 bytes; empty for `<>` (RFC 5321 §4.1.1.2).
    /// `None` for a session without mail.
    pub mail_from: Option<Vec<u8>>,
    /// The forward-paths without their brackets, accepted or not: the first 100, at most 256 bytes each
    /// (RFC 5321 §4.1.1.3).
    pub rcpt_to: Vec<Vec<u8>>,
    /// Number of `RCPT` commands.
    pub rcpt_count: u64,
    /// `RCPT` commands that were answered with 4yz or 5yz.
    pub rcpt_rejected: u64,
    /// The last line of the last reply to a command of the transaction, or to its message, at most 512
    /// bytes (RFC 5321 §4.2).
    pub last_reply: Option<Vec<u8>>,
    /// What became of the transaction; `None` for a session without mail.
    pub outcome: Option<SmtpOutcome>,
    /// Whether the client asked for TLS and the server agreed (RFC 3207 §4): what follows is not SMTP.
    pub tls: bool,
    /// The last authentication of the session (RFC 4954).
    pub auth: Option<SmtpAuth>,
    /// Fields of the message's header.
    pub headers: SmtpHeaders,
    /// The parts of the message that are files, the first 64, if [asked for](crate::SmtpParser::with_files): attachments, parts that
    /// have a name, and those of another type than text. A part that is a message (RFC 2046 §5.2.1) is none; its own parts
    /// are.
    pub files: Vec<NamedFile>,
    /// Number of files beyond those.
    pub more_files: u64,
    /// What kind of body `MAIL` declared (RFC 6152 §3, RFC 3030 §3).
    pub body: Option<SmtpBody>,
    /// Length of the message that `MAIL` declared, in bytes (RFC 1870 §3).
    pub declared_len: Option<u64>,
    /// Length of the message in bytes, without the dots that were added for transparency (RFC 5321
    /// §4.5.2) and without the dot that ends it; bytes that were not captured included.
    pub message_len: u64,
    /// Bytes of the message that were not captured.
    pub missing_bytes: u64,
    /// Number of `BDAT` commands (RFC 3030 §2); 0 where the message was sent by `DATA`.
    pub chunks: u64,
    /// Whether a command was sent before the reply to the one before (RFC 2920 §3.1).
    pub pipelined: bool,
    /// Lines longer than RFC 5321 §4.5.3.1 allows: commands of more than 512 bytes, lines of a message
    /// of more than 1000. Those of an authentication may be longer (RFC 4954 §4).
    pub long_lines: u64,
    /// From `MAIL` to the last reply; `None` if there is none.
    pub duration: Option<Duration>,
}

/// What became of a mail transaction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SmtpOutcome {
    /// The server took the message.
    Accepted,
    /// The server refused the sender, every recipient, `DATA` or the message.
    Rejected,
    /// The client gave up with another command in place of the message.
    Abandoned,
    /// The end of the transaction was not seen: the connection ended, or bytes were not captured.
    Incomplete,
}

impl SmtpOutcome {
    /// The outcome as a word in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SmtpOutcome::Accepted => "accepted",
            SmtpOutcome::Rejected => "rejected",
            SmtpOutcome::Abandoned => "abandoned",
            SmtpOutcome::Incomplete => "incomplete",
        }
    }
}

/// What `BODY=` of `MAIL` declares.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SmtpBody {
    /// `7BIT` (RFC 6152 §3).
    SevenBit,
    /// `8BITMIME` (RFC 6152 §3).
    EightBitMime,
    /// `BINARYMIME` (RFC 3030 §3).
    BinaryMime,
}

impl SmtpBody {
    /// The keyword of the RFC.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SmtpBody::SevenBit => "7BIT",
            SmtpBody::EightBitMime => "8BITMIME",
            SmtpBody::BinaryMime => "BINARYMIME",
        }
    }
}

/// An authentication (RFC 4954 §4). What the client answers is never kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmtpAuth {
    /// The name of the SASL mechanism, at most 32 bytes.
    pub mechanism: Vec<u8>,
    /// Whether the server accepted it; `None` if its reply was not seen.
    pub success: Option<bool>,
}

/// Fields of a message's header (RFC 5322 §3.6), unfolded, without white space around them; at most 1024
/// bytes each. Encoded words (RFC 2047) are left as they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmtpHeaders {
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `From`.
    pub from: Option<Vec<u8>>,
    /// The addresses of `To`, the first 64.
    pub to: Vec<Vec<u8>>,
    /// The addresses of `Cc`, the first 64.
    pub cc: Vec<Vec<u8>>,
    /// `Reply-To`.
    pub reply_to: Option<Vec<u8>>,
    /// `Message-ID`.
    pub message_id: Option<Vec<u8>>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `X-Originating-IP`, by convention an address in square brackets.
    pub x_originating_ip: Option<Vec<u8>>,
    /// The `Received` of the first host that the message passed: the last one in the header, as each host
    /// puts its own in front (RFC 5321 §4.4).
    pub first_received: Option<Vec<u8>>,
    /// The `Received` of the second host that the message passed.
    pub second_received: Option<Vec<u8>>,
    /// `User-Agent`, or `X-Mailer`.
    pub user_agent: Option<Vec<u8>>,
}
