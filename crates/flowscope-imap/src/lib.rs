//! IMAP sessions: commands and responses, without passwords and without mail; `STARTTLS`.
//!
//! [`ImapParser`] emits an [`ImapExchange`] for each command with its tagged response (RFC 9051, RFC 3501), and
//! one for the greeting. Untagged responses and literals are counted. Behind `STARTTLS` (RFC 9051 §6.2.1) what
//! follows is left to the parser of TLS.
//!
//! ```
//! use flowscope_imap::{ImapParser, ImapStatus, SessionParser};
//!
//! let mut parser = ImapParser::default();
//! parser.feed_responder(b"* OK ready\r\n");
//! parser.feed_initiator(b"a1 LOGIN alice secret\r\n");
//! let exchanges = parser.feed_responder(b"a1 OK Logged in\r\n");
//! assert_eq!(exchanges[0].user.as_deref(), Some(&b"alice"[..]));
//! assert_eq!(exchanges[0].status, Some(ImapStatus::Ok));
//! ```

mod command;
mod message;
mod parser;
mod protocol;
mod sasl;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{ImapExchange, ImapStatus};
pub use parser::ImapParser;
pub use protocol::Imap;
pub use schema::IMAP;
