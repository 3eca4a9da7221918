use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

/// The files of a message that comes in pieces which end at these places.
fn in_pieces(message: &[u8], cuts: &[usize]) -> Vec<NamedFile> {
    let mut parts = Parts::new(usize::MAX);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts.into_iter().chain([message.len()]) {
        parts.feed(&message[from..cut]);
        from = cut;
    }
    parts.finish(false);
    parts.take().0
}

/// Name and content of each file.
fn files(message: &str) -> Vec<(String, String)> {
    let all: Vec<usize> = (0..message.len()).collect();
    let files = in_pieces(message.as_bytes(), &all);
    assert_eq!(files, in_pieces(message.as_bytes(), &[]), "{message}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let of = |file: NamedFile| (text(file.name.unwrap_or_default()), text(file.info.content));
    files.into_iter().map(of).collect()
}

#[track_caller]
fn check(message: &str, expected: &[(&str, &str)]) {
    let found = files(message);
    let found: Vec<_> = found.iter().map(|(name, text)| (&**name, &**text)).collect();
    assert_eq!(found, expected, "{message}");
}

const MIXED: &str = "Subject: x\r\nContent-Type: multipart/mixed;\r\n boundary=\"b 1\"\r\n\r\n";
const FILE: &str = "Content-Disposition: attachment; filename=";

#[test]
fn attachments_are_files_and_text_is_none() {
    check(
        &format!(
            "{MIXED}preamble\r\n--b 1\r\n\r\nHello\r\n--b 1\r\n{FILE}a.txt\r\n\r\n\
             one\r\n\r\n--b 1 \t\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             Zm9v\r\nYg==\r\n--b 1--\r\nepilogue\r\n--b 1\r\n{FILE}no\r\n\r\nx\r\n"
        ),
        &[("a.txt", "one\r\n"), ("", "foob")],
    );
}

#[test]
fn a_message_may_be_one_file() {
    check(
        "Content-Type: application/pdf; name=a\r\n\r\n--x\r\n%PDF\r\n",
        &[("a", "--x\r\n%PDF\r\n")],
    );
    check("Subject: x\r\n\r\nText\r\n", &[]);
    check("Content-Type: application/pdf\r\n", &[]);
    check("", &[]);
    // Fields of a line that goes on, and a line that is none.
    let folded = "From a\r\nContent-Disposition:\r\n\tattachment;\r\n filename*0=\"a\";\r\n filename*1=b\r\n\r\nx";
    check(folded, &[("ab", "x")]);
}

#[test]
fn multiparts_end_with_those_around_them() {
    let inner = "Content-Type: multipart/related; boundary=in\r\n\r\n";
    // The delimiter that closes the inner one is missing.
    check(
        &format!(
            "{MIXED}--b 1\r\n{inner}--in\r\n{FILE}a\r\n\r\n1\r\n--b 1\r\n{FILE}b\r\n\r\n--in\r\n\r\n--b 1--"
        ),
        &[("a", "1"), ("b", "--in\r\n")],
    );
    // None of the delimiters that close is there: the end of the message belongs to the file.
    check(&format!("{MIXED}--b 1\r\n{inner}--in\r\n{FILE}a\r\n\r\n1\r\n"), &[("a", "1\r\n")]);
    // An empty part, a header without content, and a delimiter in a header.
    check(
        &format!(
            "{MIXED}--b 1\r\n{FILE}a\r\n\r\n--b 1\r\n{FILE}b\r\n--b 1\r\n{FILE}c\r\n\r\n\r\n--b 1--\r\n"
        ),
        &[("a", ""), ("c", "")],
    );
}

#[test]
fn lines_that_are_nearly_delimiters_are_content() {
    for line in ["--b 2", "--b 1-", "--b 1--x", "-- b 1", " --b 1", "-", "--", "--B 1", "b 1"] {
        let message = format!("{MIXED}--b 1\r\n{FILE}a\r\n\r\n{line}\r\n{line}\r\n--b 1--");
        check(&message, &[("a", &format!("{line}\r\n{line}"))]);
    }
    // A delimiter is at the start of a line, and no longer than its padding allows.
    let long = format!("--b 1{}", " ".repeat(MAX_DELIMITER));
    for text in ["x--b 1", &*long] {
        check(&format!("{MIXED}--b 1\r\n{FILE}a\r\n\r\n{text}\r\n--b 1--"), &[("a", text)]);
    }
    // Ends of lines, and halves of them.
    for text in ["a\n", "a\r", "a\r\r", "\n\n", "\r\n\r\n\r", "a\rb\r\r\nc"] {
        for end in ["\n", "\r\n"] {
            let expected = match text.strip_suffix('\r').filter(|_| end == "\n") {
                Some(text) => text,
                None => text,
            };
            check(
                &format!("{MIXED}--b 1\r\n{FILE}a\r\n\r\n{text}{end}--b 1--"),
                &[("a", expected)],
            );
        }
    }
}

#[test]
fn messages_within_are_read_unless_they_are_encoded() {
    let forwarded = "Content-Type: message/rfc822\r\n";
    let within = format!("Subject: y\r\n{FILE}a\r\n\r\n1");
    check(&format!("{MIXED}--b 1\r\n{forwarded}\r\n{within}\r\n--b 1--\r\n"), &[("a", "1")]);
    check(&format!("{forwarded}Content-Transfer-Encoding: base64\r\n\r\nZm9v\r\n"), &[("", "foo")]);
    let digest = "Content-Type: multipart/digest; boundary=d\r\n\r\n";
    check(&format!("{digest}--d\r\n\r\n{within}\r\n--d--"), &[("a", "1")]);
}

#[test]
fn bounds_hold() {
    let mut message = MIXED.to_owned();
    for n in 0..MAX_FILES + 3 {
        message += &format!("--b 1\r\n{FILE}{}\r\n\r\nx\r\n", format!("{n}").repeat(150));
    }
    let mut parts = Parts::new(0);
    parts.feed(message.as_bytes());
    parts.finish(false);
    assert!(parts.heap_bytes() < 45 * 1024, "{}", parts.heap_bytes());
    let (files, more) = parts.take();
    assert_eq!((files.len(), more), (MAX_FILES, 3));
    assert!(
        files.iter().all(|file| file.name.as_ref().is_some_and(|name| name.len() <= MAX_FILENAME))
    );

    // Multiparts without end: the ninth is a file.
    let mut deep = String::new();
    for n in 0..=MAX_DEPTH {
        deep += &format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n");
    }
    check(&deep, &[("", &format!("--{MAX_DEPTH}\r\n"))]);

    // Headers, lines and white space without end.
    for flood in
        [&b"Content-Type: multipart/mixed; boundary="[..], b"--", b"\r\n ", b"=", b" ", b"-\r\n"]
    {
        for start in [
            "",
            "Content-Type: image/png\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
            MIXED,
        ] {
            let mut parts = Parts::new(0);
            parts.feed(start.as_bytes());
            for _ in 0..20_000 {
                parts.feed(flood);
                assert!(parts.heap_bytes() < 45 * 1024, "{}", parts.heap_bytes());
            }
        }
    }
}

#[test]
fn as_much_is_kept_as_there_is_room_for() {
    let mut parts = Parts::new(3);
    parts.feed(MIXED.as_bytes());
    for _ in 0..6 {
        parts.feed(format!("--b 1\r\n{FILE}a\r\n\r\n12345\r\n").as_bytes());
    }
    parts.feed(b"--b 1--");
    parts.finish(false);
    let (files, _) = parts.take();
    let kept: Vec<usize> = files.iter().map(|file| file.info.content.len()).collect();
    assert_eq!(kept, [3, 3, 3, 3, 0, 0]);
    assert!(files.iter().all(|file| file.info.sha256 == Some(Sha256::digest(b"12345").into())));
}

#[test]
fn a_gap_leaves_no_hash_of_the_file_and_the_next_one_has_one() {
    let mut parts = Parts::new(100);
    parts.feed(format!("{MIXED}--b 1\r\n{FILE}a\r\n\r\n%PDF-1.7\r\n--b").as_bytes());
    parts.gap(10);
    parts
        .feed(format!(" 1\r\nrest\r\n--b 1\r\n{FILE}b\r\n\r\nwhole\r\n--b 1\r\n{FILE}").as_bytes());
    // In a header: what the part is, is not known.
    parts.gap(10);
    parts.feed(format!("\r\n\r\nx\r\n--b 1\r\n{FILE}c\r\n\r\ncut").as_bytes());
    parts.gap(0);
    parts.finish(true);
    let (files, _) = parts.take();
    let [a, b, c] = &files[..] else { panic!("{files:?}") };
    assert_eq!((a.info.missing_bytes, a.info.sha256), (10, None));
    assert_eq!((a.info.mime_type, a.info.is_cut), (Some("application/pdf"), false));
    assert_eq!(a.info.content, b"%PDF-1.7\r\n--b");
    assert_eq!(a.info.seen_bytes, 8 + 2 + 3 + 2 + 2 + 4);
    assert_eq!(b.info.sha256, Some(Sha256::digest(b"whole").into()));
    assert_eq!((c.info.sha256, c.info.is_cut, c.info.seen_bytes), (None, true, 3));
}

/// Name and content of each file of a form with the boundary `x`, which does not depend on how it is cut.
#[track_caller]
fn check_form(body: &str, expected: &[(&str, &str)]) {
    let read = |size: usize| {
        let mut parts = Parts::of_form(b"Multipart/Form-Data; boundary=\"x\"", 99).unwrap();
        body.as_bytes().chunks(size).for_each(|piece| parts.feed(piece));
        parts.finish(false);
        parts.take().0
    };
    let files = read(usize::MAX);
    assert_eq!(files, read(1), "{body}");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let found: Vec<_> = files
        .iter()
        .map(|file| (text(file.name.as_deref().unwrap_or_default()), text(&file.info.content)))
        .collect();
    let found: Vec<_> = found.iter().map(|(name, content)| (&**name, &**content)).collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn the_files_of_a_form_are_its_parts_with_a_file_name() {
    let part = |parameters: &str, rest: &str| {
        format!("--x\r\nContent-Disposition: form-data; {parameters}\r\n{rest}\r\n")
    };
    let field = part("name=text", "\r\nhello");
    let empty = part("name=none; filename=\"\"", "Content-Type: application/octet-stream\r\n\r\n");
    let text =
        part("name=a; filename=\"a b.txt\"", "Content-Type: text/plain\r\n\r\n--y\r\n\r\nab\r\n");
    // What it says of its encoding, and of parts in it, does not count.
    let mail = part(
        "name=b; filename=b.eml",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSubject: c\r\n\r\nZm9v",
    );
    let mixed = part(
        "name=c; filename=c",
        "Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nab\r\n--y--",
    );
    check_form(
        &format!("{field}{empty}{text}{mail}{mixed}--x--\r\n{text}"),
        &[
            ("a b.txt", "--y\r\n\r\nab\r\n"),
            ("b.eml", "Subject: c\r\n\r\nZm9v"),
            ("c", "--y\r\n\r\nab\r\n--y--"),
        ],
    );
    check_form("", &[]);
    check_form(&field, &[]);
}

/// A part of a message, and the contents of the files in it.
#[derive(Clone, Debug)]
struct Tree {
    header: String,
    body: Vec<u8>,
    files: Vec<Vec<u8>>,
}

fn leaf() -> impl Strategy<Value = Tree> {
    let plain = prop::collection::vec(prop::sample::select(b"ab-= \t\r\n".as_slice()), 0..30);
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let text = any::<bool>();
    prop_oneof![
        plain.prop_map(|body| ("8bit", body.clone(), body)),
        bytes.clone().prop_map(|body| {
            let hex = |byte: &u8| format!("={byte:02X}");
            let lines =
                body.chunks(20).map(|line| line.iter().map(hex).collect::<String>() + "=\r\n");
            ("quoted-printable", lines.collect::<String>().into_bytes(), body)
        }),
        bytes.prop_map(|body| ("base64", base64::tests::encoded(&body), body)),
    ]
    .prop_flat_map(move |it| (Just(it), text))
    .prop_map(|((encoding, body, content), is_text)| {
        let kind = if is_text { "text/plain" } else { "image/x" };
        Tree {
            header: format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"),
            body,
            files: if is_text { Vec::new() } else { vec![content] },
        }
    })
}

fn message() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        (prop::collection::vec(inner, 0..4), 0..1_000_000_u32).prop_map(|(parts, id)| {
            let mut body = Vec::new();
            let mut files = Vec::new();
            for part in parts {
                body.extend_from_slice(format!("\r\n--=_{id}\r\n{}\r\n", part.header).as_bytes());
                body.extend_from_slice(&part.body);
                files.extend(part.files);
            }
            body.extend_from_slice(format!("\r\n--=_{id}--\r\n").as_bytes());
            Tree {
                header: format!("Content-Type: multipart/x; boundary=\"=_{id}\"\r\n"),
                body,
                files,
            }
        })
    })
}

