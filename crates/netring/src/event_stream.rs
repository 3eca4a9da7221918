use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flowscope_core::{Ledger, Loss, PacketView};
use flowscope_driver::Progress;
use flowscope_track::EndReason;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use tokio::runtime::Handle;

use crate::budget;
use crate::discard::Driven;
use crate::live_clock::{LiveClock, require_timers};
use crate::meter::Meter;
use crate::next::next_method;
use crate::{AsyncCapture, AsyncDriver, AsyncPacketSource, Error, Stats, StreamHandle};

/// Events of a driver that reads packets from a capture.
///
/// Made by [`AsyncCapture::flow_stream`] and similar methods. It reads a batch, returns the events
/// of that batch, and only then reads the next one. On a live capture, time also passes without
/// packets: an idle flow ends as soon as no earlier packet can still arrive. On a capture file,
/// only packets advance time.
///
/// When the capture ends, every open flow ends as `EndOfInput`, or as `Shutdown` after
/// [`stop`](Self::stop); then comes `None`. Errors are items between the events. The stream goes on
/// after an error if the source does.
///
/// Dropping it takes no longer with many flows: a driver with more than some hundred flows is freed by a
/// thread of the runtime for blocking work, a moment later.
#[derive(Debug)]
pub struct EventStream<S, D: AsyncDriver> {
    capture: AsyncCapture<S>,
    driver: Driven<D>,
    time: LiveClock,
    phase: Phase,
    meter: Meter,
    /// Events returned, for the budget.
    given: u32,
    /// `None` was returned.
    terminated: bool,
    /// Errors that occurred while no item was requested.
    errors: VecDeque<Error>,
    /// Packets and bytes counted by the drivers that this one replaced.
    before: [Ledger; 2],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Reading packets.
    Running,
    /// No more packets; flows are being ended.
    Ending,
    /// All flows have ended.
    Over,
}

/// Result of one step.
enum Step {
    /// There may be events now.
    Done,
    Failed(Error),
    /// Nothing is left to do.
    Over,
}

impl<S: AsyncPacketSource, D: AsyncDriver> EventStream<S, D> {
    next_method!();

    pub(crate) fn new(capture: AsyncCapture<S>, driver: D) -> Self {
        // A stream may be made outside of the runtime that polls it.
        if capture.source().latency().is_some() && Handle::try_current().is_ok() {
            require_timers();
        }
        EventStream {
            capture,
            driver: Driven::new(driver),
            time: LiveClock::default(),
            phase: Phase::Running,
            meter: Meter::off(),
            given: 0,
            terminated: false,
            errors: VecDeque::new(),
            before: [Ledger::default(), Ledger::default()],
        }
    }

    /// Stops the capture: packets already received are still processed, open flows end as
    /// `Shutdown`, then the stream ends. Read on until `None`.
    pub fn stop(&mut self) {
        self.capture.stop();
    }

