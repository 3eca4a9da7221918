use flowscope_core::{Loss, Reassembler as _, StreamSink, Timestamp};

use super::acks::{AckBase, Sent};
use super::out_of_order::OutOfOrder;
use super::{State, StreamReassembler};

/// Delivery of buffered data, and the deadlines of missing ranges.
impl StreamReassembler {
    /// Delivers everything known at the position: data, cut bytes, the end of the stream. Bytes that were sent
    /// behind bytes of the other side which are still to come wait for those, but for the first, if they are `forced`.
    pub(super) fn deliver_contiguous(
        &mut self,
        mut forced: bool,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let peer = out_of_order.peer;
        let acked = |sent: Option<Sent>| peer?.offset(sent?.ack);
        let (ordered, mut filled) = (self.ordered, out_of_order.filled);
        loop {
            let limit = out_of_order.fin.map_or(u64::MAX, |(end, _)| end);
            if limit <= self.position {
                return self.finish(out_of_order, out);
            }
            let mut position = self.position;
            let ready = |sent: Option<Sent>| {
                std::mem::take(&mut forced) || !(ordered && lacks(peer, sent.map(|sent| sent.ack)))
            };
            out_of_order.store.take_contiguous(&mut position, limit, ready, |bytes, sent| {
                filled = sent.map_or(filled, |sent| sent.ts.max(filled));
                self.deliver(bytes, acked(sent), sent.map(|_| filled), out);
            });
            out_of_order.filled = filled;
            match out_of_order.cuts.first() {
                Some(cut) if cut.start <= self.position && self.position < limit => {
                    out_of_order.cuts.pop_first();
                    // Another copy may contain some of these bytes.
                    let data =
                        out_of_order.store.ranges().first().map_or(u64::MAX, |range| range.start);
                    self.skip(cut.end.min(data).min(limit), out);
                    if cut.end > self.position {
                        out_of_order.cuts.insert(self.position..cut.end, cut.since, true);
                    }
                }
                _ if self.position >= limit => {}
                _ => return,
            }
        }
    }

    /// The position has reached the FIN.
    fn finish(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        self.state = if self.is_closed() { State::ClosedFinished } else { State::Finished };
        out_of_order.fin = None;
        out_of_order.cuts.clear();
        (out_of_order.acked, out_of_order.acked_later) = (None, None);
        let behind = out_of_order.store.clear();
        self.report_lost(Loss::OutOfWindow, behind, out);
        self.drop_far_ahead(out_of_order, out);
    }

    /// Reports the missing range at the position as a gap; `false` if there is none.
    pub(super) fn skip_lowest_hole(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) -> bool {
        let Some((next, _)) = out_of_order.next() else { return false };
        let forced = next <= self.position;
        self.skip(self.interrupted(next, out_of_order), out);
        self.deliver_contiguous(forced, out_of_order, out);
        true
    }

    /// How far a missing range that ends at `to` is skipped before it is the other side's turn.
    fn interrupted(&self, to: u64, out_of_order: &OutOfOrder) -> u64 {
        out_of_order.peer.map_or(to, |peer| peer.interruption(self.seq, self.position, to))
    }

    /// Passes on the first bytes that wait.
    #[cold]
    pub(super) fn skip_one(&mut self, peer: Option<AckBase>, out: &mut dyn StreamSink) -> bool {
        let mut out_of_order = self.take_out_of_order();
        out_of_order.peer = peer;
        self.place_unplaced(&mut out_of_order, out);
        let any = self.skip_lowest_hole(&mut out_of_order, out)
            || self.skip_acknowledged(&mut out_of_order, out);
        self.set_out_of_order(out_of_order);
        any
    }

    /// Reports what the other side has acknowledged behind the last byte as a gap; `false` if there is nothing.
    fn skip_acknowledged(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) -> bool {
        if self.finished() {
            return false;
        }
        out_of_order.forget_reached_acks(self.position);
        let acked = out_of_order.acked_later.or(out_of_order.acked).map_or(0, |(offset, _)| offset);
        // A single sequence number counts as that of a FIN.
        let is_gap = acked > self.position + 1;
        if is_gap {
            self.skip(acked, out);
        }
        is_gap
    }

    /// Whether bytes whose segment acknowledges `ack` wait for bytes of the other side.
    #[inline]
    pub(super) fn must_wait(&self, ack: Option<u32>, peer: Option<AckBase>) -> bool {
        self.ordered && lacks(peer, ack)
    }

    /// Whether bytes at the position wait for bytes of the other side.
    pub(super) fn waits(&self, out_of_order: &OutOfOrder) -> bool {
        self.ordered && self.state != State::Unstarted && out_of_order.has_bytes_at(self.position)
    }

    /// Delivers what need not wait for the other side any longer; returns whether there was any.
    #[cold]
    pub(super) fn release_waiting(
        &mut self,
        peer: Option<AckBase>,
        out: &mut dyn StreamSink,
    ) -> bool {
        let mut out_of_order = self.take_out_of_order();
        out_of_order.peer = peer;
        let before = self.position;
        self.deliver_contiguous(false, &mut out_of_order, out);
        self.set_out_of_order(out_of_order);
        self.position > before
    }

