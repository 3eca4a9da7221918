use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::channel::{Shared, wake};
use super::hub::{Hub, lock};

/// Gives readers whose channel has filled their turn, before any of their bytes are dropped.
///
/// A channel may fill because its reader is slow, or because the runtime has not run its reader since
/// the bytes came. So the capture waits until the reader has taken enough of them, for a limited time: it
/// gives up a reader that does not come, or that is busy with what it has taken for too long. Such a
/// reader is slow, and is not awaited again until it has read all.
///
/// All waits together take a limited share of the time, so slow readers, however many there are, do
/// not stop the capture.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Waits by time; otherwise by number of polls, because there may be no timers.
    timed: bool,
    /// The last poll, if it was pending, and whether some reader was busy then.
    last: Option<(Instant, bool)>,
    /// Polls of the current wait.
    polls: u32,
    /// Time for waits for busy readers.
    busy: Allowance,
    /// Time for waits for readers that did not come.
    absent: Allowance,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Longest wait for a reader that has to be run.
const ABSENT: Duration = Duration::from_millis(100);

/// Longest wait for a reader that is busy to take the next piece.
const BUSY: Duration = Duration::from_millis(50);

/// Interval of checks.
const CHECK: Duration = Duration::from_millis(5);

/// Polls of a wait without timers. An executor runs other tasks between two of them.
const POLLS: u32 = 8;

impl Turns {
    /// `timed` requires that it is polled in a runtime with timers, if in any.
    pub(crate) fn new(timed: bool) -> Self {
        Turns {
            timed,
            last: None,
            polls: 0,
            busy: Allowance::new(2, Duration::from_millis(500)),
            absent: Allowance::new(4, Duration::from_millis(200)),
            sleep: None,
        }
    }

    /// Ready when no reader has to be given its turn; otherwise the task is woken then.
    pub(crate) fn poll(&mut self, hub: &Arc<Hub>, cx: &mut Context<'_>) -> Poll<()> {
        let awaited = {
            let mut state = hub.state();
            state.burst = state.burst.max(mem::take(&mut state.pushed));
            if state.awaited == 0 {
                state.to_await.clear();
                drop(state);
                self.settle();
                return Poll::Ready(());
            }
            state.register(cx);
            // Channels are locked before the hub.
            mem::take(&mut state.to_await)
        };
        let now = Instant::now();
        self.charge(now);
        let timed = self.timed && Handle::try_current().is_ok();
        self.polls += 1;
        let no_more = !timed && self.polls > POLLS;
        let (absent, busy) = (self.absent.left(now).min(ABSENT), self.busy.left(now).min(BUSY));
        let (mut kept, mut any_busy) = (Vec::new(), false);
        for weak in awaited {
            let Some(channel) = weak.upgrade() else { continue };
            let Some(verdict) = judge(&channel, now) else { continue };
            // Everyone is left at least one turn of the runtime.
            let over = match verdict {
                Verdict::Busy(waited) => timed && waited >= busy && self.polls > 1,
                Verdict::Absent(waited) => timed && waited >= absent && self.polls > 1,
            };
            if over || no_more {
                if let Verdict::Absent(waited) = verdict {
                    self.absent.spend(now, waited);
                }
                give_up(&channel);
            } else {
                any_busy |= matches!(verdict, Verdict::Busy(_));
                kept.push(weak);
            }
        }
        let mut state = hub.state();
        state.to_await.append(&mut kept);
        let over = state.awaited == 0;
        drop(state);
        if over {
            self.settle();
            return Poll::Ready(());
        }
        self.last = Some((now, any_busy));
        if !timed || self.polls == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(now)));
        sleep.as_mut().reset(now + CHECK);
        // The runtime may have reached this time already; the next poll finds out.
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Counts the time since the last poll, if a busy reader was waited for.
    fn charge(&mut self, now: Instant) {
        if let Some((at, true)) = self.last {
            self.busy.spend(now, now.saturating_duration_since(at));
        }
        self.last = None;
    }

    /// Ends a wait.
    fn settle(&mut self) {
        if self.last.is_some() {
            self.charge(Instant::now());
        }
        self.polls = 0;
    }
}

/// What an awaited reader does, and for how long.
enum Verdict {
    /// It took something so long ago, and is busy with it.
    Busy(Duration),
    /// It did not come since it was woken.
    Absent(Duration),
}

/// `None` if the reader is not awaited any more.
fn judge(channel: &Shared, now: Instant) -> Option<Verdict> {
    let turn = &mut lock(&channel.queue).turn;
    if !turn.awaited {
        return None;
    }
    let since = *turn.since.get_or_insert(now);
    Some(if turn.busy {
        let since = *turn.taken.get_or_insert(now);
        Verdict::Busy(now.saturating_duration_since(since))
    } else {
        Verdict::Absent(now.saturating_duration_since(since))
    })
}

fn give_up(channel: &Shared) {
    let (hub, mut queue) = (&channel.hub, lock(&channel.queue));
    if queue.turn.awaited {
        queue.give_up(hub, &mut hub.state());
        wake(queue.reader.take(), queue);
    }
}

/// Time that may be spent: a share of all time, and a reserve.
#[derive(Debug)]
struct Allowance {
    /// One part in this many of the time.
    share: u32,
    reserve: Duration,
    left: Duration,
    /// When `left` was counted; `None` at the start, when the reserve is full.
    at: Option<Instant>,
}

impl Allowance {
    fn new(share: u32, reserve: Duration) -> Self {
        Allowance { share, reserve, left: reserve, at: None }
    }

    fn left(&mut self, now: Instant) -> Duration {
        let at = self.at.replace(now).unwrap_or(now);
        let more = now.saturating_duration_since(at) / self.share;
        self.left = (self.left + more).min(self.reserve);
        self.left
    }

    fn spend(&mut self, now: Instant, time: Duration) {
        self.left = self.left(now).saturating_sub(time);
    }
}
