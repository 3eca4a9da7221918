use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use flowscope_core::{Ledger, Loss};

use super::channel::Shared;
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
    /// Channels whose reader is awaited.
    pub(super) awaited: usize,
    /// These channels, and some whose reader is not awaited any more.
    pub(super) to_await: Vec<Weak<Shared>>,
    /// Credit that was used by what came since readers were last given their turn.
    pub(super) pushed: usize,
    /// The most that came between two turns.
    pub(super) burst: usize,
    /// Bytes that did not reach a reader, by cause.
    pub(super) lost: Ledger,
    /// Task that waits for room, or for readers.
    waker: Option<Waker>,
}

/// Bursts that a reader may be behind before it is awaited, so that reading and capturing overlap.
const BURSTS: usize = 4;

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
        state.register(cx);
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

    /// The task to wake if there is room now and no reader is awaited.
    pub(super) fn take_waker(&self, state: &mut State) -> Option<Waker> {
        let ready = match self.policy {
            Stalled::Wait => self.has_room(state),
            _ => state.awaited == 0,
        };
        if ready { state.waker.take() } else { None }
    }

    /// What is left of the total.
    pub(super) fn left(&self, state: &State) -> usize {
        self.total.saturating_sub(state.used)
    }

    /// What is left for readers that are behind. The other half of the total is for those that are
    /// not.
    pub(super) fn unread_share(&self, state: &State) -> usize {
        (self.total / 2).saturating_sub(state.used)
    }

    /// Credit that a channel may use before its reader is awaited.
    pub(super) fn burst_credit(&self, state: &State) -> usize {
        self.credit.max((BURSTS * state.burst).min(self.total / 4))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn has_room(&self, state: &State) -> bool {
        state.full == 0 && state.used < self.total
    }
}

impl State {
    /// Registers the task that waits.
    pub(super) fn register(&mut self, cx: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// No code under these locks panics half way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
