use std::cell::RefCell;
use std::rc::Rc;

use flowscope_core::ParseError;
use flowscope_reassembly::OverlapPolicy;

use super::*;

/// Repeats its input as messages; words in capitals are commands to it.
#[derive(Clone, Default)]
struct Echo;

impl SessionParser for Echo {
    type Message = String;

    fn feed_initiator(&mut self, _: &[u8]) -> Vec<String> {
        unreachable!("engines call feed_into")
    }

    fn feed_responder(&mut self, _: &[u8]) -> Vec<String> {
        unreachable!("engines call feed_into")
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<String>) -> ParserStatus {
        let text = String::from_utf8_lossy(feed.bytes);
        out.push(text.to_string());
        match feed.bytes {
            b"STOP" => ParserStatus::StopSide(feed.side),
            b"STOP PEER" => ParserStatus::StopSide(!feed.side),
            b"DONE" => ParserStatus::Done,
            b"FAIL" => ParserStatus::Failed(ParseError::NotTheProtocol),
            _ => ParserStatus::Continue,
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<String>) -> ParserStatus {
        out.push(format!("gap {len}"));
        if len > 100 { ParserStatus::StopSide(side) } else { ParserStatus::Continue }
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<String>) {
        out.push(format!("fin {side:?}"));
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<String>) {
        out.push(format!("rst {side:?}"));
    }

    fn end(&mut self, out: &mut Vec<String>) {
        out.push("end".to_string());
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        if start.starts_with(b"start") { Probe::Yes } else { Probe::Maybe }
    }
}

/// The calls of a handler, one line each.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl MessageHandler<u8, String> for Log {
    fn message(&mut self, origin: Origin<'_, u8>, message: String) {
        self.add(format!("{}{:?}@{}: {message}", origin.key, origin.side, origin.offset));
    }
    fn gap(&mut self, origin: Origin<'_, u8>, len: u64) {
        self.add(format!("{:?} misses {len}", origin.side));
    }
    fn stopped(&mut self, _: Origin<'_, u8>, side: Option<FlowSide>, why: StopReason) {
        self.add(side.map_or(format!("{why:?}"), |side| format!("{side:?} {why:?}")));
    }
}

#[derive(Debug, Default)]
struct Ledger {
    delivered: u64,
    gaps: u64,
    lost: Vec<(Loss, u64)>,
    conflicts: u64,
}

impl StreamSink for Ledger {
    fn bytes(&mut self, _: u64, bytes: &[u8]) {
        self.delivered += bytes.len() as u64;
    }
    fn gap(&mut self, _: u64, len: u64) {
        self.gaps += len;
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.lost.push((cause, bytes));
    }
    fn conflict(&mut self, _: Conflict) {
        self.conflicts += 1;
    }
}

struct Engine<F: SessionParserFactory<u8, Parser = Echo>> {
    sides: [<Callbacks<F, Log> as ReassemblerFactory<u8>>::Reassembler; 2],
    log: Log,
    ledger: Ledger,
}

impl Engine<Echo> {
    fn new() -> Self {
        Engine::with_parsers(Echo)
    }
}

use FlowSide::{Initiator, Responder};

impl<F: SessionParserFactory<u8, Parser = Echo>> Engine<F> {
    fn with_parsers(parsers: F) -> Self {
        let log = Log::default();
        let config = StreamConfig::default().overlap(OverlapPolicy::Last);
        let mut factory = Callbacks::with_parsers(parsers, log.clone()).streams(config);
        let sides = [Initiator, Responder].map(|side| factory.new_reassembler(&7, side));
        Engine { sides, log, ledger: Ledger::default() }
    }

    fn push(&mut self, side: FlowSide, seq: u32, payload: &str, fin: bool) -> &mut Self {
        let segment = Segment::new(side, Timestamp::from_secs(1), seq, payload.as_bytes());
        self.push_segment(Segment { fin, ..segment })
    }

    fn push_segment(&mut self, segment: Segment<'_>) -> &mut Self {
        let [i, r] = &mut self.sides;
        let (own, peer) = if segment.side == Initiator { (i, r) } else { (r, i) };
        own.push(segment, peer, &mut self.ledger);
        self
    }

    /// Both sides begin at 0.
    fn open(&mut self) -> &mut Self {
        for side in [Initiator, Responder] {
            self.push_segment(Segment::new(side, Timestamp::from_secs(1), 0, b"").syn());
        }
        self
    }

    fn end(&mut self) -> &mut Self {
        let [i, r] = &mut self.sides;
        i.end(r, &mut self.ledger);
        r.end(i, &mut self.ledger);
        self
    }

    fn expect(&mut self, lines: &[&str]) -> &mut Self {
        assert_eq!(self.log.take(), lines);
        self
    }
}

#[test]
fn both_sides_share_a_parser_and_each_fin_is_passed_on_once() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 0, "ab", false).push(Responder, 0, "yz", true);
    engine.expect(&["7Initiator@0: ab", "7Responder@0: yz", "7Responder@2: fin Responder"]);
    engine.push(Responder, 0, "yz", true).push(Initiator, 3, "d", true).expect(&[]);
    engine.push(Initiator, 2, "c", false);
    engine.expect(&["7Initiator@2: c", "7Initiator@3: d", "7Initiator@4: fin Initiator"]);
    engine.end().expect(&["7Initiator@4: end"]).end().expect(&[]);
    assert_eq!((engine.ledger.delivered, engine.ledger.lost.len()), (6, 1));
    assert_eq!(engine.sides.each_ref().map(Reassembler::finished), [true; 2]);
}

