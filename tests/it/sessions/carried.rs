//! Streams that the streams of a flow carry, as those of TLS whose keys are known.

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{
    Loss, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope::driver::{
    Driver, DriverConfig, Protocols, Recognition, SessionDriver, SessionEvent, SessionSink,
    StopReason,
};
use flowscope::http::{HttpMessage, HttpParser};
use flowscope::track::Flow;
use flowscope_testkit::{Dialogue, Packet};
use flowscope_tests::session::{EXTRACTOR, Heard, packets, run};
use flowscope_tests::wire;

/// Every byte on the wire is one of the stream that is carried, with its highest bit set. The first one of a side says
/// what the protocol within is, and is no part of it: `H` HTTP, `-` unknown. A byte `!` ends the reading of its side.
#[derive(Clone, Debug, Default)]
struct Veil {
    sides: [Side; 2],
    named: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
struct Side {
    begun: bool,
    next: u64,
    ready: Option<Remainder>,
}

fn veil(first: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    std::iter::once(first).chain(veiled(bytes)).collect()
}

fn veiled(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    bytes.as_ref().iter().map(|byte| byte | 0x80).collect()
}

impl SessionParser for Veil {
    type Message = &'static str;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, _out: &mut Vec<&'static str>) -> ParserStatus {
        let side = &mut self.sides[chunk.side.index()];
        let mut bytes = chunk.bytes;
        if !std::mem::replace(&mut side.begun, true) {
            self.named = (bytes[0] == b'H').then_some("http");
            bytes = &bytes[1..];
        }
        if bytes.contains(&b'!') {
            return ParserStatus::StopSide(chunk.side);
        }
        let bytes: Vec<u8> = bytes.iter().map(|byte| byte & 0x7f).collect();
        let offset = side.next;
        side.next += bytes.len() as u64;
        side.ready = Some(Remainder { offset, bytes });
        ParserStatus::Carries(self.named)
    }

    fn gap(&mut self, side: FlowSide, len: u64, _: &mut Vec<&'static str>) -> ParserStatus {
        self.sides[side.index()].next += len;
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<&'static str>) {
        out.push("end of veil");
    }

    /// Sure, so that bytes come as they were sent.
    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.sides[side.index()].ready.take()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Message {
    Veil(&'static str),
    Http(Box<HttpMessage>),
}

fn protocols() -> Protocols<Message> {
    let http = Recognition::by_ports([80]).or_bytes();
    Protocols::new()
        .stream("http", HttpParser::default(), http, |message| Message::Http(Box::new(message)))
        .stream("veil", Veil::default(), Recognition::by_ports([9]), Message::Veil)
}

fn heard(script: Dialogue) -> Heard<Message> {
    heard_packets(&packets(script))
}

fn heard_packets(packets: &[Packet]) -> Heard<Message> {
    let make = || Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
    run(make, packets)
}

fn dialogue() -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9").handshake()
}

/// Names of what happened, in order.
fn names_of(heard: &Heard<Message>) -> Vec<String> {
    let names = heard.events.iter().filter_map(|event| match event {
        SessionEvent::ParserChosen { detection, .. } => {
            Some(format!("{} within {:?}", detection.protocol, detection.within))
        }
        SessionEvent::Application { side, message, .. } => Some(match message {
            Message::Veil(text) => (*text).to_owned(),
            Message::Http(message) => match &**message {
                HttpMessage::Request(_) => format!("{side:?} request"),
                HttpMessage::Response(_) => format!("{side:?} response"),
                _ => format!("{side:?} more"),
            },
        }),
        SessionEvent::Gap { side, offset, len, .. } => Some(format!("{side:?} gap {offset} {len}")),
        SessionEvent::ParserStopped { side, why, .. } => Some(format!("stopped {side:?} {why:?}")),
        _ => None,
    });
    names.filter(|name| !name.ends_with("more")).collect()
}

#[test]
fn what_is_carried_is_read_by_its_protocol() {
    for first in [b'H', b'-'] {
        let script = dialogue()
            .data(Initiator, veil(first, wire::get("/")))
            .data(Responder, veil(first, wire::response(200, "body")))
            .data(Initiator, veiled(wire::get("/next")))
            .data(Responder, veiled(wire::response(404, "")));
        let heard = heard(script.close(Initiator));
        let expected = [
            "veil within None",
            "http within Some(\"veil\")",
            "Initiator request",
            "Responder response",
            "Initiator request",
            "Responder response",
            "end of veil",
        ];
        assert_eq!(names_of(&heard), expected, "{}", char::from(first));
    }
}

/// Bytes that begin like no protocol are decided about when there are enough, or at the end.
#[test]
fn what_is_carried_is_closed_where_nobody_reads_it() {
    let text = b"this is no protocol that is registered here. ".repeat(8);
    let script = dialogue().data(Initiator, veil(b'-', &text)).data(Responder, veil(b'-', &text));
    let long = heard(script.data(Initiator, veiled("more")).close(Initiator));
    assert_eq!(names_of(&long), ["veil within None", "end of veil"]);
    // What came until then was delivered.
    let behind = 1 + text.len() as u64 + 4;
    assert_eq!(long.bytes.losses().collect::<Vec<_>>(), [(Loss::Unclaimed, behind)]);
    let script = dialogue().data(Initiator, veil(b'-', "GE")).data(Responder, veil(b'-', "HT"));
    let short = heard(script.close(Initiator));
    assert_eq!(names_of(&short), ["veil within None", "end of veil"]);
}

#[test]
fn the_end_of_the_flow_ends_what_is_carried() {
    // The body of this answer ends with the connection.
    let script = dialogue()
        .data(Initiator, veil(b'H', wire::get("/")))
        .data(Responder, veil(b'H', "HTTP/1.1 200 OK\r\n\r\nto the end"));
    for script in [script.clone().close(Responder), script.rst(Responder)] {
        let heard = heard(script);
        let ends = |event: &&SessionEvent<_, Message>| {
            let SessionEvent::Application { message: Message::Http(message), .. } = event else {
                return false;
            };
            !matches!(**message, HttpMessage::Request(_) | HttpMessage::Response(_))
        };
        assert!(heard.events.iter().filter(ends).count() >= 2, "{:?}", names_of(&heard));
    }
}

#[test]
fn a_gap_is_one_of_what_is_carried() {
    let body = "x".repeat(600);
    let answer = veil(b'H', wire::response(200, &body));
    let (start, rest) = answer.split_at(200);
    let (lost, rest) = rest.split_at(100);
    let script = dialogue()
        .data(Initiator, veil(b'H', wire::get("/")))
        .data(Responder, start)
        .data(Responder, lost)
        .data(Responder, rest)
        .data(Initiator, veiled(wire::get("/next")));
    let mut packets = packets(script.close(Initiator));
    // Behind the handshake, the request and the start of the answer.
    packets.remove(5);
    let heard = heard_packets(&packets);
    let names = names_of(&heard);
    assert_eq!(names.iter().filter(|name| *name == "Responder gap 200 100").count(), 1);
    assert_eq!(names.iter().filter(|name| *name == "Initiator request").count(), 2, "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("stopped")), "{names:?}");
}

/// A side that the outer parser gives up is over, the other one goes on.
#[test]
fn sides_end_one_by_one() {
    let script = dialogue()
        .data(Initiator, veil(b'H', wire::get("/")))
        .data(Responder, veil(b'H', wire::response(200, "body")))
        .data(Responder, "!")
        .data(Responder, veiled("HTTP/1.1 500 not read\r\n\r\n"))
        .data(Initiator, veiled(wire::get("/next")));
    let names = names_of(&heard(script.close(Initiator)));
    assert!(names.contains(&"stopped Some(Responder) GaveUp".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "Initiator request").count(), 2);
    let responses = names.iter().filter(|name| *name == "Responder response");
    assert_eq!(responses.count(), 1, "{names:?}");
}

/// When the inner parser fails, the outer parser is fed no more.
#[test]
fn a_parser_within_that_stops_stops_all() {
    let script = dialogue()
        .data(Initiator, veil(b'H', "\x01\x02\x03 no request\r\n\r\n"))
        .data(Initiator, veiled(wire::get("/")))
        .close(Initiator);
    let heard = heard(script);
    let names = names_of(&heard);
    assert!(names.iter().any(|name| name.starts_with("stopped None Failed")), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("request")), "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "end of veil").count(), 1);
    let behind = wire::get("/").len() as u64;
    assert_eq!(heard.bytes.losses().collect::<Vec<_>>(), [(Loss::ParserStopped, behind)]);
}

/// The bytes of streams, and the ends of sides, as a sink is shown them.
#[derive(Default)]
struct Shown {
    bytes: [Vec<u8>; 2],
    fins: Vec<FlowSide>,
}

impl<K, M, U> SessionSink<K, M, U> for Shown {
    fn bytes(&mut self, _: Flow<'_, K, U>, chunk: StreamChunk<'_>) -> ParserStatus {
        self.bytes[chunk.side.index()].extend_from_slice(chunk.bytes);
        ParserStatus::Continue
    }

    fn fin(&mut self, _: Flow<'_, K, U>, side: FlowSide) {
        self.fins.push(side);
    }
}

#[test]
fn a_sink_is_shown_the_streams_of_the_flow() {
    let (request, answer) = (veil(b'H', wire::get("/")), veil(b'H', wire::response(200, "body")));
    let script = dialogue().data(Initiator, &request).data(Responder, &answer).close(Initiator);
    let mut driver = Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
    let mut shown = Shown::default();
    for packet in packets(script) {
        driver.handle_batch_with(&[packet.view()], &mut shown);
    }
    assert_eq!(shown.bytes, [request, answer]);
    assert_eq!(shown.fins, [Initiator, Responder]);
}

/// Holds back what it is fed, and carries it when the flow has ended.
#[derive(Clone, Debug, Default)]
struct Late {
    sides: [Vec<u8>; 2],
    has_ended: bool,
}

impl SessionParser for Late {
    type Message = &'static str;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, _: &mut Vec<&'static str>) -> ParserStatus {
        self.sides[chunk.side.index()].extend_from_slice(chunk.bytes);
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<&'static str>) {
        assert!(!std::mem::replace(&mut self.has_ended, true), "the last call comes once");
        out.push("end of late");
    }

    fn end_status(&self) -> ParserStatus {
        ParserStatus::Carries(Some("http"))
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        let bytes = std::mem::take(&mut self.sides[side.index()]);
        assert!(self.has_ended);
        (!bytes.is_empty()).then_some(Remainder { offset: 0, bytes })
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

#[test]
fn what_a_parser_has_held_back_is_read_at_the_end() {
    let protocols =
        || protocols().stream("late", Late::default(), Recognition::by_ports([10]), Message::Veil);
    let make = || Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:10")
        .handshake()
        .data(Initiator, wire::get("/"))
        .data(Responder, "HTTP/1.1 200 OK\r\n\r\nto the end");
    let ends = [script.clone(), script.clone().close(Responder), script.rst(Responder)];
    for script in ends {
        let heard = run(make, &packets(script));
        let expected = [
            "late within None",
            "end of late",
            "http within Some(\"late\")",
            "Initiator request",
            "Responder response",
        ];
        assert_eq!(names_of(&heard), expected);
    }
}

/// Carries itself, as deep as the driver follows.
#[derive(Clone, Debug, Default)]
struct Endless(Option<Remainder>);

impl SessionParser for Endless {
    type Message = &'static str;

    fn feed_initiator(&mut self, _: &[u8]) -> Vec<&'static str> {
        Vec::new()
    }

    fn feed_responder(&mut self, _: &[u8]) -> Vec<&'static str> {
        Vec::new()
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, _: &mut Vec<&'static str>) -> ParserStatus {
        self.0 = Some(Remainder { offset: chunk.offset, bytes: chunk.bytes.to_vec() });
        ParserStatus::Carries(Some("endless"))
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.0.take_if(|_| side == Initiator)
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

#[test]
fn streams_within_each_other_are_followed_four_deep() {
    let protocols = || {
        let endless = Recognition::by_ports([9]);
        Protocols::new().stream("endless", Endless::default(), endless, Message::Veil)
    };
    let make = || Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
    let script = dialogue().data(Initiator, "deep").data(Initiator, "deeper").close(Initiator);
    let heard = run(make, &packets(script));
    let chosen = names_of(&heard);
    assert_eq!(chosen.iter().filter(|name| name.starts_with("endless")).count(), 5, "{chosen:?}");
    assert_eq!(chosen.iter().filter(|name| *name == "stopped None Done").count(), 1, "{chosen:?}");
    assert_eq!(heard.bytes.losses().collect::<Vec<_>>(), [(Loss::Unclaimed, 6)]);
}

/// A driver of one protocol has none for what is carried.
#[test]
fn a_parser_that_carries_is_done_where_it_is_the_only_one() {
    let script = dialogue().data(Initiator, "first").data(Initiator, "second").close(Initiator);
    let heard = run(|| SessionDriver::new(EXTRACTOR, Endless::default()), &packets(script));
    let stops = heard.events.iter().filter_map(|event| match event {
        SessionEvent::ParserStopped { side, why, .. } => Some((*side, *why)),
        _ => None,
    });
    assert_eq!(stops.collect::<Vec<_>>(), [(None, StopReason::Done)]);
    assert_eq!(heard.bytes.losses().collect::<Vec<_>>(), [(Loss::Unclaimed, 6)]);
}
