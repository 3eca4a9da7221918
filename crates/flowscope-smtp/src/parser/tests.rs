mod files;

use std::time::Duration;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParseError, ParserStatus, SessionParser, StreamChunk, Timestamp};

use super::SmtpParser;
use crate::{SmtpBody, SmtpOutcome, SmtpTransaction};

/// A session, and what it has emitted.
struct Session {
    parser: SmtpParser,
    out: Vec<SmtpTransaction>,
    now: u64,
}

impl Session {
    fn new() -> Self {
        Session { parser: SmtpParser::default(), out: Vec::new(), now: 0 }
    }

    /// A session behind `EHLO`.
    fn greeted() -> Self {
        let mut session = Session::new();
        session.server("220 mx.example.org ESMTP");
        session.client("EHLO client.example");
        session.server("250 Ok");
        session
    }

    /// A session behind `DATA`.
    fn in_message() -> Self {
        let mut session = Session::greeted();
        for command in ["MAIL FROM:<a@b>", "RCPT TO:<c@d>"] {
            session.client(command);
            session.server("250 Ok");
        }
        session.client("DATA");
        session.server("354 Go on");
        session
    }

    fn bytes(&mut self, side: FlowSide, bytes: &[u8]) -> ParserStatus {
        self.now += 1;
        let chunk = StreamChunk::new(side, Timestamp::from_secs(self.now), 0, bytes);
        self.parser.feed_into(chunk, &mut self.out)
    }

    fn client(&mut self, line: &str) -> ParserStatus {
        self.bytes(Initiator, format!("{line}\r\n").as_bytes())
    }

    fn server(&mut self, line: &str) -> ParserStatus {
        self.bytes(Responder, format!("{line}\r\n").as_bytes())
    }

    fn gap(&mut self, side: FlowSide, len: u64) -> ParserStatus {
        self.parser.gap(side, len, &mut self.out)
    }

    fn end(mut self) -> Vec<SmtpTransaction> {
        self.parser.end(&mut self.out);
        self.out
    }
}

fn text(bytes: Option<&Vec<u8>>) -> &str {
    bytes.map_or("-", |bytes| str::from_utf8(bytes).unwrap())
}

#[test]
fn a_transaction_is_timed_from_mail_to_the_reply_to_its_message() {
    let mut session = Session::in_message();
    session.client("Subject: x\r\n\r\nbody\r\n.");
    assert!(session.out.is_empty());
    session.server("250-Ok\r\n250 queued");
    let [mail] = &session.out[..] else { panic!("{:?}", session.out) };
    assert_eq!(mail.ts, Timestamp::from_secs(4));
    assert_eq!(mail.duration, Some(Duration::from_secs(7)));
    assert_eq!(text(mail.last_reply.as_ref()), "250 queued");
    assert_eq!((mail.message_len, mail.outcome), (20, Some(SmtpOutcome::Accepted)));
    assert_eq!(session.end().len(), 1, "a session with mails has no record of its own");
}

#[test]
fn a_gap_in_a_message_is_counted_and_the_end_is_found() {
    let mut session = Session::in_message();
    session.client("Subject: kept\r\nDate: lo");
    assert_eq!(session.gap(Initiator, 100), ParserStatus::Continue);
    // Not at the start of a line as far as is known, and perhaps in the body.
    session.client(".\r\nFrom: not a field\r\n.");
    session.server("250 Ok");
    let mail = &session.out[0];
    assert_eq!((mail.missing_bytes, mail.message_len), (100, 25 + 100 + 3 + 19));
    assert_eq!(text(mail.headers.subject.as_ref()), "kept");
    assert_eq!((&mail.headers.date, &mail.headers.from), (&None, &None));
    assert_eq!(mail.outcome, Some(SmtpOutcome::Accepted));
}

#[test]
fn an_end_in_a_gap_is_known_by_the_reply() {
    let mut session = Session::in_message();
    session.client("body");
    session.gap(Initiator, 20);
    session.server("250 Ok");
    session.client("MAIL FROM:<second@b>");
    session.server("250 Ok");
    let mails = session.end();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].outcome, Some(SmtpOutcome::Accepted));
    assert_eq!(text(mails[1].mail_from.as_ref()), "second@b");
}