    /// Stops the capture when `signal` completes: see [`AsyncCapture::stop_when`].
    #[must_use]
    pub fn stop_when<F: Future + Send + 'static>(mut self, signal: F) -> Self {
        self.capture = self.capture.stop_when(signal);
        self
    }

    /// A handle with which other tasks stop this stream and wait for its end.
    pub fn handle(&mut self) -> StreamHandle {
        self.capture.handle()
    }

    /// Stops the capture, processes all received packets, ends every open flow as `Shutdown`, and
    /// returns the counters. From another task, call
    /// [`StreamHandle::shutdown`].
    ///
    /// The resulting events are buffered and can still be read from the stream until it ends. To
    /// receive millions of flow ends one by one, call [`stop`](Self::stop) and read on instead. If
    /// the future is dropped, the next call, or reading, completes the work. Flows are ended a few at a
    /// time, and other tasks run in between.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters. Other errors remain items of the stream.
    pub async fn shutdown(&mut self) -> Result<Stats, Error> {
        self.stop();
        poll_fn(|cx| {
            for _ in 0..budget::STEPS {
                match ready!(self.poll_step(cx)) {
                    Step::Done => self.driver.keep_events(),
                    Step::Failed(error) => self.errors.push_back(error),
                    Step::Over => {
                        self.driver.keep_events();
                        return Poll::Ready(());
                    }
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.stats()
    }

    /// Counters of packets and bytes up to now.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        let mut stats = self.capture.stats()?;
        let [packets, bytes] = &self.before;
        stats.packets.merge(packets);
        stats.packets.merge(&self.driver.packets());
        stats.bytes.merge(bytes);
        stats.bytes.merge(&self.driver.bytes());
        stats.waiting = self.driver.pending_fragments();
        stats.pending = self.driver.pending();
        stats.flows = self.driver.flows();
        stats.clock_backwards = self.driver.clock().backwards();
        Ok(stats)
    }

    /// The driver, with its flow table and memory use.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// The capture.
    #[must_use]
    pub fn capture(&self) -> &AsyncCapture<S> {
        &self.capture
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn set_meter(&mut self, meter: Meter) {
        self.meter = meter;
    }

    /// Publishes the counters.
    #[cold]
    fn publish(&mut self) {
        if let Ok(stats) = self.stats() {
            self.meter.publish(&stats);
        }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }

    /// Drops the driver where the stream is dropped, for a thread that does nothing else.
    #[cfg(target_os = "linux")]
    pub(crate) fn dropped_in_place(mut self) -> Self {
        self.driver.drop_in_place();
        self
    }

    /// Moves the capture to another driver, which knows none of the flows seen so far.
    pub(crate) fn replace_driver<N: AsyncDriver>(
        self,
        make: impl FnOnce(D) -> N,
    ) -> EventStream<S, N> {
        let EventStream { capture, driver, errors, meter, before, .. } = self;
        let [mut packets, mut bytes] = before;
        packets.merge(&driver.packets());
        // The remaining fragments of these datagrams go to the new driver.
        packets.lose(Loss::FragIncomplete, driver.pending_fragments());
        bytes.merge(&driver.bytes());
        bytes.lose(Loss::Unclaimed, driver.pending());
        let stream = EventStream::new(capture, make(driver.into_driver()));
        EventStream { errors, meter, before: [packets, bytes], ..stream }
    }

    /// Goes on with the same driver, inside of another.
    #[cfg(target_os = "linux")]
    pub(crate) fn wrap_driver<N: AsyncDriver<Event = D::Event>>(
        self,
        wrap: impl FnOnce(D) -> N,
    ) -> EventStream<S, N> {
        let EventStream { capture, driver, time, phase, meter, given, terminated, errors, before } =
            self;
        let driver = driver.wrap(wrap);
        EventStream { capture, driver, time, phase, meter, given, terminated, errors, before }
    }

    pub(crate) fn map_capture(
        mut self,
        change: impl FnOnce(AsyncCapture<S>) -> AsyncCapture<S>,
    ) -> Self {
        self.capture = change(self.capture);
        self
    }

    /// Does the next step, and publishes the counters when they are due, whatever it was.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let step = self.poll_work(cx);
        if self.meter.is_on() {
            let waits = step.is_pending() && self.capture.source().latency().is_some();
            if self.meter.is_due(cx, waits) {
                self.publish();
            }
        }
        step
    }

    /// Reads a batch, advances time, or ends flows.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let EventStream { capture, driver, time, phase, meter, .. } = self;
        // After a stop nothing is waited for: all remaining packets have been received.
        let held = *phase != Phase::Over && driver.poll_ready(cx).is_pending();
        if let Some(error) = driver.take_error() {
            return Poll::Ready(Step::Failed(error));
        }
        if held && !capture.poll_stop(cx) {
            return Poll::Pending;
        }
        if *phase != Phase::Over && driver.poll_turn(cx).is_pending() {
            capture.poll_stop(cx);
            return Poll::Pending;
        }
        match phase {
            Phase::Running => {
                let begun = meter.begin();
                let mut handle = |packets: &[PacketView<'_>]| driver.handle_batch(packets);
                match capture.poll_batch(cx, &mut handle) {
                    Poll::Ready(Ok(0)) => *phase = Phase::Ending,
                    Poll::Ready(Ok(_)) => {
                        meter.batch(begun);
                        if capture.source().latency().is_some() {
                            time.saw(driver.clock().now().watermark);
                        }
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error)),
                    Poll::Pending if capture.gave_way() => return Poll::Pending,
                    // Checked last: packets that are ready were captured before any deadline that
                    // has passed.
                    Poll::Pending => return self.poll_time(cx),
                }
            }
            Phase::Ending => {
                ready!(budget::poll_left(cx));
                let stopped = capture.is_stopped();
                let reason = if stopped { EndReason::Shutdown } else { EndReason::EndOfInput };
                let (flows, units) = budget::ENDS;
                if driver.finish_some(reason, flows) == Progress::Done {
                    *phase = Phase::Over;
                }
                budget::spend(cx, units);
            }
            Phase::Over => {
                let over = driver.poll_finished(cx);
                if let Some(error) = driver.take_error() {
                    return Poll::Ready(Step::Failed(error));
                }
                ready!(over);
                if self.meter.is_on() {
                    self.publish();
                }
                if self.capture.is_awaited() {
                    let stats = self.stats();
                    self.capture.report(stats);
                }
                return Poll::Ready(Step::Over);
            }
        }
        Poll::Ready(Step::Done)
    }

    /// Advances time while there are no packets.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Some(latency) = self.capture.source().latency() else { return Poll::Pending };
        let Some(deadline) = self.driver.poll_timeout() else { return Poll::Pending };
        let now = ready!(self.time.poll_reached(cx, deadline, latency));
        // The thread may have been paused after it found no packets and before it read the clock: what
        // came since was captured before `now`.
        let EventStream { capture, driver, time, phase, .. } = self;
        match capture.poll_batch(cx, &mut |packets: &[PacketView<'_>]| driver.handle_batch(packets))
        {
            Poll::Ready(Ok(0)) => *phase = Phase::Ending,
            Poll::Ready(Ok(_)) => time.saw(driver.clock().now().watermark),
            Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error)),
            Poll::Pending if capture.gave_way() => return Poll::Pending,
            // What is left is due at once at the next call.
            Poll::Pending => {
                let _ = driver.handle_timeout(now);
                budget::spend(cx, budget::EXPIRY);
            }
        }
        Poll::Ready(Step::Done)
    }
}

impl<S: AsyncPacketSource, D: AsyncDriver> Stream for EventStream<S, D> {
    type Item = Result<D::Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.given == budget::EVENTS {
            ready!(budget::poll_left(cx));
            this.given = 0;
        }
        for _ in 0..budget::STEPS {
            if let Some(error) = this.errors.pop_front() {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(event) = this.driver.next_event() {
                this.given += 1;
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(this.poll_step(cx)) {
                Step::Done => {}
                Step::Failed(error) => return Poll::Ready(Some(Err(error))),
                Step::Over => {
                    this.terminated = true;
                    return Poll::Ready(None);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncPacketSource, D: AsyncDriver> FusedStream for EventStream<S, D> {
    fn is_terminated(&self) -> bool {
        self.terminated
    }
}

/// No field is ever pinned.
impl<S, D: AsyncDriver> Unpin for EventStream<S, D> {}
