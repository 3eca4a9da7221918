use std::net::IpAddr;

use flowscope_files::record as files;
use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{SmtpAuth, SmtpBody, SmtpOutcome, SmtpTransaction};

type C = Column<SmtpTransaction>;
type X = SmtpTransaction;

/// The columns of a transaction.
///
/// Zeek's `path`, which begins with the addresses of the flow, and `fuids`, of which there is no log, are left out.
pub static SMTP: Schema<SmtpTransaction> = Schema {
    zeek_rows: Some(transactions),
    summary,
    columns: &[
        C::new(
            "id",
            Kind::U64,
            |x| x.id.into(),
            "Number of the transaction in its session, from 0; Zeek counts from 1.",
        )
        .eve("tx_id")
        .zeek_as(0, "trans_depth", ZeekType::Count, |x| (u64::from(x.id) + 1).into()),
        C::new(
            "helo",
            Kind::Bytes,
            |x| Value::some(x.helo.as_deref()),
            "Name that the client gave in EHLO or HELO (RFC 5321 §4.1.1.1).",
        )
        .eve("smtp.helo")
        .zeek(1, "helo", ZeekType::String),
        C::new(
            "mail_from",
            Kind::Bytes,
            |x| Value::some(x.mail_from.as_deref()),
            "Reverse-path without its brackets, which EVE has; none: a session without mail (RFC 5321 \
             §4.1.1.2). Zeek leaves an empty one out.",
        )
        .eve_as("smtp.mail_from", |x| Value::some(x.mail_from.as_deref().map(bracketed)))
        .zeek_as(2, "mailfrom", ZeekType::String, |x| {
            Value::some(x.mail_from.as_deref().filter(|path| !path.is_empty()))
        }),
        C::new(
            "rcpt_to",
            Kind::List(&Kind::Bytes),
            |x| list(&x.rcpt_to),
            "Forward-paths without their brackets, which EVE has, accepted or not: the first 100 (RFC 5321 \
             §4.1.1.3).",
        )
        .eve_as("smtp.rcpt_to", |x| Value::list(x.rcpt_to.iter().map(|to| bracketed(to))))
        .zeek(3, "rcptto", ZeekType::SetOfString),
        C::new(
            "date",
            Kind::Bytes,
            |x| Value::some(x.headers.date.as_deref()),
            "Field Date of the message (RFC 5322 §3.6.1).",
        )
        .eve("email.date")
        .zeek(4, "date", ZeekType::String),
        C::new(
            "from",
            Kind::Bytes,
            |x| Value::some(x.headers.from.as_deref()),
            "Field From of the message (RFC 5322 §3.6.2).",
        )
        .eve("email.from")
        .zeek(5, "from", ZeekType::String),
        C::new(
            "to",
            Kind::List(&Kind::Bytes),
            |x| list(&x.headers.to),
            "Addresses of the field To, the first 64 (RFC 5322 §3.6.3).",
        )
        .eve("email.to")
        .zeek(6, "to", ZeekType::SetOfString),
        C::new(
            "cc",
            Kind::List(&Kind::Bytes),
            |x| list(&x.headers.cc),
            "Addresses of the field Cc, the first 64 (RFC 5322 §3.6.3).",
        )
        .eve("email.cc")
        .zeek(7, "cc", ZeekType::SetOfString),
        C::new(
            "reply_to",
            Kind::Bytes,
            |x| Value::some(x.headers.reply_to.as_deref()),
            "Field Reply-To (RFC 5322 §3.6.2).",
        )
        .eve("email.reply_to")
        .zeek(8, "reply_to", ZeekType::String),
        C::new(
            "message_id",
            Kind::Bytes,
            |x| Value::some(x.headers.message_id.as_deref()),
            "Field Message-ID (RFC 5322 §3.6.4).",
        )
        .eve("email.message_id")
        .zeek(9, "msg_id", ZeekType::String),
        C::new(
            "in_reply_to",
            Kind::Bytes,
            |x| Value::some(x.headers.in_reply_to.as_deref()),
            "Field In-Reply-To (RFC 5322 §3.6.4).",
        )
        .eve("email.in_reply_to")
        .zeek(10, "in_reply_to", ZeekType::String),
        C::new(
            "subject",
            Kind::Bytes,
            |x| Value::some(x.headers.subject.as_deref()),
            "Field Subject, with encoded words as they are (RFC 5322 §3.6.5).",
        )
        .eve("email.subject")
        .zeek(11, "subject", ZeekType::String),
        C::new(
            "x_originating_ip",
            Kind::Bytes,
            |x| Value::some(x.headers.x_originating_ip.as_deref()),
            "Field X-Originating-IP; in Zeek's log only where it is an address.",
        )
        .eve("email.x_originating_ip")
        .zeek_as(12, "x_originating_ip", ZeekType::Addr, |x| Value::some(originating_ip(x))),
        C::new(
            "first_received",
            Kind::Bytes,
            |x| Value::some(x.headers.first_received.as_deref()),
            "Field Received of the first host that the message passed, the last in the header (RFC 5321 \
             §4.4).",
        )
        .eve("email.received")
        .zeek(13, "first_received", ZeekType::String),
        C::new(
            "user_agent",
            Kind::Bytes,
            |x| Value::some(x.headers.user_agent.as_deref()),
            "Field User-Agent or X-Mailer.",
        )
        .eve("email.user_agent")
        .zeek(16, "user_agent", ZeekType::String),
        C::new(
            "attachments",
            Kind::List(&Kind::Bytes),
            |x| Value::list(x.files.iter().filter_map(|file| file.name.as_deref())),
            "Names of the files in the message that have one, at most 255 bytes each (RFC 2183 §2.3). With --file-info.",
        )
        .eve("email.attachment"),
        C::new(
            "second_received",
            Kind::Bytes,
            |x| Value::some(x.headers.second_received.as_deref()),
            "Field Received of the second host (RFC 5321 §4.4).",
        )
        .zeek(14, "second_received", ZeekType::String),
        C::new(
            "files",
            Kind::List(&files::FILE),
            |x| Value::list(x.files.iter().map(|file| file.object("toserver", x.id.into()))),
            "The files in the message, the first 64: attachments, parts with a name, and those of another type than text, as they \
             are behind base64 and quoted-printable (RFC 2045 §6). The type is that of the first bytes; there is a SHA-256 \
             (FIPS 180-4) if all was captured. With --file-info.",
        )
        .eve("files"),
        C::new(
            "more_files",
            Kind::U64,
            |x| Value::some((x.more_files > 0).then_some(x.more_files)),
            "Number of files beyond those, if any. With --file-info.",
        )
        .eve("flowscope.more_files"),
        C::new(
            "last_reply",
            Kind::Bytes,
            |x| Value::some(x.last_reply.as_deref()),
            "Last line of the last reply to a command of the transaction or to its message (RFC 5321 §4.2).",
        )
        .eve("flowscope.last_reply")
        .zeek(15, "last_reply", ZeekType::String),
        C::new(
            "outcome",
            Kind::Text,
            |x| Value::some(x.outcome.map(SmtpOutcome::as_str)),
            "accepted, rejected, abandoned or incomplete; none: a session without mail.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "tls",
            Kind::Bool,
            |x| x.tls.into(),
            "Whether the client asked for TLS and the server agreed: what follows is not read (RFC 3207 §4).",
        )
        .eve("flowscope.tls")
        .zeek(17, "tls", ZeekType::Bool),
        C::new(
            "auth_mechanism",
            Kind::Bytes,
            |x| Value::some(x.auth.as_ref().map(|auth| auth.mechanism.as_slice())),
            "SASL mechanism of the session's last authentication (RFC 4954 §4).",
        )
        .eve("flowscope.auth_mechanism"),
        C::new(
            "auth_success",
            Kind::Bool,
            |x| Value::some(x.auth.as_ref().and_then(|auth: &SmtpAuth| auth.success)),
            "Whether the server accepted the authentication (RFC 4954 §6).",
        )
        .eve("flowscope.auth_success"),
        C::new(
            "rcpt_count",
            Kind::U64,
            |x| of_mail(x, x.rcpt_count),
            "Number of RCPT commands (RFC 5321 §4.1.1.3).",
        )
        .eve("flowscope.rcpt_count"),
        C::new(
            "rcpt_rejected",
            Kind::U64,
            |x| of_mail(x, x.rcpt_rejected),
            "RCPT commands that were answered with 4yz or 5yz (RFC 5321 §4.2.1).",
        )
        .eve("flowscope.rcpt_rejected"),
        C::new(
            "body",
            Kind::Text,
            |x| Value::some(x.body.map(SmtpBody::as_str)),
            "BODY of MAIL: 7BIT, 8BITMIME (RFC 6152 §3) or BINARYMIME (RFC 3030 §3).",
        )
        .eve("flowscope.body"),
        C::new(
            "declared_len",
            Kind::U64,
            |x| Value::some(x.declared_len),
            "SIZE of MAIL, in bytes (RFC 1870 §3).",
        )
        .eve("flowscope.declared_bytes"),
        C::new(
            "message_len",
            Kind::U64,
            |x| of_mail(x, x.message_len),
            "Length of the message in bytes, without dots for transparency, those not captured included \
             (RFC 5321 §4.5.2).",
        )
        .eve("flowscope.message_bytes"),
        C::new(
            "missing_bytes",
            Kind::U64,
            |x| of_mail(x, x.missing_bytes),
            "Bytes of the message that were not captured.",
        )
        .eve("flowscope.missing_bytes"),
        C::new(
            "chunks",
            Kind::U64,
            |x| of_mail(x, x.chunks),
            "Number of BDAT commands; 0 for a message sent by DATA (RFC 3030 §2).",
        )
        .eve("flowscope.chunks"),
        C::new(
            "pipelined",
            Kind::Bool,
            |x| x.pipelined.into(),
            "Whether a command was sent before the reply to the one before (RFC 2920 §3.1).",
        )
        .eve("flowscope.pipelined"),
        C::new(
            "long_lines",
            Kind::U64,
            |x| x.long_lines.into(),
            "Commands of more than 512 bytes, and lines of the message of more than 1000 (RFC 5321 \
             §4.5.3.1).",
        )
        .eve("flowscope.long_lines"),
        C::new(
            "duration",
            Kind::Duration,
            |x| Value::some(x.duration),
            "From MAIL, or the start of a session without mail, to the last reply, in seconds.",
        )
        .eve("flowscope.duration"),
    ],
    ..Schema::new("smtp", |x| x.ts)
};

