//! What comes to a stream parser, and a player that feeds it as an engine does.

use std::fmt::Debug;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_testkit::{Rng, pieces};

use crate::Turn;

/// One thing that comes to a parser.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Bytes(FlowSide, Vec<u8>),
    Gap(FlowSide, u64),
    Fin(FlowSide),
    Rst(FlowSide),
}

/// The time of all bytes.
pub(crate) const TS: Timestamp = Timestamp::from_secs(7);

/// What a parser emitted, as text, and the last status that was not [`ParserStatus::Continue`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Played {
    pub(crate) records: Vec<String>,
    pub(crate) last: ParserStatus,
}

/// A stream with nothing wrong in it.
pub(crate) fn plain(turns: &[Turn]) -> Vec<Op> {
    turns
        .iter()
        .filter(|turn| !turn.bytes.is_empty())
        .map(|turn| Op::Bytes(turn.side, turn.bytes.clone()))
        .collect()
}

/// The same with some bytes changed, and with ends and gaps where there may be some.
pub(crate) fn damaged(turns: &[Turn], rng: &mut Rng) -> Vec<Op> {
    let mut ops = plain(turns);
    if ops.is_empty() {
        return ops;
    }
    if rng.one_in(2) {
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(ops.len());
            if let Op::Bytes(_, bytes) = &mut ops[at] {
                damage(bytes, rng);
            }
        }
    }
    for _ in 0..rng.below(3) {
        let side = if rng.one_in(2) { Initiator } else { Responder };
        let len = *rng.pick(&[0, 1, 5, 100, 70_000, u64::from(u32::MAX) + 1]);
        let op = match rng.below(6) {
            0 => Op::Fin(side),
            1 => Op::Rst(side),
            _ => Op::Gap(side, len),
        };
        ops.insert(rng.below(ops.len() + 1), op);
    }
    ops.retain(|op| !matches!(op, Op::Bytes(_, bytes) if bytes.is_empty()));
    ops
}

/// Longest run of bytes that is added.
const RUN: usize = 3000;

/// Changes, removes or adds one byte; sometimes it adds a run, longer than bounds on lines are.
pub(crate) fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let place = rng.below(bytes.len() + 1);
    if rng.one_in(16) {
        let byte = *rng.pick(b"a0 \0\xff\n");
        bytes.splice(place..place, std::iter::repeat_n(byte, rng.below(RUN)));
        return;
    }
    match rng.below(3) {
        0 if place < bytes.len() => bytes[place] = rng.next_u64() as u8,
        1 if place < bytes.len() => drop(bytes.remove(place)),
        _ => bytes.insert(place, *rng.pick(b"\r\n\0 :\xff\x16")),
    }
}

/// Feeds a parser as an engine does, each turn cut at what `cuts` gives for its length.
pub(crate) fn play<P>(parser: P, ops: &[Op], cuts: impl FnMut(usize) -> Vec<usize>) -> Played
where
    P: SessionParser,
    P::Message: Debug,
{
    let mut player = Player::new(parser);
    player.play(ops, cuts);
    player.end()
}

/// No cuts.
pub(crate) fn whole(_: usize) -> Vec<usize> {
    Vec::new()
}

/// A parser with what an engine knows of it.
pub(crate) struct Player<P: SessionParser> {
    pub(crate) parser: P,
    out: Vec<P::Message>,
    records: Vec<String>,
    offsets: [u64; 2],
    stopped: [bool; 2],
    over: bool,
    last: ParserStatus,
}

impl<P: SessionParser> Player<P>
where
    P::Message: Debug,
{
    pub(crate) fn new(parser: P) -> Self {
        Player {
            parser,
            out: Vec::new(),
            records: Vec::new(),
            offsets: [0; 2],
            stopped: [false; 2],
            over: false,
            last: ParserStatus::Continue,
        }
    }

    /// Whether nothing is read any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over || self.stopped == [true; 2]
    }

    /// What was emitted so far, as text.
    pub(crate) fn records(&self) -> &[String] {
        &self.records
    }

    pub(crate) fn play(&mut self, ops: &[Op], mut cuts: impl FnMut(usize) -> Vec<usize>) {
        for op in ops {
            match op {
                Op::Bytes(side, bytes) => {
                    for bytes in pieces(bytes, &cuts(bytes.len())) {
                        self.feed(*side, bytes);
                    }
                }
                Op::Gap(side, len) => self.gap(*side, *len),
                Op::Fin(side) if !self.is_over() => self.parser.fin(*side, &mut self.out),
                Op::Rst(side) if !self.is_over() => self.parser.rst(*side, &mut self.out),
                Op::Fin(_) | Op::Rst(_) => {}
            }
            self.keep();
        }
    }

    /// Bytes of a side, unless it is stopped. Gives the number of messages that they complete.
    pub(crate) fn feed(&mut self, side: FlowSide, bytes: &[u8]) -> usize {
        if self.is_over() || self.stopped[side.index()] || bytes.is_empty() {
            return 0;
        }
        let before = self.out.len();
        let chunk = StreamChunk::new(side, TS, self.offsets[side.index()], bytes);
        self.offsets[side.index()] += bytes.len() as u64;
        let status = self.parser.feed_into(chunk, &mut self.out);
        self.apply(status);
        self.out.len() - before
    }

    fn gap(&mut self, side: FlowSide, len: u64) {
        if !self.is_over() && !self.stopped[side.index()] {
            self.offsets[side.index()] += len;
            let status = self.parser.gap(side, len, &mut self.out);
            self.apply(status);
        }
    }

    fn apply(&mut self, status: ParserStatus) {
        match status {
            ParserStatus::Continue | ParserStatus::Expects => return,
            ParserStatus::StopSide(side) => self.stopped[side.index()] = true,
            _ => self.over = true,
        }
        self.last = status;
    }

    fn keep(&mut self) {
        self.records.extend(self.out.drain(..).map(|message| format!("{message:?}")));
    }

    /// Lets go of what was emitted, with its memory.
    pub(crate) fn forget(&mut self) {
        self.out = Vec::new();
        self.records = Vec::new();
    }

    /// The last call, and all that was emitted.
    pub(crate) fn end(mut self) -> Played {
        self.parser.end(&mut self.out);
        self.keep();
        Played { records: self.records, last: self.last }
    }
}