/// Lines that matter, and ends of them.
const LINES: &[&str] = &[
    "Content-Type: multipart/mixed; boundary=a",
    "Content-Type: image/png",
    "--a",
    "--a--",
    "--a-",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Type: message/rfc822",
    "",
    "Zm9v=",
    "=3D= ",
    "-",
    " \t",
    "\r",
    "Content-",
    "x",
];
const ENDS: &[&str] = &["\r\n", "\n", "\r", ""];

proptest! {
    #[test]
    fn the_files_of_any_message_are_found_in_any_pieces(
        tree in message(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let message = [tree.header.as_bytes(), b"\r\n", &tree.body].concat();
        let files = in_pieces(&message, &cuts);
        let contents: Vec<&[u8]> = files.iter().map(|file| &*file.info.content).collect();
        prop_assert_eq!(&contents, &tree.files);
        for (file, content) in files.iter().zip(&tree.files) {
            prop_assert_eq!(file.info.sha256, Some(Sha256::digest(content).into()));
        }
    }

    /// Also of what is no message.
    #[test]
    fn pieces_make_no_difference(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..30),
        ends in prop::collection::vec(prop::sample::select(ENDS), 30),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let message: String = lines.iter().zip(&ends).map(|(line, end)| format!("{line}{end}")).collect();
        prop_assert_eq!(in_pieces(message.as_bytes(), &cuts), in_pieces(message.as_bytes(), &[]));
    }
}
