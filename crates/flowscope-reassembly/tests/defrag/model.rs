//! The rules once more, as plain as they can be written, and random traffic for both.

use std::collections::BTreeMap;

use flowscope_core::{Loss, Progress, Timestamp};
use flowscope_reassembly::{DefragConfig, Defragmenter};
use proptest::prelude::*;

use crate::piece::{Disposition, Piece, at, is_v4, packet, piece, pieces, push, whole};

/// A defragmenter without memory limits.
pub(crate) struct Model {
    most_datagrams: usize,
    most_fragments: usize,
    datagrams: BTreeMap<usize, Datagram>,
    begun: u64,
    pub(crate) losses: BTreeMap<Loss, u64>,
}

#[derive(Default)]
struct Datagram {
    number: u64,
    since: Timestamp,
    pieces: Vec<(Piece, Timestamp)>,
    /// Pieces that were there already: frames of the datagram like any other.
    copies: Vec<(Piece, Timestamp)>,
    dropped: Option<Loss>,
}

impl Datagram {
    fn frames(&self) -> u64 {
        (self.pieces.len() + self.copies.len()) as u64
    }
}

impl Model {
    pub(crate) fn new(most_datagrams: usize, most_fragments: usize) -> Self {
        let datagrams = BTreeMap::new();
        Model { most_datagrams, most_fragments, datagrams, begun: 0, losses: BTreeMap::new() }
    }

    pub(crate) fn push(&mut self, new: &Piece, now: Timestamp) -> Disposition {
        let disposition = self.judge(new, now);
        if let Disposition::Dropped(loss) = disposition {
            *self.losses.entry(loss).or_default() += 1;
        }
        disposition
    }

    fn judge(&mut self, new: &Piece, now: Timestamp) -> Disposition {
        let end = new.start as usize + new.bytes.len();
        let most = if is_v4(new.name) { 65_515 } else { 65_535 };
        let odd = new.more && !new.bytes.len().is_multiple_of(8);
        if new.bytes.is_empty() || odd || end > most {
            return Disposition::Dropped(Loss::HeaderMalformed);
        }
        self.expire(now);
        if !self.datagrams.contains_key(&new.name) {
            if self.datagrams.len() == self.most_datagrams {
                let oldest = self.datagrams.iter().min_by_key(|(_, d)| d.number);
                let oldest = *oldest.expect("a full pool is not empty").0;
                self.remove(oldest, Loss::FragCap);
            }
            let datagram = Datagram { number: self.begun, since: now, ..Datagram::default() };
            self.datagrams.insert(new.name, datagram);
            self.begun += 1;
        }
        let datagram = self.datagrams.get_mut(&new.name).expect("it was there or is now");
        if let Some(loss) = datagram.dropped {
            return Disposition::Dropped(loss);
        }
        match conflict(&datagram.pieces, new) {
            Some(Loss::Duplicate) => {
                datagram.copies.push((new.clone(), now));
                return Disposition::Held;
            }
            None if datagram.pieces.len() < self.most_fragments => {}
            loss => {
                let loss = loss.unwrap_or(Loss::FragCap);
                let held = datagram.frames();
                datagram.pieces.clear();
                datagram.copies.clear();
                datagram.dropped = Some(loss);
                *self.losses.entry(loss).or_default() += held;
                return Disposition::Dropped(loss);
            }
        }
        datagram.pieces.push((new.clone(), now));
        let held: usize = datagram.pieces.iter().map(|(piece, _)| piece.bytes.len()).sum();
        match datagram.pieces.iter().find(|(piece, _)| !piece.more) {
            Some((last, _)) if last.start as usize + last.bytes.len() == held => {}
            _ => return Disposition::Held,
        }
        let whole_datagram = self.datagrams.remove(&new.name).expect("it is there");
        let frames = whole_datagram.frames() as u32;
        let Datagram { mut pieces, copies, .. } = whole_datagram;
        let all = || pieces.iter().chain(&copies);
        let wire_len = all().map(|(piece, _)| packet(piece).len() as u32).sum();
        let first_ts = all().map(|(_, ts)| *ts).min().expect("there is a piece");
        pieces.sort_by_key(|(piece, _)| piece.start);
        let payload: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece.bytes.clone()).collect();
        let first_cut = pieces.iter().find(|(piece, _)| piece.cut > 0);
        let captured = first_cut.map_or(payload.len(), |(piece, _)| {
            piece.start as usize + piece.bytes.len() - piece.cut
        });
        Disposition::ReassembledDatagram {
            bytes: whole(new.name, &payload, captured),
            frames,
            wire_len,
            first_ts,
            ts: now,
        }
    }

    fn remove(&mut self, name: usize, loss: Loss) {
        let datagram = self.datagrams.remove(&name).expect("it is there");
        *self.losses.entry(loss).or_default() += datagram.frames();
    }

    pub(crate) fn expire(&mut self, now: Timestamp) {
        let due = |name: usize, datagram: &Datagram| {
            now.since(datagram.since).as_secs_f64() > if is_v4(name) { 30.0 } else { 60.0 }
        };
        let due: Vec<usize> =
            self.datagrams.iter().filter(|(n, d)| due(**n, d)).map(|(name, _)| *name).collect();
        for name in due {
            self.remove(name, Loss::FragIncomplete);
        }
    }

    pub(crate) fn held_frames(&self) -> u64 {
        self.datagrams.values().map(Datagram::frames).sum()
    }
}

