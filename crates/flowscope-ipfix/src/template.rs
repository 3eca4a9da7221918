//! Which elements a record has, by its IP version and protocol.

use flowscope_core::{FlowSide, L4Proto};
use flowscope_output::FlowRecord;

use crate::element::{ELEMENTS, Only};
use crate::{Element, Owner, REVERSE, REVERSE_ENTERPRISE};

/// The first id that a template may have (RFC 7011 §3.4.1).
const FIRST: u16 = 256;

/// The bit of a field that an enterprise number follows (RFC 7011 §3.2).
const ENTERPRISE: u16 = 0x8000;

/// One of the [`Template::COUNT`] templates: by IP version, and by whether the protocol has ports, is ICMP, or
/// neither.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Template {
    is_v4: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Ports,
    Icmp,
    Other,
}

impl Template {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// The one of this record.
    pub(crate) fn of(record: &FlowRecord) -> Self {
        let (initiator, responder) = record.header.endpoints();
        let kind = match record.header.key.proto() {
            L4Proto::Icmp | L4Proto::Icmpv6 => Kind::Icmp,
            _ if initiator.port.is_some() || responder.port.is_some() => Kind::Ports,
            _ => Kind::Other,
        };
        Template { is_v4: initiator.addr.is_ipv4(), kind }
    }

    /// Its place among all, from 0.
    pub(crate) fn index(self) -> usize {
        self.kind as usize * 2 + usize::from(!self.is_v4)
    }

    /// Its id, from 256.
    pub(crate) fn id(self) -> u16 {
        FIRST + self.index() as u16
    }

    /// Its elements, each with the side that it counts.
    fn fields(self) -> impl Iterator<Item = (&'static Element, FlowSide)> {
        let has = move |element: &&Element| match element.only {
            Only::All => true,
            Only::V4 => self.is_v4,
            Only::V6 => !self.is_v4,
            Only::Ports => self.kind == Kind::Ports,
            Only::IcmpV4 => self.is_v4 && self.kind == Kind::Icmp,
            Only::IcmpV6 => !self.is_v4 && self.kind == Kind::Icmp,
        };
        let forward = ELEMENTS.iter().filter(has).map(|element| (element, FlowSide::Initiator));
        let reverse = ELEMENTS.iter().filter(has).filter(|element| element.has_reverse());
        forward.chain(reverse.map(|element| (element, FlowSide::Responder)))
    }

    /// Appends the template record (RFC 7011 §3.4.1).
    pub(crate) fn write(self, enterprise: u32, out: &mut Vec<u8>) {
        out.extend(self.id().to_be_bytes());
        out.extend((self.fields().count() as u16).to_be_bytes());
        for (element, side) in self.fields() {
            let (number, owner) = match (element.owner, side) {
                (Owner::Iana, FlowSide::Initiator) => (element.number, None),
                (Owner::Iana, FlowSide::Responder) => (element.number, Some(REVERSE_ENTERPRISE)),
                (Owner::Own, FlowSide::Initiator) => (element.number, Some(enterprise)),
                (Owner::Own, FlowSide::Responder) => (element.number | REVERSE, Some(enterprise)),
            };
            let bit = if owner.is_some() { ENTERPRISE } else { 0 };
            out.extend((number | bit).to_be_bytes());
            out.extend(element.len().to_be_bytes());
            out.extend(owner.into_iter().flat_map(u32::to_be_bytes));
        }
    }

    /// Appends the data record (RFC 7011 §3.4.3).
    pub(crate) fn write_record(self, record: &FlowRecord, out: &mut Vec<u8>) {
        for (element, side) in self.fields() {
            element.write(record, record.side(side), out);
        }
    }
}
