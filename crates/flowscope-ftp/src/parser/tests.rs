use super::*;

/// A conversation: lines of the client begin with `C`, those of the server with `S`; ends with its end.
fn talk(turns: &[(char, &str)]) -> (Vec<FtpExchange>, ParserStatus, FtpParser) {
    let (mut parser, mut out, mut offsets) = (FtpParser::default(), Vec::new(), [0; 2]);
    let mut status = ParserStatus::Continue;
    for (who, text) in turns {
        let side = if *who == 'C' { Initiator } else { Responder };
        let chunk = StreamChunk::new(side, Timestamp::ZERO, offsets[side.index()], text.as_bytes());
        offsets[side.index()] += text.len() as u64;
        status = parser.feed_into(chunk, &mut out);
        if status != ParserStatus::Continue {
            break;
        }
    }
    parser.end(&mut out);
    (out, status, parser)
}

/// Command and code of each exchange.
fn pairs(exchanges: &[FtpExchange]) -> Vec<(String, Option<u16>)> {
    let name = |x: &FtpExchange| String::from_utf8(x.command.clone().unwrap_or_default()).unwrap();
    exchanges.iter().map(|x| (name(x), x.code)).collect()
}

fn pair(command: &str, code: u16) -> (String, Option<u16>) {
    (command.to_owned(), Some(code))
}

