use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::FtpExchange;

type C = Column<FtpExchange>;

/// The columns of an exchange.
///
/// Zeek's log has a row for each command; `mime_type`, `fuid` and `data_channel.orig_h`, which are known of
/// the data connection, are left out.
pub static FTP: Schema<FtpExchange> = Schema {
    summary,
    columns: &[
        C::new("id", Kind::U64, |x| x.id.into(), "Number of the exchange in its connection, from 0.")
            .eve("tx_id"),
        C::new(
            "command",
            Kind::Bytes,
            |x| Value::some(x.command.as_deref()),
            "Command in upper case; none: a reply without a command, as the greeting (RFC 959 §5.3).",
        )
        .eve("ftp.command")
        .zeek(2, "command", ZeekType::String),
        C::new(
            "argument",
            Kind::Bytes,
            |x| Value::some(x.argument.as_deref()),
            "Argument of the command; never that of PASS, ACCT, ADAT, MIC, CONF and ENC (RFC 959 §5.3).",
        )
        .eve("ftp.command_data")
        .zeek(3, "arg", ZeekType::String),
        C::new(
            "command_truncated",
            Kind::Bool,
            |x| x.command_truncated.into(),
            "Whether the command was longer than 2048 bytes, and is not there whole.",
        )
        .eve("ftp.command_truncated"),
        C::new(
            "completion_code",
            Kind::List(&Kind::Text),
            |x| Value::list(x.reply.iter().filter_map(|line| line.code).map(Value::short)),
            "Codes of the lines of the replies that have one (RFC 959 §4.2).",
        )
        .eve("ftp.completion_code"),
        C::new(
            "reply",
            Kind::List(&Kind::Bytes),
            |x| Value::list(x.reply.iter().map(|line| line.text.as_slice())),
            "Lines of the replies without their codes: the first 32, 4096 bytes together (RFC 959 §4.2).",
        )
        .eve("ftp.reply"),
        C::new(
            "dynamic_port",
            Kind::U64,
            |x| Value::some(x.data.map(|data| data.port)),
            "Port that the data connection is to be opened to (RFC 959 §4.1.2, RFC 2428 §2, §3).",
        )
        .eve("ftp.dynamic_port")
        .zeek(9, "data_channel.resp_p", ZeekType::Port),
        C::new(
            "mode",
            Kind::Text,
            |x| Value::some(x.data.map(|data| if data.passive { "passive" } else { "active" })),
            "Who opens the data connection: active, the server; passive, the client; Zeek has T for passive (RFC 959 §4.1.2).",
        )
        .eve("ftp.mode")
        .zeek_as(7, "data_channel.passive", ZeekType::Bool, |x| {
            Value::some(x.data.map(|data| data.passive))
        }),
        C::new(
            "reply_received",
            Kind::Text,
            |x| if x.reply.is_empty() { "no" } else { "yes" }.into(),
            "Whether there was a reply: yes or no.",
        )
        .eve("ftp.reply_received"),
        C::new(
            "reply_truncated",
            Kind::Bool,
            |x| x.reply_truncated.into(),
            "Whether lines of the replies, or ends of them, are left out.",
        )
        .eve("ftp.reply_truncated"),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "Name in the last USER (RFC 959 §4.1.1).",
        )
        .eve("flowscope.user")
        .zeek(0, "user", ZeekType::String),
        C::new(
            "password_sent",
            Kind::Bool,
            |x| x.password_sent.into(),
            "Whether PASS followed the last USER; Zeek has <hidden>, the password is not kept (RFC 959 \
             §4.1.1).",
        )
        .eve("flowscope.password_sent")
        .zeek_as(1, "password", ZeekType::String, |x| {
            Value::some(x.password_sent.then_some("<hidden>"))
        }),
        C::new(
            "reply_code",
            Kind::U64,
            |x| Value::some(x.code),
            "Code of the last reply (RFC 959 §4.2).",
        )
        .zeek(5, "reply_code", ZeekType::Count),
        C::new(
            "reply_msg",
            Kind::Bytes,
            |x| Value::some(x.reply.last().map(|line| line.text.as_slice())),
            "Last line of the replies that is kept (RFC 959 §4.2).",
        )
        .zeek(6, "reply_msg", ZeekType::String),
        C::new(
            "data_host",
            Kind::Addr,
            |x| Value::some(x.data.and_then(|data| data.host)),
            "Address that the data connection is to be opened to; none behind EPSV: the server's (RFC 2428 \
             §3).",
        )
        .eve("flowscope.data_host")
        .zeek(8, "data_channel.resp_h", ZeekType::Addr),
        C::new(
            "file_size",
            Kind::U64,
            |x| Value::some(x.file_size),
            "Size of the file in bytes, in the reply to SIZE or in that which opens a transfer (RFC 3659 §4).",
        )
        .eve("flowscope.file_size")
        .zeek(4, "file_size", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the command to its first reply, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("ftp", |x| x.ts)
};

/// `RETR a.txt → 226 Transfer complete`, for tables.
fn summary(exchange: &FtpExchange, out: &mut String) {
    match (&exchange.command, &exchange.argument) {
        (Some(command), Some(argument)) => {
            out.push_str(&format!("{} {}", wire_text(command), wire_text(argument)));
        }
        (Some(command), None) => out.push_str(&wire_text(command)),
        (None, _) => out.push_str("(no command)"),
    }
    match (exchange.code, exchange.reply.last()) {
        (Some(code), Some(line)) => {
            out.push_str(&format!(" → {code} {}", wire_text(&line.text)));
        }
        _ => out.push_str(" → (no reply)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(FTP.faults(), Vec::<String>::new());
    }
}
