use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::schema::SMTP;
use crate::{SmtpParser, SmtpTransaction};

/// SMTP over TCP: relay and submission.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Smtp;

impl Protocol for Smtp {
    const NAME: &'static str = "smtp";
    const RECORDS: &'static str =
        "one per mail, accepted or not, and one for a session without any";
    const PORTS: Ports = Ports::tcp(&[25, 587]);
    /// Of `220` and of `EHLO` and `HELO`, in either case (RFC 5321 §2.4).
    const FIRST_BYTES: ByteSet = ByteSet::of(b"2EHeh");
    const CARRIES: bool = true;
    type Stream = SmtpParser;
    type Datagram = NoParser<SmtpTransaction>;
    type Record = SmtpTransaction;
    const SCHEMA: &'static Schema<SmtpTransaction> = &SMTP;

    fn stream(options: &ParserOptions) -> SmtpParser {
        if options.files {
            SmtpParser::with_files(options.file_bytes)
        } else {
            SmtpParser::default()
        }
    }
}
