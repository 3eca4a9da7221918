use std::fmt;
use std::net::Ipv6Addr;

use flowscope_core::{FlowSide, Timestamp};

use crate::DhcpDefect;

/// One message of DHCP for IPv6 (RFC 8415 §8), without the relays around it.
///
/// At most 65 535 bytes of wire stand behind it; lists hold what their options have, each entry of at least
/// sixteen bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dhcpv6Message {
    /// Who sent the datagram.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// Length of the datagram on the wire, in bytes.
    pub len: u32,
    /// What the message is for. That of a relay where the message inside cannot be read.
    pub message_type: Dhcpv6MessageType,
    /// The identifier that a reply has from its request, 24 bits.
    pub transaction_id: Option<u32>,
    /// How many relays are around the message: at most 32 are looked through.
    pub relays: u8,
    /// The relay next to the client (RFC 8415 §9).
    pub relay: Option<Dhcpv6Relay>,
    /// The client's DUID (RFC 8415 §21.2).
    pub client_id: Option<Vec<u8>>,
    /// The server's DUID (RFC 8415 §21.3).
    pub server_id: Option<Vec<u8>>,
    /// Addresses asked for or given, of all associations (RFC 8415 §21.6).
    pub addresses: Vec<Dhcpv6Address>,
    /// Prefixes asked for or given (RFC 8415 §21.22).
    pub prefixes: Vec<Dhcpv6Prefix>,
    /// What the client asks for (RFC 8415 §21.7): codes of options.
    pub requested_options: Vec<u16>,
    /// Hundredths of a second for which the client has been trying (RFC 8415 §21.9).
    pub elapsed_time: Option<u16>,
    /// RAPID COMMIT: two messages are to do instead of four (RFC 8415 §21.14).
    pub rapid_commit: bool,
    /// How a request went, of the message or else of the first association that says so (RFC 8415 §21.13).
    pub status: Option<Dhcpv6Status>,
    /// The client's name in DNS, in text with dots (RFC 4704 §4).
    pub client_fqdn: Option<Vec<u8>>,
    /// The client's DNS servers (RFC 3646 §3).
    pub dns_servers: Vec<Ipv6Addr>,
    /// Why options are missing.
    pub defect: Option<DhcpDefect>,
}

/// A relay around a message (RFC 8415 §9).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dhcpv6Relay {
    /// The number of relays behind it.
    pub hop_count: u8,
    /// An address of the link that the client is on, or the unspecified address.
    pub link_address: Ipv6Addr,
    /// The address that the message came from, or goes to.
    pub peer_address: Ipv6Addr,
}

/// An address and for how long it is valid (RFC 8415 §21.6).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dhcpv6Address {
    /// The address.
    pub address: Ipv6Addr,
    /// Seconds for which it is preferred; all ones is for ever.
    pub preferred_lifetime: u32,
    /// Seconds for which it is valid; all ones is for ever.
    pub valid_lifetime: u32,
}

/// A prefix and for how long it is valid (RFC 8415 §21.22).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dhcpv6Prefix {
    /// The prefix.
    pub prefix: Ipv6Addr,
    /// Its length in bits.
    pub prefix_len: u8,
    /// Seconds for which it is preferred; all ones is for ever.
    pub preferred_lifetime: u32,
    /// Seconds for which it is valid; all ones is for ever.
    pub valid_lifetime: u32,
}

/// How a request went (RFC 8415 §21.13).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dhcpv6Status {
    /// The code; 0 is success.
    pub code: u16,
    /// What the server has to say.
    pub message: Vec<u8>,
}

/// What a message is for (RFC 8415 §7.3 and the IANA registry).
///
/// Displays its name in lower case, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dhcpv6MessageType(pub u8);

impl Dhcpv6Message {
    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let bytes = [&self.client_id, &self.server_id, &self.client_fqdn];
        let bytes = bytes.into_iter().flatten().map(Vec::capacity).sum::<usize>();
        let status = self.status.as_ref().map_or(0, |status| status.message.capacity());
        bytes
            + status
            + self.addresses.capacity() * size_of::<Dhcpv6Address>()
            + self.prefixes.capacity() * size_of::<Dhcpv6Prefix>()
            + self.requested_options.capacity() * size_of::<u16>()
            + self.dns_servers.capacity() * size_of::<Ipv6Addr>()
    }
}

impl Dhcpv6MessageType {
    /// A relay forwards a message to a server.
    pub const RELAY_FORW: Dhcpv6MessageType = Dhcpv6MessageType(12);
    /// A relay carries a message to a client.
    pub const RELAY_REPL: Dhcpv6MessageType = Dhcpv6MessageType(13);

    /// Whether it is a relay's, which has another message inside.
    #[must_use]
    pub const fn is_relay(self) -> bool {
        matches!(self.0, 12 | 13)
    }

    /// Whether a server says it to a client.
    #[must_use]
    pub const fn is_reply(self) -> bool {
        matches!(self.0, 2 | 7 | 10 | 13 | 15 | 17)
    }

    /// The name in lower case, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "solicit",
            2 => "advertise",
            3 => "request",
            4 => "confirm",
            5 => "renew",
            6 => "rebind",
            7 => "reply",
            8 => "release",
            9 => "decline",
            10 => "reconfigure",
            11 => "information_request",
            12 => "relay_forw",
            13 => "relay_repl",
            14 => "leasequery",
            15 => "leasequery_reply",
            16 => "leasequery_done",
            17 => "leasequery_data",
            _ => return None,
        })
    }
}

impl fmt::Display for Dhcpv6MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
