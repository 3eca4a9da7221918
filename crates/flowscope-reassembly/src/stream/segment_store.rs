use std::collections::BTreeMap;
use std::ops::Range;

use flowscope_core::{Conflict, KeptCopy, Timestamp};

use super::acks::{BufferedAcks, Sent};
use super::overlap::OverlapPolicy;
use super::ranges::SegmentRanges;

/// Buffered bytes behind missing bytes.
///
/// Bytes are stored in pages by stream offset, so each byte is copied once, whatever the sizes and order of
/// segments, and neighbors need no merging. Finding a page or range takes O(log n).
#[derive(Debug, Default)]
pub(super) struct SegmentStore {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    ranges: SegmentRanges,
    acks: BufferedAcks,
    pending: u64,
}

/// Bytes per page: a segment of an Ethernet frame lies in two or three.
const PAGE: usize = 1024;

/// Result of adding a segment.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct InsertOutcome {
    /// Number of its bytes that were buffered before.
    pub(super) overlap: u64,
    /// The range in which those differ, if any.
    pub(super) conflict: Option<Conflict>,
}

impl SegmentStore {
    /// Adds the bytes at offset `at`, whose segment acknowledges `ack`; the policy resolves overlaps with buffered bytes.
    pub(super) fn insert(
        &mut self,
        at: u64,
        bytes: &[u8],
        ts: Timestamp,
        ack: Option<u32>,
        policy: OverlapPolicy,
    ) -> InsertOutcome {
        let new = at..at + bytes.len() as u64;
        if bytes.is_empty() {
            return InsertOutcome::default();
        }
        let wins = policy.wins(&new, &self.ranges);
        let mut merge = Merge { new: &new, bytes, wins, overlap: 0, differ: None, kept: None };
        let mut at = new.start;
        while at < new.end {
            // Of the ranges that begin here or before, the last one has the highest end.
            let there = self.ranges.last_until(at).map_or(0, |range| range.end).min(new.end);
            if there > at {
                merge.overlap(&mut self.pages, at..there);
                at = there;
            } else {
                let next = self.ranges.first_from(at).map_or(new.end, |range| range.start);
                let end = next.min(new.end);
                merge.write(&mut self.pages, at..end);
                self.acks.insert(at..end, ack.map(|ack| Sent { ack, ts }));
                at = end;
            }
        }
        let outcome = InsertOutcome { overlap: merge.overlap, conflict: merge.conflict() };
        self.ranges.insert(new, ts, !policy.needs_boundaries());
        self.pending += bytes.len() as u64 - outcome.overlap;
        outcome
    }

    /// Passes the contiguous bytes from `*position`, up to `limit`, to `each` in chunks with what is known of their
    /// segment, and moves the position. Stops before bytes that are not `ready`.
    pub(super) fn take_contiguous(
        &mut self,
        position: &mut u64,
        limit: u64,
        mut ready: impl FnMut(Option<Sent>) -> bool,
        mut each: impl FnMut(&[u8], Option<Sent>),
    ) {
        let before = *position;
        'ranges: while *position < limit
            && let Some(first) = self.ranges.first()
            && first.start <= *position
        {
            self.ranges.pop_first();
            let end = first.end.min(limit);
            let (mut sent, mut same_ack) = (None, *position);
            while *position < end {
                let (page, from) = split(*position);
                if same_ack <= *position {
                    (sent, same_ack) = self.acks.at(*position);
                    if !ready(sent) {
                        self.ranges.insert(*position..first.end, first.since, false);
                        break 'ranges;
                    }
                }
                let len = (PAGE - from).min((end.min(same_ack) - *position) as usize);
                if let Some(bytes) = self.pages.get(&page).and_then(|p| p.get(from..from + len)) {
                    each(bytes, sent);
                }
                *position += len as u64;
                self.pending -= len as u64;
                if from + len == PAGE {
                    self.pages.remove(&page);
                }
            }
        }
        self.acks.forget_before(*position);
        // Frees the page in which the bytes ended, unless it has more.
        let (page, _) = split(*position);
        if *position > before && self.ranges.first().is_none_or(|next| split(next.start).0 > page) {
            self.pages.remove(&page);
        }
    }

