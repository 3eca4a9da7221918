//! Custom reassemblers: which calls they receive, and how their bytes are accounted for.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, Reassembler, ReassemblerFactory, StreamChunk, StreamSink};
use flowscope_driver::{SessionSink, StreamDriver};
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::Dialogue;
use flowscope_track::Flow;

use super::{EXTRACTOR, packets};

/// Keeps bytes until the other side has acknowledged any.
#[derive(Default)]
struct UntilAcked {
    held: Vec<u8>,
    at: u64,
}

impl Reassembler for UntilAcked {
    fn segment(&mut self, _: u32, payload: &[u8]) {
        self.held.extend_from_slice(payload);
    }

    fn fin(&mut self) {}

    fn rst(&mut self) {}

    fn acked(&mut self, _: u32, out: &mut dyn StreamSink) {
        if !self.held.is_empty() {
            out.bytes(self.at, &self.held);
            self.at += self.held.len() as u64;
            self.held.clear();
        }
    }
}

struct Make;

impl ReassemblerFactory<FiveTupleKey> for Make {
    type Reassembler = UntilAcked;

    fn new_reassembler(&mut self, _: &FiveTupleKey, _: FlowSide) -> UntilAcked {
        UntilAcked::default()
    }
}

/// What came out, and of which side.
#[derive(Default)]
struct Out(Vec<(FlowSide, Vec<u8>)>);

impl<M> SessionSink<FiveTupleKey, M> for Out {
    fn bytes(&mut self, _: Flow<'_, FiveTupleKey, ()>, chunk: StreamChunk<'_>) -> ParserStatus {
        self.0.push((chunk.side, chunk.bytes.to_vec()));
        ParserStatus::Continue
    }
}

#[test]
fn an_acknowledgement_brings_bytes_of_the_side_that_sent_them() {
    let mut driver = StreamDriver::new(EXTRACTOR, Make);
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7")
        .handshake()
        .data(Initiator, b"ask")
        .data(Responder, b"answer")
        .ack_from(Initiator);
    let mut out = Out::default();
    for packet in packets(script) {
        driver.handle_batch_with(&[packet.view()], &mut out);
    }
    assert_eq!(out.0, [(Initiator, b"ask".to_vec()), (Responder, b"answer".to_vec())]);
}
