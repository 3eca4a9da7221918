use super::*;
use crate::SocksHost;

fn play(
    parser: &mut SocksParser,
    turns: &[(FlowSide, &[u8])],
    size: usize,
) -> (Vec<SocksRequest>, ParserStatus) {
    let (mut out, mut offsets) = (Vec::new(), [0_u64; 2]);
    for (side, bytes) in turns {
        for piece in bytes.chunks(size) {
            let offset = &mut offsets[side.index()];
            let chunk = StreamChunk::new(*side, Timestamp::ZERO, *offset, piece);
            *offset += piece.len() as u64;
            let status = parser.feed_into(chunk, &mut out);
            if status != ParserStatus::Continue {
                return (out, status);
            }
        }
    }
    parser.end(&mut out);
    (out, ParserStatus::Continue)
}

/// The record, the status and what is left of both sides, however the bytes are cut.
fn check(
    turns: &[(FlowSide, &[u8])],
    expected: ParserStatus,
    left: [Option<(u64, &[u8])>; 2],
) -> SocksRequest {
    let mut last = None;
    for size in [usize::MAX, 1, 2, 5] {
        let mut parser = SocksParser::default();
        let (mut out, status) = play(&mut parser, turns, size);
        assert_eq!((out.len(), status), (1, expected), "{size}");
        if size == usize::MAX {
            let remainders = [Initiator, Responder].map(|side| parser.take_remainder(side));
            let remainders =
                remainders.each_ref().map(|left| left.as_ref().map(|l| (l.offset, &l.bytes[..])));
            assert_eq!(remainders, left);
        }
        let record = out.remove(0);
        assert!(last.as_ref().is_none_or(|last| *last == record));
        last = Some(record);
    }
    last.unwrap()
}

#[test]
fn socks5_with_a_password_and_data_before_the_reply() {
    let record = check(
        &[
            (Initiator, &[5, 2, 0, 2]),
            (Responder, &[5, 2]),
            (Initiator, b"\x01\x05alice\x06secret"),
            (Responder, &[1, 0]),
            (Initiator, b"\x05\x01\0\x03\x0bexample.org\0\x50GET /"),
            (Responder, &[5, 0, 0, 1, 192, 0, 2, 9, 0x30, 0x39, b'H']),
        ],
        ParserStatus::Upgrade,
        [Some((4 + 14 + 18, b"GET /")), Some((14, b"H"))],
    );
    assert_eq!(record.user.as_deref(), Some(&b"alice"[..]));
    assert_eq!(record.target, Some(SocksHost::Name(b"example.org".to_vec())));
    assert_eq!((record.target_port, record.bound_port), (Some(80), Some(12345)));
    assert_eq!((record.authenticated, record.status), (Some(true), Some(0)));
    assert!(!format!("{record:?}").contains("115, 101, 99, 114, 101, 116"));
}

#[test]
fn socks4_by_address_and_by_name() {
    let by_address = b"\x04\x01\x01\xbb\xc0\0\x02\x07bob\0";
    let record = check(
        &[(Initiator, by_address), (Responder, &[0, 90, 0, 0, 0, 0, 0, 0])],
        ParserStatus::Upgrade,
        [None, None],
    );
    assert_eq!(record.target, Some(SocksHost::Addr("192.0.2.7".parse().unwrap())));
    assert_eq!((record.user.as_deref(), record.target_port), (Some(&b"bob"[..]), Some(443)));
    let by_name = b"\x04\x01\0\x50\0\0\0\x01\0example.net\0";
    let record = check(
        &[(Initiator, by_name), (Responder, &[0, 91, 0, 0, 0, 0, 0, 0])],
        ParserStatus::Done,
        [None, None],
    );
    assert_eq!(record.target, Some(SocksHost::Name(b"example.net".to_vec())));
    assert!(!record.is_granted() && record.user.is_none());
}

#[test]
fn what_is_no_tunnel() {
    // No method is acceptable.
    let refused = [(Initiator, &[5, 1, 2][..]), (Responder, &[5, 0xff])];
    assert_eq!(check(&refused, ParserStatus::Done, [None, None]).method, Some(0xff));
    // UDP ASSOCIATE.
    let associate = [
        (Initiator, &[5, 1, 0][..]),
        (Responder, &[5, 0]),
        (Initiator, &[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]),
        (Responder, &[5, 0, 0, 1, 192, 0, 2, 1, 4, 0]),
    ];
    assert_eq!(check(&associate, ParserStatus::Done, [None, None]).command, Some(3));
    // The end comes before the answer.
    assert_eq!(check(&refused[..1], ParserStatus::Continue, [None, None]).method, None);
}

#[test]
fn what_is_no_socks() {
    let ends = |turns: &[(FlowSide, &[u8])]| play(&mut SocksParser::default(), turns, 3);
    let failed = |field| ParserStatus::Failed(ParseError::InvalidField(field));
    let (out, status) = ends(&[(Initiator, b"GET / HTTP/1.1\r\n")]);
    assert_eq!((out.len(), status), (0, ParserStatus::Failed(ParseError::NotTheProtocol)));
    assert_eq!(ends(&[(Initiator, &[5, 0])]), (vec![], failed("NMETHODS")));
    assert_eq!(ends(&[(Initiator, &[4, 9, 0, 0, 0, 0, 0, 0])]), (vec![], failed("CD")));
    assert_eq!(ends(&[(Initiator, &[5, 1, 0]), (Responder, b"HTTP")]).1, failed("VER"));
    let long = [5, 1, 0].into_iter().chain([7; 9000]).collect::<Vec<u8>>();
    let too_long = ParserStatus::Failed(ParseError::TooLong(8193));
    assert_eq!(ends(&[(Initiator, &long)]).1, too_long);
}

#[test]
fn the_first_bytes_tell() {
    let check = |start: &[u8], expected| {
        assert_eq!(SocksParser::probe(Initiator, start), expected, "{start:?}");
    };
    check(&[5], Probe::Maybe);
    check(&[5, 1], Probe::Maybe);
    check(&[5, 1, 0], Probe::Yes);
    check(&[5, 2, 0, 2, 5], Probe::Yes);
    check(&[5, 2, 0, 0], Probe::No);
    check(&[5, 1, 77], Probe::No);
    check(&[5, 9], Probe::No);
    check(&[4, 1, 0, 80, 1, 2, 3, 4], Probe::Maybe);
    check(&[4, 1, 0, 80, 1, 2, 3, 4, 0], Probe::Yes);
    check(&[4, 1, 0, 0, 1, 2, 3, 4, 0], Probe::No);
    check(&[4, 7], Probe::No);
    check(b"GET", Probe::No);
}
