use flowscope_core::{ParseError, Timestamp};
use flowscope_lines::begins_command;

/// A command whose end is still to come: lines of it end with literals.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// When it began.
    pub(crate) ts: Timestamp,
    pub(crate) tag: Vec<u8>,
    /// In upper case.
    pub(crate) verb: Vec<u8>,
    /// Arguments. Literals of `LOGIN` are quoted strings here.
    arguments: Vec<u8>,
    pub(crate) literal_bytes: u64,
}

/// Bytes of arguments that are kept.
pub(crate) const MAX_ARGUMENT: usize = 256;
/// Bytes of a user's name that are kept.
pub(crate) const MAX_USER: usize = 128;
/// Bytes of a tag that are kept. Clients have four or five.
pub(crate) const MAX_TAG: usize = 64;
/// The name and the password of `LOGIN`, each with its quotes.
const MAX_KEPT: usize = 1024;

/// Commands whose arguments are recorded: RFC 9051 §6, RFC 2177, RFC 2971, RFC 4314, RFC 4978, RFC 5161, RFC 5256,
/// RFC 5464, RFC 5465, RFC 9208.
const PUBLIC: [&[u8]; 42] = [
    b"APPEND",
    b"CAPABILITY",
    b"CHECK",
    b"CLOSE",
    b"COMPRESS",
    b"COPY",
    b"CREATE",
    b"DELETE",
    b"DELETEACL",
    b"ENABLE",
    b"EXAMINE",
    b"EXPUNGE",
    b"FETCH",
    b"GETACL",
    b"GETMETADATA",
    b"GETQUOTA",
    b"GETQUOTAROOT",
    b"ID",
    b"IDLE",
    b"LIST",
    b"LISTRIGHTS",
    b"LSUB",
    b"MOVE",
    b"MYRIGHTS",
    b"NAMESPACE",
    b"NOOP",
    b"NOTIFY",
    b"RENAME",
    b"SEARCH",
    b"SELECT",
    b"SETACL",
    b"SETMETADATA",
    b"SETQUOTA",
    b"SORT",
    b"STARTTLS",
    b"STATUS",
    b"STORE",
    b"SUBSCRIBE",
    b"THREAD",
    b"UNSELECT",
    b"UNSUBSCRIBE",
    b"XLIST",
];

/// Whether `start`, the first bytes of a side, may begin a command: a tag, a space and the name of a command.
pub(crate) fn may_begin(start: &[u8]) -> bool {
    const OTHERS: [&[u8]; 4] = [b"LOGIN", b"AUTHENTICATE", b"LOGOUT", b"UID"];
    let len = start.iter().take_while(|byte| is_tag_byte(byte)).count();
    let is_tag = len <= MAX_TAG && start.first().is_none_or(u8::is_ascii_alphanumeric);
    is_tag
        && match &start[len..] {
            [] => true,
            [b' ', verb @ ..] => {
                len > 0 && (begins_command(verb, &PUBLIC) || begins_command(verb, &OTHERS))
            }
            _ => false,
        }
}

impl Command {
    /// The first line of a command.
    pub(crate) fn begin(ts: Timestamp, line: &[u8]) -> Result<Self, ParseError> {
        let (tag, rest) = word(line);
        // Without a tag, the name of a command is taken for one, and a password for an argument.
        let is_login =
            [&b"LOGIN"[..], b"AUTHENTICATE"].iter().any(|it| tag.eq_ignore_ascii_case(it));
        if tag.is_empty() || tag.len() > MAX_TAG || !tag.iter().all(is_tag_byte) || is_login {
            return Err(ParseError::InvalidField("tag"));
        }
        let (verb, mut arguments) = word(rest);
        // "X" begins what is experimental (RFC 3501 §6.5.1); some have digits and dashes.
        let is_verb = verb.first().is_some_and(u8::is_ascii_alphabetic)
            && verb.len() <= 32
            && verb.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        if !is_verb {
            return Err(ParseError::InvalidField("command"));
        }
        let mut verb = verb.to_ascii_uppercase();
        if verb == b"UID" {
            let (of_uid, rest) = word(arguments);
            let of_uid = &of_uid[..of_uid.len().min(32)];
            verb.push(b' ');
            verb.extend(of_uid.to_ascii_uppercase());
            arguments = rest;
        }
        let mut command =
            Command { ts, tag: tag.to_vec(), verb, arguments: Vec::new(), literal_bytes: 0 };
        command.push(arguments);
        Ok(command)
    }

    /// More of its arguments.
    pub(crate) fn push(&mut self, arguments: &[u8]) {
        let limit = if self.is_login() { MAX_KEPT } else { MAX_ARGUMENT };
        let room = limit.saturating_sub(self.arguments.len());
        self.arguments.extend_from_slice(&arguments[..arguments.len().min(room)]);
    }

    /// A literal begins: the marker that ends what was pushed last is not part of the arguments of `LOGIN`.
    pub(crate) fn begin_literal(&mut self) {
        if self.is_login()
            && let Some(at) = self.arguments.iter().rposition(|&byte| byte == b'{')
        {
            self.arguments.truncate(at);
            self.push(b"\"");
        }
    }

    /// Bytes of a literal.
    pub(crate) fn literal(&mut self, bytes: &[u8]) {
        self.literal_bytes += bytes.len() as u64;
        if self.is_login() {
            for byte in bytes.iter().take(MAX_KEPT) {
                let escaped = [b'\\', *byte];
                let quoted = matches!(byte, b'"' | b'\\');
                self.push(if quoted { &escaped } else { &escaped[1..] });
            }
        }
    }

