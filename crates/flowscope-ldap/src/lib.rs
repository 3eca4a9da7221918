//! LDAP over TCP and UDP: who binds as whom, what is searched for and changed, and what came of it.
//!
//! [`LdapParser`] and [`LdapDatagrams`] emit an [`LdapExchange`] for each operation with its result (RFC 4511). Entries that
//! are found are counted. Passwords, credentials and values of attributes are not kept, but for those in filters. Behind
//! `StartTLS` (RFC 4511 §4.14) what follows is left to the parser of TLS.
//!
//! ```
//! use flowscope_ldap::{LdapOperation, LdapParser, SessionParser};
//!
//! let mut parser = LdapParser::default();
//! parser.feed_initiator(b"\x30\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x03o=x\x80\x06secret");
//! let exchanges = parser.feed_responder(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0");
//! assert_eq!(exchanges[0].operation, LdapOperation::Bind);
//! assert_eq!(exchanges[0].object.as_deref(), Some(&b"o=x"[..]));
//! assert_eq!(exchanges[0].result.as_ref().unwrap().name(), Some("invalidCredentials"));
//! ```

mod filter;
mod message;
mod pairing;
mod parser;
mod protocol;
mod read;
mod repetition;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
pub use message::{LdapExchange, LdapOperation, LdapResult, LdapSearch};
pub use parser::{LdapDatagrams, LdapParser};
pub use protocol::Ldap;
pub use schema::LDAP;
