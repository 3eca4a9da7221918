//! Frames from the bytes of one side (RFC 9113 §4.1).

use flowscope_core::ParseError;

/// What a client sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113 §6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Length of the header of a frame.
pub(crate) const HEADER: usize = 9;
/// Longest part of a payload that is read as a whole: that of GOAWAY.
const PREFIX: usize = 8;

const ACK: u8 = 0x01;
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const HAS_PRIORITY: u8 = 0x20;

/// A frame, without its body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    /// Length of the payload.
    len: u32,
    /// The first numbers of the payload, where the type has some: the promised stream, the error of a reset, or the last
    /// stream and the error of GOAWAY.
    pub(crate) numbers: [u32; 2],
}

/// What the bytes bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event<'a> {
    /// The preface of a client is whole.
    Preface,
    /// A frame begins.
    Begin(Frame),
    /// Bytes of its body: a payload without padding and what stands in front.
    Body(&'a [u8]),
    /// Its body is over.
    End,
}

/// The frame of one side that is being received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    state: State,
    /// Whether the first frame was seen, which has to be SETTINGS (RFC 9113 §3.4).
    has_begun: bool,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Start,
    /// So many bytes of the preface.
    Preface(usize),
    Header {
        bytes: [u8; HEADER],
        len: usize,
    },
    /// What stands in front of the body.
    Prefix {
        frame: Frame,
        bytes: [u8; PREFIX],
        len: usize,
    },
    Body {
        left: u32,
        padding: u32,
    },
    Padding(u32),
}

impl Framing {
    /// Reads on until something is complete; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// What makes an endpoint close the connection. [`ParseError::NotTheProtocol`] up to the first frame.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, ParseError> {
        loop {
            match &mut self.state {
                State::Start => match bytes.first() {
                    None => return Ok(None),
                    Some(b'P') => self.state = State::Preface(0),
                    Some(_) => self.state = State::HEADER,
                },
                State::Preface(len) => {
                    let part = take(bytes, PREFACE.len() - *len);
                    if !PREFACE[*len..].starts_with(part) {
                        return Err(ParseError::NotTheProtocol);
                    }
                    *len += part.len();
                    if *len < PREFACE.len() {
                        return Ok(None);
                    }
                    self.state = State::HEADER;
                    return Ok(Some(Event::Preface));
                }
                State::Header { bytes: header, len } => {
                    let part = take(bytes, HEADER - *len);
                    header[*len..*len + part.len()].copy_from_slice(part);
                    *len += part.len();
                    if *len < HEADER {
                        return Ok(None);
                    }
                    let frame = Frame::of(header);
                    let checked = frame.check();
                    if !self.has_begun
                        && (frame.kind != SETTINGS || frame.has(ACK) || checked.is_err())
                    {
                        return Err(ParseError::NotTheProtocol);
                    }
                    checked?;
                    self.has_begun = true;
                    self.state = State::Prefix { frame, bytes: [0; PREFIX], len: 0 };
                }
                State::Prefix { frame, bytes: prefix, len } => {
                    let prefix_len = frame.prefix_len();
                    let part = take(bytes, prefix_len - *len);
                    prefix[*len..*len + part.len()].copy_from_slice(part);
                    *len += part.len();
                    if *len < prefix_len {
                        return Ok(None);
                    }
                    let (frame, left, padding) = frame.body(*prefix)?;
                    self.state = State::Body { left, padding };
                    return Ok(Some(Event::Begin(frame)));
                }
                State::Body { left: 0, padding } => {
                    self.state = State::Padding(*padding);
                    return Ok(Some(Event::End));
                }
                State::Body { .. } if bytes.is_empty() => return Ok(None),
                State::Body { left, .. } => {
                    let part = take(bytes, *left as usize);
                    *left -= part.len() as u32;
                    return Ok(Some(Event::Body(part)));
                }
                State::Padding(0) => self.state = State::HEADER,
                State::Padding(_) if bytes.is_empty() => return Ok(None),
                State::Padding(left) => *left -= take(bytes, *left as usize).len() as u32,
            }
        }
    }

    /// Passes over `len` bytes that were not captured. Gives how many of them are of the body at hand; `None` if it is not known
    /// any more where the next frame begins.
    pub(crate) fn skip(&mut self, len: u64) -> Option<u64> {
        let mut missing = 0;
        let (left, padding) = match &mut self.state {
            State::Body { left, padding } => (Some(left), padding),
            State::Padding(padding) => (None, padding),
            _ => return None,
        };
        let body = left.as_deref().copied().unwrap_or(0);
        if len > u64::from(body) + u64::from(*padding) {
            return None;
        }
        if let Some(left) = left {
            missing = len.min(u64::from(*left));
            *left -= missing as u32;
        }
        *padding -= (len - missing) as u32;
        Some(missing)
    }
}

impl State {
    const HEADER: State = State::Header { bytes: [0; HEADER], len: 0 };
}

impl Frame {
    /// The header of a frame.
    pub(crate) fn of(header: &[u8; HEADER]) -> Frame {
        let [a, b, c, kind, flags, stream @ ..] = *header;
        Frame {
            kind,
            flags,
            // The first bit is reserved, and has no meaning.
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
            len: u32::from_be_bytes([0, a, b, c]),
            numbers: [0; 2],
        }
    }

