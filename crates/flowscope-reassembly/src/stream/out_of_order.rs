use flowscope_core::{Segment, Timestamp};

use super::acks::AckBase;
use super::far_ahead::FarAhead;
use super::ranges::SegmentRanges;
use super::segment_store::SegmentStore;

/// Buffered state of a stream with missing bytes.
#[derive(Debug, Default)]
pub(super) struct OutOfOrder {
    /// Bytes behind missing bytes.
    pub(super) store: SegmentStore,
    /// Ranges that the snap length cut off: they will not arrive unless retransmitted.
    pub(super) cuts: SegmentRanges,
    /// End of the stream by its FIN, and when that was received.
    pub(super) fin: Option<(u64, Timestamp)>,
    /// Position of the first missing byte, and since when it is missing.
    pub(super) hole: Option<(u64, Timestamp)>,
    /// First acknowledgement beyond the position, and its time.
    pub(super) acked: Option<(u64, Timestamp)>,
    /// Highest later acknowledgement; its grace is counted separately.
    pub(super) acked_later: Option<(u64, Timestamp)>,
    /// Segments far ahead, kept until the receiver acknowledges them.
    pub(super) far_ahead: FarAhead,
    /// Segments received before the start of the stream was known, or without a sink.
    pub(super) unplaced: Vec<StoredSegment>,
    /// Payload bytes in `unplaced`.
    pub(super) stored: usize,
    /// Where the other side's stream stands; set when its state is known.
    pub(super) peer: Option<AckBase>,
    /// Bytes refused without a sink, not reported yet.
    pub(super) refused: u64,
    /// When the latest bytes came that were delivered: those behind them were not available before.
    pub(super) filled: Timestamp,
}

/// An owned copy of a segment.
#[derive(Debug)]
pub(super) struct StoredSegment {
    pub(super) seq: u32,
    pub(super) wire_len: u32,
    pub(super) fin: bool,
    pub(super) ts: Timestamp,
    pub(super) ack: Option<u32>,
    pub(super) payload: Box<[u8]>,
}

/// The part of a segment that its own side's stream needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentRef<'a> {
    pub(super) seq: u32,
    pub(super) wire_len: u32,
    pub(super) fin: bool,
    pub(super) ts: Timestamp,
    /// What it acknowledges.
    pub(super) ack: Option<u32>,
    /// It counts only if it is acknowledged.
    pub(super) out_of_window: bool,
    pub(super) payload: &'a [u8],
}

impl OutOfOrder {
    /// Start of the next known range: data, cut bytes, or the end of the stream.
    pub(super) fn next(&self) -> Option<(u64, Timestamp)> {
        let store = self.store.ranges().first().map(|range| (range.start, range.since));
        let cut = self.cuts.first().map(|range| (range.start, range.since));
        [store, cut, self.fin].into_iter().flatten().min()
    }

    /// The receiver has acknowledged up to `offset`, beyond the position.
    pub(super) fn note_ack(&mut self, offset: u64, ts: Timestamp) {
        match &mut self.acked {
            None => self.acked = Some((offset, ts)),
            Some((first, _)) if offset <= *first => {}
            Some(_) => {
                if self.acked_later.is_none_or(|(last, _)| offset > last) {
                    self.acked_later = Some((offset, ts));
                }
            }
        }
    }

    /// Forgets acknowledgements that the stream has reached.
    pub(super) fn forget_reached_acks(&mut self, position: u64) {
        self.acked_later.take_if(|(offset, _)| *offset <= position);
        if self.acked.is_some_and(|(offset, _)| offset <= position) {
            self.acked = self.acked_later.take();
        }
    }

    /// Whether bytes at `position` wait: for nothing of their own stream.
    pub(super) fn has_bytes_at(&self, position: u64) -> bool {
        self.store.ranges().first().is_some_and(|range| range.start <= position)
    }

    pub(super) fn unplaced(&mut self, segment: SegmentRef<'_>) {
        self.stored += segment.payload.len();
        self.unplaced.push(segment.into());
    }

