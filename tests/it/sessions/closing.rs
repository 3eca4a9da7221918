//! The last packets of a connection, captured in another order than they were sent: the streams end behind
//! their last bytes, and the session behind its streams.

use std::time::Duration;

use flowscope::core::{FlowSide, ParserStatus, SessionParser, Timestamp};
use flowscope::driver::{DriverConfig, SessionDriver, SessionEvent};
use flowscope::track::{EndReason, FlowEvent};
use flowscope_tests::session::{EXTRACTOR, run};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::*;

/// Repeats what it is given.
#[derive(Clone, Debug, Default)]
struct Tape;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Said {
    Bytes(FlowSide, Vec<u8>),
    Gap(FlowSide, u64),
    Fin(FlowSide),
    Rst(FlowSide),
    End,
}

impl SessionParser for Tape {
    type Message = Said;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Said> {
        vec![Said::Bytes(Initiator, bytes.to_vec())]
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Said> {
        vec![Said::Bytes(Responder, bytes.to_vec())]
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Said>) -> ParserStatus {
        out.push(Said::Gap(side, len));
        ParserStatus::Continue
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<Said>) {
        out.push(Said::Fin(side));
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<Said>) {
        out.push(Said::Rst(side));
    }

    fn end(&mut self, out: &mut Vec<Said>) {
        out.push(Said::End);
    }
}

/// Packets so many microseconds apart, and everything that is said of them.
fn play(micros: u64, mut all: Vec<Packet>) -> Heard<Said> {
    let start = Timestamp::from_secs(1_700_000_000);
    for (n, packet) in all.iter_mut().enumerate() {
        packet.ts = start + Duration::from_micros(micros * n as u64);
    }
    run(|| SessionDriver::with_config(EXTRACTOR, Tape, DriverConfig::default()), &all)
}

/// The packets at these places, 50 µs apart.
fn play_arranged(script: Dialogue, places: &[usize]) -> Heard<Said> {
    play(50, arranged(&packets(script), places))
}

/// The messages but the FIN of the initiator, those of bytes joined as far as they are of one side.
fn said(heard: &Heard<Said>) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    let messages = heard.messages().map(|(_, message)| message);
    for message in messages.filter(|message| **message != Said::Fin(Initiator)) {
        match (said.last_mut(), message) {
            (Some(Said::Bytes(last, before)), Said::Bytes(side, bytes)) if last == side => {
                before.extend(bytes);
            }
            _ => said.push(message.clone()),
        }
    }
    said
}

/// Names of the events, in order, without those of messages.
fn ends(heard: &Heard<Said>) -> Vec<String> {
    let name = |event: &SessionEvent<_, Said>| match event {
        SessionEvent::Closed { reason, .. } => Some(format!("closed {reason:?}")),
        SessionEvent::Flow(FlowEvent::Late { .. }) => Some("late".to_owned()),
        SessionEvent::Gap { len, .. } => Some(format!("gap {len}")),
        _ => None,
    };
    heard.events.iter().filter_map(name).collect()
}

fn bytes(side: FlowSide, text: &[u8]) -> Said {
    Said::Bytes(side, text.to_vec())
}

/// RFC 9293 §3.4: the order of a stream is that of its numbers. Places: 0 to 2 are the handshake.
#[test]
fn data_behind_the_close_is_delivered_before_the_end() {
    let script = || {
        let data = talk().handshake().data(Responder, b"one ").data(Responder, b"two ");
        data.data(Responder, b"three").close(Responder)
    };
    assert_eq!(packets(script()).len(), 10);
    let expected = [bytes(Responder, b"one two three"), Said::Fin(Responder), Said::End];
    // Both FINs and their acknowledgements are captured before two of three segments.
    let heard = play_arranged(script(), &[0, 1, 2, 3, 6, 7, 8, 9, 4, 5]);
    assert_eq!(said(&heard), expected);
    assert_eq!(ends(&heard), ["closed Fin", "late"]);
    assert_eq!(heard.bytes.delivered(), 13);
    let (_, stats) = heard.ended().next().unwrap();
    assert_eq!(stats.responder.gap_bytes, 0, "what came is missing no more");
    // The last one first.
    let heard = play_arranged(script(), &[0, 1, 2, 3, 6, 7, 8, 9, 5, 4]);
    assert_eq!((said(&heard), ends(&heard).len()), (expected.to_vec(), 2));
    // All of them.
    let heard = play_arranged(script(), &[0, 1, 2, 6, 7, 8, 9, 5, 3, 4]);
    assert_eq!(said(&heard), expected);
}

#[test]
fn what_never_comes_is_a_gap_before_the_fin() {
    let script = talk().handshake().data(Responder, b"one ").data(Responder, b"two ");
    let heard = play_arranged(script.close(Responder), &[0, 1, 2, 3, 5, 6, 7, 8]);
    let expected =
        [bytes(Responder, b"one "), Said::Gap(Responder, 4), Said::Fin(Responder), Said::End];
    assert_eq!(said(&heard), expected);
    assert_eq!(ends(&heard), ["gap 4", "closed Fin"]);
}

