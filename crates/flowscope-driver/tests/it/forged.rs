//! Segments that are not the sender's: the streams are those of the connection.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{Loss, ParserStatus, StreamChunk, TcpFlags};
use flowscope_driver::{SessionChange, SessionSink, StreamDriver};
use flowscope_extract::FiveTupleKey;
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_testkit::Dialogue;
use flowscope_track::{EndReason, Flow};

use super::{EXTRACTOR, packets};

const SYN: TcpFlags = TcpFlags::SYN;
const FIN: TcpFlags = TcpFlags::FIN;
const ACK: TcpFlags = TcpFlags::ACK;

/// What came of each side, gaps as dots.
#[derive(Debug, Default, PartialEq)]
struct Out([String; 2]);

impl<M> SessionSink<FiveTupleKey, M> for Out {
    fn bytes(&mut self, _: Flow<'_, FiveTupleKey, ()>, chunk: StreamChunk<'_>) -> ParserStatus {
        self.0[chunk.side.index()] += &String::from_utf8_lossy(chunk.bytes);
        ParserStatus::Continue
    }

    fn session(&mut self, _: Flow<'_, FiveTupleKey, ()>, change: SessionChange) {
        if let SessionChange::Gap { side, len, .. } = change {
            self.0[side.index()] += &".".repeat(len.min(100) as usize);
        }
    }

    fn fin(&mut self, _: Flow<'_, FiveTupleKey, ()>, side: FlowSide) {
        self.0[side.index()] += "|";
    }
}

/// The streams of a script, and the payload that counts as out of window.
fn run(script: Dialogue) -> ([String; 2], u64) {
    let mut driver = StreamDriver::new(EXTRACTOR, StreamReassemblerFactory::default());
    let mut out = Out::default();
    for packet in packets(script) {
        driver.handle_batch_with(&[packet.view()], &mut out);
    }
    driver.finish_with(EndReason::EndOfInput, &mut out);
    (out.0, driver.bytes().lost(Loss::OutOfWindow))
}

/// The initiator's first byte is 1001, the responder's 5001.
fn talk() -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake()
}

fn rest(script: Dialogue) -> Dialogue {
    script.data(Initiator, "more").data(Responder, "answer").close(Initiator)
}

fn streams(initiator: &str, responder: &str) -> [String; 2] {
    [initiator.to_string(), responder.to_string()]
}

#[test]
fn data_goes_on_behind_a_fin_that_is_retracted() {
    let some = || talk().data(Initiator, "some").ack_from(Responder);
    assert_eq!(run(rest(some())), (streams("somemore|", "answer|"), 0));
    for (fin, expected) in [(1005, "some|more|"), (1006, "somemore|"), (1008, "somemore|")] {
        let forged = some().segment(Initiator, fin, 5001, FIN | ACK, "");
        assert_eq!(run(rest(forged)), (streams(expected, "answer|"), 0), "{fin}");
    }
    let forged = talk().data(Initiator, "some").segment(Responder, 5001, 1005, FIN | ACK, "");
    assert_eq!(run(rest(forged)), (streams("somemore|", "|answer|"), 0));
}

#[test]
fn a_fin_that_is_not_accepted_ends_no_stream() {
    // The last of them begins behind the FIN.
    let script = talk()
        .segment(Initiator, 1001, 5001, ACK, "a")
        .segment(Initiator, 1004, 5001, ACK, "d")
        .segment(Initiator, 1002, 5001, FIN | ACK, "")
        .segment(Initiator, 1002, 5001, ACK, "bc");
    assert_eq!(run(rest(script.next_seq(Initiator, 1005))), (streams("abcdmore|", "answer|"), 0));
}

#[test]
fn payload_and_fin_of_a_syn_that_is_not_accepted_are_not_of_the_stream() {
    let some = || talk().data(Initiator, "some").ack_from(Responder);
    for (side, seq, flags) in [
        (Initiator, 1004, SYN),
        (Initiator, 1006, SYN | FIN),
        (Responder, 5000 - 1, SYN | ACK),
        (Responder, 5001, SYN | ACK | FIN),
    ] {
        let forged = rest(some().segment(side, seq, 1005, flags, "evil"));
        assert_eq!(run(forged), (streams("somemore|", "answer|"), 4), "{side:?} {seq}");
    }
    // There is no session yet.
    let first = talk().segment(Initiator, 1100, 0, SYN, "evil");
    assert_eq!(run(rest(first)), (streams("more|", "answer|"), 4));
}

#[test]
fn an_acknowledgement_before_the_first_payload_tells_the_window() {
    let far = 1001 + (9 << 20);
    let forged = talk().data(Initiator, "some").segment(Initiator, far, 5001, FIN | ACK, "");
    assert_eq!(run(rest(forged)), (streams("somemore|", "answer|"), 0));
}
