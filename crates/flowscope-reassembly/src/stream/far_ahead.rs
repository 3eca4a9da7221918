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

    /// Sequence number of the first segment.
    fn start(&self) -> Option<u32> {
        self.segments.first().map(|first| first.seq)
    }

    /// Whether `ack` acknowledges anything of the segments, and nothing else.
    fn is_acknowledged_by(&self, ack: u32) -> bool {
        let Some(start) = self.start() else { return false };
        let end = |stored: &StoredSegment| {
            stored.end().wrapping_add(u32::from(stored.fin)).wrapping_sub(start)
        };
        let most = self.segments.iter().map(end).max().unwrap_or(0);
        (1..=most).contains(&ack.wrapping_sub(start))
    }
}

impl StreamReassembler {
    /// Keeps a segment too far ahead to be accepted alone, with those before it that it is near to.
    pub(super) fn hold_far_ahead(
        &mut self,
        segment: SegmentRef<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if segment.payload.is_empty() && !segment.fin {
            return;
        }
        if self.finished() || out_of_order.has_fin() {
            return self.report_lost(Loss::OutOfWindow, segment.payload.len() as u64, out);
        }
        let far_ahead = &out_of_order.far_ahead;
        let is_near = |start: u32| segment.seq.wrapping_sub(start) <= self.config.max_ahead;
        let has_room = far_ahead.cost() + segment.payload.len() <= self.config.max_held.get();
        if !far_ahead.start().is_some_and(is_near) || !has_room {
            self.drop_far_ahead(out_of_order, out);
        }
        out_of_order.far_ahead.bytes += segment.payload.len();
        out_of_order.far_ahead.segments.push(segment.into());
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
        let far_ahead = std::mem::take(&mut out_of_order.far_ahead);
        let Some(start) = far_ahead.start() else { return };
        while self.skip_lowest_hole(out_of_order, out) {}
        let distance = start.wrapping_sub(self.seq).cast_signed();
        if let Ok(distance) = u64::try_from(distance) {
            self.skip(self.position + distance, out);
        }
        for stored in &far_ahead.segments {
            self.insert(SegmentRef::from(stored), out_of_order, out);
        }
    }

    /// Drops the segments that nobody acknowledged.
    pub(super) fn drop_far_ahead(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let far_ahead = std::mem::take(&mut out_of_order.far_ahead);
        self.report_lost(Loss::OutOfWindow, far_ahead.bytes as u64, out);
    }
}
