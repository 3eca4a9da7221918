//! SMTP for passive session tracking: one record per mail transaction (RFC 5321).
//!
//! Reads the commands and replies of both sides, with pipelining (RFC 2920), `BDAT` (RFC 3030), `AUTH`
//! (RFC 4954) and `STARTTLS` (RFC 3207), and of each message the header fields that Zeek's `smtp.log` has.
//! The message itself is only counted; [if asked for](SmtpParser::with_files), the type and SHA-256 of its parts that are files are
//! found out, as they are behind base64 and quoted-printable (RFC 2045).
//!
//! ```
//! use flowscope_smtp::{SessionParser, SmtpOutcome, SmtpParser};
//!
//! let mut parser = SmtpParser::default();
//! parser.feed_responder(b"220 mx.example.org ESMTP\r\n");
//! parser.feed_initiator(b"HELO client.example\r\n");
//! parser.feed_responder(b"250 mx.example.org\r\n");
//! parser.feed_initiator(b"MAIL FROM:<alice@client.example>\r\n");
//! parser.feed_responder(b"250 Ok\r\n");
//! parser.feed_initiator(b"RCPT TO:<bob@example.org>\r\n");
//! parser.feed_responder(b"250 Ok\r\n");
//! parser.feed_initiator(b"DATA\r\n");
//! parser.feed_responder(b"354 Go on\r\n");
//! parser.feed_initiator(b"Subject: Lunch?\r\n\r\nAt noon.\r\n.\r\n");
//! let mails = parser.feed_responder(b"250 Queued\r\n");
//! assert_eq!(mails[0].mail_from.as_deref(), Some(&b"alice@client.example"[..]));
//! assert_eq!(mails[0].headers.subject.as_deref(), Some(&b"Lunch?"[..]));
//! assert_eq!(mails[0].message_len, 29);
//! assert_eq!(mails[0].outcome, Some(SmtpOutcome::Accepted));
//! ```

mod command;
mod dots;
mod header;
mod line;
mod message;
mod pairing;
mod parser;
mod probe;
mod protocol;
mod reply;
mod schema;
mod session;
mod transaction;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
#[doc(no_inline)]
pub use flowscope_files::FileInfo;
pub use flowscope_files::mime::NamedFile as SmtpFile;
pub use message::{SmtpAuth, SmtpBody, SmtpHeaders, SmtpOutcome, SmtpTransaction};
pub use parser::SmtpParser;
pub use protocol::Smtp;
pub use schema::SMTP;
