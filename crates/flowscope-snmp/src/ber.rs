//! Values in BER (X.690 §8), as far as SNMP has them: definite lengths and tags of one byte.

/// What is left of some values in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a>(pub(crate) &'a [u8]);

impl<'a> Values<'a> {
    /// The next value: its tag, and as much of its contents as is there. `None` where there is none, or its length is
    /// none.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut len = usize::from(first);
        if first >= 0x80 {
            // No length is longer than a datagram; 0x80 is an indefinite one.
            let octets = usize::from(first & 0x7f);
            if !(1..=4).contains(&octets) {
                return None;
            }
            let (digits, behind) = rest.split_at_checked(octets)?;
            len = digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit));
            rest = behind;
        }
        let (contents, rest) = rest.split_at(len.min(rest.len()));
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

    /// The values within the next one, a `SEQUENCE`.
    pub(crate) fn sequence(&mut self) -> Option<Values<'a>> {
        self.tagged(SEQUENCE).map(Values)
    }

    /// The next value, an `INTEGER` of at most 64 bits.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        self.tagged(INTEGER).and_then(integer)
    }

    /// The next value, an `OCTET STRING`.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.tagged(STRING)
    }
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The number in the contents of an integer (X.690 §8.3).
pub(crate) fn integer(contents: &[u8]) -> Option<i64> {
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
    fn lengths_are_short_or_long_and_never_more_than_what_is_there() {
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
    fn integers_have_a_sign() {
        assert_eq!(integer(&[0x7f]), Some(127));
        assert_eq!(integer(&[0xff, 0x85]), Some(-123));
        assert_eq!(integer(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!((integer(&[]), integer(&[0; 9])), (None, None));
    }

    #[test]
    fn a_value_of_another_tag_stays() {
        let mut values = Values(b"\x02\x01\x05\x04\x01a");
        assert_eq!((values.string(), values.integer()), (None, Some(5)));
        assert_eq!((values.string(), values.string()), (Some(&b"a"[..]), None));
    }
}