#[test]
fn a_fin_that_was_retracted_is_followed_by_bytes_and_another() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 0, "a", true);
    engine.expect(&["7Initiator@0: a", "7Initiator@1: fin Initiator"]);
    engine.sides[0].retract_fin();
    engine.push(Initiator, 1, "b", true);
    engine.expect(&["7Initiator@1: b", "7Initiator@2: fin Initiator"]);
    assert_eq!(engine.ledger.lost, []);
}

#[test]
fn buffered_bytes_are_flushed_before_the_end() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 3, "de", false).push(Responder, 2, "z", true).expect(&[]);
    engine.end().expect(&[
        "Initiator misses 3",
        "7Initiator@0: gap 3",
        "7Initiator@3: de",
        "Responder misses 2",
        "7Responder@0: gap 2",
        "7Responder@2: z",
        "7Responder@3: fin Responder",
        "7Initiator@5: end",
    ]);
    assert_eq!((engine.ledger.delivered, engine.ledger.gaps), (3, 5));
}

#[test]
fn a_side_that_is_stopped_is_not_reassembled() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 9, "lost", false).push(Initiator, 0, "STOP", true);
    engine.expect(&["7Initiator@0: STOP", "Initiator GaveUp"]);
    assert_eq!(engine.sides[0].pending(), 0);
    engine.push(Initiator, 4, "more", false).push(Responder, 0, "yes", false);
    engine.expect(&["7Responder@0: yes"]);
    assert_eq!(
        engine.ledger.lost,
        [
            // Behind the FIN.
            (Loss::OutOfWindow, 4),
            (Loss::ParserStopped, 4),
        ]
    );
    // The other side too: that is the parser's end.
    engine.push(Responder, 3, "STOP", false).expect(&[
        "7Responder@3: STOP",
        "Responder GaveUp",
        "7Responder@3: end",
    ]);
    engine.end().expect(&[]);
}

#[test]
fn a_side_stops_the_other() {
    let mut engine = Engine::new();
    engine.open().push(Responder, 5, "waits", false).push(Initiator, 0, "STOP PEER", false);
    engine.expect(&["7Initiator@0: STOP PEER", "Responder GaveUp"]);
    engine.push(Responder, 0, "hello", false).push(Initiator, 9, "on", false);
    engine.expect(&["7Initiator@9: on"]);
    assert_eq!(engine.ledger.lost, [(Loss::ParserStopped, 5), (Loss::ParserStopped, 5)]);
    engine.end().expect(&["7Initiator@11: end"]);
}

#[test]
fn a_parser_that_is_done_or_has_failed_gets_one_last_call() {
    for (word, line, cause) in
        [("DONE", "Done", Loss::Unclaimed), ("FAIL", "Failed(NotTheProtocol)", Loss::ParserStopped)]
    {
        let mut engine = Engine::new();
        engine.open().push(Initiator, 0, word, true).push(Responder, 0, "on", false).end();
        engine.expect(&[&format!("7Initiator@0: {word}"), "7Initiator@0: end", line]);
        assert_eq!(engine.ledger.lost, [(cause, 2)]);
    }
}

#[test]
fn a_gap_may_stop_a_side() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 200, "on", true).end().expect(&[
        "Initiator misses 200",
        "7Initiator@0: gap 200",
        "Initiator GaveUp",
        "7Initiator@202: end",
    ]);
    assert_eq!(engine.ledger.lost, [(Loss::ParserStopped, 2)]);
}

#[test]
fn a_reset_is_passed_on_after_the_bytes_before_it() {
    let mut engine = Engine::new();
    engine.open().push(Responder, 2, "z", false);
    engine.sides[1].rst();
    engine.push(Responder, 0, "xy", false).expect(&[]).end().expect(&[
        "Responder misses 2",
        "7Responder@0: gap 2",
        "7Responder@2: z",
        "7Responder@3: rst Responder",
        "7Responder@3: end",
    ]);
}

#[test]
fn a_stream_picked_up_in_its_middle_begins_with_a_gap_unless_it_looks_like_a_start() {
    let mut engine = Engine::new();
    engine.push(Initiator, 77, "start", false).push(Responder, 99, "middle", false).end();
    engine.expect(&[
        "7Initiator@0: start",
        "7Responder@0: gap 0",
        "7Responder@0: middle",
        "7Initiator@5: end",
    ]);
}

#[test]
fn conflicts_reach_the_engine() {
    let mut engine = Engine::new();
    engine.open().push(Initiator, 2, "cd", false).push(Initiator, 2, "ce", false);
    engine.push(Initiator, 0, "ab", false).expect(&["7Initiator@0: ab", "7Initiator@2: ce"]);
    assert_eq!((engine.ledger.conflicts, &engine.ledger.lost), (1, &vec![(Loss::Duplicate, 2)]));
}

/// Declines every flow.
struct Nobody;

impl SessionParserFactory<u8> for Nobody {
    type Parser = Echo;

    fn new_parser(&mut self, _: &u8) -> Option<Echo> {
        None
    }
}

#[test]
fn a_flow_that_is_declined_is_not_reassembled() {
    let mut engine = Engine::with_parsers(Nobody);
    engine.open().push(Initiator, 5, "ab", true).push(Responder, 0, "cd", false).end().expect(&[]);
    assert_eq!(engine.ledger.lost, [(Loss::Unclaimed, 2), (Loss::Unclaimed, 2)]);
    assert_eq!(engine.sides.each_ref().map(Reassembler::heap_bytes), [0, 0]);
}
