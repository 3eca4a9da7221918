//! One direction of a flow, byte by byte: slow and plain. No bound on memory.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use flowscope_core::{Conflict, KeptCopy, Loss};
use flowscope_reassembly::OverlapPolicy;

pub(crate) const GRACE: u64 = 10;
/// Not the default, so that the setting is tested too.
pub(crate) const TIMEOUT: u64 = 7_000;
pub(crate) const MAX_AHEAD: i64 = 5000;
const RECENT_GAPS: usize = 8;
const TAIL: usize = 64;

/// A segment, its place counted from the true start of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) wire_len: usize,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    /// Milliseconds.
    pub(crate) ts: u64,
}

impl Piece {
    fn end(&self) -> i64 {
        self.at + self.wire_len as i64
    }
}

/// What a stream gives out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Given {
    Byte(u64, u8),
    Gap(u64),
}

/// What is to be said of two copies that differ.
#[derive(Clone, Debug)]
pub(crate) enum Differ {
    Waiting(Conflict),
    /// With what was delivered: these bytes do, and it must, or may, be noticed.
    Delivered {
        places: Vec<u64>,
        must: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    policy: OverlapPolicy,
    /// Where offset 0 lies, once it is known.
    base: Option<i64>,
    pub(crate) position: u64,
    pub(crate) given: Vec<Given>,
    pub(crate) lost: BTreeMap<Loss, u64>,
    pub(crate) differ: Vec<Differ>,
    /// All that was delivered.
    delivered: BTreeMap<u64, u8>,
    gaps: VecDeque<Range<u64>>,
    /// Bytes that wait, and when their place was first filled.
    held: BTreeMap<u64, (u8, u64)>,
    segments: Vec<Range<u64>>,
    cut: BTreeMap<u64, u64>,
    fin: Option<(u64, u64)>,
    pub(crate) finished: bool,
    closed: bool,
    /// The hole at this position is there since then.
    hole: Option<(u64, u64)>,
    acked: Option<(u64, u64)>,
    acked_later: Option<(u64, u64)>,
    /// Pieces far ahead, and when they were acknowledged.
    strays: Vec<Piece>,
    strays_acked: Option<u64>,
    acknowledged: bool,
    stash: Vec<Piece>,
}

impl Model {
    pub(crate) fn new(policy: OverlapPolicy) -> Self {
        Model { policy, ..Model::default() }
    }

    pub(crate) fn pending(&self) -> u64 {
        let stray = self.strays.iter().chain(&self.stash).map(|piece| piece.bytes.len() as u64);
        self.held.len() as u64 + stray.sum::<u64>()
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        if self.base.is_none() {
            return self.stash.first().map(|piece| piece.ts + GRACE);
        }
        let hole = self.hole_since().map(|since| since + TIMEOUT);
        let acked = self.releasable().map(|(_, ts)| ts + GRACE);
        hole.into_iter().chain(acked).chain(self.strays_acked).min()
    }

    pub(crate) fn push(&mut self, piece: Piece) {
        self.pass(piece.ts);
        if self.closed {
            return self.lose(Loss::OutOfWindow, piece.bytes.len());
        }
        if self.base.is_none() {
            if piece.syn {
                self.begin(piece.at);
            } else {
                if piece.wire_len > 0 || piece.fin {
                    self.stash.push(piece);
                }
                let bytes: usize = self.stash.iter().map(|piece| piece.bytes.len()).sum();
                if self.stash.len() >= 16 || bytes >= 8192 {
                    self.begin_at_lowest();
                }
                return self.settle();
            }
        }
        self.insert(piece);
        self.settle();
    }

    pub(crate) fn ack(&mut self, at: i64, ts: u64) {
        self.acknowledged = true;
        let Some(base) = self.base else { return };
        let ahead = at - base - self.position as i64;
        if ahead <= 0 || self.finished || self.closed {
            return;
        }
        if ahead > MAX_AHEAD {
            let Some(first) = self.strays.iter().map(|stray| stray.at).min() else { return };
            let end = self.strays.iter().map(|stray| stray.end() + i64::from(stray.fin)).max();
            if at > first && Some(at) <= end {
                self.strays_acked = Some(ts);
            }
            return;
        }
        let offset = ((at - base) as u64).min(self.fin.map_or(u64::MAX, |(end, _)| end));
        match self.acked {
            None => self.acked = Some((offset, ts)),
            Some((first, _)) if offset <= first => {}
            Some(_) if self.acked_later.is_none_or(|(last, _)| last < offset) => {
                self.acked_later = Some((offset, ts));
            }
            Some(_) => {}
        }
        self.settle();
    }

