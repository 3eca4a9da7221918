//! SMB 2 and 3: who logs in how, which shares and files are opened, and how much of a file is read and written.
//!
//! [`SmbParser`] emits an [`SmbExchange`] for each request with its response, of the commands that say so ([MS-SMB2]).
//! Of SMB 1 the negotiation is read, which may lead to SMB 2. Contents of files, and what proves a password, are not kept;
//! [if asked for](SmbParser::with_files), types and SHA-256 of contents are found out.
//!
//! ```
//! use flowscope_smb::{SessionParser, SmbCommand, SmbDetail, SmbParser};
//!
//! let mut negotiate = b"\0\0\0\x68\xfeSMB\x40\0".to_vec();
//! negotiate.resize(4 + 64, 0);
//! // Two dialects: 2.1 and 3.1.1.
//! negotiate.extend(b"\x24\0\x02\0\x01\0\0\0\0\0\0\0");
//! negotiate.resize(4 + 64 + 36, 0);
//! negotiate.extend(b"\x10\x02\x11\x03");
//! let mut parser = SmbParser::default();
//! parser.feed_initiator(&negotiate);
//! let mut exchanges = Vec::new();
//! parser.end(&mut exchanges);
//! assert_eq!(exchanges[0].command, SmbCommand::Negotiate);
//! let SmbDetail::Negotiation(offer) = &exchanges[0].detail else { unreachable!() };
//! assert_eq!(offer.offered, [b"2.10", b"3.11"]);
//! ```

mod contents;
mod counted;
mod frame;
mod message;
mod names;
mod ntlm;
mod open_files;
mod pairing;
mod parser;
mod probe;
mod protocol;
mod schema;
mod security;
mod smb1;
mod smb2;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
#[doc(no_inline)]
pub use flowscope_files::FileInfo;
pub use message::{
    SmbDetail, SmbExchange, SmbFile, SmbGuid, SmbKerberos, SmbLogin, SmbNegotiation, SmbNtlm,
    SmbNtlmServer, SmbNtlmVersion, SmbTransformed, SmbTree,
};
pub use names::{
    SmbAccess, SmbAction, SmbCommand, SmbDialect, SmbDisposition, SmbShareType, SmbStatus,
};
pub use parser::SmbParser;
pub use protocol::Smb;
pub use schema::SMB;