    /// A literal has ended.
    pub(crate) fn end_literal(&mut self) {
        if self.is_login() {
            self.push(b"\"");
        }
    }

    /// The name in `LOGIN` (RFC 9051 §6.2.3).
    pub(crate) fn user(&self) -> Option<Vec<u8>> {
        if !self.is_login() {
            return None;
        }
        let mut user = match self.arguments.trim_ascii_start() {
            [b'"', quoted @ ..] => unquoted(quoted),
            text => word(text).0.to_vec(),
        };
        user.truncate(MAX_USER);
        Some(user)
    }

    /// Mechanism and initial response of `AUTHENTICATE` (RFC 9051 §6.2.2).
    pub(crate) fn mechanism(&self) -> Option<(&[u8], &[u8])> {
        (self.verb == b"AUTHENTICATE").then(|| word(&self.arguments))
    }

    /// What a record may contain of the arguments.
    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        let public = match self.verb.as_slice() {
            b"AUTHENTICATE" => word(&self.arguments).0,
            verb if PUBLIC.contains(&verb.strip_prefix(b"UID ").unwrap_or(verb)) => {
                self.arguments.trim_ascii()
            }
            // Arguments of a misspelt LOGIN are a name and a password.
            _ => b"",
        };
        (!public.is_empty()).then(|| public.to_vec())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.tag.capacity() + self.verb.capacity() + self.arguments.capacity()
    }

    fn is_login(&self) -> bool {
        self.verb == b"LOGIN"
    }
}

/// The length in the marker of a literal at the end of a line (RFC 9051 §4.3), and whether its sender waits for
/// leave to go on: `{310}` does, `{310+}` (RFC 7888) does not.
pub(crate) fn literal(tail: &[u8]) -> Option<(u64, bool)> {
    let inner = tail.strip_suffix(b"}")?;
    let at = inner.iter().rposition(|&byte| byte == b'{')?;
    let digits = &inner[at + 1..];
    let (digits, waits) = match digits.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (digits, true),
    };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = is_number.then(|| str::from_utf8(digits).ok()?.parse().ok())??;
    Some((number, waits))
}

/// The first word, and what is behind it.
pub(crate) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// "ASTRING-CHAR except "+"" (RFC 9051 §9).
fn is_tag_byte(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte)
}

/// Up to the quote that ends it.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.iter();
    let mut out = Vec::new();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logins() {
        let check = |line: &str, user: &str| {
            let command = Command::begin(Timestamp::ZERO, line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(command.user().unwrap()).unwrap(), user, "{line}");
            assert_eq!(command.public(), None);
        };
        check("a1 LOGIN alice secret", "alice");
        check("a1 login \"al \\\"ice\" secret", "al \"ice");
        check("a1 LOGIN \"alice", "alice");
        check("a1 LOGIN", "");
        let mut command = Command::begin(Timestamp::ZERO, b"a1 LOGIN {7}").unwrap();
        command.begin_literal();
        command.literal(b"al");
        command.literal(b"i \"ce");
        command.end_literal();
        command.push(b" {6}");
        command.begin_literal();
        command.literal(b"secret");
        command.end_literal();
        assert_eq!(command.user().unwrap(), b"ali \"ce");
        assert_eq!(command.literal_bytes, 13);
    }

    #[test]
    fn arguments_of_unknown_commands_may_be_a_password() {
        for line in ["a UID LOGIN alice secret", "a LOGN alice secret", "a PASS secret"] {
            assert_eq!(
                Command::begin(Timestamp::ZERO, line.as_bytes()).unwrap().public(),
                None,
                "{line}"
            );
        }
        let select = Command::begin(Timestamp::ZERO, b"a select INBOX").unwrap();
        assert_eq!(select.public().unwrap(), b"INBOX");
    }

    #[test]
    fn what_is_no_command() {
        let check = |line: &[u8], field| {
            let error = Command::begin(Timestamp::ZERO, line).unwrap_err();
            assert_eq!(error, ParseError::InvalidField(field), "{}", line.escape_ascii());
        };
        check(b"", "tag");
        check(b"* OK", "tag");
        check(b"\x16\x03\x01 LOGIN", "tag");
        check(b"LOGIN alice secret", "tag");
        check(b"authenticate PLAIN AGFsaWNlAHNlY3JldA==", "tag");
        check(b"a1", "command");
        check(b"a1 ()", "command");
        check(b"DONE", "command");
        assert_eq!(
            Command::begin(Timestamp::ZERO, b"7 uid fetch 1 BODY[]").unwrap().verb,
            b"UID FETCH"
        );
        assert_eq!(
            Command::begin(Timestamp::ZERO, b"7 uid fetch 1 BODY[]").unwrap().public().unwrap(),
            b"1 BODY[]"
        );
    }

    #[test]
    fn literals_stand_at_the_end_of_lines() {
        let check = |tail: &[u8], expected| assert_eq!(literal(tail), expected);
        check(b"BODY[] {310}", Some((310, true)));
        check(b"{0+}", Some((0, false)));
        check(b"~{12}", Some((12, true)));
        check(b"{}", None);
        check(b"{1x}", None);
        check(b"{99999999999999999999999}", None);
        check(b"{3} ", None);
        check(b"3}", None);
    }
}
