use super::*;
use crate::RdpFailure;

const REQUEST: &[u8] =
    b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=alice\r\n\x01\0\x08\0\x03\0\0\0";

/// Feeds turns one second apart, cut into pieces.
fn play(turns: &[(FlowSide, &[u8])], size: usize) -> (RdpParser, Vec<RdpStart>, ParserStatus) {
    let (mut parser, mut out, mut offsets) = (RdpParser::default(), Vec::new(), [0_u64; 2]);
    for (at, (side, bytes)) in turns.iter().enumerate() {
        for piece in bytes.chunks(size) {
            let offset = &mut offsets[side.index()];
            let chunk = StreamChunk::new(*side, Timestamp::from_secs(at as u64), *offset, piece);
            *offset += piece.len() as u64;
            let status = parser.feed_into(chunk, &mut out);
            if status != ParserStatus::Continue {
                return (parser, out, status);
            }
        }
    }
    (parser, out, ParserStatus::Continue)
}

/// A confirmation with this negotiation.
fn confirm(kind: u8, number: u8) -> Vec<u8> {
    [&b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0"[..], &[kind, 0, 8, 0, number, 0, 0, 0]].concat()
}

#[test]
fn behind_an_agreement_the_bytes_of_both_sides_are_left_over() {
    for size in [1, 7, 100] {
        let asked = [REQUEST, b"\x16\x03"].concat();
        let (mut parser, out, status) =
            play(&[(Initiator, &asked), (Responder, &confirm(2, 1))], size);
        assert_eq!((out.len(), status), (1, ParserStatus::Upgrade));
        assert_eq!(
            (out[0].selected, out[0].latency.unwrap().as_secs()),
            (Some(RdpSecurity::SSL), 1)
        );
        let left = parser.take_remainder(Initiator).unwrap();
        assert_eq!((left.offset, left.bytes.as_slice()), (REQUEST.len() as u64, &b"\x16\x03"[..]));
        assert_eq!(parser.take_remainder(Responder), None);
    }
    let answer = [&confirm(2, 8)[..], b"\x16"].concat();
    let (mut parser, _, status) = play(&[(Initiator, REQUEST), (Responder, &answer)], 100);
    assert_eq!(
        (parser.take_remainder(Responder).unwrap().offset, status),
        (19, ParserStatus::Upgrade)
    );
}

#[test]
fn without_an_agreement_it_is_done() {
    let plain = b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0";
    let (_, out, status) = play(&[(Initiator, REQUEST), (Responder, plain)], 100);
    assert_eq!((out[0].selected, status), (Some(RdpSecurity::RDP), ParserStatus::Done));
    let (_, out, status) = play(&[(Initiator, REQUEST), (Responder, &confirm(3, 5))], 100);
    assert_eq!((out[0].failure, status), (Some(RdpFailure(5)), ParserStatus::Done));
    assert_eq!(out[0].failure.and_then(RdpFailure::name), Some("HYBRID_REQUIRED_BY_SERVER"));
    let (mut parser, mut out, _) = play(&[(Initiator, REQUEST)], 100);
    assert_eq!(parser.gap(Responder, 7, &mut out), ParserStatus::Done);
    parser.end(&mut out);
    assert_eq!((out.len(), out[0].is_answered), (1, false));
}

#[test]
fn what_is_no_start() {
    let failed = ParserStatus::Failed(ParseError::NotTheProtocol);
    for wrong in [
        &b"\x16\x03\x01\0\x05"[..],
        b"\x03\0\0\x0b\x06\xf0\0\0\0\0\0",
        b"\x03\0\0\x0b\x06\xe0\0\0\0\0\x07",
    ] {
        assert_eq!(play(&[(Initiator, wrong)], 100).2, failed, "{wrong:?}");
        assert_eq!(play(&[(Initiator, REQUEST), (Responder, wrong)], 100).2, failed, "{wrong:?}");
    }
    let early = [REQUEST, &[7; MAX_EARLY + 1]].concat();
    let too_long = ParserStatus::Failed(ParseError::TooLong(MAX_EARLY as u64 + 1));
    assert_eq!(play(&[(Initiator, &early)], 100).2, too_long);
}
