//! PostgreSQL: how connections begin. Who asks for which database, how the server authenticates, which version
//! it is, and whether what follows is encrypted (PostgreSQL, "Frontend/Backend Protocol", version 3).
//!
//! TLS behind an SSLRequest that is accepted is left to its own parser ([`ParserStatus::Upgrade`]).
//!
//! ```
//! use flowscope_postgresql::{PostgresqlParser, SessionParser};
//!
//! let mut parser = PostgresqlParser::default();
//! parser.feed_initiator(b"\0\0\0\x1d\0\x03\0\0user\0me\0database\0db\0\0");
//! parser.feed_responder(b"R\0\0\0\x08\0\0\0\0");
//! let starts = parser.feed_responder(b"Z\0\0\0\x05I");
//! assert_eq!(starts[0].user.as_deref(), Some(&b"me"[..]));
//! assert_eq!(starts[0].authenticated, Some(true));
//! ```

mod message;
mod parser;
mod protocol;
mod schema;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{AuthMethod, Negotiation, PostgresqlOutcome, PostgresqlStart, ServerError};
pub use parser::PostgresqlParser;
pub use protocol::Postgresql;
pub use schema::POSTGRESQL;
pub use wire::PARAMETERS;
