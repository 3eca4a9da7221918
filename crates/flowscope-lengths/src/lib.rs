//! Messages that have their length in front, put together from the pieces in which a stream comes.
//!
//! A protocol says how long a header is and what it says of the body; [`Framing`] counts the bytes of one side, keeps the
//! first of each body, and shows a message when it is complete.
//!
//! ```
//! use flowscope_lengths::{Framing, Head};
//!
//! // Two bytes of length, and up to 16 bytes of the body are kept.
//! let head = |start: &[u8]| {
//!     let len = start.first_chunk().map(|len| u16::from_be_bytes(*len).into());
//!     Ok(len.map(|body| Head { len: 2, body }))
//! };
//! let mut framing = Framing::<2, 16>::default();
//! let mut bytes = &b"\0\x03ab"[..];
//! assert_eq!(framing.next(&mut bytes, head, |message| message.body.to_vec()), Ok(None));
//! bytes = b"c\0\x01d";
//! let first = framing.next(&mut bytes, head, |message| message.body.to_vec());
//! assert_eq!((first, bytes), (Ok(Some(b"abc".to_vec())), &b"\0\x01d"[..]));
//! ```

use flowscope_core::ParseError;

/// What a header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Length of the header, in bytes; at least 1.
    pub len: usize,
    /// Length of the body behind it, in bytes.
    pub body: u32,
}

/// A message that is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// Its header.
    pub header: &'a [u8],
    /// Length of its body on the wire, in bytes.
    pub len: u32,
    /// The first bytes of the body: as many as are kept, and none behind bytes that were not captured.
    pub body: &'a [u8],
}

/// Bytes of a body that has begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part<'a> {
    /// The header of its message.
    pub header: &'a [u8],
    /// Where in the body the bytes stand.
    pub at: u32,
    /// The bytes, kept or not.
    pub bytes: &'a [u8],
}

impl Message<'_> {
    /// Whether the body is all there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.body.len() == self.len as usize
    }
}

/// The message of one side that is being received: a header of at most `HEADER` bytes, and the first `KEPT` bytes of its
/// body. Holds at most twice `KEPT` bytes.
#[derive(Clone, Debug)]
pub struct Framing<const HEADER: usize, const KEPT: usize> {
    /// The header so far.
    header: [u8; HEADER],
    header_len: usize,
    body: Option<Body>,
    /// What is kept of the body, unless it lies in one piece.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    len: u32,
    left: u32,
    /// Bytes of it were not captured: what follows them is not kept.
    is_cut: bool,
}

impl<const HEADER: usize, const KEPT: usize> Framing<HEADER, KEPT> {
    /// Reads on until a message is complete, and shows it to `each`; `None` when the bytes are used up.
    ///
    /// `head` judges the start of a message, 1 to `HEADER` bytes: `None` where bytes of the header are missing. A message
    /// that lies in one piece is not copied.
    ///
    /// # Errors
    ///
    /// What `head` returns, and [`ParseError::TooLong`] where it asks for more than `HEADER` bytes. The framing is of no use
    /// behind an error.
    pub fn next<T>(
        &mut self,
        bytes: &mut &[u8],
        head: impl FnOnce(&[u8]) -> Result<Option<Head>, ParseError>,
        each: impl FnOnce(Message<'_>) -> T,
    ) -> Result<Option<T>, ParseError> {
        if self.body.is_none() {
            self.head(bytes, head)?;
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let len = bytes.len().min(body.left as usize);
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        let is_in_one_piece = body.left == body.len && len == body.len as usize;
        body.left -= len as u32;
        if !body.is_cut && !is_in_one_piece {
            let room = KEPT - self.kept.len();
            self.kept.extend_from_slice(&taken[..len.min(room)]);
        }
        if body.left > 0 {
            return Ok(None);
        }
        let kept = if is_in_one_piece { &taken[..len.min(KEPT)] } else { &self.kept[..] };
        let header = &self.header[..self.header_len];
        let shown = each(Message { header, len: body.len, body: kept });
        self.header_len = 0;
        self.body = None;
        self.kept.clear();
        Ok(Some(shown))
    }

    /// Reads the header of a message, as far as it is there, unless one was read whose body is not over. The same as
    /// [`next`](Self::next) does first.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub fn begin(
        &mut self,
        bytes: &mut &[u8],
        head: impl FnOnce(&[u8]) -> Result<Option<Head>, ParseError>,
    ) -> Result<(), ParseError> {
        if self.body.is_none() { self.head(bytes, head) } else { Ok(()) }
    }

    /// The bytes of the body at hand that [`next`](Self::next) is about to take, if there are any: for what goes on beyond the
    /// bytes that are kept.
    #[must_use]
    pub fn part<'a>(&'a self, bytes: &'a [u8]) -> Option<Part<'a>> {
        let Body { len, left, .. } = self.body?;
        let bytes = &bytes[..bytes.len().min(left as usize)];
        let header = &self.header[..self.header_len];
        (!bytes.is_empty()).then_some(Part { header, at: len - left, bytes })
    }

    /// Whether no message has begun whose end is still to come.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.header_len == 0
    }

