//! What first bytes say.

use flowscope_ber::{Header, INTEGER, SEQUENCE, header};
use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::read::kind_of;

/// Bytes of the length before a message over TCP (RFC 4120 §7.2.2).
pub(crate) const LENGTH: usize = 4;
/// The longest message that is believed of a flow that is not known yet.
const MAX_FIRST: u32 = 1 << 24;

/// Sure of a length with a message that fills it.
pub(crate) fn stream(start: &[u8]) -> Probe {
    let Some((len, message)) = start.split_first_chunk::<LENGTH>() else {
        return if start.first().is_some_and(|&first| first != 0) { No } else { Maybe };
    };
    match u32::from_be_bytes(*len) {
        0 | MAX_FIRST.. => No,
        len => {
            let message = &message[..message.len().min(len as usize)];
            probe(message, |whole| whole == u64::from(len))
        }
    }
}

/// Sure of a message that is as long as the datagram, or longer where it was cut.
pub(crate) fn datagram(payload: &[u8]) -> Probe {
    probe(payload, |whole| whole >= payload.len() as u64)
}

/// Judges the start of a message: its tag, a length that `fits`, a sequence, version 5, and the type that the tag says.
fn probe(start: &[u8], fits: impl FnOnce(u64) -> bool) -> Probe {
    let decided = (|| {
        let Some(&tag) = start.first() else { return Err(Maybe) };
        let kind = kind_of(tag).ok_or(No)?;
        let (len, elements) = value(start, tag)?;
        if !fits((start.len() - elements.len()) as u64 + u64::from(len)) {
            return Err(No);
        }
        let (_, elements) = value(elements, SEQUENCE)?;
        let first = if matches!(kind.0, 10 | 12) { 0xa1 } else { 0xa0 };
        let (version, elements) = number(elements, first)?;
        if version != 5 {
            return Err(No);
        }
        let (named, _) = number(elements, first + 1)?;
        Ok(named == kind.0)
    })();
    match decided {
        Ok(true) => Yes,
        Ok(false) => No,
        Err(answer) => answer,
    }
}

/// The value with this tag that begins here: its length, and what follows its header.
fn value(bytes: &[u8], tag: u8) -> Result<(u32, &[u8]), Probe> {
    if bytes.first().is_some_and(|&first| first != tag) {
        return Err(No);
    }
    match header(bytes) {
        Header::Whole { len, header, .. } => Ok((len, &bytes[header..])),
        Header::Short => Err(Maybe),
        Header::Wrong => Err(No),
    }
}

/// The element with this tag, an integer of one byte, and what follows it.
fn number(bytes: &[u8], tag: u8) -> Result<(u8, &[u8]), Probe> {
    let (_, contents) = value(bytes, tag)?;
    let (len, digits) = value(contents, INTEGER)?;
    if len != 1 {
        return Err(No);
    }
    digits.split_first().map(|(&number, rest)| (number, rest)).ok_or(Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"\x6a\x0c\x30\x0a\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a";

    #[test]
    fn a_message_is_known_by_its_version_and_type() {
        let framed = [b"\0\0\0\x0e", REQUEST].concat();
        for len in 0..REQUEST.len() {
            assert_eq!(stream(&framed[..LENGTH + len]), Maybe, "{len}");
            assert_eq!(datagram(&REQUEST[..len]), Maybe, "{len}");
        }
        assert_eq!((stream(&framed), datagram(REQUEST)), (Yes, Yes));
        assert_eq!((stream(b""), stream(b"\0\0")), (Maybe, Maybe));
        // What follows a message is none of it.
        assert_eq!(stream(b"\0\0\0\x01\x6a\0\0"), Maybe);
    }

    #[test]
    fn what_contradicts_is_no_message() {
        for (at, byte) in [(0, 0x69), (0, 0x6b), (1, 0x0b), (2, 0x31), (8, 4), (13, 11), (7, 2)] {
            let mut bytes = REQUEST.to_vec();
            bytes[at] = byte;
            assert_eq!(datagram(&bytes), No, "{at}");
            assert_eq!(stream(&[b"\0\0\0\x0e", &bytes[..]].concat()), No, "{at}");
        }
        assert_eq!(stream(&[b"\0\0\0\x0f", REQUEST].concat()), No);
        for text in [&b"GET / HTTP/1.1"[..], b"\0\0\0\0\0", b"\x01", b"\0\0\0\x05AAAAA"] {
            assert_eq!(stream(text), No, "{text:?}");
        }
    }
}
