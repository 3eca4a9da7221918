use std::fmt;
use std::time::Duration;

/// What a Redis connection says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RedisMessage {
    /// The client asks.
    Request(Request),
    /// The server answers.
    Reply(Reply),
    /// The server speaks unasked (RESP3): a message of a subscription, an invalidated key.
    Push(List),
}

/// A command and its arguments.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// 0 for the first that was seen of the flow; [`Reply::request`] refers to it.
    pub number: u64,
    /// The command and its arguments, the first [`MAX_VALUES`](crate::MAX_VALUES) of them.
    pub words: Vec<Text>,
    /// How many words were sent.
    pub len: u64,
    /// Whether it was typed as a line, rather than sent as an array.
    pub inline: bool,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// [`Request::number`] of what it answers, unless that is not certain: its request was not seen,
    /// or an earlier one changed how replies follow requests, such as `SUBSCRIBE`.
    pub request: Option<u64>,
    /// From the request's last byte to the reply's; zero if the capture has them in another order.
    pub latency: Option<Duration>,
    /// The answer.
    pub value: Value,
}

/// A value, as far as it is kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: a null, a null string or a null array.
    Null,
    /// `#`.
    Boolean(bool),
    /// `:`.
    Integer(i64),
    /// `,` and `(`: a double or a big number, as written.
    Number(Text),
    /// `+`, `$` and `=`: a string; a verbatim one with its format, such as `txt:`.
    Text(Text),
    /// `-` and `!`: an error.
    Error(Text),
    /// `*`, `~`, `%` and `>`.
    List(List),
}

/// Bytes that were sent, or the first of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Text {
    /// What is kept: all texts of a message together, at most [`MAX_TEXT`](crate::MAX_TEXT) bytes; of
    /// one with bytes that were never captured, what came before those.
    pub bytes: Vec<u8>,
    /// How many bytes were sent.
    pub len: u64,
}

/// Values in a row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct List {
    /// What they are to each other.
    pub kind: Kind,
    /// The values that are kept: of all lists of a message together, the first
    /// [`MAX_VALUES`](crate::MAX_VALUES). Keys and values of a map take turns.
    pub values: Vec<Value>,
    /// How many values were sent.
    pub len: u64,
}

/// What the values of a list are to each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// In order.
    Array,
    /// In no order.
    Set,
    /// Keys, each before its value.
    Map,
    /// Sent unasked.
    Push,
}

impl Request {
    /// The command, as sent: Redis reads it in any case.
    #[must_use]
    pub fn command(&self) -> &[u8] {
        self.words.first().map_or(&[], |word| &word.bytes)
    }
}

impl Text {
    /// Whether every byte that was sent is kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.len
    }
}

impl fmt::Display for RedisMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisMessage::Request(request) => request.fmt(f),
            RedisMessage::Reply(reply) => reply.fmt(f),
            RedisMessage::Push(list) => list.fmt(f),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)?;
        self.words.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("(nil)"),
            Value::Boolean(yes) => yes.fmt(f),
            Value::Integer(number) => number.fmt(f),
            Value::Number(text) | Value::Text(text) => text.fmt(f),
            Value::Error(text) => write!(f, "(error) {text}"),
            Value::List(list) => list.fmt(f),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            value.fmt(f)?;
        }
        if self.values.len() as u64 != self.len {
            f.write_str("…")?;
        }
        f.write_str("]")
    }
}

/// Escaped, so that no byte from the wire reaches a terminal as it is.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.escape_ascii().fmt(f)?;
        if self.is_whole() { Ok(()) } else { f.write_str("…") }
    }
}
