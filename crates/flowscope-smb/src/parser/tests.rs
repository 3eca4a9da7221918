mod files;

use flowscope_core::ParseError;
use flowscope_core::ParserStatus::{Continue, Failed};

use super::*;
use crate::open_files::MAX_FILES;
use crate::{SMB, SmbCommand, SmbDialect, SmbGuid, SmbStatus};

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const LOGOFF: u16 = 2;
const TREE_CONNECT: u16 = 3;
const TREE_DISCONNECT: u16 = 4;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;
const READ: u16 = 8;
const WRITE: u16 = 9;
const SET_INFO: u16 = 17;

const RESPONSE: u32 = 1;
const ASYNC: u32 = 2;
const RELATED: u32 = 4;

const ACCESS_DENIED: u32 = 0xc000_0022;
const ANY_FILE: [u8; 16] = [0xff; 16];

/// A message with this flags, status and number.
fn message(command: u16, flags: u32, status: u32, id: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xfeSMB\x40\0\0\0".to_vec();
    bytes.extend(status.to_le_bytes());
    bytes.extend(command.to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend(flags.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(id.to_le_bytes());
    // Share 5 of session 9.
    bytes.extend([0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0; 16]);
    bytes.extend(body);
    bytes
}

fn request(command: u16, id: u64, body: &[u8]) -> Vec<u8> {
    message(command, 0, 0, id, body)
}

fn response(command: u16, id: u64, body: &[u8]) -> Vec<u8> {
    message(command, RESPONSE, 0, id, body)
}

/// A response that says that the command failed.
fn failure(command: u16, id: u64) -> Vec<u8> {
    message(command, RESPONSE, ACCESS_DENIED, id, &[9, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// A frame of these messages, chained.
fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for (at, message) in messages.iter().enumerate() {
        let start = bytes.len();
        bytes.extend(message);
        if at + 1 < messages.len() {
            let next = message.len().next_multiple_of(8);
            bytes.resize(start + next, 0);
            bytes[start + 20..start + 24].copy_from_slice(&(next as u32).to_le_bytes());
        }
    }
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

fn create(name: &str) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut body = vec![0; 56];
    body[0] = 57;
    body[36] = 1;
    body[44..46].copy_from_slice(&120_u16.to_le_bytes());
    body[46..48].copy_from_slice(&(name.len() as u16).to_le_bytes());
    body.extend(name);
    body
}

fn created(file: u8) -> Vec<u8> {
    let mut body = vec![0; 88];
    body[0] = 89;
    body[4] = 1;
    body[64..80].fill(file);
    body
}

fn close(file: [u8; 16]) -> Vec<u8> {
    [&[24, 0, 0, 0, 0, 0, 0, 0][..], &file].concat()
}

/// To read or to write.
fn transfer(file: [u8; 16]) -> Vec<u8> {
    let mut body = vec![0; 48];
    body[0] = 49;
    body[16..32].copy_from_slice(&file);
    body
}

fn transferred(len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![17, 0, 80, 0];
    body.extend(len.to_le_bytes());
    body.resize(16, 0);
    body.extend(data);
    body
}

/// To set this class of information.
fn set_info(file: [u8; 16], class: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![33, 0, 1, class];
    body.extend((data.len() as u32).to_le_bytes());
    body.extend([96, 0, 0, 0, 0, 0, 0, 0]);
    body.extend(file);
    body.extend(data);
    body
}

/// Command, name, whether it was asked, status, and bytes read and written of a record.
type Summary = (SmbCommand, String, bool, Option<u32>, [u64; 2]);

#[derive(Default)]
struct Connection {
    parser: SmbParser,
    out: Vec<SmbExchange>,
    seconds: u64,
}

impl Connection {
    #[track_caller]
    fn feed(&mut self, side: FlowSide, bytes: &[u8]) {
        let chunk = StreamChunk::new(side, Timestamp::from_secs(self.seconds), 0, bytes);
        assert_eq!(self.parser.feed_into(chunk, &mut self.out), Continue);
        assert_eq!(self.parser.pairing.heap_bytes(), self.parser.pairing.recounted());
        self.seconds += 1;
    }

    #[track_caller]
    fn ask(&mut self, messages: &[Vec<u8>]) {
        self.feed(Initiator, &frame(messages));
    }

    #[track_caller]
    fn answer(&mut self, messages: &[Vec<u8>]) {
        self.feed(Responder, &frame(messages));
    }

    fn end(mut self) -> Vec<Summary> {
        self.parser.end(&mut self.out);
        let each = |x: &SmbExchange| {
            let file = x.file();
            let name = file.and_then(|it| it.name.as_deref()).unwrap_or(b"?");
            let bytes = file.map_or([0; 2], |it| [it.bytes_read, it.bytes_written]);
            let status = x.status.map(|status| status.0);
            (x.command, String::from_utf8_lossy(name).into_owned(), x.is_requested, status, bytes)
        };
        self.out.iter().map(each).collect()
    }
}

#[test]
fn bytes_of_a_file_are_those_of_its_responses() {
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("a.txt"))]);
    it.answer(&[response(CREATE, 1, &created(7))]);
    for id in 2..4 {
        it.ask(&[request(READ, id, &transfer([7; 16]))]);
    }
    it.ask(&[request(WRITE, 4, &transfer([7; 16]))]);
    it.answer(&[response(READ, 3, &transferred(100, &[0; 100]))]);
    it.answer(&[response(READ, 2, &transferred(20, &[0; 20]))]);
    it.answer(&[response(WRITE, 4, &transferred(3, &[]))]);
    // The end of the file, another file, and a response that nobody asked for.
    it.ask(&[request(READ, 5, &transfer([7; 16])), request(READ, 6, &transfer([8; 16]))]);
    it.answer(&[failure(READ, 5), response(READ, 6, &transferred(9, &[0; 9]))]);
    it.answer(&[response(READ, 77, &transferred(9, &[0; 9]))]);
    it.ask(&[request(CLOSE, 8, &close([7; 16]))]);
    it.answer(&[response(CLOSE, 8, &[60, 0])]);
    assert_eq!(it.out[1].latency.unwrap().as_secs(), 1);
    assert_eq!(
        it.end(),
        [
            (SmbCommand::Create, "a.txt".into(), true, Some(0), [0, 0]),
            (SmbCommand::Close, "a.txt".into(), true, Some(0), [120, 3]),
        ]
    );
}

#[test]
fn what_says_nothing_is_no_record() {
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("a"))]);
    it.answer(&[response(CREATE, 1, &created(7))]);
    it.ask(&[request(CLOSE, 2, &close([7; 16])), request(LOGOFF, 3, &[4, 0, 0, 0])]);
    it.answer(&[response(CLOSE, 2, &[60, 0]), response(LOGOFF, 3, &[4, 0, 0, 0])]);
    assert_eq!(it.out.len(), 1);
    it.ask(&[request(CLOSE, 4, &close([7; 16])), request(LOGOFF, 5, &[4, 0, 0, 0])]);
    it.answer(&[failure(CLOSE, 4), failure(LOGOFF, 5)]);
    assert_eq!(
        it.end()[1..],
        [
            (SmbCommand::Close, "?".into(), true, Some(ACCESS_DENIED), [0, 0]),
            (SmbCommand::Logoff, "?".into(), true, Some(ACCESS_DENIED), [0, 0]),
        ]
    );
}

