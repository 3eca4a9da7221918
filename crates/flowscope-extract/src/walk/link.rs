use flowscope_core::{LinkType, NextHeader, Refusal};

use super::bytes::Bytes;
use super::layer_header::ETHERNET;
use super::numbers::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, FIRST_ETHERTYPE, MPLS, PPP_IPV4, PPP_IPV6, PPP_MPLS,
};

/// Skips the link header at `at`, if there is one, and LLC and SNAP headers. Returns what comes next, and
/// where. Does not skip tags.
pub(super) fn step_over(
    bytes: Bytes<'_>,
    next: NextHeader,
    at: usize,
) -> Result<(NextHeader, usize), Refusal> {
    match header_only(bytes, next, at)? {
        (NextHeader::EtherType(length), at) if length < FIRST_ETHERTYPE => snap(bytes, at),
        other => Ok(other),
    }
}

/// Skips the link header only, not an LLC header, so that a frame without SNAP is not refused.
pub(super) fn header_only(
    bytes: Bytes<'_>,
    next: NextHeader,
    at: usize,
) -> Result<(NextHeader, usize), Refusal> {
    let NextHeader::Link(link) = next else { return Ok((next, at)) };
    match header(bytes, link, at)? {
        (next @ NextHeader::Link(_), at) => within(bytes, next, at),
        found => Ok(found),
    }
}

/// [`header_only`] of a link header inside of another. At most three are nested: cooked, Frame Relay, Ethernet.
#[cold]
fn within(bytes: Bytes<'_>, next: NextHeader, at: usize) -> Result<(NextHeader, usize), Refusal> {
    match next {
        // Without a header that is known.
        NextHeader::Link(LinkType::NETLINK) => Ok((next, at)),
        _ => header_only(bytes, next, at),
    }
}

/// Where the Ethernet header is that this link header at `at` is, or has inside.
pub(super) fn ethernet(
    bytes: Bytes<'_>,
    link: LinkType,
    at: usize,
) -> Result<Option<usize>, Refusal> {
    if link == LinkType::ETHERNET {
        return Ok(Some(at));
    }
    match header(bytes, link, at)? {
        (NextHeader::Link(inside), at) if inside != LinkType::NETLINK => {
            ethernet(bytes, inside, at)
        }
        _ => Ok(None),
    }
}

/// Skips one link header. What comes next may be another one.
fn header(bytes: Bytes<'_>, link: LinkType, at: usize) -> Result<(NextHeader, usize), Refusal> {
    match link {
        LinkType::ETHERNET => {
            let [.., hi, lo] = *bytes.array::<14>(at)?;
            Ok((ethertype(hi, lo), at + 14))
        }
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok((NextHeader::Ip, at)),
        LinkType::IPV4 => Ok((NextHeader::EtherType(ETHERTYPE_IPV4), at)),
        LinkType::IPV6 => Ok((NextHeader::EtherType(ETHERTYPE_IPV6), at)),
        LinkType::LINUX_SLL => {
            let [_, _, d0, d1, .., hi, lo] = *bytes.array::<16>(at)?;
            Ok((cooked(u16::from_be_bytes([d0, d1]), hi, lo), at + 16))
        }
        LinkType::LINUX_SLL2 => {
            let [hi, lo, _, _, _, _, _, _, d0, d1, ..] = *bytes.array::<20>(at)?;
            Ok((cooked(u16::from_be_bytes([d0, d1]), hi, lo), at + 20))
        }
        LinkType::NULL | LinkType::LOOP => Ok((family(*bytes.array(at)?)?, at + 4)),
        LinkType::PPP | LinkType::PPP_HDLC => ppp_framed(bytes, at),
        LinkType::C_HDLC => {
            let [.., hi, lo] = *bytes.array::<4>(at)?;
            Ok((ethertype(hi, lo), at + 4))
        }
        LinkType::FDDI => {
            // Frame control of an LLC frame, then two addresses as in Ethernet.
            let [control, ..] = *bytes.array::<13>(at)?;
            if control & 0xf0 == 0x50 { snap(bytes, at + 13) } else { Err(Refusal::NotAFlow) }
        }
        LinkType::IEEE802_5 => token_ring(bytes, at),
        LinkType::FRELAY => frame_relay(bytes, at),
        LinkType::NFLOG => nflog(bytes, at),
        LinkType::PPP_ETHER => {
            // RFC 2516 §4: version and type 1, code 0 for session packets, session id, length.
            match *bytes.array::<6>(at)? {
                [0x11, 0, ..] => ppp(bytes, at + 6),
                _ => Err(Refusal::NotAFlow),
            }
        }
        LinkType::IEEE802_11 => wifi(bytes, at, false),
        LinkType::IEEE802_11_RADIOTAP => {
            // Version 0, a pad byte, and the length of the radiotap header.
            let [_, _, lo, hi] = *bytes.array::<4>(at)?;
            let len = usize::from(u16::from_le_bytes([lo, hi]));
            let flags = match radiotap_flags(bytes.until(at + len), at) {
                // The length alone says where the frame begins.
                Err(Refusal::HeaderMalformed) => 0,
                flags => flags?,
            };
            wifi(bytes, at + len, flags & RADIOTAP_PADDED != 0)
        }
        _ => Err(Refusal::LinkUnsupported),
    }
}

