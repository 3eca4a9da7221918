use flowscope_core::ParserStatus::{Continue, Done, Failed};

use super::*;

const CONNECT: &[u8] = b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02me";
const CONNACK: &[u8] = b"\x20\x02\0\0";

/// Feeds turns one second apart.
fn play(parser: &mut MqttParser, turns: &[(FlowSide, &[u8])]) -> (Vec<MqttExchange>, ParserStatus) {
    let mut out = Vec::new();
    for (at, (side, bytes)) in turns.iter().enumerate() {
        let ts = Timestamp::from_secs(at as u64);
        let status = parser.feed_into(StreamChunk::new(*side, ts, 0, bytes), &mut out);
        if status != Continue {
            return (out, status);
        }
    }
    (out, Continue)
}

/// A parser that is connected.
fn connected() -> MqttParser {
    let mut parser = MqttParser::default();
    let (out, status) = play(&mut parser, &[(Initiator, CONNECT), (Responder, CONNACK)]);
    assert_eq!((out.len(), status), (1, Continue));
    parser
}

/// Name of each packet, and type of its acknowledgement.
fn summaries(exchanges: &[MqttExchange]) -> Vec<(&'static str, Option<u8>)> {
    let summaries =
        |x: &MqttExchange| (x.packet.name(), x.answer.as_ref().map(|answer| answer.kind));
    exchanges.iter().map(summaries).collect()
}

#[test]
fn acknowledgements_find_their_packet() {
    let turns: [(FlowSide, &[u8]); 4] = [
        (Initiator, b"\x32\x05\0\x01a\0\x01\x32\x05\0\x01b\0\x02\x82\x06\0\x01\0\x01c\x01"),
        (Responder, b"\x32\x05\0\x01z\0\x02\x40\x02\0\x02\x90\x03\0\x01\x80"),
        (Initiator, b"\x40\x02\0\x02\x30\x03\0\x01d\xc0\0\xe0\0"),
        (Responder, b"\xd0\0\x40\x02\0\x01"),
    ];
    let (out, status) = play(&mut connected(), &turns);
    let acknowledged = ("publish", Some(4));
    assert_eq!(
        summaries(&out),
        [
            acknowledged,
            ("subscribe", Some(9)),
            acknowledged,
            ("publish", None),
            ("disconnect", None),
            acknowledged
        ]
    );
    assert_eq!((out[2].is_from_client, out[5].latency.unwrap().as_secs()), (false, 3));
    assert_eq!((status, out[1].reason()), (Continue, Some("Unspecified error")));
}

#[test]
fn a_publication_of_qos_2_ends_with_pubcomp_or_a_refusal() {
    let publish: &[u8] = b"\x34\x05\0\x01a\0\x01";
    let turns = [
        (Initiator, publish),
        (Responder, b"\x50\x02\0\x01"),
        (Initiator, b"\x62\x02\0\x01"),
        (Responder, b"\x70\x02\0\x01"),
    ];
    let (out, _) = play(&mut connected(), &turns);
    assert_eq!(summaries(&out), [("publish", Some(7))]);
    let version_5: &[u8] = b"\x10\x0f\0\x04MQTT\x05\x02\0\x3c\0\0\x02me";
    let turns = [
        (Initiator, version_5),
        (Responder, b"\x20\x03\0\0\0"),
        (Initiator, b"\x34\x06\0\x01a\0\x01\0"),
        (Responder, b"\x50\x03\0\x01\x97"),
    ];
    let (out, _) = play(&mut MqttParser::default(), &turns);
    assert_eq!(summaries(&out), [("connect", Some(2)), ("publish", Some(5))]);
    assert_eq!(out[1].reason(), Some("Quota exceeded"));
}

#[test]
fn what_is_sent_again_is_one_exchange() {
    let turns: [(FlowSide, &[u8]); 3] = [
        (Initiator, b"\x32\x05\0\x01a\0\x01"),
        (Initiator, b"\x3a\x05\0\x01a\0\x01"),
        (Responder, b"\x40\x02\0\x01"),
    ];
    let (out, _) = play(&mut connected(), &turns);
    assert_eq!((out.len(), out[0].dup), (1, true));
}

#[test]
fn no_password_is_kept() {
    let connect = b"\x10\x1d\0\x04MQTT\x04\xc2\0\x3c\0\x02me\0\x05alice\0\x06sesame";
    let mut parser = MqttParser::default();
    parser.feed_initiator(connect);
    let out = parser.feed_responder(b"\x20\x02\0\x05");
    let MqttPacket::Connect(connect) = &out[0].packet else { panic!("{out:?}") };
    assert_eq!((connect.username.as_deref(), connect.has_password), (Some(&b"alice"[..]), true));
    assert_eq!(out[0].reason(), Some("Refused: not authorized"));
    let secret = format!("{:?}", b"sesame");
    assert!(!format!("{out:?}{parser:?}").contains(secret.trim_matches(['[', ']'])));
}

#[test]
fn many_open_packets_are_bounded() {
    let mut parser = connected();
    let mut out = Vec::new();
    for id in 0..100_u8 {
        out.extend(parser.feed_initiator(&[0x32, 5, 0, 1, b'a', 1, id]));
    }
    assert_eq!(out.len(), 100 - MAX_OPEN);
    parser.end(&mut out);
    assert_eq!(out.len(), 100);
}

#[test]
fn a_gap_within_a_message_is_passed_over() {
    let mut parser = connected();
    let mut out = Vec::new();
    parser.feed_initiator(b"\x30\xff\xff\xff\x7f\0\x01a");
    assert!(parser.heap_bytes() < 8192);
    assert_eq!(parser.gap(Initiator, 268_435_451, &mut out), Continue);
    let out = parser.feed_initiator(b"x\x30\x03\0\x01b");
    assert_eq!(out.len(), 2);
    let MqttPacket::Publish { payload_len, .. } = out[0].packet else { panic!("{out:?}") };
    assert_eq!(payload_len, 268_435_452);
    // Up to the end of a packet.
    let mut out = Vec::new();
    parser.feed_initiator(b"\x30\x05\0\x01cx");
    assert_eq!((parser.gap(Initiator, 1, &mut out), out.len()), (Continue, 1));
    assert_eq!(parser.feed_initiator(b"\x30\x03\0\x01b").len(), 1);
    assert_eq!(parser.gap(Initiator, 1, &mut Vec::new()), Done);
}

#[test]
fn what_ends_parsing() {
    let ends = |turns: &[(FlowSide, &[u8])]| play(&mut connected(), turns).1;
    let failed = |field| Failed(ParseError::InvalidField(field));
    assert_eq!(ends(&[(Initiator, CONNECT)]), failed("CONNECT"));
    assert_eq!(ends(&[(Responder, CONNACK)]), failed("CONNACK"));
    assert_eq!(ends(&[(Responder, b"\x82\x02\0\x01")]), failed("packet type"));
    assert_eq!(ends(&[(Initiator, b"\0\0")]), failed("packet type"));
    assert_eq!(ends(&[(Initiator, b"\x32\x03\0\x01a")]), failed("PUBLISH"));
    assert_eq!(ends(&[(Responder, b"\x40\x01\0")]), failed("Packet Identifier"));
    assert_eq!(ends(&[(Initiator, b"\x30\xff\xff\xff\xff")]), failed("Remaining Length"));
    let mut fresh = MqttParser::default();
    assert_eq!(play(&mut fresh, &[(Responder, CONNACK)]).1, Continue);
    assert_eq!(play(&mut fresh, &[(Initiator, b"\x30\0")]).1, Failed(ParseError::NotTheProtocol));
}
