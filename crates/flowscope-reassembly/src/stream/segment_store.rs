use std::collections::BTreeMap;
use std::ops::Range;

use flowscope_core::{Conflict, KeptCopy, Timestamp};

use super::overlap::OverlapPolicy;
use super::spans::Spans;

/// The bytes that wait behind a hole.
///
/// They lie in pages by their place in the stream, so a byte is copied once however segments are
/// cut and ordered, and neighbors need no joining. Finding a page or a span takes O(log n).
#[derive(Debug, Default)]
pub(super) struct Held {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    spans: Spans,
    pending: u64,
}

/// Bytes per page: a segment of an Ethernet frame lies in two or three.
const PAGE: usize = 1024;

/// What came of adding a segment.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Added {
    /// How many of its bytes were there before.
    pub(super) overlap: u64,
    /// Whether some of those differ.
    pub(super) conflict: Option<Conflict>,
}

impl Held {
    /// Adds the bytes at `at`, the policy deciding where others wait already.
    pub(super) fn insert(
        &mut self,
        at: u64,
        bytes: &[u8],
        ts: Timestamp,
        policy: OverlapPolicy,
    ) -> Added {
        let new = at..at + bytes.len() as u64;
        if bytes.is_empty() {
            return Added::default();
        }
        let wins = policy.wins(&new, &self.spans);
        let mut merge = Merge { new: &new, bytes, wins, overlap: 0, differ: None, kept: None };
        let mut at = new.start;
        while at < new.end {
            // Of the spans that begin here or before, the last one reaches farthest.
            let there = self.spans.last_until(at).map_or(0, |span| span.end).min(new.end);
            if there > at {
                merge.overlap(&mut self.pages, at..there);
                at = there;
            } else {
                let next = self.spans.first_from(at).map_or(new.end, |span| span.start);
                let end = next.min(new.end);
                merge.write(&mut self.pages, at..end);
                at = end;
            }
        }
        let added = Added { overlap: merge.overlap, conflict: merge.conflict() };
        self.spans.insert(new, ts, !policy.needs_boundaries());
        self.pending += bytes.len() as u64 - added.overlap;
        added
    }

    /// Hands over what lies between `*position` and `limit` before the next hole, piece by piece,
    /// moving the position.
    pub(super) fn take_run(
        &mut self,
        position: &mut u64,
        limit: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) {
        let before = *position;
        while *position < limit
            && let Some(first) = self.spans.first()
            && first.start <= *position
        {
            self.spans.pop_first();
            let end = first.end.min(limit);
            while *position < end {
                let (page, from) = split(*position);
                let len = (PAGE - from).min((end - *position) as usize);
                if let Some(bytes) = self.pages.get(&page).and_then(|p| p.get(from..from + len)) {
                    each(*position, bytes);
                }
                *position += len as u64;
                self.pending -= len as u64;
                if from + len == PAGE {
                    self.pages.remove(&page);
                }
            }
        }
        // The page in which the run ended, unless more of it waits.
        let (page, _) = split(*position);
        if *position > before && self.spans.first().is_none_or(|next| split(next.start).0 > page) {
            self.pages.remove(&page);
        }
    }

    /// Forgets everything; returns how many bytes that was.
    pub(super) fn clear(&mut self) -> u64 {
        self.pages.clear();
        self.spans.clear();
        std::mem::take(&mut self.pending)
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Bytes that out_of_order.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes of memory, by the largest estimate.
    pub(super) fn cost(&self) -> usize {
        self.pages.len() * (PAGE + Spans::COST)
            + if self.pages.is_empty() { 0 } else { 6 * Spans::COST }
            + self.spans.cost()
    }
}

/// A segment on its way into the pages.
struct Merge<'a> {
    new: &'a Range<u64>,
    bytes: &'a [u8],
    /// Where its bytes replace those that are there.
    wins: Range<u64>,
    overlap: u64,
    /// From the first to behind the last byte that differs.
    differ: Option<Range<u64>>,
    kept: Option<KeptCopy>,
}

impl Merge<'_> {
    /// Bytes for a part that was not there.
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

    /// Bytes for a part that is there.
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

/// The page of an offset, and the place within.
fn split(at: u64) -> (u64, usize) {
    (at / PAGE as u64, (at % PAGE as u64) as usize)
}
