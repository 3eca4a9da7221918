//! TLS whose secrets are known: the streams within it, for passive session tracking.
//!
//! A [`KeyLog`] has the secrets that endpoints wrote down (`SSLKEYLOGFILE`). [`TlsDecryption`] reads a connection as
//! [`TlsHandshakes`](flowscope_tls::TlsHandshakes) does, with the same records, and hands on what it can decrypt as
//! streams of their own ([`ParserStatus::Carries`]). It decrypts TLS 1.2 and TLS 1.3 with AES-GCM (RFC 5288)
//! and ChaCha20-Poly1305 (RFC 7905), but no other suite, no early data, and nothing behind a renegotiation.
//!
//! A connection without secrets is not decrypted. Ciphers and hashes are those of RustCrypto.
//!
//! ```
//! use std::sync::Arc;
//!
//! use flowscope_decrypt::{KeyLog, TlsDecryption};
//!
//! let mut log = KeyLog::new();
//! log.extend(b"# made by a browser\nCLIENT_RANDOM 0102 0304\n");
//! assert_eq!((log.sessions(), log.malformed()), (0, 1));
//!
//! // A parser, of which each flow gets a clone.
//! let parser = TlsDecryption::new(Arc::new(log));
//! # let _ = parser;
//! ```

mod alpn;
mod keylog;
mod keys;
mod messages;
mod parser;
mod records;
mod schedule;
mod secrets;
mod side;
mod suite;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Remainder, SessionParser, StreamChunk};
pub use keylog::KeyLog;
pub use parser::TlsDecryption;
pub use secrets::{Secret, SecretLabel, SecretSource, SessionSecrets};