    pub(super) fn take_unplaced(&mut self) -> Vec<StoredSegment> {
        self.stored = 0;
        std::mem::take(&mut self.unplaced)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.next().is_none()
            && self.acked.is_none()
            && self.far_ahead.is_empty()
            && self.unplaced.is_empty()
            && self.refused == 0
    }

    pub(super) fn pending(&self) -> u64 {
        self.store.pending() + (self.far_ahead.bytes() + self.stored) as u64 + self.refused
    }

    /// Bytes of memory, this value included.
    pub(super) fn cost(&self) -> usize {
        let far_ahead = self.far_ahead.cost();
        size_of::<OutOfOrder>() + self.store_cost() + self.unplaced_cost() + far_ahead
    }

    /// Memory that is freed when a missing range is skipped, in bytes.
    pub(super) fn store_cost(&self) -> usize {
        self.store.cost() + self.cuts.cost()
    }

    pub(super) fn unplaced_cost(&self) -> usize {
        self.unplaced.capacity() * size_of::<StoredSegment>() + self.stored
    }
}

impl<'a> SegmentRef<'a> {
    pub(super) fn wire_len(&self) -> u64 {
        u64::from(self.wire_len).max(self.payload.len() as u64)
    }
}

impl<'a> From<&Segment<'a>> for SegmentRef<'a> {
    fn from(segment: &Segment<'a>) -> Self {
        SegmentRef {
            seq: segment.seq,
            wire_len: segment.wire_len,
            fin: segment.fin,
            ts: segment.ts,
            ack: segment.ack,
            out_of_window: segment.out_of_window,
            payload: segment.payload,
        }
    }
}

impl<'a> From<&'a StoredSegment> for SegmentRef<'a> {
    fn from(stored: &'a StoredSegment) -> Self {
        SegmentRef {
            seq: stored.seq,
            wire_len: stored.wire_len,
            fin: stored.fin,
            ts: stored.ts,
            ack: stored.ack,
            out_of_window: false,
            payload: &stored.payload,
        }
    }
}

impl From<SegmentRef<'_>> for StoredSegment {
    fn from(segment: SegmentRef<'_>) -> Self {
        StoredSegment {
            seq: segment.seq,
            wire_len: segment.wire_len,
            fin: segment.fin,
            ts: segment.ts,
            ack: segment.ack,
            payload: segment.payload.into(),
        }
    }
}

impl OutOfOrder {
    /// The offset of the other side's stream up to which `ack` acknowledges, if that is known.
    pub(super) fn offset_of(&self, ack: Option<u32>) -> Option<u64> {
        self.peer?.offset(ack?)
    }

    /// Whether a FIN was received, in place or not.
    pub(super) fn has_fin(&self) -> bool {
        self.fin.is_some() || self.unplaced.iter().any(|stored| stored.fin)
    }

    /// The lowest sequence number in `unplaced` within `max_ahead` of the first one.
    pub(super) fn first_seq(&self, max_ahead: u32) -> Option<u32> {
        let first = self.unplaced.first()?.seq;
        let behind = self.unplaced.iter().map(|stored| first.wrapping_sub(stored.seq));
        let most = behind.filter(|behind| *behind <= max_ahead).max().unwrap_or(0);
        Some(first.wrapping_sub(most))
    }

    /// Whether all segments in `unplaced` that begin at `seq` have one byte.
    pub(super) fn is_single_byte(&self, seq: u32) -> bool {
        self.unplaced.iter().filter(|stored| stored.seq == seq).all(|stored| stored.wire_len == 1)
    }

    /// The highest end of the segments in `unplaced` and of `known`.
    pub(super) fn last_seq(&self, known: Option<u32>) -> Option<u32> {
        self.unplaced.iter().map(StoredSegment::end).chain(known).reduce(later)
    }
}

/// The later of two sequence numbers (RFC 9293 §3.4).
fn later(a: u32, b: u32) -> u32 {
    if a.wrapping_sub(b).cast_signed() > 0 { a } else { b }
}

impl StoredSegment {
    /// The sequence number behind the segment.
    pub(super) fn end(&self) -> u32 {
        self.seq.wrapping_add(self.wire_len)
    }
}
