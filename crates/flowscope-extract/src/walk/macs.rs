use flowscope_core::{Cursor, LinkType, NextHeader, PacketView, Path, Payload, Refusal};

use super::bytes::Bytes;
use super::link;
use super::numbers::{CISCO_METADATA, FIRST_ETHERTYPE, VN_TAG};
use super::peel::Peeler;
use super::tags::is_tag;

/// Source, destination and payload of the Ethernet header at the cursor, or of the one above it with only
/// VLAN tags between.
#[inline]
pub(crate) fn macs(view: &PacketView<'_>) -> Result<([u8; 6], [u8; 6], Payload), Refusal> {
    let bytes = Bytes::of(view);
    let cursor = view.cursor();
    let at = match cursor.next {
        NextHeader::Link(LinkType::ETHERNET) => cursor.offset as usize,
        _ => ethernet_elsewhere(*view)? as usize,
    };
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *bytes.array::<14>(at)?;
    Ok(([g, h, i, j, k, l], [a, b, c, d, e, f], bytes.payload(at + 14)))
}

/// Offset of the Ethernet header where none begins at the cursor. Takes the view by value: most packets never
/// come here, and keep theirs in registers.
#[inline(never)]
fn ethernet_elsewhere(view: PacketView<'_>) -> Result<u32, Refusal> {
    let cursor = view.cursor();
    if let NextHeader::Link(link_type) = cursor.next {
        let found = link::ethernet(Bytes::of(&view), link_type, cursor.offset as usize)?;
        return found.map(|at| at as u32).ok_or(Refusal::NotAFlow);
    }
    ethernet_above(&view).ok_or(Refusal::NotAFlow)
}

/// Offset of the Ethernet header above the cursor, with only tags, LLC and SNAP headers between; `None`
/// if there is no such header. Reads the headers from the start of the frame again.
fn ethernet_above(view: &PacketView<'_>) -> Option<u32> {
    let mut peeler = Peeler::new(view);
    let end = peeler.cursor.offset;
    peeler.tag = None;
    peeler.cursor = Cursor::around(0, Path::EMPTY);
    if view.frames() == 1 {
        peeler.cursor.next = NextHeader::Link(view.link());
    }
    let mut found = None;
    while peeler.cursor.offset < end {
        match peeler.cursor.next {
            NextHeader::Link(link_type) => {
                let at = peeler.cursor.offset as usize;
                found = link::ethernet(Bytes::of(view), link_type, at).ok()?.map(|at| at as u32);
            }
            NextHeader::EtherType(number)
                if is_tag(number)
                    || matches!(number, VN_TAG | CISCO_METADATA)
                    || number < FIRST_ETHERTYPE => {}
            _ => found = None,
        }
        if !peeler.step(&mut None).ok()? {
            return None;
        }
    }
    found.filter(|_| peeler.cursor.offset == end)
}
