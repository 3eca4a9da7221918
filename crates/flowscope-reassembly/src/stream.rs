//! TCP stream reassembly: one [`StreamReassembler`] per direction of a flow.

mod accounting;
mod acks;
mod config;
mod far_ahead;
mod history;
mod holes;
mod insert;
mod out_of_order;
mod overlap;
mod ranges;
mod segment_store;

use std::sync::Arc;

use flowscope_core::{
    FlowSide, Loss, Reassembler, ReassemblerFactory, Segment, StreamSink, Timestamp,
};

pub use config::StreamConfig;
pub use overlap::OverlapPolicy;

use accounting::Accounting;
use acks::AckBase;
use history::History;
use out_of_order::{OutOfOrder, SegmentRef};

/// Reassembles the TCP stream of one direction of a flow, and buffers out-of-order segments.
///
/// In-order segments go directly to the sink, borrowed from the frame: nothing is copied, and only the
/// history is allocated, once. Segments behind missing bytes are buffered until the bytes arrive or are
/// reported as a gap: when the receiver has acknowledged them for longer than the
/// [grace](StreamConfig::grace), when its [timeout](StreamConfig::hole_timeout) has passed, when what waits
/// has reached its [bound](StreamConfig::max_held), or when the flow ends. Bytes cut off by the snap length
/// are a gap as soon as the stream reaches them.
///
/// Offsets have 64 bits. 0 is the first byte after the SYN; without a SYN, the lowest sequence
/// number seen within the grace (or in the first 16 segments or 8 KiB, whichever is over first).
///
/// Bytes that are not delivered are [lost](StreamSink::lost) under one of these names:
///
/// | cause | bytes |
/// |---|---|
/// | [`Duplicate`](Loss::Duplicate) | received before, whichever copy is delivered |
/// | [`OooDropped`](Loss::OooDropped) | received after their range was reported as a gap (the last 8 gaps are remembered) |
/// | [`OutOfWindow`](Loss::OutOfWindow) | before the stream's start, behind its FIN, after a reset or the end, or [too far away](StreamConfig::max_ahead) and not acknowledged |
/// | [`Memcap`](Loss::Memcap) | freed by [`drop_buffered`](Reassembler::drop_buffered), or refused by [`segment`](Reassembler::segment) |
///
/// Bytes come with what their own segment [acknowledges](StreamSink::bytes_acking), also those that waited.
///
/// Differing copies are a [conflict](StreamSink::conflict), at most one per segment with what waits, found to
/// the byte, and one with what was delivered, as far as the [history](StreamConfig::history) reaches: a chunk
/// (one segment, or many small ones) that a retransmission covers whole, and any of the last 64 bytes. One
/// byte just before the stream's position is a keep-alive (RFC 9293 §3.8.4), whose content is garbage by
/// design, and is a duplicate without a conflict.
///
/// At every moment, in bytes of payload: `seen = delivered + Σ lost + pending`, and `position =
/// delivered + gap`. Debug builds assert it.
///
/// Without an engine, [`segment`](Reassembler::segment) buffers its input until [`drain`](Reassembler::drain)
/// delivers it. Bytes beyond the bound are refused.
#[derive(Debug)]
pub struct StreamReassembler {
    /// Offset of the next byte to deliver.
    position: u64,
    /// Next deadline; [`Timestamp::MAX`] if none.
    deadline: Timestamp,
    config: Arc<StreamConfig>,
    cold: Option<Box<ColdState>>,
    /// Sequence number of the byte at `position`; before the start is known, see `acked_first`.
    seq: u32,
    state: State,
    /// Whether an acknowledgement of the other side was seen.
    acknowledged: bool,
    /// Whether `seq` is what was acknowledged before anything of the stream was there.
    acked_first: bool,
    /// Whether bytes wait for what their sender had received of the other side.
    ordered: bool,
    accounting: Accounting,
}

/// State of streams with data, gaps or out-of-order segments.
#[derive(Debug)]
struct ColdState {
    history: History,
    gaps: Option<Box<Gaps>>,
    out_of_order: Option<Box<OutOfOrder>>,
}

/// State of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The start of the stream is not known.
    Unstarted,
    Open,
    /// Everything up to the FIN was delivered.
    Finished,
    /// Reset or ended before the start of the stream was known.
    ClosedUnstarted,
    /// Reset or ended, the FIN not reached.
    Closed,
    /// Reset or ended after everything up to the FIN was delivered.
    ClosedFinished,
}

/// Factory of [`StreamReassembler`]s with one configuration.
#[derive(Clone, Debug, Default)]
pub struct StreamReassemblerFactory {
    config: Arc<StreamConfig>,
    ordered: bool,
}

