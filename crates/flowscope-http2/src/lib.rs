//! HTTP/2 without TLS: what is asked for on each stream, and what comes back.
//!
//! [`Http2Parser`] emits an [`Http2Exchange`] for each stream (RFC 9113): method, authority, path and status, some header
//! fields, lengths of content, calls of gRPC with their status, resets. It reads connections that begin with the preface, and
//! those that HTTP/1.1 agrees on (`Upgrade: h2c`). Content is counted, not kept; [if asked for](Http2Parser::with_files), its type and
//! SHA-256 are found out.
//!
//! Header compression (RFC 7541) is decoded as the bytes come, so that blocks of any length need no memory, and goes on
//! behind bytes that were not captured: fields that cannot be known are reported as unknown, never as others.
//!
//! ```
//! use flowscope_http2::{Http2Parser, SessionParser};
//!
//! let mut parser = Http2Parser::default();
//! parser.feed_initiator(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
//! // GET http://a/
//! parser.feed_initiator(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a");
//! parser.feed_responder(b"\0\0\0\x04\0\0\0\0\0");
//! let exchanges = parser.feed_responder(b"\0\0\x01\x01\x05\0\0\0\x01\x89");
//! let request = exchanges[0].request.as_ref().unwrap();
//! assert_eq!((request.authority(), request.path()), (Some(&b"a"[..]), Some(&b"/"[..])));
//! assert_eq!(exchanges[0].response.as_ref().unwrap().status(), Some(204));
//! ```

mod field;
mod files;
mod frame;
mod hpack;
mod message;
mod parser;
mod probe;
mod protocol;
mod schema;
mod streams;

pub(crate) use field::Field;
#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
#[doc(no_inline)]
pub use flowscope_files::{FileInfo, Form};
pub use message::{
    Http2Body, Http2Exchange, Http2Outcome, Http2Request, Http2Response, error_name,
};
pub use parser::Http2Parser;
pub use protocol::Http2;
pub use schema::HTTP2;
