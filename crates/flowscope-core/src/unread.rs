use std::fmt;

use crate::LinkType;

/// The header at which an extractor stopped reading a packet that gives no flow.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum UnreadHeader {
    /// That of a link type.
    Link(LinkType),
    /// What an Ethertype announces.
    EtherType(u16),
    /// An LLC frame without SNAP (IEEE 802.2), by its destination service access point.
    Llc(u8),
}

/// A name where the number has a common one, else the number: `link 143`, `ethertype arp`,
/// `ethertype 0x88b5`, `llc stp`.
impl fmt::Display for UnreadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            UnreadHeader::Link(link) => write!(f, "link {link}"),
            UnreadHeader::EtherType(number) => match ethertype_name(number) {
                Some(name) => write!(f, "ethertype {name}"),
                None => write!(f, "ethertype 0x{number:04x}"),
            },
            UnreadHeader::Llc(dsap) => match llc_name(dsap) {
                Some(name) => write!(f, "llc {name}"),
                None => write!(f, "llc 0x{dsap:02x}"),
            },
        }
    }
}

/// Names of the IEEE registry's common entries.
const fn ethertype_name(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0806 => "arp",
        0x0842 => "wake_on_lan",
        0x8035 => "rarp",
        0x809b => "appletalk",
        0x8137 => "ipx",
        0x8809 => "slow_protocols",
        0x8863 => "pppoe_discovery",
        0x888e => "eapol",
        0x8892 => "profinet",
        0x88a4 => "ethercat",
        0x88b8 => "goose",
        0x88ca => "tipc",
        0x88cc => "lldp",
        0x88e5 => "macsec",
        0x88f7 => "ptp",
        0x8902 => "cfm",
        0x8906 => "fcoe",
        0x9000 => "loopback",
        _ => return None,
    })
}

const fn llc_name(dsap: u8) -> Option<&'static str> {
    Some(match dsap {
        0x42 => "stp",
        0xe0 | 0xff => "ipx",
        0xf0 => "netbios",
        0xfe => "osi",
        _ => return None,
    })
}

/// How many packets stopped at each [`UnreadHeader`].
///
/// Memory: 64 headers; packets of any other are counted together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UnreadHeaders {
    /// Sorted by header.
    counts: Vec<(UnreadHeader, u64)>,
    other: u64,
}

impl UnreadHeaders {
    /// Headers that are counted apart at most.
    pub const CAP: usize = 64;

    /// Counts `n` packets.
    pub fn add(&mut self, header: UnreadHeader, n: u64) {
        match self.counts.binary_search_by_key(&header, |(header, _)| *header) {
            Ok(at) => self.counts[at].1 += n,
            Err(at) if self.counts.len() < Self::CAP => self.counts.insert(at, (header, n)),
            Err(_) => self.other += n,
        }
    }

    /// The headers and their packets, the most frequent first, of equal ones the lower number.
    #[must_use]
    pub fn by_count(&self) -> Vec<(UnreadHeader, u64)> {
        let mut counts = self.counts.clone();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }

    /// Packets of headers that came when the table was full.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_names_or_numbers() {
        let names = [
            (UnreadHeader::Link(LinkType(143)), "link 143"),
            (UnreadHeader::EtherType(0x88cc), "ethertype lldp"),
            (UnreadHeader::EtherType(0x88b5), "ethertype 0x88b5"),
            (UnreadHeader::Llc(0x42), "llc stp"),
            (UnreadHeader::Llc(0x06), "llc 0x06"),
        ];
        for (header, name) in names {
            assert_eq!(header.to_string(), name);
        }
    }

    #[test]
    fn the_table_is_bounded_and_every_packet_is_in_it() {
        let mut table = UnreadHeaders::default();
        for number in 0..1000_u16 {
            table.add(UnreadHeader::EtherType(number), 1);
            table.add(UnreadHeader::EtherType(number % 3), 2);
        }
        let counts = table.by_count();
        assert_eq!(counts.len(), UnreadHeaders::CAP);
        assert_eq!(counts[0], (UnreadHeader::EtherType(0), 1 + 2 * 334));
        assert_eq!(counts.iter().map(|(_, n)| n).sum::<u64>() + table.other(), 3000);
        assert!(counts.is_sorted_by(|a, b| a.1 > b.1 || a.1 == b.1 && a.0 < b.0));
    }
}
