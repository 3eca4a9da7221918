//! What is asked of a capture while it runs: by signals, and by the time.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Sleep, sleep};

use crate::error::Failure;

/// Waits for requests.
pub(super) struct Control {
    /// SIGHUP, if there are logs to reopen; else it ends the program, as a terminal that is closed does.
    hangup: Option<Signal>,
    /// SIGUSR1.
    report: Signal,
    /// Until counters are published, if they are, and the interval.
    publish: Option<(Pin<Box<Sleep>>, Duration)>,
    /// Until it may be time to rotate logs, and when that is due.
    timer: Option<(SystemTime, Pin<Box<Sleep>>)>,
}

/// The system's clock is read at least as often while logs wait for their time: it may be set, and go on while the
/// machine sleeps.
const CLOCK_READ: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// To reopen the logs.
    Reopen,
    /// To print the counters.
    Report,
    /// To rotate the logs if it is time.
    Rotate,
    /// To publish the counters, because it is time.
    Publish,
}

impl Control {
    /// Starts to wait, inside of a runtime. `reopens` if there are logs; counters are published at once, and after each `interval`,
    /// if there is one.
    pub(super) fn new(reopens: bool, interval: Option<Duration>) -> Result<Self, Failure> {
        let of = |kind| {
            let failed = |error| Failure::Failed(format!("cannot wait for signals: {error}"));
            signal(kind).map_err(failed)
        };
        let hangup = reopens.then(|| of(SignalKind::hangup())).transpose()?;
        let publish = interval.map(|interval| (Box::pin(sleep(Duration::ZERO)), interval));
        Ok(Control { hangup, report: of(SignalKind::user_defined1())?, publish, timer: None })
    }

    /// The next request. Logs are rotated at `due`, by the system's clock.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Option<SystemTime>) -> Poll<Request> {
        if self.hangup.as_mut().is_some_and(|hangup| hangup.poll_recv(cx).is_ready()) {
            return Poll::Ready(Request::Reopen);
        }
        if self.report.poll_recv(cx).is_ready() {
            return Poll::Ready(Request::Report);
        }
        if let Some((publish, interval)) = &mut self.publish
            && publish.as_mut().poll(cx).is_ready()
        {
            publish.as_mut().reset(Instant::now() + *interval);
            return Poll::Ready(Request::Publish);
        }
        let Some(due) = due else { return Poll::Pending };
        if self.timer.as_ref().is_none_or(|(known, _)| *known != due) {
            self.timer = Some((due, Box::pin(sleep(wait(SystemTime::now(), due)))));
        }
        let timer = self.timer.as_mut().map(|(_, timer)| timer.as_mut().poll(cx));
        if timer.is_some_and(|timer| timer.is_ready()) {
            self.timer = None;
            return Poll::Ready(Request::Rotate);
        }
        Poll::Pending
    }
}

/// How long to sleep until it may be time.
fn wait(now: SystemTime, due: SystemTime) -> Duration {
    due.duration_since(now).unwrap_or_default().min(CLOCK_READ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sleep_outlasts_a_clock_that_is_set() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        assert_eq!(wait(now, now + Duration::from_secs(59)), Duration::from_secs(59));
        assert_eq!(wait(now, now + Duration::from_secs(86_400)), CLOCK_READ);
        assert_eq!(wait(now, now - Duration::from_secs(1)), Duration::ZERO);
    }
}
