use flowscope_record::wire_text;

/// Appends text in quotes, with the escapes that JSON asks for (RFC 8259 §7).
#[inline]
pub(crate) fn write(text: &str, out: &mut Vec<u8>) {
    if any_word(text.as_bytes(), needs_escape) {
        serde_json::to_writer(out, text).expect("a vector takes all");
    } else {
        quote(text.as_bytes(), out);
    }
}

/// Appends bytes of the wire as [`wire_text`] has them.
#[inline]
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    if !write_ascii(bytes, out) {
        write(&wire_text(bytes), out);
    }
}

/// Appends text in quotes, if it is ASCII and needs no escape; says whether that was so.
#[inline]
pub(crate) fn write_ascii(text: &[u8], out: &mut Vec<u8>) -> bool {
    let plain = !any_word(text, |word| needs_escape(word) | word);
    if plain {
        quote(text, out);
    }
    plain
}

#[inline]
fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Whether `marks` sets the highest bit of a byte for one of these bytes, of which it gets eight at a time.
#[inline]
fn any_word(text: &[u8], marks: impl Fn(u64) -> u64) -> bool {
    let mut marked = 0;
    // The last bytes of a text, or all of a short one, some of them twice.
    let last = if let Some(last) = text.last_chunk() {
        // No branch within, so that the loop takes several words at a time.
        for word in text.as_chunks().0 {
            marked |= marks(u64::from_ne_bytes(*word));
        }
        *last
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let ([a, b, c, d], [e, f, g, h]) = (*first, *last);
        [a, b, c, d, e, f, g, h]
    } else {
        let (Some(first), Some(last)) = (text.first(), text.last()) else { return false };
        let (a, b, c) = (*first, text[text.len() / 2], *last);
        [a, b, c, a, b, c, a, b]
    };
    (marked | marks(u64::from_ne_bytes(last))) & (EACH << 7) != 0
}

/// A one in each byte.
const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Marks the control characters, quotes and backslashes among eight bytes; where it marks none, there is
/// none.
///
/// A byte below `n` borrows when `n` is subtracted, which shows in its highest bit; so does one from 128 on
/// by itself. A borrow goes on into higher bytes only where one was found already.
#[inline]
fn needs_escape(word: u64) -> u64 {
    let below = |word: u64, n: u64| word.wrapping_sub(EACH * n) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    below(word, 0x20) | is(b'"') | is(b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_escaped(byte: u8) -> bool {
        matches!(byte, 0..0x20 | b'"' | b'\\')
    }

    #[test]
    fn every_byte_is_seen_at_every_place() {
        for len in 1..40 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let place = format!("{byte:#x} at {at} of {len}");
                    assert_eq!(any_word(&text, needs_escape), is_escaped(byte), "{place}");
                    let written = write_ascii(&text, &mut Vec::new());
                    assert_eq!(written, byte.is_ascii() && !is_escaped(byte), "{place}");
                }
            }
        }
        assert!(!any_word(b"", needs_escape));
    }

    /// A subtraction carries over from one byte to the next.
    #[test]
    fn neighbours_are_told_apart() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                let text = [b'x', a, b, 0xff, 0x80, b'!', b'#', b']'];
                let escaped = is_escaped(a) | is_escaped(b);
                assert_eq!(any_word(&text, needs_escape), escaped, "{a:#x} {b:#x}");
            }
        }
    }

    #[test]
    fn text_is_written_as_the_library_does() {
        for text in ["", "a", "\"", "\\", "é\u{7f}\u{80}", "a\tb\nc\u{1f}", "0123456789\u{0}"] {
            let expected = serde_json::to_vec(text).unwrap();
            let (mut out, mut of_bytes) = (Vec::new(), Vec::new());
            write(text, &mut out);
            write_bytes(text.as_bytes(), &mut of_bytes);
            assert_eq!((&out, &of_bytes), (&expected, &expected));
        }
        let mut out = Vec::new();
        write_bytes(b"a\xff\"", &mut out);
        assert_eq!(out, br#""a\\xff\"""#);
    }
}