    /// Length of its payload in bytes.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it is the last of its side of the stream.
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.has(END_STREAM)
    }

    /// Whether its header block goes on in no other frame.
    pub(crate) fn ends_headers(&self) -> bool {
        self.has(END_HEADERS)
    }

    /// Whether it has the stream and the length of its type (RFC 9113 §6).
    pub(crate) fn check(&self) -> Result<(), ParseError> {
        let is_of_stream = match self.kind {
            DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION => true,
            SETTINGS | PING | GOAWAY => false,
            _ => self.stream != 0,
        };
        if is_of_stream != (self.stream != 0) {
            return Err(ParseError::InvalidField("Stream Identifier"));
        }
        let is_length = match self.kind {
            RST_STREAM | WINDOW_UPDATE => self.len == 4,
            SETTINGS => self.len.is_multiple_of(6) && (self.len == 0 || !self.has(ACK)),
            PING => self.len == 8,
            GOAWAY => self.len >= 8,
            _ => self.prefix_len() <= self.len as usize,
        };
        if is_length { Ok(()) } else { Err(ParseError::InvalidField("Length")) }
    }

    /// Whether it has padding, whose length comes first (RFC 9113 §6.1).
    fn is_padded(&self) -> bool {
        matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) && self.has(PADDED)
    }

    /// How many bytes stand in front of its body.
    fn prefix_len(&self) -> usize {
        let rest = match self.kind {
            HEADERS if self.has(HAS_PRIORITY) => 5,
            PUSH_PROMISE | RST_STREAM => 4,
            GOAWAY => 8,
            _ => 0,
        };
        usize::from(self.is_padded()) + rest
    }

    /// The frame with its numbers, and the lengths of body and padding.
    fn body(mut self, prefix: [u8; PREFIX]) -> Result<(Frame, u32, u32), ParseError> {
        let [first, rest @ ..] = prefix;
        let (padding, numbers) = if self.is_padded() {
            let [a, b, c, d, ..] = rest;
            (u32::from(first), [u32::from_be_bytes([a, b, c, d]), 0])
        } else {
            let [a, b, c, d, e, f, g, h] = prefix;
            (0, [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])])
        };
        self.numbers = numbers;
        let rest = self.len - self.prefix_len() as u32;
        let body = rest.checked_sub(padding).ok_or(ParseError::InvalidField("Pad Length"))?;
        Ok((self, body, padding))
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

    /// What the bytes bring behind a SETTINGS frame, fed at once.
    fn events(mut bytes: &[u8]) -> Result<Vec<Event<'_>>, ParseError> {
        let mut framing = Framing { state: State::HEADER, has_begun: true };
        let mut events = Vec::new();
        while let Some(event) = framing.next(&mut bytes)? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn padding_and_priority_are_no_body() {
        let headers = b"\0\0\x09\x01\x2d\0\0\0\x05\x02\x80\0\0\x03\xff\x82\xaa\xaa";
        let found = events(headers).unwrap();
        let [Event::Begin(frame), Event::Body(b"\x82"), Event::End] = found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((frame.kind, frame.stream), (HEADERS, 5));
        assert!(frame.ends_stream() && frame.ends_headers());
        let goaway = events(b"\0\0\x09\x07\0\0\0\0\0\0\0\0\x07\0\0\0\x0bx").unwrap();
        let [Event::Begin(Frame { numbers: [7, 11], .. }), Event::Body(b"x"), Event::End] =
            goaway[..]
        else {
            panic!("{goaway:?}")
        };
        // The bit that is reserved; a type that is not known; nothing behind the header.
        assert_eq!(events(b"\0\0\x01\xfa\xff\x80\0\0\x01x").unwrap().len(), 3);
        assert_eq!(events(b"\0\0\0\0\0\0\0\0\x01").unwrap().len(), 2);
    }

    #[test]
    fn frames_that_close_the_connection_are_errors() {
        for frame in [
            // DATA and SETTINGS of the wrong stream, padding that is longer than the rest.
            &b"\0\0\x01\0\0\0\0\0\0x"[..],
            b"\0\0\0\x04\0\0\0\0\x01",
            b"\0\0\x02\0\x08\0\0\0\x01\x02x",
            b"\0\0\x06\x01\x2c\0\0\0\x01\x01\0\0\0\0\0",
            // Lengths: no place for that of the padding, a reset, settings, their acknowledgement, a ping, the end.
            b"\0\0\0\0\x08\0\0\0\x01",
            b"\0\0\x05\x03\0\0\0\0\x01",
            b"\0\0\x05\x04\0\0\0\0\0",
            b"\0\0\x06\x04\x01\0\0\0\0",
            b"\0\0\x07\x06\0\0\0\0\0",
            b"\0\0\x07\x07\0\0\0\0\0",
            b"\0\0\x03\x05\x04\0\0\0\x01",
        ] {
            assert!(events(frame).is_err(), "{frame:x?}");
        }
    }

    #[test]
    fn bytes_that_are_missing_are_passed_over_within_a_frame_alone() {
        let mut framing = Framing { state: State::HEADER, has_begun: true };
        let mut padded = &b"\0\0\x0a\0\x08\0\0\0\x01\x03ab"[..];
        while framing.next(&mut padded).unwrap().is_some() {}
        assert_eq!(framing.clone().skip(3), Some(3));
        assert_eq!(framing.clone().skip(7), Some(4));
        assert_eq!(framing.clone().skip(8), None);
        assert_eq!(framing.skip(5), Some(4));
        let mut next = &b"xx\0\0\0\0\0\0\0\0\x03"[..];
        assert_eq!(framing.next(&mut next), Ok(Some(Event::End)));
        let Ok(Some(Event::Begin(Frame { stream: 3, .. }))) = framing.next(&mut next) else {
            panic!("the next frame begins behind the padding")
        };
        assert_eq!(Framing { state: State::HEADER, has_begun: true }.skip(1), None);
    }
}
