use flowscope_core::{Conflict, KeptCopy, Loss, Reassembler as _, Segment, StreamSink, Timestamp};

use super::out_of_order::{OutOfOrder, Piece, Stashed};
use super::{State, StreamReassembler};

/// How much is set aside while it is not known where a stream begins.
const STASH_SEGMENTS: usize = 16;
const STASH_BYTES: usize = 8 << 10;

/// What comes in.
impl StreamReassembler {
    /// A segment that needs a closer look.
    pub(super) fn push_any(&mut self, segment: &Segment<'_>, out: &mut dyn StreamSink) {
        let piece = Piece::from(segment);
        if self.is_closed() {
            self.lose(Loss::OutOfWindow, piece.payload.len() as u64, out);
            return self.check();
        }
        let mut out_of_order = self.take_wait();
        if self.state == State::Unstarted {
            if segment.syn {
                self.open_at(segment.seq);
                self.unstash(&mut out_of_order, out);
            } else {
                self.gather(piece, &mut out_of_order, out);
                return self.put_back(out_of_order);
            }
        }
        if !out_of_order.stash.is_empty() {
            self.unstash(&mut out_of_order, out);
        }
        self.insert(piece, &mut out_of_order, out);
        self.put_back(out_of_order);
    }

    /// Without a sink nothing can be put in order: the segment is kept as it is.
    pub(super) fn keep(&mut self, piece: Piece<'_>) {
        let len = piece.payload.len();
        self.accounting.see(len as u64);
        let max_held = self.config.max_held.get();
        let closed = self.is_closed();
        let mut out_of_order = self.take_wait();
        let room = max_held.saturating_sub(out_of_order.cost());
        if closed || len + 2 * size_of::<Stashed>() > room {
            out_of_order.refused += len as u64;
        } else {
            out_of_order.stash(piece);
        }
        self.put_back(out_of_order);
    }

    pub(super) fn open_at(&mut self, seq: u32) {
        self.seq = seq;
        self.state = State::Open;
    }

    /// Data of a stream whose beginning was not seen.
    fn gather(
        &mut self,
        piece: Piece<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if piece.wire_len() > 0 || piece.fin {
            out_of_order.stash(piece);
        }
        if out_of_order.stash.len() >= STASH_SEGMENTS || out_of_order.stashed >= STASH_BYTES {
            self.unstash(out_of_order, out);
        }
    }

    /// Puts what was set aside in its place, in the order in which it came; the stream begins at
    /// the lowest number of it if it has not begun.
    pub(super) fn unstash(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        if self.state == State::Unstarted {
            match out_of_order.first_seq(self.config.max_ahead) {
                Some(seq) => self.open_at(seq),
                None => return self.lose_refused(out_of_order, out),
            }
        }
        for stashed in out_of_order.take_stash() {
            self.insert(Piece::from(&stashed), out_of_order, out);
        }
        self.lose_refused(out_of_order, out);
    }

    fn lose_refused(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        let refused = std::mem::take(&mut out_of_order.refused);
        let cause = if self.is_closed() { Loss::OutOfWindow } else { Loss::Memcap };
        self.lose(cause, refused, out);
    }

