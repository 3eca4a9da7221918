use sha2::{Digest, Sha256};

use super::*;

/// What happens to a data connection.
enum Step<'a> {
    Says(&'a str),
    Bytes(FlowSide, &'a [u8]),
    Gap(FlowSide, u64),
    Fin(FlowSide),
    Rst(FlowSide),
}

use Step::{Bytes, Fin, Gap, Rst, Says};

/// What is emitted, and the last status.
fn run(steps: &[Step<'_>]) -> (Vec<FtpTransfer>, ParserStatus) {
    let mut parser = FtpDataParser::with_files(4);
    let (mut out, mut offsets, mut last) = (Vec::new(), [0; 2], ParserStatus::Continue);
    for step in steps {
        match *step {
            Says(text) => parser.introduce(7, text.as_bytes()),
            Bytes(side, bytes) => {
                let chunk = StreamChunk::new(side, Timestamp::ZERO, offsets[side.index()], bytes);
                offsets[side.index()] += bytes.len() as u64;
                last = parser.feed_into(chunk, &mut out);
            }
            Gap(side, len) => {
                offsets[side.index()] += len;
                last = parser.gap(side, len, &mut out);
            }
            Fin(side) => parser.fin(side, &mut out),
            Rst(side) => parser.rst(side, &mut out),
        }
        if last != ParserStatus::Continue {
            break;
        }
    }
    parser.end(&mut out);
    parser.end(&mut out);
    (out, last)
}

fn one(steps: &[Step<'_>]) -> FtpTransfer {
    let (mut out, status) = run(steps);
    assert_eq!((out.len(), status), (1, ParserStatus::Continue));
    out.remove(0)
}

/// Type, whether there is a hash of `bytes`, bytes that are missing and kept.
fn file<'a>(
    transfer: &'a FtpTransfer,
    bytes: &[u8],
) -> (Option<&'static str>, bool, u64, &'a [u8]) {
    let file = transfer.file.as_ref().expect("it has a file");
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let has_hash = file.sha256.inspect(|it| assert_eq!(*it, hash)).is_some();
    (file.mime_type, has_hash, file.missing_bytes, &file.content)
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[test]
fn a_file_is_described() {
    let steps = [
        Says("0 - RETR dir/a b.png"),
        Bytes(Responder, &PNG[..3]),
        Bytes(Responder, &PNG[3..]),
        Fin(Responder),
        Says("0 8 RETR dir/a b.png"),
    ];
    let transfer = one(&steps);
    assert_eq!(transfer.control_flow, Some(7));
    assert_eq!(transfer.command.as_deref(), Some(&b"RETR"[..]));
    assert_eq!(transfer.name.as_deref(), Some(&b"dir/a b.png"[..]));
    assert_eq!((transfer.bytes, transfer.missing_bytes, transfer.is_cut), (8, 0, false));
    assert_eq!((transfer.sender, transfer.is_upload()), (Some(Responder), Some(false)));
    assert_eq!(transfer.file_size, Some(8));
    assert_eq!(file(&transfer, PNG), (Some("image/png"), true, 0, &PNG[..4]));
}

#[test]
fn what_is_not_whole_has_no_hash() {
    let gap =
        one(&[Bytes(Initiator, PNG), Gap(Initiator, 5), Bytes(Initiator, b"x"), Fin(Initiator)]);
    assert_eq!((gap.bytes, gap.missing_bytes, gap.is_cut), (9, 5, false));
    assert_eq!(file(&gap, b""), (Some("image/png"), false, 5, &PNG[..4]));
    let gap_first = one(&[Gap(Initiator, 5), Bytes(Initiator, b"x"), Fin(Initiator)]);
    assert_eq!(file(&gap_first, b""), (None, false, 5, &b""[..]));
    for steps in [
        // Aborted, its end not captured, picked up later, and shorter than the file.
        [Says("0 - RETR a"), Bytes(Responder, PNG), Rst(Initiator)],
        [Says("0 - RETR a"), Bytes(Responder, PNG), Fin(Initiator)],
        [Gap(Responder, 0), Bytes(Responder, PNG), Fin(Responder)],
        [Says("0 9 RETR a"), Bytes(Responder, PNG), Fin(Responder)],
    ] {
        let transfer = one(&steps);
        assert!(transfer.is_cut);
        assert!(transfer.file.as_ref().expect("it has a file").is_cut);
        assert!(!file(&transfer, b"").1);
    }
}

#[test]
fn a_transfer_that_is_resumed_is_a_part_of_a_file() {
    let transfer = one(&[Says("100 108 RETR a"), Bytes(Responder, PNG), Fin(Responder)]);
    assert_eq!((transfer.offset, transfer.is_cut), (100, false));
    assert_eq!(file(&transfer, b""), (None, false, 100, &PNG[..4]));
}

#[test]
fn the_list_of_a_directory_is_no_file() {
    for late in [false, true] {
        let listing = b"drwxr-xr-x a\r\n";
        let mut steps = vec![Bytes(Responder, listing), Fin(Responder)];
        steps.insert(if late { 2 } else { 0 }, Says("0 - LIST"));
        let transfer = one(&steps);
        assert_eq!((transfer.bytes, transfer.file), (listing.len() as u64, None));
    }
    // Where the command is not known, it may be one.
    let transfer = one(&[Bytes(Responder, b"abcd"), Fin(Responder)]);
    assert_eq!((transfer.command.clone(), transfer.control_flow), (None, None));
    assert_eq!(file(&transfer, b"abcd"), (None, true, 0, &b"abcd"[..]));
}

#[test]
fn the_next_command_of_the_control_connection_is_of_another_transfer() {
    let transfer =
        one(&[Says("0 - STOR a"), Bytes(Initiator, b"x"), Fin(Initiator), Says("0 1 RETR b")]);
    assert_eq!(transfer.name.as_deref(), Some(&b"a"[..]));
    assert_eq!(transfer.file_size, None);
    // The server says what the file of STOU is called.
    let transfer =
        one(&[Says("0 - STOU"), Bytes(Initiator, b"x"), Fin(Initiator), Says("0 - STOU b.1")]);
    assert_eq!(transfer.name.as_deref(), Some(&b"b.1"[..]));
}

#[test]
fn tls_reads_what_it_protects() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for cut in 1..hello.len() {
        let mut parser = FtpDataParser::with_files(4);
        let mut out = Vec::new();
        let mut statuses = Vec::new();
        let (first, second) = hello.split_at(cut);
        for (at, bytes) in [(0, first), (cut as u64, second)] {
            let chunk = StreamChunk::new(Initiator, Timestamp::ZERO, at, bytes);
            statuses.push(parser.feed_into(chunk, &mut out));
            if statuses.last() != Some(&ParserStatus::Continue) {
                break;
            }
        }
        assert_eq!(statuses.last(), Some(&ParserStatus::UpgradeTo("tls")), "{cut}");
        let fed = if statuses.len() == 1 { first } else { hello };
        let left = Remainder { offset: 0, bytes: fed.to_vec() };
        assert_eq!(parser.take_remainder(Responder), None);
        assert_eq!(parser.take_remainder(Initiator), Some(left));
        parser.end(&mut out);
        assert!(out[0].is_protected && out[0].file.is_none());
        assert_eq!((out[0].bytes, out[0].is_cut), (0, false));
    }
    // A file may begin alike.
    for bytes in [&b"\x16\x03\x01\x02\x00\x02"[..], b"\x16\x03\x01", b"\x16\x03\x05\x02\x00\x01"] {
        let transfer = one(&[Bytes(Initiator, bytes), Fin(Initiator)]);
        assert_eq!(transfer.bytes, bytes.len() as u64);
        assert!(file(&transfer, bytes).1);
    }
}

#[test]
fn a_connection_in_which_both_sides_send_is_none_of_ftp() {
    let (out, status) =
        run(&[Bytes(Initiator, b"GET / HTTP/1.1\r\n\r\n"), Bytes(Responder, b"HTTP")]);
    assert_eq!(status, ParserStatus::Failed(ParseError::NotTheProtocol));
    assert_eq!(out, []);
}

#[test]
fn a_connection_without_bytes_has_no_record() {
    assert_eq!(run(&[Says("0 - RETR a"), Fin(Responder), Fin(Initiator)]).0, []);
}
