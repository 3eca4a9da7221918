//! Lines and packets on the wire: RFC 4253 §4.2 and §6.

/// The longest identification line (RFC 4253 §4.2), with room for those who do not count.
pub(crate) const MAX_LINE: usize = 1024;

/// The longest packet that every implementation has to accept (RFC 4253 §6.1).
pub(crate) const MAX_PACKET: usize = 35_000;

/// As many lines may come before a server's identification.
pub(crate) const MAX_LINES: u8 = 32;

/// A reader of bytes that gives `None` once there are too few.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
}

/// What is at the start of a side's bytes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Unit<'a> {
    /// A line without its end, and how many bytes it took.
    Line(&'a [u8], usize),
    /// The payload of a packet, and how many bytes the packet took.
    Packet(&'a [u8], usize),
    /// More bytes are needed.
    Partial,
    /// No such thing: longer than allowed, or malformed.
    Malformed,
}

/// The line at the start of `bytes`.
pub(crate) fn line(bytes: &[u8]) -> Unit<'_> {
    match bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = &bytes[..end];
            Unit::Line(line.strip_suffix(b"\r").unwrap_or(line), end + 1)
        }
        None if bytes.len() >= MAX_LINE => Unit::Malformed,
        None => Unit::Partial,
    }
}

/// The packet at the start of `bytes`, which must not be encrypted: length, padding length, payload,
/// padding, no MAC.
pub(crate) fn packet(bytes: &[u8]) -> Unit<'_> {
    let mut reader = Reader(bytes);
    let Some(len) = reader.u32().and_then(|len| usize::try_from(len).ok()) else {
        return Unit::Partial;
    };
    if !(2..=MAX_PACKET).contains(&len) {
        return Unit::Malformed;
    }
    let Some((padding, rest)) = reader.take(len).and_then(<[u8]>::split_first) else {
        return Unit::Partial;
    };
    match rest.len().checked_sub(usize::from(*padding)) {
        Some(payload) => Unit::Packet(&rest[..payload], 4 + len),
        None => Unit::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        assert_eq!(line(b"SSH-2.0-x\r\nrest"), Unit::Line(b"SSH-2.0-x", 11));
        assert_eq!(line(b"SSH-2.0-x\nrest"), Unit::Line(b"SSH-2.0-x", 10));
        assert_eq!(line(b"SSH-2.0"), Unit::Partial);
        assert_eq!(line(&[b'a'; MAX_LINE - 1]), Unit::Partial);
        assert_eq!(line(&[b'a'; MAX_LINE]), Unit::Malformed);
    }

    #[test]
    fn packets_say_how_long_they_are() {
        assert_eq!(packet(b"\0\0\0\x06\x02payXX"), Unit::Packet(b"pay", 10));
        assert_eq!(packet(b"\0\0\0\x06\x02payX"), Unit::Partial);
        assert_eq!(packet(b"\0\0\0\x06\x09payXX"), Unit::Malformed);
        assert_eq!(packet(b"\x01\0\0\0"), Unit::Malformed);
        assert_eq!(packet(b"\0\0\0"), Unit::Partial);
        // A length of padding and a byte at least, 35 000 bytes at most.
        assert_eq!(packet(b"\0\0\0\x01\0"), Unit::Malformed);
        assert_eq!(packet(b"\0\0\0\x02\0x"), Unit::Packet(b"x", 6));
        let start = |len: usize| (len as u32).to_be_bytes();
        assert_eq!(packet(&start(MAX_PACKET)), Unit::Partial);
        assert_eq!(packet(&start(MAX_PACKET + 1)), Unit::Malformed);
    }
}
