/// Decodes quoted-printable as it comes (RFC 2045 §6.7).
///
/// What is no encoding stays as it is. The white space at the end of a line is no part of the text; of more than
/// [`MAX_HELD`] bytes of it, only the last are taken for such.
#[derive(Clone, Debug, Default)]
pub(super) struct Quoted {
    state: State,
    /// Bytes of which it is not known yet what they are: `=` or white space, and what follows.
    held: Vec<u8>,
}

/// White space that is held, at most: more than a line may have.
const MAX_HELD: usize = 128;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Text,
    /// In white space.
    Space,
    /// Behind it and CR.
    SpaceCr,
    /// Behind `=`.
    Escape,
    /// Behind `=` and a digit of this value.
    Digit(u8),
    /// Behind `=` and white space.
    Soft,
    /// Behind `=`, perhaps white space, and CR.
    SoftCr,
}

impl Quoted {
    pub(super) fn feed(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if self.state == State::Text {
                let plain = rest.iter().position(|byte| matches!(byte, b'=' | b' ' | b'\t'));
                let plain = plain.unwrap_or(rest.len());
                if plain > 0 {
                    out(&rest[..plain]);
                    rest = &rest[plain..];
                    continue;
                }
            }
            if self.step(byte, &mut out) {
                rest = &rest[1..];
            }
        }
    }

    /// The text is over. An end of a line may have followed it.
    pub(super) fn end(&mut self, mut out: impl FnMut(&[u8])) {
        match self.state {
            State::Text | State::Space | State::Escape | State::Soft | State::SoftCr => {}
            State::Digit(_) => out(&self.held),
            State::SpaceCr => {
                out(&self.held);
                out(b"\r");
            }
        }
        *self = Quoted::default();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Takes a byte, or only finds that what is held is text.
    fn step(&mut self, byte: u8, out: &mut impl FnMut(&[u8])) -> bool {
        let next = match (self.state, byte) {
            (State::Text, b'=') => Some(State::Escape),
            (State::Text | State::Space, b' ' | b'\t') => Some(State::Space),
            (State::Escape | State::Soft, b' ' | b'\t') => Some(State::Soft),
            (State::Escape, _) => digit(byte).map(State::Digit),
            _ => None,
        };
        if let Some(next) = next
            && self.held.len() < MAX_HELD
        {
            self.held.push(byte);
            self.state = next;
            return true;
        }
        let mut decoded = [0];
        let (text, is_taken): (&[u8], bool) = match (self.state, byte) {
            (State::Space, b'\r') => return self.becomes(State::SpaceCr),
            (State::Escape | State::Soft, b'\r') => return self.becomes(State::SoftCr),
            (State::Space, b'\n') => (b"\n", true),
            (State::SpaceCr, b'\n') => (b"\r\n", true),
            (State::Escape | State::Soft | State::SoftCr, b'\n') => (b"", true),
            (State::Digit(high), _) => match digit(byte) {
                Some(low) => {
                    decoded[0] = high << 4 | low;
                    (&decoded[..], true)
                }
                None => (b"", false),
            },
            _ => (b"", false),
        };
        if !is_taken {
            // What is held is text, and the byte is looked at anew.
            out(&self.held);
            if matches!(self.state, State::SpaceCr | State::SoftCr) {
                out(b"\r");
            }
        }
        out(text);
        self.held.clear();
        self.state = State::Text;
        is_taken
    }

    fn becomes(&mut self, state: State) -> bool {
        self.state = state;
        true
    }
}

/// The value of a hexadecimal digit, of which the RFC has capital letters, and others write small ones.
pub(super) fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Quoted::default(), Vec::new());
        for piece in pieces {
            decoder.feed(piece, |bytes| out.extend_from_slice(bytes));
            assert!(decoder.heap_bytes() <= 2 * MAX_HELD);
        }
        decoder.end(|bytes| out.extend_from_slice(bytes));
        out
    }

    /// Of all lines at once.
    fn oracle(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let ends = [&b"\r\n"[..], b"\n"].into_iter().find(|end| line.ends_with(end));
            let (line, end) = line.split_at(line.len() - ends.map_or(0, <[u8]>::len));
            let trimmed = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
            let mut line = &line[..trimmed.map_or(0, |at| at + 1)];
            // The last line may have lost its end to a delimiter, but not half of it.
            let is_soft = line.last() == Some(&b'=');
            if is_soft {
                line = &line[..line.len() - 1];
            }
            while let Some((&first, rest)) = line.split_first() {
                let digits = rest.first().zip(rest.get(1));
                let value = digits.and_then(|(a, b)| Some(digit(*a)? << 4 | digit(*b)?));
                match value.filter(|_| first == b'=') {
                    Some(value) => {
                        out.push(value);
                        line = &rest[2..];
                    }
                    None => {
                        out.push(first);
                        line = rest;
                    }
                }
            }
            if !is_soft {
                out.extend_from_slice(end);
            }
        }
        out
    }

    #[test]
    fn encodings_soft_breaks_and_white_space_are_no_text() {
        for (text, plain) in [
            (&b"a=3Db=3dc"[..], &b"a=b=c"[..]),
            (b"soft=\r\nbreak= \t\r\nand=\nmore", b"softbreakandmore"),
            (b"end \t\r\n in  \n side", b"end\r\n in\n side"),
            (b"=", b""),
            (b"a=4", b"a=4"),
            (b"=zz =4 ==41", b"=zz =4 =A"),
            (b"a = b", b"a = b"),
            (b"a =\rb \rc", b"a =\rb \rc"),
            (b"=E2=82=AC", "€".as_bytes()),
        ] {
            assert_eq!(decoded(&[text]), plain, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn white_space_without_end_is_text_as_it_comes() {
        let mut decoder = Quoted::default();
        let mut len = 0;
        for _ in 0..1000 {
            decoder.feed(&[b' '; 100], |bytes| len += bytes.len());
            assert!(decoder.heap_bytes() <= 2 * MAX_HELD);
        }
        assert!(len > 100_000 - 2 * MAX_HELD);
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces_is_decoded_as_a_whole_one(
            text in prop::collection::vec(prop::sample::select(b"=4Aaz \t\r\n".as_slice()), 0..40),
            cut in 0..40_usize,
        ) {
            // The oracle has no opinion on half an end of a line at the end.
            let text = text.strip_suffix(b"\r").unwrap_or(&text);
            prop_assume!(!text.ends_with(b"\r"));
            let (head, tail) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(decoded(&[head, tail]), oracle(text));
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(decoded(&bytes), oracle(text));
        }
    }
}
