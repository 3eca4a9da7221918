//! What holds for all four parsers, whatever the bytes: messages do not depend on how the bytes were
//! cut, nothing panics, gaps spoil nothing before them, and both shapes of a protocol say the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::fmt::Debug;
use std::sync::mpsc;
use std::time::Duration;

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{
    Datagram, DatagramParser, ParserStatus, SessionParser, StreamChunk, TcpFlags, Timestamp,
};
use flowscope::dns::{DnsMessage, DnsTcpFactory, DnsTcpParser, DnsUdpObserver, DnsUdpParser};
use flowscope::driver::{DatagramDriver, DriverConfig, SessionDriver, SessionEvent, StreamDriver};
use flowscope::extract::FiveTupleKey;
use flowscope::http::{HttpFactory, HttpMessage, HttpParser};
use flowscope::session::{Callbacks, Origin};
use flowscope::tls::{TlsFactory, TlsMessage, TlsParser};
use flowscope::track::{EndReason, TrackerConfig};
use flowscope_testkit::{Dialogue, Packet, Rng, pieces, splits};
use flowscope_tests::session::{EXTRACTOR, packets, run};
use flowscope_tests::traffic::{self, Turns};
use flowscope_tests::wire;
use proptest::prelude::*;

/// As many as there is time for.
const CASES: u32 = if cfg!(debug_assertions) { 200 } else { 5000 };

/// What comes to a parser.
#[derive(Clone, Debug)]
enum Op {
    Bytes(FlowSide, Vec<u8>),
    Gap(FlowSide, u64),
    Fin(FlowSide),
    Rst(FlowSide),
}

/// What a parser said, and the last thing that it asked for.
type AppRecord<M> = (Vec<M>, ParserStatus);

/// Feeds a parser as an engine does, each turn cut at what `cuts` gives for its length.
fn play<P: SessionParser>(
    mut parser: P,
    ops: &[Op],
    mut cuts: impl FnMut(usize) -> Vec<usize>,
) -> AppRecord<P::Message> {
    let (mut out, mut stopped, mut at) = (Vec::new(), [false; 2], [0; 2]);
    let mut last = ParserStatus::Continue;
    let ts = Timestamp::from_secs(7);
    for op in ops {
        let mut status = ParserStatus::Continue;
        match op {
            Op::Bytes(side, bytes) => {
                for bytes in pieces(bytes, &cuts(bytes.len())) {
                    if stopped[side.index()] || is_over(status) {
                        break;
                    }
                    let offset = at[side.index()];
                    at[side.index()] += bytes.len() as u64;
                    status = parser.feed_into(StreamChunk::new(*side, ts, offset, bytes), &mut out);
                    apply(status, &mut stopped);
                }
            }
            Op::Gap(side, len) => {
                if !stopped[side.index()] {
                    at[side.index()] += len;
                    status = parser.gap(*side, *len, &mut out);
                    apply(status, &mut stopped);
                }
            }
            Op::Fin(side) => parser.fin(*side, &mut out),
            Op::Rst(side) => parser.rst(*side, &mut out),
        }
        last = if status == ParserStatus::Continue { last } else { status };
        if is_over(status) || stopped == [true; 2] {
            break;
        }
    }
    parser.end(&mut out);
    (out, last)
}

fn is_over(status: ParserStatus) -> bool {
    matches!(status, ParserStatus::Done | ParserStatus::Failed(_))
}

fn apply(status: ParserStatus, stopped: &mut [bool; 2]) {
    if let ParserStatus::StopSide(side) = status {
        stopped[side.index()] = true;
    }
}

fn whole(_: usize) -> Vec<usize> {
    Vec::new()
}

/// A stream with nothing wrong in it.
fn plain(turns: &Turns) -> Vec<Op> {
    turns.iter().map(|(side, bytes)| Op::Bytes(*side, bytes.clone())).collect()
}

