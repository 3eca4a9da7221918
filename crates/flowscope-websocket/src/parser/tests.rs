use super::*;

const SECOND: Timestamp = Timestamp::from_secs(1);

fn feed(
    parser: &mut WebsocketParser,
    side: FlowSide,
    bytes: &[u8],
) -> (ParserStatus, Vec<WebsocketMessage>) {
    let mut out = Vec::new();
    let status = parser.feed_into(StreamChunk::new(side, SECOND, 0, bytes), &mut out);
    (status, out)
}

#[track_caller]
fn only(messages: Vec<WebsocketMessage>) -> WebsocketMessage {
    let [message] = <[_; 1]>::try_from(messages).unwrap();
    message
}

/// RFC 6455 §5.7.
#[test]
fn the_examples_of_the_rfc_are_messages() {
    let mut parser = WebsocketParser::default();
    let (_, hello) = feed(&mut parser, Responder, b"\x81\x05Hello");
    let hello = only(hello);
    assert_eq!((hello.opcode, hello.len, hello.mask), (WebsocketOpcode::Text, 5, None));
    assert!(!hello.is_from_client && hello.is_complete);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let message = only(feed(&mut parser, Initiator, masked).1);
    assert_eq!((message.len, message.mask), (5, Some(0x37fa_213d)));
    assert!(message.is_from_client);
    let (_, fragments) = feed(&mut parser, Responder, b"\x01\x03Hel\x89\x05Hello\x80\x02lo");
    let [ping, text] = <[_; 2]>::try_from(fragments).unwrap();
    assert_eq!((ping.opcode, ping.len), (WebsocketOpcode::Ping, 5));
    assert_eq!((text.opcode, text.len, text.frames), (WebsocketOpcode::Text, 5, 2));
    let long = [&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], &[0; 65_536]].concat();
    assert_eq!(only(feed(&mut parser, Responder, &long).1).len, 65_536);
}

#[test]
fn compressed_messages_say_so_with_their_first_frame() {
    let mut parser = WebsocketParser::default();
    let (_, messages) = feed(&mut parser, Responder, b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\0");
    let message = only(messages);
    assert!(message.is_compressed);
    assert_eq!((message.len, message.frames), (7, 2));
}

#[test]
fn a_close_has_a_code_and_a_reason() {
    let mut parser = WebsocketParser::default();
    let close = only(feed(&mut parser, Responder, b"\x88\x07\x03\xf3going").1);
    assert_eq!((close.close_code, close.close_reason), (Some(1011), Some(b"going".to_vec())));
    let close = only(feed(&mut parser, Initiator, b"\x88\x82\x01\x02\x03\x04\x02\xea").1);
    assert_eq!((close.close_code, close.close_reason), (Some(1000), None));
    let close = only(feed(&mut parser, Responder, b"\x88\0").1);
    assert_eq!((close.close_code, close.is_complete), (None, true));
}

#[test]
fn what_fails_the_connection_ends_parsing() {
    for (bytes, field) in [
        // Goes on with nothing; another message begins within one; a mask now and none later.
        (&b"\x80\x01a"[..], "opcode"),
        (b"\x01\x01a\x81\x01b", "opcode"),
        (b"\x81\x01a\x81\x81abcdb", "MASK"),
        (b"\x81\x01a\x83\0", "opcode"),
    ] {
        let (status, _) = feed(&mut WebsocketParser::default(), Responder, bytes);
        assert_eq!(status, ParserStatus::Failed(ParseError::InvalidField(field)), "{bytes:x?}");
    }
    // Both sides mask.
    let mut parser = WebsocketParser::default();
    feed(&mut parser, Initiator, b"\x81\x81abcdx");
    let (status, _) = feed(&mut parser, Responder, b"\x81\x81abcdx");
    assert_eq!(status, ParserStatus::Failed(ParseError::InvalidField("MASK")));
}

#[test]
fn gaps_within_a_payload_are_passed_over() {
    let mut parser = WebsocketParser::default();
    feed(&mut parser, Responder, b"\x82\x7e\x01\0abcdef");
    let mut out = Vec::new();
    assert_eq!(parser.gap(Responder, 200, &mut out), ParserStatus::Continue);
    let rest = [&[b'x'; 50][..], b"\x81\x01y"].concat();
    let (_, messages) = feed(&mut parser, Responder, &rest);
    let [first, second] = <[_; 2]>::try_from(messages).unwrap();
    assert_eq!((first.len, first.missing, second.len), (56, 200, 1));
    // What a Close frame says is not known if some of it is missing.
    feed(&mut parser, Responder, b"\x88\x08\x03");
    parser.gap(Responder, 7, &mut out);
    assert_eq!((out[0].close_code, out[0].missing), (None, 7));
    // Not within one.
    feed(&mut parser, Responder, b"\x82\x05a");
    assert_eq!(parser.gap(Responder, 5, &mut out), ParserStatus::StopSide(Responder));
    assert!(!out[1].is_complete);
}

#[test]
fn the_payload_of_a_close_alone_is_held() {
    let mut parser = WebsocketParser::default();
    feed(&mut parser, Responder, b"\x01\x05one");
    feed(&mut parser, Initiator, b"\x89\x85abcdping");
    assert_eq!(parser.heap_bytes(), 0);
    for side in [Initiator, Responder] {
        let mut parser = WebsocketParser::default();
        for piece in [&b"\x88\x7d\x03\xe8"[..], &[b'a'; 61], &[b'b'; 61]] {
            feed(&mut parser, side, piece);
        }
        assert!((124..=256).contains(&parser.heap_bytes()), "{}", parser.heap_bytes());
        let close = only(feed(&mut parser, side, b"c").1);
        assert_eq!((close.close_code, close.close_reason.unwrap().len()), (Some(1000), 123));
        assert_eq!(parser.heap_bytes(), 0);
    }
}

#[test]
fn lengths_and_floods_cost_no_memory() {
    let mut parser = WebsocketParser::default();
    // A frame of 8 EiB, whose payload is passed over, up to its last byte.
    feed(&mut parser, Initiator, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffabcd");
    for _ in 0..1000 {
        feed(&mut parser, Initiator, &[b'x'; 1000]);
    }
    let mut out = Vec::new();
    parser.gap(Initiator, i64::MAX as u64 - 1_000_000, &mut out);
    assert_eq!((out[0].len, out[0].missing), (1_000_000, i64::MAX as u64 - 1_000_000));
    // Fragments without an end, pings between them, and empty ones.
    feed(&mut parser, Initiator, b"\x02\x80abcd");
    let mut pings = 0;
    for _ in 0..10_000 {
        let bytes = b"\0\x80abcd\0\x82abcdxx\x89\x84abcdping";
        pings += feed(&mut parser, Initiator, bytes).1.len();
        assert_eq!(parser.heap_bytes(), 0);
    }
    let message = only(feed(&mut parser, Initiator, b"\x80\x80abcd").1);
    assert_eq!((pings, message.frames, message.len), (10_000, 20_002, 20_000));
}
