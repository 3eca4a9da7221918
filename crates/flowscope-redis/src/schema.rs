use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{RedisExchange, RedisReply};

type C = Column<RedisExchange>;
type X = RedisExchange;

/// The columns of an exchange.
pub static REDIS: Schema<RedisExchange> = Schema {
    summary,
    columns: &[
        C::new(
            "command",
            Kind::Bytes,
            |x| Value::some(x.command.as_deref()),
            "Command in upper case, with its subcommand; none: a push (RESP specification, Sending commands).",
        )
        .eve("redis.command")
        .zeek(0, "cmd.name", ZeekType::String),
        C::new(
            "key",
            Kind::Bytes,
            |x| Value::some(x.key.as_deref()),
            "First key, channel or pattern of a command that is known to have one, up to 128 bytes; of a push \
             its channel (Redis, Commands).",
        )
        .eve("redis.key")
        .zeek(1, "cmd.key", ZeekType::String),
        C::new(
            "args",
            Kind::U64,
            |x| Value::some(x.command.as_ref().map(|_| x.args)),
            "Arguments of the command (RESP specification, Sending commands).",
        )
        .eve("redis.args")
        .zeek(2, "cmd.args", ZeekType::Count),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "User in AUTH or HELLO, up to 128 bytes; never a password (Redis, AUTH).",
        )
        .eve("redis.user")
        .zeek(3, "user", ZeekType::String),
        C::new(
            "success",
            Kind::Bool,
            |x| Value::some(reply(x).map(|reply| !reply.is_error())),
            "Whether the reply is no error (RESP specification, Simple errors).",
        )
        .eve("redis.success")
        .zeek(4, "success", ZeekType::Bool),
        C::new(
            "reply",
            Kind::Text,
            |x| Value::some(reply(x).map(|reply| reply.kind.as_str())),
            "Type of the reply: status, error, integer, string, null, array, double, boolean, big_number, map, \
             set or push; none: no reply (RESP specification, Data types).",
        )
        .eve("redis.reply")
        .zeek(5, "reply.type", ZeekType::String),
        C::new(
            "error",
            Kind::Bytes,
            |x| Value::some(reply(x).and_then(|reply| reply.error.as_deref())),
            "Text of an error, up to 256 bytes, without arguments of unknown commands (RESP specification, \
             Simple errors).",
        )
        .eve("redis.error")
        .zeek(6, "reply.error", ZeekType::String),
        C::new(
            "push",
            Kind::Bytes,
            |x| Value::some(reply(x).and_then(|reply| reply.push.as_deref())),
            "Kind of a push: message, pmessage, smessage, invalidate and so on (RESP specification, Pushes).",
        )
        .eve("redis.push")
        .zeek(7, "reply.push", ZeekType::String),
        C::new(
            "elements",
            Kind::U64,
            |x| Value::some(reply(x).and_then(|reply| reply.elements)),
            "Elements of an array, a set or a push, entries of a map (RESP specification, Arrays).",
        )
        .eve("redis.elements")
        .zeek(8, "reply.elements", ZeekType::Count),
        C::new(
            "request_bytes",
            Kind::U64,
            |x| Value::some(x.command.as_ref().map(|_| x.request_bytes)),
            "Length of the command in bytes.",
        )
        .eve("redis.request_bytes")
        .zeek(9, "cmd.bytes", ZeekType::Count),
        C::new(
            "reply_bytes",
            Kind::U64,
            |x| Value::some(reply(x).map(|reply| reply.bytes)),
            "Length of the reply in bytes.",
        )
        .eve("redis.reply_bytes")
        .zeek(10, "reply.bytes", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the command to its reply, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("redis", |x| x.ts)
};

fn reply(x: &X) -> Option<&RedisReply> {
    x.reply.as_ref()
}

/// `GET user7 → string`, for tables.
fn summary(x: &RedisExchange, out: &mut String) {
    let push = reply(x).and_then(|reply| reply.push.as_ref());
    for text in [x.command.as_ref(), push, x.key.as_ref()].into_iter().flatten() {
        out.push_str(&format!("{} ", wire_text(text)));
    }
    match reply(x) {
        _ if push.is_some() => {}
        Some(RedisReply { error: Some(error), .. }) => {
            out.push_str(&format!("→ {}", wire_text(error)));
        }
        Some(reply) => out.push_str(&format!("→ {}", reply.kind.as_str())),
        None => out.push_str("→ (no reply)"),
    }
}
