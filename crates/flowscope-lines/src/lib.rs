//! Lines of text protocols, put together from the pieces in which a stream comes.
//!
//! [`LineBuffer`] has the lines of one side; [`LineParser`] is a parser of those of both, with its state in a
//! [`LineFrame`]. [`begins_command`] and [`begins_reply`] judge the first line of a side.
//!
//! ```
//! use flowscope_lines::LineBuffer;
//!
//! let mut line = LineBuffer::<512>::default();
//! assert!(line.push(b"QU").is_none());
//! let whole = line.push(b"IT\r\n").unwrap();
//! assert_eq!((whole.text, whole.is_truncated), (&b"QUIT"[..], false));
//! ```

mod first;
mod frame;

pub use first::{begins_command, begins_reply};
pub use frame::{LineFrame, LineParser, MAX_UNREADABLE, SideLine};

/// The line of one side that is being received. Keeps its first `MAX` bytes, what ends it included.
#[derive(Clone, Debug, Default)]
pub struct LineBuffer<const MAX: usize> {
    /// The start of a line whose end is still to come.
    start: Vec<u8>,
    is_truncated: bool,
    /// Whether the line began before the bytes that were seen.
    is_cut: bool,
    /// Whether the last piece has ended a line.
    is_over: bool,
    /// Length of the line so far, whatever is kept.
    len: u64,
    /// Its last bytes, right-aligned.
    tail: [u8; TAIL],
}

/// As many of the last bytes of a line are known, however long it is, what ends it included.
const TAIL: usize = 32;

/// A line that is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// Its bytes without what ends it: LF, or CR LF.
    pub text: &'a [u8],
    /// Its last bytes, up to 30, also where they are not kept: what stands at the end of a line may say how to
    /// go on, as literals of IMAP do.
    pub tail: &'a [u8],
    /// Whether it was longer than what is kept of it.
    pub is_truncated: bool,
}

impl<const MAX: usize> LineBuffer<MAX> {
    /// Adds a piece that holds at most one line feed, at its end; returns the line that ends with it. A line
    /// that [began before](Self::begin_in_the_middle) the bytes that were seen is left out.
    ///
    /// A line that lies in one piece is not copied.
    pub fn push<'a>(&'a mut self, piece: &'a [u8]) -> Option<Line<'a>> {
        if std::mem::take(&mut self.is_over) {
            self.start.clear();
            self.is_truncated = false;
            self.len = 0;
        }
        self.len += piece.len() as u64;
        let fresh = &piece[piece.len().saturating_sub(TAIL)..];
        self.tail.copy_within(fresh.len().., 0);
        self.tail[TAIL - fresh.len()..].copy_from_slice(fresh);
        self.is_over = piece.ends_with(b"\n");
        let room = MAX - self.start.len();
        self.is_truncated |= piece.len() > room;
        let kept = &piece[..piece.len().min(room)];
        let line = if self.is_over && self.start.is_empty() {
            kept
        } else {
            self.start.extend_from_slice(kept);
            &self.start
        };
        let is_line = self.is_over && !self.is_cut;
        self.is_cut &= !self.is_over;
        let known = self.len.min(TAIL as u64) as usize;
        is_line.then(|| Line {
            text: without_end(line),
            tail: without_end(&self.tail[TAIL - known..]),
            is_truncated: self.is_truncated,
        })
    }

    /// Length of the line with this piece of it, in bytes, whatever is kept.
    fn line_len(&self, piece: &[u8]) -> u64 {
        piece.len() as u64 + if self.is_over { 0 } else { self.len }
    }

    /// Leaves out what comes before the next line feed.
    pub fn begin_in_the_middle(&mut self) {
        self.is_cut = true;
    }

    /// Whether no line has begun whose end is still to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_over || self.start.is_empty()
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.start.capacity()
    }
}

/// The piece at the start of `bytes` that [`LineBuffer::push`] takes: up to the first line feed, or all of them.
#[must_use]
pub fn first_piece(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    &bytes[..end.map_or(bytes.len(), |at| at + 1)]
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64;

    #[test]
    fn a_long_line_is_kept_in_part_however_it_is_cut() {
        let text = [&[b'a'; MAX + 5][..], b"\r\n"].concat();
        for cut in [1, 7, MAX, text.len()] {
            let mut line = LineBuffer::<MAX>::default();
            let mut found = None;
            for piece in text.chunks(cut) {
                found = line.push(piece).map(|line| (line.text.to_vec(), line.is_truncated));
            }
            assert_eq!(found, Some((vec![b'a'; MAX], true)), "{cut}");
            assert!(line.is_empty());
            let next = line.push(b"b\n");
            assert_eq!(next, Some(Line { text: b"b", tail: b"b", is_truncated: false }));
            assert!(line.heap_bytes() <= 2 * MAX);
        }
    }

    #[test]
    fn the_last_bytes_of_a_line_are_known() {
        let text = [&[b'a'; MAX + 5][..], b"BODY[] {1234}\r\n"].concat();
        for cut in 1..text.len() {
            let mut line = LineBuffer::<MAX>::default();
            line.push(b"the line before\n");
            let mut found = None;
            for piece in text.chunks(cut) {
                found = line.push(piece).map(|line| line.tail.to_vec());
            }
            assert_eq!(found.unwrap(), [&[b'a'; 17][..], b"BODY[] {1234}"].concat(), "{cut}");
        }
    }

    #[test]
    fn lines_do_not_depend_on_how_they_are_cut() {
        let text = b"one\r\n\ntwo\n\r\nthree and more\r\nfour";
        let read = |size: usize| {
            let (mut line, mut lines) = (LineBuffer::<8>::default(), Vec::new());
            for mut chunk in text.chunks(size) {
                while !chunk.is_empty() {
                    let piece = first_piece(chunk);
                    chunk = &chunk[piece.len()..];
                    lines.extend(
                        line.push(piece).map(|line| (line.text.to_vec(), line.is_truncated)),
                    );
                }
            }
            assert!(!line.is_empty());
            lines
        };
        let whole = read(text.len());
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[4], (b"three an".to_vec(), true));
        for size in 1..text.len() {
            assert_eq!(read(size), whole, "{size}");
        }
    }

    #[test]
    fn a_line_without_its_start_is_left_out() {
        let mut line = LineBuffer::<MAX>::default();
        line.begin_in_the_middle();
        assert_eq!(line.push(b"cret\r\n"), None);
        assert_eq!(line.push(b"QUIT\r\n").map(|line| line.text), Some(&b"QUIT"[..]));
    }
}
