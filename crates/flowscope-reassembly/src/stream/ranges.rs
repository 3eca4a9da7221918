use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use flowscope_core::Timestamp;

/// Ranges of a stream that are buffered, with the boundaries of their segments.
///
/// No range lies within another: for every overlap policy that compares boundaries, a range that covers
/// another wins wherever the other wins. Starts and ends therefore grow together, and the last range that
/// begins before an offset has the highest end.
#[derive(Debug, Default)]
pub(super) struct SegmentRanges(BTreeMap<u64, RangeEnd>);

/// A received range of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SegmentRange {
    pub(super) start: u64,
    pub(super) end: u64,
    /// When its first byte was received.
    pub(super) since: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct RangeEnd {
    end: u64,
    since: Timestamp,
}

impl SegmentRanges {
    /// Memory per range in bytes, at most: 24 for the range, in tree nodes that are at least 5/11 full, and
    /// the inner nodes.
    pub(super) const COST: usize = 80;

    /// Adds a range and removes those that it covers. With `merge`, adjacent ranges are merged.
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
        self.0.insert(start, RangeEnd { end, since });
    }

    /// Removes the first range.
    pub(super) fn pop_first(&mut self) -> Option<SegmentRange> {
        self.0.pop_first().map(|(start, range_end)| range_at(start, range_end))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn first(&self) -> Option<SegmentRange> {
        self.0.first_key_value().map(|(start, range_end)| range_at(*start, *range_end))
    }

    pub(super) fn last(&self) -> Option<SegmentRange> {
        self.0.last_key_value().map(|(start, range_end)| range_at(*start, *range_end))
    }

    /// The last range that begins before `at`.
    pub(super) fn last_before(&self, at: u64) -> Option<SegmentRange> {
        self.0.range(..at).next_back().map(|(start, range_end)| range_at(*start, *range_end))
    }

    /// The last range that begins at `at` or before.
    pub(super) fn last_until(&self, at: u64) -> Option<SegmentRange> {
        self.0.range(..=at).next_back().map(|(start, range_end)| range_at(*start, *range_end))
    }

    /// The range that begins at `at`.
    pub(super) fn starting_at(&self, at: u64) -> Option<SegmentRange> {
        self.0.get(&at).map(|range_end| range_at(at, *range_end))
    }

    /// The first range that begins at `at` or later.
    pub(super) fn first_from(&self, at: u64) -> Option<SegmentRange> {
        self.0.range(at..).next().map(|(start, range_end)| range_at(*start, *range_end))
    }

    /// The ranges that begin within `range`, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = SegmentRange> + '_ {
        let bounds = (Bound::Included(range.start), Bound::Excluded(range.end.max(range.start)));
        self.0.range(bounds).map(|(start, range_end)| range_at(*start, *range_end))
    }

    /// Bytes of memory, by the largest estimate.
    pub(super) fn cost(&self) -> usize {
        // A tree's only node may be all but empty.
        if self.0.is_empty() {
            0
        } else {
            self.0.len() * SegmentRanges::COST + 6 * SegmentRanges::COST
        }
    }
}

fn range_at(start: u64, range_end: RangeEnd) -> SegmentRange {
    SegmentRange { start, end: range_end.end, since: range_end.since }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(merge: bool, inserted: &[Range<u64>], expected: &[(u64, u64, u64)]) {
        let mut ranges = SegmentRanges::default();
        for (nth, range) in inserted.iter().enumerate() {
            ranges.insert(range.clone(), Timestamp::from_nanos(nth as u64), merge);
        }
        let kept: Vec<_> =
            ranges.within(0..u64::MAX).map(|s| (s.start, s.end, s.since.as_nanos())).collect();
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
