use flowscope_record::{ByteSet, Ports, Protocol, Schema};

use crate::schema::LDAP;
use crate::{LdapDatagrams, LdapExchange, LdapParser};

/// LDAP over TCP, and over UDP as domain controllers are looked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ldap;

impl Protocol for Ldap {
    const NAME: &'static str = "ldap";
    const RECORDS: &'static str =
        "one per operation with its result, and one per notification of the server";
    const PORTS: Ports = Ports { tcp: &[389, 3268], udp: &[389] };
    /// Of a sequence.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0x30]);
    const CARRIES: bool = true;
    type Stream = LdapParser;
    type Datagram = LdapDatagrams;
    type Record = LdapExchange;
    const SCHEMA: &'static Schema<LdapExchange> = &LDAP;
}
