//! Bounded queue from the driver to the reader of one flow.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use flowscope_core::{FlowSide, Loss, StreamChunk};

use super::block::Block;
use super::hub::{Hub, State, lock};
use super::{Ended, GapCause, Piece, Stalled};

/// Makes an empty channel. Lock order: channel, then hub.
pub(crate) fn channel(hub: &Arc<Hub>) -> (Sender, Receiver) {
    let shared = Arc::new(Shared { hub: Arc::clone(hub), queue: Mutex::default() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// End of the driver. If it is dropped before the flow has ended, the conversation is abandoned.
#[derive(Debug)]
pub(crate) struct Sender(Arc<Shared>);

/// End of the reader. Dropping it frees all queued pieces.
#[derive(Debug)]
pub(crate) struct Receiver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// Credit used by the pieces.
    used: usize,
    /// Payload bytes in the pieces.
    queued: u64,
    block: Block,
    /// Nothing is queued until half of the credit is free again.
    lagging: bool,
    /// Offset and length of the bytes dropped meanwhile, by side.
    missing: [Option<(u64, u64)>; 2],
    /// Bytes dropped so far.
    lagged: u64,
    /// The last piece, until it is read.
    ended: Option<Ended>,
    /// No more pieces will be queued.
    closed: bool,
    /// Closed because the reader was too slow.
    too_slow: bool,
    /// Counted in the hub as a channel that has used up its credit.
    full: bool,
    reader: Option<Waker>,
}

/// Credit of a piece in addition to its bytes.
const PIECE: usize = size_of::<Piece>();

/// Largest share of the total that may be in blocks without unread pieces.
const IDLE_SHARE: usize = 8;

const SIDES: [FlowSide; 2] = [FlowSide::Initiator, FlowSide::Responder];

impl Sender {
    /// Queues bytes in order. Returns whether the flow should be reassembled further: not if the
    /// reader was dropped, but still if it was too slow, so that its losses are counted.
    pub(crate) fn bytes(&self, feed: StreamChunk<'_>) -> bool {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        let len = feed.bytes.len() as u64;
        if queue.too_slow {
            queue.let_go(&mut hub.state(), len);
            return true;
        }
        if queue.closed {
            hub.lose(Loss::Unclaimed, len);
            return false;
        }
        let mut state = hub.state();
        let fits = queue.fitting(hub, &state, feed.bytes.len());
        let (taken, rest) = feed.bytes.split_at(fits);
        if !taken.is_empty() {
            let before = queue.block.size();
            let bytes = queue.block.copy(taken);
            state.blocks = state.blocks + queue.block.size() - before;
            let StreamChunk { side, offset, ts, .. } = feed;
            queue.push(hub, &mut state, Piece::Bytes { side, offset, ts, bytes });
        }
        if !rest.is_empty() {
            queue.let_go(&mut state, rest.len() as u64);
            if hub.policy == Stalled::Close {
                queue.too_slow = true;
                queue.close(Ended::Lagged);
            } else {
                queue.lagging = true;
                queue.miss(feed.side, feed.offset + fits as u64, rest.len() as u64);
            }
        }
        drop(state);
        wake(queue.reader.take(), queue);
        true
    }

    /// Queues a gap of bytes that were never captured.
    pub(crate) fn gap(&self, side: FlowSide, offset: u64, len: u64) {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        if queue.closed || len == 0 {
            return;
        }
        if queue.lagging {
            return queue.miss(side, offset, len);
        }
        let cause = GapCause::NotCaptured;
        queue.push(hub, &mut hub.state(), Piece::Gap { side, offset, len, cause });
        wake(queue.reader.take(), queue);
    }

    /// Queues the end of one side.
    pub(crate) fn fin(&self, side: FlowSide) {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        if queue.closed {
            return;
        }
        let mut state = hub.state();
        queue.tell_missing(hub, &mut state, side);
        queue.push(hub, &mut state, Piece::Fin { side });
        drop(state);
        wake(queue.reader.take(), queue);
    }

    /// Ends the conversation.
    pub(crate) fn end(&self, ended: impl FnOnce() -> Ended) {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        if queue.closed {
            return;
        }
        let mut state = hub.state();
        for side in SIDES {
            queue.tell_missing(hub, &mut state, side);
        }
        drop(state);
        queue.close(ended());
        wake(queue.reader.take(), queue);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end(|| Ended::Abandoned);
    }
}

impl Receiver {
    /// Next piece; `None` after the last.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        let mut state = hub.state();
        if queue.pieces.is_empty() {
            // Dropped bytes are next.
            for side in SIDES {
                queue.tell_missing(hub, &mut state, side);
            }
        }
        let Some(piece) = queue.pieces.pop_front() else {
            if let Some(ended) = queue.ended.take() {
                return Poll::Ready(Some(Piece::Ended(ended)));
            }
            if queue.closed {
                return Poll::Ready(None);
            }
            match &mut queue.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        let payload = piece.payload();
        queue.free(hub, &mut state, PIECE + payload, payload);
        let idle =
            queue.pieces.is_empty() && (queue.closed || state.blocks > hub.total / IDLE_SHARE);
        let block = if idle { queue.drop_block(&mut state) } else { Block::default() };
        let waker = hub.take_waker(&mut state);
        drop(state);
        wake(waker, queue);
        drop(block);
        Poll::Ready(Some(piece))
    }

    /// Payload bytes that are queued.
    pub(crate) fn queued(&self) -> u64 {
        lock(&self.0.queue).queued
    }

    /// Bytes dropped because the reader was too slow.
    pub(crate) fn lagged(&self) -> u64 {
        lock(&self.0.queue).lagged
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let (hub, mut queue) = (&self.0.hub, lock(&self.0.queue));
        let mut state = hub.state();
        queue.closed = true;
        let pieces = mem::take(&mut queue.pieces);
        state.lost.lose(Loss::Unclaimed, queue.queued);
        let (used, queued) = (queue.used, queue.queued);
        queue.free(hub, &mut state, used, queued as usize);
        let block = queue.drop_block(&mut state);
        (queue.ended, queue.reader) = (None, None);
        let waker = hub.take_waker(&mut state);
        drop(state);
        wake(waker, queue);
        drop((pieces, block));
    }
}

impl Queue {
    /// How many of `len` bytes fit.
    fn fitting(&mut self, hub: &Hub, state: &State, len: usize) -> usize {
        if hub.policy == Stalled::Wait {
            return len;
        }
        let most = hub.credit.min(hub.total.saturating_sub(state.used));
        if self.lagging && self.used > most / 2 {
            return 0;
        }
        let fits = most.saturating_sub(self.used).saturating_sub(PIECE).min(len);
        self.lagging &= fits == 0;
        fits
    }

    /// Queues a piece, after a gap for the bytes dropped before it.
    fn push(&mut self, hub: &Hub, state: &mut State, piece: Piece) {
        if matches!(piece, Piece::Bytes { .. }) {
            for side in SIDES {
                self.tell_missing(hub, state, side);
            }
        }
        let payload = piece.payload();
        self.pieces.push_back(piece);
        self.used += PIECE + payload;
        self.queued += payload as u64;
        state.used += PIECE + payload;
        state.queued += payload as u64;
        if !self.full && self.used >= hub.credit {
            self.full = true;
            state.full += 1;
        }
    }

    /// Returns the credit of pieces that were read.
    fn free(&mut self, hub: &Hub, state: &mut State, used: usize, payload: usize) {
        self.used -= used;
        self.queued -= payload as u64;
        state.used -= used;
        state.queued -= payload as u64;
        if self.full && self.used < hub.credit {
            self.full = false;
            state.full -= 1;
        }
    }

    fn let_go(&mut self, state: &mut State, bytes: u64) {
        self.lagged += bytes;
        state.lost.lose(Loss::SubscriberLag, bytes);
    }

    /// Records dropped bytes. Streams are in order, so they adjoin those dropped before.
    fn miss(&mut self, side: FlowSide, offset: u64, len: u64) {
        let (_, missing) = self.missing[side.index()].get_or_insert((offset, 0));
        *missing += len;
    }

    /// Queues a gap for the dropped bytes.
    fn tell_missing(&mut self, hub: &Hub, state: &mut State, side: FlowSide) {
        if let Some((offset, len)) = self.missing[side.index()].take() {
            let cause = GapCause::Lag;
            self.push(hub, state, Piece::Gap { side, offset, len, cause });
        }
    }

    fn close(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.closed = true;
    }

    /// Takes the block out. Pieces that were read may still refer to it.
    fn drop_block(&mut self, state: &mut State) -> Block {
        state.blocks -= self.block.size();
        mem::take(&mut self.block)
    }
}

impl Piece {
    fn payload(&self) -> usize {
        match self {
            Piece::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// Wakes after the lock is released, because the woken task may take it at once.
fn wake<G>(waker: Option<Waker>, lock: G) {
    drop(lock);
    if let Some(waker) = waker {
        waker.wake();
    }
}
