use flowscope_core::Probe;
use flowscope_lines::{begins_command, begins_reply};

/// Judges the first bytes of either side: where the connection was not seen to open, the server may be taken for
/// its initiator.
///
/// A server is known by a greeting that says FTP: `220` alone is SMTP's too (RFC 5321 §4.2), and a host of any
/// service may be called `ftp`. Most commands that clients begin with are those of POP3 or SMTP too; [some](OWN) are not. A line that
/// begins neither a reply nor a command is not of the protocol.
pub(super) fn probe(start: &[u8]) -> Probe {
    for (at, line) in start.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.iter().any(|&byte| byte < b' ' && !matches!(byte, b'\r' | b'\n' | b'\t')) {
            // Bytes behind a line that was judged do not count.
            return if at == 0 { Probe::No } else { Probe::Maybe };
        }
        if at == 0 && !begins_reply(line) && !is_command(line) {
            return Probe::No;
        }
        if !line.ends_with(b"\n") || at > 0 && !start.starts_with(b"220-") {
            return Probe::Maybe;
        }
        if at == 0 && OWN.iter().any(|own| line.trim_ascii_end().eq_ignore_ascii_case(own)) {
            return Probe::Yes;
        }
        if at == 0 && !matches!(line.get(..4), Some(b"220 " | b"220-")) {
            return Probe::Maybe;
        }
        if has(line, b"SMTP") {
            return Probe::Maybe;
        }
        if says_ftp(line) {
            return Probe::Yes;
        }
        if at > 0 && line.starts_with(b"220 ") {
            return Probe::Maybe;
        }
    }
    Probe::Maybe
}

/// Whether a line, or the start of one, is a command that is known.
pub(super) fn is_command(line: &[u8]) -> bool {
    begins_command(line, COMMANDS)
}

/// First lines of clients that no other protocol has: RFC 959 §4.1, RFC 2389 §3, RFC 2428 §3, RFC 4217 §4.
const OWN: &[&[u8]] = &[
    b"AUTH TLS",
    b"AUTH SSL",
    b"AUTH TLS-C",
    b"AUTH TLS-P",
    b"FEAT",
    b"SYST",
    b"PASV",
    b"EPSV",
    b"OPTS UTF8 ON",
];

/// What a client may begin with: RFC 959 §5.3.1, RFC 775, and what IANA's registry of FTP commands and extensions
/// lists.
const COMMANDS: &[&[u8]] = &[
    b"USER", b"PASS", b"ACCT", b"AUTH", b"ADAT", b"PBSZ", b"PROT", b"CCC", b"MIC", b"CONF", b"ENC",
    b"HOST", b"CLNT", b"FEAT", b"OPTS", b"LANG", b"SYST", b"HELP", b"NOOP", b"QUIT", b"REIN",
    b"SITE", b"STAT", b"CWD", b"XCWD", b"CDUP", b"XCUP", b"PWD", b"XPWD", b"MKD", b"XMKD", b"RMD",
    b"XRMD", b"SMNT", b"TYPE", b"MODE", b"STRU", b"PORT", b"PASV", b"EPRT", b"EPSV", b"LPRT",
    b"LPSV", b"LIST", b"NLST", b"MLST", b"MLSD", b"SIZE", b"MDTM", b"MFMT", b"MFCT", b"MFF",
    b"RETR", b"STOR", b"STOU", b"APPE", b"REST", b"ALLO", b"DELE", b"RNFR", b"RNTO", b"ABOR",
    b"ALGS", b"ESTP", b"ESTA", b"AVBL", b"CSID", b"HASH", b"RANG", b"SPSV", b"DSIZ", b"THMB",
    b"COMB",
];

fn has(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether a line has `FTP`, alone or in the name of a program, and not in that of a host.
fn says_ftp(line: &[u8]) -> bool {
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let words = line.get(4..).unwrap_or_default().split(is_space);
    words.filter(|word| has(word, b"FTP")).any(|word| {
        let word = word.trim_ascii_end();
        let inner = word.strip_suffix(b".").unwrap_or(word);
        !inner.contains(&b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_what_other_protocols_do_not_have() {
        for (start, expected) in [
            (&b"220 (vsFTPd 3.0.5)\r\n"[..], Probe::Yes),
            (b"220 ProFTPD Server (Debian) [::ffff:10.0.0.2]\r\n", Probe::Yes),
            (b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n", Probe::Yes),
            (b"220-Welcome\r\n220 FTP ready.\r\n", Probe::Yes),
            (b"220 ftp.example.org FTP server ready\r\n", Probe::Yes),
            (b"220 (vsFTPd 3.0.5)", Probe::Maybe),
            (b"220 ftp.example.org ready\r\n", Probe::Maybe),
            (b"220 ftp.example.org ESMTP Postfix\r\n", Probe::Maybe),
            (b"220-ftp.example.org ESMTP\r\n220 no FTP\r\n", Probe::Maybe),
            (b"220 ready\r\n230 FTP\r\n", Probe::Maybe),
            (b"USER anonymous\r\n", Probe::Maybe),
            (b"AUTH TLS\r\n", Probe::Yes),
            (b"feat\r\n", Probe::Yes),
            (b"AUTH PLAIN\r\n", Probe::Maybe),
            (b"FEATURE\r\n", Probe::No),
            (b"SYST", Probe::Maybe),
            (b"331 FTP\r\n", Probe::Maybe),
            (b"user", Probe::Maybe),
            (b"AAAABBBB\r\n", Probe::No),
            (b"USERS\r\n", Probe::No),
            (b"2200\r\n", Probe::No),
            (b"\x16\x03\x01\x02\x00\x01", Probe::No),
        ] {
            assert_eq!(probe(start), expected, "{}", start.escape_ascii());
        }
    }
}
