use std::time::Duration;

use flowscope_core::ParseError;
use flowscope_core::ParserStatus::{Continue, Done, Failed};

use super::*;
use crate::ModbusRange;

fn message(transaction: u8, body: &[u8]) -> Vec<u8> {
    [&[0, transaction, 0, 0, 0, body.len() as u8], body].concat()
}

/// Transaction, function, whether asked and answered, and the exception.
fn summaries(exchanges: &[ModbusExchange]) -> Vec<(u16, u8, bool, bool, u8)> {
    let exception = |x: &ModbusExchange| x.exception.map_or(0, |exception| exception.0);
    let each = |x: &ModbusExchange| {
        (x.transaction_id, x.function.0, x.is_requested, x.is_answered, exception(x))
    };
    exchanges.iter().map(each).collect()
}

fn chunk(bytes: &[u8]) -> StreamChunk<'_> {
    StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes)
}

#[test]
fn responses_find_their_requests() {
    let mut parser = ModbusParser::default();
    let mut out = Vec::new();
    for (at, (side, bytes)) in [
        (
            Initiator,
            [message(1, &[17, 3, 0, 107, 0, 3]), message(2, &[17, 6, 0, 1, 0, 9])].concat(),
        ),
        (Responder, message(2, &[17, 6, 0, 1, 0, 9])),
        // Of another unit, and of another function.
        (Responder, [message(1, &[9, 3, 0]), message(1, &[17, 4, 0])].concat()),
        (Responder, message(1, &[17, 0x83, 2])),
        (Initiator, message(3, &[17, 23, 0, 3, 0, 2, 0, 14, 0, 1, 2, 0, 255])),
        // A server that opens the connection is not one, but an exception is no request.
        (Initiator, message(4, &[17, 0x81, 1])),
    ]
    .into_iter()
    .enumerate()
    {
        let chunk = StreamChunk::new(side, Timestamp::from_secs(at as u64), 0, &bytes);
        assert_eq!(parser.feed_into(chunk, &mut out), Continue);
    }
    parser.end(&mut out);
    assert_eq!(
        summaries(&out),
        [
            (2, 6, true, true, 0),
            (1, 3, false, true, 0),
            (1, 4, false, true, 0),
            (1, 3, true, true, 2),
            (4, 1, false, true, 1),
            (3, 23, true, false, 0),
        ]
    );
    let range = |address, quantity| Some(ModbusRange { address, quantity });
    assert_eq!((out[0].write, out[0].value), (range(1, 1), Some(9)));
    assert_eq!((out[3].read, out[3].latency.unwrap().as_secs()), (range(107, 3), 3));
    assert_eq!((out[5].read, out[5].write), (range(3, 2), range(14, 1)));
    assert_eq!((out[3].success(), out[4].side, out[5].success()), (Some(false), Responder, None));
}

#[test]
fn a_transaction_that_comes_again_ends_the_one_before() {
    let mut parser = ModbusParser::default();
    let mut out = Vec::new();
    // A client that numbers nothing: the first request gets no response, the others do.
    for at in 0..3 {
        let asked = message(0, &[1, 3, 0, at, 0, 1]);
        let ts = Timestamp::from_secs(10 * u64::from(at));
        parser.feed_into(StreamChunk::new(Initiator, ts, 0, &asked), &mut out);
        let answer = message(0, &[1, 3, 2, 0, at]);
        if at > 0 {
            parser.feed_into(StreamChunk::new(Responder, ts, 0, &answer), &mut out);
        }
    }
    let address = |x: &ModbusExchange| (x.read.unwrap().address, x.is_answered, x.latency);
    let none = Some(Duration::ZERO);
    let found: Vec<_> = out.iter().map(address).collect();
    assert_eq!(found, [(0, false, None), (1, true, none), (2, true, none)]);
    // Of another unit it is another one.
    parser.feed_initiator(&[message(0, &[1, 7]), message(0, &[2, 7])].concat());
    out.extend(parser.feed_responder(&[message(0, &[2, 7, 0]), message(0, &[1, 7, 0])].concat()));
    assert_eq!(summaries(&out[3..]), [(0, 7, true, true, 0); 2]);
}