/// The same, possibly damaged, with ends and gaps where there may be some.
fn any_ops(turns: &Turns, rng: &mut Rng) -> Vec<Op> {
    let mut ops = plain(turns);
    if rng.one_in(2) {
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(ops.len());
            if let Op::Bytes(_, bytes) = &mut ops[at] {
                let place = rng.below(bytes.len() + 1);
                match rng.below(3) {
                    0 if place < bytes.len() => bytes[place] = rng.next_u64() as u8,
                    1 if place < bytes.len() => drop(bytes.remove(place)),
                    _ => bytes.insert(place, *rng.pick(b"\r\n\0 :\xff\x16")),
                }
            }
        }
    }
    for _ in 0..rng.below(3) {
        let side = if rng.one_in(2) { Initiator } else { Responder };
        let len = *rng.pick(&[0, 1, 5, 100, 70_000, u64::from(u32::MAX) + 1]);
        let op = *rng.pick(&[0, 1, 2, 3, 4, 5]);
        let op = match op {
            0 => Op::Fin(side),
            1 => Op::Rst(side),
            _ => Op::Gap(side, len),
        };
        ops.insert(rng.below(ops.len() + 1), op);
    }
    ops
}

/// The same messages and the same last wish for every way to cut the bytes.
fn check_cuts<P>(parser: &P, ops: &[Op], seed: u64) -> Result<(), TestCaseError>
where
    P: SessionParser + Clone,
    P::Message: Debug + PartialEq,
{
    let expected = play(parser.clone(), ops, whole);
    let everywhere = play(parser.clone(), ops, |len| (1..len).collect());
    prop_assert_eq!(&everywhere, &expected, "byte by byte: {:?}", ops);
    let mut rng = Rng::new(seed);
    for _ in 0..4 {
        let random = play(parser.clone(), ops, |len| {
            let mut cuts: Vec<usize> = (0..rng.below(6)).map(|_| rng.below(len)).collect();
            cuts.sort_unstable();
            cuts
        });
        prop_assert_eq!(&random, &expected, "{:?}", ops);
    }
    Ok(())
}

/// The locked methods say what the addition says.
fn check_locked<P>(parser: &P, turns: &Turns) -> Result<(), TestCaseError>
where
    P: SessionParser + Clone,
    P::Message: Debug + PartialEq,
{
    let (mut locked, mut added, mut at) = (parser.clone(), parser.clone(), [0; 2]);
    for (side, bytes) in turns {
        let mut out = Vec::new();
        let offset = at[side.index()];
        at[side.index()] += bytes.len() as u64;
        let feed = StreamChunk::new(*side, Timestamp::ZERO, offset, bytes);
        let status = added.feed_into(feed, &mut out);
        let said = match side {
            Initiator => locked.feed_initiator(bytes),
            Responder => locked.feed_responder(bytes),
        };
        prop_assert_eq!(said, out);
        if status != ParserStatus::Continue {
            break;
        }
    }
    Ok(())
}

/// With `len` bytes at `at` of all that was sent lost, what was said before is still said, in the
/// same words, and what comes after does not depend on how it is cut.
fn check_gap<P>(parser: &P, turns: &Turns, at: usize, len: usize) -> Result<(), TestCaseError>
where
    P: SessionParser + Clone,
    P::Message: Debug + PartialEq,
{
    let mut left = at;
    let (mut before, mut after) = (Vec::new(), None);
    for (turn, (side, bytes)) in turns.iter().enumerate() {
        if left < bytes.len() {
            before.push(Op::Bytes(*side, bytes[..left].to_vec()));
            after = Some((turn, *side));
            break;
        }
        left -= bytes.len();
        before.push(Op::Bytes(*side, bytes.clone()));
    }
    let Some((turn, side)) = after else { return Ok(()) };
    let (expected, _) = play_open(parser, &before);
    let (all, _) = play_open(parser, &plain(turns));
    prop_assert_eq!(&all[..expected.len()], &expected[..], "messages come in order");

    let mut ops = before;
    let mut missing = len;
    let mut owed = Some(());
    for (n, (own, bytes)) in turns[turn..].iter().enumerate() {
        let start = if n == 0 { left } else { 0 };
        if *own != side {
            ops.push(Op::Bytes(*own, bytes.clone()));
            continue;
        }
        let rest = &bytes[start..];
        let lost = missing.min(rest.len());
        missing -= lost;
        if missing == 0 && lost < rest.len() {
            if owed.take().is_some() {
                ops.push(Op::Gap(side, len as u64));
            }
            ops.push(Op::Bytes(side, rest[lost..].to_vec()));
        }
    }
    if owed.is_some() {
        ops.push(Op::Gap(side, (len - missing) as u64));
    }
    let (holed, _) = play(parser.clone(), &ops, whole);
    prop_assert_eq!(&holed[..expected.len().min(holed.len())], &expected[..], "{:?}", ops);
    check_cuts(parser, &ops, at as u64)
}

