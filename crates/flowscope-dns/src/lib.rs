//! DNS messages over UDP and TCP for passive session tracking.
//!
//! [`DnsUdpParser`] reads datagrams, [`DnsTcpParser`] the length-prefixed messages of a stream
//! (RFC 1035 §4.2.2, RFC 7766), and both give a [`DnsMessage`] for each. `hickory-proto` decodes
//! names and record data; what a hostile message may cost is limited before it sees a byte. What
//! cannot be read is left out and named in [`DnsMessage::defect`], so that a message with one
//! broken record still tells who asked for what.
//!
//! ```
//! use flowscope_core::{DatagramParser, FlowSide, SessionParser};
//! use flowscope_dns::{DnsTcpParser, DnsUdpParser, DnsKind};
//!
//! let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
//!
//! let messages = DnsUdpParser::default().parse(query, FlowSide::Initiator);
//! assert_eq!(messages[0].kind(), DnsKind::Query);
//! assert_eq!(messages[0].questions()[0].to_string(), "example.com IN A");
//!
//! // The same behind its length, in two pieces.
//! let mut parser = DnsTcpParser::default();
//! assert!(parser.feed_initiator(b"\0\x1d\x12\x34\x01").is_empty());
//! let messages = parser.feed_initiator(&query[3..]);
//! assert_eq!(messages[0].questions()[0].name().to_string(), "example.com");
//! ```
//!
//! [`DnsTransactions`] wraps either parser and pairs queries with responses. The callback shapes are
//! [`DnsUdpObserver`], which looks at packets on their way to a tracker, and [`DnsTcpFactory`].
//!
//! Multicast DNS (RFC 6762) and LLMNR (RFC 4795) share the format and are read alike; as protocols of the
//! registry they are [`Mdns`] and [`Llmnr`] beside [`Dns`]. The NetBIOS name service (RFC 1002) has the header
//! of DNS but names, types and records of its own: [`NbnsParser`] reads it into [`NbnsMessage`]s.

mod codes;
mod config;
mod decode;
mod exchange;
#[cfg(test)]
mod fixture;
mod message;
mod name;
mod nbns;
mod observer;
mod parser;
mod probe;
mod protocol;
mod rdata;
mod record;
mod schema;
mod wire;

// Named for its feature alone.
use once_cell as _;

pub use codes::{Class, Opcode, Rcode, RecordType};
pub use config::DnsConfig;
pub use exchange::{DnsOutcome, DnsTransaction, DnsTransactions, UnansweredReason};
#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, DatagramParser, DatagramParserFactory, Extracted, FlowExtractor, FlowSide, LinkType,
    PacketView, ParseError, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};
/// The library that decodes names and record data, for those who want its types.
pub use hickory_proto;
pub use message::{DnsDefect, DnsKind, DnsMessage, DnsTransport, Header, Section};
pub use name::Name;
pub use nbns::{
    Nbns, NbnsAddress, NbnsDefect, NbnsMessage, NbnsName, NbnsNodeName, NbnsOpcode, NbnsParser,
    NbnsType,
};
pub use observer::{DnsHandler, DnsUdpObserver};
pub use parser::{DnsTcpFactory, DnsTcpParser, DnsUdpParser};
pub use protocol::{Dns, Llmnr, Mdns};
pub use record::{Edns, EdnsOptions, Question, Record};
