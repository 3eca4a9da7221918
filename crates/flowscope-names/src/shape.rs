//! Headers of binary protocols, byte by byte.

use crate::answer::Answer;

/// What one byte of a header may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Byte {
    /// Anything.
    Any,
    /// This value.
    Is(u8),
    /// One of these values.
    In(&'static [u8]),
    /// From the first to the last, both included.
    From(u8, u8),
}

impl Byte {
    fn allows(self, byte: u8) -> bool {
        match self {
            Byte::Any => true,
            Byte::Is(value) => byte == value,
            Byte::In(values) => values.contains(&byte),
            Byte::From(first, last) => first <= byte && byte <= last,
        }
    }
}

/// Whether `start` begins with this header; `then` decides where it does.
pub(crate) fn header(start: &[u8], shape: &[Byte], then: impl FnOnce(&[u8]) -> Answer) -> Answer {
    if !start.iter().zip(shape).all(|(&byte, allowed)| allowed.allows(byte)) {
        Answer::No
    } else if start.len() < shape.len() {
        Answer::Maybe
    } else {
        then(start)
    }
}

/// Yes or no.
pub(crate) fn sure_if(holds: bool) -> Answer {
    if holds { Answer::Yes } else { Answer::No }
}

/// Bytes in network order as a number; those that are missing are 0.
pub(crate) fn be(bytes: &[u8], at: usize, len: usize) -> usize {
    let number = |value: usize, offset| {
        value << 8 | usize::from(bytes.get(at + offset).copied().unwrap_or_default())
    };
    (0..len).fold(0, number)
}

/// Bytes in reverse order as a number; those that are missing are 0.
pub(crate) fn le(bytes: &[u8], at: usize, len: usize) -> usize {
    let number = |value: usize, offset| {
        value << 8 | usize::from(bytes.get(at + offset).copied().unwrap_or_default())
    };
    (0..len).rev().fold(0, number)
}

/// Whether all of these bytes are there and 0.
pub(crate) fn zero(bytes: &[u8], at: usize, len: usize) -> bool {
    bytes.get(at..at + len).is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
}

/// The probe of a stream whose messages have their length before them, in `len` bytes of network order; `probe` is asked
/// about a message with as many bytes of it as there are, and its length.
pub(crate) fn framed(
    start: &[u8],
    len: usize,
    probe: impl FnOnce(&[u8], usize) -> Answer,
) -> Answer {
    if start.len() <= len { Answer::Maybe } else { probe(&start[len..], be(start, 0, len)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Byte::{Any, From, In, Is};

    #[test]
    fn a_header_is_ruled_out_by_its_first_wrong_byte() {
        let shape = [Is(1), Any, In(&[3, 5]), From(7, 9)];
        let check = |start: &[u8], expected| {
            assert_eq!(header(start, &shape, |_| Answer::Yes), expected, "{start:?}");
        };
        check(&[], Answer::Maybe);
        check(&[1, 0, 5], Answer::Maybe);
        check(&[2], Answer::No);
        check(&[1, 0, 4], Answer::No);
        check(&[1, 0, 3, 6], Answer::No);
        check(&[1, 0, 3, 8], Answer::Yes);
        check(&[1, 0, 3, 9, 0], Answer::Yes);
    }

    #[test]
    fn numbers_have_two_orders() {
        assert_eq!((be(&[0, 1, 2], 1, 2), le(&[0, 1, 2], 1, 2)), (0x102, 0x201));
        assert_eq!((be(&[1], 0, 2), le(&[1], 0, 2)), (0x100, 1));
        assert!(zero(&[0, 0], 0, 2) && !zero(&[0, 0], 1, 2) && !zero(&[0, 1], 0, 2));
    }
}
