use std::time::Duration;

use super::*;

/// Feeds turns, `>` of the client and `<` of the server, each as a whole.
fn play(parser: &mut ImapParser, turns: &[&str]) -> (Vec<ImapExchange>, ParserStatus) {
    let mut out = Vec::new();
    for turn in turns {
        let (side, text) = match turn.split_at(1) {
            (">", text) => (Initiator, text),
            (_, text) => (Responder, text),
        };
        let chunk = StreamChunk::new(side, Timestamp::from_secs(1), 0, text.as_bytes());
        let status = parser.feed_into(chunk, &mut out);
        if status != ParserStatus::Continue {
            return (out, status);
        }
    }
    (out, ParserStatus::Continue)
}

/// `command status`, `user`.
fn told(exchanges: &[ImapExchange]) -> Vec<(String, String)> {
    let text =
        |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap_or_default()).unwrap();
    let all = exchanges.iter().map(|exchange| {
        let status = exchange.status.map_or("-", ImapStatus::as_str);
        (format!("{} {status}", text(&exchange.command)), text(&exchange.user))
    });
    all.collect()
}

fn check(turns: &[&str], expected: &[(&str, &str)]) {
    let (out, status) = play(&mut ImapParser::default(), turns);
    let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    assert_eq!((told(&out), status), (expected, ParserStatus::Continue));
}

#[test]
fn responses_find_their_command_by_tag() {
    check(
        &["<* OK hi\r\n", ">a NOOP\r\nb SEARCH ALL\r\n", "<b OK\r\nc OK\r\na BAD what\r\n"],
        &[(" OK", ""), ("SEARCH OK", ""), ("NOOP BAD", "")],
    );
}

#[test]
fn the_user_is_that_of_the_login_that_succeeded() {
    check(
        &[
            "<* OK hi\r\n",
            ">a LOGIN eve x\r\n",
            "<a NO\r\n",
            ">b NOOP\r\n",
            "<b OK\r\n",
            ">c AUTHENTICATE PLAIN\r\n",
            "<+ \r\n",
            ">AGFsaWNlAHNlY3JldA==\r\n",
            "<c OK\r\n",
            ">d NOOP\r\n",
            "<d OK\r\n",
        ],
        &[
            (" OK", ""),
            ("LOGIN NO", "eve"),
            ("NOOP OK", ""),
            ("AUTHENTICATE OK", "alice"),
            ("NOOP OK", "alice"),
        ],
    );
}

#[test]
fn no_secret_is_kept() {
    let turns = [
        "<* OK hi\r\n",
        ">a LOGIN alice sesame\r\n",
        ">b LOGIN {5+}\r\nalice {6+}\r\nsesame\r\n",
        ">c AUTHENTICATE PLAIN AGFsaWNlAHNlc2FtZQ==\r\n",
        "<a NO\r\nb NO\r\nc NO\r\n",
        ">d AUTHENTICATE LOGIN\r\n",
        "<+\r\n",
        ">YWxpY2U=\r\n",
        "<+\r\n",
        ">c2VzYW1l\r\n",
        "<d OK\r\n",
    ];
    let (out, _) = play(&mut ImapParser::default(), &turns);
    assert_eq!(out.len(), 5);
    let shown = format!("{out:?}");
    for secret in ["sesame", "c2VzYW1l", "AGFsaWNl"] {
        let bytes = format!("{:?}", secret.as_bytes());
        assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{secret}");
    }
    assert!(out[1..].iter().all(|exchange| exchange.user.as_deref() == Some(b"alice")));
}

#[test]
fn a_literal_that_is_not_wanted_is_not_waited_for() {
    check(
        &[
            "<* OK hi\r\n",
            ">a APPEND Sent {999999}\r\n",
            "<a NO [TOOBIG] no\r\n",
            ">b NOOP\r\n",
            "<b OK\r\n",
        ],
        &[(" OK", ""), ("APPEND NO", ""), ("NOOP OK", "")],
    );
}

