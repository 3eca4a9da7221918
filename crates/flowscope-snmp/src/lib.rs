//! SNMP over UDP: who asks whom for which objects, with which community or user, and who reports what.
//!
//! [`SnmpParser`] emits an [`SnmpMessage`] for each message of versions 1 (RFC 1157), 2c (RFC 1901, RFC 3416) and 3
//! (RFC 3412, RFC 3414). Of an encrypted message the header is read. Values are not kept, but for `sysDescr`.
//!
//! ```
//! use flowscope_snmp::{DatagramParser, FlowSide, SnmpParser};
//!
//! let get = b"\x30\x27\x02\x01\x01\x04\x06public\xa0\x1a\x02\x02\x1a\x2b\x02\x01\0\x02\x01\0\
//!     \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x05\0";
//! let messages = SnmpParser::default().parse(get, FlowSide::Initiator);
//! let pdu = messages[0].pdu.as_ref().unwrap();
//! assert_eq!(messages[0].community.as_deref(), Some(&b"public"[..]));
//! assert_eq!((pdu.kind.name(), pdu.vars[0].to_string()), ("get_request", "1.3.6.1.2.1.1.5.0".into()));
//! ```

mod message;
mod oid;
mod parser;
mod protocol;
mod read;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
pub use message::{SnmpMessage, SnmpPdu, SnmpPduKind, SnmpSecurity, SnmpTrap};
pub use oid::SnmpOid;
pub use parser::SnmpParser;
pub use protocol::Snmp;
pub use schema::SNMP;
