//! MySQL and MariaDB: how connections begin. Version of the server, user, database, plugins, and whether the server
//! accepts (MySQL, "Client/Server Protocol", Connection Phase).
//!
//! TLS behind an SSLRequest is left to its own parser ([`ParserStatus::Upgrade`]).
//!
//! ```
//! use flowscope_mysql::{MysqlParser, SessionParser};
//!
//! let mut parser = MysqlParser::default();
//! let starts = parser.feed_responder(b"\x1b\0\0\0\xff\x10\x04Too many connections....");
//! assert_eq!(starts[0].error.as_ref().map(|error| error.code), Some(1040));
//! ```

mod message;
mod parser;
mod protocol;
mod schema;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{MysqlError, MysqlOutcome, MysqlStart};
pub use parser::MysqlParser;
pub use protocol::Mysql;
pub use schema::MYSQL;
