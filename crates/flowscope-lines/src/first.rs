//! What the first line of a stream may be the start of.

/// Whether `start`, the first bytes of a side, may begin a command: its first word is one of `words`, in any
/// case, or as much of one as is there.
///
/// A word ends at white space or a control character.
#[must_use]
pub fn begins_command(start: &[u8], words: &[&[u8]]) -> bool {
    let end = start.iter().position(|&byte| byte <= b' ');
    let word = &start[..end.unwrap_or(start.len())];
    words.iter().any(|known| match end {
        Some(_) => known.eq_ignore_ascii_case(word),
        None => known.get(..word.len()).is_some_and(|known| known.eq_ignore_ascii_case(word)),
    })
}

/// Whether `start`, the first bytes of a side, may begin a reply: three digits, the first of 1 to 5, then a
/// space, a hyphen or the end of the line (RFC 959 §4.2, RFC 5321 §4.2).
#[must_use]
pub fn begins_reply(start: &[u8]) -> bool {
    start.iter().take(4).enumerate().all(|(at, byte)| match at {
        0 => matches!(byte, b'1'..=b'5'),
        1 | 2 => byte.is_ascii_digit(),
        _ => matches!(byte, b' ' | b'-' | b'\r' | b'\n'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_known_word_or_the_start_of_one() {
        let words: [&[u8]; 2] = [b"QUIT", b"USER"];
        for start in ["", "q", "quit", "QUIT\r\n", "user bob", "Us", "USER\t"] {
            assert!(begins_command(start.as_bytes(), &words), "{start}");
        }
        for start in ["x", "quits", "QUITE\r\n", "US bob", " QUIT", "\r\n", "QUI\0"] {
            assert!(!begins_command(start.as_bytes(), &words), "{start}");
        }
    }

    #[test]
    fn a_reply_is_a_code_or_the_start_of_one() {
        for start in ["", "2", "22", "220", "220 ", "220-a", "354\r\n", "500 AAAA"] {
            assert!(begins_reply(start.as_bytes()), "{start}");
        }
        for start in ["0", "620 ", "2a", "220x", "2200", "AAAA", " 220"] {
            assert!(!begins_reply(start.as_bytes()), "{start}");
        }
    }
}
