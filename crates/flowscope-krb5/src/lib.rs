//! Kerberos over TCP and UDP: who asks for tickets for which service, how they are encrypted, and what the server says.
//!
//! [`Krb5Parser`] and [`Krb5Datagrams`] emit a [`Krb5Exchange`] for each request with its answer (RFC 4120). Tickets,
//! authenticators and checksums are not kept.
//!
//! ```
//! use flowscope_krb5::{DatagramParser, FlowSide, Krb5Datagrams, Krb5MessageType};
//!
//! let error = b"\x7e\x39\x30\x37\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\xa4\x11\x18\x0f20260101120000Z\
//!     \xa5\x04\x02\x02\x30\x39\xa6\x03\x02\x01\x19\xa9\x0d\x1b\x0bEXAMPLE.ORG";
//! let exchanges = Krb5Datagrams::default().parse(error, FlowSide::Responder);
//! assert_eq!(exchanges[0].response, Some(Krb5MessageType::KRB_ERROR));
//! assert_eq!(exchanges[0].error(), Some("KDC_ERR_PREAUTH_REQUIRED"));
//! assert_eq!(exchanges[0].realm.as_deref(), Some(&b"EXAMPLE.ORG"[..]));
//! ```

mod message;
mod names;
mod pairing;
mod parser;
mod probe;
mod protocol;
mod read;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
pub use message::{Krb5Exchange, Krb5MessageType, Krb5Options};
pub use names::Krb5Encryption;
pub use parser::{Krb5Datagrams, Krb5Parser};
pub use protocol::Krb5;
pub use schema::KRB5;
