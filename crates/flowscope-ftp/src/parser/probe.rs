use flowscope_core::Probe;

/// Judges the first bytes of either side: where the connection was not seen to open, the server may be taken for
/// its initiator.
///
/// A server is known by a greeting that says FTP: `220` alone is SMTP's too (RFC 5321 §4.2), and a host of any
/// service may be called `ftp`. The commands of a client are those of POP3 too.
pub(super) fn probe(start: &[u8]) -> Probe {
    for (at, line) in start.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.iter().any(|&byte| byte < b' ' && !matches!(byte, b'\r' | b'\n' | b'\t')) {
            // Bytes behind a line that was judged do not count.
            return if at == 0 { Probe::No } else { Probe::Maybe };
        }
        if !line.ends_with(b"\n") || at > 0 && !start.starts_with(b"220-") {
            return Probe::Maybe;
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
            (b"331 FTP\r\n", Probe::Maybe),
            (b"\x16\x03\x01\x02\x00\x01", Probe::No),
        ] {
            assert_eq!(probe(start), expected, "{}", start.escape_ascii());
        }
    }
}