fn list(texts: &[Vec<u8>]) -> Value<'_> {
    Value::list(texts.iter().map(Vec::as_slice))
}

/// A number that only a transaction with a mail has.
fn of_mail(x: &X, n: u64) -> Value<'_> {
    Value::some(x.mail_from.is_some().then_some(n))
}

/// A path as it is in commands, and in Suricata's records.
fn bracketed(path: &[u8]) -> Vec<u8> {
    [b"<", path, b">"].concat()
}

/// The address in `X-Originating-IP`, with or without square brackets.
fn originating_ip(x: &X) -> Option<IpAddr> {
    let text = str::from_utf8(x.headers.x_originating_ip.as_deref()?).ok()?;
    text.trim_matches(['[', ']']).parse().ok()
}

/// Zeek has a line for each transaction that a client began, and for a session that goes over to TLS.
fn transactions(x: &X, row: &mut dyn FnMut(&X)) {
    if x.mail_from.is_some() || x.rcpt_count > 0 || x.tls {
        row(x);
    }
}

/// `<a@b> → <c@d> and 2 more, "Lunch?", accepted`, for tables.
fn summary(x: &SmtpTransaction, out: &mut String) {
    match (&x.mail_from, &x.helo) {
        (Some(from), _) => {
            out.push_str(&format!("<{}>", wire_text(from)));
            if let Some(to) = x.rcpt_to.first() {
                out.push_str(&format!(" → <{}>", wire_text(to)));
            }
            if x.rcpt_count > 1 {
                out.push_str(&format!(" and {} more", x.rcpt_count - 1));
            }
            if let Some(subject) = &x.headers.subject {
                out.push_str(&format!(", {:?}", wire_text(subject)));
            }
        }
        (None, Some(helo)) => out.push_str(&format!("{}, no mail", wire_text(helo))),
        (None, None) => out.push_str("no mail"),
    }
    if let Some(outcome) = x.outcome {
        out.push_str(&format!(", {}", outcome.as_str()));
    }
    if x.tls {
        out.push_str(", TLS");
    }
    files::note_files(out, &x.files, x.more_files);
}

