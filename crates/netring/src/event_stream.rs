use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use flowscope_core::{Ledger, Loss, PacketView};
use flowscope_track::EndReason;
use futures_core::Stream;

use crate::passing_time::LiveClock;
use crate::{AsyncCapture, AsyncPacketSource, Engine, Error, Stats};

/// A driver fed by a capture: its events as they come.
///
/// Made by [`AsyncCapture::flow_stream`] and its like. Reads a batch, gives the events that follow
/// from it, and reads the next one only then. Time passes in silence too: flows end as idle although
/// no packet comes, as soon as it is certain that none is on its way. On a capture file time is its
/// packets' alone.
///
/// When the capture ends every open flow ends, as `EndOfInput`, or as `Shutdown` if it was
/// [stopped](Self::stop); then comes `None`. Errors are items between the events, and the stream goes
/// on after them if the source does.
#[derive(Debug)]
pub struct EventStream<S, D> {
    capture: AsyncCapture<S>,
    driver: D,
    time: LiveClock,
    phase: Phase,
    /// Errors that came while nobody asked for items.
    errors: VecDeque<Error>,
    /// What drivers counted that were here before this one: packets and bytes.
    before: [Ledger; 2],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Packets come.
    Running,
    /// There will be no more packets; flows are ended.
    Ending,
    /// All flows have ended.
    Over,
}

/// What a step of the work came to.
enum Step {
    /// There may be events now.
    Done,
    Failed(Error),
    /// Nothing is left to be done.
    Over,
}

/// Flows that are ended at once when the capture is over.
const ENDED_AT_ONCE: usize = 64;

impl<S: AsyncPacketSource, D: Engine> EventStream<S, D> {
    pub(crate) fn new(capture: AsyncCapture<S>, driver: D) -> Self {
        EventStream {
            capture,
            driver,
            time: LiveClock::default(),
            phase: Phase::Running,
            errors: VecDeque::new(),
            before: [Ledger::default(), Ledger::default()],
        }
    }

    /// Takes in no more packets. What was received until now still leads to events, then open flows
    /// end as `Shutdown`, then the stream ends: go on reading until `None`.
    pub fn stop(&mut self) {
        self.capture.stop();
    }

    /// As [`AsyncCapture::stop_when`]: stops once `signal` is there.
    #[must_use]
    pub fn stop_when<F: Future + Send + 'static>(mut self, signal: F) -> Self {
        self.capture = self.capture.stop_when(signal);
        self
    }

    /// Stops, waits until all that was received is worked off and every open flow has ended as
    /// `Shutdown`, and says where everything went.
    ///
    /// The events that this leads to are held, and can still be read from the stream, up to its end;
    /// those who want a million ends of flows one by one call [`stop`](Self::stop) and read on. If
    /// the future is dropped, the rest is done by the next call, or by reading.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters. Other errors remain items of the stream.
    pub async fn shutdown(&mut self) -> Result<Stats, Error> {
        self.stop();
        poll_fn(|cx| {
            loop {
                match self.poll_step(cx) {
                    Poll::Ready(Step::Done) => {}
                    Poll::Ready(Step::Failed(error)) => self.errors.push_back(error),
                    Poll::Ready(Step::Over) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
        self.stats()
    }

    /// Where everything went so far.
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

    /// The driver: its flow table, its memory.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// The capture.
    #[must_use]
    pub fn capture(&self) -> &AsyncCapture<S> {
        &self.capture
    }

    /// The same capture before another driver, which knows none of the flows seen so far.
    pub(crate) fn replace_driver<N: Engine>(self, make: impl FnOnce(D) -> N) -> EventStream<S, N> {
        let EventStream { capture, driver, errors, before: [mut packets, mut bytes], .. } = self;
        packets.merge(&driver.packets());
        // The rest of their datagrams comes to another.
        packets.lose(Loss::FragIncomplete, driver.pending_fragments());
        bytes.merge(&driver.bytes());
        bytes.lose(Loss::Unclaimed, driver.pending());
        let stream = EventStream::new(capture, make(driver));
        EventStream { errors, before: [packets, bytes], ..stream }
    }

    pub(crate) fn map_capture(
        mut self,
        change: impl FnOnce(AsyncCapture<S>) -> AsyncCapture<S>,
    ) -> Self {
        self.capture = change(self.capture);
        self
    }

    /// Takes a batch, or lets time pass, or ends flows: whichever is next.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let EventStream { capture, driver, time, phase, .. } = self;
        // After a stop nothing is waited for: what is still to come is no more than was received.
        let held = *phase != Phase::Over && driver.poll_ready(cx).is_pending();
        if held && !capture.poll_stop(cx) {
            return Poll::Pending;
        }
        match phase {
            Phase::Running => {
                let mut handle = |packets: &[PacketView<'_>]| driver.handle_batch(packets);
                match capture.poll_batch(cx, &mut handle) {
                    Poll::Ready(Ok(0)) => *phase = Phase::Ending,
                    Poll::Ready(Ok(_)) => {
                        if capture.source().latency().is_some() {
                            time.saw(driver.clock().now().watermark);
                        }
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error)),
                    Poll::Pending if capture.gave_way() => return Poll::Pending,
                    // Only now: what lies ready was captured before whatever is due.
                    Poll::Pending => return self.poll_time(cx),
                }
            }
            Phase::Ending => {
                let stopped = capture.is_stopped();
                let reason = if stopped { EndReason::Shutdown } else { EndReason::EndOfInput };
                if !driver.finish_some(reason, ENDED_AT_ONCE) {
                    *phase = Phase::Over;
                }
            }
            Phase::Over => return driver.poll_over(cx).map(|()| Step::Over),
        }
        Poll::Ready(Step::Done)
    }

    /// Lets time pass while there is no packet.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Some(latency) = self.capture.source().latency() else { return Poll::Pending };
        let Some(deadline) = self.driver.poll_timeout() else { return Poll::Pending };
        self.time.poll_reached(cx, deadline, latency).map(|now| {
            self.driver.handle_timeout(now);
            Step::Done
        })
    }
}

impl<S: AsyncPacketSource, D: Engine> Stream for EventStream<S, D> {
    type Item = Result<D::Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(error) = this.errors.pop_front() {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(event) = this.driver.poll_event() {
                return Poll::Ready(Some(Ok(event)));
            }
            match this.poll_step(cx) {
                Poll::Ready(Step::Done) => {}
                Poll::Ready(Step::Failed(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Step::Over) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Nothing in it is ever pinned.
impl<S, D> Unpin for EventStream<S, D> {}
