use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::SSH;
use crate::{SshHandshake, SshParser};

/// SSH: handshakes over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ssh;

impl Protocol for Ssh {
    const NAME: &'static str = "ssh";
    const RECORDS: &'static str = "one per handshake, also if only one side was captured";
    const PORTS: Ports = Ports::tcp(&[22]);
    const FIRST_BYTES: ByteSet = ByteSet::of(b"S");
    type Stream = SshParser;
    type Datagram = NoParser<SshHandshake>;
    type Record = SshHandshake;
    const SCHEMA: &'static Schema<SshHandshake> = &SSH;
}
