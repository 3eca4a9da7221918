//! How many bytes and datagrams may leave a flow undecided.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, Loss, ParserStatus, Probe, Remainder, SessionParser, StreamChunk,
    Timestamp, feed_once,
};
use flowscope_driver::{DetectedBy, Driver, Protocols, Recognition, SessionEvent};
use flowscope_testkit::Dialogue;

use super::{EXTRACTOR, packets};

/// Is sure of a side's first bytes when there are `N` of them.
#[derive(Clone, Default)]
struct SureAt<const N: usize>;

impl<const N: usize> SessionParser for SureAt<N> {
    type Message = (FlowSide, usize);

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        vec![(Initiator, bytes.len())]
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        vec![(Responder, bytes.len())]
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        if start.len() >= N { Probe::Yes } else { Probe::Maybe }
    }
}

type Engine<M> = Driver<flowscope_extract::AutoDetectEncap<flowscope_extract::FiveTuple>, M>;

fn streams<const N: usize>(recognition: Recognition) -> Engine<(FlowSide, usize)> {
    let protocols = Protocols::new().stream("sure", SureAt::<N>, recognition, |message| message);
    Driver::new(EXTRACTOR, protocols)
}

/// Feeds a script; returns how the parser was chosen, if it was, and the bytes that it read.
fn feed<const N: usize>(
    driver: &mut Engine<(FlowSide, usize)>,
    script: Dialogue,
) -> (Option<DetectedBy>, usize) {
    for packet in packets(script) {
        driver.handle_packet(packet.view());
    }
    let (mut chosen, mut read) = (None, 0);
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::ParserChosen { detection, .. } => chosen = Some(detection.by),
            SessionEvent::Application { message: (_, len), .. } => read += len,
            _ => {}
        }
    }
    (chosen, read)
}

fn script(pieces: &[(FlowSide, usize)]) -> Dialogue {
    let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
    pieces.iter().fold(start, |script, (side, len)| script.data(*side, vec![b'x'; *len]))
}

#[test]
fn a_stream_of_256_bytes_is_still_waited_for_and_one_of_257_is_not() {
    for pieces in [&[(Initiator, 256)][..], &[(Initiator, 200), (Initiator, 56)]] {
        let mut driver = streams::<300>(Recognition::by_bytes());
        assert_eq!(feed::<300>(&mut driver, script(pieces)), (None, 0));
        assert_eq!((driver.pending(), driver.bytes().seen()), (256, 0), "{pieces:?}");
    }
    let over = [
        &[(Initiator, 257)][..],
        &[(Initiator, 256), (Initiator, 1)],
        &[(Initiator, 200), (Initiator, 57)],
        &[(Initiator, 200), (Responder, 57)],
    ];
    for pieces in over {
        let mut driver = streams::<300>(Recognition::by_bytes());
        assert_eq!(feed::<300>(&mut driver, script(pieces)), (None, 0));
        assert_eq!((driver.pending(), driver.bytes().lost(Loss::Unclaimed)), (0, 257));
    }
}

#[test]
fn the_256th_byte_is_shown_and_both_sides_share_them() {
    let mut driver = streams::<256>(Recognition::by_bytes());
    let pieces: Vec<_> = (0..256).map(|_| (Initiator, 1)).collect();
    let chosen = feed::<256>(&mut driver, script(&pieces));
    assert_eq!(chosen, (Some(DetectedBy::Bytes), 256));
    // 257 bytes are beyond what is kept, and each side has less than the parser asks for.
    let mut driver = streams::<256>(Recognition::by_bytes());
    let both = feed::<256>(&mut driver, script(&[(Initiator, 150), (Responder, 107)]));
    assert_eq!((both, driver.bytes().lost(Loss::Unclaimed)), ((None, 0), 257));
}

#[test]
fn on_its_own_port_a_protocol_reads_what_stays_undecided() {
    let mut driver = streams::<300>(Recognition::by_ports([7]));
    assert_eq!(feed::<300>(&mut driver, script(&[(Initiator, 256)])), (None, 0));
    let mut driver = streams::<300>(Recognition::by_ports([7]));
    let chosen = feed::<300>(&mut driver, script(&[(Initiator, 256), (Initiator, 1)]));
    assert_eq!(chosen, (Some(DetectedBy::Port), 257));
}

