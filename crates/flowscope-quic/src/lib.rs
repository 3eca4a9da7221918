//! QUIC handshakes: what anyone on the path can read of them (RFC 9000, 9001, 9369).
//!
//! [`QuicParser`] decrypts the Initial packets of client and server, whose keys follow from what is on the
//! wire, and gives one [`QuicHandshake`] per connection: versions, connection ids, Retry and Version
//! Negotiation, and the TLS hellos with server name, ALPN and JA4, read by the code of `flowscope-tls`.
//!
//! Versions 1 and 2 and drafts 29 to 34 are read. What follows the hellos is encrypted with keys that
//! only the ends have, and is not looked at.
//!
//! ```
//! use flowscope_core::{DatagramParser, FlowSide, Probe};
//! use flowscope_quic::QuicParser;
//!
//! let mut parser = QuicParser::new();
//! assert!(parser.parse(b"not QUIC", FlowSide::Initiator).is_empty());
//! assert_eq!(QuicParser::probe(FlowSide::Initiator, b"not QUIC"), Probe::Maybe);
//! ```

mod keys;
mod message;
mod parser;
mod protocol;
mod schema;
mod version;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
pub use message::{ConnectionId, QuicHandshake, QuicHistory, QuicOutcome};
pub use parser::QuicParser;
pub use protocol::Quic;
pub use schema::QUIC;
pub use version::QuicVersion;

#[cfg(test)]
mod rfc9001;
#[cfg(test)]
mod seal;
#[cfg(test)]
mod tests;
