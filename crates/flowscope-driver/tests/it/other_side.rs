//! What the first bytes of the other side say about a protocol that was found in those of one.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{Loss, Probe, SessionParser, TcpFlags};
use flowscope_driver::{Driver, Protocols, Recognition, SessionEvent};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_testkit::Dialogue;
use flowscope_track::EndReason;

use super::{EXTRACTOR, packets};

/// Is sure of `!`, may be what begins with `?`, and nothing else.
#[derive(Clone, Default)]
struct Marked;

impl SessionParser for Marked {
    type Message = usize;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<usize> {
        vec![bytes.len()]
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<usize> {
        vec![bytes.len()]
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        match start.first() {
            Some(b'!') => Probe::Yes,
            Some(b'?') | None => Probe::Maybe,
            Some(_) => Probe::No,
        }
    }
}

type Marks = Driver<AutoDetectEncap<FiveTuple>, usize>;

fn marks() -> Protocols<usize> {
    Protocols::new().stream("marks", Marked, Recognition::by_ports([7]), |message| message)
}

fn talk() -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake()
}

/// Plays a script, and names what becomes of the protocol.
fn play(driver: &mut Marks, script: Dialogue) -> Vec<&'static str> {
    for packet in packets(script) {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let name = |event| match event {
        SessionEvent::ParserChosen { .. } => Some("chosen"),
        SessionEvent::Contradicted { .. } => Some("contradicted"),
        SessionEvent::Withdrawn { .. } => Some("withdrawn"),
        _ => None,
    };
    std::iter::from_fn(|| driver.poll_event()).filter_map(name).collect()
}

fn recognised(script: Dialogue) -> Vec<&'static str> {
    play(&mut Driver::new(EXTRACTOR, marks().recognise_only()), script)
}

#[test]
fn segments_without_payload_say_nothing() {
    let both = ["chosen", "contradicted"];
    assert_eq!(recognised(talk().data(Initiator, b"!").data(Responder, b"x")), both);
    let acked = talk().data(Initiator, b"!").ack_from(Responder).ack_from(Responder);
    assert_eq!(recognised(acked.data(Responder, b"x")), both);
    let more = talk().data(Initiator, b"!").data(Initiator, b"x").data(Responder, b"?x");
    assert_eq!(recognised(more), ["chosen"]);
}

#[test]
fn first_bytes_are_waited_for_behind_64_kib_and_not_behind_more() {
    let ahead = |distance: u32| {
        let script = talk().data(Initiator, b"!");
        let script = script.segment(Responder, 5001 + distance, 1002, TcpFlags::ACK, b"yy");
        recognised(script.segment(Responder, 5001, 1002, TcpFlags::ACK, b"x"))
    };
    assert_eq!(ahead(1), ["chosen", "contradicted"]);
    assert_eq!(ahead(1 << 16), ["chosen", "contradicted"]);
    assert_eq!(ahead((1 << 16) + 1), ["chosen"]);
}

#[test]
fn bytes_that_end_the_reading_were_read() {
    let mut driver = Driver::new(EXTRACTOR, marks());
    // The port alone speaks for it, since nobody is sure of 300 bytes.
    let script = talk().data(Initiator, [b'?'; 300]).data(Responder, b"x").data(Initiator, b"??");
    assert_eq!(play(&mut driver, script), ["chosen", "withdrawn"]);
    let bytes = driver.bytes();
    assert_eq!((bytes.delivered(), bytes.lost(Loss::Unclaimed)), (301, 0), "{bytes:?}");
    assert_eq!(bytes.seen(), 303, "what came later has another reason");
}
