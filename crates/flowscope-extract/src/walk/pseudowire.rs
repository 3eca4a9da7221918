//! What MPLS labels carry, which they do not name: IP or an Ethernet pseudo-wire, judged by its headers.

use flowscope_core::{MAX_DEPTH, NextHeader, Refusal};

use super::bytes::Bytes;
use super::layer_header::{ETHERNET, LayerHeader};
use super::numbers::{
    ARP, CISCO_METADATA, ETHERTYPE_IPV4, ETHERTYPE_IPV6, MPLS, NSH, PBB, PPPOE, VN_TAG,
};
use super::shim;
use super::tags::is_tag;

/// The payload of a label stack, and where it begins: IP or an Ethernet pseudo-wire; `None` if it looks
/// like neither.
///
/// Labels do not name their payload. The first four bits are 4 or 6 for IP, and 0 for the control word
/// that may precede the frame of a pseudo-wire (RFC 4385 §3). Without a control word the destination
/// address of the frame comes first, and may begin with any of these (RFC 8469 §2). So the headers decide:
/// an IPv4 header with a correct checksum, a frame whose Ethertype is followed by a sound IP header, any
/// other sound IP header, a frame with a known Ethertype.
pub(super) fn below_labels(
    bytes: Bytes<'_>,
    at: usize,
) -> Result<Option<(NextHeader, usize)>, Refusal> {
    let [first] = *bytes.array::<1>(at)?;
    let evidence = ip_evidence(bytes, at);
    let frame = |begins| Ok(Some((ETHERNET, begins)));
    let ip = Ok(Some((NextHeader::Ip, at)));
    if evidence == Evidence::Certain {
        return ip;
    }
    if let Some(begins) = frame_at(bytes, at, frame_holds_ip)? {
        return frame(begins);
    }
    if evidence == Evidence::Sound {
        return ip;
    }
    if let Some(begins) = frame_at(bytes, at, is_frame)? {
        return frame(begins);
    }
    if matches!(first >> 4, 4 | 6) { ip } else { Ok(None) }
}

/// Where the frame of a pseudo-wire begins, by a test of what begins at an offset: behind a control word, or at
/// `at`. Each reading takes bytes of an address for the Ethertype of the other, so both can pass.
fn frame_at(
    bytes: Bytes<'_>,
    at: usize,
    is_one: fn(Bytes<'_>, usize) -> Result<bool, Refusal>,
) -> Result<Option<usize>, Refusal> {
    let [first] = *bytes.array::<1>(at)?;
    let here = is_one(bytes, at)?;
    if first >> 4 != 0 || !is_one(bytes, at + 4)? {
        return Ok(here.then_some(at));
    }
    let begins_here = here && !prefers_control_word(*bytes.array(at)?);
    Ok(Some(if begins_here { at } else { at + 4 }))
}

/// Whether these bytes are a control word and the addresses of a frame, rather than a frame alone, where both may be.
///
/// A source address is never that of a group (IEEE 802.3 §3.2.3). Senders set the first half of a control word
/// to 0, and the other half too unless they number their frames (RFC 4448 §4.6). As an address, this is one
/// of the oldest prefixes, of which those of virtual routers (VRRP and HSRP) are still common.
fn prefers_control_word(start: [u8; 16]) -> bool {
    let is_group = |source: u8| source & 1 == 1;
    match (is_group(start[6]), is_group(start[10])) {
        (true, false) => true,
        (false, true) => false,
        _ => {
            matches!(start, [0, 0, ..])
                && !matches!(start, [0, 0, 0x5e, 0, 1 | 2, ..] | [0, 0, 0x0c, 0x07, 0xac, ..])
        }
    }
}

/// How likely bytes are an IP header.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Evidence {
    /// They are none, or too few bytes were captured.
    No,
    /// The lengths fit.
    Weak,
    /// The other fields are valid too; an IPv4 checksum was left to the network card.
    Sound,
    /// The checksum of an IPv4 header is correct, or was left to the network card and the packet ends
    /// where the header says.
    Certain,
}

pub(super) fn ip_evidence(bytes: Bytes<'_>, at: usize) -> Evidence {
    let captured = bytes.from(at);
    let available = bytes.wire.saturating_sub(at);
    match *captured {
        [first @ 0x45..=0x4f, _, hi, lo, ..] => {
            let header_len = usize::from(first & 0x0f) * 4;
            let len = usize::from(u16::from_be_bytes([hi, lo]));
            if len != 0 && (len < header_len || len > available) {
                return Evidence::No;
            }
            let Some(header) = captured.get(..header_len) else { return Evidence::Weak };
            match header_sum(header) {
                0xffff if len != 0 => Evidence::Certain,
                _ if header.get(10..12) == Some(&[0, 0]) => {
                    if len == available {
                        Evidence::Certain
                    } else {
                        Evidence::Sound
                    }
                }
                _ => Evidence::Weak,
            }
        }
        [0x60..=0x6f, _, _, _, hi, lo, next, hops, ..] => {
            let len = 40 + usize::from(u16::from_be_bytes([hi, lo]));
            // Extension headers, transports, tunnels, routing, "no next header".
            let known = matches!(
                next,
                0 | 4 | 6 | 17 | 41 | 43 | 44 | 47 | 50 | 51 | 58 | 59 | 60 | 89 | 103 | 132
            );
            match len <= available {
                false => Evidence::No,
                true if known && hops != 0 => Evidence::Sound,
                true => Evidence::Weak,
            }
        }
        _ => Evidence::No,
    }
}

