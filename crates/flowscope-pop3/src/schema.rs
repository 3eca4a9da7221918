use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::Pop3Exchange;

type C = Column<Pop3Exchange>;

/// The columns of an exchange.
pub static POP3: Schema<Pop3Exchange> = Schema {
    summary,
    columns: &[
        C::new(
            "command",
            Kind::Bytes,
            |x| Value::some(x.command.as_deref()),
            "Command in upper case; none: the greeting (RFC 1939 §3).",
        )
        .eve("pop3.command")
        .zeek(1, "command", ZeekType::String),
        C::new(
            "argument",
            Kind::Bytes,
            |x| Value::some(x.argument.as_deref()),
            "Argument; never a password, of APOP the name, of AUTH the mechanism (RFC 1939 §7).",
        )
        .eve("pop3.argument")
        .zeek(2, "arg", ZeekType::String),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "Name in the last USER or APOP (RFC 1939 §7).",
        )
        .eve("pop3.user")
        .zeek(0, "user", ZeekType::String),
        C::new(
            "success",
            Kind::Bool,
            |x| Value::some(x.success),
            "Whether the reply is +OK; none: no reply (RFC 1939 §3).",
        )
        .eve("pop3.success")
        .zeek(3, "success", ZeekType::Bool),
        C::new(
            "text",
            Kind::Bytes,
            |x| Value::some(x.text.as_deref()),
            "First line of the reply behind +OK or -ERR, up to 512 bytes (RFC 1939 §3).",
        )
        .eve("pop3.text")
        .zeek(4, "reply_msg", ZeekType::String),
        C::new(
            "lines",
            Kind::U64,
            |x| x.lines.into(),
            "Lines of the reply behind its first, without the dot that ends it (RFC 1939 §3).",
        )
        .eve("pop3.lines")
        .zeek(5, "lines", ZeekType::Count),
        C::new("bytes", Kind::U64, |x| x.bytes.into(), "Bytes of these lines (RFC 1939 §3).")
            .eve("pop3.bytes")
            .zeek(6, "bytes", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the command to the first line of its reply, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("pop3", |x| x.ts)
};

/// `RETR 1 → +OK 12 octets`, for tables.
fn summary(exchange: &Pop3Exchange, out: &mut String) {
    for text in [&exchange.command, &exchange.argument].into_iter().flatten() {
        out.push_str(&format!("{} ", wire_text(text)));
    }
    let status = match exchange.success {
        Some(true) => "+OK ",
        Some(false) => "-ERR ",
        None => "(no reply)",
    };
    out.push_str(&format!("→ {status}"));
    out.push_str(&wire_text(exchange.text.as_deref().unwrap_or_default()));
}
