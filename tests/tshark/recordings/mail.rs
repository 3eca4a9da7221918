//! SMTP, IMAP and POP3.

use crate::capture::{Row, recorded};
use crate::fields::{BETWEEN, Part, as_they_are, check, each_value, name, pair, same};

pub(crate) fn smtp_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "smtp.req.command == \"MAIL\"",
            pairs: &[
                same("mail_from", "smtp.req.parameter"),
                same("declared_len", "smtp.req.parameter"),
            ],
            rows: |row| {
                let (path, options) = row[0].split_once(' ').unwrap_or((&*row[0], ""));
                vec![vec![address(path), options.strip_prefix("SIZE=").unwrap_or("").to_owned()]]
            },
            having: None,
            at_least: 3,
        },
        Part {
            filter: "smtp.req.command == \"RCPT\"",
            pairs: &[same("rcpt_to", "smtp.req.parameter")],
            rows: |row| vec![vec![address(&row[0])]],
            having: None,
            at_least: 4,
        },
        Part {
            filter: "imf",
            pairs: &[
                same("message_id", "imf.message_id"),
                same("from", "imf.from"),
                same("subject", "imf.subject"),
                same("date", "imf.date"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 2,
        },
        Part {
            filter: "smtp.response.code in {235, 535}",
            pairs: &[pair("auth_success", "smtp.response.code", |cell| {
                name(&[(235, "true"), (535, "false")], cell)
            })],
            rows: each_value,
            having: None,
            at_least: 2,
        },
        Part {
            filter: "imf.to",
            pairs: &[same("to", "imf.to")],
            rows: each_value,
            having: None,
            at_least: 2,
        },
    ];
    check(&recorded("smtp.pcap"), "smtp", &parts);
}

/// The address in `FROM:<address>` or `TO:<address>`.
fn address(path: &str) -> String {
    let (_, path) = path.split_once(':').expect("a path");
    path.trim_matches(['<', '>']).to_owned()
}

pub(crate) fn imap_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "imap.request.command",
            pairs: &[
                same("tag", "imap.request"),
                same("command", "imap.request_tag"),
                same("argument", "imap.request.command"),
            ],
            rows: imap_command,
            having: None,
            at_least: 20,
        },
        Part {
            filter: "imap.response.status",
            // The greeting has no tag.
            pairs: &[
                same("tag", "imap.response"),
                same("status", "imap.response.status"),
                same("text", "imap.response_tag"),
            ],
            rows: |row| row[0].split(BETWEEN).filter_map(imap_response).collect(),
            having: None,
            at_least: 20,
        },
    ];
    check(&recorded("imap.pcap"), "imap", &parts);
}

/// Tag, command and argument of a line; nothing of one that goes on with a login or a letter.
fn imap_command(row: Row) -> Vec<Row> {
    let Some((tag, line)) = row[0].split_once(' ').filter(|(tag, _)| is_tag(tag)) else {
        return Vec::new();
    };
    let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
    let argument = match command {
        "LOGIN" => "",
        // What follows the mechanism is who logs in.
        "AUTHENTICATE" => argument.split(' ').next().unwrap_or(""),
        _ => argument,
    };
    vec![[tag, command, argument].map(str::to_owned).to_vec()]
}

/// Tag, status and text of a line that ends a response.
fn imap_response(line: &str) -> Option<Row> {
    let (tag, rest) = line.split_once(' ').filter(|(tag, _)| is_tag(tag))?;
    let (status, text) = rest.split_once(' ')?;
    let ends = ["OK", "NO", "BAD"].contains(&status);
    ends.then(|| [tag, status, text].map(str::to_owned).to_vec())
}

/// Whether a word is a tag of the clients that were recorded: letters, then digits.
fn is_tag(word: &str) -> bool {
    let digits = word.trim_start_matches(|it: char| it.is_ascii_uppercase());
    digits.len() < word.len() && !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
}

pub(crate) fn pop3_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "pop.request.command",
            pairs: &[
                same("command", "pop.request.command"),
                same("argument", "pop.request.parameter"),
            ],
            rows: |row| {
                let argument = match &*row[0] {
                    "PASS" => "",
                    "AUTH" => row[1].split(' ').next().unwrap_or(""),
                    _ => &*row[1],
                };
                // Lines of a login are no commands.
                let is_command = row[0].len() == 4;
                is_command.then(|| vec![row[0].clone(), argument.to_owned()]).into_iter().collect()
            },
            having: None,
            at_least: 18,
        },
        Part {
            filter: "pop.response.indicator",
            pairs: &[
                pair("success", "pop.response.indicator", |cell| (cell == "+OK").to_string()),
                same("text", "pop.response.description"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 20,
        },
    ];
    check(&recorded("pop3.pcap"), "pop3", &parts);
}
