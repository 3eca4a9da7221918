//! FTP: commands and replies of control connections, `AUTH TLS`, and what data connections carry.
//!
//! [`FtpParser`] reads the control connection (RFC 959) and emits an [`FtpExchange`] for each command, with its
//! replies. Passwords are never kept. Behind `AUTH TLS` (RFC 4217) what follows is left to the parser of TLS.
//!
//! [`FtpDataParser`] reads data connections, which nothing in their bytes shows: engines of `flowscope-driver` give them to it
//! because the control connection says where they are opened to. It emits an [`FtpTransfer`] with the name of the file, its
//! length, and, [if asked for](FtpDataParser::with_files), its type and SHA-256.
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
mod data_parser;
mod message;
mod parser;
mod protocol;
mod reply;
mod schema;
mod schema_data;
mod transfer;

pub use data::DataChannel;
pub use data_parser::FtpDataParser;
#[doc(no_inline)]
pub use flowscope_core::{Announcement, Expectation};
#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
#[doc(no_inline)]
pub use flowscope_files::FileInfo;
pub use message::{FtpExchange, FtpReplyLine};
pub use parser::FtpParser;
pub use protocol::{Ftp, FtpData};
pub use schema::FTP;
pub use schema_data::FTP_DATA;
pub use transfer::FtpTransfer;
