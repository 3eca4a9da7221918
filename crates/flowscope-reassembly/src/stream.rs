//! The streams of TCP: one [`StreamReassembler`] per direction of a flow.

mod accounting;
mod config;
mod history;
mod insert;
mod out_of_order;
mod overlap;
mod release;
mod segment_store;
mod spans;

use std::sync::Arc;

use flowscope_core::{
    FlowSide, Loss, Reassembler, ReassemblerFactory, Segment, StreamSink, Timestamp,
};

pub use config::StreamConfig;
pub use overlap::OverlapPolicy;

use accounting::Accounting;
use history::History;
use out_of_order::{OutOfOrder, Piece};

/// Puts the segments of one direction of a flow in order, waiting for what is missing.
///
/// Segments in order go straight to the sink, borrowed from the frame: nothing is copied, and
/// nothing allocated but once the memory of what was delivered. Those behind a hole wait until it
/// is filled, or released as a gap: when the receiver has acknowledged it for longer than the
/// [grace](StreamConfig::grace), when its [timeout](StreamConfig::hole_timeout) has passed, when
/// what waits has reached its [bound](StreamConfig::max_held), or when the flow ends. What the snap
/// length cut off is a gap as soon as the stream has come there.
///
/// Offsets have 64 bits. 0 is the first byte after the SYN; without a SYN, the lowest sequence
/// number seen within the grace (or in the first 16 segments or 8 KiB, whichever is over first).
///
/// Bytes that are not delivered are [lost](StreamSink::lost) under one of these names:
///
/// | cause | bytes |
/// |---|---|
/// | [`Duplicate`](Loss::Duplicate) | that were there before, whichever copy is delivered |
/// | [`OooDropped`](Loss::OooDropped) | that came after their place was given up as a gap (of which the last 8 are remembered) |
/// | [`OutOfWindow`](Loss::OutOfWindow) | before the stream's start, behind its FIN, after a reset or the end, or [too far away](StreamConfig::max_ahead) and not continued by the next segment |
/// | [`Memcap`](Loss::Memcap) | let go of by [`shed`](Reassembler::drop_buffered), or refused by [`segment`](Reassembler::segment) |
///
/// Copies that differ are a [conflict](StreamSink::conflict), at most one per segment with what
/// waits, found to the byte, and one with what was delivered, as far as the
/// [history](StreamConfig::history) reaches: a chunk (one segment, or many small ones) that a
/// retransmission covers whole, and any of the last 64 bytes. One byte just before the stream's
/// position is a keep-alive (RFC 9293 §3.8.4), whose content is garbage by design, and is a
/// duplicate without a conflict.
///
/// At every moment, in bytes of payload: `seen = delivered + Σ lost + pending`, and `position =
/// delivered + gap`. Debug builds assert it.
///
/// Without an engine: [`segment`](Reassembler::segment) keeps what it is given until
/// [`drain`](Reassembler::drain) puts it in order; bytes that would exceed the bound are refused.
#[derive(Debug)]
pub struct StreamReassembler {
    /// Offset of the next byte to deliver.
    position: u64,
    /// When something is due; [`Timestamp::MAX`] if never.
    deadline: Timestamp,
    config: Arc<StreamConfig>,
    more: Option<Box<More>>,
    /// Sequence number of the byte at `position`.
    seq: u32,
    state: State,
    accounting: Accounting,
}

/// What only streams with data or trouble have.
#[derive(Debug)]
struct More {
    history: History,
    gaps: Option<Box<Gaps>>,
    out_of_order: Option<Box<OutOfOrder>>,
}

/// How far the life of a stream has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// It is not known where it begins.
    Unstarted,
    Open,
    /// Everything up to the FIN was delivered.
    Finished,
    /// Reset or ended, the FIN not reached.
    Closed,
    /// Reset or ended after everything up to the FIN was delivered.
    ClosedFinished,
}

/// Makes [`StreamReassembler`] reassemblers.
#[derive(Clone, Debug, Default)]
pub struct StreamReassemblerFactory {
    config: Arc<StreamConfig>,
}

impl StreamReassemblerFactory {
    /// A factory whose products all follow `config`.
    #[must_use]
    pub fn new(config: StreamConfig) -> Self {
        StreamReassemblerFactory { config: Arc::new(config) }
    }

