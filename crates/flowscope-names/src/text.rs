//! Words and lines of text protocols.

use crate::answer::Answer;

/// Whether `start` begins with one of these words.
pub(crate) fn one_of(start: &[u8], words: &[&[u8]]) -> Answer {
    let mut answer = Answer::No;
    for word in words {
        let len = word.len().min(start.len());
        if start[..len] == word[..len] {
            if len == word.len() {
                return Answer::Yes;
            }
            answer = Answer::Maybe;
        }
    }
    answer
}

/// The first line without its end, and what follows; `None` as long as it has no end.
pub(crate) fn line(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = start.iter().position(|&byte| byte == b'\n')?;
    let line = start[..end].strip_suffix(b"\r").unwrap_or(&start[..end]);
    Some((line, &start[end + 1..]))
}

/// Whether the first line of text satisfies `probe`; it is waited for as long as it is text.
pub(crate) fn first_line(start: &[u8], probe: impl FnOnce(&[u8]) -> bool) -> Answer {
    let text = start.iter().take_while(|&&byte| is_text(byte)).count();
    match line(&start[..text]) {
        Some((line, _)) if probe(line) => Answer::Yes,
        Some(_) => Answer::No,
        None if text == start.len() => Answer::Maybe,
        None => Answer::No,
    }
}

/// Whether a byte may stand in a line of text.
pub(crate) fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n') || byte >= 0x80
}

/// Whether a text has a part, in upper or lower case.
pub(crate) fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Whether all bytes are visible ASCII, and there is at least one.
pub(crate) fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
}

/// Whether all bytes are decimal digits, and there is at least one.
pub(crate) fn is_number(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

/// The words of a line between single spaces.
pub(crate) fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(|&byte| byte == b' ').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_waited_for_as_long_as_it_may_come() {
        let check = |start: &[u8], expected| {
            assert_eq!(one_of(start, &[b"GET ", b"GETS "]), expected, "{start:?}");
        };
        check(b"", Answer::Maybe);
        check(b"GET", Answer::Maybe);
        check(b"GETS", Answer::Maybe);
        check(b"GET x", Answer::Yes);
        check(b"GETX", Answer::No);
    }

    #[test]
    fn a_line_is_waited_for_as_long_as_it_is_text() {
        let check = |start: &[u8], expected| {
            assert_eq!(first_line(start, |line| line == b"a b"), expected, "{start:?}");
        };
        check(b"a b", Answer::Maybe);
        check(b"a b\r\n", Answer::Yes);
        check(b"a b\n\0", Answer::Yes);
        check(b"a \x01b", Answer::No);
        check(b"a c\r\n", Answer::No);
    }
}
