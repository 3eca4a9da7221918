//! Values in BER (X.690 §8), as far as protocols on the wire have them: tags of one byte, and definite lengths.
//!
//! LDAP and SNMP allow no indefinite length (RFC 4511 §5.1, RFC 3417 §8), and DER has none (X.690 §10.1), so one is no
//! value. Nothing is allocated, and a value is never longer than the bytes that are there. A reader stays on its level:
//! who goes down into values within values bounds how deep.
//!
//! ```
//! use flowscope_ber::{INTEGER, Values};
//!
//! let mut message = Values(b"\x30\x06\x02\x01\x05\x04\x01a").sequence().unwrap();
//! assert_eq!(message.i32(INTEGER), Some(5));
//! assert_eq!(message.string(), Some(&b"a"[..]));
//! assert_eq!(message.any(), None);
//! ```

/// Tag of a `BOOLEAN` (X.690 §8.2).
pub const BOOLEAN: u8 = 0x01;
/// Tag of an `INTEGER` (X.690 §8.3).
pub const INTEGER: u8 = 0x02;
/// Tag of an `OCTET STRING` (X.690 §8.7).
pub const STRING: u8 = 0x04;
/// Tag of an `OBJECT IDENTIFIER` (X.690 §8.19).
pub const OID: u8 = 0x06;
/// Tag of an `ENUMERATED` (X.690 §8.4).
pub const ENUMERATED: u8 = 0x0a;
/// Tag of a `SEQUENCE` (X.690 §8.9).
pub const SEQUENCE: u8 = 0x30;

/// Bytes of the longest header that is read: a tag, and a length of four bytes behind its number.
pub const MAX_HEADER: usize = 6;

/// The header of a value: its tag and its length (X.690 §8.1.2, §8.1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Header {
    /// A whole one.
    Whole {
        /// The tag.
        tag: u8,
        /// Length of the contents behind it, in bytes, as the wire has it.
        len: u32,
        /// Its own length, in bytes: 2 to [`MAX_HEADER`].
        header: usize,
    },
    /// Bytes are missing.
    Short,
    /// The length is indefinite, or has more than four bytes.
    Wrong,
}

/// The header that begins here.
#[inline]
#[must_use]
pub fn header(bytes: &[u8]) -> Header {
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

/// Values in a row: the bytes that are left of them.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a>(pub &'a [u8]);

impl<'a> Values<'a> {
    /// The next value: its tag, and as much of its contents as is there. `None` where there is no whole header.
    #[inline]
    pub fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let Header::Whole { tag, len, header } = header(self.0) else { return None };
        let rest = &self.0[header..];
        let (contents, rest) = rest.split_at(rest.len().min(len as usize));
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value, if it has this tag; else it stays.
    #[inline]
    pub fn tagged(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        Some(self.any()?.1)
    }

    /// The values within the next one, if it has this tag; else it stays.
    #[inline]
    pub fn within(&mut self, tag: u8) -> Option<Values<'a>> {
        self.tagged(tag).map(Values)
    }

    /// The values within the next one, a `SEQUENCE`.
    #[inline]
    pub fn sequence(&mut self) -> Option<Values<'a>> {
        self.within(SEQUENCE)
    }

    /// The next value, an `OCTET STRING`.
    #[inline]
    pub fn string(&mut self) -> Option<&'a [u8]> {
        self.tagged(STRING)
    }

    /// The number in the next value, which has this tag ([`INTEGER`], [`ENUMERATED`]) and one to four bytes.
    #[inline]
    pub fn i32(&mut self, tag: u8) -> Option<i32> {
        let contents = self.tagged(tag).filter(|contents| contents.len() <= 4)?;
        integer(contents).map(|number| number as i32)
    }

    /// The number in the next value, which has this tag and one to eight bytes.
    #[inline]
    pub fn i64(&mut self, tag: u8) -> Option<i64> {
        self.tagged(tag).and_then(integer)
    }
}

/// The number in the contents of an integer of one to eight bytes (X.690 §8.3).
#[inline]
#[must_use]
pub fn integer(contents: &[u8]) -> Option<i64> {
    if !(1..=8).contains(&contents.len()) {
        return None;
    }
    let sign = if contents[0] & 0x80 == 0 { 0 } else { -1 };
    Some(contents.iter().fold(sign, |number, &digit| number << 8 | i64::from(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_short_and_long_lengths() {
        let whole = |len, header| Header::Whole { tag: 0x30, len, header };
        assert_eq!(header(b"\x30\x7f"), whole(127, 2));
        assert_eq!(header(b"\x30\x84\0\0\x01\0"), whole(256, 6));
        assert_eq!(header(b"\x30\x84\xff\xff\xff\xff"), whole(u32::MAX, MAX_HEADER));
        assert_eq!((header(b""), header(b"\x30")), (Header::Short, Header::Short));
        assert_eq!(header(b"\x30\x82\x01"), Header::Short);
        assert_eq!((header(b"\x30\x80"), header(b"\x30\x85")), (Header::Wrong, Header::Wrong));
    }

    #[test]
    fn values_are_never_more_than_what_is_there() {
        let check = |bytes: &[u8], expected: Option<(u8, &[u8])>| {
            assert_eq!(Values(bytes).any(), expected, "{bytes:?}");
        };
        check(b"\x04\x02abc", Some((4, b"ab")));
        check(b"\x04\x82\0\x02abc", Some((4, b"ab")));
        check(b"\x04\x84\xff\xff\xff\xffabc", Some((4, b"abc")));
        check(b"\x04\x7fabc", Some((4, b"abc")));
        check(b"\x04\x85\0\0\0\0\x01abc", None);
        check(b"\x04\x80abc", None);
        check(b"\x04\x82\0", None);
        check(b"\x04", None);
        check(b"", None);
    }

    #[test]
    fn integers_have_a_sign_and_a_size() {
        assert_eq!(integer(&[0x7f]), Some(127));
        assert_eq!(integer(&[0xff, 0x85]), Some(-123));
        assert_eq!(integer(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!((integer(&[]), integer(&[0; 9])), (None, None));
        let values = Values(b"\x02\x05\0\0\0\0\x01");
        assert_eq!(({ values }.i32(INTEGER), { values }.i64(INTEGER)), (None, Some(1)));
        assert_eq!(Values(b"\x02\x04\x80\0\0\0").i32(INTEGER), Some(i32::MIN));
        assert_eq!(Values(b"\x02\0").i32(INTEGER), None);
    }

    #[test]
    fn a_value_of_another_tag_stays() {
        let mut values = Values(b"\x0a\x01\xff\x04\x01a\x30\x00");
        assert_eq!((values.string(), values.i32(ENUMERATED)), (None, Some(-1)));
        assert_eq!((values.string(), values.string()), (Some(&b"a"[..]), None));
        assert_eq!((values.within(0xa0).is_none(), values.sequence().is_some()), (true, true));
    }
}
