use super::*;

fn talk(turns: &[(FlowSide, &str)]) -> (Vec<Pop3Exchange>, ParserStatus, Pop3Parser) {
    let (mut parser, mut out) = (Pop3Parser::default(), Vec::new());
    let mut status = ParserStatus::Continue;
    for (side, text) in turns {
        status = parser
            .feed_into(StreamChunk::new(*side, Timestamp::ZERO, 0, text.as_bytes()), &mut out);
        if status != ParserStatus::Continue {
            break;
        }
    }
    parser.end(&mut out);
    (out, status, parser)
}

#[test]
fn lines_of_a_reply_are_counted() {
    let (out, _, _) = talk(&[
        (Responder, "+OK\r\n"),
        (Initiator, "LIST\r\nLIST 1\r\nRETR 9\r\n"),
        (Responder, "+OK\r\n1 120\r\n..\r\n.\r\n+OK 1 120\r\n-ERR none\r\n"),
    ]);
    let counts: Vec<_> = out.iter().map(|x| (x.success, x.lines, x.bytes)).collect();
    let yes = Some(true);
    assert_eq!(counts, [(yes, 0, 0), (yes, 2, 11), (yes, 0, 0), (Some(false), 0, 0)]);
}

#[test]
fn no_secret_is_kept() {
    let (out, _, _) = talk(&[
        (Responder, "+OK\r\n"),
        (Initiator, "USER alice\r\npass s3cret\r\nAPOP bob s3cret\r\nAUTH PLAIN s3cret\r\n"),
        (Responder, "+OK\r\n-ERR\r\n-ERR\r\n+ s3cret\r\n"),
        (Initiator, "s3cret\r\n"),
        (Responder, "+OK\r\n"),
        (Initiator, "STAT\r\n"),
    ]);
    let commands: Vec<_> = out.iter().filter_map(|x| x.command.as_deref()).collect();
    assert_eq!(commands, [&b"USER"[..], b"PASS", b"APOP", b"AUTH", b"STAT"]);
    let arguments: Vec<_> = out.iter().filter_map(|x| x.argument.as_deref()).collect();
    assert_eq!(arguments, [&b"alice"[..], b"bob", b"PLAIN"]);
    assert!(out.iter().all(|x| x.text.as_ref().is_none_or(Vec::is_empty)));
}

#[test]
fn behind_stls_the_bytes_of_both_sides_are_left_over() {
    let stls = [(Responder, "+OK\r\n"), (Initiator, "STLS\r\nx\n")];
    let (_, status, mut parser) = talk(&[stls[0], stls[1], (Responder, "+OK\r\nyz")]);
    assert_eq!(status, ParserStatus::Upgrade);
    assert_eq!(parser.take_remainder(Initiator).unwrap().bytes, b"x\n");
    assert_eq!(parser.take_remainder(Responder).unwrap().bytes, b"yz");
    // They were lines otherwise, of which this is none of POP3.
    let (out, status, _) = talk(&[stls[0], stls[1], (Responder, "-ERR\r\n-ERR x\r\n+OK\r\n")]);
    let found: Vec<_> = out.iter().map(|it| (it.command.as_deref(), it.success)).collect();
    let stls = (Some(&b"STLS"[..]), Some(false));
    assert_eq!(found, [(None, Some(true)), stls, (None, Some(false)), (None, Some(true))]);
    assert_eq!(status, ParserStatus::Continue);
}

#[test]
fn many_lines_that_are_none_of_pop3_are_an_error() {
    for (side, line, field) in
        [(Initiator, "x\r\n", "keyword"), (Responder, "x\r\n", "status indicator")]
    {
        let status =
            |times: u8| talk(&[(Responder, "+OK\r\n"), (side, &line.repeat(times.into()))]).1;
        assert_eq!(status(flowscope_lines::MAX_UNREADABLE), ParserStatus::Continue);
        let failed = ParserStatus::Failed(ParseError::InvalidField(field));
        assert_eq!(status(flowscope_lines::MAX_UNREADABLE + 1), failed);
    }
}

#[test]
fn what_waits_is_bounded() {
    let commands = "NOOP\r\n".repeat(MAX_OPEN + 1);
    let (out, status, _) = talk(&[(Initiator, &commands)]);
    assert_eq!((out.len(), status), (MAX_OPEN, ParserStatus::Done));
    let held = "x".repeat(MAX_HELD + 1);
    let (_, status, _) = talk(&[(Initiator, "STLS\r\n"), (Initiator, &held)]);
    assert!(matches!(status, ParserStatus::Failed(ParseError::TooLong(_))));
}

#[test]
fn a_greeting_is_sure_where_it_has_text() {
    let check = |start: &[u8], expected| {
        assert_eq!(Pop3Parser::probe(Responder, start), expected, "{}", start.escape_ascii());
    };
    check(b"+OK", Probe::Maybe);
    check(b"+OK ready\r\n", Probe::Yes);
    check(b"+OK\r\n", Probe::Maybe);
    check(b"\x16\x03", Probe::No);
}

/// RFC 6856: the name of a command may have digits, and a list of languages has lines.
#[test]
fn commands_of_other_languages_are_read() {
    let languages = format!("+OK\r\n{}.\r\n", "en English\r\n".repeat(40));
    let (out, status, _) = talk(&[
        (Responder, "+OK\r\n"),
        (Initiator, "UTF8\r\n"),
        (Responder, "+OK\r\n"),
        (Initiator, "LANG\r\n"),
        (Responder, &languages),
        (Initiator, "LANG en\r\n"),
        (Responder, "+OK en\r\n"),
    ]);
    let found: Vec<_> = out.iter().map(|it| (it.command.as_deref(), it.lines)).collect();
    let lang = Some(&b"LANG"[..]);
    assert_eq!(found, [(None, 0), (Some(&b"UTF8"[..]), 0), (lang, 40), (lang, 0)]);
    assert_eq!(status, ParserStatus::Continue);
}