/// What is said while the flow goes on.
fn play_open<P: SessionParser + Clone>(parser: &P, ops: &[Op]) -> AppRecord<P::Message> {
    let (mut parser, mut out, mut at) = (parser.clone(), Vec::new(), [0; 2]);
    for op in ops {
        if let Op::Bytes(side, bytes) = op {
            let offset = at[side.index()];
            at[side.index()] += bytes.len() as u64;
            let feed = StreamChunk::new(*side, Timestamp::from_secs(7), offset, bytes);
            let status = parser.feed_into(feed, &mut out);
            if status != ParserStatus::Continue {
                return (out, status);
            }
        }
    }
    (out, ParserStatus::Continue)
}

/// Every law for one kind of stream.
fn check_stream<P>(parser: &P, turns: &Turns, seed: u64) -> Result<(), TestCaseError>
where
    P: SessionParser + Clone,
    P::Message: Debug + PartialEq,
{
    let mut rng = Rng::new(seed);
    check_cuts(parser, &plain(turns), seed)?;
    check_cuts(parser, &any_ops(turns, &mut rng), seed)?;
    check_locked(parser, turns)?;
    let total: usize = turns.iter().map(|(_, bytes)| bytes.len()).sum();
    let longest = 1 + rng.below(300);
    check_gap(parser, turns, rng.below(total), 1 + rng.below(longest))
}

/// Cuts of every kind for whole conversations, one of each protocol.
#[test]
fn every_kind_of_cut_of_every_protocol() {
    fn check<P>(parser: &P, turns: &Turns)
    where
        P: SessionParser + Clone,
        P::Message: Debug + PartialEq,
    {
        let ops = plain(turns);
        let (expected, status) = play(parser.clone(), &ops, whole);
        assert!(expected.len() > 3, "{expected:?}");
        let longest = turns.iter().map(|(_, bytes)| bytes.len()).max().unwrap();
        for n in 0..splits(longest, 1).len() {
            let cut = |len| splits(len, 1).into_iter().nth(n).unwrap_or_default();
            let again = play(parser.clone(), &ops, cut);
            assert_eq!(again, (play(parser.clone(), &ops, whole).0, status), "cut {n}");
        }
        assert_eq!(play(parser.clone(), &ops, whole).0, expected);
    }
    let mut rng = Rng::new(1);
    check(&HttpParser::default(), &traffic::http(&mut rng));
    check(&TlsParser::default(), &traffic::tls(&mut rng));
    check(&DnsTcpParser::default(), &traffic::dns(&mut rng));
}

/// Garbage with a right length before it, or a datagram of it, at any place.
fn check_dns_recovery(bodies: &[(FlowSide, Vec<u8>)], seed: u64) -> Result<(), TestCaseError> {
    let mut expected = Vec::new();
    for (side, body) in bodies {
        // Alone in a datagram, a body is read or is no message.
        let ts = Timestamp::from_secs(7);
        let datagram = Datagram::new(*side, ts, body);
        DnsUdpParser::default().parse_into(datagram, &mut expected);
    }
    let ops: Vec<Op> =
        bodies.iter().map(|(side, body)| Op::Bytes(*side, wire::framed(body))).collect();
    check_cuts(&DnsTcpParser::default(), &ops, seed)?;
    let (read, _) = play(DnsTcpParser::default(), &ops, whole);
    let brief = |message: &DnsMessage| {
        let questions: Vec<String> = message.questions().iter().map(ToString::to_string).collect();
        let (records, len) = (message.records().len(), message.len);
        (message.side, message.header, questions, records, message.defect, len)
    };
    let [read, expected] = [read, expected].map(|all| all.iter().map(brief).collect::<Vec<_>>());
    prop_assert_eq!(read, expected);
    Ok(())
}

