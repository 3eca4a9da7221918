use crate::SmtpBody;

/// A command of the client, as far as it is read (RFC 5321 §4.1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command<'a> {
    /// `EHLO` or `HELO`, with the name.
    Helo(&'a [u8]),
    Mail(Mail<'a>),
    /// `RCPT`, with the forward-path.
    Rcpt(&'a [u8]),
    Data,
    /// `BDAT` (RFC 3030 §2): this many bytes follow the line.
    Bdat {
        len: u64,
        last: bool,
    },
    Rset,
    Quit,
    StartTls,
    /// `AUTH`, with the mechanism.
    Auth(&'a [u8]),
    /// Any other, or one that is not well-formed.
    Other,
}

/// `MAIL` with the parameters that are read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) body: Option<SmtpBody>,
    pub(crate) declared_len: Option<u64>,
}

impl<'a> Command<'a> {
    /// Reads a line without its end.
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let (verb, arg) = word(line);
        let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
        if is("EHLO") || is("HELO") {
            Command::Helo(word(arg).0)
        } else if is("MAIL") {
            after(arg, "FROM:").map_or(Command::Other, |arg| Command::Mail(Mail::parse(arg)))
        } else if is("RCPT") {
            after(arg, "TO:").map_or(Command::Other, |arg| Command::Rcpt(path(arg).0))
        } else if is("DATA") {
            Command::Data
        } else if is("BDAT") {
            let (len, last) = word(arg);
            match number(len) {
                Some(len) => Command::Bdat { len, last: last.eq_ignore_ascii_case(b"LAST") },
                None => Command::Other,
            }
        } else if is("RSET") {
            Command::Rset
        } else if is("QUIT") {
            Command::Quit
        } else if is("STARTTLS") {
            Command::StartTls
        } else if is("AUTH") {
            Command::Auth(word(arg).0)
        } else {
            Command::Other
        }
    }
}

impl<'a> Mail<'a> {
    fn parse(arg: &'a [u8]) -> Self {
        let (from, mut rest) = path(arg);
        let mut mail = Mail { from, ..Mail::default() };
        while !rest.is_empty() {
            let (param, next) = word(rest);
            if let Some(value) = after(param, "SIZE=") {
                mail.declared_len = number(value);
            } else if let Some(value) = after(param, "BODY=") {
                let kinds = [SmtpBody::SevenBit, SmtpBody::EightBitMime, SmtpBody::BinaryMime];
                mail.body = kinds
                    .into_iter()
                    .find(|kind| value.eq_ignore_ascii_case(kind.as_str().as_bytes()));
            }
            rest = next;
        }
        mail
    }
}

/// Whether a line may be a command: any server would answer it as one.
pub(crate) fn may_be_command(line: &[u8]) -> bool {
    let verb = word(line).0;
    verb.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Whether a line begins a session or a transaction, and is hardly one of a message: there a reader that has
/// missed the start can begin.
pub(crate) fn is_beginning(line: &[u8]) -> bool {
    match Command::parse(line) {
        Command::Mail(_) => true,
        // A domain or an address literal, not the "hello" of a letter.
        Command::Helo(name) => name.starts_with(b"[") || name.contains(&b'.'),
        _ => false,
    }
}

/// The first word, and what follows it without white space around it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    (&line[..end], line[end..].trim_ascii())
}

/// What follows `prefix`, in whichever case.
fn after<'a>(bytes: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

/// A path without its brackets, and what follows it (RFC 5321 §4.1.2). Without brackets, which some clients
/// leave out, it is a word.
fn path(arg: &[u8]) -> (&[u8], &[u8]) {
    let arg = arg.trim_ascii_start();
    let Some(inner) = arg.strip_prefix(b"<") else { return word(arg) };
    let (mut quoted, mut escaped) = (false, false);
    let end = inner.iter().position(|&byte| {
        let is_end = byte == b'>' && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && quoted && !escaped;
        is_end
    });
    match end {
        Some(end) => (&inner[..end], inner[end + 1..].trim_ascii()),
        None => (inner.trim_ascii_end(), &[]),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    // `parse` takes a sign, which the grammar does not have.
    let is_number = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_clients_write_them() {
        let mail = |from| Command::Mail(Mail { from, ..Mail::default() });
        let cases: [(&[u8], Command<'_>); 20] = [
            (b"EHLO client.example", Command::Helo(b"client.example")),
            (b"helo [192.0.2.1] ", Command::Helo(b"[192.0.2.1]")),
            (b"MAIL FROM:<a@b.example>", mail(b"a@b.example")),
            (b"mail from: <a@b.example>", mail(b"a@b.example")),
            (b"MAIL FROM:a@b.example SIZE=x", mail(b"a@b.example")),
            (b"MAIL FROM:<>", mail(b"")),
            (b"MAIL FROM:<\"a>\\\"b\"@c.example>", mail(b"\"a>\\\"b\"@c.example")),
            (b"MAIL FROM:<a@b.example", mail(b"a@b.example")),
            (b"MAIL a@b.example", Command::Other),
            (
                b"RCPT TO:<@r.example:a@b.example> NOTIFY=NEVER",
                Command::Rcpt(b"@r.example:a@b.example"),
            ),
            (b"DATA", Command::Data),
            (b"BDAT 86 LAST", Command::Bdat { len: 86, last: true }),
            (b"bdat 0", Command::Bdat { len: 0, last: false }),
            (b"BDAT +1", Command::Other),
            (b"BDAT 99999999999999999999", Command::Other),
            (b"BDAT", Command::Other),
            (b"STARTTLS", Command::StartTls),
            (b"AUTH PLAIN AGEAYg==", Command::Auth(b"PLAIN")),
            (b"NOOP", Command::Other),
            (b"", Command::Other),
        ];
        for (line, command) in cases {
            assert_eq!(Command::parse(line), command, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn parameters_of_mail_are_read_in_any_order() {
        let expected =
            Mail { from: b"a@b", body: Some(SmtpBody::EightBitMime), declared_len: Some(1000) };
        for line in [
            &b"MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME"[..],
            b"MAIL FROM:<a@b>  body=8bitmime AUTH=<> size=1000",
        ] {
            assert_eq!(Command::parse(line), Command::Mail(expected));
        }
    }
}
