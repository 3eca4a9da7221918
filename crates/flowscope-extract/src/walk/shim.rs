//! Headers between an Ethernet header and its payload, other than VLAN tags and labels.

use flowscope_core::{Layer, NextHeader, PathLayer, Refusal};

use super::bytes::Bytes;
use super::layer_header::{ETHERNET, LayerHeader};
use super::numbers::{CISCO_METADATA, ETHERTYPE_IPV4, ETHERTYPE_IPV6, MPLS, NSH, PBB, VN_TAG};

/// Whether this Ethertype announces such a header.
pub(super) const fn is_shim(ethertype: u16) -> bool {
    matches!(ethertype, VN_TAG | PBB | CISCO_METADATA | NSH)
}

/// The header of this Ethertype at `at`; `None` if it is another version, or carries something unknown.
pub(super) fn read(
    bytes: Bytes<'_>,
    ethertype: u16,
    at: usize,
) -> Result<Option<LayerHeader>, Refusal> {
    match ethertype {
        VN_TAG => vn_tag(bytes, at),
        PBB => backbone(bytes, at),
        CISCO_METADATA => trustsec(bytes, at),
        NSH => service_header(bytes, at),
        _ => Ok(None),
    }
}

/// Direction and pointer bits, destination interface (14 bits), loop bit, version, source interface
/// (12 bits), Ethertype.
fn vn_tag(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [d0, d1, _, _, hi, lo] = *bytes.array(at)?;
    let id = u16::from_be_bytes([d0, d1]) & 0x3fff;
    Ok(Some(LayerHeader {
        layer: PathLayer { layer: Layer::VnTag, id: id.into() },
        next: NextHeader::EtherType(u16::from_be_bytes([hi, lo])),
        offset: at + 6,
    }))
}

/// IEEE 802.1ah: flags, service id (24 bits), then the frame of the customer.
fn backbone(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [_, a, b, c] = *bytes.array(at)?;
    let layer = PathLayer { layer: Layer::Pbb, id: u32::from_be_bytes([0, a, b, c]) };
    Ok(Some(LayerHeader { layer, next: ETHERNET, offset: at + 4 }))
}

/// Version 1, length of the options in words, options, Ethertype. Option 1 is the security group.
fn trustsec(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [1, words, kind_hi, kind_lo, hi, lo] = *bytes.array(at)? else { return Ok(None) };
    if words == 0 {
        return Ok(None);
    }
    let is_group = u16::from_be_bytes([kind_hi, kind_lo]) & 0x0fff == 1;
    let id = if is_group { u16::from_be_bytes([hi, lo]) } else { 0 };
    let end = at + 2 + usize::from(words) * 4;
    let ethertype = u16::from_be_bytes(*bytes.array(end)?);
    Ok(Some(LayerHeader {
        layer: PathLayer { layer: Layer::TrustSec, id: id.into() },
        next: NextHeader::EtherType(ethertype),
        offset: end + 2,
    }))
}

/// RFC 8300 §2.2: version 0, length in words, what it carries, service path. §2.4: metadata of type 1
/// has 16 bytes.
fn service_header(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let [first, length, kind, next, a, b, c, _] = *bytes.array::<8>(at)?;
    let words = usize::from(length & 0x3f);
    let sound = first >> 6 == 0
        && match kind & 0x0f {
            1 => words == 6,
            _ => words >= 2,
        };
    let next = match next {
        1 => NextHeader::EtherType(ETHERTYPE_IPV4),
        2 => NextHeader::EtherType(ETHERTYPE_IPV6),
        3 => ETHERNET,
        4 => NextHeader::EtherType(NSH),
        5 => NextHeader::EtherType(MPLS),
        _ => return Ok(None),
    };
    let layer = PathLayer { layer: Layer::Nsh, id: u32::from_be_bytes([0, a, b, c]) };
    Ok(sound.then_some(LayerHeader { layer, next, offset: at + words * 4 }))
}