#[test]
fn a_chain_goes_on_with_the_file_it_opens() {
    let related = |command, id, body: &[u8]| message(command, RELATED, 0, id, body);
    let asked = frame(&[
        request(CREATE, 1, &create("b")),
        related(READ, 2, &transfer(ANY_FILE)),
        related(CLOSE, 3, &close(ANY_FILE)),
    ]);
    let answered = frame(&[
        response(CREATE, 1, &created(7)),
        // More than is kept of a message.
        response(READ, 2, &transferred(9000, &[0; 9000])),
        response(CLOSE, 3, &[60, 0]),
    ]);
    for size in [1, 3, 64, 1460, 65536] {
        let mut it = Connection::default();
        asked.chunks(size).for_each(|piece| it.feed(Initiator, piece));
        answered.chunks(size).for_each(|piece| it.feed(Responder, piece));
        assert_eq!(it.out[1].file().unwrap().id, Some(SmbGuid([7; 16])));
        assert_eq!(
            it.end(),
            [
                (SmbCommand::Create, "b".into(), true, Some(0), [0, 0]),
                (SmbCommand::Close, "b".into(), true, Some(0), [9000, 0]),
            ],
            "{size}"
        );
    }
}

#[test]
fn a_chain_whose_file_cannot_be_opened_is_one_record() {
    let mut it = Connection::default();
    it.ask(&[
        request(CREATE, 1, &create("b")),
        message(SET_INFO, RELATED, 0, 2, &set_info(ANY_FILE, 13, &[1])),
        message(CLOSE, RELATED, 0, 3, &close(ANY_FILE)),
    ]);
    it.answer(&[failure(CREATE, 1), failure(SET_INFO, 2), failure(CLOSE, 3)]);
    assert_eq!(it.end(), [(SmbCommand::Create, "b".into(), true, Some(ACCESS_DENIED), [0, 0])]);
}

