use std::fmt;
use std::net::Ipv4Addr;

use flowscope_core::{FlowSide, Timestamp};

use super::NbnsName;
use crate::Header;

/// One message of the NetBIOS name service (RFC 1002 §4.2).
///
/// A message is about one name: that of its first question or, without one, of its first record. What the
/// records say of it is put together. At most 65 535 bytes of wire stand behind a message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NbnsMessage {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// Its length on the wire, in bytes.
    pub len: u32,
    /// The fixed part, which is that of DNS.
    pub header: Header,
    /// The name.
    pub name: NbnsName,
    /// The type of the first question, or record.
    pub rtype: NbnsType,
    /// The class of the first question, or record: 1.
    pub class: u16,
    /// How long the name is valid, in seconds, where the message has a record; 0 is without end.
    pub ttl: Option<u32>,
    /// The addresses of the name, of all NB records.
    pub addresses: Vec<NbnsAddress>,
    /// The names that a node has, in a node status response (RFC 1002 §4.2.18).
    pub names: Vec<NbnsNodeName>,
    /// The identifier of the node in such a response: its Ethernet address, mostly.
    pub unit_id: Option<[u8; 6]>,
    /// Why the rest of the message was not read.
    pub defect: Option<NbnsDefect>,
}

/// An address that has a name, of an NB record (RFC 1002 §4.2.1.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NbnsAddress {
    /// NB_FLAGS: whether the name is a group's, and the type of its owner.
    pub flags: u16,
    /// The address.
    pub address: Ipv4Addr,
}

/// A name of a node, in a node status response (RFC 1002 §4.2.18).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NbnsNodeName {
    /// The name; scopes are not said.
    pub name: NbnsName,
    /// NAME_FLAGS: as NB_FLAGS, and whether the name is active, permanent, in conflict or given up.
    pub flags: u16,
}

/// Why a message was not read to its end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NbnsDefect {
    /// The capture lacks its end.
    Cut,
    /// It breaks the rules of the format, or is shorter than its header counts.
    Malformed,
}

/// What kind of request a message is, or answers (RFC 1002 §4.2.1.1).
///
/// Displays its name, or `OPCODE` and the number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NbnsOpcode(pub u8);

/// The type of a question or record (RFC 1002 §4.2.1.2, §4.2.1.3).
///
/// Displays its name, or `TYPE` and the number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NbnsType(pub u16);

impl NbnsMessage {
    /// Whether it answers.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.header.flags & 0x8000 != 0
    }

    /// The kind of request.
    #[must_use]
    pub fn opcode(&self) -> NbnsOpcode {
        NbnsOpcode(self.header.opcode().0)
    }

    /// B: it was sent to all nodes of the network, not to one.
    #[must_use]
    pub fn broadcast(&self) -> bool {
        self.header.flags & 0x0010 != 0
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.name.heap_bytes()).sum();
        self.name.heap_bytes()
            + self.addresses.capacity() * size_of::<NbnsAddress>()
            + self.names.capacity() * size_of::<NbnsNodeName>()
            + names
    }
}

impl NbnsAddress {
    /// G: the name is a group's.
    #[must_use]
    pub fn is_group(self) -> bool {
        self.flags & 0x8000 != 0
    }
}

impl NbnsNodeName {
    /// G: the name is a group's.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.flags & 0x8000 != 0
    }
}

impl NbnsDefect {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NbnsDefect::Cut => "cut",
            NbnsDefect::Malformed => "malformed",
        }
    }
}

impl NbnsOpcode {
    /// A server asks its client to wait for the answer (RFC 1002 §4.2.16).
    pub const WACK: NbnsOpcode = NbnsOpcode(7);

    /// The name, where the number has one. 9 is another number of refreshes, 15 registers a name of a host
    /// with several addresses; both are in use without being in RFC 1002.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "query",
            5 => "registration",
            6 => "release",
            7 => "wack",
            8 | 9 => "refresh",
            15 => "multi_homed_registration",
            _ => return None,
        })
    }
}

impl fmt::Display for NbnsOpcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "OPCODE{}", self.0),
        }
    }
}

impl NbnsType {
    /// An address of a name server.
    pub const A: NbnsType = NbnsType(1);
    /// A name server that knows more.
    pub const NS: NbnsType = NbnsType(2);
    /// Nothing: what a request to wait has.
    pub const NULL: NbnsType = NbnsType(10);
    /// Addresses of a name.
    pub const NB: NbnsType = NbnsType(32);
    /// The status of a node.
    pub const NBSTAT: NbnsType = NbnsType(33);

    /// The name, where the number has one.
    #[must_use]
    pub const fn mnemonic(self) -> Option<&'static str> {
        Some(match self {
            NbnsType::A => "A",
            NbnsType::NS => "NS",
            NbnsType::NULL => "NULL",
            NbnsType::NB => "NB",
            NbnsType::NBSTAT => "NBSTAT",
            _ => return None,
        })
    }
}

impl fmt::Display for NbnsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}
