//! Values in BER, as far as LDAP has them (RFC 4511 §5.1): definite lengths and tags of one byte.

/// What is left of some values in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a>(pub(crate) &'a [u8]);

/// The header of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Header {
    /// Its tag, the length of what follows it, and its own length.
    Whole { tag: u8, len: u32, header: usize },
    /// Bytes are missing.
    Short,
    /// The length is none, or has more than four bytes.
    Wrong,
}

/// The header that begins here.
pub(crate) fn header(bytes: &[u8]) -> Header {
    let Some((&[tag, first], rest)) = bytes.split_first_chunk() else { return Header::Short };
    if first < 0x80 {
        return Header::Whole { tag, len: first.into(), header: 2 };
    }
    let octets = usize::from(first & 0x7f);
    if !(1..=4).contains(&octets) {
        return Header::Wrong;
    }
    let Some(digits) = rest.get(..octets) else { return Header::Short };
    let len = digits.iter().fold(0, |len, &digit| len << 8 | u32::from(digit));
    Header::Whole { tag, len, header: 2 + octets }
}

impl<'a> Values<'a> {
    /// The next value: its tag, and as much of its contents as is there.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let Header::Whole { tag, len, header } = header(self.0) else { return None };
        let rest = &self.0[header..];
        let (contents, rest) = rest.split_at(rest.len().min(len as usize));
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value, if it has this tag; else it stays.
    pub(crate) fn tagged(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        Some(self.any()?.1)
    }

    /// The next value, an `INTEGER` or an `ENUMERATED` of at most 32 bits.
    pub(crate) fn number(&mut self, tag: u8) -> Option<i32> {
        let contents = self.tagged(tag)?;
        if !(1..=4).contains(&contents.len()) {
            return None;
        }
        let sign = if contents[0] & 0x80 == 0 { 0 } else { -1 };
        Some(contents.iter().fold(sign, |number, &digit| number << 8 | i32::from(digit)))
    }

    /// The next value, an `OCTET STRING`.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.tagged(STRING)
    }
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const STRING: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_short_and_long_lengths() {
        let whole = |len, header| Header::Whole { tag: 0x30, len, header };
        assert_eq!(header(b"\x30\x7f"), whole(127, 2));
        assert_eq!(header(b"\x30\x84\0\0\x01\0"), whole(256, 6));
        assert_eq!(header(b"\x30\x84\xff\xff\xff\xff"), whole(u32::MAX, 6));
        assert_eq!((header(b"\x30"), header(b"\x30\x82\x01")), (Header::Short, Header::Short));
        assert_eq!((header(b"\x30\x80"), header(b"\x30\x85")), (Header::Wrong, Header::Wrong));
    }

    #[test]
    fn values_are_never_more_than_what_is_there() {
        assert_eq!(Values(b"\x04\x7fab").any(), Some((4, &b"ab"[..])));
        let mut values = Values(b"\x0a\x01\xff\x04\x01a");
        assert_eq!((values.string(), values.number(ENUMERATED)), (None, Some(-1)));
        assert_eq!((values.string(), values.any()), (Some(&b"a"[..]), None));
        assert_eq!(Values(b"\x02\x05\0\0\0\0\x01").number(INTEGER), None);
    }
}
