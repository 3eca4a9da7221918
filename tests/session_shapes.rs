//! Both API shapes of a stream protocol give the same messages, gaps and stops, in the same order:
//! the parser shape in a `SessionDriver`, the callback shape in a `StreamDriver`. Times are left out: what the
//! end of a flow completes has the time of its last packet in one shape, of its last segment in the other.

use std::sync::mpsc::{Sender, channel};

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, TcpFlags, Timestamp, feed_once,
};
use flowscope::driver::{
    Driver, DriverConfig, Protocols, Recognition, SessionDriver, SessionEvent, StopReason,
    StreamDriver,
};
use flowscope::extract::FiveTupleKey;
use flowscope::session::{Callbacks, MessageHandler, Origin};
use flowscope::track::EndReason;
use flowscope_testkit::Dialogue;
use flowscope_tests::session::{EXTRACTOR, packets, run};
use proptest::prelude::*;

const CASES: u32 = if cfg!(debug_assertions) { 2_000 } else { 20_000 };

/// Reports each call as a message. Some bytes are commands, and some gaps stop their side.
#[derive(Clone, Default)]
struct Recorder;

const STOP: u8 = b'S';
const STOP_PEER: u8 = b'P';
const DONE: u8 = b'D';
const FAIL: u8 = b'F';

impl SessionParser for Recorder {
    type Message = String;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<String> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<String> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<String>) -> ParserStatus {
        let StreamChunk { side, offset, bytes, .. } = chunk;
        assert!(!bytes.is_empty());
        out.push(format!("{side:?} {offset}: {}", String::from_utf8_lossy(bytes)));
        let command = |byte: &u8| match *byte {
            STOP => Some(ParserStatus::StopSide(side)),
            STOP_PEER => Some(ParserStatus::StopSide(!side)),
            DONE => Some(ParserStatus::Done),
            FAIL => Some(ParserStatus::Failed(ParseError::NotTheProtocol)),
            _ => None,
        };
        bytes.iter().find_map(command).unwrap_or(ParserStatus::Continue)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<String>) -> ParserStatus {
        out.push(format!("{side:?} gap of {len}"));
        if len % 7 == 6 { ParserStatus::StopSide(side) } else { ParserStatus::Continue }
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<String>) {
        out.push(format!("{side:?} fin"));
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<String>) {
        out.push(format!("{side:?} rst"));
    }

    fn end(&mut self, out: &mut Vec<String>) {
        out.push("end".to_owned());
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        if start[0].is_multiple_of(2) { Probe::Yes } else { Probe::Maybe }
    }
}

/// What either shape reports, in order.
#[derive(Debug, PartialEq)]
enum Report {
    Message(FlowSide, String),
    Gap { side: FlowSide, offset: u64, len: u64 },
    Stop(Option<FlowSide>, StopReason),
}

#[derive(Clone)]
struct Handler(Sender<Report>);

impl Handler {
    fn send(&self, report: Report) {
        self.0.send(report).expect("the receiver lives as long as the driver");
    }
}

impl MessageHandler<FiveTupleKey, String> for Handler {
    fn message(&mut self, origin: Origin<'_, FiveTupleKey>, message: String) {
        self.send(Report::Message(origin.side, message));
    }

    fn gap(&mut self, origin: Origin<'_, FiveTupleKey>, len: u64) {
        self.send(Report::Gap { side: origin.side, offset: origin.offset, len });
    }

    fn stopped(&mut self, _: Origin<'_, FiveTupleKey>, side: Option<FlowSide>, why: StopReason) {
        self.send(Report::Stop(side, why));
    }
}

/// One segment, at an offset of its side's stream.
#[derive(Clone, Debug)]
struct Step {
    side: FlowSide,
    /// Offset of the first byte behind the SYN; negative for a start before the first byte seen.
    at: i32,
    len: usize,
    /// How much of its peer's stream the segment acknowledges.
    ack: Option<u32>,
    kind: Kind,
    wait_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Data,
    Syn,
    Fin,
    Rst,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = prop_oneof![Just(Initiator), Just(Responder)];
    let kind = prop_oneof![
        30 => Just(Kind::Data),
        2 => Just(Kind::Syn),
        4 => Just(Kind::Fin),
        1 => Just(Kind::Rst),
    ];
    let wait = prop_oneof![20 => 0_u64..20, 3 => 20_u64..2_000, 1 => 2_000_u64..400_000];
    let ack = prop::option::weighted(0.8, 0_u32..120);
    let step = (side, 0_i32..100, 0_usize..24, ack, kind, wait);
    let step = step.prop_map(|(side, at, len, ack, kind, wait_ms)| Step {
        side,
        at,
        len,
        ack,
        kind,
        wait_ms,
    });
    // Some runs are mostly in order: random offsets alone would leave little to parse.
    (prop::collection::vec(step, 1..40), prop::bool::ANY).prop_map(|(mut steps, in_order)| {
        let mut next = [0; 2];
        for step in steps.iter_mut().filter(|step| in_order && step.kind != Kind::Syn) {
            // One in eight is lost, so that there are gaps.
            let next = &mut next[step.side.index()];
            let lost = step.at % 8 == 0;
            step.at = *next + if lost { 3 } else { 0 };
            *next = step.at + step.len as i32;
        }
        steps
    })
}

