//! LayerHeader headers: one function per header, which returns the layer and its payload.

use flowscope_core::{Layer, NextHeader, PathLayer, Refusal};

use super::bytes::Bytes;
use super::either_port;
use super::layer_header::{ETHERNET, LayerHeader};
use super::link;
use super::numbers::{
    CISCO_METADATA, ERSPAN, ERSPAN_III, ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_PORT, GRE_PORT,
    GTP_U_PORT, MPLS, NSH, TRANSPARENT_BRIDGING, VXLAN_GPE_PORT, VXLAN_PORT, WCCP, is_either_port,
};
use super::pseudowire::{Evidence, ip_evidence, is_frame};

/// The tunnel header at `at`, the payload of an IP packet; `None` if there is none.
pub(super) fn over_ip(
    bytes: Bytes<'_>,
    proto: u8,
    at: usize,
) -> Result<Option<LayerHeader>, Refusal> {
    let inner = |next| {
        Ok(Some(LayerHeader { layer: PathLayer { layer: Layer::IpIp, id: 0 }, next, offset: at }))
    };
    match proto {
        // RFC 2003, RFC 2473 and RFC 4213: another IP header follows directly.
        4 => inner(NextHeader::EtherType(ETHERTYPE_IPV4)),
        41 => inner(NextHeader::EtherType(ETHERTYPE_IPV6)),
        47 => gre(bytes, at),
        17 => over_udp(bytes, at),
        _ => Ok(None),
    }
}

/// LayerHeaders over UDP, recognised by destination port, some by the port of either side. Any application may
/// use that port, so ambiguous headers are accepted only if the payload matches them.
fn over_udp(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [src_hi, src_lo, hi, lo] = *bytes.array::<4>(at)?;
    let (src, dst) = (u16::from_be_bytes([src_hi, src_lo]), u16::from_be_bytes([hi, lo]));
    match dst {
        VXLAN_PORT => vxlan(bytes, at + 8),
        VXLAN_GPE_PORT => vxlan_gpe(bytes, at + 8),
        GENEVE_PORT => geneve(bytes, at + 8),
        GRE_PORT => gre_in_udp(bytes, at + 8),
        GTP_U_PORT => gtp_u(bytes, at + 8),
        _ if is_either_port(dst) => either_port::open(bytes, dst, at + 8),
        _ if is_either_port(src) => either_port::open(bytes, src, at + 8),
        _ => Ok(None),
    }
}

/// RFC 7348 §5: a flag for a valid network identifier, the identifier, an Ethernet frame.
fn vxlan(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [flags, policy, _, _, a, b, c, _] = *bytes.array::<8>(at)?;
    if flags & 0x08 == 0 {
        return Ok(None);
    }
    // A group policy has a flag, two flags of its own and an id (draft-smith-vxlan-group-policy §2.1).
    let is_known = flags == 0x08 || (flags == 0x88 && policy & !0x48 == 0);
    // "reserved [...] MUST be set to zero on transmission and ignored on receipt": if others are not zero, the
    // inner frame must be a known one.
    if !is_known && !is_frame(bytes, at + 8)? {
        return Ok(None);
    }
    let layer = PathLayer { layer: Layer::Vxlan, id: u32::from_be_bytes([0, a, b, c]) };
    Ok(Some(LayerHeader { layer, next: ETHERNET, offset: at + 8 }))
}

/// draft-ietf-nvo3-vxlan-gpe §3.1: version 0, a flag that the protocol field is valid (without it this is
/// plain VXLAN), and what it carries.
fn vxlan_gpe(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [flags, _, _, protocol, a, b, c, _] = *bytes.array::<8>(at)?;
    if flags & 0x38 != 0x08 {
        return Ok(None);
    }
    let next = match (flags & 0x04, protocol) {
        (0, _) | (_, 3) => ETHERNET,
        (_, 1) => NextHeader::EtherType(ETHERTYPE_IPV4),
        (_, 2) => NextHeader::EtherType(ETHERTYPE_IPV6),
        (_, 4) => NextHeader::EtherType(NSH),
        _ => return Ok(None),
    };
    let layer = PathLayer { layer: Layer::Vxlan, id: u32::from_be_bytes([0, a, b, c]) };
    Ok(Some(LayerHeader { layer, next, offset: at + 8 }))
}

