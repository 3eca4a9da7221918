use std::time::Duration;

use flowscope_core::Timestamp;

/// A command and its reply, or a message that the server pushes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RedisExchange {
    /// Time of the end of the command; of a push, of its end.
    pub ts: Timestamp,
    /// The command in upper case, up to 32 bytes, with its subcommand where it has any: `CONFIG SET`. `None` for a push.
    pub command: Option<Vec<u8>>,
    /// The first key of a command that is known to have one, or the first channel or pattern; of a push its channel. Up
    /// to 128 bytes.
    pub key: Option<Vec<u8>>,
    /// Arguments of the command, the subcommand included.
    pub args: u64,
    /// The user in `AUTH` or `HELLO`, up to 128 bytes; none is `default`.
    pub user: Option<Vec<u8>>,
    /// Length of the command in bytes, as it is on the wire.
    pub request_bytes: u64,
    /// The reply, of a push what was pushed; `None` if none was captured, or `CLIENT REPLY` has switched it off.
    pub reply: Option<RedisReply>,
    /// From the end of the command to that of the reply.
    pub latency: Option<Duration>,
}

/// A reply (RESP specification).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RedisReply {
    /// Its type.
    pub kind: RedisKind,
    /// The text of an error, up to 256 bytes, without the arguments of a command that is unknown.
    pub error: Option<Vec<u8>>,
    /// Elements of an array, a set or a push, entries of a map.
    pub elements: Option<u64>,
    /// The first word of a push: `message`, `pmessage`, `invalidate` and so on, up to 128 bytes.
    pub push: Option<Vec<u8>>,
    /// Length in bytes, as it is on the wire.
    pub bytes: u64,
}

/// The type of a reply (RESP specification).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RedisKind {
    /// `+`
    #[default]
    Status,
    /// `-`, and `!` of RESP3
    Error,
    /// `:`
    Integer,
    /// `$`, and `=` of RESP3
    String,
    /// `$-1`, `*-1`, and `_` of RESP3
    Null,
    /// `*`
    Array,
    /// `,` of RESP3
    Double,
    /// `#` of RESP3
    Boolean,
    /// `(` of RESP3
    BigNumber,
    /// `%` of RESP3
    Map,
    /// `~` of RESP3
    Set,
    /// `>` of RESP3, and arrays of RESP2 that no command has asked for
    Push,
}

impl RedisKind {
    /// The name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RedisKind::Status => "status",
            RedisKind::Error => "error",
            RedisKind::Integer => "integer",
            RedisKind::String => "string",
            RedisKind::Null => "null",
            RedisKind::Array => "array",
            RedisKind::Double => "double",
            RedisKind::Boolean => "boolean",
            RedisKind::BigNumber => "big_number",
            RedisKind::Map => "map",
            RedisKind::Set => "set",
            RedisKind::Push => "push",
        }
    }
}

impl RedisExchange {
    /// Memory held beside the value itself, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [&self.command, &self.key, &self.user];
        texts.into_iter().flatten().map(Vec::capacity).sum::<usize>()
            + self.reply.as_ref().map_or(0, RedisReply::heap_bytes)
    }
}

impl RedisReply {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.kind == RedisKind::Error
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        [&self.error, &self.push].into_iter().flatten().map(Vec::capacity).sum()
    }
}
