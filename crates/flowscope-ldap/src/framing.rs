//! Messages from the bytes of one side: a sequence with its length (RFC 4511 §4.1.1).

use flowscope_core::ParseError;

use crate::ber::{Header, SEQUENCE, header};

/// Bytes of a message that are kept.
const MAX_KEPT: usize = 4096;
/// The longest header of a value.
const MAX_HEADER: usize = 6;

/// The message of one side that is being received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    /// The header so far.
    header: [u8; MAX_HEADER],
    header_len: usize,
    body: Option<Body>,
    /// What is kept of what follows it.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    len: u32,
    left: u32,
    /// Bytes of it were not captured: what follows them is not kept.
    is_cut: bool,
}

impl Framing {
    /// Reads on until a message is complete, and shows `each` its first bytes, and whether they are all; `None` when the
    /// bytes are used up.
    ///
    /// # Errors
    ///
    /// What is no sequence, and a length that is none.
    pub(crate) fn next<T>(
        &mut self,
        bytes: &mut &[u8],
        each: impl FnOnce(&[u8], bool) -> T,
    ) -> Result<Option<T>, ParseError> {
        if self.body.is_none() && !self.head(bytes)? {
            return Ok(None);
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let len = bytes.len().min(body.left as usize);
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        let is_in_one_piece = body.left == body.len && len == body.len as usize;
        body.left -= len as u32;
        if !body.is_cut && !is_in_one_piece {
            let room = MAX_KEPT - self.kept.len();
            self.kept.extend_from_slice(&taken[..len.min(room)]);
        }
        if body.left > 0 {
            return Ok(None);
        }
        // A message that lies in one piece is not copied.
        let kept = if is_in_one_piece { &taken[..len.min(MAX_KEPT)] } else { &self.kept[..] };
        let shown = each(kept, kept.len() == body.len as usize);
        self.header_len = 0;
        self.body = None;
        self.kept.clear();
        Ok(Some(shown))
    }

    /// Whether no message has begun whose end is still to come.
    pub(crate) fn is_between(&self) -> bool {
        self.header_len == 0
    }

    /// Passes over `len` bytes that were not captured: whether they lie within a message.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        match &mut self.body {
            Some(body) if len > 0 && u64::from(body.left) > len => {
                body.left -= len as u32;
                body.is_cut = true;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// Reads the header; whether it is complete.
    fn head(&mut self, bytes: &mut &[u8]) -> Result<bool, ParseError> {
        while let Some((&first, rest)) = bytes.split_first() {
            *bytes = rest;
            self.header[self.header_len] = first;
            self.header_len += 1;
            if self.header[0] != SEQUENCE {
                return Err(ParseError::InvalidField("LDAPMessage"));
            }
            match header(&self.header[..self.header_len]) {
                Header::Whole { len, .. } => {
                    self.body = Some(Body { len, left: len, is_cut: false });
                    return Ok(true);
                }
                Header::Short => {}
                Header::Wrong => return Err(ParseError::InvalidField("length")),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: &mut Framing, mut bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut messages = Vec::new();
        while let Some(message) =
            framing.next(&mut bytes, |kept, is_whole| (kept.to_vec(), is_whole)).unwrap()
        {
            messages.push(message);
        }
        messages
    }

    #[test]
    fn messages_do_not_depend_on_how_they_are_cut() {
        let bytes =
            [&b"\x30\x02ab\x30\0\x30\x84\0\0\x20\0"[..], &[7; 0x2000], b"\x30\x81\x01c"].concat();
        let whole = read(&mut Framing::default(), &bytes);
        let lens: Vec<_> = whole.iter().map(|(kept, is_whole)| (kept.len(), *is_whole)).collect();
        assert_eq!(lens, [(2, true), (0, true), (MAX_KEPT, false), (1, true)]);
        for size in [1, 2, 3, 7, 5000] {
            let mut framing = Framing::default();
            let messages: Vec<_> =
                bytes.chunks(size).flat_map(|piece| read(&mut framing, piece)).collect();
            assert_eq!(messages, whole, "{size}");
            assert!(framing.is_between() && framing.heap_bytes() <= 2 * MAX_KEPT);
        }
    }

    #[test]
    fn missing_bytes_within_a_message_are_passed_over() {
        let mut framing = Framing::default();
        assert!(!framing.skip(1));
        assert_eq!(read(&mut framing, b"\x30\x0aab"), []);
        assert!(!framing.clone().skip(8));
        assert!(framing.skip(7));
        assert_eq!(read(&mut framing, b"c"), [(b"ab".to_vec(), false)]);
    }
}
