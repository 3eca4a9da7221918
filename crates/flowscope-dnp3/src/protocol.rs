use flowscope_record::{ByteSet, Ports, Protocol, Schema};

use crate::schema::DNP3;
use crate::{Dnp3Datagrams, Dnp3Exchange, Dnp3Parser};

/// DNP3 over TCP and UDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Dnp3;

impl Protocol for Dnp3 {
    const NAME: &'static str = "dnp3";
    const RECORDS: &'static str = "one per request with its response, one per request that has none, and one per unsolicited response";
    // The check sum of a frame is evidence enough on any port. 20000 is a port of clients too, and who uses a port of
    // this list is taken for the server.
    const PORTS: Ports = Ports { tcp: &[], udp: &[] };
    /// Of a frame.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0x05]);
    type Stream = Dnp3Parser;
    type Datagram = Dnp3Datagrams;
    type Record = Dnp3Exchange;
    const SCHEMA: &'static Schema<Dnp3Exchange> = &DNP3;
}