#[test]
fn a_preliminary_reply_leaves_the_command_open() {
    let (out, _, _) = talk(&[
        ('S', "120 soon\r\n220 FTP\r\n"),
        ('C', "RETR a\r\n"),
        ('S', "150 opening (1234 bytes)\r\n"),
        ('C', "NOOP\r\n"),
        ('S', "226 sent\r\n200 fine\r\n"),
    ]);
    assert_eq!(pairs(&out), [pair("", 120), pair("", 220), pair("RETR", 226), pair("NOOP", 200)]);
    let codes: Vec<_> = out[2].reply.iter().map(|line| line.code).collect();
    assert_eq!(codes, [Some(150), Some(226)]);
    assert_eq!(out[2].file_size, Some(1234));
    assert_eq!(out.iter().map(|x| x.id).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn no_secret_is_kept() {
    let (out, _, _) = talk(&[
        ('S', "220 FTP\r\n"),
        ('C', "USER alice\r\npass s3cret\r\nACCT s3cret\r\nPASS\ts3cret\r\n"),
        ('C', "SITE PSWD s3cret s3cret\r\nADAT s3cret\r\nUSER bob\r\n"),
    ]);
    assert_eq!(out.len(), 8);
    let text = format!("{out:?}");
    let secret = format!("{:?}", b"s3cret");
    assert!(!text.contains(secret.trim_matches(['[', ']'])));
    assert!(text.contains(format!("{:?}", b"alice").trim_matches(['[', ']'])));
    assert_eq!(out[2].user.as_deref(), Some(&b"alice"[..]));
    assert!(out[2].password_sent && out[2].argument.is_none());
    assert_eq!(out[5].argument.as_deref(), Some(&b"PSWD"[..]));
    assert_eq!(out[7].user.as_deref(), Some(&b"bob"[..]));
    assert!(!out[7].password_sent);
}

#[test]
fn a_reply_of_several_lines_ends_with_its_own_code() {
    let (out, _, _) = talk(&[
        ('S', "220 FTP\r\n"),
        ('C', "STAT\r\n"),
        ('S', "211-begin\r\n 211 within\r\n230 another\r\n211-again\r\n\r\n211 end\r\n"),
    ]);
    let lines: Vec<_> = out[1].reply.iter().map(|line| (line.code, line.text.as_slice())).collect();
    let expected: [(_, &[u8]); 6] = [
        (Some(211), b"begin"),
        (None, b" 211 within"),
        (None, b"230 another"),
        (Some(211), b"again"),
        (None, b""),
        (Some(211), b"end"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn behind_auth_tls_the_bytes_of_both_sides_are_left_over() {
    let (out, status, mut parser) = talk(&[
        ('S', "220 FTP\r\n"),
        ('C', "AUTH TLS\r\n\u{16}hello\n"),
        ('C', "more"),
        ('S', "234 go\r\n\u{16}server"),
    ]);
    assert_eq!(status, ParserStatus::Upgrade);
    assert_eq!(pairs(&out), [pair("", 220), pair("AUTH", 234)]);
    let left = |offset, bytes: &[u8]| Some(Remainder { offset, bytes: bytes.to_vec() });
    assert_eq!(parser.take_remainder(Initiator), left(10, b"\x16hello\nmore"));
    assert_eq!(parser.take_remainder(Responder), left(17, b"\x16server"));
    assert_eq!(parser.take_remainder(Initiator), None);
}

#[test]
fn where_tls_is_refused_commands_go_on() {
    let (out, status, _) = talk(&[
        ('S', "220 FTP\r\n"),
        ('C', "AUTH TLS\r\nAUTH SSL\r\nUSER a\r\n"),
        ('S', "534 no\r\n"),
        ('S', "534 no\r\n331 password\r\n"),
    ]);
    assert_eq!(status, ParserStatus::Continue);
    assert_eq!(
        pairs(&out),
        [pair("", 220), pair("AUTH", 534), pair("AUTH", 534), pair("USER", 331)]
    );
}

#[test]
fn other_security_mechanisms_begin_no_tls() {
    let (_, status, _) =
        talk(&[('S', "220 FTP\r\n"), ('C', "AUTH GSSAPI\r\n"), ('S', "334 go\r\n")]);
    assert_eq!(status, ParserStatus::Continue);
}

#[test]
fn a_reply_that_is_delivered_before_its_command_waits_for_it() {
    let (out, _, _) = talk(&[
        ('S', "220 FTP\r\n331 password\r\n"),
        ('C', "USER a\r\nNOOP\r\n"),
        ('S', "200 x\r\n"),
    ]);
    assert_eq!(pairs(&out), [pair("", 220), pair("USER", 331), pair("NOOP", 200)]);
    // One that nobody asked for is reported at the end.
    let (out, _, _) = talk(&[('S', "220 FTP\r\n421 timeout\r\n")]);
    assert_eq!(pairs(&out), [pair("", 220), pair("", 421)]);
}

#[test]
fn what_waits_is_bounded() {
    let commands = "NOOP\r\n".repeat(20);
    let (out, status, _) = talk(&[('C', &commands)]);
    assert_eq!((out.len(), status), (MAX_OPEN, ParserStatus::Done));
    let mut parser = FtpParser::default();
    let replies = "220 x\r\n".repeat(20);
    assert_eq!(parser.feed_responder(replies.as_bytes()).len(), 20 - MAX_EARLY);
    let held = "x".repeat(MAX_HELD + 1);
    let (_, status, _) = talk(&[('S', "220 FTP\r\n"), ('C', "AUTH TLS\r\n"), ('C', &held)]);
    assert!(matches!(status, ParserStatus::Failed(ParseError::TooLong(_))));
}

#[test]
fn long_lines_and_long_replies_are_kept_in_part() {
    let command = format!("RETR {}\r\n", "a".repeat(5000));
    let reply = format!("211-x\r\n{}211 end\r\n", " line\r\n".repeat(100));
    let (out, status, _) = talk(&[('S', "220 FTP\r\n"), ('C', &command), ('S', &reply)]);
    assert_eq!(status, ParserStatus::Continue);
    assert_eq!(out[1].argument.as_ref().map(Vec::len), Some(2048 - 5));
    assert!(out[1].command_truncated && out[1].reply_truncated);
    assert_eq!((out[1].reply.len(), out[1].code), (MAX_LINES, Some(211)));
}

#[test]
fn many_lines_that_are_none_of_ftp_are_an_error() {
    for turns in [
        [('S', "220 FTP\r\n"), ('C', "\u{16}\u{3}\u{1}\r\n")],
        [('C', "USER a\r\n"), ('S', "+OK\r\n")],
        [('S', "220 FTP\r\n"), ('C', "HOST: a\r\n")],
        [('C', "USER a\r\n"), ('S', "999 x\r\n")],
    ] {
        let [first, (side, line)] = turns;
        let status = |times: u8| talk(&[first, (side, &line.repeat(times.into()))]).1;
        assert_eq!(status(flowscope_lines::MAX_UNREADABLE), ParserStatus::Continue, "{turns:?}");
        let more = status(flowscope_lines::MAX_UNREADABLE + 1);
        assert!(
            matches!(more, ParserStatus::Failed(_) | ParserStatus::Done),
            "{turns:?}: {more:?}"
        );
    }
}

#[test]
fn the_reply_to_what_is_no_command_answers_no_other() {
    let (out, status, _) = talk(&[
        ('S', "220 FTP\r\n"),
        ('C', "?AAAA\r\nUSER a\r\n"),
        ('S', "500 what\r\n+OK\r\n331 password\r\n"),
        ('C', "?BBBB\r\n"),
    ]);
    assert_eq!(status, ParserStatus::Continue);
    let found: Vec<_> = out.iter().map(|it| (it.command.as_deref(), it.code)).collect();
    assert_eq!(found, [(None, Some(220)), (None, Some(500)), (Some(&b"USER"[..]), Some(331))]);
}

#[test]
fn a_signal_before_a_command_is_left_out() {
    let mut parser = FtpParser::default();
    parser.feed_initiator(b"\xff\xf4\xff\xf2ABOR\r\n");
    let mut out = Vec::new();
    parser.end(&mut out);
    assert_eq!(out[0].command.as_deref(), Some(&b"ABOR"[..]));
}

#[test]
fn a_connection_is_read_from_the_middle_on() {
    for swapped in [false, true] {
        let (client, server) =
            if swapped { (Responder, Initiator) } else { (Initiator, Responder) };
        let (mut parser, mut out) = (FtpParser::default(), Vec::new());
        for side in [Initiator, Responder] {
            assert_eq!(parser.gap(side, 0, &mut out), ParserStatus::Continue);
        }
        for (side, text) in [
            (client, "SS s3cret\r\n"),
            (server, "xt\r\n230 in\r\n"),
            (client, "PWD\r\n"),
            (server, "257 \"/\"\r\n"),
        ] {
            let chunk = StreamChunk::new(side, Timestamp::ZERO, 0, text.as_bytes());
            assert_eq!(parser.feed_into(chunk, &mut out), ParserStatus::Continue);
        }
        parser.end(&mut out);
        assert!(out.iter().all(|x| x.argument.is_none()));
        assert_eq!(pairs(&out)[0].0, "PWD", "{swapped}");
    }
}

#[test]
fn missing_bytes_end_parsing() {
    let mut parser = FtpParser::default();
    parser.feed_responder(b"220 FTP\r\n");
    parser.feed_initiator(b"NOOP\r\n");
    let mut out = Vec::new();
    assert_eq!(parser.gap(Responder, 9, &mut out), ParserStatus::Done);
    assert_eq!(pairs(&out), [("NOOP".to_owned(), None)]);
}

/// Whether the server listens, host, port, and what it is about.
type Expected = (bool, Option<String>, u16, String);

/// What is expected after each turn.
fn expected(turns: &[(char, &str)]) -> Vec<Vec<Expected>> {
    let (mut parser, mut offsets) = (FtpParser::default(), [0; 2]);
    let mut all = Vec::new();
    for (who, text) in turns {
        let side = if *who == 'C' { Initiator } else { Responder };
        let chunk = StreamChunk::new(side, Timestamp::ZERO, offsets[side.index()], text.as_bytes());
        offsets[side.index()] += text.len() as u64;
        let status = parser.feed_into(chunk, &mut Vec::new());
        let mut now = Vec::new();
        while let Some(it) = parser.take_expectation() {
            assert_eq!((status, it.protocol), (ParserStatus::Expects, "ftp-data"));
            let about = String::from_utf8(it.about).unwrap();
            let host = it.host.map(|host| host.to_string());
            now.push((it.listener == Responder, host, it.port, about));
        }
        if now.is_empty() {
            assert_eq!(status, ParserStatus::Continue);
        }
        all.push(now);
    }
    all
}

#[test]
fn data_connections_are_expected_with_what_they_carry() {
    let place = |about: &str| vec![(true, Some("10.0.0.2".into()), 50000, about.to_owned())];
    let found = expected(&[
        ('S', "220 FTP\r\n"),
        ('C', "PASV\r\n"),
        ('S', "227 Entering Passive Mode (10,0,0,2,195,80)\r\n"),
        ('C', "REST 5\r\n"),
        ('S', "350 go on\r\n"),
        ('C', "RETR a b\r\n"),
        ('S', "150 opening (1234 bytes)\r\n"),
        ('S', "226 sent\r\n"),
        // The port was for one connection.
        ('C', "RETR c\r\n"),
        ('S', "425 no connection\r\n"),
    ]);
    let none = Vec::new;
    let [retr, opening] = ["5 - RETR a b", "5 1234 RETR a b"].map(place);
    let expected =
        [none(), none(), place(""), none(), none(), retr, opening, none(), none(), none()];
    assert_eq!(found, expected);
}

#[test]
fn the_server_is_expected_to_connect_where_the_client_says() {
    let place = |about: &str| vec![(false, Some("10.0.0.1".into()), 1234, about.to_owned())];
    let found = expected(&[
        ('S', "220 FTP\r\n"),
        ('C', "PORT 10,0,0,1,4,210\r\n"),
        ('S', "200 fine\r\n"),
        ('C', "STOU\r\n"),
        ('S', "150 FILE: a.1\r\n226 done\r\n"),
        ('C', "LIST\r\n"),
        ('S', "226 done\r\n"),
        ('C', "EPRT |1|10.0.0.1|1|\r\n"),
        ('S', "500 what\r\n"),
        ('C', "LIST\r\n"),
    ]);
    let none = Vec::new;
    let [port, stou, named, list] = ["", "0 - STOU", "0 - STOU a.1", "0 - LIST"].map(place);
    let refused = vec![(false, Some("10.0.0.1".into()), 1, String::new())];
    let expected = [none(), port, none(), stou, named, list, none(), refused, none(), none()];
    assert_eq!(found, expected);
}

#[test]
fn a_transfer_may_be_asked_for_before_its_place_is_known() {
    let found =
        expected(&[('S', "220 FTP\r\n"), ('C', "EPSV\r\nRETR a\r\n"), ('S', "229 (|||6446|)\r\n")]);
    assert_eq!(found[2], [(true, None, 6446, "0 - RETR a".to_owned())]);
}

#[test]
fn data_connections_that_are_not_taken_are_bounded() {
    let mut parser = FtpParser::default();
    parser.feed_responder(b"220 FTP\r\n");
    for _ in 0..100 {
        parser.feed_initiator(b"PORT 10,0,0,1,4,210\r\n");
        parser.feed_responder(b"200 fine\r\n");
    }
    assert_eq!(parser.expected.len(), MAX_EXPECTED);
}

#[test]
fn a_packet_announces_a_data_connection() {
    let of = |text: &str| {
        let found = FtpParser::announcement(text.as_bytes())?;
        Some((found.host.map(|host| host.to_string()), found.port))
    };
    let host = |host: &str| Some(host.to_owned());
    let server = Some((host("10.0.0.2"), 50000));
    assert_eq!(of("227 Entering Passive Mode (10,0,0,2,195,80).\r\n"), server);
    assert_eq!(of("200 fine\r\n227 Entering Passive Mode (10,0,0,2,195,80).\r\n"), server);
    assert_eq!(of("229 Entering Extended Passive Mode (|||6446|)\r\n"), Some((None, 6446)));
    assert_eq!(of("PORT 10,0,0,1,4,210\r\n"), Some((host("10.0.0.1"), 1234)));
    assert_eq!(of("eprt |2|fe80::1|5282|\r\n"), Some((host("fe80::1"), 5282)));
    for text in [
        "",
        "2",
        "227",
        "227 what\r\n",
        "PORT\r\n",
        "PORTS 10,0,0,1,4,210\r\n",
        "GET / HTTP/1.1\r\n",
    ] {
        assert_eq!(of(text), None, "{text}");
    }
}
