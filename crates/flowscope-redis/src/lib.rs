//! Redis over TCP: which commands are sent, on which keys, and what kind of reply they get.
//!
//! [`RedisParser`] emits a [`RedisExchange`] for each command with its reply, in RESP2 and RESP3, and for each message
//! that the server pushes. Values and passwords are not kept.
//!
//! ```
//! use flowscope_redis::{RedisKind, RedisParser, SessionParser};
//!
//! let mut parser = RedisParser::default();
//! parser.feed_initiator(b"*2\r\n$3\r\nget\r\n$5\r\nuser7\r\n");
//! let exchanges = parser.feed_responder(b"$5\r\nalice\r\n");
//! assert_eq!(exchanges[0].command.as_deref(), Some(&b"GET"[..]));
//! assert_eq!(exchanges[0].key.as_deref(), Some(&b"user7"[..]));
//! assert_eq!(exchanges[0].reply.as_ref().unwrap().kind, RedisKind::String);
//! ```

mod command;
mod keys;
mod message;
mod parser;
mod probe;
mod protocol;
mod reply;
mod request;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{RedisExchange, RedisKind, RedisReply};
pub use parser::RedisParser;
pub use protocol::Redis;
pub use schema::REDIS;