/// The reassembler waits no longer than while the connection was open.
#[test]
fn the_grace_of_an_acknowledged_hole_goes_on_after_the_close() {
    let script = talk().handshake().data(Responder, b"one ").data(Responder, b"two ");
    let all = arranged(&packets(script.close(Responder)), &[0, 1, 2, 3, 5, 6, 7, 8, 4]);
    let heard = play(26_000, all);
    assert_eq!(ends(&heard), ["gap 4", "closed Fin", "late"]);
    assert_eq!((heard.bytes.delivered(), heard.bytes.lost(Loss::Unclaimed)), (4, 4));
}

#[test]
fn data_that_was_sent_before_a_reset_is_delivered() {
    let script = || {
        let data = talk().handshake().data(Initiator, b"one ").data(Initiator, b"two");
        data.ack_from(Responder).rst(Initiator)
    };
    assert_eq!(packets(script()).len(), 7);
    // The acknowledgement says that it was sent.
    let heard = play_arranged(script(), &[0, 1, 2, 3, 5, 6, 4]);
    assert_eq!(said(&heard), [bytes(Initiator, b"one two"), Said::Rst(Initiator), Said::End]);
    assert_eq!(ends(&heard), ["closed Rst", "late"]);
    // It never comes.
    let heard = play_arranged(script(), &[0, 1, 2, 3, 5, 6]);
    assert_eq!(ends(&heard), ["gap 3", "closed Rst"]);
    // Whoever has reset the connection sends nothing beyond.
    let forged = script().next_seq(Initiator, 1008).data(Initiator, b"!!!");
    let heard = play_arranged(forged, &[0, 1, 2, 3, 5, 6, 7, 4]);
    assert_eq!(said(&heard)[0], bytes(Initiator, b"one two"));
    assert_eq!(heard.bytes.lost(Loss::Unclaimed), 3);
}

#[test]
fn a_close_without_holes_waits_for_nothing() {
    let script = talk().handshake().data(Responder, b"one").close(Responder);
    let all = packets(script);
    let mut driver = SessionDriver::with_config(EXTRACTOR, Tape, DriverConfig::default());
    for packet in &all {
        driver.handle_packet(packet.view());
    }
    let events: Vec<_> = std::iter::from_fn(|| driver.poll_event()).collect();
    assert!(
        matches!(events.last(), Some(SessionEvent::Closed { reason: EndReason::Fin, .. })),
        "{events:?}"
    );
}

/// As many as there is time for.
const CASES: u32 = if cfg!(debug_assertions) { 300 } else { 5000 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// The model: each stream is what was sent, whole, and then its FIN; the end is the last thing said.
    #[test]
    fn any_order_of_the_last_packets_gives_the_same_streams(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut script = talk().handshake();
        let mut sent: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
        let mut segments = [0; 2];
        for n in 0..rng.below(10) as u8 {
            let side = *rng.pick(&[Initiator, Responder]);
            // The tracker remembers eight holes of a side.
            if segments[side.index()] == 6 {
                continue;
            }
            segments[side.index()] += 1;
            let data = vec![b'a' + n; 1 + rng.below(300)];
            sent[side.index()].extend(&data);
            script = script.data(side, data);
            if rng.one_in(3) {
                script = script.ack_from(!side);
            }
        }
        let all = packets(script.close(*rng.pick(&[Initiator, Responder])));
        let mut places: Vec<usize> = (3..all.len()).collect();
        rng.shuffle(&mut places);
        let places: Vec<usize> = (0..3).chain(places).collect();
        let heard = play(50, arranged(&all, &places));
        let mut streams: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
        let mut finished = [false; 2];
        let mut over = false;
        for (_, message) in heard.messages() {
            prop_assert!(!over, "{message:?} after the end");
            match message {
                Said::Bytes(side, bytes) => {
                    prop_assert!(!finished[side.index()], "bytes behind the FIN");
                    streams[side.index()].extend(bytes);
                }
                Said::Fin(side) => {
                    prop_assert_eq!(&streams[side.index()], &sent[side.index()]);
                    prop_assert!(!std::mem::replace(&mut finished[side.index()], true));
                }
                Said::End => over = true,
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let nothing = sent.iter().all(Vec::is_empty);
        prop_assert!(nothing || over);
        prop_assert_eq!(&streams, &sent);
        prop_assert!(ends(&heard).iter().all(|end| end == "closed Fin" || end == "late"));
        prop_assert_eq!(heard.bytes.delivered() as usize, sent[0].len() + sent[1].len());
        for (_, stats) in heard.ended() {
            prop_assert_eq!(stats.initiator.gap_bytes + stats.responder.gap_bytes, 0);
        }
    }
}
