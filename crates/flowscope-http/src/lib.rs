//! HTTP/1.x messages for passive session tracking.
//!
//! [`HttpParser`] reads the two byte streams of a connection that it only watches, in whatever pieces
//! they were captured, and emits messages: heads of requests and responses, paired, anomalies,
//! and where and why each message ended. [`HttpExchanges`] emits one record per transaction
//! instead. The grammar of heads is read by `httparse`; the framing of bodies (RFC 9112 §6.3), gaps and
//! pairing are ours.
//!
//! What recipients may read in more than one way is an [`HttpAnomaly`], never a silent choice: its
//! [kind](HttpAnomalyKind) says how it was read, and so does the [`Framing`] in each head.
//!
//! By hand, with `flowscope-core` alone:
//!
//! ```
//! use flowscope_core::SessionParser;
//! use flowscope_http::{Framing, HttpMessage, HttpParser};
//!
//! let mut parser = HttpParser::default();
//! // However the bytes are cut, messages are the same.
//! assert!(parser.feed_initiator(b"GET /index.html HT").is_empty());
//! let messages = parser.feed_initiator(b"TP/1.1\r\nHost: example.com\r\n\r\n");
//! let HttpMessage::Request(request) = &messages[0] else { panic!() };
//! assert_eq!((request.method(), request.target()), ("GET", &b"/index.html"[..]));
//! assert_eq!(request.host(), Some(&b"example.com"[..]));
//!
//! let messages = parser.feed_responder(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! let HttpMessage::Response(response) = &messages[0] else { panic!() };
//! assert_eq!((response.status(), response.framing), (200, Framing::Length(5)));
//! assert_eq!(response.exchange, request.exchange);
//! let HttpMessage::End(end) = &messages[1] else { panic!() };
//! assert!(end.is_complete());
//! ```
//!
//! As callbacks, below an engine that drives reassemblers:
//!
//! ```
//! use std::sync::mpsc;
//!
//! use flowscope_core::{FlowSide, Reassembler, ReassemblerFactory, Segment, Timestamp};
//! use flowscope_http::{HttpFactory, HttpMessage};
//! use flowscope_session::{Discard, Origin};
//!
//! let (sender, statuses) = mpsc::channel();
//! let mut factory = HttpFactory::new(move |_: Origin<'_, &str>, message| {
//!     if let HttpMessage::Response(response) = message {
//!         sender.send(response.status()).unwrap();
//!     }
//! });
//! let mut client = factory.new_reassembler(&"flow", FlowSide::Initiator);
//! let mut server = factory.new_reassembler(&"flow", FlowSide::Responder);
//! let ts = Timestamp::from_secs(1);
//! let request = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
//! let request = Segment::new(FlowSide::Initiator, ts, 1, request).syn();
//! client.push(request, &mut server, &mut Discard);
//! let response = b"HTTP/1.1 204 No Content\r\n\r\n";
//! let response = Segment::new(FlowSide::Responder, ts, 1, response).syn();
//! server.push(response, &mut client, &mut Discard);
//! assert_eq!(statuses.try_iter().collect::<Vec<_>>(), [204]);
//! ```

mod anomalies;
mod chunked;
mod config;
mod exchange;
mod fields;
mod framing;
mod head;
mod held;
mod lockstep;
mod message;
mod pairing;
mod parser;
mod protocol;
mod schema;
mod stream_state;
mod wire;

pub use config::{Bodies, HttpConfig};
pub use exchange::{BodySummary, HttpExchange, HttpExchanges, HttpOutcome};
pub use fields::Fields;
#[doc(no_inline)]
pub use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};
#[doc(no_inline)]
pub use flowscope_files::mime::NamedFile;
#[doc(no_inline)]
pub use flowscope_files::{FileInfo, Form};
pub use message::{
    Body, Ending, Framing, HttpAnomaly, HttpAnomalyKind, HttpMessage, HttpVersion, MessageEnd,
    MessageKind, Paired, Request, Response,
};
pub use parser::HttpParser;
pub use protocol::Http;

/// Calls a handler with each [`HttpMessage`] of each flow: the callback shape of [`HttpParser`].
///
/// The handler is cloned for each side of each flow. Build it with
/// [`new`](flowscope_session::Callbacks::new), or, for other bounds, with
/// [`with_parsers`](flowscope_session::Callbacks::with_parsers).
pub type HttpFactory<H> = flowscope_session::Callbacks<HttpParser, H>;
