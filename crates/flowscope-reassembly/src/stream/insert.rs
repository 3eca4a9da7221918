use flowscope_core::{Conflict, KeptCopy, Loss, Reassembler as _, Segment, StreamSink};

use super::acks::AckBase;
use super::out_of_order::{OutOfOrder, SegmentRef, StoredSegment};
use super::{State, StreamReassembler};

/// Bounds on segments buffered before the start of the stream is known.
const UNPLACED_SEGMENTS: usize = 16;
const UNPLACED_BYTES: usize = 8 << 10;

/// Input of segments.
impl StreamReassembler {
    /// Handles a segment that the fast path of `push` does not.
    pub(super) fn push_slow(
        &mut self,
        segment: &Segment<'_>,
        peer: Option<AckBase>,
        out: &mut dyn StreamSink,
    ) {
        let part = SegmentRef::from(segment);
        if self.is_closed() {
            self.report_lost(Loss::OutOfWindow, part.payload.len() as u64, out);
            return self.check();
        }
        let mut out_of_order = self.take_out_of_order();
        out_of_order.peer = peer;
        if self.state == State::Unstarted {
            if segment.syn {
                self.open_at(segment.seq);
                self.place_unplaced(&mut out_of_order, out);
            } else {
                self.collect_before_start(part, &mut out_of_order, out);
                return self.set_out_of_order(out_of_order);
            }
        }
        if !out_of_order.unplaced.is_empty() {
            self.place_unplaced(&mut out_of_order, out);
        }
        self.insert(part, &mut out_of_order, out);
        self.set_out_of_order(out_of_order);
    }

    /// Buffers a segment without a sink: it cannot be delivered yet.
    pub(super) fn store_unplaced(&mut self, segment: SegmentRef<'_>) {
        let len = segment.payload.len();
        self.accounting.see(len as u64);
        let max_held = self.config.max_held.get();
        let closed = self.is_closed();
        let mut out_of_order = self.take_out_of_order();
        let room = max_held.saturating_sub(out_of_order.cost());
        if closed || len + 2 * size_of::<StoredSegment>() > room {
            out_of_order.refused += len as u64;
        } else {
            out_of_order.unplaced(segment);
        }
        self.set_out_of_order(out_of_order);
    }

    pub(super) fn open_at(&mut self, seq: u32) {
        self.seq = seq;
        self.state = State::Open;
    }

    /// Buffers data of a stream whose start is not known.
    fn collect_before_start(
        &mut self,
        segment: SegmentRef<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if segment.wire_len() > 0 || segment.fin {
            out_of_order.unplaced(segment);
        }
        if out_of_order.unplaced.len() >= UNPLACED_SEGMENTS || out_of_order.stored >= UNPLACED_BYTES
        {
            self.place_unplaced(out_of_order, out);
        }
    }

    /// Inserts the buffered segments in order of arrival. A stream without a start begins at their lowest
    /// sequence number.
    pub(super) fn place_unplaced(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if self.state == State::Unstarted {
            match self.start_of(out_of_order) {
                Some(seq) => self.open_at(seq),
                None => return self.report_refused(out_of_order, out),
            }
        }
        for stored in out_of_order.take_unplaced() {
            self.insert(SegmentRef::from(&stored), out_of_order, out);
        }
        self.report_refused(out_of_order, out);
    }

    /// Where a stream without a SYN begins: at the lowest sequence number, unless that is of the single byte of a keep-alive,
    /// which was acknowledged before (RFC 9293 §3.8.4).
    pub(super) fn start_of(&self, out_of_order: &OutOfOrder) -> Option<u32> {
        let first = out_of_order.first_seq(self.config.max_ahead)?;
        let next = first.wrapping_add(1);
        let is_probe = self.acked_first && self.seq == next && out_of_order.is_single_byte(first);
        Some(if is_probe { next } else { first })
    }

    fn report_refused(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        let refused = std::mem::take(&mut out_of_order.refused);
        let cause = if self.is_closed() { Loss::OutOfWindow } else { Loss::Memcap };
        self.report_lost(cause, refused, out);
    }

