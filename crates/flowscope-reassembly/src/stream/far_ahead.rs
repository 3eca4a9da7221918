use flowscope_core::{Loss, Reassembler as _, StreamSink, Timestamp};

use super::StreamReassembler;
use super::out_of_order::{OutOfOrder, SegmentRef, StoredSegment};

/// Segments too far ahead to be accepted alone: strays of another connection, forged ones, or what comes behind
/// a part of the stream that was not captured.
///
/// The receiver's acknowledgements decide: only the last kind is acknowledged.
#[derive(Debug, Default)]
pub(super) struct FarAhead {
    segments: Vec<StoredSegment>,
    /// Lowest and highest sequence number that a segment begins with.
    span: (u32, u32),
    bytes: usize,
    /// When the receiver acknowledged them.
    pub(super) acked: Option<Timestamp>,
}

/// So many segments are believed where nothing of the other side was captured that could acknowledge them.
const BELIEVED: usize = 16;

impl FarAhead {
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Payload in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory.
    pub(super) fn cost(&self) -> usize {
        self.bytes + self.segments.capacity() * size_of::<StoredSegment>()
    }

    /// The span of the segments and one more that begins at `seq`, unless that is longer than `most`.
    fn span_with(&self, seq: u32, most: u32) -> Option<(u32, u32)> {
        if self.is_empty() {
            return Some((seq, seq));
        }
        let (low, high) = self.span;
        let low = if is_before(seq, low) { seq } else { low };
        let high = if is_before(high, seq) { seq } else { high };
        (high.wrapping_sub(low) <= most).then_some((low, high))
    }

    /// Whether `ack` acknowledges anything of the segments, and nothing else.
    fn is_acknowledged_by(&self, ack: u32) -> bool {
        let (start, _) = self.span;
        let end = |stored: &StoredSegment| {
            stored.end().wrapping_add(u32::from(stored.fin)).wrapping_sub(start)
        };
        let most = self.segments.iter().map(end).max().unwrap_or(0);
        (1..=most).contains(&ack.wrapping_sub(start))
    }
}

fn is_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

impl StreamReassembler {
    /// Keeps a segment too far ahead to be accepted alone, with those before it that it is near to.
    pub(super) fn hold_far_ahead(
        &mut self,
        segment: SegmentRef<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if segment.wire_len() == 0 && !segment.fin {
            return;
        }
        if self.finished() || out_of_order.has_fin() {
            return self.report_lost(Loss::OutOfWindow, segment.payload.len() as u64, out);
        }
        let max_ahead = self.config.max_ahead;
        let room = self.config.max_held.get().saturating_sub(segment.payload.len());
        let is_full = |it: &OutOfOrder| it.store_cost() + it.far_ahead.cost() > room;
        if out_of_order.far_ahead.span_with(segment.seq, max_ahead).is_none()
            || is_full(out_of_order)
        {
            self.drop_far_ahead(out_of_order, out);
        }
        if is_full(out_of_order) {
            return self.report_lost(Loss::OutOfWindow, segment.payload.len() as u64, out);
        }
        let far_ahead = &mut out_of_order.far_ahead;
        far_ahead.span = far_ahead.span_with(segment.seq, max_ahead).unwrap_or(far_ahead.span);
        far_ahead.bytes += segment.payload.len();
        far_ahead.segments.push(segment.into());
        if !self.acknowledged && out_of_order.far_ahead.segments.len() >= BELIEVED {
            self.accept_far_ahead(out_of_order, out);
        }
    }

    /// Handles an acknowledgement far beyond the position.
    #[cold]
    pub(super) fn note_far_ack(&mut self, ack: u32, ts: Timestamp) {
        let far_ahead = self.out_of_order().map(|out_of_order| &out_of_order.far_ahead);
        if far_ahead.is_some_and(|far_ahead| far_ahead.is_acknowledged_by(ack)) {
            let mut out_of_order = self.take_out_of_order();
            out_of_order.far_ahead.acked = Some(ts);
            self.set_out_of_order(out_of_order);
        }
    }

    /// The segments are of the stream: the capture lacks what lies before them.
    pub(super) fn accept_far_ahead(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        while self.skip_lowest_hole(out_of_order, out) {}
        let far_ahead = std::mem::take(&mut out_of_order.far_ahead);
        if far_ahead.is_empty() {
            // The stream ended before them.
            return;
        }
        let (start, _) = far_ahead.span;
        let distance = start.wrapping_sub(self.seq).cast_signed();
        if let Ok(distance) = u64::try_from(distance) {
            self.skip(self.position + distance, out);
        }
        for stored in &far_ahead.segments {
            self.insert(SegmentRef::from(stored), out_of_order, out);
        }
    }

    /// Drops the segments that were not acknowledged.
    pub(super) fn drop_far_ahead(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let far_ahead = std::mem::take(&mut out_of_order.far_ahead);
        self.report_lost(Loss::OutOfWindow, far_ahead.bytes as u64, out);
    }
}
