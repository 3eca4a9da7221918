use std::fmt;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::RadiusAttributes;

/// A request with its answer, or an answer without a request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RadiusExchange {
    /// When the request was captured; without one, the answer.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// The identifier that the two share (RFC 2865 §3).
    pub id: u8,
    /// The code of the request; `None` if it was not captured.
    pub request: Option<RadiusCode>,
    /// The code of the answer; `None` if there was none.
    pub response: Option<RadiusCode>,
    /// Attributes of the request, then of the answer: of each the first, but for those that an answer says anew.
    pub attributes: RadiusAttributes,
    /// Repetitions of the request before its answer; later ones are not counted.
    pub retransmissions: u32,
    /// From the request to its answer.
    pub latency: Option<Duration>,
}

/// The code of a packet (RFC 2865 §3). Displays its name, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RadiusCode(pub u8);

impl RadiusCode {
    /// A user wants to log in.
    pub const ACCESS_REQUEST: RadiusCode = RadiusCode(1);
    /// He may.
    pub const ACCESS_ACCEPT: RadiusCode = RadiusCode(2);
    /// He may not.
    pub const ACCESS_REJECT: RadiusCode = RadiusCode(3);
    /// A session begins, goes on or ends.
    pub const ACCOUNTING_REQUEST: RadiusCode = RadiusCode(4);
    /// That is written down.
    pub const ACCOUNTING_RESPONSE: RadiusCode = RadiusCode(5);
    /// The server wants to know more.
    pub const ACCESS_CHALLENGE: RadiusCode = RadiusCode(11);
    /// Is the server there (RFC 5997)?
    pub const STATUS_SERVER: RadiusCode = RadiusCode(12);
    /// A session is to be ended (RFC 5176).
    pub const DISCONNECT_REQUEST: RadiusCode = RadiusCode(40);
    /// A session is to be changed (RFC 5176).
    pub const COA_REQUEST: RadiusCode = RadiusCode(43);

    /// The name, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "Access-Request",
            2 => "Access-Accept",
            3 => "Access-Reject",
            4 => "Accounting-Request",
            5 => "Accounting-Response",
            11 => "Access-Challenge",
            12 => "Status-Server",
            40 => "Disconnect-Request",
            41 => "Disconnect-ACK",
            42 => "Disconnect-NAK",
            43 => "CoA-Request",
            44 => "CoA-ACK",
            45 => "CoA-NAK",
            _ => return None,
        })
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self.0, 1 | 4 | 12 | 40 | 43)
    }

    /// Whether it answers a request of this code.
    #[must_use]
    pub const fn answers(self, request: RadiusCode) -> bool {
        match request.0 {
            1 => matches!(self.0, 2 | 3 | 11),
            4 => self.0 == 5,
            // To the port of authentication or of accounting (RFC 5997 §4).
            12 => matches!(self.0, 2 | 5),
            40 => matches!(self.0, 41 | 42),
            43 => matches!(self.0, 44 | 45),
            _ => false,
        }
    }
}

impl fmt::Display for RadiusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

impl RadiusExchange {
    /// Whether the answer says yes; `None` if there is none, or it asks for more.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        match self.response?.0 {
            2 | 5 | 41 | 44 => Some(true),
            3 | 42 | 45 => Some(false),
            _ => None,
        }
    }
}