    /// Passes over `len` bytes that were not captured: whether they lie within a body. Where they reach its end,
    /// [`next`](Self::next) shows the message without any more bytes.
    pub fn skip(&mut self, len: u64) -> bool {
        match &mut self.body {
            Some(body) if len > 0 && u64::from(body.left) >= len => {
                body.left -= len as u32;
                body.is_cut = true;
                true
            }
            _ => false,
        }
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// Reads the header, as far as it is there.
    fn head(
        &mut self,
        bytes: &mut &[u8],
        head: impl FnOnce(&[u8]) -> Result<Option<Head>, ParseError>,
    ) -> Result<(), ParseError> {
        let before = self.header_len;
        let fresh = bytes.len().min(HEADER - before);
        if fresh == 0 {
            return Ok(());
        }
        let end = before + fresh;
        self.header[before..end].copy_from_slice(&bytes[..fresh]);
        let len = match head(&self.header[..end])? {
            Some(Head { len, body }) => {
                self.body = Some(Body { len: body, left: body, is_cut: false });
                len
            }
            None if end == HEADER => return Err(ParseError::TooLong(HEADER as u64 + 1)),
            None => end,
        };
        // A header ends within the fresh bytes, or it would have ended before.
        self.header_len = len.clamp(before + 1, end);
        *bytes = &bytes[self.header_len - before..];
        Ok(())
    }
}

impl<const HEADER: usize, const KEPT: usize> Default for Framing<HEADER, KEPT> {
    fn default() -> Self {
        Framing { header: [0; HEADER], header_len: 0, body: None, kept: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: usize = 32;
    type Small = Framing<3, KEPT>;

    /// A byte that is no `x`, and a length of one byte, or of two behind a zero.
    fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
        match *start {
            [b'x', ..] => Err(ParseError::InvalidField("x")),
            [_, 0, body, ..] => Ok(Some(Head { len: 3, body: u32::from(body) * 100 })),
            [_, body, ..] if body > 0 => Ok(Some(Head { len: 2, body: body.into() })),
            _ => Ok(None),
        }
    }

    fn read(framing: &mut Small, mut bytes: &[u8]) -> Vec<(Vec<u8>, u32, Vec<u8>)> {
        let mut messages = Vec::new();
        while let Some(message) = framing
            .next(&mut bytes, head, |it| (it.header.to_vec(), it.len, it.body.to_vec()))
            .unwrap()
        {
            messages.push(message);
        }
        assert!(bytes.is_empty());
        messages
    }

    #[test]
    fn messages_do_not_depend_on_how_they_are_cut() {
        let bytes = [&b"a\x02bc"[..], b"d\0\0", b"e\0\x02", &[7; 200], b"f\x01g"].concat();
        let whole = read(&mut Small::default(), &bytes);
        let lens = whole.iter().map(|(header, len, kept)| (header.len(), *len, kept.len()));
        assert_eq!(lens.collect::<Vec<_>>(), [(2, 2, 2), (3, 0, 0), (3, 200, KEPT), (2, 1, 1)]);
        for size in [1, 2, 3, 7, 50] {
            let mut framing = Small::default();
            let messages: Vec<_> =
                bytes.chunks(size).flat_map(|piece| read(&mut framing, piece)).collect();
            assert_eq!(messages, whole, "{size}");
            assert!(framing.is_between() && framing.heap_bytes() <= 2 * KEPT);
        }
    }

    #[test]
    fn missing_bytes_within_a_body_are_passed_over() {
        let mut framing = Small::default();
        assert!(!framing.skip(1));
        assert_eq!(read(&mut framing, b"a\x0abc"), []);
        assert!(!framing.clone().skip(0) && !framing.clone().skip(9));
        assert!(framing.skip(7));
        assert_eq!(read(&mut framing, b"d"), [(b"a\x0a".to_vec(), 10, b"bc".to_vec())]);
        read(&mut framing, b"a");
        assert!(!framing.skip(1), "a header is not passed over");
        // Up to the end of a body that has begun, and of one that has not.
        for (start, kept) in [(&b"a\x0abc"[..], &b"bc"[..]), (b"a\x08", b"")] {
            let mut framing = Small::default();
            assert_eq!(read(&mut framing, start), []);
            assert!(framing.skip(8));
            let len = start[1].into();
            assert_eq!(read(&mut framing, b""), [(start[..2].to_vec(), len, kept.to_vec())]);
            assert!(framing.is_between());
        }
    }

    #[test]
    fn bodies_are_shown_as_they_come() {
        let bytes = [&b"a\0\x02"[..], &[7; 200], b"b\x03xyz", b"c\0\0"].concat();
        for size in [1, 2, 50, 300] {
            let mut framing = Small::default();
            let mut bodies = vec![Vec::new(); 3];
            let mut nth = 0;
            for mut piece in bytes.chunks(size) {
                loop {
                    framing.begin(&mut piece, head).unwrap();
                    if let Some(part) = framing.part(piece) {
                        assert_eq!(part.header[0], b"abc"[nth]);
                        assert_eq!(part.at as usize, bodies[nth].len());
                        bodies[nth].extend_from_slice(part.bytes);
                    }
                    match framing.next(&mut piece, head, |_| ()).unwrap() {
                        Some(()) => nth += 1,
                        None => break,
                    }
                }
            }
            assert_eq!(bodies, [vec![7; 200], b"xyz".to_vec(), Vec::new()], "{size}");
        }
        // Behind bytes that were not captured it is still known where.
        let mut framing = Small::default();
        assert_eq!(read(&mut framing, b"a\x0abc"), []);
        assert!(framing.skip(3));
        let part = framing.part(b"defghi").unwrap();
        assert_eq!((part.at, part.bytes), (5, &b"defgh"[..]));
    }

    #[test]
    fn what_is_no_header_is_an_error() {
        let mut bytes = &b"xy"[..];
        let read = Small::default().next(&mut bytes, head, |_| ());
        assert_eq!(read, Err(ParseError::InvalidField("x")));
        bytes = b"abcd";
        let read = Small::default().next(&mut bytes, |_| Ok(None), |_| ());
        assert_eq!(read, Err(ParseError::TooLong(4)));
    }
}
