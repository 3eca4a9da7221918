//! RADIUS over UDP: who logs in where, what the server says, and what is accounted.
//!
//! [`RadiusParser`] emits a [`RadiusExchange`] for each request with its answer: authentication (RFC 2865),
//! accounting (RFC 2866), changes of authorization (RFC 5176) and `Status-Server` (RFC 5997). Passwords, challenges and
//! keys are not kept.
//!
//! ```
//! use flowscope_radius::{DatagramParser, FlowSide, RadiusCode, RadiusParser};
//!
//! let mut parser = RadiusParser::default();
//! let request = b"\x01\x07\0\x1b0123456789abcdef\x01\x07alice";
//! let reject = b"\x03\x07\0\x14fedcba9876543210";
//! parser.parse(request, FlowSide::Initiator);
//! let exchanges = parser.parse(reject, FlowSide::Responder);
//! assert_eq!(exchanges[0].attributes.user_name.as_deref(), Some(&b"alice"[..]));
//! assert_eq!(exchanges[0].response, Some(RadiusCode::ACCESS_REJECT));
//! ```

mod attributes;
mod message;
mod packet;
mod parser;
mod protocol;
mod schema;

pub use attributes::{RadiusAccounting, RadiusAttributes};
#[doc(no_inline)]
pub use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
pub use message::{RadiusCode, RadiusExchange};
pub use parser::RadiusParser;
pub use protocol::Radius;
pub use schema::RADIUS;
