use flowscope_core::ParseError;

use crate::message::{Kind, List, Text, Value};

/// Bytes of text that are kept of one message; the rest of it is read and counted.
pub const MAX_TEXT: usize = 16 << 10;

/// Values that are kept of one message, beside the outermost one; the rest are read and counted.
pub const MAX_VALUES: usize = 1024;

/// How deep lists may stand in lists. Deeper is not Redis: the parser fails.
pub const MAX_DEPTH: usize = 8;

/// The longest line, in bytes, its end included: what Redis itself takes of an inline command. With a
/// longer one the parser fails.
pub const MAX_LINE: usize = 64 << 10;

/// The greatest length of a string, and of a list, that is believed.
const MAX_LEN: i64 = u32::MAX as i64;

/// A line longer than this gives its memory back.
const SHORT_LINE: usize = 256;

/// Reads the values of one direction, whatever pieces they come in.
///
/// Never holds an unread byte but of an unfinished line: strings are copied up to what is kept and
/// counted beyond, lists are a counter each.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    speaker: Speaker,
    line: Vec<u8>,
    string: Option<Open<Text>>,
    lists: Vec<Open<List>>,
    /// What may still be kept of the message at hand.
    texts: usize,
    values: usize,
    /// Bytes of memory of the finished values of the message at hand, by capacity.
    held: usize,
}

/// Whose grammar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaker {
    /// Arrays of strings, or lines of words.
    Client,
    /// Any value.
    Server,
}

/// A value that has begun.
#[derive(Clone, Debug)]
struct Open<T> {
    value: T,
    /// For a string, bytes to come, those of its line end included; for a list, values.
    left: u64,
    /// The type byte.
    kind: u8,
}

/// What comes out at the top: a value, or the words of an inline command.
#[derive(Debug, PartialEq)]
pub(crate) enum Whole {
    Value(Value),
    Inline(Vec<Text>, u64),
}

impl Reader {
    pub(crate) fn new(speaker: Speaker) -> Self {
        Reader {
            speaker,
            line: Vec::new(),
            string: None,
            lists: Vec::new(),
            texts: MAX_TEXT,
            values: MAX_VALUES,
            held: 0,
        }
    }