impl StreamReassemblerFactory {
    /// Creates a factory with this configuration.
    #[must_use]
    pub fn new(config: StreamConfig) -> Self {
        StreamReassemblerFactory { config: Arc::new(config), ordered: false }
    }

    /// Delivers the bytes of both sides in the order in which they were sent, as far as acknowledgements show it
    /// (RFC 9293 §3.4); default: each side by itself.
    ///
    /// Bytes whose segment acknowledges bytes of the other side that are still to come wait for those, or for the gap
    /// in their place, up to twice the [grace](StreamConfig::grace): a request that was captured behind its response, or not at
    /// all, is followed by it all the same. For engines that call [`release`](Reassembler::release), as they should
    /// where a parser reads both sides.
    #[must_use]
    pub fn in_order_of_both_sides(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Creates a reassembler for one side of a flow.
    #[must_use]
    pub fn make(&self) -> StreamReassembler {
        StreamReassembler {
            position: 0,
            deadline: Timestamp::MAX,
            config: Arc::clone(&self.config),
            cold: None,
            seq: 0,
            state: State::Unstarted,
            acknowledged: false,
            acked_first: false,
            ordered: self.ordered,
            accounting: Accounting::default(),
        }
    }
}

impl<K> ReassemblerFactory<K> for StreamReassemblerFactory {
    type Reassembler = StreamReassembler;

    fn new_reassembler(&mut self, _key: &K, _side: FlowSide) -> StreamReassembler {
        self.make()
    }
}

/// A reassembler with its own default configuration; a [factory](StreamReassemblerFactory) shares one.
impl Default for StreamReassembler {
    fn default() -> Self {
        StreamReassemblerFactory::default().make()
    }
}

impl StreamReassembler {
    /// Offset of the next byte to deliver: delivered bytes and gaps so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Handles what needs no buffer: a bare SYN, and whole segments in order. Returns whether it was one.
    #[inline]
    fn push_in_order(
        &mut self,
        segment: &Segment<'_>,
        peer: &Self,
        out: &mut dyn StreamSink,
    ) -> bool {
        let is_whole = segment.payload.len() == segment.wire_len as usize;
        match self.state {
            State::Open if segment.seq == self.seq && is_whole => {
                let Some(acked) = self.acked_in_order(segment.ack, peer) else { return false };
                self.deliver(segment.payload, acked, None, out);
                if segment.fin {
                    self.state = State::Finished;
                }
            }
            State::Unstarted
                if segment.syn && segment.wire_len == 0 && !segment.fin && is_whole =>
            {
                self.open_at(segment.seq);
            }
            _ => return false,
        }
        self.check();
        true
    }

    fn close(&mut self) {
        if self.state == State::Unstarted
            && let Some(seq) = self.out_of_order().and_then(|it| self.start_of(it))
        {
            self.open_at(seq);
        }
        self.state = match self.state {
            State::Unstarted | State::ClosedUnstarted => State::ClosedUnstarted,
            State::Finished | State::ClosedFinished => State::ClosedFinished,
            State::Open | State::Closed => State::Closed,
        };
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::ClosedUnstarted | State::ClosedFinished)
    }

    fn cold(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_with(|| {
            Box::new(ColdState { history: History::new(), gaps: None, out_of_order: None })
        })
    }

    fn out_of_order(&self) -> Option<&OutOfOrder> {
        self.cold.as_ref()?.out_of_order.as_deref()
    }

    /// Takes the out-of-order state out of `self`; [`set_out_of_order`](Self::put_back) follows.
    fn take_out_of_order(&mut self) -> Box<OutOfOrder> {
        self.cold.as_mut().and_then(|cold| cold.out_of_order.take()).unwrap_or_default()
    }

    fn set_out_of_order(&mut self, mut out_of_order: Box<OutOfOrder>) {
        out_of_order.forget_reached_acks(self.position);
        match out_of_order.next() {
            None => out_of_order.hole = None,
            Some((_, since)) if out_of_order.hole.is_none_or(|(at, _)| at != self.position) => {
                out_of_order.hole = Some((self.position, since));
            }
            Some(_) => {}
        }
        self.deadline = self.next_deadline(&out_of_order);
        if !out_of_order.is_idle() {
            self.cold().out_of_order = Some(out_of_order);
        }
        self.check();
    }

    /// The offset up to which a segment acknowledges the other side, if that is known; `None` if it waits for that.
    #[inline]
    fn acked_in_order(&self, ack: Option<u32>, peer: &Self) -> Option<Option<u64>> {
        let Some(ack) = ack else { return Some(None) };
        let ahead = ack.wrapping_sub(peer.seq).cast_signed();
        // All of the other side that it acknowledges has been delivered.
        if peer.state == State::Open && ahead <= 0 && peer.out_of_order().is_none() {
            return Some(peer.position.checked_add_signed(ahead.into()));
        }
        self.acked_ahead(ack, peer)
    }