    /// Inserts a segment of a stream with a known start.
    pub(super) fn insert(
        &mut self,
        segment: SegmentRef<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let mut payload = segment.payload;
        let ahead = i64::from(segment.seq.wrapping_sub(self.seq).cast_signed());
        let max_ahead = i64::from(self.config.max_ahead);
        // Where nothing of the receiver was captured, its window is not known.
        let out_of_window = segment.out_of_window && self.acknowledged;
        if ahead > max_ahead || out_of_window && ahead > 0 {
            return self.hold_far_ahead(segment, out_of_order, out);
        }
        if !payload.is_empty() && !out_of_window && !out_of_order.far_ahead.is_empty() {
            if out_of_order.far_ahead.acked.is_some() {
                self.accept_far_ahead(out_of_order, out);
                return self.insert(segment, out_of_order, out);
            }
            self.drop_far_ahead(out_of_order, out);
        }
        // Negative before the start of the stream.
        let start = self.position.cast_signed() + ahead;
        let end = start + segment.wire_len().cast_signed();
        if end < 0 || ahead < -max_ahead {
            return self.report_lost(Loss::OutOfWindow, payload.len() as u64, out);
        }
        if start < 0 {
            let before = split_off(&mut payload, start.unsigned_abs());
            self.report_lost(Loss::OutOfWindow, before.len() as u64, out);
        }
        let (start, mut end) = (start.max(0).cast_unsigned(), end.cast_unsigned());

        if segment.fin && !self.finished() && !out_of_order.has_fin() && end >= self.position {
            out_of_order.fin = Some((end, segment.ts));
        }
        let limit = if self.finished() {
            self.position
        } else {
            out_of_order.fin.map_or(u64::MAX, |f| f.0)
        };
        if end > limit {
            let kept = split_off(&mut payload, limit.saturating_sub(start));
            self.report_lost(Loss::OutOfWindow, payload.len() as u64, out);
            (payload, end) = (kept, limit);
        }
        let mut at = start;
        if start < self.position {
            let old = split_off(&mut payload, self.position - start);
            let keep_alive = segment.wire_len == 1 && start + 1 == self.position;
            self.handle_retransmission(start, old, keep_alive, out);
            at = self.position;
        }

        let captured = at + payload.len() as u64;
        let acked = out_of_order.offset_of(segment.ack);
        let waits = self.must_wait(segment.ack, out_of_order.peer);
        if at == self.position && !waits && out_of_order.next().is_none_or(|(next, _)| next >= end)
        {
            self.deliver(payload, acked, None, out);
            self.skip(end, out);
            out_of_order.filled = segment.ts;
        } else if at < end {
            self.buffer_segment(at, payload, &segment, out_of_order, out);
            if captured < end {
                out_of_order.cuts.insert(captured..end, segment.ts, true);
            }
        }
        self.deliver_contiguous(false, out_of_order, out);
        // The missing range is as old as the first data behind it.
        if let Some((_, since)) = out_of_order.next()
            && out_of_order.hole.is_none_or(|(at, _)| at != self.position)
        {
            out_of_order.hole = Some((self.position, since));
        }
        while out_of_order.store_cost() > self.config.max_held.get() {
            if !self.skip_lowest_hole(out_of_order, out) {
                break;
            }
        }
    }

    /// Buffers bytes behind missing bytes, or overlapping buffered ones.
    fn buffer_segment(
        &mut self,
        at: u64,
        payload: &[u8],
        segment: &SegmentRef<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let outcome =
            out_of_order.store.insert(at, payload, segment.ts, segment.ack, self.config.overlap);
        if let Some(conflict) = outcome.conflict {
            out.conflict(conflict);
        }
        self.report_lost(Loss::Duplicate, outcome.overlap, out);
    }

    /// Handles bytes whose range was delivered or reported as a gap.
    fn handle_retransmission(
        &mut self,
        at: u64,
        bytes: &[u8],
        keep_alive: bool,
        out: &mut dyn StreamSink,
    ) {
        let end = at + bytes.len() as u64;
        let (mut late, mut differ) = (0, None);
        if let Some(cold) = &self.cold {
            late = cold.gaps.as_ref().map_or(0, |gaps| gaps.cover(at, end));
            if self.config.history > 0 && !keep_alive {
                differ = cold.history.differs(at, bytes, self.config.seed);
            }
        }
        if let Some(part) = differ {
            let len = part.end - part.start;
            out.conflict(Conflict { at: part.start, len, kept: KeptCopy::First });
        }
        self.report_lost(Loss::OooDropped, late, out);
        self.report_lost(Loss::Duplicate, end - at - late, out);
    }
}

/// Splits off the first `len` bytes, or all.
fn split_off<'a>(payload: &mut &'a [u8], len: u64) -> &'a [u8] {
    let at = usize::try_from(len).unwrap_or(usize::MAX).min(payload.len());
    let (front, back) = payload.split_at(at);
    *payload = back;
    front
}
