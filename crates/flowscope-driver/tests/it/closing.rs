//! Bytes that come after the end of their flow.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::SessionParser;
use flowscope_driver::{SessionDriver, SessionEvent};
use flowscope_testkit::Dialogue;
use flowscope_track::EndReason;

use super::{EXTRACTOR, packets};

/// Reports how many bytes it reads.
#[derive(Clone, Default)]
struct Lengths;

impl SessionParser for Lengths {
    type Message = (FlowSide, usize);

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        vec![(Initiator, bytes.len())]
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        vec![(Responder, bytes.len())]
    }
}

/// What was on its way to the sender of a reset, also if that had sent all of its own before.
#[test]
fn bytes_for_the_sender_of_a_reset_are_read_whether_it_had_finished_or_not() {
    let ask = || Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake().data(Initiator, b"ask");
    let finished = ask().fin(Initiator).ack_from(Responder);
    for script in [ask(), finished] {
        let mut driver = SessionDriver::new(EXTRACTOR, Lengths);
        for packet in packets(script.rst(Initiator).data(Responder, b"answer")) {
            driver.handle_packet(packet.view());
        }
        driver.finish(EndReason::EndOfInput);
        let read: Vec<_> = std::iter::from_fn(|| driver.poll_event())
            .filter_map(|event| match event {
                SessionEvent::Application { message, .. } => Some(message),
                _ => None,
            })
            .collect();
        assert_eq!(read, [(Initiator, 3), (Responder, 6)]);
        assert_eq!((driver.bytes().delivered(), driver.pending()), (9, 0));
    }
}
