use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::RDP;
use crate::{RdpParser, RdpStart};

/// RDP: the start of connections over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rdp;

impl Protocol for Rdp {
    const NAME: &'static str = "rdp";
    const RECORDS: &'static str = "one per connection: its start, up to TLS";
    const PORTS: Ports = Ports::tcp(&[3389]);
    /// Of TPKT.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[3]);
    const CARRIES: bool = true;
    type Stream = RdpParser;
    type Datagram = NoParser<RdpStart>;
    type Record = RdpStart;
    const SCHEMA: &'static Schema<RdpStart> = &RDP;
}
