use flowscope_core::{Loss, Reassembler as _, StreamSink, Timestamp};

use super::out_of_order::OutOfOrder;
use super::{State, StreamReassembler};

/// What goes out, and when.
impl StreamReassembler {
    /// Moves over everything that is known at the position: data, cuts, the end of the stream.
    pub(super) fn advance_over(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        loop {
            let limit = out_of_order.fin.map_or(u64::MAX, |(end, _)| end);
            if limit <= self.position {
                return self.finish(out_of_order, out);
            }
            let mut position = self.position;
            out_of_order.held.take_run(&mut position, limit, |_, bytes| self.deliver(bytes, out));
            match out_of_order.cuts.first() {
                Some(cut) if cut.start <= self.position && self.position < limit => {
                    out_of_order.cuts.pop_first();
                    // Another copy may have some of it.
                    let data =
                        out_of_order.held.spans().first().map_or(u64::MAX, |span| span.start);
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

    /// The position has come to the FIN.
    fn finish(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        self.state = if self.is_closed() { State::ClosedFinished } else { State::Finished };
        out_of_order.fin = None;
        out_of_order.cuts.clear();
        (out_of_order.acked, out_of_order.acked_later) = (None, None);
        let behind = out_of_order.held.clear();
        self.lose(Loss::OutOfWindow, behind, out);
    }

    /// Gives up the hole at the position; whether there was one.
    pub(super) fn release_lowest(
        &mut self,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) -> bool {
        let Some((next, _)) = out_of_order.next() else { return false };
        self.skip(next, out);
        self.advance_over(out_of_order, out);
        true
    }

    /// Releases everything whose time has come.
    #[cold]
    pub(super) fn release_due(&mut self, now: Timestamp, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_wait();
        if self.state == State::Unstarted {
            self.unstash(&mut out_of_order, out);
        }
        loop {
            out_of_order.pass_acks(self.position);
            if self.hole_deadline(&out_of_order).is_some_and(|due| due <= now) {
                self.release_lowest(&mut out_of_order, out);
            } else if let Some((due, to)) = self.ack_deadline(&out_of_order)
                && due <= now
            {
                let next = out_of_order.next().map_or(to, |(next, _)| next.min(to));
                self.skip(next, out);
                self.advance_over(&mut out_of_order, out);
            } else {
                break;
            }
        }
        self.put_back(out_of_order);
    }

    /// When what waits has waited long enough.
    fn hole_deadline(&self, out_of_order: &OutOfOrder) -> Option<Timestamp> {
        let (_, next_since) = out_of_order.next()?;
        let since = match out_of_order.hole {
            Some((at, since)) if at == self.position => since,
            _ => next_since,
        };
        Some(since + self.config.hole_timeout)
    }

    /// When a hole that was acknowledged has waited long enough, and up to where it was.
    fn ack_deadline(&self, out_of_order: &OutOfOrder) -> Option<(Timestamp, u64)> {
        let (offset, ts) = out_of_order.acked.filter(|(offset, _)| *offset > self.position)?;
        // One number at the tail is a FIN's that was not captured, rather than a byte's.
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
            let first = out_of_order.stash.first();
            return first.map_or(Timestamp::MAX, |first| first.ts + self.config.grace);
        }
        let hole = self.hole_deadline(out_of_order).unwrap_or(Timestamp::MAX);
        self.ack_deadline(out_of_order).map_or(hole, |(due, _)| due.min(hole))
    }

    /// The other side has acknowledged everything before `ack`.
    pub(super) fn note_ack(&mut self, ack: u32, ts: Timestamp) {
        let ahead = ack.wrapping_sub(self.seq).cast_signed();
        if ahead <= 0 || self.state != State::Open || ahead.cast_unsigned() > self.config.max_ahead
        {
            return;
        }
        let mut out_of_order = self.take_wait();
        let end = out_of_order.fin.map_or(u64::MAX, |(end, _)| end);
        let offset = (self.position + u64::from(ahead.cast_unsigned())).min(end);
        out_of_order.note_ack(offset, ts);
        self.put_back(out_of_order);
    }

    /// The flow is over.
    pub(super) fn flush(&mut self, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_wait();
        self.unstash(&mut out_of_order, out);
        self.drop_stray(&mut out_of_order, out);
        while self.release_lowest(&mut out_of_order, out) {}
        if !self.finished() {
            out_of_order.pass_acks(self.position);
            let acked =
                out_of_order.acked_later.or(out_of_order.acked).map_or(0, |(offset, _)| offset);
            // One number alone is taken for a FIN's.
            if acked > self.position + 1 {
                self.skip(acked, out);
            }
        }
        self.close();
        self.more = None;
        self.deadline = Timestamp::MAX;
        self.check();
    }
}
