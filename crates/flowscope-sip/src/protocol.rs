use flowscope_record::{ByteSet, Ports, Protocol, Schema};

use crate::schema::SIP;
use crate::{SipDatagrams, SipParser, SipTransaction};

/// SIP over UDP and TCP (RFC 3261).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sip;

impl Protocol for Sip {
    const NAME: &'static str = "sip";
    const RECORDS: &'static str = "one per request with its final response, one per further 2xx to an INVITE, and one per response whose request was not captured";
    const PORTS: Ports = Ports { tcp: &[5060], udp: &[5060] };
    /// Of responses, and of methods.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"SsABCIMNOPRU");
    type Stream = SipParser;
    type Datagram = SipDatagrams;
    type Record = SipTransaction;
    const SCHEMA: &'static Schema<SipTransaction> = &SIP;
}
