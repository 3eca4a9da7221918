/// A line of a reply (RFC 5321 §4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// Whether it is the only line of its reply, or the last.
    pub(crate) is_last: bool,
}

impl Reply {
    /// Reads a line without its end: three digits, then nothing, or a space, or a hyphen where lines follow.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        if !matches!(digits[0], b'2'..=b'5') || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let is_last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return None,
        };
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        Some(Reply { code, is_last })
    }

    /// Whether the command was done (RFC 5321 §4.2.1).
    pub(crate) fn is_success(self) -> bool {
        self.code / 100 == 2
    }

    /// Whether the server waits for more (RFC 5321 §4.2.1).
    pub(crate) fn is_intermediate(self) -> bool {
        self.code / 100 == 3
    }

    /// Whether the reply is a transient or permanent refusal, 4yz or 5yz (RFC 5321 §4.2.1).
    pub(crate) fn is_refusal(self) -> bool {
        self.code >= 400
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_three_digits_and_a_separator() {
        let reply = |code, is_last| Some(Reply { code, is_last });
        for (line, expected) in [
            (&b"250 Ok"[..], reply(250, true)),
            (b"250-SIZE", reply(250, false)),
            (b"354", reply(354, true)),
            (b"25", None),
            (b"2500 Ok", None),
            (b"150 Opening", None),
            (b"6aa ", None),
            (b"", None),
        ] {
            assert_eq!(Reply::parse(line), expected, "{}", line.escape_ascii());
        }
    }
}