#[test]
fn messages_show_who_asks_where_the_opening_was_not_captured() {
    let read = |mid_stream, turns: &[(FlowSide, Vec<u8>)]| {
        let mut parser = ModbusParser::default();
        let mut out = Vec::new();
        for (side, bytes) in turns {
            let mut chunk = StreamChunk::new(*side, Timestamp::ZERO, 0, bytes);
            chunk.mid_stream = mid_stream;
            assert_eq!(parser.feed_into(chunk, &mut out), Continue);
        }
        parser.end(&mut out);
        out.iter().map(|x| (x.side, x.is_requested, x.is_answered)).collect::<Vec<_>>()
    };
    // The first packet was the server's, which is the initiator then.
    let answer = (Initiator, message(1, &[1, 3, 2, 0, 9]));
    let exchange = [
        (Responder, message(2, &[1, 6, 0, 1, 0, 9])),
        (Initiator, message(2, &[1, 6, 0, 1, 0, 9])),
    ];
    let turns = [&[answer.clone()][..], &exchange].concat();
    assert_eq!(read(true, &turns), [(Responder, false, true), (Responder, true, true)]);
    let asked = (Responder, message(1, &[1, 3, 0, 0, 0, 1]));
    let turns = [&[asked, answer.clone()][..], &exchange].concat();
    assert_eq!(read(true, &turns), [(Responder, true, true); 2]);
    // What is shown first counts, and nothing does where the opening was captured.
    let turns = [(Initiator, message(1, &[1, 7])), answer.clone()];
    assert_eq!(read(true, &turns), [(Initiator, true, false); 2]);
    assert_eq!(read(false, &[answer]), [(Initiator, true, false)]);
}

#[test]
fn many_requests_without_a_response_are_bounded() {
    let mut parser = ModbusParser::default();
    let mut out = Vec::new();
    for transaction in 0..100 {
        out.extend(parser.feed_initiator(&message(transaction, &[1, 3, 0, 0, 0, 1])));
        assert!(parser.heap_bytes() <= 8 * 1024);
    }
    assert_eq!(out.len(), 68);
    parser.end(&mut out);
    assert!(out.iter().map(|x| x.transaction_id).eq(0..100));
}

#[test]
fn what_is_no_message_costs_itself_only() {
    let other = [0, 9, 0, 7, 0, 5, b'A', b'A', b'A', b'A', b'A'];
    let mut parser = ModbusParser::default();
    let bytes = [&other[..], &message(1, &[1, 7])].concat();
    assert_eq!(parser.feed_initiator(&bytes), []);
    let out = parser.feed_responder(&[&other[..], &message(1, &[1, 7, 0])].concat());
    assert_eq!(summaries(&out), [(1, 7, true, true, 0)]);
    let mut out = Vec::new();
    let mut parser = ModbusParser::default();
    assert_eq!(parser.feed_into(chunk(&other.repeat(32)), &mut out), Continue);
    let failed = Failed(ParseError::NotTheProtocol);
    assert_eq!(parser.feed_into(chunk(&other), &mut out), failed);
    let too_long = ModbusParser::default().feed_into(chunk(&[0, 1, 0, 0, 1, 0]), &mut out);
    assert_eq!(too_long, failed);
    let behind = [&message(1, &[1, 7])[..], &[0, 1, 0, 0, 1, 0]].concat();
    let too_long = ModbusParser::default().feed_into(chunk(&behind), &mut out);
    assert_eq!(too_long, Failed(ParseError::InvalidField("length")));
}

#[test]
fn a_gap_within_a_message_is_passed_over() {
    let mut parser = ModbusParser::default();
    let mut out = Vec::new();
    parser.feed_initiator(&message(1, &[1, 3, 0, 0, 0, 100]));
    let answer = message(1, &[&[1, 3, 200][..], &[0; 200]].concat());
    parser.feed_responder(&answer[..20]);
    assert_eq!(parser.gap(Responder, 150, &mut out), Continue);
    out.extend(parser.feed_responder(&answer[170..]));
    assert_eq!(summaries(&out), [(1, 3, true, true, 0)]);
    // Up to the end of a message, whose time is the latest that is known.
    let asked = message(2, &[1, 3, 0, 0, 0, 100]);
    parser.feed_into(StreamChunk::new(Initiator, Timestamp::from_secs(1), 0, &asked), &mut out);
    let start =
        StreamChunk::new(Responder, Timestamp::from_secs(3), 0, &[0, 2, 0, 0, 0, 203, 1, 3]);
    parser.feed_into(start, &mut out);
    assert_eq!(parser.gap(Responder, 201, &mut out), Continue);
    assert_eq!(summaries(&out[1..]), [(2, 3, true, true, 0)]);
    assert_eq!(out[1].latency.unwrap().as_secs(), 2);
    parser.feed_initiator(&message(3, &[1, 7]));
    assert_eq!(parser.gap(Responder, 1, &mut out), Done);
    assert_eq!(out.len(), 3);
}