fn ethertype(hi: u8, lo: u8) -> NextHeader {
    NextHeader::EtherType(u16::from_be_bytes([hi, lo]))
}

/// What is behind the header of a cooked capture: of some device types (`ARPHRD_`) a link header, whatever the
/// protocol field says, and what is behind that of netlink is no packet of a network. Source: the tcpdump group's
/// description of `LINKTYPE_LINUX_SLL`.
fn cooked(device: u16, hi: u8, lo: u8) -> NextHeader {
    match device {
        770 => NextHeader::Link(LinkType::FRELAY),
        803 => NextHeader::Link(LinkType::IEEE802_11_RADIOTAP),
        824 => NextHeader::Link(LinkType::NETLINK),
        _ => ethertype(hi, lo),
    }
}

/// The Ethertype in the SNAP header of an 802.3 frame (RFC 1042). Other LLC frames carry no IP in practice.
fn snap(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    match *bytes.array::<8>(at)? {
        [0xaa, 0xaa, 0x03, 0, 0, 0, hi, lo] => Ok((ethertype(hi, lo), at + 8)),
        _ => Err(Refusal::NotAFlow),
    }
}

/// An address family as the capturing host numbers it, in its own byte order. IPv6 is 10 on Linux,
/// 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS. Some writers put the header of Cisco HDLC
/// here, which ends with an Ethertype.
fn family(bytes: [u8; 4]) -> Result<NextHeader, Refusal> {
    let number = u32::from_be_bytes(bytes);
    match number.min(number.swap_bytes()) {
        2 => Ok(NextHeader::EtherType(ETHERTYPE_IPV4)),
        10 | 24 | 28 | 30 => Ok(NextHeader::EtherType(ETHERTYPE_IPV6)),
        _ if matches!(bytes, [0x0f | 0x8f, 0, ..]) => Ok(ethertype(bytes[2], bytes[3])),
        _ => Err(Refusal::NotAFlow),
    }
}

/// PPP, perhaps with the address and control bytes of RFC 1662 §3.1; or Cisco HDLC, which has another address
/// byte and an Ethertype.
pub(super) fn ppp_framed(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    match *bytes.array::<2>(at)? {
        [0xff, 0x03] => ppp(bytes, at + 2),
        [0x0f | 0x8f, 0x00] => {
            let [_, _, hi, lo] = *bytes.array::<4>(at)?;
            Ok((ethertype(hi, lo), at + 4))
        }
        _ => ppp(bytes, at),
    }
}

/// RFC 1661 §2 and §6.5: the protocol field is one byte if that byte is odd.
pub(super) fn ppp(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    let [first] = *bytes.array::<1>(at)?;
    let (protocol, at) = if first & 1 == 1 {
        (u16::from(first), at + 1)
    } else {
        (u16::from_be_bytes(*bytes.array(at)?), at + 2)
    };
    match protocol {
        PPP_IPV4 => Ok((NextHeader::EtherType(ETHERTYPE_IPV4), at)),
        PPP_IPV6 => Ok((NextHeader::EtherType(ETHERTYPE_IPV6), at)),
        PPP_MPLS => Ok((NextHeader::EtherType(MPLS), at)),
        _ => Err(Refusal::NotAFlow),
    }
}

/// IEEE 802.5 §3.1: access control, frame control of an LLC frame, two addresses, and a route of up to 30 bytes,
/// which the first bit of the source address announces.
fn token_ring(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    let header = bytes.array::<14>(at)?;
    if header[1] & 0xc0 != 0x40 {
        return Err(Refusal::NotAFlow);
    }
    let mut end = at + 14;
    if header[8] & 0x80 != 0 {
        let [control, _] = *bytes.array::<2>(end)?;
        end += usize::from(control & 0x1f).max(2);
    }
    snap(bytes, end)
}

/// RFC 2427: an address of 2 to 4 bytes, of which the last has its lowest bit set, unnumbered
/// information, and a network layer protocol identifier. Cisco routers put an Ethertype behind the address.
fn frame_relay(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    let mut at = at + 1;
    for _ in 0..3 {
        let [address] = *bytes.array::<1>(at)?;
        at += 1;
        if address & 1 != 0 {
            break;
        }
    }
    match *bytes.array::<2>(at)? {
        [0x03, 0xcc] => Ok((NextHeader::EtherType(ETHERTYPE_IPV4), at + 2)),
        [0x03, 0x8e] => Ok((NextHeader::EtherType(ETHERTYPE_IPV6), at + 2)),
        [0x03, 0x80] => snap_identifier(bytes, at + 2),
        // A pad byte aligns what follows.
        [0x03, 0x00] if *bytes.array::<1>(at + 2)? == [0x80] => snap_identifier(bytes, at + 3),
        [0x03, _] => Err(Refusal::NotAFlow),
        [hi, lo] => Ok((ethertype(hi, lo), at + 2)),
    }
}