#[test]
fn a_stream_that_lacks_its_first_byte_is_not_waited_for() {
    let chosen = |lacking: u32| {
        let (from, ack) = (1001 + lacking, flowscope_core::TcpFlags::ACK);
        let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
        let start = start.segment(Initiator, from, 5001, ack, [b'x'; 10]);
        // Acknowledged, so that nobody sends again what was not captured.
        let start = start.segment(Responder, 5001, from + 10, ack, b"").after(1000);
        let script = start.segment(Initiator, from + 10, 5001, ack, [b'x'; 10]);
        feed::<300>(&mut streams::<300>(Recognition::by_ports([7])), script).0
    };
    assert_eq!(chosen(0), None);
    assert_eq!((chosen(1), chosen(2)), (Some(DetectedBy::Port), Some(DetectedBy::Port)));
}

/// Is sure of datagrams that begin with `!`; the others may be anything.
#[derive(Clone, Default)]
struct Marked;

impl DatagramParser for Marked {
    type Message = usize;

    fn parse(&mut self, payload: &[u8], _: FlowSide) -> Vec<usize> {
        vec![payload.len()]
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<usize>) -> ParserStatus {
        out.push(datagram.payload.len());
        ParserStatus::Continue
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        if payload.starts_with(b"!") { Probe::Yes } else { Probe::Maybe }
    }
}

/// Messages of a flow whose datagram number `marked`, from 1, is a sure one.
fn messages(marked: usize, datagrams: usize) -> usize {
    let protocols =
        Protocols::new().datagram("marked", Marked, Recognition::by_bytes(), |message| message);
    let mut driver = Driver::new(EXTRACTOR, protocols);
    let start = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:7");
    let script = (1..=datagrams)
        .fold(start, |script, n| script.datagram(Initiator, if n == marked { b"!" } else { b"?" }));
    for packet in packets(script) {
        driver.handle_packet(packet.view());
    }
    let events = std::iter::from_fn(|| driver.poll_event());
    let messages = events.filter(|event| matches!(event, SessionEvent::Application { .. }));
    messages.count()
}

#[test]
fn a_flow_of_datagrams_is_asked_about_32_times() {
    assert_eq!(messages(1, 40), 40);
    assert_eq!(messages(32, 40), 9);
    assert_eq!(messages(33, 40), 0);
}

/// Agrees with its first byte on another protocol, and leaves what follows to it.
#[derive(Clone, Default)]
struct Agrees {
    left: Option<Remainder>,
}

impl SessionParser for Agrees {
    type Message = (FlowSide, usize);

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        out.push((chunk.side, 1));
        let bytes = chunk.bytes[1..].to_vec();
        let left = Remainder { offset: chunk.offset + 1, bytes };
        self.left = Some(left).filter(|left| !left.bytes.is_empty());
        ParserStatus::UpgradeTo(if chunk.bytes[0] == b'n' { "named" } else { "unknown" })
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.left.take_if(|_| side == Initiator)
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

#[test]
fn the_protocol_that_is_agreed_on_reads_on_whatever_comes() {
    let heard = |pieces: &[(FlowSide, &str)]| {
        let read = |message| message;
        let protocols = Protocols::new()
            .stream("agrees", Agrees::default(), Recognition::by_ports([7]), read)
            .stream("named", SureAt::<300>, Recognition::default(), read);
        let mut driver = Driver::new(EXTRACTOR, protocols);
        let start = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
        let script = pieces.iter().fold(start, |script, (side, bytes)| script.data(*side, *bytes));
        for packet in packets(script.close(Initiator)) {
            driver.handle_packet(packet.view());
        }
        let (mut chosen, mut read) = (Vec::new(), 0);
        while let Some(event) = driver.poll_event() {
            match event {
                SessionEvent::ParserChosen { detection, .. } => {
                    chosen.push((detection.protocol, detection.by, detection.within));
                }
                SessionEvent::Application { message: (_, len), .. } => read += len,
                _ => {}
            }
        }
        (chosen, read)
    };
    let around = ("agrees", DetectedBy::Port, None);
    let within = ("named", DetectedBy::Agreement, Some("agrees"));
    let whole = heard(&[(Initiator, "n"), (Responder, "ab"), (Initiator, "c")]);
    assert_eq!(whole, (vec![around, within], 4));
    assert_eq!(heard(&[(Initiator, "nc"), (Responder, "ab")]), (vec![around, within], 4));
    // One that nobody reads.
    assert_eq!(heard(&[(Initiator, "u"), (Responder, "ab")]), (vec![around], 1));
}