/// Whether a piece is there, or contradicts one that is.
fn conflict(pieces: &[(Piece, Timestamp)], new: &Piece) -> Option<Loss> {
    let end = |piece: &Piece| piece.start as usize + piece.bytes.len();
    let overlaps = |old: &Piece| (old.start as usize) < end(new) && (new.start as usize) < end(old);
    let is_copy = |old: &Piece| {
        let both = (old.bytes.len() - old.cut).min(new.bytes.len() - new.cut);
        (old.start, old.more, old.bytes.len()) == (new.start, new.more, new.bytes.len())
            && old.bytes[..both] == new.bytes[..both]
    };
    let old = || pieces.iter().map(|(piece, _)| piece);
    if old().any(is_copy) {
        return Some(Loss::Duplicate);
    }
    if old().any(overlaps) {
        return Some(Loss::FragOverlap);
    }
    let beyond = |last: &Piece, other: &Piece| !last.more && end(other) > end(last);
    let two_ends = |old: &Piece| !old.more && !new.more;
    let wrong = old().any(|old| beyond(old, new) || beyond(new, old) || two_ends(old));
    wrong.then_some(Loss::HeaderMalformed)
}

/// What happens next in a random test.
#[derive(Clone, Debug)]
enum Step {
    Push(Piece),
    /// Milliseconds pass.
    OutOfOrder(u64),
}

/// Pieces of few datagrams in little room, so that they meet.
fn crowded() -> impl Strategy<Value = Vec<Step>> {
    let lengths = prop_oneof![4 => Just(8usize), 3 => Just(16), 1 => 0..20usize];
    let cut = prop_oneof![6 => Just(0usize), 1 => 0..9usize];
    let other = prop_oneof![20 => Just(false), 1 => Just(true)];
    let push = (0..6usize, 0..4u32, lengths, any::<bool>(), cut, other).prop_map(
        |(name, start, len, more, cut, other)| {
            let mut piece = piece(name, start * 8, len, more);
            piece.cut = cut.min(len);
            if other {
                piece.bytes.iter_mut().for_each(|byte| *byte ^= 1);
            }
            Step::Push(piece)
        },
    );
    let wait = prop_oneof![4 => 0..1000u64, 1 => 9_990..10_010u64, 1 => 29_990..30_010u64];
    prop::collection::vec(prop_oneof![9 => push, 1 => wait.prop_map(Step::OutOfOrder)], 0..80)
}

/// Whole datagrams cut at random, shuffled, with copies, losses and long waits among them.
fn ordinary() -> impl Strategy<Value = Vec<Step>> {
    let datagram = (0..40usize, 1..3000usize, prop::collection::vec(1..375usize, 0..8));
    let datagrams = prop::collection::vec(datagram, 1..12);
    let cut_up = datagrams.prop_map(|datagrams| {
        let steps = datagrams.into_iter().flat_map(|(name, len, mut cuts)| {
            cuts.iter_mut().for_each(|cut| *cut *= 8);
            cuts.retain(|cut| *cut < len);
            cuts.sort_unstable();
            cuts.dedup();
            pieces(name, len, &cuts)
        });
        steps.map(Step::Push).collect::<Vec<_>>()
    });
    let shuffled = prop_oneof![cut_up.clone(), cut_up.prop_map(Vec::from).prop_shuffle()];
    (shuffled, prop::collection::vec((any::<prop::sample::Index>(), 0..8u8), 0..6)).prop_map(
        |(mut steps, spoils)| {
            for (index, how) in spoils {
                let at = index.index(steps.len().max(1));
                match (how, steps.get(at).cloned()) {
                    (0..=2, Some(copy)) => steps.insert(index.index(at + 1), copy),
                    (3..=4, Some(_)) => drop(steps.remove(at)),
                    (5, _) => steps.insert(at.min(steps.len()), Step::OutOfOrder(31_000)),
                    (6, Some(Step::Push(mut piece))) => {
                        piece.cut = piece.bytes.len() / 2;
                        steps[at] = Step::Push(piece);
                    }
                    _ => {}
                }
            }
            steps
        },
    )
}