/// A query first, so that the flow counts as DNS; then messages, damaged ones, and anything else.
fn bodies(rng: &mut Rng) -> Vec<(FlowSide, Vec<u8>)> {
    let mut bodies = vec![(Initiator, wire::query(1, "first.example"))];
    for id in 2..3 + rng.below(12) as u16 {
        let side = if rng.one_in(2) { Initiator } else { Responder };
        let body = match rng.below(4) {
            0 => wire::answer(id, "some.name.example"),
            1 => {
                let mut damaged = wire::answer(id, "some.name.example");
                for _ in 0..1 + rng.below(3) {
                    let at = rng.below(damaged.len());
                    damaged[at] = rng.next_u64() as u8;
                }
                damaged
            }
            2 => {
                let len = rng.below(60);
                rng.bytes(len)
            }
            _ => wire::query(id, "name.example"),
        };
        bodies.push((side, body));
    }
    bodies
}

/// A garbage body costs its own message, wherever it stands.
#[test]
fn garbage_behind_a_length_costs_one_message_of_dns() {
    let names = ["a.example", "b.example", "c.example", "d.example"];
    for at in 0..=names.len() {
        for garbage in [&b""[..], &[0xff; 11], &[0xff; 12], &[0xff; 700]] {
            let mut bodies: Vec<Vec<u8>> =
                names.iter().enumerate().map(|(id, name)| wire::query(id as u16, name)).collect();
            bodies.insert(at, garbage.to_vec());
            let stream: Vec<u8> = bodies.iter().flat_map(|body| wire::framed(body)).collect();
            let read = DnsTcpParser::default().feed_initiator(&stream);
            let read: Vec<String> =
                read.iter().map(|message| message.questions()[0].name().to_string()).collect();
            assert_eq!(read, names, "{} bytes of garbage at {at}", garbage.len());
        }
    }
}

fn check_udp(payloads: &[(FlowSide, Vec<u8>)]) -> Result<(), TestCaseError> {
    let (mut locked, mut added) = (DnsUdpParser::default(), DnsUdpParser::default());
    for (side, payload) in payloads {
        let mut out = Vec::new();
        added.parse_into(Datagram::new(*side, Timestamp::ZERO, payload), &mut out);
        prop_assert_eq!(locked.parse(payload, *side), out);
        prop_assert_eq!(locked.invalid_messages(), added.invalid_messages());
    }
    Ok(())
}

/// Of which flow, completed by whom and when, and the message itself.
type Message<M> = (FiveTupleKey, FlowSide, Timestamp, M);

/// The messages of some packets in both shapes: from a parser in a driver of sessions, and from
/// callbacks in a driver of streams.
fn both_shapes<P>(packets: &[Packet]) -> [Vec<Message<P::Message>>; 2]
where
    P: SessionParser + Default + Clone,
    P::Message: Debug + PartialEq + 'static,
{
    let parsed = run(|| SessionDriver::new(EXTRACTOR, P::default()), packets);
    let parsed = parsed.events.into_iter().filter_map(|event| match event {
        SessionEvent::Application { flow, side, message } => {
            Some((flow.key, side, flow.ts, message))
        }
        _ => None,
    });
    let (sender, called) = mpsc::channel();
    let factory = Callbacks::<P, _>::new(move |origin: Origin<'_, FiveTupleKey>, message| {
        sender.send((*origin.key, origin.side, origin.ts, message)).unwrap();
    });
    let mut driver = StreamDriver::new(EXTRACTOR, factory);
    for packet in packets {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    [parsed.collect(), called.try_iter().collect()]
}

