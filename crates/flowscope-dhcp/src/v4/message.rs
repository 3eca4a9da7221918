use std::fmt;
use std::net::Ipv4Addr;

use flowscope_core::{FlowSide, Timestamp};

use super::options::{self, Options};
use crate::text::{dns_name, without_nuls};
use crate::wire::array;

/// One message of DHCP for IPv4, or of BOOTP (RFC 2131 §2, RFC 951).
///
/// Behind it stand the options that are named here, at most 65 535 bytes of wire.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DhcpMessage {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// Its length on the wire, in bytes.
    pub len: u32,
    /// `op`: whether a server or relay says it to a client.
    pub is_reply: bool,
    /// `htype`: the kind of hardware address, 1 for Ethernet.
    pub hardware_type: u8,
    /// `hops`: how many relays it went through.
    pub hops: u8,
    /// `xid`: the identifier that all messages of an exchange have.
    pub transaction_id: u32,
    /// `secs`: for how many seconds the client has been trying.
    pub seconds: u16,
    /// The flag BROADCAST: the client cannot take unicast yet.
    pub broadcast: bool,
    /// `ciaddr`: the address that the client has and answers for.
    pub client_address: Ipv4Addr,
    /// `yiaddr`: the address that the client is given.
    pub assigned_address: Ipv4Addr,
    /// `siaddr`: the server that the client boots from.
    pub next_server: Ipv4Addr,
    /// `giaddr`: the relay next to the client.
    pub relay_address: Ipv4Addr,
    /// Why options are missing.
    pub defect: Option<DhcpDefect>,
    pub(super) hardware_address: [u8; 16],
    pub(super) hardware_len: u8,
    pub(super) options: Options,
}

/// Why options of a message are missing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DhcpDefect {
    /// The capture lacks its end.
    Cut,
    /// An option is longer than the room for it. Those before it are there.
    Malformed,
}

/// What a message is for (RFC 2132 §9.6).
///
/// Displays its name in lower case, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DhcpMessageType(pub u8);

impl DhcpMessage {
    /// What it is for. BOOTP does not say.
    #[must_use]
    pub fn message_type(&self) -> Option<DhcpMessageType> {
        self.options.exact(options::MESSAGE_TYPE).map(|[kind]| DhcpMessageType(kind))
    }

    /// `chaddr`: the hardware address of the client, of the length that the message says.
    #[must_use]
    pub fn hardware_address(&self) -> &[u8] {
        let len = usize::from(self.hardware_len).min(self.hardware_address.len());
        &self.hardware_address[..len]
    }

    /// The client's identifier, with the type that it begins with (RFC 2132 §9.14).
    #[must_use]
    pub fn client_id(&self) -> Option<&[u8]> {
        self.options.get(options::CLIENT_ID)
    }

    /// The host name (RFC 2132 §3.14).
    #[must_use]
    pub fn host_name(&self) -> Option<&[u8]> {
        self.text(options::HOST_NAME)
    }

    /// The client's name in DNS (RFC 4702 §2), in text with dots.
    #[must_use]
    pub fn client_fqdn(&self) -> Option<Vec<u8>> {
        let (&[flags, _, _], name) = self.options.get(options::CLIENT_FQDN)?.split_first_chunk()?;
        // The flag E: the name has the form of DNS; otherwise it is text.
        if flags & 4 != 0 { dns_name(name) } else { Some(without_nuls(name).to_vec()) }
    }

    /// The domain of the client (RFC 2132 §3.17).
    #[must_use]
    pub fn domain(&self) -> Option<&[u8]> {
        self.text(options::DOMAIN_NAME)
    }

    /// The address that the client asks for (RFC 2132 §9.1).
    #[must_use]
    pub fn requested_address(&self) -> Option<Ipv4Addr> {
        self.options.exact::<4>(options::REQUESTED_ADDRESS).map(Ipv4Addr::from)
    }

