//! A parser from outside is the equal of the ones inside: every driver and both shapes take it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::sync::mpsc;

use example_redis::{RedisMessage, RedisParser};
use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::core::{ParseError, Timestamp};
use flowscope::driver::{
    DetectedBy, Driver, Protocols, Recognition, SessionDriver, SessionEvent, StopReason,
    StreamDriver,
};
use flowscope::extract::{FiveTuple, FiveTupleKey};
use flowscope::http::HttpParser;
use flowscope::session::{Callbacks, Origin};
use flowscope::tls::TlsParser;
use flowscope::track::EndReason;
use flowscope_testkit::{Dialogue, views};

type Packets = Vec<(Timestamp, Vec<u8>)>;
type Event = SessionEvent<FiveTupleKey, RedisMessage>;

/// A conversation on a port that says nothing, two of its segments swapped and one sent twice.
fn conversation() -> Packets {
    let mut packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7000")
        .handshake()
        .data(Initiator, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        .data(Responder, b"$11\r\nhello")
        .data(Responder, b" world\r\n")
        .data(Initiator, b"*1\r\n$4\r\nPI")
        .data(Initiator, b"NG\r\n")
        .data(Responder, b"+PONG\r\n")
        .close(Initiator)
        .build();
    let (before, after) = packets.split_at_mut(7);
    std::mem::swap(&mut before[6].1, &mut after[0].1);
    packets.insert(5, packets[4].clone());
    packets
}

fn by_parser(packets: &Packets) -> Vec<Event> {
    let mut driver = SessionDriver::new(FiveTuple::bidirectional(), RedisParser::default());
    views(packets).for_each(|packet| driver.handle_packet(packet));
    driver.finish(EndReason::EndOfInput);
    std::iter::from_fn(|| driver.poll_event()).collect()
}

fn messages(events: Vec<Event>) -> Vec<RedisMessage> {
    let message = |event| match event {
        SessionEvent::Application { message, .. } => Some(message),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

#[test]
fn both_shapes_give_the_same() {
    let said = messages(by_parser(&conversation()));
    let texts: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["#0 GET k", "hello world", "#1 PING", "PONG"]);

    let (sender, called) = mpsc::channel();
    let calls = Callbacks::<RedisParser, _>::new(move |_: Origin<'_, FiveTupleKey>, message| {
        sender.send(message).unwrap();
    });
    let mut driver = StreamDriver::new(FiveTuple::bidirectional(), calls);
    views(&conversation()).for_each(|packet| driver.handle_packet(packet));
    driver.finish(EndReason::EndOfInput);
    assert_eq!(called.try_iter().collect::<Vec<_>>(), said);
}

#[test]
fn it_is_found_among_others_by_first_bytes() {
    let by_bytes = Recognition::by_bytes;
    let protocols = Protocols::new()
        .stream("http", HttpParser::default(), by_bytes(), |_| None)
        .stream("tls", TlsParser::default(), by_bytes(), |_| None)
        .stream("redis", RedisParser::default(), by_bytes(), Some);
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    views(&conversation()).for_each(|packet| driver.handle_packet(packet));
    driver.finish(EndReason::EndOfInput);
    let (mut chosen, mut said) = (Vec::new(), 0);
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::ParserChosen { detection, .. } => chosen.push(detection),
            SessionEvent::Application { message: Some(_), .. } => said += 1,
            _ => {}
        }
    }
    let [detection] = chosen[..] else { panic!("{chosen:?}") };
    assert_eq!((detection.protocol, detection.by), ("redis", DetectedBy::Bytes));
    assert_eq!(said, 4);
}

#[test]
fn a_gap_in_a_value_costs_its_bytes_and_garbage_the_parser() {
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:6379")
        .handshake()
        .data(Initiator, b"GET k\r\nPING\r\n")
        .data(Responder, b"$600\r\nab")
        .next_seq(Responder, 5001 + 8 + 500)
        .data(Responder, [[b'x'; 98].as_slice(), b"\r\n+PONG\r\nwhat?\r\n"].concat())
        .close(Initiator);
    let events = by_parser(&script.build());
    let stops: Vec<StopReason> = events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::ParserStopped { why, .. } => Some(*why),
            _ => None,
        })
        .collect();
    assert_eq!(stops, [StopReason::Failed(ParseError::NotTheProtocol)]);
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Gap { len: 500, .. })));
    let texts: Vec<String> = messages(events).iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["#0 GET k", "#1 PING", "ab…", "PONG"]);
}
