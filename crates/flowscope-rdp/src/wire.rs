//! Messages on the wire: [MS-RDPBCGR] §2.2.1.1 and §2.2.1.2, in TPKT (RFC 1006 §6) and X.224 (§13.3).

use flowscope_core::{ParseError, Probe};

use crate::{RdpFailure, RdpSecurity, RdpStart};

/// TPKT, and the fixed part of a request or a confirmation.
pub(crate) const HEADER: usize = 11;
const REQUEST: u8 = 0xe0;
const CONFIRM: u8 = 0xd0;
/// Bytes of a negotiation: type, flags, length, and a number.
const NEGOTIATION: usize = 8;

/// Length of the message that begins here, once its first five bytes are there.
pub(crate) fn message_len(start: &[u8]) -> Result<Option<usize>, ParseError> {
    let Some(&[version, reserved, high, low, rest]) = start.first_chunk() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    // The length of what follows the length indicator is given twice.
    if (version, reserved) != (3, 0) || len != usize::from(rest) + 5 || len < HEADER {
        return Err(ParseError::NotTheProtocol);
    }
    Ok(Some(len))
}

/// The client's request.
pub(crate) fn request(message: &[u8], start: &mut RdpStart) -> Result<(), ParseError> {
    let mut rest = variable(message, REQUEST)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    if let Some(end) = end.filter(|_| !rest.starts_with(&[1])) {
        let line = &rest[..end];
        let value = |name: &[u8]| line.strip_prefix(name).map(<[u8]>::to_vec);
        start.routing_token = value(b"Cookie: msts=");
        // Some clients leave out the first word.
        start.cookie = value(b"Cookie: mstshash=").or_else(|| value(b"mstshash="));
        rest = &rest[end + 2..];
    }
    if let Some((1, flags, number)) = negotiation(rest) {
        start.requested = Some(number);
        start.restricted_admin = flags & 3 != 0;
    }
    Ok(())
}

/// The server's confirmation.
pub(crate) fn confirm(message: &[u8], start: &mut RdpStart) -> Result<(), ParseError> {
    let rest = variable(message, CONFIRM)?;
    start.is_answered = true;
    match negotiation(rest) {
        Some((2, _, number)) => start.selected = Some(RdpSecurity(number)),
        Some((3, _, number)) => start.failure = Some(RdpFailure(number)),
        _ => start.selected = Some(RdpSecurity::RDP),
    }
    Ok(())
}

/// The part of a message of this type that varies.
fn variable(message: &[u8], kind: u8) -> Result<&[u8], ParseError> {
    match message {
        [_, _, _, _, _, first, _, _, _, _, 0, rest @ ..] if *first == kind => Ok(rest),
        _ => Err(ParseError::NotTheProtocol),
    }
}

/// Type, flags and number of a negotiation.
fn negotiation(bytes: &[u8]) -> Option<(u8, u8, u32)> {
    let &[kind, flags, 8, 0, a, b, c, d] = bytes.first_chunk::<NEGOTIATION>()? else { return None };
    Some((kind, flags, u32::from_le_bytes([a, b, c, d])))
}

/// Sure of a request with a cookie or a negotiation, and of a confirmation with one. Without them it is ISO transport,
/// which others use too.
pub(crate) fn probe(start: &[u8]) -> Probe {
    let header = [Some(3), Some(0), None, None, None, None, None, None, None, None, Some(0)];
    let fits = |(&byte, known): (&u8, &Option<u8>)| known.is_none_or(|known| known == byte);
    let kind = start.get(5).copied();
    if !start.iter().zip(&header).all(fits)
        || kind.is_some_and(|kind| kind != REQUEST && kind != CONFIRM)
    {
        return Probe::No;
    }
    let len = match message_len(start) {
        Ok(Some(len)) => len,
        Ok(None) => return Probe::Maybe,
        Err(_) => return Probe::No,
    };
    let rest = start.get(HEADER..).unwrap_or_default();
    if len == HEADER || rest.is_empty() {
        return Probe::Maybe;
    }
    if kind == Some(CONFIRM) {
        return match rest {
            [2 | 3] | [2 | 3, _] | [2 | 3, _, 8] if len == HEADER + NEGOTIATION => Probe::Maybe,
            [2 | 3, _, 8, 0, ..] if len == HEADER + NEGOTIATION => Probe::Yes,
            _ => Probe::No,
        };
    }
    let words: [&[u8]; 3] = [b"Cookie: mstshash=", b"Cookie: msts=", b"mstshash="];
    if words.iter().any(|word| rest.starts_with(word)) {
        return Probe::Yes;
    }
    match rest {
        [1, 0..=15, 8, 0, ..] => Probe::Yes,
        [1] | [1, 0..=15] | [1, 0..=15, 8] => Probe::Maybe,
        _ if words.iter().any(|word| word.starts_with(rest)) => Probe::Maybe,
        _ => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rest: &[u8]) -> RdpStart {
        let len = rest.len() as u8 + 11;
        let head = [3, 0, 0, len, len - 5, REQUEST, 0, 0, 0, 0, 0];
        let mut start = RdpStart::default();
        request(&[&head[..], rest].concat(), &mut start).unwrap();
        start
    }

    #[test]
    fn requests_have_a_cookie_or_a_token_and_a_negotiation() {
        let start = read(b"mstshash=bob\r\n\x01\x01\x08\0\x0b\0\0\0");
        assert_eq!((start.cookie.as_deref(), start.requested), (Some(&b"bob"[..]), Some(11)));
        assert!(start.restricted_admin);
        let start = read(b"Cookie: msts=1.2.0\r\n");
        assert_eq!((start.routing_token.as_deref(), start.requested), (Some(&b"1.2.0"[..]), None));
        // 0x0d 0x0a within a negotiation is no end of a line.
        assert_eq!(read(b"\x01\0\x08\0\x0d\x0a\0\0").requested, Some(0x0a0d));
        assert_eq!(read(b""), RdpStart::default());
        assert_eq!(read(b"\x01\0\x09\0\0\0\0\0"), RdpStart::default());
    }

    #[test]
    fn lengths_are_told_twice() {
        assert_eq!(message_len(b"\x03\0\0\x0b"), Ok(None));
        assert_eq!(message_len(b"\x03\0\0\x0b\x06"), Ok(Some(11)));
        for wrong in
            [b"\x03\0\0\x0c\x06", b"\x02\0\0\x0b\x06", b"\x03\0\0\x0a\x05", b"\x03\0\x01\x0b\x06"]
        {
            assert_eq!(message_len(wrong), Err(ParseError::NotTheProtocol));
        }
    }

    #[test]
    fn iso_transport_alone_says_little() {
        let check = |start: &[u8], expected| assert_eq!(probe(start), expected, "{start:?}");
        check(b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0", Probe::Maybe);
        check(b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstsh", Probe::Maybe);
        check(b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=a", Probe::Yes);
        check(b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0", Probe::Yes);
        check(b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0", Probe::Yes);
        check(b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x04", Probe::No);
        // S7 names the places of both ends instead.
        check(b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a", Probe::No);
        check(b"\x03\0\0\x13\x0e\xf0", Probe::No);
        check(b"\x16\x03\x01", Probe::No);
    }
}
