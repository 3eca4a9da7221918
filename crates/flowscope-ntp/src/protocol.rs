use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::NTP;
use crate::{NtpMessage, NtpParser};

/// NTP over UDP (RFC 5905).
///
/// A record is one message, as in Zeek's `ntp.log`; Suricata has no such event. It is found by its port alone.
#[derive(Clone, Copy, Debug)]
pub struct Ntp;

impl Protocol for Ntp {
    const NAME: &'static str = "ntp";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[123]);
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = NoParser<NtpMessage>;
    type Datagram = NtpParser;
    type Record = NtpMessage;
    const SCHEMA: &'static Schema<NtpMessage> = &NTP;
}
