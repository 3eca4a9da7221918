//! Packets (RFC 2865 §3): code, identifier, length, authenticator, attributes.

use crate::{RadiusAttributes, RadiusCode};

/// Bytes of the header.
const HEADER: usize = 20;
/// The longest packet (RFC 2865 §3).
const MAX_LEN: usize = 4096;

/// A packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) code: RadiusCode,
    pub(crate) id: u8,
    pub(crate) authenticator: [u8; 16],
    pub(crate) attributes: RadiusAttributes,
}

/// The packet in a datagram of this length on the wire: of one that was cut what there is. Bytes behind its length
/// are padding.
pub(crate) fn packet(bytes: &[u8], wire_len: usize) -> Option<Packet> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let [code, id, high, low, ..] = *header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if RadiusCode(code).name().is_none() || !(HEADER..=MAX_LEN.min(wire_len)).contains(&len) {
        return None;
    }
    let authenticator = *header.last_chunk()?;
    let is_cut = bytes.len() < len;
    let mut rest = &bytes[HEADER..len.min(bytes.len())];
    let mut attributes = RadiusAttributes::default();
    while let Some((&[kind, len], behind)) = rest.split_first_chunk() {
        // The length has kind and length in it.
        let value_len = usize::from(len).checked_sub(2)?;
        let Some((value, next)) = behind.split_at_checked(value_len) else {
            return is_cut.then_some(Packet {
                code: RadiusCode(code),
                id,
                authenticator,
                attributes,
            });
        };
        attributes.add(kind, value);
        rest = next;
    }
    // A byte that is no attribute.
    if !rest.is_empty() && !is_cut {
        return None;
    }
    Some(Packet { code: RadiusCode(code), id, authenticator, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(code: u8, len: u16, attributes: &[u8]) -> Vec<u8> {
        let [high, low] = len.to_be_bytes();
        [&[code, 7, high, low][..], &[9; 16], attributes].concat()
    }

    #[test]
    fn attributes_fill_the_packet() {
        let user = |bytes: &[u8], wire_len| packet(bytes, wire_len)?.attributes.user_name;
        let alice = || Some(b"alice".to_vec());
        assert_eq!(user(&bytes(1, 27, b"\x01\x07alice"), 27), alice());
        // Padding, and what was cut.
        assert_eq!(user(&bytes(1, 27, b"\x01\x07alice\0\0"), 29), alice());
        assert_eq!(user(&bytes(1, 40, b"\x01\x07alice\x02\x0dx"), 40), alice());
        for (code, len, attributes, wire_len) in [
            (6, 27, &b"\x01\x07alice"[..], 27),
            (1, 27, b"\x01\x07alice", 26),
            (1, 19, b"", 20),
            (1, 27, b"\x01\x01alice", 27),
            (1, 27, b"\x01\x08alice", 27),
            (1, 28, b"\x01\x07alice\x01", 28),
        ] {
            assert_eq!(packet(&bytes(code, len, attributes), wire_len), None, "{attributes:?}");
        }
        assert_eq!(packet(&[1; 19], 19), None);
        assert_eq!(packet(&bytes(1, 4097, &[]), 5000), None);
    }
}
