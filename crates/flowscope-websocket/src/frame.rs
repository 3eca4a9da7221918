//! Frames from the bytes of one side (RFC 6455 §5.2).

use flowscope_core::ParseError;

use crate::WebsocketOpcode;

/// Longest header: two bytes, a length of eight, and a mask of four.
const MAX_HEADER: usize = 14;
/// Longest payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL: u64 = 125;

/// The header of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    /// Whether it is the last of its message.
    pub(crate) is_final: bool,
    pub(crate) is_compressed: bool,
    /// What begins with it; `None`: the message at hand goes on.
    pub(crate) opcode: Option<WebsocketOpcode>,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) len: u64,
}

/// What the bytes bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event<'a> {
    /// The header of a frame is whole.
    Begin(Frame),
    /// Bytes of the payload, masked if it is.
    Payload(&'a [u8]),
    /// The payload is over.
    End,
}

/// The frame of one side that is being received.
#[derive(Clone, Debug)]
pub(crate) enum Framing {
    Header { bytes: [u8; MAX_HEADER], len: usize },
    Payload { left: u64 },
}

impl Default for Framing {
    fn default() -> Self {
        Framing::Header { bytes: [0; MAX_HEADER], len: 0 }
    }
}

impl Framing {
    /// Reads on until something is complete; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// What makes an endpoint fail the connection (RFC 6455 §5.2, §5.5).
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, ParseError> {
        match self {
            Framing::Header { bytes: header, len } => loop {
                let needed = header_len(&header[..*len]);
                if let Some(needed) = needed
                    && needed == *len
                {
                    let frame = frame(&header[..needed])?;
                    *self = Framing::Payload { left: frame.len };
                    return Ok(Some(Event::Begin(frame)));
                }
                let part = take(bytes, needed.unwrap_or(2) - *len);
                if part.is_empty() {
                    return Ok(None);
                }
                header[*len..*len + part.len()].copy_from_slice(part);
                *len += part.len();
            },
            Framing::Payload { left: 0 } => {
                *self = Framing::default();
                Ok(Some(Event::End))
            }
            Framing::Payload { .. } if bytes.is_empty() => Ok(None),
            Framing::Payload { left } => {
                let part = take(bytes, usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= part.len() as u64;
                Ok(Some(Event::Payload(part)))
            }
        }
    }

    /// Passes over `len` bytes that were not captured; returns whether they are of the payload at hand. If not, it is not known
    /// where the next frame begins.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        match self {
            Framing::Payload { left } if *left >= len => {
                *left -= len;
                true
            }
            _ => false,
        }
    }
}

/// The length of a header that begins so, once two bytes say it.
fn header_len(header: &[u8]) -> Option<usize> {
    let &[_, second, ..] = header else { return None };
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    Some(2 + length + if second & 0x80 != 0 { 4 } else { 0 })
}

/// The frame of a whole header.
fn frame(header: &[u8]) -> Result<Frame, ParseError> {
    let invalid = |field| Err(ParseError::InvalidField(field));
    let &[first, second, ref rest @ ..] = header else { return invalid("header") };
    let opcode = match first & 0x0f {
        0 => None,
        1 => Some(WebsocketOpcode::Text),
        2 => Some(WebsocketOpcode::Binary),
        8 => Some(WebsocketOpcode::Close),
        9 => Some(WebsocketOpcode::Ping),
        10 => Some(WebsocketOpcode::Pong),
        _ => return invalid("opcode"),
    };
    let (is_final, rsv) = (first & 0x80 != 0, first & 0x70);
    // No extension that is in use has another bit, or RSV1 where no message begins (RFC 7692 §6).
    let begins = opcode.is_some_and(|opcode| !opcode.is_control());
    if rsv & 0x30 != 0 || rsv != 0 && !begins {
        return invalid("RSV");
    }
    let is_masked = second & 0x80 != 0;
    let (length, mask) = rest.split_at(rest.len() - if is_masked { 4 } else { 0 });
    let len = match length {
        [] => u64::from(second & 0x7f),
        _ => length.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
    };
    // The first bit of eight bytes is 0.
    if len > i64::MAX as u64 {
        return invalid("Payload length");
    }
    if opcode.is_some_and(WebsocketOpcode::is_control) && (!is_final || len > MAX_CONTROL) {
        return invalid("control frame");
    }
    Ok(Frame { is_final, is_compressed: rsv != 0, opcode, mask: mask.try_into().ok(), len })
}

/// Whether a frame may begin so.
pub(crate) fn may_begin(start: &[u8]) -> bool {
    let Some(needed) = header_len(start) else {
        // What the first byte says is valid or not whatever the length is.
        return start.first().is_none_or(|first| frame(&[*first, 0]).is_ok());
    };
    match start.get(..needed) {
        Some(header) => frame(header).is_ok(),
        None => {
            let mut header = [0; MAX_HEADER];
            header[..start.len()].copy_from_slice(start);
            frame(&header[..needed]).is_ok()
        }
    }
}

/// The first bytes, `most` of them or fewer.
fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(bytes.len().min(most));
    *bytes = rest;
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &[u8], expected: Result<(bool, u64, bool), &'static str>) {
        let mut bytes = header;
        let found = match Framing::default().next(&mut bytes) {
            Ok(Some(Event::Begin(frame))) => Ok((frame.is_final, frame.len, frame.mask.is_some())),
            Err(ParseError::InvalidField(field)) => Err(field),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{header:x?}");
        assert_eq!(may_begin(header), expected.is_ok(), "{header:x?}");
    }

    #[test]
    fn headers_have_lengths_of_three_sizes_and_masks() {
        check(b"\x81\x05", Ok((true, 5, false)));
        check(b"\x02\x85abcd", Ok((false, 5, true)));
        check(b"\x82\x7e\x01\0", Ok((true, 256, false)));
        check(b"\x82\xfe\x01\0abcd", Ok((true, 256, true)));
        check(b"\x82\x7f\0\0\0\0\0\x01\0\0", Ok((true, 65_536, false)));
        check(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", Ok((true, i64::MAX as u64, false)));
    }

    #[test]
    fn headers_that_fail_the_connection_are_errors() {
        check(b"\x82\x7f\x80\0\0\0\0\0\0\0", Err("Payload length"));
        check(b"\x83\0", Err("opcode"));
        check(b"\x8f\0", Err("opcode"));
        check(b"\xa1\0", Err("RSV"));
        check(b"\x91\0", Err("RSV"));
        check(b"\xc0\0", Err("RSV"));
        check(b"\xc9\0", Err("RSV"));
        check(b"\x09\0", Err("control frame"));
        check(b"\x88\x7e\0\x7e", Err("control frame"));
        check(b"\xc1\0", Ok((true, 0, false)));
    }

    #[test]
    fn a_start_is_judged_as_soon_as_it_can_be() {
        for start in [&b""[..], b"\x81", b"\x81\xfe", b"\x82\x7f\0\0", b"\x88\x82ab"] {
            assert!(may_begin(start), "{start:x?}");
        }
        for start in [&b"C"[..], b"\x88\x7e\x01", b"\x82\x7f\xff", b"\xff"] {
            assert!(!may_begin(start), "{start:x?}");
        }
    }
}