    /// A segment of a stream that has begun.
    fn insert(
        &mut self,
        piece: Piece<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let mut payload = piece.payload;
        let ahead = i64::from(piece.seq.wrapping_sub(self.seq).cast_signed());
        let max_ahead = i64::from(self.config.max_ahead);
        if ahead > max_ahead {
            return self.set_aside(piece, out_of_order, out);
        }
        if !payload.is_empty() {
            self.drop_stray(out_of_order, out);
        }
        // Negative before the stream's start.
        let start = self.position.cast_signed() + ahead;
        let end = start + piece.wire_len().cast_signed();
        if end < 0 || ahead < -max_ahead {
            return self.lose(Loss::OutOfWindow, payload.len() as u64, out);
        }
        if start < 0 {
            let before = split_off(&mut payload, start.unsigned_abs());
            self.lose(Loss::OutOfWindow, before.len() as u64, out);
        }
        let (start, mut end) = (start.max(0).cast_unsigned(), end.cast_unsigned());

        if piece.fin && !self.finished() && !out_of_order.has_fin() && end >= self.position {
            out_of_order.fin = Some((end, piece.ts));
        }
        let limit = if self.finished() {
            self.position
        } else {
            out_of_order.fin.map_or(u64::MAX, |f| f.0)
        };
        if end > limit {
            let kept = split_off(&mut payload, limit.saturating_sub(start));
            self.lose(Loss::OutOfWindow, payload.len() as u64, out);
            (payload, end) = (kept, limit);
        }
        let mut at = start;
        if start < self.position {
            let old = split_off(&mut payload, self.position - start);
            let keep_alive = piece.wire_len == 1 && start + 1 == self.position;
            self.behind(start, old, keep_alive, out);
            at = self.position;
        }

        let captured = at + payload.len() as u64;
        if at == self.position && out_of_order.next().is_none_or(|(next, _)| next >= end) {
            self.deliver(payload, out);
            self.skip(end, out);
        } else if at < end {
            self.hold(at, payload, piece.ts, out_of_order, out);
            if captured < end {
                out_of_order.cuts.insert(captured..end, piece.ts, true);
            }
        }
        self.advance_over(out_of_order, out);
        // The hole is as old as what came first behind it.
        if let Some((_, since)) = out_of_order.next()
            && out_of_order.hole.is_none_or(|(at, _)| at != self.position)
        {
            out_of_order.hole = Some((self.position, since));
        }
        while out_of_order.waiting_cost() > self.config.max_held.get() {
            if !self.release_lowest(out_of_order, out) {
                break;
            }
        }
    }

    /// Bytes behind a hole, or that overlap such.
    fn hold(
        &mut self,
        at: u64,
        payload: &[u8],
        ts: Timestamp,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        let added = out_of_order.held.insert(at, payload, ts, self.config.overlap);
        if let Some(conflict) = added.conflict {
            out.conflict(conflict);
        }
        self.lose(Loss::Duplicate, added.overlap, out);
    }

    /// Bytes whose place was delivered or given up.
    fn behind(&mut self, at: u64, bytes: &[u8], keep_alive: bool, out: &mut dyn StreamSink) {
        let end = at + bytes.len() as u64;
        let (mut late, mut differ) = (0, None);
        if let Some(more) = &self.more {
            late = more.gaps.as_ref().map_or(0, |gaps| gaps.cover(at, end));
            if self.config.history > 0 && !keep_alive {
                differ = more.history.differs(at, bytes, self.config.seed);
            }
        }
        if let Some(part) = differ {
            let len = part.end - part.start;
            out.conflict(Conflict { at: part.start, len, kept: KeptCopy::First });
        }
        self.lose(Loss::OooDropped, late, out);
        self.lose(Loss::Duplicate, end - at - late, out);
    }

    /// A segment too far ahead to be believed by itself.
    fn set_aside(
        &mut self,
        piece: Piece<'_>,
        out_of_order: &mut OutOfOrder,
        out: &mut dyn StreamSink,
    ) {
        if piece.payload.is_empty() {
            return;
        }
        if self.finished() || out_of_order.has_fin() {
            return self.lose(Loss::OutOfWindow, piece.payload.len() as u64, out);
        }
        match out_of_order.stray.take() {
            Some(stray) if stray.end() == piece.seq => {
                // Two in a row: the capture missed what lies between.
                while self.release_lowest(out_of_order, out) {}
                let distance = stray.seq.wrapping_sub(self.seq).cast_signed();
                if let Ok(distance) = u64::try_from(distance) {
                    self.skip(self.position + distance, out);
                }
                self.insert(Piece::from(&stray), out_of_order, out);
                self.insert(piece, out_of_order, out);
            }
            other => {
                out_of_order.stray = other;
                self.drop_stray(out_of_order, out);
                out_of_order.stray = Some(piece.into());
            }
        }
    }

    /// The stray was not continued.
    pub(super) fn drop_stray(&mut self, out_of_order: &mut OutOfOrder, out: &mut dyn StreamSink) {
        if let Some(stray) = out_of_order.stray.take() {
            self.lose(Loss::OutOfWindow, stray.payload.len() as u64, out);
        }
    }
}

/// Takes the first `len` bytes off, or all.
fn split_off<'a>(payload: &mut &'a [u8], len: u64) -> &'a [u8] {
    let at = usize::try_from(len).unwrap_or(usize::MAX).min(payload.len());
    let (front, back) = payload.split_at(at);
    *payload = back;
    front
}
