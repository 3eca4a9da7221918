//! Messages from the bytes of a side: frames with their length in front, and messages that are chained within one.
//!
//! A frame is a message of a session of NetBIOS (RFC 1002 §4.3), of which SMB over TCP has the length alone
//! ([MS-SMB2] §2.1). What is chained is shown one by one, so that a long answer to one request hides none that stands behind it.

use flowscope_core::{ParseError, ParserStatus};
use flowscope_lengths::{Framing, Head, Message, Part};

use crate::smb2::HEADER;
use crate::wire::u32_at;

/// Bytes before a message: a type, and the length.
pub(crate) const LENGTH: usize = 4;
/// Bytes that say which version a message is of: a byte and `SMB`.
pub(crate) const PROTOCOL_ID: usize = 4;
/// Bytes that are kept of what follows a header: names, and what proves who a user is, without the ticket that stands
/// behind it. What is read and written is passed over.
const KEPT: usize = 4096;

/// What a frame has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit<'a> {
    /// A message of SMB 2, header and body apart, and whether it is the first of its frame.
    Smb2 { header: &'a [u8; HEADER], body: &'a [u8], is_first: bool },
    /// A message of SMB 1, from behind its protocol's name on.
    Smb1(&'a [u8]),
    /// An encrypted message, from behind its protocol's name on, and the length of its frame.
    Encrypted(&'a [u8], u32),
    /// A compressed one, and the length of its frame.
    Compressed(u32),
    /// What NetBIOS says of the session (RFC 1002 §4.3.2 to §4.3.6).
    Session,
    /// None of these.
    Unknown,
}

/// Bytes of the body of a message of SMB 2, as they come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BodyPart<'a> {
    pub(crate) header: &'a [u8; HEADER],
    /// Whether the message is the first of its frame.
    pub(crate) is_first: bool,
    /// Where in the body they stand.
    pub(crate) at: u32,
    pub(crate) bytes: &'a [u8],
}

/// The frame of one side that is being received. Holds at most 8 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    framing: Framing<{ LENGTH + HEADER }, KEPT>,
    /// Bytes of the frame behind the message at hand.
    left: u32,
    /// Set while it is not known where the next frame begins.
    search: Option<Search>,
}