#[test]
fn files_are_renamed_and_deleted() {
    let mut rename = vec![0; 20];
    rename[16] = 4;
    rename.extend(b"n\0w\0");
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("old"))]);
    it.answer(&[response(CREATE, 1, &created(7))]);
    for (id, class, data) in
        [(2, 10, &rename[..]), (3, 10, &rename[..]), (4, 13, &[1][..]), (5, 4, &[0; 40])]
    {
        it.ask(&[request(SET_INFO, id, &set_info([7; 16], class, data))]);
        it.answer(&[if id == 2 { failure(SET_INFO, id) } else { response(SET_INFO, id, &[2, 0]) }]);
    }
    let of = |at: usize| {
        let file = it.out[at].file().unwrap();
        (file.name.as_deref().unwrap(), file.new_name.as_deref(), file.deleted)
    };
    assert_eq!(of(1), (&b"old"[..], Some(&b"nw"[..]), None));
    assert_eq!(of(2), (&b"old"[..], Some(&b"nw"[..]), None));
    assert_eq!(of(3), (&b"nw"[..], None, Some(true)));
    assert_eq!(it.out.len(), 4);
}

#[test]
fn a_response_that_another_one_follows_is_passed_over() {
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("slow"))]);
    it.answer(&[message(CREATE, RESPONSE | ASYNC, SmbStatus::PENDING.0, 1, &[9, 0])]);
    assert_eq!(it.out, []);
    it.answer(&[message(CREATE, RESPONSE | ASYNC, 0, 1, &created(7))]);
    assert_eq!(it.out[0].latency.unwrap().as_secs(), 2);
    assert_eq!(it.end(), [(SmbCommand::Create, "slow".into(), true, Some(0), [0, 0])]);
}

#[test]
fn a_file_behind_a_link_is_not_opened() {
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create(r"link\a"))]);
    let link = SmbStatus::STOPPED_ON_SYMLINK;
    it.answer(&[message(CREATE, RESPONSE, link.0, 1, &[9, 0, 0, 0, 0, 0, 0, 0, 0])]);
    assert_eq!(it.out[0].success(), Some(false));
    let mut rows = 0;
    SMB.zeek_rows.unwrap()(&it.out[0], &mut |_| rows += 1);
    assert_eq!((it.out[0].status, rows), (Some(link), 0));
}

