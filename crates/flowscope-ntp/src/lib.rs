//! NTP packets over UDP: who synchronises with whom, at which stratum, and the times that they tell each other.
//!
//! [`NtpParser`] reads the header of versions 1 to 4 (RFC 5905 §7.3), one message in each datagram. Of control
//! messages (mode 6) and private ones (mode 7), which have other contents, it reads version and mode.
//!
//! ```
//! use flowscope_core::{DatagramParser, FlowSide};
//! use flowscope_ntp::{NtpMode, NtpParser};
//!
//! let mut request = [0; 48];
//! request[0] = 0b00_100_011;
//! let messages = NtpParser::new().parse(&request, FlowSide::Initiator);
//! assert_eq!((messages[0].version, messages[0].mode), (4, NtpMode::CLIENT));
//! ```

mod message;
mod parser;
mod protocol;
mod schema;
mod time;

#[doc(no_inline)]
pub use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
pub use message::{NtpMessage, NtpMode, NtpReference, NtpTimes};
pub use parser::NtpParser;
pub use protocol::Ntp;
pub use time::{NtpShort, NtpTimestamp};
