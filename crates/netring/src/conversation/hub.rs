use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use flowscope_core::{Ledger, Loss};

use super::{ConversationConfig, Stalled};

/// What the channels of all flows share: how much they hold together, and where bytes went that came
/// as far as that.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) credit: usize,
    pub(super) total: usize,
    pub(super) policy: Stalled,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Bytes that wait to be read, and what holding them takes.
    pub(super) used: usize,
    /// Bytes of payload among them.
    pub(super) queued: u64,
    /// Bytes of blocks that pieces are copied to.
    pub(super) blocks: usize,
    /// Channels that have used up their credit.
    pub(super) full: usize,
    /// What did not reach a reader, by cause.
    pub(super) lost: Ledger,
    /// Who waits until there is room.
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

    /// Whether more may come.
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

    /// The ledger of a driver that counts what it passed on as delivered.
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

    /// Bytes of payload that wait to be read.
    pub(crate) fn queued(&self) -> u64 {
        self.state().queued
    }

    /// Bytes of memory held.
    pub(crate) fn heap_bytes(&self) -> usize {
        let state = self.state();
        state.used + state.blocks
    }

    /// Counts bytes that do not come through.
    pub(super) fn lose(&self, cause: Loss, bytes: u64) {
        self.state().lost.lose(cause, bytes);
    }

    /// Who is to be woken now that there is room, if somebody waits for it.
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

/// Nothing that is done under these locks panics half way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