#[test]
fn shares_are_those_of_their_numbers() {
    let path: Vec<u8> = r"\\f\p".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut body = vec![9, 0, 0, 0, 72, 0, path.len() as u8, 0];
    body.extend(path);
    let mut it = Connection::default();
    it.ask(&[request(TREE_CONNECT, 1, &body)]);
    it.answer(&[response(TREE_CONNECT, 1, &[16, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]);
    it.ask(&[request(CREATE, 2, &create("srvsvc"))]);
    it.answer(&[failure(CREATE, 2)]);
    let share = it.out[1].file().and_then(|file| file.share.as_deref());
    assert_eq!(share, Some(&br"\\f\p"[..]));
    assert_eq!(it.out[0].tree().unwrap().kind.unwrap().name(), Some("PIPE"));
    assert_eq!(it.out[0].tree_id, 5);
    // Also without the request.
    it.answer(&[failure(CREATE, 3)]);
    let share = it.out[2].file().and_then(|file| file.share.as_deref());
    assert_eq!((it.out[2].is_requested, share), (false, Some(&br"\\f\p"[..])));
}

#[test]
fn a_share_that_cannot_be_left_is_still_known() {
    let path: Vec<u8> = r"\\f\p".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut it = Connection::default();
    it.ask(&[request(
        TREE_CONNECT,
        1,
        &[&[9, 0, 0, 0, 72, 0, path.len() as u8, 0], &path[..]].concat(),
    )]);
    it.answer(&[response(TREE_CONNECT, 1, &[16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]);
    for id in 2..4 {
        it.ask(&[request(TREE_DISCONNECT, id, &[4, 0, 0, 0])]);
        it.answer(&[failure(TREE_DISCONNECT, id)]);
        let left = it.out.last().and_then(SmbExchange::tree);
        assert_eq!(left.and_then(|it| it.path.as_deref()), Some(&br"\\f\p"[..]));
    }
    it.ask(&[request(TREE_DISCONNECT, 4, &[4, 0, 0, 0])]);
    it.answer(&[response(TREE_DISCONNECT, 4, &[4, 0, 0, 0]), failure(CREATE, 5)]);
    assert_eq!(it.out.last().and_then(|it| it.file()?.share.as_deref()), None);
}

#[test]
fn users_whose_name_was_not_captured_are_not_anonymous() {
    // Length, space and place of the name of the user.
    for (user, expected) in [
        ([5, 0, 5, 0, 72, 0, 0, 0], "SESSION_SETUP alice by NTLM → (no response)"),
        ([5, 0, 5, 0, 0, 8, 0, 0], "SESSION_SETUP by NTLM → (no response)"),
        ([0; 8], "SESSION_SETUP anonymous by NTLM → (no response)"),
    ] {
        let mut token = b"NTLMSSP\0\x03\0\0\0".to_vec();
        token.resize(72, 0);
        token[36..44].copy_from_slice(&user);
        token.extend(b"alice");
        let mut body = vec![25, 0, 0, 1];
        body.resize(24, 0);
        body[12..16].copy_from_slice(&[88, 0, token.len() as u8, 0]);
        let mut it = Connection::default();
        it.ask(&[request(SESSION_SETUP, 1, &[body, token].concat())]);
        it.parser.end(&mut it.out);
        let mut summary = String::new();
        (SMB.summary)(&it.out[0], &mut summary);
        assert_eq!(summary, expected);
    }
}

#[test]
fn what_has_no_response_is_a_record_at_the_end() {
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("a"))]);
    it.answer(&[response(CREATE, 1, &created(1))]);
    it.ask(&[request(READ, 2, &transfer([1; 16]))]);
    it.answer(&[response(READ, 2, &transferred(5, &[0; 5]))]);
    it.ask(&[request(CREATE, 3, &create("b")), request(READ, 4, &transfer([1; 16]))]);
    it.ask(&[request(CLOSE, 5, &close([1; 16])), request(CLOSE, 6, &close([2; 16]))]);
    it.ask(&[request(LOGOFF, 7, &[4, 0, 0, 0])]);
    assert_eq!(
        it.end()[1..],
        [
            (SmbCommand::Create, "b".into(), true, None, [0, 0]),
            (SmbCommand::Close, "a".into(), true, None, [5, 0]),
        ]
    );
}

#[test]
fn a_file_that_is_not_closed_is_a_record_at_the_end() {
    let mut it = Connection::default();
    for (id, file) in [(1, 1), (2, 2)] {
        it.ask(&[request(CREATE, id, &create("a"))]);
        it.answer(&[response(CREATE, id, &created(file))]);
    }
    it.ask(&[request(WRITE, 3, &transfer([2; 16]))]);
    it.answer(&[response(WRITE, 3, &transferred(5, &[]))]);
    assert_eq!(it.end()[2..], [(SmbCommand::Close, "a".into(), false, None, [0, 5])]);
}

#[test]
fn a_response_alone_is_a_record_of_what_was_asked() {
    let mut it = Connection::default();
    it.answer(&[failure(TREE_CONNECT, 1), response(CREATE, 2, &created(3))]);
    it.answer(&[response(LOGOFF, 3, &[4, 0, 0, 0]), response(SET_INFO, 4, &[2, 0])]);
    assert_eq!(it.out[0].side, Initiator);
    assert_eq!(
        it.end(),
        [
            (SmbCommand::TreeConnect, "?".into(), false, Some(ACCESS_DENIED), [0, 0]),
            (SmbCommand::Create, "?".into(), false, Some(0), [0, 0]),
        ]
    );
}

#[test]
fn the_negotiation_of_version_1_leads_to_version_2() {
    let mut offer = b"\0\0\0\x45\xffSMB\x72".to_vec();
    offer.resize(36, 0);
    offer.extend(b"\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0");
    let mut chosen = vec![0; 64];
    chosen[..6].copy_from_slice(&[65, 0, 3, 0, 0xff, 2]);
    let mut it = Connection::default();
    it.feed(Initiator, &offer);
    it.answer(&[response(NEGOTIATE, 0, &chosen)]);
    assert_eq!((it.out.len(), it.out[0].is_smb1), (1, true));
    assert_eq!(it.out[0].dialect, Some(SmbDialect::WILDCARD));
    let negotiation = it.out[0].negotiation().unwrap();
    assert_eq!(negotiation.offered, [&b"NT LM 0.12"[..], b"SMB 2.002", b"SMB 2.???"]);
    assert_eq!(negotiation.server_requires_signing, Some(true));
}

#[test]
fn messages_that_are_not_read_are_counted() {
    let mut encrypted = b"\0\0\0\x54\xfdSMB".to_vec();
    encrypted.resize(4 + 44, 0);
    encrypted.extend([7, 0, 0, 0, 0, 0, 0, 0]);
    encrypted.resize(4 + 0x54, 0xaa);
    let mut it = Connection::default();
    it.feed(Initiator, &encrypted);
    it.feed(Responder, &encrypted);
    it.feed(Responder, b"\0\0\0\x10\xfcSMB............");
    // A session of NetBIOS goes on.
    it.feed(Responder, b"\x85\0\0\0");
    it.parser.end(&mut it.out);
    let [record] = &it.out[..] else { panic!("{:?}", it.out) };
    let counts = record.transformed().unwrap();
    assert_eq!((record.session_id, counts.encrypted, counts.compressed), (7, 2, 1));
    assert_eq!(counts.bytes, 2 * 0x54 + 0x10);
}

#[test]
fn chains_that_lead_nowhere_end_with_their_frame() {
    let first = |next: u32| {
        let mut message = request(CREATE, 1, &create("a"));
        message[20..24].copy_from_slice(&next.to_le_bytes());
        message
    };
    for next in [1, 63, 64, 65, 120, 121, u32::MAX] {
        let mut it = Connection::default();
        it.feed(Initiator, &frame(&[first(next)]));
        it.ask(&[request(CREATE, 2, &create("b"))]);
        let names: Vec<_> = it.end().into_iter().map(|(_, name, ..)| name).collect();
        // A message that ends before what it has to say is passed over.
        let expected = match next {
            64 | 65 => &["b"][..],
            120 | 121 => &["", "b"],
            _ => &["a", "b"],
        };
        assert_eq!(names, expected, "{next}");
    }
}

#[test]
fn names_are_within_their_message() {
    for (offset, len, expected) in [
        (120, u16::MAX, "abc"),
        (122, 2, "b"),
        (126, 6, ""),
        (u16::MAX, 6, ""),
        (0, 6, ""),
        (63, 6, ""),
        (120, 0, ""),
    ] {
        let mut body = create("abc");
        body[44..46].copy_from_slice(&u16::to_le_bytes(offset));
        body[46..48].copy_from_slice(&u16::to_le_bytes(len));
        let mut it = Connection::default();
        it.ask(&[request(CREATE, 1, &body)]);
        assert_eq!(it.end()[0].1, expected, "{offset} {len}");
    }
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create(&"ä".repeat(3000)))]);
    assert_eq!(it.end()[0].1, "ä".repeat(256));
}