/// The byte at an offset of a stream, so that copies agree: a command where `commands` says so.
fn byte(side: FlowSide, at: i32, commands: &[(u8, FlowSide, i32)]) -> u8 {
    let command = commands.iter().find(|command| (command.1, command.2) == (side, at));
    command.map_or(b'a' + (at.rem_euclid(26)) as u8, |command| command.0)
}

fn commands() -> impl Strategy<Value = Vec<(u8, FlowSide, i32)>> {
    let byte = prop::sample::select(vec![STOP, STOP_PEER, DONE, FAIL]);
    let side = prop_oneof![Just(Initiator), Just(Responder)];
    prop::collection::vec((byte, side, 0_i32..150), 0..3)
}

const ISN: [u32; 2] = [u32::MAX - 20, 5_000];

fn dialogue(steps: &[Step], commands: &[(u8, FlowSide, i32)], handshake: bool) -> Dialogue {
    let mut script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7")
        .next_seq(Initiator, ISN[0])
        .next_seq(Responder, ISN[1]);
    if handshake {
        script = script.handshake();
    }
    for step in steps {
        let seq =
            |side: FlowSide, at: i32| ISN[side.index()].wrapping_add(1).wrapping_add_signed(at);
        let payload: Vec<u8> =
            (step.at..step.at + step.len as i32).map(|at| byte(step.side, at, commands)).collect();
        let acked = step.ack.map(|ack| seq(!step.side, ack as i32));
        let mut flags = if acked.is_some() { TcpFlags::ACK } else { TcpFlags::default() };
        let (mut number, mut payload) = (seq(step.side, step.at), payload);
        match step.kind {
            Kind::Data => {}
            Kind::Syn => {
                flags |= TcpFlags::SYN;
                number = ISN[step.side.index()];
                payload.clear();
            }
            Kind::Fin => flags |= TcpFlags::FIN,
            Kind::Rst => {
                flags |= TcpFlags::RST;
                payload.clear();
            }
        }
        let ack = acked.unwrap_or(0);
        script = script.after(step.wait_ms).segment(step.side, number, ack, flags, payload);
    }
    script
}

fn parser_shape(script: Dialogue) -> Vec<Report> {
    let reports = run(|| SessionDriver::new(EXTRACTOR, Recorder), &packets(script));
    reports.events.into_iter().filter_map(report).collect()
}

fn report(event: SessionEvent<FiveTupleKey, String>) -> Option<Report> {
    Some(match event {
        SessionEvent::Application { side, message, .. } => Report::Message(side, message),
        SessionEvent::Gap { side, offset, len, .. } => Report::Gap { side, offset, len },
        SessionEvent::ParserStopped { side, why, .. } => Report::Stop(side, why),
        _ => return None,
    })
}

fn callback_shape(script: Dialogue) -> Vec<Report> {
    let (sender, reports) = channel();
    let factory = Callbacks::<Recorder, _>::new(Handler(sender));
    let mut driver = StreamDriver::new(EXTRACTOR, factory);
    for packet in packets(script) {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    reports.try_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn callback_shape_and_parser_shape_report_the_same(
        steps in steps(),
        commands in commands(),
        handshake in prop::bool::weighted(0.7),
    ) {
        let parsed = parser_shape(dialogue(&steps, &commands, handshake));
        let called = callback_shape(dialogue(&steps, &commands, handshake));
        prop_assert_eq!(called, parsed);
    }
}

#[test]
fn a_fin_that_was_reached_before_a_parser_was_chosen_is_passed_on() {
    /// Undecided about the initiator's first bytes, sure of the responder's.
    #[derive(Clone, Default)]
    struct Late(Recorder);

    impl SessionParser for Late {
        type Message = String;
        fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<String> {
            self.0.feed_initiator(bytes)
        }
        fn feed_responder(&mut self, bytes: &[u8]) -> Vec<String> {
            self.0.feed_responder(bytes)
        }
        fn fin(&mut self, side: FlowSide, out: &mut Vec<String>) {
            self.0.fin(side, out);
        }
        fn probe(side: FlowSide, _: &[u8]) -> Probe {
            if side == Responder { Probe::Yes } else { Probe::Maybe }
        }
    }

    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7")
        .handshake()
        .data(Initiator, b"ask")
        .fin(Initiator)
        .data(Responder, b"answer");
    let make = || {
        let protocols =
            Protocols::new().stream("late", Late::default(), Recognition::by_bytes(), |m| m);
        Driver::with_config(EXTRACTOR, protocols, DriverConfig::default())
    };
    let reports: Vec<_> =
        run(make, &packets(script)).events.into_iter().filter_map(report).collect();
    let expected = [
        (Initiator, "Initiator 0: ask"),
        (Initiator, "Initiator fin"),
        (Responder, "Responder 0: answer"),
    ];
    let expected = expected.map(|(side, text)| Report::Message(side, text.to_owned()));
    assert_eq!(reports, expected);
}
