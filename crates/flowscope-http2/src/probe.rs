//! What first bytes say.

use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::frame::{self, Frame, HEADER, PREFACE};

/// Settings of a first frame at most.
const MAX_SETTINGS: usize = 32;
/// Length of a setting.
const SETTING: usize = 6;

/// Sure of the preface of a client, and of SETTINGS with a setting, or with another frame behind it.
pub(crate) fn probe(start: &[u8]) -> Probe {
    if start.first() == Some(&b'P') {
        return match start.len().min(PREFACE.len()) {
            len if start[..len] != PREFACE[..len] => No,
            len if len == PREFACE.len() => Yes,
            _ => Maybe,
        };
    }
    // SETTINGS of the connection, no acknowledgement: a length, and constant bytes.
    let constant = [0, frame::SETTINGS, 0, 0, 0, 0, 0];
    let at = [0, 3, 4, 5, 6, 7, 8];
    let is_constant = |(at, byte): (usize, u8)| start.get(at).is_none_or(|found| *found == byte);
    if !at.into_iter().zip(constant).all(is_constant) {
        return No;
    }
    let [_, high, low, ..] = *start else { return Maybe };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !len.is_multiple_of(SETTING) || len > MAX_SETTINGS * SETTING {
        return No;
    }
    let Some(body) = start.get(HEADER..) else { return Maybe };
    if len == 0 {
        return second(body);
    }
    match body.first_chunk() {
        Some(setting) if is_setting(*setting) => Yes,
        Some(_) => No,
        None => Maybe,
    }
}

/// What follows SETTINGS that are empty.
fn second(header: &[u8]) -> Probe {
    let Some(header) = header.first_chunk() else { return Maybe };
    let frame = Frame::of(header);
    let follows = matches!(
        frame.kind,
        frame::SETTINGS | frame::WINDOW_UPDATE | frame::PING | frame::GOAWAY | frame::HEADERS
    );
    if follows && frame.check().is_ok() && frame.len() <= MAX_FRAME { Yes } else { No }
}

/// Longest frame that may follow without being agreed on (RFC 9113 §4.2).
const MAX_FRAME: u32 = 1 << 14;

/// Whether a setting is one that is known, and has a value that it may have (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1), or is
/// reserved to be ignored (RFC 8701 has such ones).
fn is_setting([id_high, id_low, value @ ..]: [u8; SETTING]) -> bool {
    let value = u32::from_be_bytes(value);
    match u16::from_be_bytes([id_high, id_low]) {
        1 | 3 | 6 => true,
        2 | 8 | 9 => value <= 1,
        4 => value <= i32::MAX as u32,
        5 => (1 << 14..1 << 24).contains(&value),
        id => id & 0x0f0f == 0x0a0a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefaces_are_sure() {
        let check = |start: &[u8], expected| assert_eq!(probe(start), expected, "{start:x?}");
        check(b"P", Maybe);
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Maybe);
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Yes);
        check(b"PRI * HTTP/2.0\r\n\r\nS ", No);
        check(b"POST / HTTP/1.1\r\n", No);
        check(b"\0", Maybe);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0", Maybe);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", Yes);
        check(b"\0\0\x0c\x04\0\0\0\0\0\x3a\x3a\0\0\0\x64", Yes);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x02\0\0\0\x02", No);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\0\x02", No);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\0\0\0\0\0", No);
        // The largest values of some, and the next.
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x02\0\0\0\x01", Yes);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff", Yes);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x80\0\0\0", No);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\xff\xff\xff", Yes);
        check(b"\0\0\x06\x04\0\0\0\0\0\0\x05\x01\0\0\0", No);
        // Empty ones are sure with what follows them.
        check(b"\0\0\0\x04\0\0\0\0\0", Maybe);
        check(b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0", Maybe);
        check(b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0", Yes);
        check(b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\0\0\0\0\x01", No);
        check(b"\0\0\0\x04\0\0\0\0\0\0\x40\0\x01\x04\0\0\0\x01", Yes);
        check(b"\0\0\0\x04\0\0\0\0\0\0\x40\x01\x01\x04\0\0\0\x01", No);
        check(b"\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", No);
        // Their acknowledgement, another stream, other lengths, other frames, zeros.
        check(b"\0\0\0\x04\x01\0\0\0\0", No);
        check(b"\0\0\x06\x04\0\0\0\0\x01", No);
        check(b"\0\0\x07\x04", No);
        check(b"\0\x06\0\x04", No);
        check(b"\0\0\x04\x08\0", No);
        check(&[0; 40], No);
        check(b"\x16\x03\x01", No);
    }
}