    #[inline(never)]
    fn acked_ahead(&self, ack: u32, peer: &Self) -> Option<Option<u64>> {
        let base = peer.ack_base();
        if self.must_wait(Some(ack), base) {
            return None;
        }
        Some(base.and_then(|base| base.offset(ack)))
    }

    /// Where the stream stands, for what the other side acknowledges of it. A stream whose start is not
    /// known yet begins where it would if nothing more came before.
    #[inline]
    fn ack_base(&self) -> Option<AckBase> {
        let max_ahead = self.config.max_ahead;
        let first = match self.state {
            State::Unstarted => self.out_of_order().and_then(|it| self.start_of(it)),
            _ => None,
        };
        let (seq, position, started) = match (self.state, first) {
            (State::ClosedUnstarted, _) => return None,
            (State::Unstarted, Some(first)) => (first, 0, true),
            (State::Unstarted, None) if self.acked_first => (self.seq, 0, false),
            (State::Unstarted, None) => return None,
            _ => (self.seq, self.position, true),
        };
        let fin = self.out_of_order().and_then(|out_of_order| out_of_order.fin);
        let end = match fin {
            _ if self.finished() => position,
            Some((end, _)) => end,
            None => u64::MAX,
        };
        let open = matches!(self.state, State::Unstarted | State::Open);
        let waited_for = match self.out_of_order() {
            Some(it) if self.ordered && self.waits(it) => {
                it.store.sent(self.position).map(|it| it.ack)
            }
            _ => None,
        };
        Some(AckBase { seq, position, end, max_ahead, open, started, waited_for })
    }

    /// Delivers in-order bytes of a segment that acknowledges up to `acked`, and came at `ts` if that was before.
    #[inline]
    fn deliver(
        &mut self,
        bytes: &[u8],
        acked: Option<u64>,
        ts: Option<Timestamp>,
        out: &mut dyn StreamSink,
    ) {
        if bytes.is_empty() {
            return;
        }
        let at = self.position;
        out.bytes_acking(at, bytes, acked, ts);
        let (limit, seed) = (self.config.history, self.config.seed);
        if limit > 0 {
            self.cold().history.remember(at, bytes, limit, seed);
        }
        self.advance(bytes.len() as u64);
        self.accounting.deliver(bytes.len() as u64);
    }

    /// Reports the missing bytes before `to` as a gap.
    fn skip(&mut self, to: u64, out: &mut dyn StreamSink) {
        let at = self.position;
        if to > at {
            out.gap(at, to - at);
            self.cold().gaps.get_or_insert_default().add(at, to);
            self.advance(to - at);
            self.accounting.skip(to - at);
        }
    }

    fn report_lost(&mut self, cause: Loss, bytes: u64, out: &mut dyn StreamSink) {
        if bytes > 0 {
            out.lost(cause, bytes);
            self.accounting.lose(bytes);
        }
    }

    #[inline]
    fn advance(&mut self, by: u64) {
        self.position += by;
        self.seq = self.seq.wrapping_add(by as u32);
    }

    #[inline]
    fn check(&self) {
        if cfg!(debug_assertions) {
            self.accounting.assert(self.position, self.pending());
        }
    }
}

