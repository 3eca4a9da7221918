use std::fmt;

/// An object identifier, as it is encoded (X.690 §8.19). Displays its numbers between dots.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SnmpOid(Vec<u8>);

/// Bytes of an identifier that are kept: the longest in use have 128 numbers (RFC 2578 §3.5), most of one byte.
const MAX_BYTES: usize = 192;

impl SnmpOid {
    /// The identifier with these contents; `None` if they are none, or longer than 192 bytes.
    pub(crate) fn new(contents: &[u8]) -> Option<Self> {
        let is_whole = contents.last().is_some_and(|last| last & 0x80 == 0);
        let is_oid =
            is_whole && contents.len() <= MAX_BYTES && numbers(contents).all(|it| it.is_some());
        is_oid.then(|| SnmpOid(contents.to_vec()))
    }

    /// The encoded form, without tag and length.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The numbers in the contents; `None` for one that is more than 32 bits long (RFC 2578 §3.5).
fn numbers(contents: &[u8]) -> impl Iterator<Item = Option<u32>> {
    contents.split_inclusive(|byte| byte & 0x80 == 0).map(|digits| {
        digits.iter().try_fold(0_u32, |number, digit| {
            Some(number.checked_mul(128)? | u32::from(digit & 0x7f))
        })
    })
}

impl fmt::Display for SnmpOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = numbers(&self.0).flatten();
        // The first two are one number (X.690 §8.19.4).
        let first = numbers.next().unwrap_or(0);
        let root = (first / 40).min(2);
        write!(f, "{root}.{}", first - 40 * root)?;
        numbers.try_for_each(|number| write!(f, ".{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_numbers_between_dots() {
        let check = |contents: &[u8], expected: Option<&str>| {
            let shown = SnmpOid::new(contents).map(|oid| oid.to_string());
            assert_eq!(shown.as_deref(), expected, "{contents:?}");
        };
        check(&[0x2b, 6, 1, 4, 1, 0xbf, 8], Some("1.3.6.1.4.1.8072"));
        check(&[0], Some("0.0"));
        check(&[0x88, 0x37, 3], Some("2.999.3"));
        check(&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f], Some("1.3.4294967295"));
        check(&[0x2b, 0x90, 0x80, 0x80, 0x80, 0], None);
        check(&[0x2b, 0x86], None);
        check(&[], None);
        check(&[1; MAX_BYTES + 1], None);
    }
}