/// A message as text in which times are left out.
fn timeless(key: &FiveTupleKey, message: &impl Debug) -> String {
    let text = format!("{key} {message:?}");
    let mut parts = text.split("Timestamp(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// What was said of which flow. What the end of a flow completes is told under the time and the side
/// that either shape knows.
fn brief<M: Debug>(all: &[Message<M>]) -> Vec<String> {
    all.iter().map(|(key, _, _, message)| timeless(key, message)).collect()
}

fn check_shapes<P>(packets: &[Packet]) -> Result<(), TestCaseError>
where
    P: SessionParser + Default + Clone,
    P::Message: Debug + PartialEq + 'static,
{
    let [parsed, called] = both_shapes::<P>(packets);
    // The end of a flow lets the sides out one by one, and which comes first is not the same.
    let by_side = |said: Vec<String>| -> (Vec<String>, Vec<String>) {
        said.into_iter().partition(|message| message.contains("side: Initiator"))
    };
    prop_assert_eq!(by_side(brief(&called)), by_side(brief(&parsed)));
    Ok(())
}

/// A name for each protocol's callback shape: those that [`check_shapes`] is about.
#[test]
fn the_factories_are_the_callbacks_of_the_parsers() {
    fn same<T>(_: &T, _: &T) {}
    fn handler<M>(_: Origin<'_, FiveTupleKey>, _: M) {}
    same(&HttpFactory::new(handler::<HttpMessage>), &Callbacks::<HttpParser, _>::new(handler));
    same(&TlsFactory::new(handler::<TlsMessage>), &Callbacks::<TlsParser, _>::new(handler));
    same(&DnsTcpFactory::new(handler::<DnsMessage>), &Callbacks::<DnsTcpParser, _>::new(handler));

    let script = || Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let talk = script()
        .data(Initiator, wire::get("/a"))
        .data(Responder, wire::response(200, "body"))
        .data(Initiator, wire::post("/b", "xyz"))
        .data(Responder, wire::chunked(404, "none of this", 5))
        .close(Initiator);
    let [parsed, called] = both_shapes::<HttpParser>(&packets(talk));
    assert_eq!(parsed.len(), 8);
    assert_eq!(called, parsed, "times and sides as well");
}

/// Queries and answers between several clients and a server, some of them garbage.
fn datagrams(rng: &mut Rng) -> Vec<Packet> {
    let captures = (0..1 + rng.below(4)).map(|client| {
        let mut script = Dialogue::udp(&format!("10.0.0.{client}:5000"), "10.0.1.1:53");
        for id in 0..1 + rng.below(5) as u16 {
            let garbage = rng.below(30);
            script = script.datagram(Initiator, wire::query(id, "a.example"));
            script = match rng.below(4) {
                0 => script.datagram(Responder, rng.bytes(garbage)),
                1 => script.datagram(Initiator, []),
                _ => script.datagram(Responder, wire::answer(id, "a.example")),
            };
        }
        packets(script)
    });
    let captures: Vec<Vec<Packet>> = captures.collect();
    let mut all = traffic::merged(captures, rng);
    rng.shuffle(&mut all);
    let len = all.len();
    all.truncate(len - rng.below(len.min(3)));
    traffic::timed(all)
}

fn check_observer(packets: &[Packet]) -> Result<(), TestCaseError> {
    let mut seen = Vec::new();
    let mut observer = DnsUdpObserver::new(EXTRACTOR, |key: &FiveTupleKey, message: DnsMessage| {
        seen.push((*key, message));
    });
    for packet in packets {
        prop_assert!(observer.observe(packet.view()).is_some());
    }
    // An observer knows the sides by the port; so does a tracker that is told of it.
    let config = || DriverConfig::default().tracker(TrackerConfig::default().listening_ports([53]));
    let make = || DatagramDriver::with_config(EXTRACTOR, DnsUdpParser::default(), config());
    let heard = run(make, packets);
    let parsed: Vec<(FiveTupleKey, DnsMessage)> = heard
        .events
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::Application { flow, side, message } => {
                assert_eq!(side, message.side);
                Some((flow.key, message))
            }
            _ => None,
        })
        .collect();
    prop_assert_eq!(seen, parsed);
    Ok(())
}

/// A connection of `turns` as a capture shows it that may be bad.
fn capture(turns: &Turns, port: u16, rng: &mut Rng) -> Vec<Packet> {
    let server = format!("10.0.1.1:{port}");
    let packets = traffic::connection(turns, ["10.0.0.1:40000", &server], rng);
    let packets = traffic::captured_badly(packets, rng);
    traffic::with_silences(packets, rng)
}

/// The reset of one side while the other's bytes wait behind a hole.
#[test]
fn a_reset_does_not_hide_what_the_other_side_had_sent() {
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .handshake()
        .data(Initiator, wire::get("/a"))
        .data(Initiator, wire::get("/b"))
        .data(Responder, wire::response(200, "first"))
        .data(Responder, wire::response(404, "second"))
        .rst(Initiator);
    let mut packets = packets(script);
    // The second response was captured, the first was not.
    packets.remove(5);
    let [parsed, called] = both_shapes::<HttpParser>(&packets);
    assert_eq!(brief(&called), brief(&parsed));
}

/// The SYN+ACK is captured late, just when what was sent after it has waited long enough: that is
/// still what was joined in the middle, in both shapes.
#[test]
fn a_syn_that_comes_too_late_changes_nothing() {
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .syn()
        .next_seq(Responder, 5001)
        .data(Responder, b"no start of a message\r\n")
        .after(24)
        .segment(Responder, 5000, 1001, SYN_ACK, [])
        .data(Responder, wire::response(200, "body"));
    let packets = packets(script);
    assert_eq!(packets[2].ts, packets[1].ts + Duration::from_millis(25), "the grace");
    let [parsed, called] = both_shapes::<HttpParser>(&packets);
    assert_eq!(called, parsed);
    assert_eq!(parsed.len(), 2, "the response and its end, no garbage: {parsed:?}");
}

const SYN_ACK: TcpFlags = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0);

