//! What hostile input makes a parser hold.

use std::fmt::Debug;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{Datagram, DatagramParser, ParserStatus, SessionParser};
use flowscope_testkit::Rng;

use crate::ops::{Player, TS};
use crate::{Sample, Turn, datagram};

/// Bytes that are sent after a start, or of a sample again and again.
const FLOOD: usize = 96 * 1024;
/// Bytes of each packet.
const SEGMENT: usize = 1460;
/// Places in a sample at which a flood begins.
const PLACES: usize = 10;

/// What is fed to a parser: the start of a sample, then one side's flood.
struct Attack {
    name: String,
    start: Vec<Turn>,
    flood: Vec<Turn>,
}

/// Floods: a sample repeated, and any place in a sample followed by one byte, or random bytes, for ever.
fn attacks(samples: &[Sample]) -> Vec<Attack> {
    let mut rng = Rng::new(8);
    let mut attacks = Vec::new();
    for sample in samples {
        let turns = &sample.conversation.turns;
        let total: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
        let repeated = turns.iter().cycle().scan(0, |sent, turn| {
            *sent += turn.bytes.len() + 1;
            (*sent < FLOOD).then(|| turn.clone())
        });
        attacks.push(Attack {
            name: format!("{}, repeated", sample.name),
            start: Vec::new(),
            flood: repeated.collect(),
        });
        for place in 0..PLACES {
            let cut = total * place / PLACES + rng.below(total / PLACES + 1);
            let (start, side) = cut_at(turns, cut);
            let fill = *rng.pick(&[Some(0), Some(0xff), Some(b'a'), Some(b' '), Some(b'\n'), None]);
            let flood: Vec<u8> = match fill {
                Some(byte) => vec![byte; FLOOD],
                None => rng.bytes(FLOOD),
            };
            let flood = flood.chunks(SEGMENT).map(|bytes| datagram::turn(side, bytes.to_vec()));
            attacks.push(Attack {
                name: format!("{}, {fill:?} from {cut} on", sample.name),
                start,
                flood: flood.collect(),
            });
        }
    }
    attacks
}

/// The first `cut` bytes, and the side that was speaking.
fn cut_at(turns: &[Turn], cut: usize) -> (Vec<Turn>, FlowSide) {
    let (mut left, mut start, mut side) = (cut, Vec::new(), Initiator);
    for turn in turns {
        side = turn.side;
        if left < turn.bytes.len() {
            start.push(datagram::turn(turn.side, turn.bytes[..left].to_vec()));
            return (start, side);
        }
        left -= turn.bytes.len();
        start.push(turn.clone());
    }
    (start, if cut.is_multiple_of(2) { side } else { Responder })
}

/// Bytes that the process holds.
fn held() -> usize {
    dhat::HeapStats::get().curr_bytes
}

/// A parser that holds `held` bytes beyond what it says is wrong about itself. Small sums, and growth that
/// capacity does not show, are not held against it.
fn assert_true(held: usize, said: usize, name: &str) {
    assert!(held <= 2 * said + 4096, "{name}: the parser holds {held} bytes and says {said}");
}

/// A stream parser stays below `bound`, and says what it holds.
pub(crate) fn stream<P>(parser: &P, samples: &[Sample], bound: usize)
where
    P: SessionParser + Clone,
    P::Message: Debug,
{
    let attacks = attacks(samples);
    let _profiler = dhat::Profiler::builder().testing().build();
    for Attack { name, start, flood } in &attacks {
        let before = held();
        let mut player = Player::new(parser.clone());
        for turn in start.iter().chain(flood) {
            player.feed(turn.side, &turn.bytes);
            player.forget();
            let said = player.parser.heap_bytes();
            assert!(said <= bound, "{name}: the parser holds {said} bytes, the bound is {bound}");
            if player.is_over() {
                break;
            }
        }
        assert_true(held().saturating_sub(before), player.parser.heap_bytes(), name);
    }
}

/// A datagram parser stays below `bound`, and says what it holds.
pub(crate) fn datagrams<P>(parser: &P, samples: &[Sample], bound: usize)
where
    P: DatagramParser + Clone,
    P::Message: Debug,
{
    let attacks = attacks(samples);
    let _profiler = dhat::Profiler::builder().testing().build();
    for Attack { name, start, flood } in &attacks {
        let before = held();
        let mut parser = parser.clone();
        let mut rng = Rng::new(9);
        for turn in start.iter().chain(flood) {
            let mut out = Vec::new();
            // Each datagram another one: identifiers in the first bytes are what state is kept by.
            let mut bytes = turn.bytes.clone();
            for byte in bytes.iter_mut().take(2) {
                *byte = rng.next_u64() as u8;
            }
            for bytes in [&turn.bytes, &bytes] {
                let status = parser.parse_into(Datagram::new(turn.side, TS, bytes), &mut out);
                let said = parser.heap_bytes();
                assert!(
                    said <= bound,
                    "{name}: the parser holds {said} bytes, the bound is {bound}"
                );
                if matches!(status, ParserStatus::Done | ParserStatus::Failed(_)) {
                    break;
                }
            }
        }
        assert_true(held().saturating_sub(before), parser.heap_bytes(), name);
    }
}
