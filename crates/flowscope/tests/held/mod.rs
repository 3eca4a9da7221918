//! Protocols that are held to more than the conformance suite asks of each.

use flowscope::protocols::{self, ProtocolInfo};

/// Those whose first bytes show what is none of them, and which go on behind what cannot be read where their framing
/// allows it. A protocol of free text, or one that is new, need not be here.
const HELD: [&str; 33] = [
    "http",
    "tls",
    "dtls",
    "dns",
    "mdns",
    "llmnr",
    "nbns",
    "quic",
    "ssh",
    "smtp",
    "dhcp",
    "dhcpv6",
    "ntp",
    "postgresql",
    "mysql",
    "ftp",
    "pop3",
    "imap",
    "socks",
    "proxy",
    "sip",
    "mqtt",
    "redis",
    "snmp",
    "radius",
    "rdp",
    "ldap",
    "http2",
    "websocket",
    "krb5",
    "modbus",
    "dnp3",
    "smb",
];

/// Their descriptions.
pub(crate) fn held() -> impl Iterator<Item = &'static ProtocolInfo> {
    let find = |name| protocols::all().iter().find(move |protocol| protocol.name == name);
    HELD.into_iter().map(move |name| find(name).expect(name))
}