#[test]
fn literals_are_counted_and_passed_over() {
    let long = "x".repeat(5000);
    let turns = [
        "<* OK hi\r\n",
        ">a FETCH 1 ALL\r\n",
        // The line is longer than what is kept of it.
        &format!("<* 1 FETCH ({long} BODY[] {{6}}\r\n"),
        "<a OK\r\n) BODY[2] {0}\r\n)\r\n* OK [X] {7}\r\na OK done\r\n",
        ">b APPEND x {4+}\r\nabcd\r\n",
        "<b OK\r\n",
    ];
    let (out, status) = play(&mut ImapParser::default(), &turns);
    assert_eq!(status, ParserStatus::Continue);
    assert_eq!((out[1].responses, out[1].literal_bytes), (2, 0));
    let expected = turns[2].len() - 1 + turns[3].len() - 1 - "a OK done\r\n".len();
    assert_eq!(out[1].bytes, expected as u64);
    assert_eq!((out[2].literal_bytes, out[2].argument.as_deref()), (4, Some(&b"x {4+}"[..])));
}

#[test]
fn behind_starttls_the_bytes_of_both_sides_are_left_over() {
    let mut parser = ImapParser::default();
    let turns = ["<* OK hi\r\n", ">a STARTTLS\r\n\u{16}\u{3}", "<a OK go\r\n\u{16}"];
    let (out, status) = play(&mut parser, &turns);
    assert_eq!((out.len(), status), (2, ParserStatus::Upgrade));
    assert_eq!(parser.take_remainder(Initiator).unwrap().bytes, b"\x16\x03");
    assert_eq!(parser.take_remainder(Responder).unwrap().bytes, b"\x16");
    check(
        &["<* OK hi\r\n", ">a STARTTLS\r\nb NOOP\r\n", "<a NO\r\n", "<b OK\r\n"],
        &[(" OK", ""), ("STARTTLS NO", ""), ("NOOP OK", "")],
    );
}

#[test]
fn what_ends_parsing() {
    let ends = |turns: &[&str]| play(&mut ImapParser::default(), turns).1;
    let hi = "<* OK hi\r\n";
    assert_eq!(ends(&[hi, ">a COMPRESS DEFLATE\r\n", "<a OK\r\n"]), ParserStatus::Done);
    let failed = |field| ParserStatus::Failed(ParseError::InvalidField(field));
    for (line, field) in [("><html>\r\n", "command"), ("<a MAYBE\r\n", "resp-cond-state")] {
        let most = vec![line; usize::from(flowscope_lines::MAX_UNREADABLE)];
        assert_eq!(ends(&[&[hi], &most[..]].concat()), ParserStatus::Continue);
        assert_eq!(ends(&[&[hi], &most[..], &[line]].concat()), failed(field));
    }
    assert_eq!(ends(&["<220 ready\r\n"]), ParserStatus::Failed(ParseError::NotTheProtocol));
    assert_eq!(ends(&["<* LIST\r\n"]), ParserStatus::Failed(ParseError::NotTheProtocol));
}

/// Clients send many commands at once; beyond the limit the oldest are records without their responses.
#[test]
fn the_oldest_of_many_commands_give_way() {
    let mut parser = ImapParser::default();
    let commands: String = (0..MAX_OPEN + 2).map(|n| format!("t{n} NOOP\r\n")).collect();
    let responses: String = (0..MAX_OPEN + 2).map(|n| format!("t{n} OK\r\n")).collect();
    let turns = ["<* OK hi\r\n", &format!(">{commands}"), &format!("<{responses}")];
    let (records, status) = play(&mut parser, &turns);
    assert_eq!(status, ParserStatus::Continue);
    let answered = records.iter().filter(|record| record.tag.is_some() && record.status.is_some());
    assert_eq!((records.len(), answered.count()), (MAX_OPEN + 3, MAX_OPEN));
    assert_eq!(records[1].tag.as_deref(), Some(&b"t0"[..]));
    assert_eq!(records[1].status, None);
}

/// A command with a literal begins with its first line.
#[test]
fn a_command_has_the_time_of_its_first_line() {
    let (mut parser, mut out) = (ImapParser::default(), Vec::new());
    let parts = [
        (Responder, "* OK hi\r\n", 1),
        (Initiator, "a APPEND x {3}\r\n", 2),
        (Responder, "+ go on\r\n", 3),
        (Initiator, "abc\r\n", 12),
        (Responder, "a OK\r\n", 13),
    ];
    let mut offsets = [0; 2];
    for (side, text, secs) in parts {
        let offset = &mut offsets[side.index()];
        let ts = Timestamp::from_secs(secs);
        parser.feed_into(StreamChunk::new(side, ts, *offset, text.as_bytes()), &mut out);
        *offset += text.len() as u64;
    }
    let append = &out[1];
    assert_eq!(
        (append.ts, append.latency),
        (Timestamp::from_secs(2), Some(Duration::from_secs(11)))
    );
}
