//! WebSocket: which messages are sent, how long they are, and why a connection is closed.
//!
//! [`WebsocketParser`] reads what follows the handshake in HTTP/1.1 and emits a [`WebsocketMessage`] for each message and
//! each control frame (RFC 6455 §5). Fragments are put together by their lengths. Content is counted, not kept, but for what
//! a Close frame says.
//!
//! ```
//! use flowscope_websocket::{SessionParser, WebsocketOpcode, WebsocketParser};
//!
//! let mut parser = WebsocketParser::default();
//! // RFC 6455 §5.7: "Hello", masked.
//! let messages = parser.feed_initiator(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
//! assert_eq!((messages[0].opcode, messages[0].len), (WebsocketOpcode::Text, 5));
//! let messages = parser.feed_responder(b"\x88\x02\x03\xe8");
//! assert_eq!(messages[0].close_code, Some(1000));
//! ```

mod frame;
mod message;
mod parser;
mod protocol;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{WebsocketMessage, WebsocketOpcode};
pub use parser::WebsocketParser;
pub use protocol::Websocket;
pub use schema::WEBSOCKET;
