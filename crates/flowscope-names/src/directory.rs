//! Directories and logins: messages in ASN.1.

use crate::answer::Answer::{self, Maybe, No};

use crate::shape::{be, framed, sure_if};

/// A value in BER or DER whose header is at the start of these bytes.
struct Value<'a> {
    tag: u8,
    len: usize,
    /// What there is of it, and of what follows it.
    rest: &'a [u8],
}

/// The value that begins here; the error is what is to be answered.
fn value(bytes: &[u8]) -> Result<Value<'_>, Answer> {
    let (&[tag, first], rest) = bytes.split_first_chunk().ok_or(Maybe)?;
    if first < 0x80 {
        return Ok(Value { tag, len: usize::from(first), rest });
    }
    let octets = usize::from(first & 0x7f);
    if !(1..=4).contains(&octets) {
        return Err(No);
    }
    let (_, behind) = rest.split_at_checked(octets).ok_or(Maybe)?;
    Ok(Value { tag, len: be(rest, 0, octets), rest: behind })
}

/// The value with this tag that begins here.
fn tagged(bytes: &[u8], tag: u8) -> Result<Value<'_>, Answer> {
    if bytes.first().is_some_and(|&first| first != tag) {
        return Err(No);
    }
    value(bytes)
}

/// The integer of at most four bytes that begins here, and what follows it.
fn integer(bytes: &[u8]) -> Result<(usize, &[u8]), Answer> {
    let Value { len, rest, .. } = tagged(bytes, 2)?;
    if !(1..=4).contains(&len) {
        return Err(No);
    }
    let (_, behind) = rest.split_at_checked(len).ok_or(Maybe)?;
    Ok((be(rest, 0, len), behind))
}

fn answer(decided: Result<bool, Answer>) -> Answer {
    decided.map_or_else(|answer| answer, sure_if)
}

/// A Kerberos message (RFC 4120 §5.4 to §5.9): its application tag, a sequence, version 5, and the message type that
/// the tag says.
pub(crate) fn kerberos(bytes: &[u8], _: usize) -> Answer {
    answer((|| {
        let Value { tag, rest, .. } = match bytes.first() {
            Some(0x6a..=0x6f | 0x74 | 0x75 | 0x7e) => value(bytes)?,
            Some(_) => return Err(No),
            None => return Err(Maybe),
        };
        let Value { rest, .. } = tagged(rest, 0x30)?;
        // Requests have no element 0.
        let first = if matches!(tag, 0x6a | 0x6c) { 0xa1 } else { 0xa0 };
        let Value { rest, .. } = tagged(rest, first)?;
        let (version, rest) = integer(rest)?;
        let Value { rest, .. } = tagged(rest, first + 1)?;
        let (message, _) = integer(rest)?;
        Ok(version == 5 && message == usize::from(tag & 0x1f))
    })())
}

/// The same over TCP, behind a length.
pub(crate) fn kerberos_stream(start: &[u8]) -> Answer {
    if start.first().is_some_and(|&first| first != 0) {
        return No;
    }
    framed(start, 4, kerberos)
}
