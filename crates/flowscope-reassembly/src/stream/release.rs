use flowscope_core::{Loss, Reassembler as _, StreamSink, Timestamp};

use super::wait::Wait;
use super::{HoleFilling, State};

/// What goes out, and when.
impl HoleFilling {
    /// Moves over everything that is known at the position: data, cuts, the end of the stream.
    pub(super) fn advance_over(&mut self, wait: &mut Wait, out: &mut dyn StreamSink) {
        loop {
            let limit = wait.fin.map_or(u64::MAX, |(end, _)| end);
            if limit <= self.position {
                return self.finish(wait, out);
            }
            let mut position = self.position;
            wait.held.take_run(&mut position, limit, |_, bytes| self.deliver(bytes, out));
            match wait.cuts.first() {
                Some(cut) if cut.start <= self.position && self.position < limit => {
                    wait.cuts.pop_first();
                    // Another copy may have some of it.
                    let data = wait.held.spans().first().map_or(u64::MAX, |span| span.start);
                    self.skip(cut.end.min(data).min(limit), out);
                    if cut.end > self.position {
                        wait.cuts.insert(self.position..cut.end, cut.since, true);
                    }
                }
                _ if self.position >= limit => {}
                _ => return,
            }
        }
    }

    /// The position has come to the FIN.
    fn finish(&mut self, wait: &mut Wait, out: &mut dyn StreamSink) {
        self.state = if self.is_closed() { State::ClosedFinished } else { State::Finished };
        wait.fin = None;
        wait.cuts.clear();
        (wait.acked, wait.acked_later) = (None, None);
        let behind = wait.held.clear();
        self.lose(Loss::OutOfWindow, behind, out);
    }

    /// Gives up the hole at the position; whether there was one.
    pub(super) fn release_lowest(&mut self, wait: &mut Wait, out: &mut dyn StreamSink) -> bool {
        let Some((next, _)) = wait.next() else { return false };
        self.skip(next, out);
        self.advance_over(wait, out);
        true
    }

    /// Releases everything whose time has come.
    #[cold]
    pub(super) fn release_due(&mut self, now: Timestamp, out: &mut dyn StreamSink) {
        let mut wait = self.take_wait();
        if self.state == State::Unstarted {
            self.unstash(&mut wait, out);
        }
        loop {
            wait.pass_acks(self.position);
            if self.hole_deadline(&wait).is_some_and(|due| due <= now) {
                self.release_lowest(&mut wait, out);
            } else if let Some((due, to)) = self.ack_deadline(&wait)
                && due <= now
            {
                let next = wait.next().map_or(to, |(next, _)| next.min(to));
                self.skip(next, out);
                self.advance_over(&mut wait, out);
            } else {
                break;
            }
        }
        self.put_back(wait);
    }

    /// When what waits has waited long enough.
    fn hole_deadline(&self, wait: &Wait) -> Option<Timestamp> {
        let (_, next_since) = wait.next()?;
        let since = match wait.hole {
            Some((at, since)) if at == self.position => since,
            _ => next_since,
        };
        Some(since + self.config.hole_timeout)
    }

    /// When a hole that was acknowledged has waited long enough, and up to where it was.
    fn ack_deadline(&self, wait: &Wait) -> Option<(Timestamp, u64)> {
        let (offset, ts) = wait.acked.filter(|(offset, _)| *offset > self.position)?;
        // One number at the tail is a FIN's that was not captured, rather than a byte's.
        if offset == self.position + 1 && wait.next().is_none() && wait.acked_later.is_none() {
            return None;
        }
        Some((ts + self.config.grace, offset))
    }

    pub(super) fn next_deadline(&self, wait: &Wait) -> Timestamp {
        if self.is_closed() && wait.is_idle() {
            return Timestamp::MAX;
        }
        if self.state == State::Unstarted {
            let first = wait.stash.first();
            return first.map_or(Timestamp::MAX, |first| first.ts + self.config.grace);
        }
        let hole = self.hole_deadline(wait).unwrap_or(Timestamp::MAX);
        self.ack_deadline(wait).map_or(hole, |(due, _)| due.min(hole))
    }

    /// The other side has acknowledged everything before `ack`.
    pub(super) fn note_ack(&mut self, ack: u32, ts: Timestamp) {
        let ahead = ack.wrapping_sub(self.seq).cast_signed();
        if ahead <= 0 || self.state != State::Open || ahead.cast_unsigned() > self.config.max_ahead
        {
            return;
        }
        let mut wait = self.take_wait();
        let end = wait.fin.map_or(u64::MAX, |(end, _)| end);
        let offset = (self.position + u64::from(ahead.cast_unsigned())).min(end);
        wait.note_ack(offset, ts);
        self.put_back(wait);
    }

    /// The flow is over.
    pub(super) fn flush(&mut self, out: &mut dyn StreamSink) {
        let mut wait = self.take_wait();
        self.unstash(&mut wait, out);
        self.drop_stray(&mut wait, out);
        while self.release_lowest(&mut wait, out) {}
        if !self.finished() {
            wait.pass_acks(self.position);
            let acked = wait.acked_later.or(wait.acked).map_or(0, |(offset, _)| offset);
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
