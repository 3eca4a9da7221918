//! TLS handshake messages for passive session tracking: hellos, certificates, alerts, JA3, JA3S, JA4.
//!
//! [`TlsParser`] reads the two byte streams of a connection and gives what a TLS handshake says in
//! the clear: both hellos, HelloRetryRequest, certificates up to TLS 1.2, alerts. Records and
//! messages may be cut and packed in any way, lost bytes are passed over where the framing allows
//! it, and once both sides are encrypted the parser is done, so that nothing more is buffered for it.
//! What a certificate says is read by [`Certificate::parse`] behind the feature `x509`, which is on by default.
//! [`DtlsHandshakes`] does the same for datagrams.
//! [`TlsHandshakes`] sums it all up as one [`TlsHandshake`] per connection. What is held is bounded by
//! [`TlsConfig`]; no length on the wire is allocated for.
//!
//! ```
//! use flowscope_core::{StreamChunk, FlowSide, ParserStatus, SessionParser, Timestamp};
//! use flowscope_tls::{TlsMessage, TlsParser};
//!
//! # let stream = b"\x16\x03\x01\0[\x01\0\0W\x03\x03A hello.........................\0\0\x02\x13\x01\
//! #     \x01\0\0,\0\0\0\x10\0\x0e\0\0\x0bexample.org\0\x10\0\x05\0\x03\x02h2\0+\0\x03\x02\
//! #     \x03\x04\0\x0d\0\x04\0\x02\x04\x03";
//! let mut parser = TlsParser::default();
//! let mut messages = Vec::new();
//! // A byte at a time: no boundary matters.
//! for (offset, byte) in stream.iter().enumerate() {
//!     let (side, offset, bytes) = (FlowSide::Initiator, offset as u64, std::slice::from_ref(byte));
//!     let feed = StreamChunk::new(side, Timestamp::ZERO, offset, bytes);
//!     assert_eq!(parser.feed_into(feed, &mut messages), ParserStatus::Continue);
//! }
//! let [TlsMessage::ClientHello(hello)] = &messages[..] else { panic!("{messages:?}") };
//! assert_eq!(hello.server_name(), Some(&b"example.org"[..]));
//! assert_eq!(hello.version().to_string(), "TLS 1.3");
//! assert_eq!(hello.ja4().unwrap().as_str(), "t13d0104h2_0f2cb44170f4_3953dc75acc4");
//! ```

mod certificate;
mod config;
mod dtls;
mod fingerprint;
mod fragments;
mod handshake;
mod hello;
mod message;
mod names;
mod parser;
mod protocol;
mod schema;
mod summary;
mod version;
mod wire;

pub use certificate::{
    AlternativeName, Attribute, Certificate, CertificateChain, DistinguishedName, PublicKey,
};
pub use config::TlsConfig;
pub use dtls::{Dtls, DtlsHandshakes};
pub use fingerprint::{Fingerprint, Ja3, Ja4, TlsTransport};
#[doc(no_inline)]
pub use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};
pub use fragments::Fragments;
pub use hello::{ClientHello, ServerHello};
pub use message::{Alert, TlsAnomaly, TlsAnomalyKind, TlsMessage};
pub use parser::TlsParser;
pub use protocol::Tls;
pub use summary::{TlsHandshake, TlsHandshakes, TlsOutcome};
pub use version::{TlsVersion, is_grease};

/// Calls a handler with each message of each TLS connection: the callback shape, for engines that
/// drive reassemblers.
///
/// [`TlsParser`] and this give the same messages for the same bytes.
///
/// ```
/// use flowscope_core::{FlowSide, Reassembler, ReassemblerFactory, Segment, Timestamp};
/// use flowscope_session::{Discard, Origin};
/// use flowscope_tls::{TlsFactory, TlsMessage};
///
/// # let stream = b"\x16\x03\x01\0[\x01\0\0W\x03\x03A hello.........................\0\0\x02\x13\x01\
/// #     \x01\0\0,\0\0\0\x10\0\x0e\0\0\x0bexample.org\0\x10\0\x05\0\x03\x02h2\0+\0\x03\x02\
/// #     \x03\x04\0\x0d\0\x04\0\x02\x04\x03";
/// let (sender, names) = std::sync::mpsc::channel();
/// let mut factory = TlsFactory::new(move |origin: Origin<'_, u32>, message| {
///     if let TlsMessage::ClientHello(hello) = message {
///         sender.send((*origin.key, hello.server_name().map(<[u8]>::to_vec))).unwrap();
///     }
/// });
/// let mut client = factory.new_reassembler(&7, FlowSide::Initiator);
/// let mut server = factory.new_reassembler(&7, FlowSide::Responder);
/// let segment = Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), 1001, stream).syn();
/// client.push(segment, &mut server, &mut Discard);
/// assert_eq!(names.try_iter().collect::<Vec<_>>(), [(7, Some(b"example.org".to_vec()))]);
/// ```
pub type TlsFactory<H> = flowscope_session::Callbacks<TlsParser, H>;
