use flowscope_core::Probe;
use flowscope_lines::{begins_command, begins_reply};

/// Judges the first bytes of either side: where the connection was not seen to open, the server may be taken for
/// its initiator.
///
/// A line that begins neither a reply nor a command is not of the protocol. A server is known by a greeting that says SMTP or ESMTP behind its name: `220` alone is FTP's too (RFC 959
/// §5.4), and a host of any service may be called `smtp`. A client is known by `EHLO` or `HELO` with a name.
pub(crate) fn probe(start: &[u8]) -> Probe {
    let end = start.iter().position(|&byte| byte == b'\n');
    let line = &start[..end.unwrap_or(start.len())];
    if says_hello(line) {
        return Probe::Yes;
    }
    // Binary protocols; a byte above ASCII may be in a greeting, or in a message seen from the middle on.
    if line.iter().any(|&byte| byte < b' ' && !matches!(byte, b'\r' | b'\t')) {
        return Probe::No;
    }
    if end.is_some() && greets(line) {
        Probe::Yes
    } else if begins_reply(start) || begins_command(start, COMMANDS) {
        Probe::Maybe
    } else {
        Probe::No
    }
}

/// What a client may begin with, besides what is sure (RFC 5321 §4.1, RFC 2033 §4.1, and extensions).
const COMMANDS: &[&[u8]] = &[
    b"EHLO",
    b"HELO",
    b"LHLO",
    b"MAIL",
    b"RCPT",
    b"DATA",
    b"BDAT",
    b"RSET",
    b"NOOP",
    b"QUIT",
    b"VRFY",
    b"EXPN",
    b"HELP",
    b"TURN",
    b"ETRN",
    b"ATRN",
    b"AUTH",
    b"STARTTLS",
    b"SEND",
    b"SOML",
    b"SAML",
    b"XCLIENT",
    b"XFORWARD",
];

fn says_hello(line: &[u8]) -> bool {
    let (verb, name) = line.split_at(line.len().min(5));
    let is_hello = verb.eq_ignore_ascii_case(b"EHLO ") || verb.eq_ignore_ascii_case(b"HELO ");
    is_hello && name.first().is_some_and(u8::is_ascii_graphic)
}

fn greets(line: &[u8]) -> bool {
    let (code, rest) = line.split_at(line.len().min(4));
    let mut words = rest.split(u8::is_ascii_whitespace).skip(1);
    let says = |word: &[u8]| {
        let word = word.trim_ascii();
        word.eq_ignore_ascii_case(b"SMTP") || word.eq_ignore_ascii_case(b"ESMTP")
    };
    let is_ftp = rest.windows(3).any(|word| word.eq_ignore_ascii_case(b"FTP"));
    matches!(code, b"220 " | b"220-") && !is_ftp && words.any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_what_other_protocols_do_not_have() {
        for (start, expected) in [
            (&b"220 mx.example.org ESMTP Postfix\r\n"[..], Probe::Yes),
            (b"220-mx.example.org Simple SMTP\r\n220 x\r\n", Probe::Yes),
            (b"220 mx.example.org ESMTP Post", Probe::Maybe),
            (b"220 smtp.example.org ready\r\n", Probe::Maybe),
            (b"220 SMTP\r\n", Probe::Maybe),
            (b"220 files.example.org FTP server, no SMTP here\r\n", Probe::Maybe),
            (b"554 mx.example.org no SMTP\r\n", Probe::Maybe),
            (b"\x16\x03\x03\x00\x7a", Probe::No),
            (b"EHLO client.example\r\n", Probe::Yes),
            (b"helo [", Probe::Yes),
            (b"EHLO x\0", Probe::Yes),
            (b"EHLO ", Probe::Maybe),
            (b"EHLO\r\n", Probe::Maybe),
            (b"HEAD / HTTP/1.1\r\n", Probe::No),
            (b"AAAABBBB\r\n", Probe::No),
            (b"AAAA", Probe::No),
            (b"220x\r\n", Probe::No),
            (b"EH", Probe::Maybe),
            (b"22", Probe::Maybe),
            (b"QUIT\r\n", Probe::Maybe),
            (b"\x16\x03\x01\x02\x00\x01", Probe::No),
        ] {
            assert_eq!(probe(start), expected, "{}", start.escape_ascii());
        }
    }
}
