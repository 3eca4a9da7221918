//! FTP control connections: commands and replies, the place of data connections, `AUTH TLS`.
//!
//! [`FtpParser`] reads the control connection (RFC 959) and emits an [`FtpExchange`] for each command, with its
//! replies. Passwords are never kept. Behind `AUTH TLS` (RFC 4217) what follows is left to the parser of TLS.
//!
//! ```
//! use flowscope_ftp::{FtpParser, SessionParser};
//!
//! let mut parser = FtpParser::default();
//! parser.feed_responder(b"220 FTP ready\r\n");
//! parser.feed_initiator(b"EPSV\r\n");
//! let exchanges = parser.feed_responder(b"229 Extended Passive Mode (|||6446|)\r\n");
//! assert_eq!(exchanges[0].data.unwrap().port, 6446);
//! ```

mod data;
mod message;
mod parser;
mod protocol;
mod reply;
mod schema;

pub use data::DataChannel;
#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{FtpExchange, FtpReplyLine};
pub use parser::FtpParser;
pub use protocol::Ftp;
pub use schema::FTP;
