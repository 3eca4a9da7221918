//! Bytes of any kind: nothing panics, and records stay in proportion to bytes.

use std::fmt::Debug;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{DatagramParser, SessionParser};
use flowscope_testkit::Rng;

use crate::ops::{Op, damage, damaged, play, whole};
use crate::{Sample, datagram};

const RUNS: u64 = 400;

/// Records are at most as many as bytes and calls: a parser that repeats itself has no bound.
fn assert_proportion(records: usize, bytes: usize, calls: usize) {
    assert!(records <= bytes + calls + 2, "{records} records of {bytes} bytes in {calls} calls");
}

/// Random bytes, and damaged samples, to a stream parser.
pub(crate) fn stream<P>(parser: &P, samples: &[Sample])
where
    P: SessionParser + Clone,
    P::Message: Debug,
{
    let mut rng = Rng::new(3);
    for _ in 0..RUNS {
        let ops: Vec<Op> = if samples.is_empty() || rng.one_in(4) {
            let side = |rng: &mut Rng| if rng.one_in(2) { Initiator } else { Responder };
            (0..1 + rng.below(8))
                .map(|_| {
                    let len = 1 + rng.below(120);
                    Op::Bytes(side(&mut rng), rng.bytes(len))
                })
                .collect()
        } else {
            let turns = &rng.pick(samples).conversation.turns;
            damaged(turns, &mut rng)
        };
        let bytes = ops.iter().map(|op| if let Op::Bytes(_, bytes) = op { bytes.len() } else { 0 });
        let played = play(parser.clone(), &ops, whole);
        assert_proportion(played.records.len(), bytes.sum(), ops.len());
    }
}

/// Random bytes, and damaged and cut samples, to a datagram parser.
pub(crate) fn datagrams<P>(parser: &P, samples: &[Sample])
where
    P: DatagramParser + Clone,
    P::Message: Debug,
{
    let mut rng = Rng::new(4);
    for _ in 0..RUNS {
        let mut turns = if samples.is_empty() || rng.one_in(4) {
            let side = |rng: &mut Rng| if rng.one_in(2) { Initiator } else { Responder };
            (0..1 + rng.below(8))
                .map(|_| {
                    let len = rng.below(120);
                    datagram::turn(side(&mut rng), rng.bytes(len))
                })
                .collect()
        } else {
            rng.pick(samples).conversation.turns.clone()
        };
        for turn in &mut turns {
            for _ in 0..rng.below(4) {
                damage(&mut turn.bytes, &mut rng);
            }
            if rng.one_in(4) {
                turn.bytes.truncate(rng.below(turn.bytes.len() + 1));
            }
        }
        let bytes: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
        let played = datagram::play(parser.clone(), &turns);
        assert_proportion(played.records.len(), bytes, turns.len());
    }
    // Every prefix of every datagram.
    for turn in samples.iter().flat_map(|sample| &sample.conversation.turns) {
        for len in 0..turn.bytes.len() {
            datagram::play(
                parser.clone(),
                &[datagram::turn(turn.side, turn.bytes[..len].to_vec())],
            );
        }
    }
}
