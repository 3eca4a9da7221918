//! Replies from the bytes of a server (RESP specification).

use flowscope_core::ParseError;
use flowscope_lines::{LineBuffer, first_piece};

use crate::request::number;
use crate::{RedisKind, RedisReply};

/// Bytes of a line that are kept.
const MAX_LINE: usize = 512;
/// Bytes of the text of an error that are kept.
const MAX_ERROR: usize = 256;
/// Bytes of the first words of a reply that are kept: of a push its kind and its channel.
const MAX_WORD: usize = 128;
/// Behind this, the text of an error has arguments of a command.
const ARGUMENTS: &[u8] = b", with args beginning with";

/// Reads replies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replies {
    line: LineBuffer<MAX_LINE>,
    /// Values of the reply that are still to come; aggregates within count too.
    left: u64,
    /// Values of attributes that are still to come (RESP3): they belong to no reply.
    attributes: u64,
    /// Bytes of the string at hand that are still to come, with the end of its line.
    string_left: u64,
    reply: Option<Reply>,
    /// Bytes so far.
    bytes: u64,
}

/// A reply, and its first words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) reply: RedisReply,
    /// The first three strings of an aggregate.
    pub(crate) words: Vec<Vec<u8>>,
    /// Whether the string at hand is one of those, or the text of an error.
    keeps: bool,
    /// Types of the first values within an aggregate, at any depth.
    kinds: [RedisKind; 4],
    /// Values within it so far.
    values: u64,
    /// The third of them, where it is an integer.
    count: Option<u64>,
}

/// What subscriptions are to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Topic {
    Channel,
    Pattern,
    Shard,
}

/// A confirmation: a command, a channel or pattern, and how many subscriptions there are now (Redis, SUBSCRIBE).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Confirmation {
    /// The command in lower case.
    pub(crate) command: &'static [u8],
    pub(crate) topic: Topic,
    /// Whether it names what it is to: one that ends all of no subscriptions does not.
    pub(crate) is_named: bool,
    /// Subscriptions to channels and patterns together, or to channels of shards.
    pub(crate) count: u64,
}

const CONFIRMATIONS: [(&[u8], Topic); 6] = [
    (b"subscribe", Topic::Channel),
    (b"unsubscribe", Topic::Channel),
    (b"psubscribe", Topic::Pattern),
    (b"punsubscribe", Topic::Pattern),
    (b"ssubscribe", Topic::Shard),
    (b"sunsubscribe", Topic::Shard),
];

impl Reply {
    fn first(&self) -> &[u8] {
        self.words.first().map_or(&[], Vec::as_slice)
    }

    /// What it confirms, where it has the form of a confirmation.
    pub(crate) fn confirmation(&self) -> Option<Confirmation> {
        use RedisKind::{Array, Integer, Null, Push, String};
        let is_aggregate = matches!(self.reply.kind, Array | Push);
        let [command, name, count, _] = self.kinds;
        let has_form = self.reply.elements == Some(3)
            && self.values == 3
            && (command, count) == (String, Integer)
            && matches!(name, String | Null);
        if !is_aggregate || !has_form {
            return None;
        }
        let (command, topic) =
            CONFIRMATIONS.into_iter().find(|(command, _)| *command == self.first())?;
        Some(Confirmation { command, topic, is_named: name == String, count: self.count? })
    }

    /// Whether it is what a subscriber gets: strings alone, and as many as its kind has (Redis, Pub/Sub).
    pub(crate) fn is_message(&self) -> bool {
        let len = match self.first() {
            b"message" | b"smessage" => 3,
            b"pmessage" => 4,
            _ => return false,
        };
        self.reply.elements == Some(len)
            && self.values == len
            && self.kinds[..len as usize].iter().all(|kind| *kind == RedisKind::String)
    }
}