/// RFC 8926 §3.4: version 0, options in words, what it carries as an Ethertype, the identifier.
fn geneve(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [first, _, hi, lo, a, b, c, _] = *bytes.array::<8>(at)?;
    let next = match u16::from_be_bytes([hi, lo]) {
        TRANSPARENT_BRIDGING => ETHERNET,
        number @ (ETHERTYPE_IPV4 | ETHERTYPE_IPV6 | MPLS | NSH) => NextHeader::EtherType(number),
        _ => return Ok(None),
    };
    if first >> 6 != 0 {
        return Ok(None);
    }
    let layer = PathLayer { layer: Layer::Geneve, id: u32::from_be_bytes([0, a, b, c]) };
    Ok(Some(LayerHeader { layer, next, offset: at + 8 + usize::from(first & 0x3f) * 4 }))
}

/// 3GPP TS 29.281 §5.1: version 1, protocol type GTP, and a message that carries a user packet.
/// Any of three flags adds four bytes, the last of which begins a chain of extension headers.
fn gtp_u(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [flags, kind, _, _, a, b, c, d] = *bytes.array::<8>(at)?;
    if flags & 0xf0 != 0x30 || kind != 0xff {
        return Ok(None);
    }
    let mut inside = at + 8;
    if flags & 0x07 != 0 {
        let [_, _, _, mut extension] = *bytes.array::<4>(inside)?;
        inside += 4;
        while flags & 0x04 != 0 && extension != 0 {
            let [words] = *bytes.array::<1>(inside)?;
            if words == 0 {
                return Ok(None);
            }
            inside += usize::from(words) * 4;
            [extension] = *bytes.array::<1>(inside - 1)?;
        }
    }
    // A session may carry other payload than IP, without a protocol field.
    if !is_ip(bytes, inside)? {
        return Ok(None);
    }
    let layer = PathLayer { layer: Layer::GtpU, id: u32::from_be_bytes([a, b, c, d]) };
    Ok(Some(LayerHeader { layer, next: NextHeader::Ip, offset: inside }))
}

/// RFC 2784 and RFC 2890: version 0; checksum, key and sequence number take four bytes each. With
/// Ethernet inside and a key this is NVGRE (RFC 7637), with its Ethertypes ERSPAN.
fn gre(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [flags, version, hi, lo] = *bytes.array::<4>(at)?;
    if flags & ROUTING != 0 || version & 0x07 != 0 {
        return enhanced_gre(bytes, at);
    }
    let mut inside = at + if flags & CHECKSUM != 0 { 8 } else { 4 };
    let mut key = 0;
    if flags & KEY != 0 {
        key = u32::from_be_bytes(*bytes.array(inside)?);
        inside += 4;
    }
    if flags & SEQUENCE != 0 {
        inside += 4;
    }
    let mut ethertype = u16::from_be_bytes([hi, lo]);
    if ethertype == CISCO_METADATA {
        // Ethertype of the payload, version 1, a length of one word, an option with a security group tag.
        let [hi, lo, ..] = *bytes.array::<8>(inside)?;
        ethertype = u16::from_be_bytes([hi, lo]);
        inside += 8;
    }
    let (layer, id, next) = match ethertype {
        number @ (ETHERTYPE_IPV4 | ETHERTYPE_IPV6 | MPLS | NSH) => {
            (Layer::Gre, key, NextHeader::EtherType(number))
        }
        WCCP => {
            // Version 1 has no header, version 2 a redirect header of four bytes, which does not begin like
            // IPv4 (draft-mclaggan-wccp-v2rev1 §4.12).
            let [first] = *bytes.array::<1>(inside)?;
            inside += if first >> 4 == 4 { 0 } else { 4 };
            (Layer::Gre, key, NextHeader::EtherType(ETHERTYPE_IPV4))
        }
        TRANSPARENT_BRIDGING if flags & KEY != 0 => (Layer::Nvgre, key >> 8, ETHERNET),
        TRANSPARENT_BRIDGING => (Layer::Gre, 0, ETHERNET),
        ERSPAN => return erspan(bytes, inside, flags & SEQUENCE != 0),
        ERSPAN_III => return erspan_iii(bytes, inside),
        _ => return Ok(None),
    };
    Ok(Some(LayerHeader { layer: PathLayer { layer, id }, next, offset: inside }))
}

