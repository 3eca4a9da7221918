//! Files in messages.

use sha2::{Digest, Sha256};

use super::*;
use crate::SmtpFile;

const HEADER: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                      Content-Disposition: attachment; filename=a\r\n\r\n";

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

/// A session behind `MAIL` whose files are examined.
fn examining() -> Session {
    let mut session = Session { parser: SmtpParser::with_files(100), out: Vec::new(), now: 0 };
    session.server("220 mx.example.org ESMTP");
    for command in ["EHLO client.example", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"] {
        session.client(command);
        session.server("250 Ok");
    }
    session
}

fn in_data() -> Session {
    let mut session = examining();
    session.client("DATA");
    session.server("354 Go on");
    session.bytes(Initiator, HEADER.as_bytes());
    session
}

#[track_caller]
fn only(session: Session) -> SmtpFile {
    let transactions = session.end();
    let [transaction] = &transactions[..] else { panic!("{transactions:?}") };
    let [file] = &transaction.files[..] else { panic!("{transaction:?}") };
    file.clone()
}

#[test]
fn dots_of_transparency_are_no_content() {
    let mut session = in_data();
    for line in ["..one", "...", "--b--", "."] {
        session.client(line);
    }
    session.server("250 Ok");
    let file = only(session);
    assert_eq!(file.name.as_deref(), Some(&b"a"[..]));
    assert_eq!(
        (file.info.sha256, &*file.info.content),
        (sha256(b".one\r\n.."), &b".one\r\n.."[..])
    );
}

#[test]
fn chunks_are_one_message() {
    let mut session = examining();
    for (text, last) in [(HEADER, ""), ("one\r\n.", ""), ("\r\n\0two\r\n--b", ""), ("--", " LAST")]
    {
        session.client(&format!("BDAT {}{last}", text.len()));
        session.bytes(Initiator, text.as_bytes());
        session.server("250 Ok");
    }
    assert_eq!(only(session).info.sha256, sha256(b"one\r\n.\r\n\0two"));
}

#[test]
fn a_gap_and_the_end_of_a_connection_leave_no_hash() {
    let mut session = in_data();
    session.bytes(Initiator, b"one");
    session.gap(Initiator, 10);
    for line in ["two", "--b--", "."] {
        session.client(line);
    }
    session.server("250 Ok");
    let file = only(session).info;
    assert_eq!((file.seen_bytes, file.missing_bytes, file.sha256), (6, 10, None));
    assert!(!file.is_cut);

    let mut session = in_data();
    session.bytes(Initiator, b"one");
    let file = only(session).info;
    assert_eq!((file.seen_bytes, file.sha256, file.is_cut), (3, None, true));
}

#[test]
fn each_mail_has_its_own_files_and_none_without_being_asked() {
    let mail = |session: &mut Session, text: &str| {
        session.client("MAIL FROM:<a@b>");
        session.server("250 Ok");
        session.client("DATA");
        session.server("354 Go on");
        session.client(&format!("{HEADER}{text}\r\n--b--\r\n."));
        session.server("250 Ok");
    };
    let mut session = in_data();
    session.client("one\r\n--b--\r\n.");
    session.server("250 Ok");
    mail(&mut session, "two");
    let found: Vec<_> = session.end().into_iter().map(|mail| mail.files[0].info.sha256).collect();
    assert_eq!(found, [sha256(b"one"), sha256(b"two")]);
    let mut session = Session::greeted();
    mail(&mut session, "one");
    assert_eq!(session.end()[0].files, []);
}
