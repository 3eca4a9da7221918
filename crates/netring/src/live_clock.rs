use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::Timestamp;
use tokio::time::{Instant, Sleep, sleep_until};

/// Packet time of a live capture between packets: the time of the last packet plus the elapsed
/// time.
///
/// It uses the monotonic clock, not the system time, which may be set. It lags by the delay of the
/// source, so that no flow expires while its next packet is on the way.
#[derive(Debug, Default)]
pub struct LiveClock {
    /// Packet time at the last packets, and the monotonic time at which they were read.
    last: Option<(Timestamp, Instant)>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl LiveClock {
    /// Records that packets were read, and that packet time is now `watermark`.
    pub fn saw(&mut self, watermark: Timestamp) {
        self.last = Some((watermark, Instant::now()));
    }

    /// Packet time, of a source that may be late by `latency`; `None` before the first packets.
    #[must_use]
    pub fn now(&self, latency: Duration) -> Option<Timestamp> {
        let (watermark, at) = self.last?;
        Some(watermark.saturating_add(at.elapsed().saturating_sub(latency)))
    }

    /// Packet time, once it has passed `deadline`; the task is woken when it does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without timers, unless the deadline has passed already.
    pub fn poll_reached(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Timestamp,
        latency: Duration,
    ) -> Poll<Timestamp> {
        let Some((watermark, at)) = self.last else { return Poll::Pending };
        loop {
            let now = watermark.saturating_add(at.elapsed().saturating_sub(latency));
            // A deadline has passed only when packet time is later than it.
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

/// Panics unless the current runtime has timers: at construction, rather than at the first wait.
pub(crate) fn require_timers() {
    drop(sleep_until(Instant::now()));
}

/// Resolution of timers.
const TICK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_between_packets() {
        let mut clock = LiveClock::default();
        let latency = Duration::from_millis(100);
        assert_eq!(clock.now(latency), None);
        clock.saw(Timestamp::from_secs(7));
        assert_eq!(clock.now(latency), Some(Timestamp::from_secs(7)));
        tokio::time::advance(Duration::from_millis(600)).await;
        assert_eq!(clock.now(latency), Some(Timestamp::from_nanos(7_500_000_000)));
    }
}
