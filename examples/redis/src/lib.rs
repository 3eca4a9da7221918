//! A session parser written against `flowscope-core` alone: what a Redis client asks, and what the
//! server answers.
//!
//! It shows what a parser outside of the workspace is made of, in the files that the protocol crates
//! have: `message` is what comes out, `reader` the grammar, `parser` the trait. The grammar is that of
//! RESP2 and RESP3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>) but for streamed
//! strings and aggregates, which Redis does not send.
//!
//! ```
//! use example_redis::{RedisMessage, RedisParser};
//! use flowscope_core::SessionParser;
//!
//! let mut parser = RedisParser::default();
//! // Two requests at once, the second of them unfinished.
//! let asked = parser.feed_initiator(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPI");
//! assert_eq!(asked[0].to_string(), "#0 GET k");
//! assert_eq!(parser.feed_initiator(b"NG\r\n")[0].to_string(), "#1 PING");
//!
//! let answered = parser.feed_responder(b"$5\r\nhello\r\n+PONG\r\n");
//! let RedisMessage::Reply(reply) = &answered[1] else { panic!() };
//! assert_eq!((reply.request, reply.to_string()), (Some(1), "PONG".into()));
//! ```

mod message;
mod parser;
mod reader;

pub use message::{Kind, List, RedisMessage, Reply, Request, Text, Value};
pub use parser::{MAX_PIPELINED, RedisParser};
pub use reader::{MAX_DEPTH, MAX_LINE, MAX_TEXT, MAX_VALUES};
