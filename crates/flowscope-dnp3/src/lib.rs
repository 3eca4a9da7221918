//! DNP3 over TCP and UDP: what masters ask of outstations, what these report, and the state that they are in.
//!
//! [`Dnp3Parser`] and [`Dnp3Datagrams`] emit a [`Dnp3Exchange`] for each request with its response (IEEE 1815-2012). Check
//! sums of link frames are verified. Values are not kept.
//!
//! ```
//! use flowscope_dnp3::{Dnp3Function, Dnp3Parser, SessionParser};
//!
//! let mut parser = Dnp3Parser::default();
//! parser.feed_initiator(b"\x05\x64\x0b\xc4\x01\0\x02\0\x69\x9e\xc0\xc0\x01\x3c\x01\x06\xff\x50");
//! let exchanges = parser.feed_responder(
//!     b"\x05\x64\x10\x44\x02\0\x01\0\xba\x34\xc0\xc0\x81\0\0\x01\x02\0\0\0\x01\x65\xb5",
//! );
//! assert_eq!(exchanges[0].request, Some(Dnp3Function::READ));
//! assert_eq!((exchanges[0].master, exchanges[0].outstation), (2, 1));
//! assert_eq!(exchanges[0].indications.map(|it| it.0), Some(0));
//! ```

mod application;
mod link;
mod message;
mod names;
mod pairing;
mod parser;
mod protocol;
mod schema;
mod transport;

#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
pub use message::{Dnp3Application, Dnp3Control, Dnp3Exchange, Dnp3Object};
pub use names::{Dnp3Function, Dnp3Indications};
pub use parser::{Dnp3Datagrams, Dnp3Parser};
pub use protocol::Dnp3;
pub use schema::DNP3;
