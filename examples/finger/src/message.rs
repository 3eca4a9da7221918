use std::time::Duration;

use flowscope_core::Timestamp;

/// A query and what was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FingerLookup {
    /// Time of the end of the query.
    pub ts: Timestamp,
    /// Whom the client asks about, without `/W` and the end of the line: a user, a user at a host, or
    /// nobody, which asks for all who are logged in (RFC 1288 §2.3).
    pub query: Vec<u8>,
    /// Whether the client asks for more (`/W`, RFC 1288 §2.5.4).
    pub verbose: bool,
    /// Length of the answer, in bytes, those that were not captured included.
    pub answer_len: u64,
    /// Bytes of the answer that were not captured.
    pub answer_missing: u64,
    /// From the query to the first byte of the answer; `None` if there is none.
    pub latency: Option<Duration>,
}
