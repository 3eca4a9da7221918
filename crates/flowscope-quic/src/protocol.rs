use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::QUIC;
use crate::{QuicHandshake, QuicParser};

/// QUIC: handshakes over UDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quic;

impl Protocol for Quic {
    const NAME: &'static str = "quic";
    const RECORDS: &'static str = "one per handshake, also if only one side was captured";
    const PORTS: Ports = Ports::udp(&[443]);
    // The long header's form bit and fixed bit (RFC 9000 §17.2); a Version Negotiation may lack the
    // latter, but is never the first datagram of a flow.
    const FIRST_BYTES: ByteSet = ByteSet::range(0xc0, 0xff);
    type Stream = NoParser<QuicHandshake>;
    type Datagram = QuicParser;
    type Record = QuicHandshake;
    const SCHEMA: &'static Schema<QuicHandshake> = &QUIC;
}
