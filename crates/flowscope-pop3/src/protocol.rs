use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::POP3;
use crate::{Pop3Exchange, Pop3Parser};

/// POP3 over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pop3;

impl Protocol for Pop3 {
    const NAME: &'static str = "pop3";
    const RECORDS: &'static str = "one per command with its reply, and one for the greeting";
    const PORTS: Ports = Ports::tcp(&[110]);
    /// Of the greeting `+OK`.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"+");
    const CARRIES: bool = true;
    type Stream = Pop3Parser;
    type Datagram = NoParser<Pop3Exchange>;
    type Record = Pop3Exchange;
    const SCHEMA: &'static Schema<Pop3Exchange> = &POP3;
}
