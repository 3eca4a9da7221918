use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use super::schema::DHCPV6;
use super::{Dhcpv6Message, Dhcpv6Parser};

/// DHCP for IPv6 over UDP (RFC 8415).
///
/// A record is one message; of a message that relays carry, the client's or server's inside. It is found by its
/// port alone: all messages have port 547 on one side, so the side with that port counts as the responder.
/// Suricata and Zeek have no such record.
#[derive(Clone, Copy, Debug)]
pub struct Dhcpv6;

impl Protocol for Dhcpv6 {
    const NAME: &'static str = "dhcpv6";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[547]);
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = NoParser<Dhcpv6Message>;
    type Datagram = Dhcpv6Parser;
    type Record = Dhcpv6Message;
    const SCHEMA: &'static Schema<Dhcpv6Message> = &DHCPV6;
}
