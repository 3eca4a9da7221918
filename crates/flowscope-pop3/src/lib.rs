//! POP3 sessions: commands and replies, without passwords and without mail; `STLS`.
//!
//! [`Pop3Parser`] emits a [`Pop3Exchange`] for each command with its reply (RFC 1939). What a reply has behind
//! its first line is counted. Behind `STLS` (RFC 2595 §4) what follows is left to the parser of TLS.
//!
//! ```
//! use flowscope_pop3::{Pop3Parser, SessionParser};
//!
//! let mut parser = Pop3Parser::default();
//! parser.feed_responder(b"+OK ready\r\n");
//! parser.feed_initiator(b"RETR 1\r\n");
//! let exchanges = parser.feed_responder(b"+OK 12 octets\r\nSubject: a\r\n.\r\n");
//! assert_eq!((exchanges[0].lines, exchanges[0].bytes), (1, 12));
//! ```

mod message;
mod parser;
mod protocol;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::Pop3Exchange;
pub use parser::Pop3Parser;
pub use protocol::Pop3;
pub use schema::POP3;