#[test]
fn an_early_reply_does_not_end_a_message_that_is_whole() {
    let mut session = Session::in_message();
    session.client("one");
    session.server("552 Too big");
    session.client("MAIL FROM:<in@the.message>\r\n.");
    assert_eq!(session.out.len(), 1);
    assert_eq!(session.out[0].outcome, Some(SmtpOutcome::Rejected));
    assert_eq!(session.end().len(), 1);
}

#[test]
fn an_end_by_line_feeds_counts_where_the_server_takes_it() {
    let mut session = Session::in_message();
    session.bytes(Initiator, b"Subject: x\n\nbody\n.\n");
    assert!(session.out.is_empty());
    session.server("250 Ok");
    session.client("QUIT");
    assert_eq!(session.out[0].outcome, Some(SmtpOutcome::Accepted));
    assert_eq!(text(session.out[0].headers.subject.as_ref()), "x");
}

#[test]
fn a_gap_in_commands_ends_parsing() {
    for side in [Initiator, Responder] {
        for len in [0, 5] {
            let mut session = Session::greeted();
            session.client("MAIL FROM:<a@b>");
            session.server("250 Ok");
            assert_eq!(session.gap(side, len), ParserStatus::Done);
            let mails = session.end();
            assert_eq!(mails[0].outcome, Some(SmtpOutcome::Incomplete));
        }
    }
}

#[test]
fn a_gap_in_a_chunk_ends_parsing_only_where_it_goes_beyond() {
    let chunk = |gap| {
        let mut session = Session::greeted();
        session.client("MAIL FROM:<a@b>");
        session.server("250 Ok");
        session.bytes(Initiator, b"BDAT 10 LAST\r\nabc");
        let status = session.gap(Initiator, gap);
        if status == ParserStatus::Continue {
            session.bytes(Initiator, &b"0123456789"[..7 - gap as usize]);
            session.client("QUIT");
            session.server("250 Ok");
            session.server("221 Bye");
        }
        (status, session.end().remove(0))
    };
    for gap in [1, 6, 7] {
        let (status, mail) = chunk(gap);
        assert_eq!(status, ParserStatus::Continue);
        assert_eq!((mail.message_len, mail.missing_bytes, mail.chunks), (10, gap, 1));
        assert_eq!(mail.outcome, Some(SmtpOutcome::Accepted));
    }
    let (status, mail) = chunk(8);
    assert_eq!(status, ParserStatus::Done);
    assert_eq!((mail.message_len, mail.missing_bytes), (10, 7));
    assert_eq!(chunk(0).0, ParserStatus::Done);
}

#[test]
fn replies_lost_within_a_message_leave_the_rest_of_the_session_readable() {
    let mut session = Session::in_message();
    assert_eq!(session.gap(Responder, 30), ParserStatus::Continue);
    session.client("Subject: x\r\n\r\n.");
    assert_eq!(session.out[0].outcome, Some(SmtpOutcome::Incomplete));
    session.server("250 Ok");
    session.client("DATA");
    session.server("503 No MAIL");
    session.client("MAIL FROM:<second@b>");
    session.client("STARTTLS");
    assert_eq!(session.server("220 Go"), ParserStatus::Upgrade);
    let mails = session.end();
    assert_eq!(text(mails[1].mail_from.as_ref()), "second@b");
    assert!(mails[2].tls && mails[2].mail_from.is_none());
    assert_eq!(mails.len(), 3);
}

#[test]
fn a_session_from_the_middle_on_is_read_from_its_next_mail() {
    let mut session = Session::new();
    session.gap(Initiator, 0);
    session.gap(Responder, 0);
    session.bytes(Responder, b" half a line\r\n");
    session.client(&format!("\u{1}\u{2} helo there\r\n{}", "x".repeat(20_000)));
    session.gap(Initiator, 7);
    session.client("the rest\r\n.");
    session.server("250 queued");
    session.client("MAIL FROM:<a@b>");
    session.server("250 sender ok");
    let mails = session.end();
    assert_eq!(mails.len(), 1);
    assert_eq!(text(mails[0].last_reply.as_ref()), "250 sender ok");
    assert_eq!(mails[0].helo, None);
}

