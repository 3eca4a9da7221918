use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::Timestamp;
use tokio::time::{Instant, Sleep, sleep_until};

/// Packet time while no packet comes: the time of the last packet, and what has passed since.
///
/// Not the system's clock, which may be set; and behind by what a packet may take to get here, so
/// that no flow ends in silence while its next packet is on its way.
#[derive(Debug, Default)]
pub struct LiveClock {
    /// Packet time when packets were last taken, and when that was.
    last: Option<(Timestamp, Instant)>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl LiveClock {
    /// Packets were taken, and packet time is now `watermark`.
    pub fn saw(&mut self, watermark: Timestamp) {
        self.last = Some((watermark, Instant::now()));
    }

    /// Packet time, once it has reached `deadline`; until then the task is woken when it does.
    pub fn poll_reached(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Timestamp,
        latency: Duration,
    ) -> Poll<Timestamp> {
        let Some((watermark, at)) = self.last else { return Poll::Pending };
        loop {
            let passed = at.elapsed().saturating_sub(latency);
            let now = watermark.saturating_add(passed);
            // A deadline is over only once packet time is past it.
            if now > deadline {
                return Poll::Ready(now);
            }
            let left = deadline.since(watermark);
            let Some(due) = at.checked_add(left + latency + TICK) else { return Poll::Pending };
            let sleep = match &mut self.sleep {
                Some(sleep) => {
                    if sleep.deadline() != due {
                        sleep.as_mut().reset(due);
                    }
                    sleep
                }
                none => none.insert(Box::pin(sleep_until(due))),
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Timers are no finer than this.
const TICK: Duration = Duration::from_millis(1);
