use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::Error;

/// Set of futures, each polled by the owner only after it was woken.
#[derive(Default)]
pub(super) struct Tasks {
    slots: Vec<Slot>,
    /// Slots whose future has completed.
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// Storage for the slots of one round.
    round: VecDeque<usize>,
    /// Panics of futures that were not reported yet.
    panics: VecDeque<Error>,
}

struct Slot {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    waker: Arc<SlotWaker>,
}

/// Slots whose future was woken.
#[derive(Default)]
struct Woken(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    slots: VecDeque<usize>,
    /// Task of the owner.
    owner: Option<Waker>,
}

struct SlotWaker {
    slot: usize,
    /// Already queued.
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Tasks {
    /// Adds a future, which is polled in the next round.
    pub(super) fn push(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = self.slots.len();
                let (queued, woken) = (AtomicBool::new(false), Arc::clone(&self.woken));
                let waker = Arc::new(SlotWaker { slot, queued, woken });
                self.slots.push(Slot { future: None, waker });
                slot
            }
        };
        self.slots[slot].future = Some(future);
        self.slots[slot].waker.wake_by_ref();
    }

    /// The next panic of a future, once.
    pub(super) fn take_panic(&mut self) -> Option<Error> {
        self.panics.pop_front()
    }

    /// Polls each woken future once. Ready when there are no futures; the task is woken when one of
    /// them is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.woken.lock();
        match &mut queue.owner {
            Some(owner) => owner.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        mem::swap(&mut queue.slots, &mut self.round);
        drop(queue);
        while let Some(slot) = self.round.pop_front() {
            self.turn(slot);
        }
        if self.free.len() == self.slots.len() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn turn(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        // A wake from now on requests another turn.
        slot.waker.queued.store(false, Ordering::Release);
        // A waker may outlive its future, and then wakes the next future of the slot, or none.
        let Some(future) = &mut slot.future else { return };
        let waker = Waker::from(Arc::clone(&slot.waker));
        let mut cx = Context::from_waker(&waker);
        // A panic ends this future only. Its message was printed by the panic hook.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        if !matches!(polled, Ok(Poll::Pending)) {
            slot.future = None;
            self.free.push(at);
        }
        if let Err(payload) = polled {
            self.panics.push_back(Error::panicked(&*payload));
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.slots.len() - self.free.len();
        f.debug_struct("Tasks").field("running", &running).finish_non_exhaustive()
    }
}

impl Woken {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = self.woken.lock();
        queue.slots.push_back(self.slot);
        let owner = queue.owner.take();
        drop(queue);
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts polls, keeps its waker, and completes on request.
    #[derive(Clone, Default)]
    struct Probe {
        turns: Arc<AtomicUsize>,
        waker: Arc<Mutex<Option<Waker>>>,
        over: Arc<AtomicBool>,
    }

    impl Probe {
        fn future(&self) -> impl Future<Output = ()> + use<> {
            let probe = self.clone();
            poll_fn(move |cx| {
                probe.turns.fetch_add(1, Ordering::Relaxed);
                *probe.waker.lock().unwrap() = Some(cx.waker().clone());
                if probe.over.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            })
        }

        fn wake(&self) {
            self.waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        }

        fn turns(&self) -> usize {
            self.turns.load(Ordering::Relaxed)
        }
    }

    fn poll(tasks: &mut Tasks) -> Poll<()> {
        tasks.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn only_those_are_polled_that_were_woken() {
        let (mut tasks, probes) = (Tasks::default(), [Probe::default(), Probe::default()]);
        assert!(poll(&mut tasks).is_ready());
        probes.iter().for_each(|probe| tasks.push(probe.future()));
        assert!(poll(&mut tasks).is_pending());
        assert!(poll(&mut tasks).is_pending());
        assert_eq!([probes[0].turns(), probes[1].turns()], [1, 1]);
        for _ in 0..3 {
            probes[1].wake();
        }
        assert!(poll(&mut tasks).is_pending());
        assert_eq!([probes[0].turns(), probes[1].turns()], [1, 2]);
        probes.iter().for_each(|probe| {
            probe.over.store(true, Ordering::Relaxed);
            probe.wake();
        });
        assert!(poll(&mut tasks).is_ready());
    }

    #[test]
    fn one_that_always_goes_on_has_one_turn_in_a_round() {
        let (mut tasks, probe) = (Tasks::default(), Probe::default());
        let turns = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&turns);
        tasks.push(poll_fn(move |cx| {
            count.fetch_add(1, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        tasks.push(probe.future());
        for round in 1..10 {
            assert!(poll(&mut tasks).is_pending());
            assert_eq!(turns.load(Ordering::Relaxed), round);
        }
        assert_eq!(probe.turns(), 1);
    }

    #[test]
    fn a_waker_that_outlives_its_future_harms_nobody() {
        let (mut tasks, first, second) = (Tasks::default(), Probe::default(), Probe::default());
        first.over.store(true, Ordering::Relaxed);
        tasks.push(first.future());
        assert!(poll(&mut tasks).is_ready());
        first.wake();
        assert!(poll(&mut tasks).is_ready());
        tasks.push(second.future());
        assert!(poll(&mut tasks).is_pending());
        first.wake();
        assert!(poll(&mut tasks).is_pending());
        assert_eq!((first.turns(), second.turns(), tasks.slots.len()), (1, 2, 1));
    }

    #[test]
    fn whoever_polls_is_woken_once_one_may_go_on() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (mut tasks, probe) = (Tasks::default(), Probe::default());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let owner = Waker::from(Arc::clone(&count));
        tasks.push(probe.future());
        for woken in 0..3 {
            assert!(tasks.poll(&mut Context::from_waker(&owner)).is_pending());
            assert_eq!(count.0.load(Ordering::Relaxed), woken);
            probe.wake();
            probe.wake();
        }
    }
}