#[test]
fn a_server_that_is_taken_for_the_initiator_is_known_by_its_client() {
    let mut session = Session::new();
    session.gap(Initiator, 0);
    session.bytes(Initiator, b"220 mx.example.org ESMTP\r\n");
    session.gap(Responder, 0);
    session.bytes(Responder, b"EHLO client.example\r\nMAIL FROM:<a@b>\r\nDATA\r\n");
    session.bytes(Initiator, b"250 mx.example.org\r\n250 Ok\r\n354 Go on\r\n");
    session.bytes(Responder, b"Subject: x\r\n\r\n");
    session.gap(Responder, 9);
    session.bytes(Responder, b"\r\n.\r\n");
    session.bytes(Initiator, b"250 Queued\r\n");
    let mails = session.end();
    assert_eq!(mails.len(), 1);
    assert_eq!(text(mails[0].helo.as_ref()), "client.example");
    assert_eq!(text(mails[0].last_reply.as_ref()), "250 Queued");
    assert_eq!((mails[0].message_len, mails[0].missing_bytes), (14 + 9 + 2, 9));
}

#[test]
fn one_side_alone_makes_records_too() {
    let mut session = Session::new();
    session.client("EHLO client.example");
    for n in 0..300 {
        session.client(&format!("MAIL FROM:<{n}@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n."));
    }
    let mails = session.end();
    assert_eq!(mails.len(), 300);
    assert!(mails.iter().all(|mail| mail.message_len == 3 && !mail.pipelined));
    assert!(mails.iter().all(|mail| mail.outcome == Some(SmtpOutcome::Incomplete)));

    let mut session = Session::new();
    session.server("220 mx.example.org ESMTP");
    session.server("250 Ok");
    let records = session.end();
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0].mail_from, text(records[0].last_reply.as_ref())), (&None, "250 Ok"));
}

#[test]
fn replies_belong_to_commands_in_their_order() {
    let mut session = Session::greeted();
    let group = "MAIL FROM:<1@b>\r\nRCPT TO:<c@d>\r\nBDAT 1 LAST\r\nxMAIL FROM:<2@b>\r\n\
                 RCPT TO:<e@d>\r\nBDAT 2 LAST\r\nyyRSET";
    session.client(group);
    assert!(session.out.is_empty());
    for reply in ["250 s1", "250 r1", "250 m1", "250 s2", "550 r2", "554 m2", "250 reset"] {
        session.server(reply);
    }
    let mails = session.end();
    assert_eq!(mails.len(), 2);
    assert_eq!(text(mails[0].last_reply.as_ref()), "250 m1");
    assert_eq!(mails[0].outcome, Some(SmtpOutcome::Accepted));
    assert_eq!(text(mails[1].last_reply.as_ref()), "554 m2");
    assert_eq!(mails[1].outcome, Some(SmtpOutcome::Rejected));
    assert!(mails.iter().all(|mail| mail.pipelined));
}

#[test]
fn replies_that_are_ahead_wait_for_their_commands() {
    let mut session = Session::greeted();
    session.server("334 \r\n235 Yes\r\n250 s\r\n550 r\r\n250 r\r\n354 Go\r\n250 m\r\n221 Bye");
    assert!(session.out.is_empty());
    session.client("AUTH PLAIN\r\nc2VjcmV0\r\nMAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRCPT TO:<2@d>");
    session.client("DATA\r\nSubject: x\r\n\r\n");
    assert!(session.out.is_empty());
    session.client(".");
    let mail = &session.out[0];
    assert_eq!(text(mail.last_reply.as_ref()), "250 m");
    assert_eq!((mail.rcpt_rejected, mail.outcome), (1, Some(SmtpOutcome::Accepted)));
    assert_eq!(mail.auth.as_ref().unwrap().success, Some(true));
    assert!(!mail.pipelined);
    assert_eq!(session.client("QUIT"), ParserStatus::Done);
    assert_eq!(session.end().len(), 1);
}

