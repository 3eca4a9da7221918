//! Packets and frames on the wire: RFC 9000 §16, §17 and §19. Nothing here is trusted or decrypted.

use crate::QuicVersion;

/// Connection ids are no longer than this (RFC 9000 §17.2).
pub(crate) const MAX_CONNECTION_ID: usize = 20;

/// A reader of bytes that gives `None` once there are too few.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A variable-length integer (RFC 9000 §16).
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let first = *self.0.first()?;
        let bytes = self.take(1 << (first >> 6))?;
        let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        Some(value & (u64::MAX >> 2 >> (64 - 8 * bytes.len())))
    }

    /// Bytes behind a variable-length integer that counts them.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).ok()?)
    }

    fn connection_id(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?);
        if len > MAX_CONNECTION_ID { None } else { self.take(len) }
    }
}

/// The type of a long-header packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PacketType {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    Negotiation,
}

/// A packet with a long header (RFC 9000 §17.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongPacket<'a> {
    pub(crate) kind: PacketType,
    /// Whether the bit is set that marks packets of QUIC (RFC 9000 §17.2): an end whose peer allows that may clear it, a
    /// server from its first Initial on (RFC 9287 §3).
    pub(crate) has_quic_bit: bool,
    pub(crate) version: QuicVersion,
    pub(crate) destination: &'a [u8],
    pub(crate) source: &'a [u8],
    /// The whole packet, header and all.
    pub(crate) bytes: &'a [u8],
    /// Where the packet number begins; for a Version Negotiation, where the versions do.
    pub(crate) number_at: usize,
}

impl<'a> LongPacket<'a> {
    /// The packet at the start of what is left of a datagram, and what follows it.
    ///
    /// `None` for a short header, a version whose packet types are not known, and what is malformed or
    /// cut short.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader(datagram);
        let first = reader.byte()?;
        if first & 0x80 == 0 {
            return None;
        }
        let version = QuicVersion(u32::from_be_bytes(reader.take(4)?.try_into().ok()?));
        let (destination, source) = (reader.connection_id()?, reader.connection_id()?);
        // RFC 9369 §3.2 moves the types of version 1 on by one.
        let number = match version {
            QuicVersion::V2 => (first >> 4).wrapping_sub(1) & 3,
            _ => first >> 4 & 3,
        };
        let kind = match number {
            _ if version == QuicVersion::NEGOTIATION => PacketType::Negotiation,
            _ if !version.is_readable() => return None,
            0 => PacketType::Initial,
            1 => PacketType::ZeroRtt,
            2 => PacketType::Handshake,
            _ => PacketType::Retry,
        };
        if kind == PacketType::Initial {
            reader.counted()?; // the token
        }
        let bytes = match kind {
            // These have no length and end with the datagram.
            PacketType::Retry | PacketType::Negotiation => datagram,
            _ => {
                let len = usize::try_from(reader.varint()?).ok()?;
                let header = datagram.len() - reader.0.len();
                datagram.get(..header.checked_add(len)?)?
            }
        };
        let number_at = datagram.len() - reader.0.len();
        let has_quic_bit = first & 0x40 != 0;
        let packet =
            LongPacket { kind, has_quic_bit, version, destination, source, bytes, number_at };
        Some((packet, &datagram[bytes.len()..]))
    }

    /// Whether it is long enough for header protection, without which it is discarded (RFC 9001 §5.4.2).
    pub(crate) fn has_sample(&self) -> bool {
        self.bytes.len() >= self.number_at + 4 + 16
    }

    /// Whether it can be the first of a connection: a client does not know yet that it may clear the bit.
    pub(crate) fn may_begin(&self) -> bool {
        self.kind == PacketType::Initial && self.has_quic_bit && self.has_sample()
    }

    /// The versions that a Version Negotiation offers.
    pub(crate) fn versions(&self) -> impl Iterator<Item = QuicVersion> + 'a {
        let versions = self.bytes.get(self.number_at..).unwrap_or_default();
        versions
            .chunks_exact(4)
            .filter_map(|bytes| Some(QuicVersion(u32::from_be_bytes(bytes.try_into().ok()?))))
    }
}

/// A frame of an Initial packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Frame<'a> {
    /// PADDING, PING and ACK.
    Ignored,
    Crypto {
        offset: u64,
        data: &'a [u8],
    },
    ConnectionClose {
        code: u64,
    },
}

