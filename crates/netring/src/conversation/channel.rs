//! Bounded queue from the driver to the reader of one flow.

use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use flowscope_core::{FlowSide, Loss, StreamChunk};
use tokio::time::Instant;

use super::block::Block;
use super::hub::{Hub, lock};
use super::queue::{PIECE, Queue, SIDES};
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
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Mutex<Queue>,
}

/// Largest share of the total that may be in blocks without unread pieces.
const IDLE_SHARE: usize = 8;

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
        if queue.await_reader(hub, &mut state) {
            state.to_await.push(Arc::downgrade(&self.0));
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
            queue.caught_up();
            match &mut queue.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        queue.turn.busy = true;
        if queue.turn.awaited {
            queue.turn.taken = Some(Instant::now());
        }
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

    /// Notes that the runtime, not the reader, is the cause that it does not take more now.
    pub(crate) fn gave_way(&mut self) {
        let turn = &mut lock(&self.0.queue).turn;
        (turn.busy, turn.taken) = (false, None);
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
        queue.awaited_no_more(&mut state);
        let block = queue.drop_block(&mut state);
        (queue.ended, queue.reader) = (None, None);
        let waker = hub.take_waker(&mut state);
        drop(state);
        wake(waker, queue);
        drop((pieces, block));
    }
}

/// Wakes after the lock is released, because the woken task may take it at once.
pub(super) fn wake<G>(waker: Option<Waker>, lock: G) {
    drop(lock);
    if let Some(waker) = waker {
        waker.wake();
    }
}
