//! RDP over TCP: how connections begin: the user's cookie, and which security client and server agree on.
//!
//! [`RdpParser`] emits one [`RdpStart`] for each connection ([MS-RDPBCGR] §1.3.1.1). TLS behind an agreement is left to
//! its own parser ([`ParserStatus::Upgrade`]); what follows without TLS is not read.
//!
//! ```
//! use flowscope_rdp::{ParserStatus, RdpParser, RdpSecurity, SessionParser};
//!
//! let mut parser = RdpParser::default();
//! parser.feed_initiator(b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=alice\r\n\x01\0\x08\0\x03\0\0\0");
//! let starts = parser.feed_responder(b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0");
//! assert_eq!(starts[0].cookie.as_deref(), Some(&b"alice"[..]));
//! assert_eq!(starts[0].selected, Some(RdpSecurity::HYBRID));
//! ```

mod message;
mod parser;
mod protocol;
mod schema;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{RdpFailure, RdpSecurity, RdpStart};
pub use parser::RdpParser;
pub use protocol::Rdp;
pub use schema::RDP;
