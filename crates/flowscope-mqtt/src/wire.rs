//! Fields on the wire (MQTT 5.0 §1.5).

/// What is read of a packet: the bytes that are left of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*first))
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A string or binary data: its length in two bytes, and its bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.bytes(len.into())
    }

    /// A variable byte integer.
    pub(crate) fn variable(&mut self) -> Option<usize> {
        match variable(self.0) {
            Variable::Whole { value, len } => {
                self.bytes(len)?;
                Some(value as usize)
            }
            Variable::Short | Variable::TooLong => None,
        }
    }

    /// Properties: their length, and what they are.
    pub(crate) fn properties(&mut self) -> Option<&'a [u8]> {
        let len = self.variable()?;
        self.bytes(len)
    }
}

/// A variable byte integer at the start of some bytes (§1.5.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Variable {
    /// Its value, and how many bytes it takes.
    Whole { value: u32, len: usize },
    /// Bytes are missing.
    Short,
    /// It has more than four bytes.
    TooLong,
}

/// The variable byte integer that begins here.
pub(crate) fn variable(bytes: &[u8]) -> Variable {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(4) {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Variable::Whole { value, len: at + 1 };
        }
    }
    if bytes.len() < 4 { Variable::Short } else { Variable::TooLong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_to_four_bytes() {
        let check = |bytes: &[u8], expected| assert_eq!(variable(bytes), expected, "{bytes:?}");
        check(&[0], Variable::Whole { value: 0, len: 1 });
        check(&[0xc1, 2, 9], Variable::Whole { value: 321, len: 2 });
        check(&[0xff, 0xff, 0xff, 0x7f], Variable::Whole { value: 268_435_455, len: 4 });
        check(&[0xff, 0xff, 0xff], Variable::Short);
        check(&[0xff, 0xff, 0xff, 0xff, 1], Variable::TooLong);
        check(&[], Variable::Short);
    }

    #[test]
    fn fields_end_with_the_bytes() {
        let mut fields = Fields(b"\0\x02ab\x07\0\x05x");
        assert_eq!(fields.string(), Some(&b"ab"[..]));
        assert_eq!(fields.u8(), Some(7));
        assert_eq!((fields.string(), fields.0), (None, &b"x"[..]));
        assert_eq!((fields.u16(), fields.properties()), (None, None));
    }
}