    /// Takes bytes off the front, up to the end of one message; all of them if it does not end.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Whole>, ParseError> {
        while !bytes.is_empty() {
            let value = if self.string.is_some() {
                self.string(bytes)?
            } else {
                let Some(mut line) = self.line(bytes)? else { break };
                let whole = self.header(&line);
                line.clear();
                if line.capacity() <= SHORT_LINE {
                    self.line = line;
                }
                match whole? {
                    Some(Whole::Value(value)) => Some(value),
                    inline @ Some(_) => return Ok(self.done(inline)),
                    None => None,
                }
            };
            if let Some(whole) = value.and_then(|value| self.place(value)) {
                return Ok(self.done(Some(Whole::Value(whole))));
            }
        }
        Ok(None)
    }

    /// Passes over `len` bytes that were never captured; says whether it knows where it is then, and
    /// gives the message that ends there.
    pub(crate) fn skip(&mut self, len: u64) -> Result<Option<Whole>, Lost> {
        let string = self.string.as_mut().filter(|_| len > 0).ok_or(Lost)?;
        string.left = string.left.checked_sub(len).ok_or(Lost)?;
        // What comes after the hole would not stand next to what came before it.
        self.texts = 0;
        if string.left > 0 {
            return Ok(None);
        }
        let value = self.end_string();
        let whole = value.and_then(|value| self.place(value)).map(Whole::Value);
        Ok(if whole.is_some() { self.done(whole) } else { None })
    }

    /// Bytes of memory held, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let string = self.string.as_ref().map_or(0, |open| open.value.bytes.capacity());
        let lists: usize =
            self.lists.iter().map(|o| o.value.values.capacity() * size_of::<Value>()).sum();
        let stack = self.lists.capacity() * size_of::<Open<List>>();
        self.line.capacity() + string + lists + stack + self.held
    }

    /// The next line with its end, if that has come.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, ParseError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.line.len() + piece.len() > MAX_LINE {
            // However many more there are: the pieces shall make no difference.
            return Err(ParseError::TooLong(MAX_LINE as u64 + 1));
        }
        self.line.extend_from_slice(piece);
        *bytes = rest;
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }

    /// What a line says: a value of its own, or the beginning of one.
    fn header(&mut self, line: &[u8]) -> Result<Option<Whole>, ParseError> {
        let Some((&kind, rest)) = line.split_first() else { return Ok(None) };
        let inside = !self.lists.is_empty();
        if self.speaker == Speaker::Client {
            match (inside, kind) {
                (false, b'*') | (true, b'$') => {}
                (false, _) => return Ok(Some(self.inline(line))),
                (true, _) => return Err(ParseError::InvalidField("bulk string in a request")),
            }
        }
        let rest = rest.strip_suffix(b"\r\n").ok_or(ParseError::InvalidField("end of line"))?;
        let value = match kind {
            b'$' | b'!' | b'=' => match length(rest)? {
                None => Value::Null,
                Some(len) => {
                    self.string =
                        Some(Open { value: Text { bytes: Vec::new(), len }, left: len + 2, kind });
                    return Ok(None);
                }
            },
            b'*' | b'~' | b'%' | b'>' | b'|' => match length(rest)? {
                None => Value::Null,
                Some(len) => return Ok(self.list(kind, len)?.map(Whole::Value)),
            },
            b'+' => Value::Text(self.text(rest)),
            b'-' => Value::Error(self.text(rest)),
            b',' | b'(' => Value::Number(self.text(rest)),
            b':' => Value::Integer(number(rest).ok_or(ParseError::InvalidField("integer"))?),
            b'#' => match rest {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                _ => return Err(ParseError::InvalidField("boolean")),
            },
            b'_' if rest.is_empty() => Value::Null,
            _ => return Err(ParseError::NotTheProtocol),
        };
        Ok(Some(Whole::Value(value)))
    }

    /// Begins a list; gives it back if it is empty.
    fn list(&mut self, kind: u8, len: u64) -> Result<Option<Value>, ParseError> {
        let len = if matches!(kind, b'%' | b'|') { len * 2 } else { len };
        let is = match kind {
            b'~' => Kind::Set,
            b'%' => Kind::Map,
            b'>' => Kind::Push,
            _ => Kind::Array,
        };
        let list = List { kind: is, values: Vec::new(), len };
        if len == 0 {
            return Ok((kind != b'|').then_some(Value::List(list)));
        }
        if self.lists.len() == MAX_DEPTH {
            return Err(ParseError::InvalidField("depth of lists"));
        }
        self.lists.push(Open { value: list, left: len, kind });
        Ok(None)
    }

    /// Reads on in a string; gives it when it has ended.
    fn string(&mut self, bytes: &mut &[u8]) -> Result<Option<Value>, ParseError> {
        let Some(open) = &mut self.string else { return Ok(None) };
        let body = usize::try_from(open.left.saturating_sub(2)).unwrap_or(usize::MAX);
        let (body, rest) = bytes.split_at(body.min(bytes.len()));
        let keep = body.get(..self.texts).unwrap_or(body);
        open.value.bytes.extend_from_slice(keep);
        self.texts -= keep.len();
        open.left -= body.len() as u64;
        *bytes = rest;
        while let (1..=2, Some((&byte, rest))) = (open.left, bytes.split_first()) {
            if byte != if open.left == 2 { b'\r' } else { b'\n' } {
                return Err(ParseError::InvalidField("end of a string"));
            }
            *bytes = rest;
            open.left -= 1;
        }
        Ok(if open.left == 0 { self.end_string() } else { None })
    }

    fn end_string(&mut self) -> Option<Value> {
        let Open { value, kind, .. } = self.string.take()?;
        self.held += value.bytes.capacity();
        Some(if kind == b'!' { Value::Error(value) } else { Value::Text(value) })
    }

    /// Puts a value where it belongs; gives the outermost one when that is whole.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(open) = self.lists.last_mut() else { return Some(value) };
            if let Some(values) = self.values.checked_sub(1) {
                self.values = values;
                open.value.values.push(value);
            }
            open.left -= 1;
            if open.left > 0 {
                return None;
            }
            let Open { value: list, kind, .. } = self.lists.pop()?;
            self.held += list.values.capacity() * size_of::<Value>();
            if kind == b'|' {
                // An attribute stands before the value that it is about, and is none itself.
                return None;
            }
            value = Value::List(list);
        }
    }

    /// A command typed by hand: words between spaces. Redis takes quotes too, which are kept here as
    /// they are.
    fn inline(&mut self, line: &[u8]) -> Whole {
        let mut words = Vec::new();
        let mut len = 0;
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            len += 1;
            if let Some(values) = self.values.checked_sub(1) {
                self.values = values;
                words.push(self.text(word));
            }
        }
        Whole::Inline(words, len)
    }

    fn text(&mut self, bytes: &[u8]) -> Text {
        let keep = bytes.get(..self.texts).unwrap_or(bytes);
        self.texts -= keep.len();
        self.held += keep.len();
        Text { bytes: keep.to_vec(), len: bytes.len() as u64 }
    }

    /// A message is whole: the next one has all the room again.
    fn done(&mut self, whole: Option<Whole>) -> Option<Whole> {
        (self.texts, self.values, self.held) = (MAX_TEXT, MAX_VALUES, 0);
        whole
    }
}

/// The reader does not know where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// A length, or none for a null.
fn length(digits: &[u8]) -> Result<Option<u64>, ParseError> {
    match number(digits).ok_or(ParseError::InvalidField("length"))? {
        -1 => Ok(None),
        len @ 0..=MAX_LEN => Ok(Some(len.unsigned_abs())),
        len if len > 0 => Err(ParseError::TooLong(len.unsigned_abs())),
        _ => Err(ParseError::InvalidField("length")),
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
