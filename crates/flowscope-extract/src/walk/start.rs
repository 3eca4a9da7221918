//! What the link header of a common frame says, in as few instructions as possible.

use flowscope_core::{LinkType, NextHeader, PacketView};

use super::numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP, UDP, is_tunnel_port};
use super::tags::has_pending_tag;

/// What the Ethernet header at the cursor says, if that was read already.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Start {
    pub(crate) ethertype: u16,
    /// Where what it announces begins.
    pub(crate) at: usize,
}

impl Start {
    /// Nothing begins at 0 behind a header.
    pub(crate) const UNKNOWN: Start = Start { ethertype: 0, at: 0 };
}

/// What is behind the Ethernet header, and where.
#[inline(always)]
pub(crate) fn start(view: &PacketView<'_>) -> Option<Start> {
    let (ethertype, at) = ethertype(view)?;
    Some(Start { ethertype, at })
}

/// Whether that is TCP, or UDP to a port that no tunnel has, which nothing can be peeled from.
#[inline(always)]
pub(crate) fn is_plain(view: &PacketView<'_>, start: Start) -> bool {
    let at = start.at;
    match start.ethertype {
        ETHERTYPE_IPV4 => array::<24>(view, at).is_some_and(|header| {
            // Behind options the port is elsewhere, and in a fragment it may be none.
            let is_bare =
                header[0] == 0x45 && u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
            let port = u16::from_be_bytes([header[22], header[23]]);
            header[9] == TCP || (header[9] == UDP && is_bare && !is_tunnel_port(port))
        }),
        ETHERTYPE_IPV6 => array::<44>(view, at).is_some_and(|header| {
            let port = u16::from_be_bytes([header[42], header[43]]);
            header[6] == TCP || (header[6] == UDP && !is_tunnel_port(port))
        }),
        _ => false,
    }
}

/// Whether the IP header at `at` says that TCP follows, which carries no tunnel.
#[inline]
pub(super) fn is_tcp(frame: &[u8], next: NextHeader, at: usize) -> bool {
    let proto_at = match next {
        NextHeader::EtherType(ETHERTYPE_IPV4) => at + 9,
        NextHeader::EtherType(ETHERTYPE_IPV6) => at + 6,
        NextHeader::Ip => match frame.get(at) {
            Some(0x40..=0x4f) => at + 9,
            Some(0x60..=0x6f) => at + 6,
            _ => return false,
        },
        _ => return false,
    };
    frame.get(proto_at) == Some(&TCP)
}

/// What the Ethernet header, or the cursor if it is behind one, says comes next, and where.
#[inline(always)]
pub(crate) fn ethertype(view: &PacketView<'_>) -> Option<(u16, usize)> {
    let cursor = view.cursor();
    let at = cursor.offset as usize;
    if usize::from(cursor.stepped) != cursor.path.len() {
        return None;
    }
    if cursor.next == NextHeader::Link(LinkType::ETHERNET) {
        if view.vlan().is_some() && has_pending_tag(view) {
            return None;
        }
        return Some((u16::from_be_bytes(*array(view, at + 12)?), at + 14));
    }
    match cursor.next {
        NextHeader::EtherType(number) => Some((number, at)),
        NextHeader::Ip => match array::<1>(view, at)? {
            [0x40..=0x4f] => Some((ETHERTYPE_IPV4, at)),
            [0x60..=0x6f] => Some((ETHERTYPE_IPV6, at)),
            _ => None,
        },
        _ => None,
    }
}

/// The `N` bytes at `at`, with one comparison.
#[inline(always)]
pub(crate) fn array<'a, const N: usize>(view: &PacketView<'a>, at: usize) -> Option<&'a [u8; N]> {
    view.frame().get(at..at + N)?.first_chunk()
}