impl Frames {
    /// Reads on until a message is complete, and shows it to `each`; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// Where no frame begins.
    pub(crate) fn next(
        &mut self,
        bytes: &mut &[u8],
        each: impl FnOnce(Unit<'_>) -> ParserStatus,
    ) -> Result<Option<ParserStatus>, ParseError> {
        if self.find(bytes)? { self.read(bytes, each) } else { Ok(None) }
    }

    /// The bytes of a body of SMB 2 that [`next`](Self::next) is about to take, if there are any; reads what stands in front.
    ///
    /// # Errors
    ///
    /// Where no frame begins.
    pub(crate) fn part<'a, 'b: 'a>(
        &'a mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<BodyPart<'a>>, ParseError> {
        if !self.find(bytes)? {
            return Ok(None);
        }
        let Frames { framing, left, .. } = self;
        framing.begin(bytes, |start| head(start, left))?;
        let Some(Part { header, at, bytes }) = framing.part(bytes) else { return Ok(None) };
        let is_first = header.len() == LENGTH + HEADER;
        let of_smb2 = if is_first { &header[LENGTH..] } else { header };
        let header = <&[u8; HEADER]>::try_from(of_smb2).ok();
        let header = header.filter(|header| header.starts_with(b"\xfeSMB"));
        Ok(header.map(|header| BodyPart { header, is_first, at, bytes }))
    }

    /// Whether it is known where the next frame begins, if need be after a search for it.
    fn find(&mut self, bytes: &mut &[u8]) -> Result<bool, ParseError> {
        let Some(search) = &mut self.search else { return Ok(true) };
        let Some((start, len)) = search.frame(bytes) else { return Ok(false) };
        self.search = None;
        // Fewer bytes than any message has.
        self.read(&mut &start[..len], |_| ParserStatus::Continue)?;
        Ok(true)
    }

    fn read(
        &mut self,
        bytes: &mut &[u8],
        each: impl FnOnce(Unit<'_>) -> ParserStatus,
    ) -> Result<Option<ParserStatus>, ParseError> {
        let Frames { framing, left, .. } = self;
        framing.next(bytes, |start| head(start, left), |message| each(unit(message)))
    }

    /// Passes over `len` bytes that were not captured. Where they do not lie within a message, the next frame is searched for.
    pub(crate) fn skip(&mut self, len: u64) {
        if !self.framing.skip(len) {
            *self = Frames { search: Some(Search::default()), ..Frames::default() };
        }
    }

    /// Returns the allocated memory, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.framing.heap_bytes()
    }
}

/// The header of the next message, where `left` bytes of its frame are left.
fn head(start: &[u8], left: &mut u32) -> Result<Option<Head>, ParseError> {
    if *left > 0 { Ok(chained(start, left)) } else { first(start, left) }
}

/// What a message of the framing is.
fn unit(message: Message<'_>) -> Unit<'_> {
    let Message { header, body, len } = message;
    // A chained message has no length in front.
    let is_first = header.len() == LENGTH + HEADER;
    let of_smb2 = if is_first { &header[LENGTH..] } else { header };
    if let Ok(header) = <&[u8; HEADER]>::try_from(of_smb2) {
        let is_smb2 = header.starts_with(b"\xfeSMB");
        return if is_smb2 { Unit::Smb2 { header, body, is_first } } else { Unit::Unknown };
    }
    let len = len + PROTOCOL_ID as u32;
    match *header {
        [0, _, _, _, version, b'S', b'M', b'B'] => match version {
            0xfc => Unit::Compressed(len),
            0xfd => Unit::Encrypted(body, len),
            0xff => Unit::Smb1(body),
            _ => Unit::Unknown,
        },
        [1..=u8::MAX, _, _, _] => Unit::Session,
        _ => Unit::Unknown,
    }
}

/// The start of a frame. Of one that is of SMB 2 its first header belongs to it, of others what says which version they are of.
fn first(start: &[u8], left: &mut u32) -> Result<Option<Head>, ParseError> {
    let Some(&[kind, a, b, c]) = start.first_chunk::<LENGTH>() else { return Ok(None) };
    let len = u32::from_be_bytes([0, a, b, c]);
    if kind != 0 {
        // Seven of the bits are none of the length, and have to be 0 (RFC 1002 §4.3.1).
        return match (kind, a) {
            (0x81..=0x85, 0 | 1) => Ok(Some(Head { len: LENGTH, body: len })),
            _ => Err(ParseError::InvalidField("TYPE")),
        };
    }
    if (len as usize) < PROTOCOL_ID {
        return Ok(Some(Head { len: LENGTH, body: len }));
    }
    let Some(id) = start.get(LENGTH..LENGTH + PROTOCOL_ID) else { return Ok(None) };
    if id != b"\xfeSMB" || (len as usize) < HEADER {
        return Ok(Some(Head { len: LENGTH + PROTOCOL_ID, body: len - PROTOCOL_ID as u32 }));
    }
    let Some(header) = start.get(LENGTH..LENGTH + HEADER) else { return Ok(None) };
    let body = one_of_chain(header, len, left);
    Ok(Some(Head { len: LENGTH + HEADER, body }))
}

/// A message behind another one in the same frame. What is too short for one is no message.
fn chained(start: &[u8], left: &mut u32) -> Option<Head> {
    if (*left as usize) < HEADER {
        let body = *left - 1;
        *left = 0;
        return Some(Head { len: 1, body });
    }
    let header = start.get(..HEADER)?;
    let len = *left;
    Some(Head { len: HEADER, body: one_of_chain(header, len, left) })
}

/// The length of the body of a message that begins where `len` bytes of its frame are left, and what is left behind it.
/// `NextCommand` leads on, or is none and the message is the last one ([MS-SMB2] §3.3.5.2.7).
fn one_of_chain(header: &[u8], len: u32, left: &mut u32) -> u32 {
    let next = u32_at(header, 20).unwrap_or(0);
    let end = if (HEADER as u32..len).contains(&next) { next } else { len };
    *left = len - end;
    end - HEADER as u32
}

/// Bytes by which a frame is known where it is not known that one begins.
const START: usize = 10;

/// Whether a frame begins: with its length, the name of a version, and of SMB 2 the length of its header.
fn is_start(bytes: &[u8]) -> bool {
    match *bytes {
        [0, a, b, c, version, b'S', b'M', b'B', low, high] => {
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            match version {
                0xfe => len >= HEADER && u16::from_le_bytes([low, high]) == HEADER as u16,
                0xfc | 0xfd | 0xff => len >= 32,
                _ => false,
            }
        }
        _ => false,
    }
}

/// A search for the start of a frame.
#[derive(Clone, Copy, Debug, Default)]
struct Search {
    /// The last bytes, with which a frame may begin.
    tail: [u8; START - 1],
    len: usize,
}

impl Search {
    /// Finds the first frame. `bytes` goes on behind those of its start that came before, which are returned; without a frame all
    /// are used up.
    fn frame(&mut self, bytes: &mut &[u8]) -> Option<([u8; START - 1], usize)> {
        let mut joined = [0; 2 * (START - 1)];
        let fresh = bytes.len().min(START - 1);
        let end = self.len + fresh;
        joined[..self.len].copy_from_slice(&self.tail[..self.len]);
        joined[self.len..end].copy_from_slice(&bytes[..fresh]);
        let mut before = [0; START - 1];
        if let Some(at) = joined[..end].windows(START).take(self.len).position(is_start) {
            let len = self.len - at;
            before[..len].copy_from_slice(&joined[at..self.len]);
            return Some((before, len));
        }
        if let Some(at) = bytes.windows(START).position(is_start) {
            *bytes = &bytes[at..];
            return Some((before, 0));
        }
        let kept = &joined[..end];
        let last = if bytes.len() >= START - 1 { *bytes } else { kept };
        self.len = last.len().min(START - 1);
        self.tail[..self.len].copy_from_slice(&last[last.len() - self.len..]);
        *bytes = &[];
        None
    }
}