/// RFC 8086: GRE behind UDP. Its payload must match it.
fn gre_in_udp(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let Some(tunnel) = gre(bytes, at)? else { return Ok(None) };
    let sound = match tunnel.next {
        NextHeader::EtherType(ETHERTYPE_IPV4 | ETHERTYPE_IPV6) => {
            bytes.array::<8>(tunnel.offset)?;
            ip_evidence(bytes, tunnel.offset) >= Evidence::Weak
        }
        NextHeader::EtherType(number) => number == MPLS || number == NSH,
        ETHERNET => is_frame(bytes, tunnel.offset)?,
        _ => false,
    };
    Ok(sound.then_some(tunnel))
}

/// Type II has a header of version 1, and GRE then has a sequence number; type I has no header
/// (draft-foschiano-erspan §4.1 and §4.2).
fn erspan(bytes: Bytes<'_>, at: usize, has_header: bool) -> Result<Option<LayerHeader>, Refusal> {
    if !has_header {
        let layer = PathLayer { layer: Layer::Erspan, id: 0 };
        return Ok(Some(LayerHeader { layer, next: ETHERNET, offset: at }));
    }
    let [version, _, hi, lo] = *bytes.array::<4>(at)?;
    let layer = PathLayer { layer: Layer::Erspan, id: session(hi, lo) };
    Ok((version >> 4 == 1).then_some(LayerHeader { layer, next: ETHERNET, offset: at + 8 }))
}

/// Type III, version 2: the frame type, and a flag for eight more bytes that some platforms add
/// (draft-foschiano-erspan §4.3).
fn erspan_iii(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [version, _, hi, lo, _, _, _, _, _, _, frame, rest] = *bytes.array::<12>(at)?;
    let next = match frame >> 2 & 0x1f {
        0 => ETHERNET,
        2 => NextHeader::Ip,
        _ => return Ok(None),
    };
    let inside = at + if rest & 1 != 0 { 20 } else { 12 };
    let layer = PathLayer { layer: Layer::Erspan, id: session(hi, lo) };
    Ok((version >> 4 == 2).then_some(LayerHeader { layer, next, offset: inside }))
}

/// ERSPAN session id: the lower ten bits.
fn session(hi: u8, lo: u8) -> u32 {
    u32::from(u16::from_be_bytes([hi, lo]) & 0x03ff)
}

/// RFC 2637 §4.1: version 1 with a key, which is a length and a call id, and PPP inside unless it is an
/// acknowledgement alone. Compressed, encrypted or multilink PPP is not opened.
fn enhanced_gre(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    const ACKNOWLEDGEMENT: u8 = 0x80;

    let [flags, version, 0x88, 0x0b] = *bytes.array::<4>(at)? else { return Ok(None) };
    if flags & (CHECKSUM | ROUTING | KEY | SEQUENCE) != KEY | SEQUENCE || version & 0x07 != 1 {
        return Ok(None);
    }
    let inside = at + if version & ACKNOWLEDGEMENT != 0 { 16 } else { 12 };
    match link::ppp_framed(bytes, inside) {
        Ok((next, at)) => {
            let layer = PathLayer { layer: Layer::Gre, id: 0 };
            Ok(Some(LayerHeader { layer, next, offset: at }))
        }
        Err(Refusal::NotAFlow) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Whether the version field at `at` is 4 or 6.
pub(super) fn is_ip(bytes: Bytes<'_>, at: usize) -> Result<bool, Refusal> {
    let [first] = *bytes.array::<1>(at)?;
    Ok(matches!(first >> 4, 4 | 6))
}

const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
