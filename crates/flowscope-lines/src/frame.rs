use flowscope_core::{FlowSide, ParseError, ParserStatus, Remainder, StreamChunk, Timestamp};

use crate::{Line, LineBuffer, first_piece};

/// The lines of both sides of a connection, and what stands behind a command that may hand the connection
/// on to another protocol: `STLS`, `AUTH TLS`, `STARTTLS`.
///
/// Such a command is answered first. What its sender sends before is [held](Self::hold), and either
/// [given](Self::accept) to the next protocol or read as lines. Keeps `MAX` bytes of the line
/// of each side that has no end yet, and `HELD` bytes that are held.
#[derive(Clone, Debug, Default)]
pub struct LineFrame<const MAX: usize, const HELD: usize> {
    lines: [LineBuffer<MAX>; 2],
    held: Option<(FlowSide, Remainder)>,
    remainders: [Option<Remainder>; 2],
    /// Lines of each side in succession that could not be read.
    unreadable: [u8; 2],
}

/// A side may send this many lines in succession that cannot be read; one more, and its connection is given up.
pub const MAX_UNREADABLE: u8 = 8;

/// A line of a side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SideLine<'a> {
    /// Who sent it.
    pub side: FlowSide,
    /// When its end was captured.
    pub ts: Timestamp,
    /// Its bytes, without what ends it.
    pub text: &'a [u8],
    /// Its last bytes, as of [`Line::tail`].
    pub tail: &'a [u8],
    /// Whether it was longer than what is kept of it.
    pub is_truncated: bool,
    /// Its length with what ends it, in bytes.
    pub len: u64,
}

/// A parser of a protocol of lines.
pub trait LineParser<const MAX: usize, const HELD: usize> {
    /// What it emits.
    type Message;

    /// Its lines.
    fn frame(&mut self) -> &mut LineFrame<MAX, HELD>;

    /// Takes a line.
    ///
    /// One that cannot be read, [`ParseError::InvalidField`], is passed over, and so are up to [`MAX_UNREADABLE`] in
    /// succession: it must have changed nothing that the next line depends on.
    fn line(&mut self, line: SideLine<'_>, out: &mut Vec<Self::Message>) -> ParserStatus;

    /// How many of the next bytes of a side are no lines: a literal of IMAP (RFC 9051 §4.3).
    fn opaque(&mut self, _side: FlowSide) -> u64 {
        0
    }

    /// Takes such bytes, never more than [`opaque`](Self::opaque) has said.
    fn pass(&mut self, _side: FlowSide, _bytes: &[u8]) {}

    /// Takes the lines of a chunk: the body of `SessionParser::feed_into`.
    ///
    /// Returns the first status that is not [`ParserStatus::Continue`]; behind an
    /// [`Upgrade`](ParserStatus::Upgrade) the rest of the chunk is the side's remainder. More bytes held than
    /// there is room for fail with [`ParseError::TooLong`].
    fn read(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        let StreamChunk { side, ts, offset, bytes, .. } = chunk;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Some((of, held)) = &mut self.frame().held
                && *of == side
            {
                if held.bytes.is_empty() {
                    held.offset = offset + at as u64;
                }
                if held.bytes.len() + rest.len() > HELD {
                    return ParserStatus::Failed(ParseError::TooLong(HELD as u64 + 1));
                }
                held.bytes.extend_from_slice(rest);
                break;
            }
            let opaque = self.opaque(side).min(rest.len() as u64);
            if opaque > 0 {
                at += opaque as usize;
                self.pass(side, &rest[..opaque as usize]);
                continue;
            }
            let piece = first_piece(rest);
            at += piece.len();
            // The line borrows the buffer, which is not the parser's meanwhile.
            let mut buffer = std::mem::take(&mut self.frame().lines[side.index()]);
            let len = buffer.line_len(piece);
            let status = match buffer.push(piece) {
                Some(Line { text, tail, is_truncated }) => {
                    let read = self.line(SideLine { side, ts, text, tail, is_truncated, len }, out);
                    self.frame().pass_over(side, read)
                }
                None => ParserStatus::Continue,
            };
            self.frame().lines[side.index()] = buffer;
            if status == ParserStatus::Upgrade {
                let left = Remainder { offset: offset + at as u64, bytes: bytes[at..].to_vec() };
                self.frame().put_remainder(side, left);
            }
            if status != ParserStatus::Continue {
                return status;
            }
        }
        ParserStatus::Continue
    }