#[test]
fn frames_may_have_any_length() {
    let mut it = Connection::default();
    it.feed(Initiator, &[0; 4]);
    it.feed(Initiator, b"\0\0\0\x03abc");
    it.feed(Initiator, b"\0\0\0\x04\xfeSMB");
    it.feed(Initiator, &[&b"\0\0\0\x3f\xfeSMB"[..], &[0; 59]].concat());
    let mut largest = request(WRITE, 1, &transfer([1; 16]));
    largest.splice(0..0, [0, 0xff, 0xff, 0xff]);
    it.feed(Initiator, &largest);
    let left = 0x00ff_ffff - (largest.len() - 4);
    for piece in vec![0xaa; left].chunks(1 << 16) {
        it.feed(Initiator, piece);
        assert!(it.parser.frames[0].heap_bytes() <= 8192);
    }
    it.ask(&[request(CREATE, 2, &create("behind"))]);
    assert_eq!(it.end()[0].1, "behind");
}

#[test]
fn missing_bytes_within_a_message_are_passed_over() {
    let answered = frame(&[response(READ, 2, &transferred(5000, &[0; 5000]))]);
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("a"))]);
    it.answer(&[response(CREATE, 1, &created(1))]);
    it.ask(&[request(READ, 2, &transfer([1; 16]))]);
    it.feed(Responder, &answered[..200]);
    assert_eq!(it.parser.gap(Responder, 4000, &mut it.out), Continue);
    it.feed(Responder, &answered[4200..]);
    it.ask(&[request(CLOSE, 3, &close([1; 16]))]);
    it.answer(&[response(CLOSE, 3, &[60, 0])]);
    assert_eq!(it.out[1].file().unwrap().bytes_read, 5000);
}

