use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{ImapExchange, ImapStatus};

type C = Column<ImapExchange>;

/// The columns of an exchange.
pub static IMAP: Schema<ImapExchange> = Schema {
    summary,
    columns: &[
        C::new(
            "tag",
            Kind::Bytes,
            |x| Value::some(x.tag.as_deref()),
            "Tag of the command (RFC 9051 §2.2.1).",
        )
        .eve("imap.tag")
        .zeek(1, "tag", ZeekType::String),
        C::new(
            "command",
            Kind::Bytes,
            |x| Value::some(x.command.as_deref()),
            "Command in upper case; none: the greeting (RFC 9051 §6).",
        )
        .eve("imap.command")
        .zeek(2, "command", ZeekType::String),
        C::new(
            "argument",
            Kind::Bytes,
            |x| Value::some(x.argument.as_deref()),
            "Arguments, up to 256 bytes; of LOGIN none, of AUTHENTICATE the mechanism, of literals the length.",
        )
        .eve("imap.argument")
        .zeek(3, "arg", ZeekType::String),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "Name in LOGIN or in the credentials of AUTHENTICATE, else of the login that succeeded \
             (RFC 9051 §6.2.3).",
        )
        .eve("imap.user")
        .zeek(0, "user", ZeekType::String),
        C::new(
            "status",
            Kind::Text,
            |x| Value::some(x.status.map(ImapStatus::as_str)),
            "Status of the response: OK, NO or BAD, of a greeting also PREAUTH or BYE; none: no response \
             (RFC 9051 §7.1).",
        )
        .eve("imap.status")
        .zeek(4, "status", ZeekType::String),
        C::new(
            "text",
            Kind::Bytes,
            |x| Value::some(x.text.as_deref()),
            "Text of the response, up to 512 bytes (RFC 9051 §7.1).",
        )
        .eve("imap.text")
        .zeek(5, "reply_msg", ZeekType::String),
        C::new(
            "responses",
            Kind::U64,
            |x| x.responses.into(),
            "Untagged responses while the command was the oldest without one (RFC 9051 §7).",
        )
        .eve("imap.responses")
        .zeek(6, "responses", ZeekType::Count),
        C::new(
            "bytes",
            Kind::U64,
            |x| x.bytes.into(),
            "Bytes of these, literals included (RFC 9051 §4.3).",
        )
        .eve("imap.bytes")
        .zeek(7, "bytes", ZeekType::Count),
        C::new(
            "literal_bytes",
            Kind::U64,
            |x| x.literal_bytes.into(),
            "Bytes of the command's literals: of APPEND the message (RFC 9051 §4.3).",
        )
        .eve("imap.literal_bytes")
        .zeek(8, "literal_bytes", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the command to its response, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("imap", |x| x.ts)
};

/// `LOGIN → OK Logged in`, for tables.
fn summary(exchange: &ImapExchange, out: &mut String) {
    for text in [&exchange.command, &exchange.argument].into_iter().flatten() {
        out.push_str(&format!("{} ", wire_text(text)));
    }
    let status = exchange.status.map_or("(no response)", ImapStatus::as_str);
    out.push_str(&format!("→ {status} "));
    out.push_str(&wire_text(exchange.text.as_deref().unwrap_or_default()));
}
