//! SIP over UDP and TCP: who calls whom, what became of it, and where the media go.
//!
//! [`SipParser`] and [`SipDatagrams`] emit a [`SipTransaction`] for each request with its final response (RFC 3261
//! §17). Of a body in SDP (RFC 8866) the media are read: kind, address, port and transport. Credentials and
//! bodies are not kept.
//!
//! ```
//! use flowscope_sip::{SessionParser, SipParser};
//!
//! let mut parser = SipParser::default();
//! parser.feed_initiator(b"OPTIONS sip:bob@example.com SIP/2.0\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n");
//! let transactions =
//!     parser.feed_responder(b"SIP/2.0 200 OK\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n");
//! assert_eq!(transactions[0].request.as_ref().unwrap().uri, b"sip:bob@example.com");
//! assert_eq!(transactions[0].response.as_ref().unwrap().code, 200);
//! ```

mod head;
mod message;
mod pairing;
mod parser;
mod probe;
mod protocol;
mod reader;
mod schema;
mod sdp;

#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
pub use message::{SipFields, SipMedia, SipRequest, SipResponse, SipTransaction};
pub use parser::{SipDatagrams, SipParser};
pub use protocol::Sip;
pub use schema::SIP;