#[test]
fn a_message_whose_end_is_missing_is_over() {
    let answered = frame(&[response(CREATE, 1, &[&created(1)[..], &[0; 400]].concat())]);
    let mut it = Connection::default();
    it.ask(&[request(CREATE, 1, &create("a"))]);
    it.feed(Responder, &answered[..200]);
    assert_eq!(it.parser.gap(Responder, answered.len() as u64 - 200, &mut it.out), Continue);
    assert_eq!((it.out.len(), it.out[0].latency.unwrap().as_secs()), (1, 1));
    it.ask(&[request(CREATE, 2, &create("b"))]);
    it.answer(&[failure(CREATE, 2)]);
    assert_eq!(it.out[1].status, Some(SmbStatus(ACCESS_DENIED)));
}

#[test]
fn behind_missing_bytes_the_next_frame_is_found() {
    let rest = transferred(300, &b"\0\0\x01\0\xfeSMC\x40\0SMB".repeat(20));
    let next = frame(&[response(CREATE, 1, &created(7))]);
    let bytes = [&rest[..], &next, &next].concat();
    for size in [1, 2, 5, 9, 10, 11, 100, 1000] {
        let mut it = Connection::default();
        it.ask(&[request(CREATE, 1, &create("a"))]);
        it.feed(Responder, &frame(&[response(READ, 2, &rest)])[..99]);
        assert_eq!(it.parser.gap(Responder, 5000, &mut it.out), Continue);
        bytes.chunks(size).for_each(|piece| it.feed(Responder, piece));
        let names: Vec<_> = it.end().into_iter().map(|(_, name, ..)| name).collect();
        assert_eq!(names, ["a", "?"], "{size}");
    }
    // Also where a connection begins in the middle.
    let mut it = Connection::default();
    assert_eq!(it.parser.gap(Responder, 0, &mut it.out), Continue);
    it.feed(Responder, &bytes[7..]);
    assert_eq!(it.end().len(), 2);
}

#[test]
fn files_that_are_never_closed_are_forgotten() {
    let mut it = Connection::default();
    let mut most = 0;
    for id in 1..4096 {
        let long = format!("{id}{}", "x".repeat(600));
        it.ask(&[request(CREATE, id, &create(&long))]);
        // Its handle is its number.
        let mut body = created(0);
        body[64..72].copy_from_slice(&id.to_le_bytes());
        it.answer(&[response(CREATE, id, &body)]);
        most = most.max(it.parser.heap_bytes());
        it.out.clear();
    }
    assert!(most > MAX_FILES * 512 && most < 512 * 1024, "{most}");
}

#[test]
fn requests_that_are_never_answered_become_records() {
    let mut it = Connection::default();
    for id in 1..1000 {
        let long = format!("{id}{}", "x".repeat(600));
        it.ask(&[request(CREATE, id, &create(&long)), request(READ, id, &transfer([1; 16]))]);
        assert!(it.parser.heap_bytes() < 512 * 1024);
    }
    let ids: Vec<_> = it.out.iter().map(|exchange| exchange.message_id).collect();
    assert!(ids.len() > 900 && ids.is_sorted(), "{ids:?}");
    assert_eq!(it.end().len(), 999);
}

#[test]
fn what_is_not_the_protocol_fails() {
    let mut parser = SmbParser::default();
    let mut feed = |bytes: &[u8]| {
        let chunk = StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes);
        parser.feed_into(chunk, &mut Vec::new())
    };
    assert_eq!(feed(&b"\0\0\0\x08AAAABBBB".repeat(32)), Continue);
    assert_eq!(feed(b"\0\0\0\x08AAAABBBB"), Failed(ParseError::NotTheProtocol));
    assert_eq!(
        SmbParser::default()
            .feed_into(StreamChunk::new(Initiator, Timestamp::ZERO, 0, b"GET "), &mut Vec::new()),
        Failed(ParseError::NotTheProtocol)
    );
}