impl Replies {
    /// Reads on until a reply is complete; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// What is no type, and lengths that are none.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Reply>, ParseError> {
        while !bytes.is_empty() {
            if self.string_left > 0 {
                let len = self.string_left.min(bytes.len() as u64);
                let (string, rest) = bytes.split_at(len as usize);
                *bytes = rest;
                self.push(string);
                self.string_left -= len;
                self.bytes += len;
                if self.string_left > 0 {
                    continue;
                }
                self.value(0);
            } else {
                let piece = first_piece(bytes);
                *bytes = &bytes[piece.len()..];
                self.bytes += piece.len() as u64;
                // The line borrows the buffer, which is not the reader's meanwhile.
                let mut buffer = std::mem::take(&mut self.line);
                let read = buffer.push(piece).map(|line| self.line(line.text));
                self.line = buffer;
                match read {
                    Some(read) => read?,
                    None => continue,
                }
            }
            if self.left == 0
                && self.attributes == 0
                && self.string_left == 0
                && let Some(mut reply) = self.reply.take()
            {
                reply.reply.bytes = std::mem::take(&mut self.bytes);
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Passes over `len` bytes that were not captured: whether they lie within a string.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        // The end of the line stays.
        let within = len > 0 && self.string_left > len + 2;
        if within {
            self.string_left -= len;
            self.bytes += len;
            if let Some(reply) = &mut self.reply {
                reply.keeps = false;
            }
        }
        within
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let words = |reply: &Reply| {
            reply.reply.heap_bytes()
                + reply.words.capacity() * size_of::<Vec<u8>>()
                + reply.words.iter().map(Vec::capacity).sum::<usize>()
        };
        self.line.heap_bytes() + self.reply.as_ref().map_or(0, words)
    }

    /// A line: a value, or the start of one.
    fn line(&mut self, line: &[u8]) -> Result<(), ParseError> {
        let (&mark, text) = line.split_first().ok_or(ParseError::InvalidField("RESP data type"))?;
        let kind = match mark {
            b'+' => RedisKind::Status,
            b'-' | b'!' => RedisKind::Error,
            b':' => RedisKind::Integer,
            b'$' | b'=' => RedisKind::String,
            b'_' => RedisKind::Null,
            b'*' => RedisKind::Array,
            b',' => RedisKind::Double,
            b'#' => RedisKind::Boolean,
            b'(' => RedisKind::BigNumber,
            b'%' => RedisKind::Map,
            b'~' => RedisKind::Set,
            b'>' => RedisKind::Push,
            b'|' => {
                let entries = length(text)?.unwrap_or(0);
                self.attributes += 2 * entries;
                return Ok(());
            }
            _ => return Err(ParseError::InvalidField("RESP data type")),
        };
        let len = match mark {
            b'$' | b'=' | b'!' | b'*' | b'%' | b'~' | b'>' => length(text)?,
            _ => Some(0),
        };
        self.begin(if len.is_none() { RedisKind::Null } else { kind });
        if let (b'$' | b'=' | b'!', Some(len)) = (mark, len) {
            self.string_left = len + 2;
            return Ok(());
        }
        if mark == b'-' {
            self.push_error(text);
        }
        if let (b':', 0, Some(reply)) = (mark, self.attributes, &mut self.reply)
            && reply.values == 3
        {
            reply.count = number(text).flatten();
        }
        let len = len.unwrap_or(0);
        let values = match mark {
            b'*' | b'~' | b'>' => len,
            b'%' => 2 * len,
            _ => 0,
        };
        if let Some(reply) = &mut self.reply
            && self.attributes == 0
            && matches!(mark, b'*' | b'~' | b'>' | b'%')
            && reply.reply.kind != RedisKind::Null
        {
            reply.reply.elements.get_or_insert(len);
        }
        self.value(values);
        Ok(())
    }

    /// A value begins: the reply, or one within it.
    fn begin(&mut self, kind: RedisKind) {
        if self.attributes > 0 {
            return;
        }
        match &mut self.reply {
            None => {
                self.left = 1;
                let reply = RedisReply { kind, ..RedisReply::default() };
                let keeps = kind == RedisKind::Error;
                self.reply = Some(Reply { reply, keeps, ..Reply::default() });
            }
            Some(reply) => {
                let at = usize::try_from(reply.values).unwrap_or(usize::MAX);
                if let Some(slot) = reply.kinds.get_mut(at) {
                    *slot = kind;
                }
                reply.values += 1;
                reply.keeps = reply.words.len() < 3 && kind == RedisKind::String;
                if reply.keeps {
                    reply.words.push(Vec::new());
                }
            }
        }
    }

    /// A value has ended, or an aggregate of so many values has begun.
    fn value(&mut self, values: u64) {
        let left = if self.attributes > 0 { &mut self.attributes } else { &mut self.left };
        *left = left.saturating_sub(1).saturating_add(values);
    }

    /// Bytes of a string, and the end of its line.
    fn push(&mut self, bytes: &[u8]) {
        let text = self.string_left.saturating_sub(2).min(bytes.len() as u64);
        let text = &bytes[..text as usize];
        match &self.reply {
            Some(reply) if !reply.keeps || self.attributes > 0 => {}
            Some(reply) if reply.reply.kind == RedisKind::Error => self.push_error(text),
            _ => self.push_word(text),
        }
    }

    fn push_error(&mut self, text: &[u8]) {
        let Some(reply) = self.reply.as_mut().filter(|reply| reply.reply.kind == RedisKind::Error)
        else {
            return;
        };
        let error = reply.reply.error.get_or_insert_default();
        let room = MAX_ERROR - error.len();
        error.extend_from_slice(&text[..text.len().min(room)]);
        let arguments = error.windows(ARGUMENTS.len()).position(|part| part == ARGUMENTS);
        if let Some(at) = arguments {
            error.truncate(at);
            reply.keeps = false;
        }
    }

    /// Bytes of one of the first strings of an aggregate.
    fn push_word(&mut self, text: &[u8]) {
        let Some(word) = self.reply.as_mut().and_then(|reply| reply.words.last_mut()) else {
            return;
        };
        let room = MAX_WORD - word.len();
        word.extend_from_slice(&text[..text.len().min(room)]);
    }
}

/// A length; `None` for nothing.
fn length(text: &[u8]) -> Result<Option<u64>, ParseError> {
    number(text).ok_or(ParseError::InvalidField("RESP length"))
}
