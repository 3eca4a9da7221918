use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use flowscope_core::Timestamp;

/// Which parts of a stream are there, and where the segments that brought them began and ended.
///
/// No span lies within another: for every overlap policy that compares boundaries, whatever a span
/// beats is beaten by any span that covers it. So beginnings and ends grow together, and the last
/// span that begins before a place is the one that reaches farthest.
#[derive(Debug, Default)]
pub(super) struct Spans(BTreeMap<u64, Rest>);

/// A part of a stream that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
    /// When its first byte came.
    pub(super) since: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    end: u64,
    since: Timestamp,
}

impl Spans {
    /// Bytes of memory per span, at most: 24 for the span, in tree nodes that are at least 5/11
    /// full, and the inner nodes.
    pub(super) const COST: usize = 80;

    /// Adds a span. Those that it covers are forgotten; where `merge`, those that it touches become
    /// one with it.
    pub(super) fn insert(&mut self, new: Range<u64>, since: Timestamp, merge: bool) {
        let Range { mut start, mut end } = new;
        let mut since = since;
        if let Some(before) = self.last_before(start) {
            if before.end >= end {
                return;
            }
            if merge && before.end >= start {
                (start, since) = (before.start, before.since);
            }
        }
        if let Some(same) = self.starting_at(start) {
            if same.end >= end {
                return;
            }
            since = same.since;
        }
        while let Some(next) = self.first_from(start) {
            let covered = next.end <= end;
            let touched = merge && next.start <= end;
            if !covered && !touched {
                break;
            }
            end = end.max(next.end);
            self.0.remove(&next.start);
        }
        self.0.insert(start, Rest { end, since });
    }

    /// Takes the first span away.
    pub(super) fn pop_first(&mut self) -> Option<Span> {
        self.0.pop_first().map(|(start, rest)| span(start, rest))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn first(&self) -> Option<Span> {
        self.0.first_key_value().map(|(start, rest)| span(*start, *rest))
    }

    pub(super) fn last(&self) -> Option<Span> {
        self.0.last_key_value().map(|(start, rest)| span(*start, *rest))
    }

    /// The last that begins before `at`.
    pub(super) fn last_before(&self, at: u64) -> Option<Span> {
        self.0.range(..at).next_back().map(|(start, rest)| span(*start, *rest))
    }

    /// The last that begins at `at` or before.
    pub(super) fn last_until(&self, at: u64) -> Option<Span> {
        self.0.range(..=at).next_back().map(|(start, rest)| span(*start, *rest))
    }

    /// The one that begins at `at`.
    pub(super) fn starting_at(&self, at: u64) -> Option<Span> {
        self.0.get(&at).map(|rest| span(at, *rest))
    }

    /// The first that begins at `at` or behind.
    pub(super) fn first_from(&self, at: u64) -> Option<Span> {
        self.0.range(at..).next().map(|(start, rest)| span(*start, *rest))
    }

    /// Those that begin within a range, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = Span> + '_ {
        let bounds = (Bound::Included(range.start), Bound::Excluded(range.end.max(range.start)));
        self.0.range(bounds).map(|(start, rest)| span(*start, *rest))
    }

    /// Bytes of memory, by the largest estimate.
    pub(super) fn cost(&self) -> usize {
        // A tree's only node may be all but empty.
        if self.0.is_empty() { 0 } else { self.0.len() * Spans::COST + 6 * Spans::COST }
    }
}

fn span(start: u64, rest: Rest) -> Span {
    Span { start, end: rest.end, since: rest.since }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(merge: bool, inserted: &[Range<u64>], expected: &[(u64, u64, u64)]) {
        let mut spans = Spans::default();
        for (nth, range) in inserted.iter().enumerate() {
            spans.insert(range.clone(), Timestamp::from_nanos(nth as u64), merge);
        }
        let kept: Vec<_> =
            spans.within(0..u64::MAX).map(|s| (s.start, s.end, s.since.as_nanos())).collect();
        assert_eq!(kept, expected, "{inserted:?}, merge: {merge}");
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn no_span_lies_within_another() {
        check(false, &[5..10, 6..9], &[(5, 10, 0)]);
        check(false, &[6..9, 5..10], &[(5, 10, 1)]);
        check(false, &[5..10, 5..12], &[(5, 12, 0)]);
        check(false, &[5..10, 10..12], &[(5, 10, 0), (10, 12, 1)]);
        check(false, &[5..10, 8..12, 9..13], &[(5, 10, 0), (8, 12, 1), (9, 13, 2)]);
        check(false, &[1..2, 3..4, 5..6, 0..9], &[(0, 9, 3)]);
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn neighbors_merge_and_keep_the_time_of_their_first_byte() {
        check(true, &[5..10, 10..12], &[(5, 12, 0)]);
        check(true, &[5..10, 3..5], &[(3, 10, 1)]);
        check(true, &[1..2, 3..4, 2..3], &[(1, 4, 0)]);
        check(true, &[1..2, 4..5], &[(1, 2, 0), (4, 5, 1)]);
        check(true, &[5..10, 5..12], &[(5, 12, 0)]);
    }
}