fn agree(
    steps: &[Step],
    most_datagrams: usize,
    most_fragments: usize,
) -> Result<(), TestCaseError> {
    let config = DefragConfig::default()
        .max_datagrams(most_datagrams.try_into().expect("not zero"))
        .max_fragments(most_fragments.try_into().expect("not zero"));
    let mut model = Model::new(most_datagrams, most_fragments);
    let mut defrag = Defragmenter::new(config);
    let (mut seen, mut joined, mut now) = (0, 0, 0);
    for step in steps {
        match step {
            Step::OutOfOrder(ms) => now += ms,
            Step::Push(piece) => {
                seen += 1;
                let disposition = push(&mut defrag, piece, at(now));
                if let Disposition::ReassembledDatagram { frames, .. } = &disposition {
                    joined += u64::from(*frames);
                }
                prop_assert_eq!(disposition, model.push(piece, at(now)));
            }
        }
        prop_assert_eq!(defrag.expire(at(now), usize::MAX), Progress::Done);
        model.expire(at(now));
        prop_assert_eq!(defrag.held_frames(), model.held_frames());
        prop_assert_eq!(seen, joined + defrag.ledger().seen() + defrag.held_frames());
    }
    let losses: BTreeMap<Loss, u64> = defrag.ledger().losses().collect();
    model.losses.retain(|_, n| *n > 0);
    prop_assert_eq!(losses, model.losses);
    defrag.finish();
    prop_assert_eq!(defrag.held_frames(), 0);
    prop_assert_eq!(seen, joined + defrag.ledger().seen());
    Ok(())
}

/// Everything but the memory limit is the same however often `expire` is called and whatever the
/// seed; with little memory too, and that is never exceeded.
fn steady(steps: &[Step], budget: usize, most_datagrams: usize) -> Result<(), TestCaseError> {
    let config = DefragConfig::default()
        .memory_budget(budget)
        .max_datagrams(most_datagrams.try_into().expect("not zero"));
    let mut swept = Defragmenter::new(config.clone());
    let mut unswept = Defragmenter::new(config.seed(99));
    let (mut seen, mut joined, mut now) = (0, 0, 0);
    for step in steps {
        match step {
            Step::OutOfOrder(ms) => now += ms,
            Step::Push(piece) => {
                seen += 1;
                let disposition = push(&mut unswept, piece, at(now));
                if let Disposition::ReassembledDatagram { frames, .. } = &disposition {
                    joined += u64::from(*frames);
                }
                prop_assert_eq!(disposition, push(&mut swept, piece, at(now)));
            }
        }
        prop_assert_eq!(swept.expire(at(now), usize::MAX), Progress::Done);
        for defrag in [&swept, &unswept] {
            prop_assert!(
                defrag.heap_bytes() <= budget,
                "{} of {budget} bytes",
                defrag.heap_bytes()
            );
            prop_assert_eq!(seen, joined + defrag.ledger().seen() + defrag.held_frames());
        }
    }
    unswept.finish();
    swept.finish();
    prop_assert_eq!(unswept.ledger(), swept.ledger());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_model_when_crowded(
        steps in crowded(), datagrams in 1..8usize, fragments in 1..5usize
    ) {
        agree(&steps, datagrams, fragments)?;
    }

    #[test]
    fn agrees_with_the_model_on_ordinary_traffic(steps in ordinary(), datagrams in 4..50usize) {
        agree(&steps, datagrams, 1366)?;
    }

    #[test]
    fn depends_on_no_sweep_and_no_seed(
        steps in prop_oneof![crowded(), ordinary()],
        budget in prop_oneof![0..4000usize, 0..40_000usize],
        datagrams in 1..20usize,
    ) {
        steady(&steps, budget, datagrams)?;
    }
}
