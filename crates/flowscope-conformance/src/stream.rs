//! Laws of stream parsers.

use std::fmt::Debug;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{ParserStatus, SessionParser, StreamChunk};
use flowscope_testkit::{Rng, splits};

use crate::ops::{Op, Played, Player, TS, damaged, plain, play, whole};
use crate::{Conversation, Sample, Turn};

/// Damaged copies of each sample.
const DAMAGED: u64 = 60;

/// Records, and the last status, do not depend on how bytes are cut into calls.
pub(crate) fn cuts<P>(parser: &P, sample: &Sample)
where
    P: SessionParser + Clone,
    P::Message: Debug,
{
    let turns = &sample.conversation.turns;
    let ops = plain(turns);
    let expected = play(parser.clone(), &ops, whole);
    let longest = turns.iter().map(|turn| turn.bytes.len()).max().unwrap_or(0);
    for n in 0..splits(longest, 1).len() {
        let cut = |len| splits(len, 1).into_iter().nth(n).unwrap_or_default();
        assert_eq!(play(parser.clone(), &ops, cut), expected, "{}: cut {n}", sample.name);
    }
    let mut rng = Rng::new(1);
    for n in 0..DAMAGED {
        let ops = damaged(turns, &mut rng);
        let expected = play(parser.clone(), &ops, whole);
        let bytewise = play(parser.clone(), &ops, |len| (1..len).collect());
        assert_eq!(bytewise, expected, "{}, damaged ({n}): byte by byte: {ops:?}", sample.name);
        let random = play(parser.clone(), &ops, |len| random_cuts(len, &mut rng));
        assert_eq!(random, expected, "{}, damaged ({n}): {ops:?}", sample.name);
    }
}

fn random_cuts(len: usize, rng: &mut Rng) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..rng.below(6)).map(|_| rng.below(len)).collect();
    cuts.sort_unstable();
    cuts
}

/// Records that were complete before a gap are the same with it, and what follows does not depend on how
/// it is cut.
pub(crate) fn gaps<P>(parser: &P, sample: &Sample)
where
    P: SessionParser + Clone,
    P::Message: Debug,
{
    let turns = &sample.conversation.turns;
    let total: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
    let mut rng = Rng::new(2);
    for n in 0..total.min(80) {
        let at = if total <= 80 { n } else { rng.below(total) };
        let longest = 1 + rng.below(300);
        let len = 1 + rng.below(longest);
        let (before, ops) = with_gap(turns, at, len);
        let mut player = Player::new(parser.clone());
        player.play(&before, whole);
        let complete = player.records().to_vec();
        let holed = play(parser.clone(), &ops, whole);
        let name = &sample.name;
        assert!(
            holed.records.starts_with(&complete),
            "{name}: a gap of {len} at {at} changes what came before: {complete:#?} {:#?}",
            holed.records
        );
        let bytewise = play(parser.clone(), &ops, |len| (1..len).collect());
        assert_eq!(bytewise, holed, "{name}: behind a gap of {len} at {at}, byte by byte");
    }
}

/// What comes before a gap of `len` bytes that begins at `at` of all that is sent, and all of it with the gap.
fn with_gap(turns: &[Turn], at: usize, len: usize) -> (Vec<Op>, Vec<Op>) {
    let mut left = at;
    let first = turns.iter().position(|turn| {
        let here = left < turn.bytes.len();
        left -= if here { 0 } else { turn.bytes.len() };
        here
    });
    let Some(first) = first else { return (plain(turns), plain(turns)) };
    let side = turns[first].side;
    let mut before = plain(&turns[..first]);
    if left > 0 {
        before.push(Op::Bytes(side, turns[first].bytes[..left].to_vec()));
    }
    let mut ops = before.clone();
    let (mut lost, mut told) = (0, false);
    for (n, turn) in turns[first..].iter().enumerate() {
        let rest = if n == 0 { &turn.bytes[left..] } else { &turn.bytes[..] };
        if turn.side != side {
            ops.extend(plain(std::slice::from_ref(turn)));
            continue;
        }
        let here = rest.len().min(len - lost);
        lost += here;
        if here < rest.len() {
            if !std::mem::replace(&mut told, true) {
                ops.push(Op::Gap(side, lost as u64));
            }
            ops.push(Op::Bytes(side, rest[here..].to_vec()));
        }
    }
    if !told {
        ops.push(Op::Gap(side, lost as u64));
    }
    (before, ops)
}

/// The required methods emit what `feed_into` emits.
pub(crate) fn required_methods<P>(parser: &P, sample: &Sample)
where
    P: SessionParser + Clone,
    P::Message: Debug,
{
    let (mut required, mut added, mut offsets) = (parser.clone(), parser.clone(), [0; 2]);
    for turn in sample.conversation.turns.iter().filter(|turn| !turn.bytes.is_empty()) {
        let mut out = Vec::new();
        let offset = offsets[turn.side.index()];
        offsets[turn.side.index()] += turn.bytes.len() as u64;
        let chunk = StreamChunk::new(turn.side, TS, offset, &turn.bytes);
        let status = added.feed_into(chunk, &mut out);
        let said = match turn.side {
            Initiator => required.feed_initiator(&turn.bytes),
            Responder => required.feed_responder(&turn.bytes),
        };
        // They are not told the time.
        let without_times = |records: &[P::Message]| {
            records.iter().map(|record| timeless(&format!("{record:?}"))).collect::<Vec<_>>()
        };
        assert_eq!(without_times(&said), without_times(&out), "{}", sample.name);
        if status != ParserStatus::Continue {
            break;
        }
    }
}

/// Text of a record without the digits of its times.
pub(crate) fn timeless(text: &str) -> String {
    let mut parts = text.split("Timestamp(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// What a parser makes of a conversation that was captured whole.
pub(crate) fn played<P>(parser: P, conversation: &Conversation) -> Played
where
    P: SessionParser,
    P::Message: Debug,
{
    play(parser, &plain(&conversation.turns), whole)
}
