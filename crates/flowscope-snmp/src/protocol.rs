use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::SNMP;
use crate::{SnmpMessage, SnmpParser};

/// SNMP over UDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Snmp;

impl Protocol for Snmp {
    const NAME: &'static str = "snmp";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[161, 162]);
    /// Of a sequence.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0x30]);
    type Stream = NoParser<SnmpMessage>;
    type Datagram = SnmpParser;
    type Record = SnmpMessage;
    const SCHEMA: &'static Schema<SnmpMessage> = &SNMP;
}