    /// The server that the message is from or for (RFC 2132 §9.7).
    #[must_use]
    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.options.exact::<4>(options::SERVER_ID).map(Ipv4Addr::from)
    }

    /// For how long the address is given, or asked for, in seconds; all ones is for ever (RFC 2132 §9.2).
    #[must_use]
    pub fn lease_time(&self) -> Option<u32> {
        self.options.exact(options::LEASE_TIME).map(u32::from_be_bytes)
    }

    /// T1: seconds until the client asks its server to renew the lease (RFC 2132 §9.11).
    #[must_use]
    pub fn renewal_time(&self) -> Option<u32> {
        self.options.exact(options::RENEWAL_TIME).map(u32::from_be_bytes)
    }

    /// T2: seconds until the client asks any server (RFC 2132 §9.12).
    #[must_use]
    pub fn rebinding_time(&self) -> Option<u32> {
        self.options.exact(options::REBINDING_TIME).map(u32::from_be_bytes)
    }

    /// The mask of the client's network (RFC 2132 §3.3).
    #[must_use]
    pub fn subnet_mask(&self) -> Option<Ipv4Addr> {
        self.options.exact::<4>(options::SUBNET_MASK).map(Ipv4Addr::from)
    }

    /// The routers of the client's network, the preferred one first (RFC 2132 §3.5).
    pub fn routers(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses(options::ROUTER)
    }

    /// The client's DNS servers, the preferred one first (RFC 2132 §3.8).
    pub fn dns_servers(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses(options::DNS_SERVER)
    }

    /// The options that the client asks for (RFC 2132 §9.8).
    #[must_use]
    pub fn parameters(&self) -> &[u8] {
        self.options.get(options::PARAMETERS).unwrap_or_default()
    }

    /// Why a server refuses, or a client declines (RFC 2132 §9.9).
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        self.text(options::MESSAGE)
    }

    /// The vendor and kind of the client (RFC 2132 §9.13).
    #[must_use]
    pub fn vendor_class(&self) -> Option<&[u8]> {
        self.options.get(options::VENDOR_CLASS)
    }

    /// What relays said of the client, in sub-options (RFC 3046 §2.0).
    #[must_use]
    pub fn relay_agent_information(&self) -> Option<&[u8]> {
        self.options.get(options::RELAY_AGENT)
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.options.heap_bytes()
    }

    /// The text of an option.
    fn text(&self, code: u8) -> Option<&[u8]> {
        self.options.get(code).map(without_nuls)
    }

    fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        let (addresses, _) = self.options.get(code).unwrap_or_default().as_chunks::<4>();
        addresses.iter().map(|octets| Ipv4Addr::from(*octets))
    }

    /// The fixed part (RFC 2131 §2).
    pub(super) fn of_header(side: FlowSide, ts: Timestamp, len: u32, bytes: &[u8]) -> Option<Self> {
        let address = |at| array::<4>(bytes, at).map(Ipv4Addr::from);
        let [op, hardware_type, hardware_len, hops] = array(bytes, 0)?;
        Some(DhcpMessage {
            side,
            ts,
            len,
            is_reply: op == 2,
            hardware_type,
            hops,
            transaction_id: u32::from_be_bytes(array(bytes, 4)?),
            seconds: u16::from_be_bytes(array(bytes, 8)?),
            broadcast: array::<2>(bytes, 10)?[0] & 0x80 != 0,
            client_address: address(12)?,
            assigned_address: address(16)?,
            next_server: address(20)?,
            relay_address: address(24)?,
            defect: None,
            hardware_address: array(bytes, 28)?,
            hardware_len,
            options: Options::default(),
        })
    }
}

impl DhcpDefect {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DhcpDefect::Cut => "cut",
            DhcpDefect::Malformed => "malformed",
        }
    }
}

impl DhcpMessageType {
    /// A client looks for servers.
    pub const DISCOVER: DhcpMessageType = DhcpMessageType(1);
    /// A server offers an address.
    pub const OFFER: DhcpMessageType = DhcpMessageType(2);
    /// A client asks for an address.
    pub const REQUEST: DhcpMessageType = DhcpMessageType(3);
    /// A client says that its address is in use.
    pub const DECLINE: DhcpMessageType = DhcpMessageType(4);
    /// A server gives an address.
    pub const ACK: DhcpMessageType = DhcpMessageType(5);
    /// A server refuses.
    pub const NAK: DhcpMessageType = DhcpMessageType(6);
    /// A client gives its address back.
    pub const RELEASE: DhcpMessageType = DhcpMessageType(7);
    /// A client that has an address asks for parameters.
    pub const INFORM: DhcpMessageType = DhcpMessageType(8);

    /// The name in lower case, where the number has one (RFC 2132 §9.6, RFC 3203, RFC 4388, RFC 6926).
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "discover",
            2 => "offer",
            3 => "request",
            4 => "decline",
            5 => "ack",
            6 => "nak",
            7 => "release",
            8 => "inform",
            9 => "force_renew",
            10 => "lease_query",
            11 => "lease_unassigned",
            12 => "lease_unknown",
            13 => "lease_active",
            _ => return None,
        })
    }
}

impl fmt::Display for DhcpMessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
