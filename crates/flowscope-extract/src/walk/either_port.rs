//! Tunnels over UDP between a server and clients behind address translators: only one end has a known port.
//! They carry IP alone, so a header counts only if an IP packet follows that fills the datagram.

use flowscope_core::{Layer, NextHeader, PathLayer, Refusal};

use super::bytes::Bytes;
use super::layer_header::LayerHeader;
use super::numbers::{AYIYA_PORT, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4, IPV6, TEREDO_PORT};
use super::pseudowire::{Evidence, ip_evidence};

/// The tunnel that `port` is known by, whose header is at `at`; `None` if there is none.
#[cold]
pub(super) fn open(bytes: Bytes<'_>, port: u16, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    match port {
        TEREDO_PORT => teredo(bytes, at),
        AYIYA_PORT => ayiya(bytes, at),
        _ => Ok(None),
    }
}

/// RFC 4380 §5.1.1: an IPv6 packet, behind an authentication header, an origin indication, both in this
/// order, or neither. The packet is from or to a Teredo address (§2.14) or a link-local one (§5.2.1).
fn teredo(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    let mut inside = at;
    if let [0, 1, id_len, auth_len] = *bytes.array::<4>(inside)? {
        // Client identifier, authentication value, nonce of eight bytes, confirmation byte.
        inside += 13 + usize::from(id_len) + usize::from(auth_len);
    }
    if let [0, 0] = *bytes.array::<2>(inside)? {
        // Port and address, obfuscated.
        inside += 8;
    }
    let header = bytes.array::<40>(inside)?;
    let of_teredo = |address: &[u8]| {
        address.starts_with(&[0x20, 0x01, 0, 0]) || matches!(*address, [0xfe, 0x80..=0xbf, ..])
    };
    let sound = ip_evidence(bytes, inside) >= Evidence::Sound
        && (of_teredo(&header[8..24]) || of_teredo(&header[24..40]))
        && trailers_fill(bytes, inside + ipv6_len(header))?;
    Ok((sound && header[0] >> 4 == 6).then_some(layer(Layer::Teredo, ETHERTYPE_IPV6, inside)))
}

/// RFC 6081 §4: trailers of a type, a length and so many bytes may follow the packet. At most eight are
/// read.
fn trailers_fill(bytes: Bytes<'_>, mut at: usize) -> Result<bool, Refusal> {
    for _ in 0..8 {
        if at == bytes.wire {
            return Ok(true);
        }
        match bytes.array::<2>(at) {
            Ok(&[_, len]) => at += 2 + usize::from(len),
            Err(Refusal::HeaderMalformed) => return Ok(false),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(at == bytes.wire)
}

/// draft-massar-v6ops-ayiya-02 §3: lengths of identity and signature, methods, an operation, the protocol
/// number of what follows, the time. Only the operation "forward" carries a packet.
fn ayiya(bytes: Bytes<'_>, at: usize) -> Result<Option<LayerHeader>, Refusal> {
    const FORWARD: u8 = 1;

    let [identity, signature, methods, next, ..] = *bytes.array::<8>(at)?;
    if methods & 0x0f != FORWARD {
        return Ok(None);
    }
    // A power of two, and a number of words.
    let inside = at + 8 + (1 << (identity >> 4)) + usize::from(signature >> 4) * 4;
    let (number, fills) = match next {
        IPV6 => {
            let header = bytes.array::<40>(inside)?;
            (ETHERTYPE_IPV6, header[0] >> 4 == 6 && inside + ipv6_len(header) == bytes.wire)
        }
        IPV4 => {
            let [first, _, hi, lo, ..] = *bytes.array::<20>(inside)?;
            // The header is judged whole.
            let header_end = inside + usize::from(first & 0x0f) * 4;
            if bytes.captured.len() < header_end && header_end <= bytes.wire {
                return Err(Refusal::SnaplenCut);
            }
            let len = usize::from(u16::from_be_bytes([hi, lo]));
            (ETHERTYPE_IPV4, first >> 4 == 4 && inside + len == bytes.wire)
        }
        _ => return Ok(None),
    };
    let sound = fills && ip_evidence(bytes, inside) >= Evidence::Sound;
    Ok(sound.then_some(layer(Layer::Ayiya, number, inside)))
}

fn ipv6_len(header: &[u8; 40]) -> usize {
    40 + usize::from(u16::from_be_bytes([header[4], header[5]]))
}

fn layer(layer: Layer, number: u16, offset: usize) -> LayerHeader {
    LayerHeader { layer: PathLayer { layer, id: 0 }, next: NextHeader::EtherType(number), offset }
}