/// The frames of an Initial's payload; ends at the first one that is malformed or not allowed in an
/// Initial (RFC 9000 §12.4, table 3).
pub(crate) fn frames(payload: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut reader = Reader(payload);
    std::iter::from_fn(move || {
        let padding = reader.0.iter().take_while(|byte| **byte == 0).count();
        reader.0 = &reader.0[padding..];
        frame(&mut reader)
    })
}

fn frame<'a>(reader: &mut Reader<'a>) -> Option<Frame<'a>> {
    match reader.varint()? {
        1 => Some(Frame::Ignored),
        kind @ (2 | 3) => {
            let (_largest, _delay) = (reader.varint()?, reader.varint()?);
            // The count comes from the wire, but each range takes bytes.
            let ranges = reader.varint()?;
            reader.varint()?;
            for _ in 0..ranges {
                reader.varint()?;
                reader.varint()?;
            }
            if kind == 3 {
                for _ in 0..3 {
                    reader.varint()?;
                }
            }
            Some(Frame::Ignored)
        }
        6 => Some(Frame::Crypto { offset: reader.varint()?, data: reader.counted()? }),
        0x1c => {
            let (code, _frame) = (reader.varint()?, reader.varint()?);
            reader.counted()?;
            Some(Frame::ConnectionClose { code })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_four_lengths() {
        // RFC 9000 §A.1.
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            let mut reader = Reader(bytes);
            assert_eq!((reader.varint(), reader.0.len()), (Some(value), 0), "{bytes:x?}");
            assert_eq!(Reader(&bytes[..bytes.len() - 1]).varint(), None);
        }
    }

    #[test]
    fn frames_end_at_what_an_initial_must_not_have() {
        let payload =
            [0, 0, 1, 2, 5, 0, 1, 0, 7, 7, 6, 0x40, 9, 2, b'h', b'i', 0x1c, 1, 0, 0, 8, 6];
        let frames: Vec<_> = frames(&payload).collect();
        assert_eq!(
            frames,
            [
                Frame::Ignored,
                Frame::Ignored,
                Frame::Crypto { offset: 9, data: b"hi" },
                Frame::ConnectionClose { code: 1 },
            ]
        );
    }

    #[test]
    fn a_count_of_ranges_does_no_work_without_bytes() {
        let mut payload = vec![2, 0, 0];
        payload.extend([0xff; 8]);
        assert_eq!(frames(&payload).count(), 0);
    }

    /// RFC 9000 §17.2: in the versions that are read, and where a version is negotiated here.
    #[test]
    fn connection_ids_have_up_to_twenty_bytes() {
        let packet = |destination: usize, source: usize| {
            let mut bytes = vec![0xc0, 0, 0, 0, 1];
            for len in [destination, source] {
                bytes.push(len as u8);
                bytes.extend(vec![7; len]);
            }
            // No token, one byte.
            bytes.extend([0, 1, 0x55]);
            LongPacket::read(&bytes).map(|(it, _)| (it.destination.len(), it.source.len()))
        };
        assert_eq!(packet(20, 0), Some((20, 0)));
        assert_eq!(packet(0, 20), Some((0, 20)));
        assert_eq!(packet(21, 0), None);
        assert_eq!(packet(0, 21), None);
    }

    #[test]
    fn packet_types_depend_on_the_version() {
        let packet = |first: u8, version: u32| {
            let mut bytes = vec![first];
            bytes.extend(version.to_be_bytes());
            bytes.extend([1, 0xaa, 0, 0, 1, 0x55, 0x99]);
            bytes
        };
        let kind = |first, version| {
            LongPacket::read(&packet(first, version))
                .map(|(packet, rest)| (packet.kind, rest.len()))
        };
        assert_eq!(kind(0xc0, 1), Some((PacketType::Initial, 1)));
        assert_eq!(kind(0xd0, 0x6b33_43cf), Some((PacketType::Initial, 1)));
        assert_eq!(kind(0xc0, 0x6b33_43cf), Some((PacketType::Retry, 0)));
        assert_eq!(kind(0xf0, 1), Some((PacketType::Retry, 0)));
        assert_eq!(kind(0x80, 0), Some((PacketType::Negotiation, 0)));
        assert_eq!(kind(0x40, 1), None, "a short header");
        assert_eq!(kind(0x80, 1), Some((PacketType::Initial, 1)), "without the fixed bit");
        assert_eq!(kind(0xc0, 7), None, "a version that is not known");
    }
}
