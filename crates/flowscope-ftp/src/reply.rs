use flowscope_core::ParseError;

use crate::FtpReplyLine;

/// Lines of a reply that are kept.
pub(crate) const MAX_LINES: usize = 32;
/// Bytes of their text that are kept.
pub(crate) const MAX_TEXT: usize = 4096;

/// A reply, or the start of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) lines: Vec<FtpReplyLine>,
    pub(crate) is_truncated: bool,
    pub(crate) code: u16,
    bytes: usize,
}

impl Reply {
    /// The code that a line begins with, and whether further lines of the reply follow (RFC 959 §4.2; 6yz: RFC
    /// 2228 §5).
    pub(crate) fn code_of(line: &[u8]) -> Option<(u16, bool)> {
        let digits = line.get(..3)?;
        if !digits.iter().all(u8::is_ascii_digit) || !matches!(digits[0], b'1'..=b'6') {
            return None;
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        match line.get(3) {
            None | Some(b' ') => Some((code, false)),
            Some(b'-') => Some((code, true)),
            Some(_) => None,
        }
    }

    /// Adds a line. Returns whether the reply is whole.
    pub(crate) fn line(&mut self, line: &[u8], is_long: bool) -> Result<bool, ParseError> {
        let code = Reply::code_of(line);
        let is_first = self.code == 0;
        let is_last = match code {
            Some((code, more)) if is_first => {
                self.code = code;
                !more
            }
            Some((code, more)) => code == self.code && !more,
            None if is_first => return Err(ParseError::InvalidField("reply code")),
            None => false,
        };
        // A number within a reply of several lines is text unless it is the reply's code.
        let code = code.map(|(code, _)| code).filter(|&code| code == self.code);
        let text = if code.is_some() { line.get(4..).unwrap_or_default() } else { line };
        let room = MAX_TEXT - self.bytes;
        self.is_truncated |= is_long || text.len() > room || self.lines.len() == MAX_LINES;
        if self.lines.len() < MAX_LINES {
            let text = text[..text.len().min(room)].to_vec();
            self.bytes += text.len();
            self.lines.push(FtpReplyLine { code, text });
        }
        Ok(is_last)
    }

    pub(crate) fn is_begun(&self) -> bool {
        self.code != 0
    }

    /// Whether another reply to the same command follows (RFC 959 §4.2.1).
    pub(crate) fn is_preliminary(&self) -> bool {
        self.code < 200
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let texts: usize = self.lines.iter().map(|line| line.text.capacity()).sum();
        texts + self.lines.capacity() * size_of::<FtpReplyLine>()
    }
}