    /// The other side says no: what was held are lines. Takes them.
    fn refuse(&mut self, ts: Timestamp, out: &mut Vec<Self::Message>) -> ParserStatus {
        let Some((side, held)) = self.frame().held.take() else { return ParserStatus::Continue };
        self.read(StreamChunk::new(side, ts, held.offset, &held.bytes), out)
    }
}

impl<const MAX: usize, const HELD: usize> LineFrame<MAX, HELD> {
    /// Holds what this side sends behind the line at hand.
    pub fn hold(&mut self, side: FlowSide) {
        self.held = Some((side, Remainder::default()));
    }

    /// Whether bytes are held, or will be.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// The other side says yes: what was held is the start of the next protocol.
    pub fn accept(&mut self) {
        if let Some((side, held)) = self.held.take() {
            self.put_remainder(side, held);
        }
    }

    /// What a side sent of the next protocol: for `SessionParser::take_remainder`.
    pub fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.remainders[side.index()].take()
    }

    /// The line of a side that has no end yet.
    #[must_use]
    pub fn unfinished(&self, side: FlowSide) -> &LineBuffer<MAX> {
        &self.lines[side.index()]
    }

    /// Leaves out what a side sends before its next line feed.
    pub fn begin_in_the_middle(&mut self, side: FlowSide) {
        self.lines[side.index()].begin_in_the_middle();
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let held = self.held.iter().map(|(_, held)| held);
        let remainders = held.chain(self.remainders.iter().flatten());
        self.lines.iter().map(LineBuffer::heap_bytes).sum::<usize>()
            + remainders.map(|left| left.bytes.capacity()).sum::<usize>()
    }

    /// Returns the status behind a line: one that cannot be read may be passed over.
    fn pass_over(&mut self, side: FlowSide, read: ParserStatus) -> ParserStatus {
        let unreadable = &mut self.unreadable[side.index()];
        match read {
            ParserStatus::Failed(ParseError::InvalidField(_)) if *unreadable < MAX_UNREADABLE => {
                *unreadable += 1;
                ParserStatus::Continue
            }
            ParserStatus::Continue => {
                *unreadable = 0;
                read
            }
            _ => read,
        }
    }

    fn put_remainder(&mut self, side: FlowSide, left: Remainder) {
        if !left.bytes.is_empty() {
            self.remainders[side.index()] = Some(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::FlowSide::{Initiator, Responder};

    use super::*;

    /// `TLS` asks, `yes` and `no` answer; `{N}` at the end of a line announces bytes.
    #[derive(Default)]
    struct Toy {
        frame: LineFrame<32, 16>,
        opaque: u64,
    }

    impl LineParser<32, 16> for Toy {
        type Message = String;

        fn frame(&mut self) -> &mut LineFrame<32, 16> {
            &mut self.frame
        }

        fn opaque(&mut self, side: FlowSide) -> u64 {
            if side == Initiator { self.opaque } else { 0 }
        }

        fn pass(&mut self, _: FlowSide, bytes: &[u8]) {
            self.opaque -= bytes.len() as u64;
        }

        fn line(&mut self, line: SideLine<'_>, out: &mut Vec<String>) -> ParserStatus {
            out.push(format!("{} {}", String::from_utf8_lossy(line.text), line.len));
            match line.text {
                b"TLS" => self.frame.hold(line.side),
                b"yes" => {
                    self.frame.accept();
                    return ParserStatus::Upgrade;
                }
                b"no" => return self.refuse(line.ts, out),
                b"?" => return ParserStatus::Failed(ParseError::InvalidField("line")),
                [.., b'{', digit, b'}'] => self.opaque = u64::from(digit - b'0'),
                _ => {}
            }
            ParserStatus::Continue
        }
    }

    fn feed(
        toy: &mut Toy,
        turns: &[(FlowSide, &[u8])],
        size: usize,
    ) -> (Vec<String>, ParserStatus) {
        let (mut out, mut offsets) = (Vec::new(), [100_u64, 200]);
        for (side, bytes) in turns {
            for piece in bytes.chunks(size) {
                let offset = &mut offsets[side.index()];
                let chunk = StreamChunk::new(*side, Timestamp::ZERO, *offset, piece);
                *offset += piece.len() as u64;
                let status = toy.read(chunk, &mut out);
                if status != ParserStatus::Continue {
                    return (out, status);
                }
            }
        }
        (out, ParserStatus::Continue)
    }

    #[test]
    fn what_is_held_is_the_next_protocols_or_lines() {
        for size in 1..20 {
            let asked = [(Initiator, &b"a\r\nTLS\r\nb\nc"[..])];
            let (mut yes, mut no) = (Toy::default(), Toy::default());
            let (out, _) = feed(&mut yes, &asked, size);
            assert_eq!(out, ["a 3", "TLS 5"]);
            assert!(yes.frame.holds());
            let (_, status) = feed(&mut yes, &[(Responder, b"yes\r\n")], size);
            assert_eq!(status, ParserStatus::Upgrade);
            let left = yes.frame.take_remainder(Initiator).unwrap();
            assert_eq!((left.offset, &left.bytes[..]), (108, &b"b\nc"[..]));
            assert_eq!(yes.frame.take_remainder(Responder), None);
            feed(&mut no, &asked, size);
            let (out, _) = feed(&mut no, &[(Responder, b"no\n"), (Initiator, b"d\n")], size);
            assert_eq!(out, ["no 3", "b 2", "cd 3"]);
        }
    }

    #[test]
    fn behind_an_upgrade_the_rest_is_the_sides_own() {
        let mut toy = Toy::default();
        feed(&mut toy, &[(Initiator, b"TLS\n")], 9);
        assert_eq!(feed(&mut toy, &[(Responder, b"yes\nxyz")], 9).1, ParserStatus::Upgrade);
        let left = toy.frame.take_remainder(Responder).unwrap();
        assert_eq!((left.offset, &left.bytes[..]), (204, &b"xyz"[..]));
    }

    #[test]
    fn bounds_hold() {
        let mut toy = Toy::default();
        let (_, status) = feed(&mut toy, &[(Initiator, b"TLS\n01234567890123456")], 3);
        assert_eq!(status, ParserStatus::Failed(ParseError::TooLong(17)));
        let mut toy = Toy::default();
        let long = [&[b'x'; 1000][..], b"\n"].concat();
        let (out, _) = feed(&mut toy, &[(Initiator, &long)], 7);
        assert_eq!(out, [format!("{} 1001", "x".repeat(32))]);
        assert!(toy.frame.heap_bytes() <= 64);
    }

    #[test]
    fn some_lines_in_succession_may_be_unreadable() {
        let lines = |unreadable: usize| [&b"?\n".repeat(unreadable)[..], b"a\n"].concat();
        let most = lines(usize::from(MAX_UNREADABLE));
        for size in [1, 2, 100] {
            let turns = [(Initiator, &most[..]), (Responder, &most), (Initiator, &most)];
            let (out, status) = feed(&mut Toy::default(), &turns, size);
            assert_eq!(status, ParserStatus::Continue);
            assert_eq!(out.iter().filter(|line| *line == "a 2").count(), 3);
            let more = lines(usize::from(MAX_UNREADABLE) + 1);
            let (_, status) = feed(&mut Toy::default(), &[(Responder, &more)], size);
            assert_eq!(status, ParserStatus::Failed(ParseError::InvalidField("line")));
        }
    }

    #[test]
    fn announced_bytes_are_no_lines() {
        for size in 1..12 {
            let mut toy = Toy::default();
            let (out, _) = feed(&mut toy, &[(Initiator, b"x{5}\n\nTLS\n y\nz\n")], size);
            assert_eq!(out, ["x{5} 5", " y 3", "z 2"], "{size}");
        }
    }
}