    pub(crate) fn pass(&mut self, now: u64) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            if self.base.is_none() {
                self.begin_at_lowest();
            } else if self.strays_acked.is_some_and(|acked| acked <= now) {
                self.accept_strays();
            } else if self.hole_since().is_some_and(|since| since + TIMEOUT <= now) {
                self.give_up_hole();
            } else if let Some((offset, _)) = self.releasable() {
                let to = self.next_known().map_or(offset, |(next, _)| next.min(offset));
                self.gap_to(to);
                self.go_on();
            }
            self.settle();
        }
    }

    pub(crate) fn end(&mut self) {
        if self.base.is_none() && !self.stash.is_empty() {
            self.begin_at_lowest();
        }
        if self.strays_acked.is_some() {
            self.accept_strays();
        }
        self.drop_strays();
        while self.next_known().is_some() {
            self.give_up_hole();
        }
        self.settle();
        let acked = self.acked_later.or(self.acked).map_or(0, |(offset, _)| offset);
        if !self.finished && acked > self.position + 1 {
            self.gap_to(acked);
        }
        self.closed = true;
    }

    fn begin(&mut self, base: i64) {
        self.base = Some(base);
        for piece in std::mem::take(&mut self.stash) {
            self.insert(piece);
        }
    }

    fn begin_at_lowest(&mut self) {
        let first = self.stash[0].at;
        let near = self.stash.iter().map(|piece| piece.at).filter(|at| first - at <= MAX_AHEAD);
        self.begin(near.min().unwrap_or(first).min(first));
    }

    fn insert(&mut self, piece: Piece) {
        let base = self.base.expect("the stream has begun");
        let ahead = piece.at - base - self.position as i64;
        if ahead > MAX_AHEAD {
            return self.set_aside(piece);
        }
        if !piece.bytes.is_empty() {
            if self.strays_acked.is_some() {
                self.accept_strays();
                return self.insert(piece);
            }
            self.drop_strays();
        }
        let end = piece.end() - base;
        if end < 0 || ahead < -MAX_AHEAD {
            return self.lose(Loss::OutOfWindow, piece.bytes.len());
        }
        let end = end as u64;
        if piece.fin && !self.finished && self.fin.is_none() && end >= self.position {
            self.fin = Some((end, piece.ts));
        }
        let limit = if self.finished { self.position } else { self.fin.map_or(u64::MAX, |f| f.0) };

        let mut places = Vec::new();
        let mut new: Vec<(u64, u8)> = Vec::new();
        for (place, byte) in (piece.at - base..).zip(&piece.bytes) {
            let Ok(place) = u64::try_from(place) else {
                self.lose(Loss::OutOfWindow, 1);
                continue;
            };
            if place >= limit {
                self.lose(Loss::OutOfWindow, 1);
            } else if place < self.position {
                if self.gaps.iter().any(|gap| gap.contains(&place)) {
                    self.lose(Loss::OooDropped, 1);
                } else {
                    self.lose(Loss::Duplicate, 1);
                }
                if self.delivered.get(&place).is_some_and(|old| old != byte) {
                    places.push(place);
                }
            } else {
                new.push((place, *byte));
            }
        }
        let keep_alive = piece.wire_len == 1 && piece.at - base + 1 == self.position as i64;
        if !places.is_empty() && !keep_alive {
            let tail = (self.position.saturating_sub(TAIL as u64)..self.position).rev();
            let tail: Vec<_> =
                tail.take_while(|place| self.delivered.contains_key(place)).collect();
            let must = places.iter().any(|place| tail.contains(place));
            self.differ.push(Differ::Delivered { places, must });
        }
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            let range = first.0..last.0 + 1;
            self.hold(&range, &new, piece.ts);
        }
        let captured = piece.at - base + piece.bytes.len() as i64;
        for place in captured.max(self.position as i64).max(0) as u64..end.min(limit) {
            self.cut.entry(place).or_insert(piece.ts);
        }
        self.go_on();
    }

    fn hold(&mut self, range: &Range<u64>, new: &[(u64, u8)], ts: u64) {
        let (mut differ, mut kept) = (Vec::new(), Vec::new());
        for (place, byte) in new {
            let mut covers = self.segments.iter().filter(|old| old.contains(place));
            let wins = covers.all(|old| self.beats(range, old));
            match self.held.get_mut(place) {
                None => {
                    self.held.insert(*place, (*byte, ts));
                }
                Some((old, _)) => {
                    if old != byte {
                        differ.push(*place);
                        kept.push(if wins { KeptCopy::Last } else { KeptCopy::First });
                    }
                    if wins {
                        *old = *byte;
                    }
                    self.lose(Loss::Duplicate, 1);
                }
            }
        }
        self.segments.push(range.clone());
        if let (Some(first), Some(last)) = (differ.first(), differ.last()) {
            let same = kept.iter().all(|one| *one == kept[0]);
            let kept = if same { kept[0] } else { KeptCopy::Both };
            let conflict = Conflict { at: *first, len: last - first + 1, kept };
            self.differ.push(Differ::Waiting(conflict));
        }
    }

    fn beats(&self, new: &Range<u64>, old: &Range<u64>) -> bool {
        match self.policy {
            OverlapPolicy::Last => true,
            OverlapPolicy::Bsd => new.start < old.start,
            OverlapPolicy::Linux => {
                new.start < old.start || (new.start == old.start && new.end > old.end)
            }
            _ => false,
        }
    }

    fn set_aside(&mut self, piece: Piece) {
        if piece.wire_len == 0 && !piece.fin {
            return;
        }
        if self.finished || self.fin.is_some() {
            return self.lose(Loss::OutOfWindow, piece.bytes.len());
        }
        let begins = self.strays.iter().map(|stray| stray.at).chain([piece.at]);
        let span = begins.clone().max().unwrap_or(0) - begins.min().unwrap_or(0);
        if span > MAX_AHEAD {
            self.drop_strays();
        }
        self.strays.push(piece);
        if self.strays.len() >= 16 && !self.acknowledged {
            self.accept_strays();
        }
    }

    fn accept_strays(&mut self) {
        while self.next_known().is_some() {
            self.give_up_hole();
        }
        self.strays_acked = None;
        let strays = std::mem::take(&mut self.strays);
        let Some(first) = strays.iter().map(|stray| stray.at).min() else { return };
        let to = first - self.base.expect("the stream has begun");
        self.gap_to((to.max(0) as u64).max(self.position));
        for stray in strays {
            self.insert(stray);
        }
    }

    fn drop_strays(&mut self) {
        self.strays_acked = None;
        for stray in std::mem::take(&mut self.strays) {
            self.lose(Loss::OutOfWindow, stray.bytes.len());
        }
    }

    /// Gives out what is known at the position.
    fn go_on(&mut self) {
        let before = self.position;
        loop {
            if self.fin.is_some_and(|(end, _)| end <= self.position) {
                self.finished = true;
                self.fin = None;
                self.cut.clear();
                (self.acked, self.acked_later) = (None, None);
                let behind = std::mem::take(&mut self.held).len();
                self.lose(Loss::OutOfWindow, behind);
                self.drop_strays();
            }
            if let Some((byte, _)) = self.held.remove(&self.position) {
                self.given.push(Given::Byte(self.position, byte));
                self.delivered.insert(self.position, byte);
                self.position += 1;
            } else if self.cut.contains_key(&self.position) {
                self.gap_to(self.position + 1);
            } else {
                break;
            }
        }
        self.cut = self.cut.split_off(&self.position);
        self.segments.retain(|segment| segment.end > self.position);
        if self.position > before {
            self.hole = None;
        }
        if self.hole.is_none() {
            self.hole = self.next_known().map(|(_, since)| (self.position, since));
        }
    }

    fn give_up_hole(&mut self) {
        if let Some((next, _)) = self.next_known() {
            self.gap_to(next);
            self.go_on();
        }
    }

    fn gap_to(&mut self, to: u64) {
        if to <= self.position {
            return;
        }
        let gap = self.position..to;
        match self.gaps.back_mut() {
            Some(last) if last.end == gap.start => last.end = gap.end,
            _ => self.gaps.push_back(gap.clone()),
        }
        if self.gaps.len() > RECENT_GAPS {
            self.gaps.pop_front();
        }
        self.given.extend(gap.map(Given::Gap));
        self.position = to;
        self.hole = None;
    }

    fn settle(&mut self) {
        self.acked_later.take_if(|(offset, _)| *offset <= self.position);
        if self.acked.is_some_and(|(offset, _)| offset <= self.position) {
            self.acked = self.acked_later.take();
        }
        let next = self.next_known();
        self.hole = match self.hole {
            Some(hole) if hole.0 == self.position && next.is_some() => Some(hole),
            _ => next.map(|(_, since)| (self.position, since)),
        };
    }

    /// Where the next thing lies that is known.
    fn next_known(&self) -> Option<(u64, u64)> {
        let held = self.held.first_key_value().map(|(at, (_, ts))| (*at, *ts));
        let cut = self.cut.first_key_value().map(|(at, ts)| (*at, *ts));
        [held, cut, self.fin].into_iter().flatten().min()
    }

    fn hole_since(&self) -> Option<u64> {
        self.next_known()?;
        self.hole.map(|(_, since)| since)
    }

    /// What was acknowledged and can be given up after the grace.
    fn releasable(&self) -> Option<(u64, u64)> {
        let alone = self.next_known().is_none() && self.acked_later.is_none();
        self.acked.filter(|(offset, _)| *offset > self.position + u64::from(alone))
    }

    fn lose(&mut self, cause: Loss, bytes: usize) {
        if bytes > 0 {
            *self.lost.entry(cause).or_default() += bytes as u64;
        }
    }
}
