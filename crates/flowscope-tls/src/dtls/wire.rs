//! Records and fragments of handshake messages.

/// A record of a datagram (RFC 6347 §4.1, RFC 9147 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DtlsRecord<'a> {
    /// In the clear: epoch 0.
    Plain { content: u8, body: &'a [u8] },
    /// Protected by the keys of a later epoch.
    Protected,
}

/// The first record of `bytes`, and what is behind it; `None` if there is none.
pub(super) fn record(bytes: &[u8]) -> Option<(DtlsRecord<'_>, &[u8])> {
    let (first, _) = bytes.split_first()?;
    match first {
        20..=24 => {
            let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
            let [content, major, minor, epoch @ .., high, low] = *header;
            if (major, minor) != (0xfe, 0xff) && (major, minor) != (0xfe, 0xfd) {
                return None;
            }
            let len = usize::from(u16::from_be_bytes([high, low]));
            let (body, rest) = rest.split_at_checked(len)?;
            let clear = epoch[..2] == [0, 0];
            let record =
                if clear { DtlsRecord::Plain { content, body } } else { DtlsRecord::Protected };
            Some((record, rest))
        }
        // With a connection id of unknown length (RFC 9146 §4): the rest belongs to it.
        25 => Some((DtlsRecord::Protected, &[])),
        // "001CSLEE" (RFC 9147 §4): a connection id of unknown length may be in it too.
        0x20..=0x3f => Some((DtlsRecord::Protected, &[])),
        _ => None,
    }
}

/// A fragment of a handshake message (RFC 6347 §4.2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fragment<'a> {
    /// `HandshakeType`.
    pub(super) kind: u8,
    /// Length of the whole message.
    pub(super) len: u32,
    /// Number of the message.
    pub(super) seq: u16,
    pub(super) offset: u32,
    pub(super) bytes: &'a [u8],
}

/// The first fragment in the body of a record, and what is behind it. `None` if it is cut, or does not fit
/// the message.
pub(super) fn fragment(body: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = body.split_first_chunk::<12>()?;
    let [kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = *header;
    let number = |a, b, c| u32::from_be_bytes([0, a, b, c]);
    let (len, offset) = (number(l0, l1, l2), number(o0, o1, o2));
    let (bytes, rest) = rest.split_at_checked(number(f0, f1, f2) as usize)?;
    let fits = offset as usize + bytes.len() <= len as usize;
    let seq = u16::from_be_bytes([s0, s1]);
    fits.then_some((Fragment { kind, len, seq, offset, bytes }, rest))
}

/// Type, version, epoch, sequence number, length.
const HEADER: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_fill_datagrams() {
        let plain = |content, body| Some(DtlsRecord::Plain { content, body });
        fn check(bytes: &[u8], expected: Option<DtlsRecord<'_>>, behind: usize) {
            let read = record(bytes);
            assert_eq!(read.map(|(record, _)| record), expected, "{bytes:02x?}");
            assert_eq!(read.map_or(0, |(_, rest)| rest.len()), behind);
        }
        let clear = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 8, 9, 1, 1];
        check(&clear, plain(22, &[8, 9]), 2);
        check(&clear[..14], None, 0);
        check(&clear[..12], None, 0);
        check(&[21, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0], plain(21, &[]), 0);
        check(
            &[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 7, 0, 1, 8, 3],
            Some(DtlsRecord::Protected),
            1,
        );
        check(&[0x2e, 1, 2, 3], Some(DtlsRecord::Protected), 0);
        check(&[25, 0xfe, 0xfd, 0, 1], Some(DtlsRecord::Protected), 0);
        check(&[22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0], None, 0);
        check(&[0x80, 0x60], None, 0);
        check(&[], None, 0);
    }

    #[test]
    fn a_fragment_lies_within_its_message() {
        let bytes = [11, 0, 1, 0, 0, 5, 0, 0, 0xfe, 0, 0, 2, 7, 8, 9];
        let (read, rest) = fragment(&bytes).unwrap();
        let expected = Fragment { kind: 11, len: 256, seq: 5, offset: 254, bytes: &[7, 8] };
        assert_eq!((read, rest), (expected, &[9][..]));
        assert_eq!(fragment(&bytes[..13]), None);
        assert_eq!(fragment(&[11, 0, 1, 0, 0, 5, 0, 0, 0xff, 0, 0, 2, 7, 8]), None);
        assert!(fragment(&[14, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0]).is_some());
    }
}