    /// A fresh reassembler, for any side of any flow.
    #[must_use]
    pub fn make(&self) -> StreamReassembler {
        StreamReassembler {
            position: 0,
            deadline: Timestamp::MAX,
            config: Arc::clone(&self.config),
            more: None,
            seq: 0,
            state: State::Unstarted,
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

/// With a configuration of its own; a [factory](StreamReassemblerFactory) shares one.
impl Default for StreamReassembler {
    fn default() -> Self {
        StreamReassemblerFactory::default().make()
    }
}

impl StreamReassembler {
    /// Offset of the next byte to deliver: what was delivered, and gaps.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Gives the stream up: what waits is lost to `cause`, and memory is freed. What comes later is
    /// [`Loss::OutOfWindow`].
    pub fn abandon(&mut self, cause: Loss, out: &mut dyn StreamSink) {
        let pending = self.pending();
        self.lose(cause, pending, out);
        self.close();
        self.more = None;
        self.deadline = Timestamp::MAX;
        self.check();
    }

    fn close(&mut self) {
        if self.state == State::Unstarted
            && let Some(seq) = self
                .out_of_order()
                .and_then(|out_of_order| out_of_order.first_seq(self.config.max_ahead))
        {
            self.open_at(seq);
        }
        self.state = if self.finished() { State::ClosedFinished } else { State::Closed };
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::ClosedFinished)
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_with(|| {
            Box::new(More { history: History::new(), gaps: None, out_of_order: None })
        })
    }

    fn out_of_order(&self) -> Option<&OutOfOrder> {
        self.more.as_ref()?.out_of_order.as_deref()
    }

    /// What waits, taken out so that it can be worked on; [`put_back`](Self::put_back) follows.
    fn take_wait(&mut self) -> Box<OutOfOrder> {
        self.more.as_mut().and_then(|more| more.out_of_order.take()).unwrap_or_default()
    }

    fn put_back(&mut self, mut out_of_order: Box<OutOfOrder>) {
        out_of_order.pass_acks(self.position);
        match out_of_order.next() {
            None => out_of_order.hole = None,
            Some((_, since)) if out_of_order.hole.is_none_or(|(at, _)| at != self.position) => {
                out_of_order.hole = Some((self.position, since));
            }
            Some(_) => {}
        }
        self.deadline = self.next_deadline(&out_of_order);
        if !out_of_order.is_idle() {
            self.more().out_of_order = Some(out_of_order);
        }
        self.check();
    }

    /// Hands over bytes in order.
    #[inline]
    fn deliver(&mut self, bytes: &[u8], out: &mut dyn StreamSink) {
        if bytes.is_empty() {
            return;
        }
        let at = self.position;
        out.bytes(at, bytes);
        let (limit, seed) = (self.config.history, self.config.seed);
        if limit > 0 {
            self.more().history.remember(at, bytes, limit, seed);
        }
        self.advance(bytes.len() as u64);
        self.accounting.deliver(bytes.len() as u64);
    }

    /// Gives up what is missing before `to`.
    fn skip(&mut self, to: u64, out: &mut dyn StreamSink) {
        let at = self.position;
        if to > at {
            out.gap(at, to - at);
            self.more().gaps.get_or_insert_default().add(at, to);
            self.advance(to - at);
            self.accounting.skip(to - at);
        }
    }

    fn lose(&mut self, cause: Loss, bytes: u64, out: &mut dyn StreamSink) {
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
        self.keep(Piece { seq, wire_len, fin: false, ts: Timestamp::ZERO, payload });
    }

    /// The stream ends behind the last byte that came.
    fn fin(&mut self) {
        let out_of_order = self.out_of_order();
        if self.is_closed() || self.finished() || out_of_order.is_some_and(OutOfOrder::has_fin) {
            return;
        }
        let held_to = out_of_order
            .and_then(|out_of_order| out_of_order.held.spans().last())
            .map_or(0, |span| span.end);
        let ahead = held_to.saturating_sub(self.position) as u32;
        let known = (self.state == State::Open).then(|| self.seq.wrapping_add(ahead));
        let seq = out_of_order
            .and_then(|out_of_order| out_of_order.last_seq(known))
            .or(known)
            .unwrap_or(self.seq);
        self.keep(Piece { seq, wire_len: 0, fin: true, ts: Timestamp::ZERO, payload: &[] });
    }

    fn rst(&mut self) {
        self.close();
    }

    fn drain(&mut self, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_wait();
        self.unstash(&mut out_of_order, out);
        self.put_back(out_of_order);
    }

    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        if let Some(ack) = segment.ack {
            peer.note_ack(ack, segment.ts);
        }
        if segment.ts >= self.deadline {
            self.release_due(segment.ts, out);
        }
        if segment.wire_len == 0 && segment.payload.is_empty() && !segment.syn && !segment.fin {
            return;
        }
        self.accounting.see(segment.payload.len() as u64);
        let simple = segment.seq == self.seq
            && self.state == State::Open
            && segment.payload.len() == segment.wire_len as usize
            && !segment.fin;
        if simple && self.out_of_order().is_none() {
            self.deliver(segment.payload, out);
            self.check();
        } else {
            self.push_any(&segment, out);
        }
    }

    fn finished(&self) -> bool {
        matches!(self.state, State::Finished | State::ClosedFinished)
    }

    fn deadline(&self) -> Option<Timestamp> {
        (self.deadline < Timestamp::MAX).then_some(self.deadline)
    }

    fn timeout(&mut self, now: Timestamp, _peer: &mut Self, out: &mut dyn StreamSink) {
        if now >= self.deadline {
            self.release_due(now, out);
        }
    }

    fn end(&mut self, _peer: &mut Self, out: &mut dyn StreamSink) {
        self.flush(out);
    }

    fn drop_buffered(&mut self, out: &mut dyn StreamSink) {
        let mut out_of_order = self.take_wait();
        let pending = out_of_order.pending();
        *out_of_order = OutOfOrder {
            fin: out_of_order.fin,
            acked: out_of_order.acked,
            acked_later: out_of_order.acked_later,
            ..OutOfOrder::default()
        };
        self.lose(Loss::Memcap, pending, out);
        self.put_back(out_of_order);
    }

    fn pending(&self) -> u64 {
        self.out_of_order().map_or(0, OutOfOrder::pending)
    }

    fn heap_bytes(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            size_of::<More>() + more.gaps.as_ref().map_or(0, |_| size_of::<Gaps>())
        });
        more + self.out_of_order().map_or(0, OutOfOrder::cost)
    }
}

/// The last gaps, so that what comes for them later is not taken for a duplicate.
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