#[cfg(test)]
mod tests {
    use flowscope_core::SessionParser;

    use super::*;
    use crate::SmtpParser;

    /// `mailfrom` of the lines that Zeek has of a session.
    fn lines(client: &[u8], server: &[u8]) -> Vec<String> {
        let mut parser = SmtpParser::default();
        let mut records = parser.feed_responder(b"220 x\r\n");
        records.extend(parser.feed_initiator(client));
        records.extend(parser.feed_responder(server));
        parser.end(&mut records);
        assert!(!records.is_empty());
        let fields = SMTP.columns.iter().filter_map(|column| column.zeek.as_ref());
        let mut fields = fields.filter(|zeek| zeek.name == "mailfrom");
        let get = fields.next().and_then(|zeek| zeek.get).expect("a field with a value of its own");
        let mut lines = Vec::new();
        let mut line = |row: &SmtpTransaction| {
            lines.push(match get(row) {
                Value::Bytes(path) => String::from_utf8_lossy(&path).into_owned(),
                _ => "-".to_owned(),
            });
        };
        records.iter().for_each(|record| transactions(record, &mut line));
        lines
    }

    #[test]
    fn zeek_has_a_line_for_what_a_client_began() {
        assert_eq!(lines(b"", b""), Vec::<String>::new());
        assert_eq!(lines(b"EHLO a\r\nQUIT\r\n", b"250 x\r\n221 x\r\n"), Vec::<String>::new());
        let starts_tls = lines(b"EHLO a\r\nSTARTTLS\r\n", b"250 x\r\n220 x\r\n");
        assert_eq!(starts_tls, ["-"]);
        let mail = lines(b"HELO a\r\nMAIL FROM:<a@b>\r\nQUIT\r\n", b"250 x\r\n250 x\r\n221 x\r\n");
        assert_eq!(mail, ["a@b"]);
        // The null reverse-path is no address.
        let bounce = lines(b"HELO a\r\nMAIL FROM:<>\r\nQUIT\r\n", b"250 x\r\n250 x\r\n221 x\r\n");
        assert_eq!(bounce, ["-"]);
    }
}
