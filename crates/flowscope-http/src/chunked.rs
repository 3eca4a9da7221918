//! Chunk framing (RFC 9112 §7.1), byte for byte, so that nothing of it is ever held.

use crate::message::HttpAnomalyKind;
use crate::wire::find_lf;

/// Where in a chunked body its stream stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chunked {
    /// In a line `chunk-size [ chunk-ext ] CRLF`.
    Size(SizeLine),
    /// In chunk data, so many bytes before its end.
    Data(u64),
    /// At the line end behind chunk data; whether its CR was there.
    DataEnd { cr: bool },
}

/// A chunk-size line, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SizeLine {
    size: u64,
    digits: bool,
    /// The digits are over.
    rest: bool,
    /// The byte before was CR.
    cr: bool,
    /// Bytes of the line.
    len: usize,
}

/// What bytes of a chunked body were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// So many bytes of framing.
    Framing(usize),
    /// So many bytes of the body.
    Data(usize),
    /// So many bytes of framing, and the last chunk is over: trailers follow.
    Last(usize),
    /// The byte at this place breaks the framing.
    Broken(HttpAnomalyKind, usize),
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Chunked::Size(SizeLine::default())
    }

    /// Reads on, up to the next boundary. `input` is not empty; of oddities that do no harm `note`
    /// gets the kind and the place in `input`.
    pub(crate) fn step(
        &mut self,
        input: &[u8],
        max_line: usize,
        note: &mut impl FnMut(HttpAnomalyKind, usize),
    ) -> Step {
        match self {
            Chunked::Data(left) => {
                let n = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= n as u64;
                if *left == 0 {
                    *self = Chunked::DataEnd { cr: false };
                }
                Step::Data(n)
            }
            Chunked::DataEnd { cr: false } if input.starts_with(b"\r\n") => {
                *self = Chunked::new();
                Step::Framing(2)
            }
            Chunked::DataEnd { cr } => match (input.first(), *cr) {
                (Some(b'\r'), false) => {
                    *cr = true;
                    Step::Framing(1)
                }
                (Some(b'\n'), cr) => {
                    if !cr {
                        note(HttpAnomalyKind::BareLf, 0);
                    }
                    *self = Chunked::new();
                    Step::Framing(1)
                }
                _ => Step::Broken(HttpAnomalyKind::InvalidChunkEnd, 0),
            },
            Chunked::Size(line) => {
                let step = line.step(input, max_line, note);
                if let Step::Last(n) = step
                    && line.size > 0
                {
                    *self = Chunked::Data(line.size);
                    return Step::Framing(n);
                }
                step
            }
        }
    }

    /// Passes over `len` bytes that were not captured, if they lie within chunk data.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        match self {
            Chunked::Data(left) if len <= *left => {
                *left -= len;
                if *left == 0 {
                    *self = Chunked::DataEnd { cr: false };
                }
                true
            }
            _ => false,
        }
    }
}

