use std::collections::BTreeMap;
use std::ops::Range;

use flowscope_core::Timestamp;

use super::ranges::SegmentRanges;

/// What the segments of buffered bytes acknowledge, and when they came, range by range.
///
/// Ranges do not overlap: a byte has the acknowledgement and the time of the copy that came first. Neighbors that have both in
/// common are one range.
#[derive(Debug, Default)]
pub(super) struct BufferedAcks(BTreeMap<u64, AckedRange>);

#[derive(Clone, Copy, Debug)]
struct AckedRange {
    end: u64,
    sent: Sent,
}

/// What is known of the segment of buffered bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sent {
    /// What it acknowledges.
    pub(super) ack: u32,
    pub(super) ts: Timestamp,
}

/// Where the other side's stream stands, which turns its sequence numbers into offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct AckBase {
    /// The sequence number of the byte at `position`.
    pub(super) seq: u32,
    pub(super) position: u64,
    /// Where the stream ends, if that is known.
    pub(super) end: u64,
    pub(super) max_ahead: u32,
    /// The stream may still reach what is acknowledged.
    pub(super) open: bool,
    /// The start of the stream is known, and not only what was first acknowledged of it.
    pub(super) started: bool,
    /// What bytes acknowledge that wait for this stream, in the other.
    pub(super) waited_for: Option<u32>,
}

impl AckBase {
    /// The offset up to which `ack` acknowledges, unless that lies too far from the position.
    #[inline]
    pub(super) fn offset(self, ack: u32) -> Option<u64> {
        if self.started { self.offset_from_base(ack) } else { None }
    }

    #[inline]
    fn offset_from_base(self, ack: u32) -> Option<u64> {
        let ahead = ack.wrapping_sub(self.seq).cast_signed();
        if ahead > 0 && ahead.cast_unsigned() > self.max_ahead {
            return None;
        }
        Some(self.position.checked_add_signed(i64::from(ahead))?.min(self.end))
    }

    /// Where a hole of the other stream, from `position` to `to`, is interrupted: bytes of this one wait for what comes before,
    /// and were sent before the rest.
    pub(super) fn interruption(&self, seq: u32, position: u64, to: u64) -> u64 {
        let Some(ack) = self.waited_for else { return to };
        let ahead = ack.wrapping_sub(seq).cast_signed();
        match position.checked_add_signed(ahead.into()) {
            Some(at) if ahead > 0 => at.min(to),
            _ => to,
        }
    }

    /// Whether bytes are still to come that bytes acknowledging `ack` were sent behind. One sequence number is
    /// that of a FIN, rather than of a byte.
    #[inline]
    pub(super) fn lacks(self, ack: u32) -> bool {
        self.open && self.offset_from_base(ack).is_some_and(|acked| acked > self.position + 1)
    }
}

impl BufferedAcks {
    /// Notes the segment of bytes that were not buffered before.
    pub(super) fn insert(&mut self, new: Range<u64>, sent: Option<Sent>) {
        let (Some(sent), Range { mut start, mut end }) = (sent, new) else { return };
        if let Some((at, before)) = self.0.range(..=start).next_back()
            && before.end == start
            && before.sent == sent
        {
            start = *at;
        }
        if let Some(after) = self.0.get(&end)
            && after.sent == sent
        {
            let next = end;
            end = after.end;
            self.0.remove(&next);
        }
        self.0.insert(start, AckedRange { end, sent });
    }

    /// The segment of the byte at `at`, and where the bytes end that have the same acknowledgement.
    pub(super) fn at(&self, at: u64) -> (Option<Sent>, u64) {
        match self.0.range(..=at).next_back() {
            Some((_, range)) if range.end > at => (Some(range.sent), range.end),
            _ => (None, self.0.range(at..).next().map_or(u64::MAX, |(next, _)| *next)),
        }
    }

    /// Forgets what lies before `position`.
    pub(super) fn forget_before(&mut self, position: u64) {
        while let Some(first) = self.0.first_entry()
            && first.get().end <= position
        {
            first.remove();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_acknowledgement_of_their_segment() {
        let mut acks = BufferedAcks::default();
        let sent = |ack, ts| Some(Sent { ack, ts: Timestamp::from_secs(ts) });
        let ranges =
            [(10..20, sent(1, 1)), (30..40, sent(1, 1)), (40..50, sent(1, 4)), (5..10, None)];
        for (range, sent) in ranges {
            acks.insert(range, sent);
        }
        acks.insert(20..30, sent(1, 1));
        let found: Vec<_> = [4, 10, 39, 40, 50].into_iter().map(|at| acks.at(at)).collect();
        let (first, second) = (sent(1, 1), sent(1, 4));
        let expected = [(None, 10), (first, 40), (first, 40), (second, 50), (None, u64::MAX)];
        assert_eq!(found, expected);
        assert_eq!(acks.0.len(), 2, "neighbors with all in common are one range");
        acks.forget_before(40);
        assert_eq!((acks.at(39), acks.at(41)), ((None, 40), (second, 50)));
    }

    #[test]
    fn acknowledgements_are_offsets_of_the_other_side() {
        let base = AckBase {
            seq: 5,
            position: 100,
            end: 150,
            max_ahead: 1000,
            open: true,
            started: true,
            waited_for: None,
        };
        assert_eq!(base.offset(25), Some(120));
        assert_eq!(base.offset(u32::MAX), Some(94), "before the position");
        assert_eq!(base.offset(56), Some(150), "a FIN is no byte");
        let open = AckBase { end: u64::MAX, ..base };
        assert_eq!(open.offset(1005), Some(1100), "as far as it may be");
        assert_eq!(base.offset(1006), None, "too far away");
        assert_eq!(base.offset(5_u32.wrapping_sub(100)), Some(0), "the start");
        assert_eq!(base.offset(5_u32.wrapping_sub(101)), None, "before the start");
    }
}
