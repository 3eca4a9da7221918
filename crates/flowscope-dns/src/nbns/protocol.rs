use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use super::schema::NBNS;
use super::{NbnsMessage, NbnsParser};

/// The NetBIOS name service over UDP (RFC 1002 §4.2).
///
/// It is found by its port alone. A record is one message; Zeek has it in its `dns.log`.
#[derive(Clone, Copy, Debug)]
pub struct Nbns;

impl Protocol for Nbns {
    const NAME: &'static str = "nbns";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[137]);
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = NoParser<NbnsMessage>;
    type Datagram = NbnsParser;
    type Record = NbnsMessage;
    const SCHEMA: &'static Schema<NbnsMessage> = &NBNS;
}