/// One side was given up; what it acknowledges still says which bytes of the other are missing.
#[test]
fn acknowledgements_of_a_side_given_up_count() {
    let query = wire::framed(&wire::query(1, "b"));
    let (first, last) = query.split_at(9);
    let answer = wire::framed(&wire::answer(0, "a"));
    let (lost, unframed) = answer.split_at(9);
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:53")
        .handshake()
        .data(Initiator, wire::framed(&wire::query(0, "a")))
        .data(Responder, lost)
        .data(Responder, unframed)
        .ack()
        .after(50)
        .data(Initiator, first)
        .data(Initiator, last)
        .ack_from(Responder)
        .after(50)
        .ack_from(Responder);
    let mut packets = packets(script);
    // Not captured is the start of the answer, and captured late the first part of the second query.
    let mut late = packets.remove(7);
    packets.remove(4);
    late.ts = packets.last().unwrap().ts;
    packets.push(late);
    let [parsed, called] = both_shapes::<DnsTcpParser>(&packets);
    assert_eq!(parsed.len(), 1);
    assert_eq!(brief(&called), brief(&parsed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn http_does_not_depend_on_cuts(seed: u64) {
        check_stream(&HttpParser::default(), &traffic::http(&mut Rng::new(seed)), seed)?;
    }

    #[test]
    fn tls_does_not_depend_on_cuts(seed: u64) {
        check_stream(&TlsParser::default(), &traffic::tls(&mut Rng::new(seed)), seed)?;
    }

    #[test]
    fn dns_over_tcp_does_not_depend_on_cuts(seed: u64) {
        check_stream(&DnsTcpParser::default(), &traffic::dns(&mut Rng::new(seed)), seed)?;
    }

    #[test]
    fn any_bytes_are_cut_alike_and_do_no_harm(seed: u64) {
        let noise = traffic::noise(&mut Rng::new(seed));
        check_stream(&HttpParser::default(), &noise, seed)?;
        check_stream(&TlsParser::default(), &noise, seed)?;
        check_stream(&DnsTcpParser::default(), &noise, seed)?;
        check_udp(&noise)?;
    }

    #[test]
    fn dns_over_tcp_reads_each_body_as_if_it_came_alone(seed: u64) {
        let bodies = bodies(&mut Rng::new(seed));
        check_dns_recovery(&bodies, seed)?;
        check_udp(&bodies)?;
    }

    #[test]
    fn http_is_the_same_in_both_shapes(seed: u64) {
        let mut rng = Rng::new(seed);
        let turns = if rng.one_in(8) { traffic::noise(&mut rng) } else { traffic::http(&mut rng) };
        check_shapes::<HttpParser>(&capture(&turns, 80, &mut rng))?;
    }

    #[test]
    fn tls_is_the_same_in_both_shapes(seed: u64) {
        let mut rng = Rng::new(seed);
        let turns = if rng.one_in(8) { traffic::noise(&mut rng) } else { traffic::tls(&mut rng) };
        check_shapes::<TlsParser>(&capture(&turns, 443, &mut rng))?;
    }

    #[test]
    fn dns_over_tcp_is_the_same_in_both_shapes(seed: u64) {
        let mut rng = Rng::new(seed);
        let turns = if rng.one_in(8) { traffic::noise(&mut rng) } else { traffic::dns(&mut rng) };
        check_shapes::<DnsTcpParser>(&capture(&turns, 53, &mut rng))?;
    }

    #[test]
    fn dns_over_udp_is_the_same_in_both_shapes(seed: u64) {
        check_observer(&datagrams(&mut Rng::new(seed)))?;
    }
}
