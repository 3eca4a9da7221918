use flowscope_core::ParseError;

use super::*;
use crate::ProxyCommand;

/// The header of a stream, however it is cut, and what is left behind it.
fn read(bytes: &[u8]) -> Result<(ProxyHeader, Vec<u8>), ParserStatus> {
    let mut last: Option<ProxyHeader> = None;
    for size in [1, 3, usize::MAX] {
        let (mut parser, mut out, mut at) = (ProxyParser::default(), Vec::new(), 0);
        for piece in bytes.chunks(size) {
            let chunk = StreamChunk::new(Initiator, Timestamp::ZERO, at, piece);
            at += piece.len() as u64;
            match parser.feed_into(chunk, &mut out) {
                ParserStatus::Continue => {}
                ParserStatus::Upgrade => break,
                status => return Err(status),
            }
        }
        let Some(header) = out.pop() else { return Err(ParserStatus::Continue) };
        assert!(last.as_ref().is_none_or(|last| *last == header));
        last = Some(header);
        if size == usize::MAX {
            let left = parser.take_remainder(Initiator);
            assert!(left.as_ref().is_none_or(|left| left.offset == last.as_ref().unwrap().len));
            return Ok((last.unwrap(), left.map_or(Vec::new(), |left| left.bytes)));
        }
    }
    unreachable!("the last size returns")
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = (rest.len() as u16).to_be_bytes();
    [wire::SIGNATURE, &[command, family], &len, rest].concat()
}

#[test]
fn version_1() {
    let (header, left) = read(b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\nGET /").unwrap();
    assert_eq!(header.source, Some("[2001:db8::1]:5000".parse().unwrap()));
    assert_eq!(header.destination, Some("[2001:db8::2]:443".parse().unwrap()));
    assert_eq!((header.version, header.transport, left), (1, Some("tcp"), b"GET /".to_vec()));
    let (header, _) = read(b"PROXY UNKNOWN whatever\r\n").unwrap();
    assert_eq!((header.command, header.source), (ProxyCommand::Unknown, None));
    let failed = |field| Err(ParserStatus::Failed(ParseError::InvalidField(field)));
    assert_eq!(read(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), failed("CRLF"));
    assert_eq!(read(b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), failed("header"));
    assert_eq!(read(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 70000\r\n"), failed("address"));
    assert_eq!(read(b"PROXY TCP4 ::1 ::2 1 2\r\n"), failed("address"));
    assert_eq!(read(b"PROPFIND"), Err(ParserStatus::Failed(ParseError::NotTheProtocol)));
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat();
    assert_eq!(read(&long), Err(ParserStatus::Failed(ParseError::TooLong(108))));
}

#[test]
fn version_2() {
    let tlvs = [
        &[1, 0, 2][..],
        b"h2",
        &[2, 0, 11],
        b"example.org",
        &[0x20, 0, 5 + 10 + 8, 1, 0, 0, 0, 0, 0x21, 0, 7],
        b"TLSv1.3",
        &[0x22, 0, 5],
        b"alice",
        // Cut.
        &[5, 0, 99, 1],
    ];
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x13, 0x88, 1, 0xbb];
    let bytes = v2(0x21, 0x11, &[&addresses[..], &tlvs.concat()].concat());
    let (header, left) = read(&[&bytes[..], b"\x16\x03"].concat()).unwrap();
    assert_eq!(header.source, Some("192.0.2.1:5000".parse().unwrap()));
    assert_eq!(header.destination, Some("198.51.100.2:443".parse().unwrap()));
    let text = |text: &Option<Vec<u8>>| text.clone().map(|text| String::from_utf8(text).unwrap());
    assert_eq!(text(&header.alpn).as_deref(), Some("h2"));
    assert_eq!(text(&header.authority).as_deref(), Some("example.org"));
    assert_eq!(text(&header.tls_version).as_deref(), Some("TLSv1.3"));
    assert_eq!(text(&header.client_cn).as_deref(), Some("alice"));
    assert_eq!((header.unique_id, left), (None, vec![0x16, 3]));
    // A health check: what a header of the command LOCAL carries means nothing.
    for (family, block) in [(0, &[][..]), (0x11, &[]), (0x11, &[7; 12]), (0x21, &[7; 40])] {
        let (header, _) = read(&v2(0x20, family, block)).unwrap();
        assert_eq!((header.command, header.source), (ProxyCommand::Local, None));
        assert_eq!(header.len, 16 + block.len() as u64);
    }
    // A Unix socket.
    assert_eq!(read(&v2(0x21, 0x31, &[0; 216])).unwrap().0.transport, Some("unix"));
    let failed = |field| Err(ParserStatus::Failed(ParseError::InvalidField(field)));
    assert_eq!(read(&v2(0x31, 0x11, &addresses)), failed("ver_cmd"));
    assert_eq!(read(&v2(0x21, 0x21, &addresses)), failed("len"));
    assert_eq!(read(&v2(0x21, 0x11, &addresses)[..20]), Err(ParserStatus::Continue));
    let long = [wire::SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(read(&long), Err(ParserStatus::Failed(ParseError::TooLong(0xffff))));
}

#[test]
fn what_a_server_says_before_waits() {
    let (mut parser, mut out) = (ProxyParser::default(), Vec::new());
    let early = StreamChunk::new(Responder, Timestamp::ZERO, 0, b"220 ready\r\n");
    assert_eq!(parser.feed_into(early, &mut out), ParserStatus::Continue);
    let header = StreamChunk::new(Initiator, Timestamp::ZERO, 0, b"PROXY UNKNOWN\r\n");
    assert_eq!(parser.feed_into(header, &mut out), ParserStatus::Upgrade);
    assert_eq!(parser.take_remainder(Responder).unwrap().bytes, b"220 ready\r\n");
    assert_eq!(parser.take_remainder(Initiator), None);
}
