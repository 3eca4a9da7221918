use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use super::schema::DHCP;
use super::{DhcpMessage, DhcpParser};

/// DHCP for IPv4 over UDP (RFC 2131).
///
/// A record is one message, as in Suricata's EVE. Zeek's `dhcp.log` has a line for all messages with one
/// transaction identifier, of several flows; here it has one for each message, with Zeek's fields. All messages
/// have port 67 on one side, so the side with that port counts as the responder.
#[derive(Clone, Copy, Debug)]
pub struct Dhcp;

impl Protocol for Dhcp {
    const NAME: &'static str = "dhcp";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[67]);
    /// BOOTREQUEST and BOOTREPLY. The cookie behind the fixed part makes sure.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[1, 2]);
    type Stream = NoParser<DhcpMessage>;
    type Datagram = DhcpParser;
    type Record = DhcpMessage;
    const SCHEMA: &'static Schema<DhcpMessage> = &DHCP;
}
