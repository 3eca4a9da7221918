use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::track::EndReason;
use netring::LiveClock;
use tokio::time::Instant;

use super::feed::Feed;
use super::{now, runtime};
use crate::args::Running;
use crate::args::live::Live;
use crate::error::{Failure, Status};
use crate::output::{Output, RecordFormat, Target};
use crate::recorder::FlowKey;
use crate::run::{Ending, Run};
use crate::say;

/// Captures, and writes what `layout` makes of it.
pub(crate) fn track<L: RecordFormat>(
    live: &Live,
    args: &Running,
    target: Target<'_>,
    layout: L,
) -> Result<Status, Failure> {
    if args.tracking.vlan_key {
        track_by::<ScopedKey<FiveTupleKey>, L>(live, args, target, layout)
    } else {
        track_by::<FiveTupleKey, L>(live, args, target, layout)
    }
}

fn track_by<K: FlowKey, L: RecordFormat>(
    live: &Live,
    args: &Running,
    target: Target<'_>,
    layout: L,
) -> Result<Status, Failure> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let is_piped = target.is_stdout();
    let feed = Feed::start(&live.interface, &live.taking, args.filter.as_ref(), is_piped)?;
    let out = Output::open(layout, target)?.hurried();
    let workers = args.workers.unwrap_or(NonZeroUsize::MIN);
    let run = Run::<L, K>::new(args, out, workers, None)?.filtered_before();
    if !args.quiet {
        say(&feed.greeting());
    }
    let (silence, latency) = (LiveClock::default(), feed.latency());
    let tracking = Tracking { feed, run, silence, latency, flushed: Instant::now() };
    runtime.block_on(tracking.run(args.quiet))
}

/// A capture that is tracked as it comes.
struct Tracking<'a, L: RecordFormat, K: FlowKey> {
    feed: Feed,
    run: Run<'a, L, K>,
    silence: LiveClock,
    latency: Duration,
    /// When everything was written last that could be.
    flushed: Instant,
}

/// What there is to be done next.
enum Next {
    /// Packets came.
    Taken,
    /// None lies ready: there is time to bring what they led to to whoever waits for it.
    Idle,
    /// Time has come this far without a packet.
    Passed(Timestamp),
    /// There will be no more packets.
    Over,
}

/// Records wait no longer than this, however busy it is.
const PATIENCE: Duration = Duration::from_secs(1);

impl<L: RecordFormat, K: FlowKey> Tracking<'_, L, K> {
    async fn run(mut self, quiet: bool) -> Result<Status, Failure> {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Next::Taken => {
                    self.silence.saw(self.run.clock().now().watermark);
                    if self.flushed.elapsed() >= PATIENCE {
                        self.catch_up()?;
                    } else if self.run.is_round_full() {
                        self.run.round(None)?;
                    }
                }
                Next::Idle => self.catch_up()?,
                Next::Passed(now) => self.run.handle_timeout(now)?,
                Next::Over => break,
            }
        }
        let account = self.feed.account()?;
        let stopped = self.feed.was_stopped();
        let reason = if stopped { EndReason::Shutdown } else { EndReason::EndOfInput };
        self.run.end(Ending {
            status: self.feed.status(),
            reason,
            line: (!quiet).then(|| account.line("read")),
            lost: account.lost,
            dropped_before: [0; 2],
            links: Vec::new(),
            now: now(),
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Tracking { feed, run, silence, latency, .. } = self;
        match feed.poll(cx, &mut |views| run.take(views)) {
            Poll::Ready(true) => Poll::Ready(Next::Taken),
            Poll::Ready(false) => Poll::Ready(Next::Over),
            Poll::Pending if feed.gave_way() => Poll::Pending,
            Poll::Pending if run.is_behind() => Poll::Ready(Next::Idle),
            // Only now: what lies ready was captured before whatever is due.
            Poll::Pending => {
                let Some(due) = run.due() else { return Poll::Pending };
                let now = ready!(silence.poll_reached(cx, due, *latency));
                // This process may have been paused after it found no packets and before it read the
                // clock: what came since was captured before `now`.
                match feed.poll(cx, &mut |views| run.take(views)) {
                    Poll::Ready(true) => Poll::Ready(Next::Taken),
                    Poll::Ready(false) => Poll::Ready(Next::Over),
                    Poll::Pending if feed.gave_way() => Poll::Pending,
                    Poll::Pending => Poll::Ready(Next::Passed(now)),
                }
            }
        }
    }

    fn catch_up(&mut self) -> Result<(), Failure> {
        self.run.catch_up(None)?;
        self.flushed = Instant::now();
        Ok(())
    }
}