    /// Drops everything and returns the number of bytes.
    pub(super) fn clear(&mut self) -> u64 {
        self.pages.clear();
        self.ranges.clear();
        self.acks.clear();
        std::mem::take(&mut self.pending)
    }

    pub(super) fn ranges(&self) -> &SegmentRanges {
        &self.ranges
    }

    /// The segment of the byte at `at`, if it is known.
    pub(super) fn sent(&self, at: u64) -> Option<Sent> {
        self.acks.at(at).0
    }

    /// Number of buffered bytes.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes of memory, by the largest estimate.
    pub(super) fn cost(&self) -> usize {
        self.pages.len() * (PAGE + SegmentRanges::COST)
            + if self.pages.is_empty() { 0 } else { 6 * SegmentRanges::COST }
            + self.ranges.cost()
            + self.acks.cost()
    }
}

/// A segment being merged into the pages.
struct Merge<'a> {
    new: &'a Range<u64>,
    bytes: &'a [u8],
    /// Range in which its bytes replace buffered ones.
    wins: Range<u64>,
    overlap: u64,
    /// From the first to behind the last byte that differs.
    differ: Option<Range<u64>>,
    kept: Option<KeptCopy>,
}

impl Merge<'_> {
    /// Writes a range that was not buffered.
    fn write(&mut self, pages: &mut BTreeMap<u64, Box<[u8; PAGE]>>, part: Range<u64>) {
        let mut at = part.start;
        while at < part.end {
            let (page, from) = split(at);
            let len = (PAGE - from).min((part.end - at) as usize);
            let page = pages.entry(page).or_insert_with(|| Box::new([0; PAGE]));
            if let (Some(old), Some(new)) = (page.get_mut(from..from + len), self.slice(at, len)) {
                old.copy_from_slice(new);
            }
            at += len as u64;
        }
    }

    /// Merges a range that was buffered.
    fn overlap(&mut self, pages: &mut BTreeMap<u64, Box<[u8; PAGE]>>, part: Range<u64>) {
        self.overlap += part.end - part.start;
        let mut at = part.start;
        while at < part.end {
            let (page, from) = split(at);
            let len = (PAGE - from).min((part.end - at) as usize);
            let old = pages.get_mut(&page).and_then(|page| page.get_mut(from..from + len));
            if let (Some(old), Some(new)) = (old, self.slice(at, len))
                && old != new
            {
                self.replace(at, old, new);
            }
            at += len as u64;
        }
    }

    fn replace(&mut self, at: u64, old: &mut [u8], new: &[u8]) {
        for (place, (old, new)) in (at..).zip(old.iter_mut().zip(new)) {
            if old == new {
                continue;
            }
            let start = self.differ.as_ref().map_or(place, |differ| differ.start.min(place));
            let end = self.differ.as_ref().map_or(0, |differ| differ.end).max(place + 1);
            self.differ = Some(start..end);
            let kept = if self.wins.contains(&place) { KeptCopy::Last } else { KeptCopy::First };
            self.kept = match self.kept {
                Some(other) if other != kept => Some(KeptCopy::Both),
                _ => Some(kept),
            };
            if kept == KeptCopy::Last {
                *old = *new;
            }
        }
    }

    fn conflict(&self) -> Option<Conflict> {
        let differ = self.differ.as_ref()?;
        Some(Conflict { at: differ.start, len: differ.end - differ.start, kept: self.kept? })
    }
}

impl<'a> Merge<'a> {
    fn slice(&self, at: u64, len: usize) -> Option<&'a [u8]> {
        let from = (at - self.new.start) as usize;
        self.bytes.get(from..from + len)
    }
}

/// Page number of an offset, and the index in the page.
fn split(at: u64) -> (u64, usize) {
    (at / PAGE as u64, (at % PAGE as u64) as usize)
}
