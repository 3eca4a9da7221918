//! Fields of messages: integers in little-endian order, and what an offset and a length name.

use flowscope_core::Timestamp;

/// Seconds from 1601, where a FILETIME begins, to 1970 ([MS-DTYP] §2.3.3).
const FILETIME_EPOCH: u64 = 11_644_473_600;
/// Units of a FILETIME in a second: 100 ns each.
const FILETIME_SECOND: u64 = 10_000_000;

/// The bytes at `at`, if they are all there.
pub(crate) fn array<const LEN: usize>(bytes: &[u8], at: usize) -> Option<[u8; LEN]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// `len` bytes from `at` on, or as many of them as are there: a message may have been cut. None where it begins beyond the end.
pub(crate) fn part(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    &rest[..rest.len().min(len)]
}

/// A FILETIME: 100 ns since 1601 in UTC. None if it is zero, before 1970 or beyond what a [`Timestamp`] holds.
pub(crate) fn filetime(bytes: &[u8], at: usize) -> Option<Timestamp> {
    let units = u64_at(bytes, at)?;
    let since = units.checked_sub(FILETIME_EPOCH * FILETIME_SECOND)?;
    since.checked_mul(100).map(Timestamp::from_nanos)
}

/// Text in UTF-16 as UTF-8, up to `max` bytes. Half a surrogate pair becomes U+FFFD.
pub(crate) fn utf16(bytes: &[u8], max: usize) -> Vec<u8> {
    let units = bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
    // As long as most of what is read, in ASCII.
    let mut text = String::with_capacity((bytes.len() / 2).min(max));
    for char in char::decode_utf16(units) {
        let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
        if text.len() + char.len_utf8() > max {
            break;
        }
        text.push(char);
    }
    text.shrink_to_fit();
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_a_bound_and_any_units() {
        assert_eq!(utf16(b"a\0\xdf\0\x3d\xd8\x00\xde", 64), "aß😀".as_bytes());
        assert_eq!(utf16(b"a\0b\0c", 64), b"ab");
        assert_eq!(utf16(b"a\0\x3d\xd8", 64), "a\u{fffd}".as_bytes());
        // A character is there or not.
        assert_eq!(utf16(b"a\0\xdf\0", 2), b"a");
        assert_eq!(utf16(&b"a\0".repeat(100), 8), b"aaaaaaaa");
        assert_eq!(utf16(b"", 8), b"");
    }

    #[test]
    fn parts_are_within_the_bytes() {
        assert_eq!(part(b"abc", 1, 1), b"b");
        assert_eq!(part(b"abc", 1, usize::MAX), b"bc");
        assert_eq!((part(b"abc", 3, 1), part(b"abc", usize::MAX, 1)), (&b""[..], &b""[..]));
        assert_eq!((u16_at(b"\x01\x02\x03", 1), u16_at(b"\x01", 0)), (Some(0x0302), None));
    }

    #[test]
    fn times_begin_in_1601() {
        let at = |units: u64| filetime(&units.to_le_bytes(), 0);
        assert_eq!(at(FILETIME_EPOCH * FILETIME_SECOND), Some(Timestamp::ZERO));
        assert_eq!(
            at(133_485_408_000_000_001),
            Some(Timestamp::from_nanos(1_704_067_200_000_000_100))
        );
        assert_eq!((at(0), at(1), at(u64::MAX)), (None, None, None));
    }
}