    /// Skips every missing range whose deadline has passed.
    #[cold]
    pub(super) fn skip_due_holes(
        &mut self,
        now: Timestamp,
        peer: Option<AckBase>,
        out: &mut dyn StreamSink,
    ) {
        let mut out_of_order = self.take_out_of_order();
        out_of_order.peer = peer;
        if self.state == State::Unstarted {
            self.place_unplaced(&mut out_of_order, out);
        }
        if out_of_order.far_ahead.acked.is_some_and(|acked| acked <= now) {
            self.accept_far_ahead(&mut out_of_order, out);
        }
        let start = self.position;
        loop {
            out_of_order.forget_reached_acks(self.position);
            // What has just come to the position waits for the other side, or the other way round: it is that one's turn.
            let is_waited_for = out_of_order.peer.is_some_and(|peer| peer.waited_for.is_some());
            if self.position > start && (is_waited_for || self.waits(&out_of_order)) {
                break;
            }
            if self.hole_deadline(&out_of_order).is_some_and(|due| due <= now) {
                self.skip_lowest_hole(&mut out_of_order, out);
            } else if let Some((due, to)) = self.ack_deadline(&out_of_order)
                && due <= now
            {
                let next = out_of_order.next().map_or(to, |(next, _)| next.min(to));
                self.skip(self.interrupted(next, &out_of_order), out);
                self.deliver_contiguous(false, &mut out_of_order, out);
            } else {
                break;
            }
        }
        self.set_out_of_order(out_of_order);
    }

    /// Deadline of the missing range at the position.
    fn hole_deadline(&self, out_of_order: &OutOfOrder) -> Option<Timestamp> {
        let (_, next_since) = out_of_order.next()?;
        if self.waits(out_of_order) {
            // Longer than the bytes of the other side that are missing, so that they are a gap first.
            let since = out_of_order.store.sent(self.position).map_or(next_since, |sent| sent.ts);
            return Some(since + 2 * self.config.grace);
        }
        let since = match out_of_order.hole {
            Some((at, since)) if at == self.position => since,
            _ => next_since,
        };
        Some(since + self.config.hole_timeout)
    }

    /// Deadline of acknowledged missing bytes, and the acknowledged offset.
    pub(super) fn ack_deadline(&self, out_of_order: &OutOfOrder) -> Option<(Timestamp, u64)> {
        let (offset, ts) = out_of_order.acked.filter(|(offset, _)| *offset > self.position)?;
        if self.waits(out_of_order) {
            return None;
        }
        // One sequence number at the end is that of a FIN not captured, rather than of a byte.
        if offset == self.position + 1
            && out_of_order.next().is_none()
            && out_of_order.acked_later.is_none()
        {
            return None;
        }
        Some((ts + self.config.grace, offset))
    }

    pub(super) fn next_deadline(&self, out_of_order: &OutOfOrder) -> Timestamp {
        if self.is_closed() && out_of_order.is_idle() {
            return Timestamp::MAX;
        }
        if self.state == State::Unstarted {
            let first = out_of_order.unplaced.first();
            return first.map_or(Timestamp::MAX, |first| first.ts + self.config.grace);
        }
        let hole = self.hole_deadline(out_of_order).unwrap_or(Timestamp::MAX);
        let hole = out_of_order.far_ahead.acked.map_or(hole, |acked| acked.min(hole));
        self.ack_deadline(out_of_order).map_or(hole, |(due, _)| due.min(hole))
    }

    /// Records that the other side has acknowledged everything before `ack`.
    pub(super) fn note_ack(&mut self, ack: u32, ts: Timestamp) {
        self.acknowledged = true;
        if self.state == State::Unstarted && !self.acked_first && self.out_of_order().is_none() {
            (self.seq, self.acked_first) = (ack, true);
        }
        let ahead = ack.wrapping_sub(self.seq).cast_signed();
        if ahead <= 0 || self.state != State::Open {
            return;
        }
        if ahead.cast_unsigned() > self.config.max_ahead {
            return self.note_far_ack(ack, ts);
        }
        if self.out_of_order().is_some_and(|out_of_order| !out_of_order.far_ahead.is_empty()) {
            self.note_far_ack(ack, ts);
        }
        let mut out_of_order = self.take_out_of_order();
        let end = out_of_order.fin.map_or(u64::MAX, |(end, _)| end);
        let offset = (self.position + u64::from(ahead.cast_unsigned())).min(end);
        out_of_order.note_ack(offset, ts);
        self.set_out_of_order(out_of_order);
    }

    /// Delivers everything at the end of the flow.
    pub(super) fn flush(&mut self, peer: Option<AckBase>, out: &mut dyn StreamSink) {
        if self.out_of_order().is_some() {
            self.flush_buffered(peer, out);
        }
        self.close();
        self.cold = None;
        self.deadline = Timestamp::MAX;
        self.check();
    }

    fn flush_buffered(&mut self, peer: Option<AckBase>, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_out_of_order();
        out_of_order.peer = peer;
        self.place_unplaced(&mut out_of_order, out);
        if out_of_order.far_ahead.acked.is_some() {
            self.accept_far_ahead(&mut out_of_order, out);
        }
        self.drop_far_ahead(&mut out_of_order, out);
        while self.skip_lowest_hole(&mut out_of_order, out) {}
        self.skip_acknowledged(&mut out_of_order, out);
    }
}

/// Whether bytes of the other side are still to come that bytes acknowledging `ack` were sent behind.
#[inline]
fn lacks(peer: Option<AckBase>, ack: Option<u32>) -> bool {
    peer.zip(ack).is_some_and(|(peer, ack)| peer.lacks(ack))
}
