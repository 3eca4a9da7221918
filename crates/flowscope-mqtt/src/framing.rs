//! Packets: a fixed header with the length of the rest (MQTT 5.0 §2.1).

use flowscope_core::ParseError;
use flowscope_lengths::{Head, Message};

use crate::wire::{Variable, variable};

/// Bytes of the longest fixed header.
pub(crate) const MAX_HEADER: usize = 5;
/// Bytes of a packet behind its fixed header that are kept; more are payload in most cases.
pub(crate) const MAX_KEPT: usize = 8192;

/// A packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Packet<'a> {
    /// Its type, and four flags.
    pub(crate) first: u8,
    /// Length of what follows the fixed header.
    pub(crate) len: u32,
    /// The first bytes of that.
    pub(crate) kept: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(crate) fn new(message: Message<'a>) -> Self {
        let first = message.header.first().copied().unwrap_or(0);
        Packet { first, len: message.len, kept: message.body }
    }

    pub(crate) const fn kind(&self) -> u8 {
        self.first >> 4
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.kept.len() == self.len as usize
    }
}

/// The fixed header that begins a packet.
pub(crate) fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
    let Some((_, rest)) = start.split_first() else { return Ok(None) };
    match variable(rest) {
        Variable::Whole { value, len } => Ok(Some(Head { len: 1 + len, body: value })),
        Variable::Short => Ok(None),
        Variable::TooLong => Err(ParseError::InvalidField("Remaining Length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_has_one_to_four_bytes() {
        assert_eq!(head(&[0xc0, 0]), Ok(Some(Head { len: 2, body: 0 })));
        assert_eq!(head(&[0x30, 0x80, 0x80, 1, 7]), Ok(Some(Head { len: 4, body: 16384 })));
        assert_eq!((head(&[]), head(&[0x30, 0x80, 0x80, 0x80])), (Ok(None), Ok(None)));
        let too_long = Err(ParseError::InvalidField("Remaining Length"));
        assert_eq!(head(&[0x30, 0x80, 0x80, 0x80, 0x80]), too_long);
    }
}
