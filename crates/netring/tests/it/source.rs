//! A source that follows a script.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::{PacketView, Timestamp};
use flowscope_testkit::{Packet, frame};
use netring::{AsyncPacketSource, Error, SourceStats};
use tokio::time::{Sleep, sleep};

/// What a source does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Lends these.
    Packets(Vec<Packet>),
    /// Has nothing, and wakes the task at once.
    Pending,
    /// Has nothing for so long.
    Silence(Duration),
    /// Fails.
    Failure(&'static str),
}

pub(crate) struct Script {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    latency: Option<Duration>,
    /// Packets lent so far, for those outside.
    lent: Arc<AtomicUsize>,
    stopped: bool,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        let lent = Arc::new(AtomicUsize::new(0));
        Script { steps, sleep: None, latency: None, lent, stopped: false }
    }

    /// Time passes without packets, each of which may be on its way for so long.
    pub(crate) fn live(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }

    pub(crate) fn lent(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.lent)
    }
}

impl AsyncPacketSource for Script {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if self.stopped {
                    return Poll::Ready(Ok(0));
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            match self.steps.pop_front() {
                Some(Step::Packets(packets)) => {
                    let views: Vec<PacketView<'_>> = packets.iter().map(Packet::view).collect();
                    lend(&views);
                    self.lent.fetch_add(views.len(), Ordering::Relaxed);
                    return Poll::Ready(Ok(views.len()));
                }
                Some(Step::Pending) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Silence(time)) => self.sleep = Some(Box::pin(sleep(time))),
                Some(Step::Failure(what)) => return Poll::Ready(Err(Error::source(what))),
                None => return Poll::Ready(Ok(0)),
            }
        }
    }

    /// What comes before the next silence was received already.
    fn stop(&mut self) {
        self.stopped = true;
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        let mut stats = SourceStats::default();
        stats.arrived = Some(self.lent.load(Ordering::Relaxed) as u64);
        Ok(stats)
    }

    fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

/// A datagram of the flow with this number, at this many milliseconds.
pub(crate) fn datagram(flow: u16, at: u64) -> Packet {
    let mut packet =
        frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1024 + flow, 9).payload(b"x").packet();
    packet.ts = Timestamp::from_nanos((1_000_000 + at) * 1_000_000);
    packet
}
