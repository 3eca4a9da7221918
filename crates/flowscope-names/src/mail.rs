//! Mail and news.

use crate::answer::Answer::{self, No, OnPort, Yes};

use crate::text::{first_line, has, is_text, line, one_of, words};

/// NNTP (RFC 3977 §5, RFC 4643, RFC 4644): the greeting with the name of the protocol or of a server, or a command that
/// only this protocol has. Another greeting is plausible.
pub(crate) fn nntp(start: &[u8]) -> Answer {
    const COMMANDS: [&[u8]; 8] = [
        b"MODE READER\r\n",
        b"MODE STREAM\r\n",
        b"AUTHINFO ",
        b"CAPABILITIES\r\n",
        b"IHAVE <",
        b"TAKETHIS <",
        b"CHECK <",
        b"XOVER ",
    ];
    match one_of(start, &[b"200 ", b"201 "]) {
        Yes => {
            let is_news = |line: &[u8]| {
                [&b"NNTP"[..], b"InterNetNews", b"INN "].iter().any(|name| has(line, name))
            };
            match first_line(start, is_news) {
                No if line(start)
                    .is_some_and(|(line, _)| line.iter().all(|&byte| is_text(byte))) =>
                {
                    OnPort
                }
                answer => answer,
            }
        }
        No => one_of(start, &COMMANDS),
        answer => answer,
    }
}

/// IRC (RFC 2812 §3.1, §5.1, IRCv3 §CAP): a client's `NICK`, `CAP` or `USER` with its four parameters, behind `PASS`
/// or not, or a server's `NOTICE` or welcome.
pub(crate) fn irc(start: &[u8]) -> Answer {
    match start.first() {
        Some(b':') => first_line(start, |line| {
            let words = words(line);
            words.len() >= 4
                && words[0].len() > 1
                && matches!(words[1], b"NOTICE" | b"001" | b"020" | b"CAP" | b"PING")
                && words[3..].iter().any(|word| word.starts_with(b":"))
        }),
        _ => match one_of(start, &[b"NICK ", b"USER ", b"PASS ", b"CAP ", b"NOTICE AUTH :"]) {
            Yes if start.starts_with(b"PASS ") => match line(start) {
                Some((line, rest)) if line.iter().all(|&byte| is_text(byte)) => irc_command(rest),
                Some(_) => No,
                None => first_line(start, |_| false),
            },
            Yes if start.starts_with(b"NOTICE") => Yes,
            Yes => irc_command(start),
            answer => answer,
        },
    }
}

/// A command that registers a client.
fn irc_command(start: &[u8]) -> Answer {
    match one_of(start, &[b"NICK ", b"USER ", b"CAP "]) {
        Yes => first_line(start, |line| {
            let words = words(line);
            match words[0] {
                b"NICK" => words.len() == 2 && !words[1].is_empty() && words[1][0] != b'-',
                b"CAP" => matches!(words[1], b"LS" | b"REQ" | b"LIST" | b"END"),
                _ => words.len() >= 5 && words[4].starts_with(b":"),
            }
        }),
        answer => answer,
    }
}