/// An organization code and a protocol: an Ethertype, or a bridged Ethernet frame (RFC 2427 §4.1 and §4.2).
fn snap_identifier(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    match *bytes.array::<5>(at)? {
        [0, 0, 0, hi, lo] => Ok((ethertype(hi, lo), at + 5)),
        // With and without a frame check sequence at the end.
        [0x00, 0x80, 0xc2, 0x00, 0x01 | 0x07] => Ok((ETHERNET, at + 5)),
        _ => Err(Refusal::NotAFlow),
    }
}

/// Address family, version 0, resource id, then attributes: length and type in the byte order of the
/// capturing host, value, padding to four bytes. Attribute 9 is the packet.
fn nflog(bytes: Bytes<'_>, at: usize) -> Result<(NextHeader, usize), Refusal> {
    const PAYLOAD: u16 = 9;

    let [family, 0, _, _] = *bytes.array::<4>(at)? else { return Err(Refusal::NotAFlow) };
    let next = match family {
        2 => NextHeader::EtherType(ETHERTYPE_IPV4),
        10 => NextHeader::EtherType(ETHERTYPE_IPV6),
        _ => return Err(Refusal::NotAFlow),
    };
    let mut at = at + 4;
    // No attribute has a type of 256 or more, so the first one shows the byte order.
    let little = bytes.array::<4>(at)?[3] == 0;
    let number = |field: [u8; 2]| {
        if little { u16::from_le_bytes(field) } else { u16::from_be_bytes(field) }
    };
    loop {
        let [l0, l1, k0, k1] = *bytes.array(at)?;
        let len = usize::from(number([l0, l1]));
        match number([k0, k1]) {
            _ if len < 4 => return Err(Refusal::HeaderMalformed),
            PAYLOAD => return Ok((next, at + 4)),
            _ => at += len.next_multiple_of(4),
        }
    }
}

/// Padding between the header of the frame and its payload, to a multiple of four bytes.
const RADIOTAP_PADDED: u8 = 0x20;

/// The flags in the radiotap header at `at`, 0 if it has none. `bytes` end with that header.
///
/// Behind version, pad byte and length there are words, in little-endian order, whose bits name the fields that
/// are present; bit 31 announces another word. Fields are in the order of their bits: first bit 0, the time, which
/// has eight bytes and is aligned to them, then bit 1, the flags. Source: radiotap.org.
fn radiotap_flags(bytes: Bytes<'_>, at: usize) -> Result<u8, Refusal> {
    const TIME: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE: u32 = 1 << 31;
    // A word for each antenna, and those of vendors.
    const MAX_WORDS: usize = 32;

    let word = |index: usize| bytes.array(at + 4 + index * 4).map(|word| u32::from_le_bytes(*word));
    let first = word(0)?;
    if first & FLAGS == 0 {
        return Ok(0);
    }
    let (mut words, mut last) = (1, first);
    while last & MORE != 0 {
        if words == MAX_WORDS {
            return Err(Refusal::HeaderMalformed);
        }
        last = word(words)?;
        words += 1;
    }
    let fields = 4 + words * 4;
    let flags = if first & TIME != 0 { fields.next_multiple_of(8) + 8 } else { fields };
    Ok(bytes.array::<1>(at + flags)?[0])
}

/// A data frame of IEEE 802.11 that is neither encrypted, fragmented nor aggregated (§9.2.4, §9.3.2).
fn wifi(bytes: Bytes<'_>, at: usize, is_padded: bool) -> Result<(NextHeader, usize), Refusal> {
    const DATA: u8 = 0x08;
    const QOS: u8 = 0x80;
    const BOTH_DS: u8 = 0x03;
    const MORE_FRAGMENTS: u8 = 0x04;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;

    let [kind, flags] = *bytes.array::<2>(at)?;
    // Version 0, type data; of the subtypes only those with data and without polling.
    if kind & !QOS != DATA || flags & (PROTECTED | MORE_FRAGMENTS) != 0 {
        return Err(Refusal::NotAFlow);
    }
    let [.., sequence, _] = *bytes.array::<24>(at)?;
    if sequence & 0x0f != 0 {
        return Err(Refusal::NotAFlow);
    }
    let mut end = at + 24;
    if flags & BOTH_DS == BOTH_DS {
        end += 6;
    }
    if kind & QOS != 0 {
        let [control, _] = *bytes.array::<2>(end)?;
        if control & 0x80 != 0 {
            return Err(Refusal::NotAFlow);
        }
        end += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if is_padded {
        end = at + (end - at).next_multiple_of(4);
    }
    snap(bytes, end)
}