/// The sum of the words of an IPv4 header, 0xffff if its checksum is correct (RFC 1071). Neither the byte
/// order nor the width of the words matters for that.
#[inline]
pub(super) fn header_sum(header: &[u8]) -> u64 {
    let (words, _) = header.as_chunks::<4>();
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

/// Whether the Ethernet frame at `at` leads, through tags and similar headers, to a sound IP header of the
/// version that it names.
fn frame_holds_ip(bytes: Bytes<'_>, at: usize) -> Result<bool, Refusal> {
    match ip_in_frame(bytes, at) {
        Ok(Some(at)) => {
            // An IPv4 header is judged whole.
            let [first] = *bytes.array::<1>(at)?;
            let needed = if first >> 4 == 4 { usize::from(first & 0x0f) * 4 } else { 8 };
            if bytes.from(at).len() < needed && at + needed <= bytes.wire {
                return Err(Refusal::SnaplenCut);
            }
            Ok(ip_evidence(bytes, at) >= Evidence::Sound)
        }
        Ok(None) | Err(Refusal::HeaderMalformed) => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

/// Where the IP header is that the Ethernet frame at `at` leads to, if its version is the one named.
fn ip_in_frame(bytes: Bytes<'_>, at: usize) -> Result<Option<usize>, Refusal> {
    let (mut number, mut at) = (ethertype(bytes, at + 12)?, at + 14);
    // Deeper than a packet is read in any case.
    for _ in 0..MAX_DEPTH {
        match number {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {
                let version = if number == ETHERTYPE_IPV4 { 4 } else { 6 };
                let [first] = *bytes.array::<1>(at)?;
                return Ok((first >> 4 == version).then_some(at));
            }
            _ if is_tag(number) => (number, at) = (ethertype(bytes, at + 2)?, at + 4),
            _ => match shim::read(bytes, number, at)? {
                Some(LayerHeader { next: NextHeader::EtherType(next), offset, .. }) => {
                    (number, at) = (next, offset);
                }
                Some(LayerHeader { offset, .. }) => {
                    (number, at) = (ethertype(bytes, offset + 12)?, offset + 14);
                }
                None => return Ok(None),
            },
        }
    }
    Ok(None)
}

fn ethertype(bytes: Bytes<'_>, at: usize) -> Result<u16, Refusal> {
    Ok(u16::from_be_bytes(*bytes.array(at)?))
}

/// Whether an Ethertype that [`is_frame`] or [`ip_in_frame`] knows begins with this byte. If not, there is no
/// frame whose Ethertype this is, and what begins with 4 or 6 is IP.
#[inline(always)]
pub(super) const fn may_begin_ethertype(byte: u8) -> bool {
    matches!(byte, 0x08 | 0x81..=0x93)
}

/// Whether the Ethernet header at `at` has a known Ethertype and the first byte of the payload matches it.
pub(super) fn is_frame(bytes: Bytes<'_>, at: usize) -> Result<bool, Refusal> {
    let [.., hi, lo, first] = match bytes.array::<15>(at) {
        Ok(header) => *header,
        Err(Refusal::HeaderMalformed) => return Ok(false),
        Err(refusal) => return Err(refusal),
    };
    Ok(match u16::from_be_bytes([hi, lo]) {
        ETHERTYPE_IPV4 => first >> 4 == 4,
        ETHERTYPE_IPV6 => first >> 4 == 6,
        PPPOE => first == 0x11,
        // Hardware type 1, Ethernet. Tags and labels can begin with any byte.
        ARP => first == 0,
        // Version 1, and options.
        CISCO_METADATA => first == 1,
        // Version 0.
        NSH => first >> 6 == 0,
        number => is_tag(number) || matches!(number, MPLS | VN_TAG | PBB),
    })
}

#[cfg(test)]
mod tests {
    use super::super::numbers::{ERSPAN, MPLS_UPSTREAM};
    use super::super::shim::is_shim;
    use super::*;

    #[test]
    fn every_known_ethertype_begins_with_a_byte_that_says_so() {
        let known = |number: u16| {
            let named = [ETHERTYPE_IPV4, ETHERTYPE_IPV6, ARP, PPPOE, MPLS, MPLS_UPSTREAM, ERSPAN];
            let mut frame = [0; 15];
            frame[12..14].copy_from_slice(&number.to_be_bytes());
            let is_frame = (0..=u8::MAX).any(|first| {
                frame[14] = first;
                is_frame(Bytes { captured: &frame, wire: frame.len() }, 0).unwrap()
            });
            is_frame || is_tag(number) || is_shim(number) || named.contains(&number)
        };
        let (mut seen, all) = (0, 0..=u16::MAX);
        for number in all.filter(|number| known(*number)) {
            assert!(may_begin_ethertype(number.to_be_bytes()[0]), "{number:04x}");
            seen += 1;
        }
        assert!(seen >= 15, "{seen}");
        assert!(!may_begin_ethertype(10) && !may_begin_ethertype(192));
    }
}
