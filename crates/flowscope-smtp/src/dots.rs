/// Takes the dots of transparency out of a message, and finds its end (RFC 5321 §4.5.2).
///
/// Only CR LF ends a line (RFC 5321 §2.3.8). A CR or LF by itself is a byte as any other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Dots {
    at: At,
    /// Whether the last bytes were a dot alone in its line, if a LF by itself were to end lines.
    loose: Loose,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum At {
    #[default]
    LineStart,
    /// Behind a dot at the start of a line.
    Dot,
    /// Behind a dot at the start of a line, and CR.
    DotCr,
    InLine,
    /// Behind CR.
    Cr,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Loose {
    #[default]
    InLine,
    LineStart,
    Dot,
    End,
}

impl Dots {
    /// Within a line of which the start is not known.
    pub(crate) fn in_line() -> Self {
        Dots { at: At::InLine, loose: Loose::InLine }
    }

    /// Whether the last bytes end a message for servers to which a LF by itself is the end of a line.
    pub(crate) fn is_loose_end(&self) -> bool {
        self.loose == Loose::End
    }

    /// Passes the bytes of the message on in pieces. Gives the number of bytes up to the end of the message,
    /// the end included, if it is in here.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut pass: impl FnMut(&[u8])) -> Option<usize> {
        // Where bytes that are not passed on yet begin.
        let mut from = 0;
        let mut n = 0;
        while n < bytes.len() {
            let byte = bytes[n];
            self.at = match (self.at, byte) {
                (At::LineStart, b'.') => {
                    pass(&bytes[from..n]);
                    from = n + 1;
                    At::Dot
                }
                (At::Dot, b'\r') => {
                    from = n + 1;
                    At::DotCr
                }
                (At::DotCr, b'\n') => return Some(n + 1),
                (At::Cr, b'\n') => At::LineStart,
                (before, _) => {
                    if before == At::DotCr {
                        pass(b"\r");
                    }
                    if byte == b'\r' { At::Cr } else { At::InLine }
                }
            };
            self.step_loose(byte);
            n += 1;
            if self.at == At::InLine && self.loose == Loose::InLine {
                let skip = bytes[n..].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                n += skip.unwrap_or(bytes.len() - n);
            }
        }
        pass(&bytes[from..]);
        None
    }

    fn step_loose(&mut self, byte: u8) {
        self.loose = match (self.loose, byte) {
            (Loose::Dot, b'\r') => Loose::Dot,
            (Loose::Dot, b'\n') => Loose::End,
            (_, b'\n') => Loose::LineStart,
            (Loose::LineStart, b'.') => Loose::Dot,
            _ => Loose::InLine,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What RFC 5321 §4.5.2 says, of all bytes at once: the message, and what follows its end.
    fn oracle(bytes: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
        let mut message = Vec::new();
        let mut rest = bytes;
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2);
            let (line, next) = rest.split_at(end.unwrap_or(rest.len()));
            if line == b".\r\n" {
                return (message, Some(next));
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            if end.is_none() {
                return (message, None);
            }
            rest = next;
        }
    }

    fn unstuffed(pieces: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
        let (mut dots, mut message, mut before) = (Dots::default(), Vec::new(), 0);
        for piece in pieces {
            let end = dots.feed(piece, |bytes| message.extend_from_slice(bytes));
            if let Some(end) = end {
                return (message, Some(before + end));
            }
            before += piece.len();
        }
        (message, None)
    }

    proptest! {
        #[test]
        fn dots_are_taken_out_as_the_rfc_says(
            bytes in prop::collection::vec(prop::sample::select(b".\r\nab".as_slice()), 0..40),
            cut in 0..40_usize,
        ) {
            let (message, rest) = oracle(&bytes);
            let end = rest.map(|rest| bytes.len() - rest.len());
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            for pieces in [&[&bytes[..]][..], &[head, tail]] {
                let (mut got, at) = unstuffed(pieces);
                prop_assert_eq!(at, end);
                // A CR behind a dot is passed on with the byte after it.
                if message.len() == got.len() + 1 && at.is_none() {
                    prop_assert!(bytes.ends_with(b".\r"));
                    got.push(b'\r');
                }
                prop_assert_eq!(&got, &message);
            }
        }

        #[test]
        fn what_a_client_stuffs_comes_back(text in "[.ab\r\n]{0,60}") {
            let text = text.as_bytes();
            let mut wire = Vec::new();
            let mut line_start = true;
            for (at, &byte) in text.iter().enumerate() {
                if line_start && byte == b'.' {
                    wire.push(b'.');
                }
                wire.push(byte);
                line_start = byte == b'\n' && at > 0 && text[at - 1] == b'\r';
            }
            let end = if line_start { &b".\r\n"[..] } else { b"\r\n.\r\n" };
            wire.extend_from_slice(end);
            let (message, at) = unstuffed(&[&wire]);
            prop_assert_eq!(at, Some(wire.len()));
            let mut expected = text.to_vec();
            expected.extend_from_slice(&end[..end.len() - 3]);
            prop_assert_eq!(message, expected);
        }
    }

    #[test]
    fn an_end_by_bare_line_feeds_is_noted_and_is_no_end() {
        for (bytes, loose) in [
            (&b"a\n.\n"[..], true),
            (b"a\n.\r\n", true),
            (b"a\r\n.\n", true),
            (b"a\n.\nb", false),
            (b"a.\n", false),
            (b"a\n..\n", false),
        ] {
            let mut dots = Dots::default();
            assert_eq!(dots.feed(bytes, |_| {}), None, "{bytes:?}");
            assert_eq!(dots.is_loose_end(), loose, "{bytes:?}");
        }
    }
}
