use std::fmt;
use std::net::IpAddr;

use flowscope_output::{FlowRecord, FlowRecordKind};
use flowscope_track::{ConnState, EndReason};

/// How a flow failed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FlowFailure {
    /// A reset answered the SYN.
    Refused,
    /// A reset ended the connection.
    Reset,
    /// The responder, a single host, sent nothing.
    Unanswered,
}

impl FlowFailure {
    /// Returns how the flow of this record failed; `None` if it did not, or goes on.
    #[must_use]
    pub fn of(record: &FlowRecord) -> Option<Self> {
        let FlowRecordKind::Ended(reason) = record.kind else { return None };
        let (from, to) = record.header.endpoints();
        let to_one = !to.addr.is_multicast() && to.addr != IpAddr::from([255; 4]);
        let has_port = from.port.is_some();
        // Counters are those since the record before. A flow of the responder alone is not two-way.
        let answered = record.two_way || record.sides[1].counters.packets > 0;
        match record.conn_state {
            ConnState::Rej => Some(FlowFailure::Refused),
            _ if reason == EndReason::Rst => Some(FlowFailure::Reset),
            _ if has_port && to_one && !answered => Some(FlowFailure::Unanswered),
            _ => None,
        }
    }

    /// Returns the name: `refused`, `reset` or `unanswered`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            FlowFailure::Refused => "refused",
            FlowFailure::Reset => "reset",
            FlowFailure::Unanswered => "unanswered",
        }
    }
}

impl fmt::Display for FlowFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a session failed. Texts are those of the wire.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum SessionFailure {
    /// A response code of DNS, other than `NOERROR`.
    Dns(String),
    /// A query of DNS had no response.
    DnsUnanswered,
    /// A status code of HTTP, from 400 to 599.
    Http(u16),
    /// An alert of TLS, other than `close_notify`.
    Tls(String),
}

impl SessionFailure {
    /// What went wrong, for a reader who knows the protocol.
    pub(crate) fn reason(self) -> String {
        match self {
            SessionFailure::Dns(text) | SessionFailure::Tls(text) => text,
            SessionFailure::DnsUnanswered => FlowFailure::Unanswered.to_string(),
            SessionFailure::Http(status) => format!("status {status}"),
        }
    }
}

impl fmt::Display for SessionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionFailure::Dns(rcode) => write!(f, "DNS {rcode}"),
            SessionFailure::DnsUnanswered => f.write_str("DNS unanswered"),
            SessionFailure::Http(status) => write!(f, "HTTP {status}"),
            SessionFailure::Tls(alert) => write!(f, "TLS {alert}"),
        }
    }
}
