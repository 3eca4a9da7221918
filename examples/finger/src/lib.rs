//! Finger: who is logged in (RFC 1288). The protocol that `docs/ADDING_A_PROTOCOL.md` adds.
//!
//! ```
//! use example_finger::FingerParser;
//! use flowscope_core::SessionParser;
//!
//! let mut parser = FingerParser::default();
//! parser.feed_initiator(b"/W alice\r\n");
//! parser.feed_responder(b"Login: alice\r\n");
//! let mut out = Vec::new();
//! parser.end(&mut out);
//! assert_eq!(out[0].query, b"alice");
//! assert!(out[0].verbose);
//! ```

mod message;
mod parser;
mod protocol;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::FingerLookup;
pub use parser::FingerParser;
pub use protocol::Finger;
pub use schema::FINGER;
