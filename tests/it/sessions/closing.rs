//! The last packets of a connection, captured in another order than they were sent: the streams end behind
//! their last bytes, and the session behind its streams.

use std::time::Duration;

use flowscope::core::{FlowSide, ParserStatus, SessionParser, Timestamp};
use flowscope::driver::{DriverConfig, SessionDriver, SessionEvent};
use flowscope::track::{EndReason, FlowEvent};
use flowscope_tests::session::{EXTRACTOR, run};
use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, prop_assert_eq, proptest};

use super::*;

/// Repeats what it is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Tape;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said {
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

/// Bytes that the flow lacks, at its close and when its entry is removed.
fn gap_bytes(heard: &Heard<Said>) -> Vec<u64> {
    let stats = heard.events.iter().filter_map(|event| match event {
        SessionEvent::Closed { stats, .. } | SessionEvent::Flow(FlowEvent::Late { stats, .. }) => {
            Some(stats)
        }
        _ => None,
    });
    stats.map(|stats| stats.initiator.gap_bytes + stats.responder.gap_bytes).collect()
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
    assert_eq!(gap_bytes(&heard), [9, 0], "what came is missing no more");
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
    assert_eq!(ends(&heard), ["closed Fin", "gap 4"]);
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
    assert_eq!(ends(&heard), ["closed Rst", "gap 3"]);
    // Whoever has reset the connection sends nothing beyond.
    let forged = script().next_seq(Initiator, 1008).data(Initiator, b"!!!");
    let heard = play_arranged(forged, &[0, 1, 2, 3, 5, 6, 7, 4]);
    assert_eq!(said(&heard)[0], bytes(Initiator, b"one two"));
    assert_eq!(heard.bytes.lost(Loss::Unclaimed), 3);
}

/// RFC 9293 §3.10.7.4: the side that was reset learns that from the reset; what it sent before was on its way.
#[test]
fn data_that_was_on_its_way_to_the_sender_of_a_reset_is_delivered() {
    let script = || talk().handshake().data(Responder, b"one ").rst(Initiator);
    let said_of = |script| said(&play(50, packets(script)));
    let in_flight = || script().data(Responder, b"two ").data(Responder, b"three");
    let expected = [bytes(Responder, b"one two three"), Said::Rst(Initiator), Said::End];
    assert_eq!(said_of(in_flight()), expected);
    let heard = play(50, packets(in_flight()));
    assert_eq!(ends(&heard), ["closed Rst", "late"]);
    assert_eq!((heard.bytes.delivered(), heard.bytes.seen()), (13, 13));
    // In another order, twice, and up to its FIN.
    let heard = play_arranged(in_flight(), &[0, 1, 2, 3, 4, 6, 5, 5]);
    assert_eq!(said(&heard), expected);
    assert_eq!(heard.bytes.lost(Loss::Duplicate), 4);
    let finished = said_of(in_flight().fin(Responder));
    assert_eq!(finished[..2], [expected[0].clone(), Said::Fin(Responder)]);
    // The first bytes of all.
    let script = talk().handshake().rst(Initiator).data(Responder, b"one two three");
    assert_eq!(said_of(script), expected);
}

#[test]
fn what_does_not_continue_a_stream_after_a_reset_is_not_of_it() {
    let script = || talk().handshake().data(Responder, b"one").rst(Initiator);
    for ahead in [1, 5000, 1 << 21, 1 << 30] {
        // Two segments that follow each other, far from what was sent before.
        let at = 5004_u32.wrapping_add(ahead);
        let script =
            script().next_seq(Responder, at).data(Responder, b"st").data(Responder, b"ray");
        let heard = play(50, packets(script));
        let expected = [bytes(Responder, b"one"), Said::Rst(Initiator), Said::End];
        assert_eq!(said(&heard), expected, "{ahead}");
        assert_eq!(ends(&heard), ["closed Rst", "late"]);
        let lost = heard.bytes.lost(Loss::OutOfWindow) + heard.bytes.lost(Loss::Unclaimed);
        assert_eq!(lost, 5);
    }
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

/// The same is said whatever order the packets are captured in that were on their way when a reset was sent,
/// and the flow is closed at the reset.
fn reset_while_data_is_on_its_way(seed: u64) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(seed);
    let resetter = *rng.pick(&[Initiator, Responder]);
    let numbers = [rng.next_u64() as u32, rng.next_u64() as u32];
    let mut script =
        talk().next_seq(Initiator, numbers[0]).next_seq(Responder, numbers[1]).handshake();
    let mut sent: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    for n in 0..rng.below(4) as u8 {
        let side = *rng.pick(&[Initiator, Responder]);
        let data = vec![b'a' + n; 1 + rng.below(300)];
        sent[side.index()].extend(&data);
        script = script.data(side, data).ack_from(!side);
    }
    script = script.rst(resetter);
    let reset = packets(script.clone()).len() - 1;
    let on_its_way = rng.below(6);
    for n in 0..on_its_way as u8 {
        let data = vec![b'A' + n; 1 + rng.below(300)];
        sent[(!resetter).index()].extend(&data);
        script = script.data(!resetter, data);
    }
    let finishes = rng.one_in(2);
    if finishes {
        script = script.fin(!resetter);
    }
    let all = packets(script);
    let mut places: Vec<usize> = (reset + 1..all.len()).collect();
    rng.shuffle(&mut places);
    let places: Vec<usize> = (0..=reset).chain(places).collect();
    let heard = play(50, arranged(&all, &places));
    let mut streams: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    let mut fins = 0;
    for (_, message) in heard.messages() {
        match message {
            Said::Bytes(side, bytes) => streams[side.index()].extend(bytes),
            Said::Fin(side) => {
                prop_assert_eq!(*side, !resetter);
                prop_assert_eq!(&streams[side.index()], &sent[side.index()]);
                fins += 1;
            }
            Said::Gap(..) => prop_assert!(false, "{message:?}"),
            Said::Rst(side) => prop_assert_eq!(*side, resetter),
            Said::End => {}
        }
    }
    prop_assert_eq!(&streams, &sent);
    if sent.iter().any(|sent| !sent.is_empty()) {
        prop_assert_eq!(fins, usize::from(finishes));
        prop_assert_eq!(heard.messages().last().map(|(_, last)| last), Some(&Said::End));
    }
    let late = all.len() > reset + 1;
    prop_assert_eq!(ends(&heard), ["closed Rst", "late"][..1 + usize::from(late)].to_vec());
    let closed = heard.events.iter().find(|e| matches!(e, SessionEvent::Closed { .. })).unwrap();
    prop_assert_eq!(closed.flow().packet, reset as u64 + 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_on_its_way_when_a_reset_was_sent_is_delivered(seed: u64) {
        reset_while_data_is_on_its_way(seed)?;
    }

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
        prop_assert_eq!(gap_bytes(&heard).last().copied(), Some(0));
    }
}