impl Reassembler for StreamReassembler {
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.store_unplaced(SegmentRef {
            seq,
            wire_len,
            fin: false,
            ts: Timestamp::ZERO,
            ack: None,
            out_of_window: false,
            payload,
        });
    }

    /// The stream ends behind the last byte received.
    fn fin(&mut self) {
        let out_of_order = self.out_of_order();
        if self.is_closed() || self.finished() || out_of_order.is_some_and(OutOfOrder::has_fin) {
            return;
        }
        let held_to = out_of_order
            .and_then(|out_of_order| out_of_order.store.ranges().last())
            .map_or(0, |range| range.end);
        let ahead = held_to.saturating_sub(self.position) as u32;
        let known = (self.state == State::Open).then(|| self.seq.wrapping_add(ahead));
        let seq = out_of_order
            .and_then(|out_of_order| out_of_order.last_seq(known))
            .or(known)
            .unwrap_or(self.seq);
        self.store_unplaced(SegmentRef {
            seq,
            wire_len: 0,
            fin: true,
            ts: Timestamp::ZERO,
            ack: None,
            out_of_window: false,
            payload: &[],
        });
    }

    fn rst(&mut self) {
        self.close();
    }

    /// Bytes behind it that came before are lost.
    fn retract_fin(&mut self) {
        if self.state == State::Finished {
            self.state = State::Open;
        }
        if self.out_of_order().is_some() {
            let mut out_of_order = self.take_out_of_order();
            out_of_order.fin = None;
            out_of_order.unplaced.iter_mut().for_each(|stored| stored.fin = false);
            self.set_out_of_order(out_of_order);
        }
    }

    fn drain(&mut self, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_out_of_order();
        self.place_unplaced(&mut out_of_order, out);
        self.set_out_of_order(out_of_order);
    }

    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        if let Some(ack) = segment.ack {
            peer.note_ack(ack, segment.ts);
        }
        if segment.ts >= self.deadline {
            self.skip_due_holes(segment.ts, peer.ack_base(), out);
        }
        if segment.wire_len == 0 && segment.payload.is_empty() && !segment.syn && !segment.fin {
            return;
        }
        self.accounting.see(segment.payload.len() as u64);
        if self.out_of_order().is_some() || !self.push_in_order(&segment, peer, out) {
            self.push_slow(&segment, peer.ack_base(), out);
        }
    }

    fn finished(&self) -> bool {
        matches!(self.state, State::Finished | State::ClosedFinished)
    }

    fn has_hole(&self, _peer: &Self) -> bool {
        self.state == State::Open
            && self
                .out_of_order()
                .is_some_and(|it| it.next().is_some() || self.ack_deadline(it).is_some())
    }

    fn deadline(&self) -> Option<Timestamp> {
        (self.deadline < Timestamp::MAX).then_some(self.deadline)
    }

    fn timeout(&mut self, now: Timestamp, peer: &mut Self, out: &mut dyn StreamSink) {
        if now >= self.deadline {
            self.skip_due_holes(now, peer.ack_base(), out);
        }
    }

    fn is_waiting(&self) -> bool {
        self.ordered && self.out_of_order().is_some_and(|it| self.waits(it))
    }

    fn release(&mut self, peer: &mut Self, out: &mut dyn StreamSink) -> bool {
        self.is_waiting() && self.release_waiting(peer.ack_base(), out)
    }

    fn give_up(&mut self, peer: &mut Self, out: &mut dyn StreamSink) -> bool {
        self.out_of_order().is_some() && self.skip_one(peer.ack_base(), out)
    }

    fn end(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        self.flush(peer.ack_base(), out);
    }

    /// Later bytes are lost as [`Loss::OutOfWindow`].
    fn abandon(&mut self, cause: Loss, out: &mut dyn StreamSink) {
        let pending = self.pending();
        self.report_lost(cause, pending, out);
        self.close();
        self.cold = None;
        self.deadline = Timestamp::MAX;
        self.check();
    }

    fn drop_buffered(&mut self, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_out_of_order();
        let pending = out_of_order.pending();
        *out_of_order = OutOfOrder {
            fin: out_of_order.fin,
            acked: out_of_order.acked,
            acked_later: out_of_order.acked_later,
            ..OutOfOrder::default()
        };
        self.report_lost(Loss::Memcap, pending, out);
        self.set_out_of_order(out_of_order);
    }

    fn pending(&self) -> u64 {
        self.out_of_order().map_or(0, OutOfOrder::pending)
    }

    fn heap_bytes(&self) -> usize {
        let cold = self.cold.as_ref().map_or(0, |cold| {
            size_of::<ColdState>() + cold.gaps.as_ref().map_or(0, |_| size_of::<Gaps>())
        });
        cold + self.out_of_order().map_or(0, OutOfOrder::cost)
    }
}

/// The most recent gaps, so that late bytes in them do not count as duplicates.
#[derive(Debug, Default)]
struct Gaps {
    recent: [(u64, u64); 8],
    next: u8,
}

impl Gaps {
    fn add(&mut self, at: u64, to: u64) {
        let last = self.recent.len() - 1;
        let newest = (usize::from(self.next) + last) & last;
        if let Some(newest) = self.recent.get_mut(newest)
            && newest.1 == at
            && newest.0 < at
        {
            newest.1 = to;
            return;
        }
        if let Some(oldest) = self.recent.get_mut(usize::from(self.next)) {
            *oldest = (at, to);
        }
        self.next = (self.next + 1) & last as u8;
    }

    /// How many of the bytes from `at` to `to` lie in gaps.
    fn cover(&self, at: u64, to: u64) -> u64 {
        let common = |&(from, end): &(u64, u64)| end.min(to).saturating_sub(from.max(at));
        self.recent.iter().map(common).sum()
    }
}

#[cfg(test)]
mod tests;