#[test]
fn a_reply_that_lacks_behind_the_start_is_noticed_at_data() {
    // The replies to MAIL and RCPT were dropped with the unknown start.
    for (replies, last, outcome) in [
        (&["354 Go", "250 m"][..], "250 m", SmtpOutcome::Accepted),
        (&["250 x", "250 r", "250 r", "354 Go"], "354 Go", SmtpOutcome::Incomplete),
    ] {
        let mut session = Session::greeted();
        session.client("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA");
        for reply in replies {
            session.server(reply);
        }
        session.client("Subject: x\r\n\r\n.");
        let mails = session.end();
        assert_eq!(mails[0].outcome, Some(outcome));
        assert_eq!(text(mails[0].last_reply.as_ref()), last);
        assert_eq!(mails[0].message_len, 14);
    }
}

#[test]
fn data_that_is_refused_leaves_commands() {
    let mut session = Session::greeted();
    session.client("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA");
    for reply in ["250 Ok", "550 No", "503 No recipients"] {
        session.server(reply);
    }
    session.client("MAIL FROM:<second@b>");
    session.server("250 Ok");
    let mails = session.end();
    assert_eq!(mails[0].outcome, Some(SmtpOutcome::Rejected));
    assert_eq!((mails[0].rcpt_count, mails[0].rcpt_rejected), (1, 1));
    assert_eq!(text(mails[1].mail_from.as_ref()), "second@b");
}

#[test]
fn refusals_are_told_from_a_client_that_gives_up() {
    for (replies, outcome) in [
        (["550 No", "503 No"], SmtpOutcome::Rejected),
        (["250 Ok", "450 Later"], SmtpOutcome::Rejected),
        (["250 Ok", "250 Ok"], SmtpOutcome::Abandoned),
    ] {
        let mut session = Session::greeted();
        for (command, reply) in ["MAIL FROM:<a@b>", "RCPT TO:<c@d>"].into_iter().zip(replies) {
            session.client(command);
            session.server(reply);
        }
        session.client("RSET");
        assert_eq!(session.out[0].outcome, Some(outcome), "{replies:?}");
        assert_eq!(text(session.out[0].last_reply.as_ref()), replies[1]);
    }
}

#[test]
fn no_secret_is_kept() {
    for lines in [
        &[("AUTH PLAIN c2VjcmV0", "535 No")][..],
        &[("AUTH PLAIN", "334 "), ("c2VjcmV0", "235 Yes")],
        &[("AUTH LOGIN", "334 VXNlcg"), ("c2VjcmV0", "334 UGFzcw"), ("c2VjcmV0", "235 Yes")],
        // The client does not wait for the challenge.
        &[("AUTH PLAIN\r\nc2VjcmV0", "334 \r\n235 Yes")],
    ] {
        let mut session = Session::greeted();
        for (line, reply) in lines {
            session.client(line);
            session.server(reply);
        }
        session.client("MAIL FROM:<a@b>");
        let records = session.end();
        let auth = records[0].auth.as_ref().unwrap();
        assert_eq!(auth.success, Some(!lines[0].1.starts_with("535")), "{lines:?}");
        let all = format!("{records:?}");
        let secret = format!("{:?}", b"c2VjcmV0".as_slice());
        assert!(!all.contains(secret.trim_matches(['[', ']'])), "{all}");
    }
}

