use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use flowscope_core::{Ledger, Loss};

use super::{ConversationConfig, Stalled};

/// State shared by the channels of all flows: memory in use, and bytes that did not reach a reader.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) credit: usize,
    pub(super) total: usize,
    pub(super) policy: Stalled,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Credit in use by all channels.
    pub(super) used: usize,
    /// Payload bytes among them.
    pub(super) queued: u64,
    /// Bytes of blocks that pieces refer to.
    pub(super) blocks: usize,
    /// Channels that have used up their credit.
    pub(super) full: usize,
    /// Bytes that did not reach a reader, by cause.
    pub(super) lost: Ledger,
    /// Task that waits for room.
    waker: Option<Waker>,
}

impl Hub {
    pub(crate) fn new(config: &ConversationConfig) -> Arc<Self> {
        Arc::new(Hub {
            credit: config.credit,
            total: config.total,
            policy: config.stalled.unwrap_or(Stalled::Gap),
            state: Mutex::new(State::default()),
        })
    }

    /// Ready when there is room.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if self.policy != Stalled::Wait || self.has_room(&state) {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Corrects the ledger of a driver that counts queued bytes as delivered.
    pub(crate) fn correct(&self, passed: &Ledger) -> Ledger {
        let state = self.state();
        let mut ledger = state.lost.clone();
        let delivered = passed.delivered().saturating_sub(state.lost.seen() + state.queued);
        ledger.deliver(delivered);
        for (cause, bytes) in passed.losses() {
            ledger.lose(cause, bytes);
        }
        ledger
    }

    /// Payload bytes that are queued.
    pub(crate) fn queued(&self) -> u64 {
        self.state().queued
    }

    /// Memory held, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let state = self.state();
        state.used + state.blocks
    }

    /// Counts bytes that do not reach a reader.
    pub(super) fn lose(&self, cause: Loss, bytes: u64) {
        self.state().lost.lose(cause, bytes);
    }

    /// The task to wake if there is room now.
    pub(super) fn take_waker(&self, state: &mut State) -> Option<Waker> {
        if self.has_room(state) { state.waker.take() } else { None }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn has_room(&self, state: &State) -> bool {
        state.full == 0 && state.used < self.total
    }
}

/// No code under these locks panics half way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