impl SizeLine {
    /// `Last` when the line is over, whatever the size.
    fn step(
        &mut self,
        input: &[u8],
        max_line: usize,
        note: &mut impl FnMut(HttpAnomalyKind, usize),
    ) -> Step {
        let mut at = 0;
        while let (false, Some(&byte)) = (self.rest, input.get(at)) {
            if self.len >= max_line {
                return Step::Broken(HttpAnomalyKind::ChunkLineTooLong, at);
            }
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b';' | b' ' | b'\t' | b'\r' | b'\n' if self.digits => {
                    self.rest = true;
                    break;
                }
                _ => return Step::Broken(HttpAnomalyKind::InvalidChunkSize, at),
            };
            if self.size >> 60 != 0 {
                return Step::Broken(HttpAnomalyKind::InvalidChunkSize, at);
            }
            self.size = self.size << 4 | u64::from(digit);
            self.digits = true;
            self.len += 1;
            at += 1;
        }
        let rest = input.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Step::Framing(at);
        }
        if rest.starts_with(b"\r\n") && !self.cr && self.len + 2 <= max_line {
            return Step::Last(at + 2);
        }
        let end = find_lf(rest);
        let n = end.map_or(rest.len(), |lf| lf + 1);
        let room = max_line.saturating_sub(self.len);
        for (i, &byte) in rest.iter().enumerate().take(n.min(room)) {
            match byte {
                b'\n' if !self.cr => note(HttpAnomalyKind::BareLf, at + i),
                b'\n' => {}
                _ if self.cr => note(HttpAnomalyKind::BareCr, at + i),
                _ => {}
            }
            self.cr = byte == b'\r';
        }
        if n > room {
            return Step::Broken(HttpAnomalyKind::ChunkLineTooLong, at + room);
        }
        self.len += n;
        if end.is_some() { Step::Last(at + n) } else { Step::Framing(at + n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `input` whole and byte by byte; gives the body, the anomalies and what ended it.
    fn check(input: &str, body: &str, anomalies: &[(HttpAnomalyKind, usize)], last: Option<Step>) {
        for piece in [input.len().max(1), 1, 2, 3] {
            let (mut state, mut found, mut data) = (Chunked::new(), Vec::new(), Vec::new());
            let (mut at, mut end) = (0, None);
            while at < input.len() && end.is_none() {
                let bytes = &input.as_bytes()[at..input.len().min(at - at % piece + piece)];
                let step = state.step(bytes, 40, &mut |kind, n| found.push((kind, at + n)));
                let n = match step {
                    Step::Framing(n) => n,
                    Step::Data(n) => {
                        data.extend_from_slice(&bytes[..n]);
                        n
                    }
                    Step::Last(n) => {
                        end = Some(Step::Last(at + n));
                        n
                    }
                    Step::Broken(kind, n) => {
                        end = Some(Step::Broken(kind, at + n));
                        n
                    }
                };
                at += n;
            }
            assert_eq!(String::from_utf8_lossy(&data), body, "{input:?} by {piece}");
            assert_eq!(found, anomalies, "{input:?} by {piece}");
            assert_eq!(end, last, "{input:?} by {piece}");
        }
    }

    #[test]
    fn chunks() {
        use HttpAnomalyKind::{
            BareCr, BareLf, ChunkLineTooLong, InvalidChunkEnd, InvalidChunkSize,
        };
        let broken = |kind, at| Some(Step::Broken(kind, at));
        check("3\r\nabc\r\n0\r\n", "abc", &[], Some(Step::Last(11)));
        check("3;x=\"y\"\r\nabc\r\n0 \t\r\n", "abc", &[], Some(Step::Last(19)));
        check("A\r\n0123456789\r\n000\r\n", "0123456789", &[], Some(Step::Last(20)));
        check("3\nabc\n0\n", "abc", &[(BareLf, 1), (BareLf, 5), (BareLf, 7)], Some(Step::Last(8)));
        check("3;a\rb\r\nabc", "abc", &[(BareCr, 4)], None);
        check("3\r\r\nabc", "abc", &[(BareCr, 2)], None);
        check("ffffffffffffffff\r\nabc", "abc", &[], None);
        check("0000000000000000000000003\r\nabc", "abc", &[], None);
        check("1ffffffffffffffff\r\n", "", &[], broken(InvalidChunkSize, 16));
        check("\r\n", "", &[], broken(InvalidChunkSize, 0));
        check("-1\r\n", "", &[], broken(InvalidChunkSize, 0));
        check("0x3\r\nabc", "", &[], broken(InvalidChunkSize, 1));
        check("3\r\nabcd\r\n", "abc", &[], broken(InvalidChunkEnd, 6));
        check("3\r\nabc\rx", "abc", &[], broken(InvalidChunkEnd, 7));
        let long = format!("1;{}", "x".repeat(100));
        check(&long, "", &[], broken(ChunkLineTooLong, 40));
        let zeros = "0".repeat(100);
        check(&zeros, "", &[], broken(ChunkLineTooLong, 40));
        // A line of 40 bytes, its end included, and one of 41.
        check(&format!("{}\r\n", "0".repeat(38)), "", &[], Some(Step::Last(40)));
        check(&format!("{}\r\n", "0".repeat(39)), "", &[], broken(ChunkLineTooLong, 40));
        check(&format!("0;{}\r\n", "x".repeat(36)), "", &[], Some(Step::Last(40)));
        check(&format!("0;{}\r\n", "x".repeat(37)), "", &[], broken(ChunkLineTooLong, 40));
    }
}