#[test]
fn tls_follows_where_both_agree() {
    let mut session = Session::greeted();
    session.client("STARTTLS");
    assert_eq!(session.server("220 Go\r\n\u{16}\u{3}"), ParserStatus::Upgrade);
    assert_eq!(session.bytes(Initiator, b"\x16\x03\x01"), ParserStatus::Upgrade);
    let records = session.end();
    assert!(records.len() == 1 && records[0].tls);

    let mut session = Session::greeted();
    session.client("STARTTLS");
    session.server("501 No");
    session.client("MAIL FROM:<a@b> BODY=8BITMIME SIZE=7");
    let records = session.end();
    assert!(!records[0].tls);
    assert_eq!(records[0].body, Some(SmtpBody::EightBitMime));
    assert_eq!(records[0].declared_len, Some(7));

    // The client's side is ahead: TLS comes before the reply.
    let mut session = Session::greeted();
    session.client("STARTTLS");
    let status = session.bytes(Initiator, b"\x16\x03\x01\n");
    assert_eq!(status, ParserStatus::StopSide(Initiator));
    assert_eq!(session.server("220 Go"), ParserStatus::Upgrade);
    assert!(session.end()[0].tls);

    // The server's side is ahead.
    let mut session = Session::new();
    let status = session.bytes(Responder, b"220 x ESMTP\r\n250 Ok\r\n220 Go\r\n\x16\x03\n");
    assert_eq!(status, ParserStatus::StopSide(Responder));
    assert_eq!(session.client("EHLO client.example\r\nSTARTTLS\r\n\u{16}"), ParserStatus::Upgrade);
    let records = session.end();
    assert!(records[0].tls && !records[0].pipelined);
    assert_eq!(text(records[0].helo.as_ref()), "client.example");
}

#[test]
fn lines_have_bounds() {
    let mut session = Session::in_message();
    let (long, longest) = ("x".repeat(999), "x".repeat(998));
    session.client(&format!("{longest}\r\n{long}\r\n."));
    session.server("250 Ok");
    assert_eq!(session.out[0].long_lines, 1);

    let mut session = Session::greeted();
    session.client(&format!("MAIL FROM:<a@b> {}", "x".repeat(494)));
    session.client(&format!("RCPT TO:<{}>", "x".repeat(600)));
    session.client(&format!("NOOP {}", "x".repeat(505)));
    session.client(&format!("AUTH X {}", "x".repeat(9000)));
    let records = session.end();
    assert_eq!(records[0].long_lines, 1);
    assert_eq!(records[0].rcpt_to[0].len(), 256);

    let too_long = ParserStatus::Failed(ParseError::TooLong(12_289));
    assert_eq!(Session::greeted().client(&"x".repeat(12_287)), too_long);
    assert_eq!(Session::greeted().server(&format!("250 {}", "x".repeat(12_283))), too_long);
    assert_eq!(Session::greeted().client(&"x".repeat(12_286)), ParserStatus::Continue);
}

#[test]
fn what_is_no_smtp_fails() {
    let no = ParserStatus::Failed(ParseError::NotTheProtocol);
    assert_eq!(Session::new().server("SSH-2.0-x"), no);
    assert_eq!(Session::new().client("\u{16}\u{3}"), no);
    let no = ParserStatus::Failed(ParseError::InvalidField("Reply-code"));
    let mut session = Session::greeted();
    for _ in 0..flowscope_lines::MAX_UNREADABLE {
        assert_eq!(session.server("hello"), ParserStatus::Continue);
    }
    assert_eq!(session.server("hello"), no);
}

#[test]
fn the_largest_transactions_stay_below_the_bound() {
    let mut session = Session::greeted();
    let mut most = 0;
    for _ in 0..4 {
        session.client(&format!("MAIL FROM:<{}>", "x".repeat(300)));
        for _ in 0..70 {
            session.client(&format!("RCPT TO:<{}>", "x".repeat(60)));
        }
        let long = "x".repeat(2000);
        let lists = "a@b,".repeat(64);
        session.client("DATA");
        let headers = format!("To: {lists}\r\nCc: {lists}\r\nSubject: {long}\r\nFrom: {long}");
        session.bytes(Initiator, format!("{headers}\r\nDate: {long}").as_bytes());
        most = most.max(session.parser.heap_bytes());
        session.client("\r\n.");
    }
    assert!((20_000..=64 * 1024).contains(&most), "{most}");
}
