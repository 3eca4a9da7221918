use flowscope_record::{ByteSet, Ports, Protocol, Schema};

use crate::schema::KRB5;
use crate::{Krb5Datagrams, Krb5Exchange, Krb5Parser};

/// Kerberos over TCP and UDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Krb5;

impl Protocol for Krb5 {
    const NAME: &'static str = "krb5";
    const RECORDS: &'static str =
        "one per request with its answer, and one per answer whose request was not captured";
    const PORTS: Ports = Ports { tcp: &[88], udp: &[88] };
    /// The tags of messages.
    const FIRST_BYTES: ByteSet =
        ByteSet::range(0x6a, 0x6f).with(0x74).with(0x75).with(0x76).with(0x7e);
    /// Of a length below 2^24.
    const STREAM_FIRST_BYTES: ByteSet = ByteSet::of(&[0]);
    type Stream = Krb5Parser;
    type Datagram = Krb5Datagrams;
    type Record = Krb5Exchange;
    const SCHEMA: &'static Schema<Krb5Exchange> = &KRB5;
}
