//! Capture files of generated packets.

use std::io::{self, Write};

use flowscope_core::LinkType;

use crate::Packet;

/// Writes packets as a capture file: pcap with nanoseconds if all have one link type, else pcapng with an
/// interface for each. `make` is called twice, and must give the same packets.
///
/// A tag that the capture removed is put back into the frame.
///
/// # Errors
///
/// Those of `out`.
pub fn write<P: Iterator<Item = Packet>>(
    mut make: impl FnMut() -> P,
    out: &mut impl Write,
) -> io::Result<u64> {
    let mut links = Vec::new();
    for packet in make() {
        if !links.contains(&packet.link) {
            links.push(packet.link);
        }
    }
    let mut written = 0;
    if links.len() > 1 {
        out.write_all(&section())?;
        for link in &links {
            out.write_all(&interface(*link, 9))?;
        }
    } else {
        out.write_all(&pcap_header(links.first().copied().unwrap_or(LinkType::ETHERNET)))?;
    }
    for packet in make() {
        let packet = with_tag(packet);
        if links.len() > 1 {
            let at = links.iter().position(|link| *link == packet.link).unwrap_or_default();
            out.write_all(&enhanced(at as u32, &packet))?;
        } else {
            out.write_all(&pcap_record(&packet))?;
        }
        written += 1;
    }
    Ok(written)
}

fn with_tag(mut packet: Packet) -> Packet {
    if let Some(tag) = packet.vlan.take()
        && packet.bytes.len() >= 12
    {
        let [a, b] = tag.tpid.to_be_bytes();
        let [c, d] = tag.tci.to_be_bytes();
        packet.bytes.splice(12..12, [a, b, c, d]);
        packet.wire_len = packet.wire_len.saturating_add(4);
    }
    packet
}

/// Header of a pcap file with nanoseconds, little endian.
pub(super) fn pcap_header(link: LinkType) -> Vec<u8> {
    let words = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 0x0004_0000, u32::from(link.0)];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

pub(super) fn pcap_record(packet: &Packet) -> Vec<u8> {
    let nanos = packet.ts.as_nanos();
    let (secs, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let captured = packet.bytes.len() as u32;
    let words = [secs as u32, rest as u32, captured, packet.wire_len.max(captured)];
    words.into_iter().flat_map(u32::to_le_bytes).chain(packet.bytes.iter().copied()).collect()
}

/// A pcapng block, little endian.
pub(super) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let len = (padded.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &len, &padded[..], &len].concat()
}

/// A section header block of unknown length.
pub(super) fn section() -> Vec<u8> {
    let body = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &body)
}

/// An interface description with a time resolution (`if_tsresol`).
pub(super) fn interface(link: LinkType, resolution: u8) -> Vec<u8> {
    let [low, high] = link.0.to_le_bytes();
    let start = [low, high, 0, 0, 0, 0, 4, 0];
    block(1, &[&start[..], &[9, 0, 1, 0, resolution, 0, 0, 0], &[0; 4]].concat())
}

/// An enhanced packet block; time in nanoseconds.
pub(super) fn enhanced(interface: u32, packet: &Packet) -> Vec<u8> {
    let nanos = packet.ts.as_nanos();
    let captured = packet.bytes.len() as u32;
    let words =
        [interface, (nanos >> 32) as u32, nanos as u32, captured, packet.wire_len.max(captured)];
    let mut body: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    body.extend_from_slice(&packet.bytes);
    block(6, &body)
}
