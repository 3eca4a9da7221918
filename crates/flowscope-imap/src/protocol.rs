use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::IMAP;
use crate::{ImapExchange, ImapParser};

/// IMAP over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Imap;

impl Protocol for Imap {
    const NAME: &'static str = "imap";
    const RECORDS: &'static str = "one per command with its response, and one for the greeting";
    const PORTS: Ports = Ports::tcp(&[143]);
    /// Of the greeting `* OK`.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"*");
    const CARRIES: bool = true;
    type Stream = ImapParser;
    type Datagram = NoParser<ImapExchange>;
    type Record = ImapExchange;
    const SCHEMA: &'static Schema<ImapExchange> = &IMAP;
}
