//! SSH handshakes: identification lines, key exchange proposals, what was agreed, HASSH.
//!
//! [`SshParser`] reads the part of a connection that is not encrypted (RFC 4253 §4.2, §7.1): who runs
//! which software, and the algorithms that each end proposes. One [`SshHandshake`] comes of a connection.
//!
//! ```
//! use flowscope_core::SessionParser;
//! use flowscope_ssh::SshParser;
//!
//! let mut parser = SshParser::new();
//! parser.feed_initiator(b"SSH-2.0-OpenSSH_9.6\r\n");
//! parser.feed_responder(b"SSH-2.0-dropbear_2022.83\r\n");
//! let mut out = Vec::new();
//! parser.end(&mut out);
//! let server = out[0].server.identification.as_ref().unwrap();
//! assert_eq!(server.software(), Some(&b"dropbear_2022.83"[..]));
//! ```

mod kex_init;
mod message;
mod parser;
mod protocol;
mod schema;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use kex_init::{Algorithms, KexInit};
pub use message::{Identification, SshEnd, SshHandshake, SshOutcome};
pub use parser::SshParser;
pub use protocol::Ssh;
pub use schema::SSH;
