//! Reads the link header of common frames, optimized by instruction count.

use flowscope_core::{LinkType, NextHeader, PacketView};

use super::numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP, UDP, is_tunnel};
use super::tags::has_pending_tag;

/// Ethertype and payload offset of the link header at the cursor, once read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct LinkPayload {
    pub(crate) ethertype: u16,
    /// Where the payload begins.
    pub(crate) offset: usize,
}

impl LinkPayload {
    /// Not read yet: no payload behind a header has offset 0.
    pub(crate) const UNKNOWN: LinkPayload = LinkPayload { ethertype: 0, offset: 0 };
}

/// The payload of the link header at the cursor.
#[inline(always)]
pub(crate) fn link_payload(view: &PacketView<'_>) -> Option<LinkPayload> {
    let (ethertype, offset) = ethertype(view)?;
    Some(LinkPayload { ethertype, offset })
}

/// Whether it is TCP, or UDP to a port that no tunnel uses: then there is no layer to remove.
#[inline(always)]
pub(crate) fn is_plain(view: &PacketView<'_>, link_payload: LinkPayload) -> bool {
    let offset = link_payload.offset;
    match link_payload.ethertype {
        ETHERTYPE_IPV4 => array::<24>(view, offset).is_some_and(|header| {
            // With options the port has another offset, and a later fragment has no port.
            let is_bare =
                header[0] == 0x45 && u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
            let ports = [header[20], header[21], header[22], header[23]];
            header[9] == TCP || (header[9] == UDP && is_bare && !is_tunnel(ports))
        }),
        ETHERTYPE_IPV6 => array::<44>(view, offset).is_some_and(|header| {
            let ports = [header[40], header[41], header[42], header[43]];
            header[6] == TCP || (header[6] == UDP && !is_tunnel(ports))
        }),
        _ => false,
    }
}

/// Whether the IP header at `offset` is followed by TCP, which carries no tunnel.
#[inline]
pub(super) fn is_tcp(frame: &[u8], next: NextHeader, offset: usize) -> bool {
    let proto_at = match next {
        NextHeader::EtherType(ETHERTYPE_IPV4) => offset + 9,
        NextHeader::EtherType(ETHERTYPE_IPV6) => offset + 6,
        NextHeader::Ip => match frame.get(offset) {
            Some(0x40..=0x4f) => offset + 9,
            Some(0x60..=0x6f) => offset + 6,
            _ => return false,
        },
        _ => return false,
    };
    frame.get(proto_at) == Some(&TCP)
}

/// The Ethertype and offset of what follows the Ethernet header, or of what the cursor names if it stands
/// behind one.
#[inline(always)]
pub(crate) fn ethertype(view: &PacketView<'_>) -> Option<(u16, usize)> {
    let cursor = view.cursor();
    let offset = cursor.offset as usize;
    if usize::from(cursor.stepped) != cursor.path.len() {
        return None;
    }
    if cursor.next == NextHeader::Link(LinkType::ETHERNET) {
        if view.vlan().is_some() && has_pending_tag(view) {
            return None;
        }
        return Some((u16::from_be_bytes(*array(view, offset + 12)?), offset + 14));
    }
    match cursor.next {
        NextHeader::EtherType(number) => Some((number, offset)),
        NextHeader::Ip => match array::<1>(view, offset)? {
            [0x40..=0x4f] => Some((ETHERTYPE_IPV4, offset)),
            [0x60..=0x6f] => Some((ETHERTYPE_IPV6, offset)),
            _ => None,
        },
        _ => None,
    }
}

/// The `N` bytes at `offset`, with one comparison.
#[inline(always)]
pub(crate) fn array<'a, const N: usize>(
    view: &PacketView<'a>,
    offset: usize,
) -> Option<&'a [u8; N]> {
    view.frame().get(offset..offset + N)?.first_chunk()
}
