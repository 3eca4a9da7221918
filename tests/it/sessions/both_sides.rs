//! What both sides said, in the order in which they said it: with segments that were not captured, and with one direction
//! captured later than the other.

use std::time::Duration;

use flowscope::core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp, feed_once};
use flowscope::driver::{SessionDriver, SessionEvent};
use flowscope_tests::session::{EXTRACTOR, run};
use proptest::prelude::*;

use super::*;

/// Each chunk is a message: its text and its time.
#[derive(Clone, Debug, Default)]
struct Chunks;

impl SessionParser for Chunks {
    type Message = (String, Timestamp);

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        out.push((String::from_utf8_lossy(chunk.bytes).into_owned(), chunk.ts));
        ParserStatus::Continue
    }

    fn gap(&mut self, _: FlowSide, _: u64, _: &mut Vec<Self::Message>) -> ParserStatus {
        ParserStatus::Continue
    }
}

/// One exchange: how long each of its steps takes in milliseconds, whether each side acknowledges at once, and which
/// of its packets were captured.
#[derive(Clone, Debug)]
struct Exchange {
    pauses: [u64; 2],
    acks: [bool; 2],
    captured: [bool; 4],
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let captured = || prop::bool::weighted(0.88);
    let pause = || prop_oneof![6 => 0_u64..4, 1 => 10_u64..40, 1 => 200_u64..9_000];
    (
        [pause(), pause()],
        [prop::bool::ANY, prop::bool::ANY],
        [captured(), captured(), captured(), captured()],
    )
        .prop_map(|(pauses, acks, captured)| Exchange { pauses, acks, captured })
}

/// The packets as captured, and the text and the time of all payload in it, in the order in which it was sent.
fn conversation(
    exchanges: &[Exchange],
    late: Option<(FlowSide, u64)>,
    restamped: bool,
    close: bool,
) -> (Vec<Packet>, Vec<(String, Timestamp)>) {
    let mut script = talk_to(7).handshake();
    let (mut kept, mut sides, mut texts) =
        (vec![true; 3], vec![Initiator, Responder, Initiator], vec![String::new(); 3]);
    for (n, exchange) in exchanges.iter().enumerate() {
        for (at, side) in [Initiator, Responder].into_iter().enumerate() {
            let text = format!("{}{n:03}", if side == Initiator { "ask " } else { "answer " });
            script = script.after(exchange.pauses[at]).data(side, &text);
            kept.push(exchange.captured[2 * at]);
            sides.push(side);
            texts.push(text);
            if exchange.acks[at] {
                script = script.ack_from(!side);
                kept.push(exchange.captured[2 * at + 1]);
                sides.push(!side);
                texts.push(String::new());
            }
        }
    }
    if close {
        script = script.close(Initiator);
        sides.extend([Initiator, Responder, Responder, Initiator]);
        kept.resize(sides.len(), true);
        texts.resize(sides.len(), String::new());
    }
    let delay = |side: FlowSide| late.filter(|(of, _)| *of == side).map_or(0, |(_, ms)| ms);
    let all = script.packets().into_iter().zip(kept).zip(sides).zip(texts);
    let mut seen: Vec<_> = all
        .filter(|(((_, kept), _), _)| *kept)
        .map(|(((mut packet, _), side), text)| {
            let shown = packet.ts + Duration::from_millis(delay(side));
            if restamped {
                packet.ts = shown;
            }
            (shown, packet, text)
        })
        .collect();
    let said = seen.iter().filter(|(.., text)| !text.is_empty());
    let said = said.map(|(_, packet, text)| (text.clone(), packet.ts)).collect();
    seen.sort_by_key(|(shown, ..)| *shown);
    (seen.into_iter().map(|(_, packet, _)| packet).collect(), said)
}

fn heard(packets: &[Packet]) -> Vec<(String, Timestamp)> {
    let heard = run(|| SessionDriver::new(EXTRACTOR, Chunks), packets);
    let messages = heard.events.into_iter().filter_map(|event| match event {
        SessionEvent::Application { message, .. } => Some(message),
        _ => None,
    });
    messages.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever was not captured: what was comes in the order in which it was sent, with its own time.
    #[test]
    fn both_sides_are_heard_in_the_order_in_which_they_spoke(
        mut exchanges in prop::collection::vec(exchange(), 1..20),
        late in prop::option::of((prop_oneof![Just(Initiator), Just(Responder)], 1_u64..20)),
        restamped in prop::bool::ANY,
        close in prop::bool::ANY,
    ) {
        // Where a side whose SYN is late begins is known by the first acknowledgement of it.
        if late.is_some() {
            exchanges[0].captured = [true; 4];
        }
        let (packets, said) = conversation(&exchanges, late, restamped, close);
        prop_assert_eq!(heard(&packets), said);
    }
}

/// A request that was not captured, and exchanges behind it that follow each other faster than it is given up.
#[test]
fn a_lost_request_shifts_nothing() {
    let whole = || Exchange { pauses: [0; 2], acks: [true; 2], captured: [true; 4] };
    let mut exchanges = vec![whole(); 8];
    exchanges[1].captured[0] = false;
    let (packets, said) = conversation(&exchanges, None, false, true);
    assert_eq!(said.len(), 15);
    assert_eq!(heard(&packets), said);
}

/// Two responses in succession that were not captured, with a request between them that was: it stands between two gaps.
#[test]
fn a_gap_ends_where_the_other_side_goes_on() {
    let mut exchanges = vec![Exchange { pauses: [0; 2], acks: [false; 2], captured: [true; 4] }; 4];
    exchanges[1].captured[2] = false;
    exchanges[2].captured[2] = false;
    let (packets, _) = conversation(&exchanges, None, false, true);
    let heard = run(|| SessionDriver::new(EXTRACTOR, Chunks), &packets);
    let said = heard.events.into_iter().filter_map(|event| match event {
        SessionEvent::Application { message: (text, _), .. } => Some(text),
        SessionEvent::Gap { len, .. } => Some(format!("gap {len}")),
        _ => None,
    });
    let expected = ["ask 000", "answer 000", "ask 001", "gap 10", "ask 002", "gap 10", "ask 003"];
    assert_eq!(said.collect::<Vec<_>>(), [&expected[..], &["answer 003"]].concat());
}

/// Bytes of one side behind a hole, all with one acknowledgement: each has its own time.
#[test]
fn bytes_behind_a_hole_keep_their_times() {
    let quiet = |ask| Exchange {
        pauses: [1000, 0],
        acks: [false; 2],
        captured: [ask, false, false, false],
    };
    let mut exchanges = vec![quiet(true); 6];
    exchanges[1] = quiet(false);
    let (packets, said) = conversation(&exchanges, None, false, false);
    assert_eq!((heard(&packets), said.len()), (said.clone(), 5));
}

/// Nothing of one side was captured behind its handshake: the other is read, no more than 50 milliseconds of packet time late.
#[test]
fn one_side_alone_does_not_wait_for_ever() {
    let half = Exchange { pauses: [0, 20], acks: [false; 2], captured: [false, false, true, true] };
    let (packets, said) = conversation(&vec![half; 50], None, false, false);
    assert_eq!(heard(&packets), said);
    let early = heard(&packets[..20]);
    assert!(early.len() >= 15, "{}", early.len());
}
