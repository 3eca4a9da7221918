use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, future::Future};

use flowscope_core::PacketView;
use netring_capture::{Capture, CaptureError, wait_for_frames_under_way};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::discard::drop_elsewhere;
use crate::live_clock::require_timers;
use crate::{AsyncPacketSource, Error, RingUse, SourceStats};

/// Live capture, polled by tokio.
///
/// The runtime in which it is made watches its file descriptor. It can be polled from any task or
/// thread.
///
/// Closing a capture takes the kernel some tens of milliseconds, so a dropped one is closed by a thread
/// of the runtime for blocking work. [`into_capture`](Self::into_capture) returns it, to close it at once.
pub struct Live<C: Capture + 'static> {
    fd: AsyncFd<Owned<C>>,
    stop: Option<Stop>,
    /// Error of the interface that was found outside of `poll_batch`.
    error: Option<CaptureError>,
    /// Next check of an interface that is down. The kernel does not report its deletion.
    down: Option<Pin<Box<Sleep>>>,
    /// Whether it was reported that the interface is gone.
    is_gone: bool,
    ended: bool,
}

/// State of a capture that was stopped and is being drained.
struct Stop {
    /// The wait for frames that the kernel was processing, in a thread for blocking work. `None` before
    /// the first check: a capture may be stopped outside of a runtime.
    under_way: Option<JoinHandle<()>>,
    /// No frame is under way any more.
    settled: bool,
    /// When to check again for packets, because the last ones wake no task. `None` before the first
    /// check: a capture may be stopped outside of a runtime.
    look: Option<Pin<Box<Sleep>>>,
    /// Result of the last check. A frame that was entering the ring when the capture was stopped is
    /// counted a moment later.
    drained: bool,
    /// When to stop waiting for frames that were counted and do not arrive.
    until: Instant,
}

/// Interval of checks of an interface that is down.
const CHECK_INTERFACE: Duration = Duration::from_millis(200);

/// Interval of checks for packets received before the stop.
const LOOK: Duration = Duration::from_millis(2);

/// Packets arrive within the latency of the capture; this is additional time for a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

impl<C: Capture + 'static> Live<C> {
    /// Registers `capture` with the current runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when the descriptor cannot be watched.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or timers.
    pub fn new(capture: C) -> Result<Self, Error> {
        require_timers();
        // Errors wake only write interest: see `poll_read`.
        #[allow(
            deprecated,
            reason = "the other constructor is unsafe, for who does not own what is watched"
        )]
        let fd =
            AsyncFd::with_interest(Owned::new(capture), Interest::READABLE).map_err(Error::Wait)?;
        Ok(Live { fd, stop: None, error: None, down: None, is_gone: false, ended: false })
    }

    /// Closes the capture where it is dropped, for a thread that does nothing else.
    pub(crate) fn closed_in_place(mut self) -> Self {
        self.fd.get_mut().in_place = true;
        self
    }

    /// The capture.
    #[must_use]
    pub fn capture(&self) -> &C {
        self.fd.get_ref().get()
    }

    /// The capture.
    pub fn capture_mut(&mut self) -> &mut C {
        self.fd.get_mut().get_mut()
    }

    /// Waits until there is a packet or an interface error to read, without reading it.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when the runtime is shutting down.
    pub async fn readable(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll_readable(cx)).await
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            // A stopped capture must be read to its end.
            let ended = self.ended || self.stop.is_some();
            if let Some(error) = self.poll_interface(cx) {
                self.error = Some(error);
            }
            if ended || self.error.is_some() || self.capture().is_ready() {
                return Poll::Ready(Ok(()));
            }
            // Clears readiness without packets.
            match self.fd.poll_read_ready_mut(cx) {
                Poll::Ready(Ok(mut guard)) if guard.get_inner().get().is_ready() => {
                    guard.retain_ready();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(mut guard)) => guard.clear_ready(),
                Poll::Ready(Err(error)) => return self.give_up(error),
                Poll::Pending => match ready!(self.fd.poll_write_ready_mut(cx)) {
                    Ok(mut guard) => guard.clear_ready(),
                    Err(error) => return self.give_up(error),
                },
            }
            self.error = self.capture().take_error();
        }
    }

    /// Deregisters the capture from the runtime.
    #[must_use]
    pub fn into_capture(self) -> C {
        self.fd.into_inner().into_capture()
    }
}

impl<C: Capture + 'static> AsyncPacketSource for Live<C> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = self.error.take().and_then(|error| self.failure(error)) {
            return Poll::Ready(Err(error));
        }
        loop {
            if let Some(error) = self.poll_interface(cx).and_then(|error| self.failure(error)) {
                return Poll::Ready(Err(error));
            }
            // Ready packets are read without asking the runtime.
            if self.capture().is_ready() {
                match self.capture_mut().next_batch(lend) {
                    Ok(0) => {}
                    Ok(lent) => return Poll::Ready(Ok(lent)),
                    Err(error) => {
                        if let Some(error) = self.failure(error) {
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
            if self.stop.is_some() {
                if ready!(self.poll_over(cx))? {
                    return Poll::Ready(Ok(0));
                }
                continue;
            }
            match ready!(self.poll_read(cx, lend)) {
                Ok(0) => {}
                Ok(lent) => return Poll::Ready(Ok(lent)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn stop(&mut self) {
        if self.stop.is_some() || self.ended {
            return;
        }
        let capture = self.fd.get_mut().get_mut();
        // If stopping fails, read only what has arrived.
        let stopped = capture.refuse().is_ok();
        let now = Instant::now();
        let patience = if stopped { capture.latency() + PATIENCE } else { Duration::ZERO };
        self.stop = Some(Stop {
            under_way: None,
            settled: !stopped,
            look: None,
            drained: false,
            until: now + patience,
        });
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        let counted = self.capture_mut().stats()?;
        let mut stats = SourceStats {
            arrived: Some(counted.packets),
            freezes: counted.freezes,
            ring: self.capture().ring().map(|(used, size)| RingUse::new(used, size)),
            ..SourceStats::default()
        };
        for (cause, packets) in counted.losses() {
            stats.lost.lose(cause, packets);
        }
        Ok(stats)
    }

    fn latency(&self) -> Option<Duration> {
        // Timers of the runtime may be late by a millisecond, and so may those of the kernel.
        Some(self.capture().latency() + Duration::from_millis(2))
    }
}

impl<C: Capture + 'static> Live<C> {
    /// Keeps an error of the interface for the next read.
    pub(crate) fn keep_error(&mut self, error: CaptureError) {
        self.error.get_or_insert(error);
    }

    /// Ready once frames can be read: true, or false at the end. Reads none.
    pub(crate) fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        loop {
            if self.ended {
                return Poll::Ready(Ok(false));
            }
            if let Some(error) = self.error.take().and_then(|error| self.failure(error)) {
                return Poll::Ready(Err(error));
            }
            if self.stop.is_none() {
                ready!(self.poll_readable(cx))?;
                if self.error.is_some() {
                    continue;
                }
            } else if let Some(error) =
                self.poll_interface(cx).and_then(|error| self.failure(error))
            {
                return Poll::Ready(Err(error));
            }
            if self.capture().is_ready() {
                return Poll::Ready(Ok(true));
            }
            if self.stop.is_some() {
                ready!(self.poll_over(cx))?;
            }
        }
    }

    /// Reads when the descriptor is ready; `Ok(0)` if there was nothing.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        match self.fd.poll_read_ready_mut(cx) {
            Poll::Ready(Ok(mut guard)) => {
                let lent = guard.get_inner_mut().get_mut().next_batch(lend);
                if !matches!(lent, Ok(1..)) {
                    guard.clear_ready();
                }
                return Poll::Ready(lent.or_else(|error| self.failure(error).map_or(Ok(0), Err)));
            }
            Poll::Ready(Err(error)) => return self.give_up(error),
            Poll::Pending => {}
        }
        match ready!(self.fd.poll_write_ready_mut(cx)) {
            Ok(mut guard) => {
                guard.clear_ready();
                let error = self.capture().take_error();
                let error = error.and_then(|error| self.failure(error));
                Poll::Ready(error.map_or(Ok(0), Err))
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Ends the stream: a runtime that shuts down wakes no task any more.
    fn give_up<T>(&mut self, error: io::Error) -> Poll<Result<T, Error>> {
        self.ended = true;
        Poll::Ready(Err(Error::Wait(error)))
    }

    /// Whether the stream is over after a stop; false if reading again may return packets.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        self.ended = match ready!(self.poll_drained(cx)) {
            Ok(over) => over,
            Err(error) => match self.failure(error) {
                Some(error) => return Poll::Ready(Err(error)),
                // The interface is gone, and what it had left was read.
                None => true,
            },
        };
        Poll::Ready(Ok(self.ended))
    }

    /// Whether all packets received before the stop were read; false if reading again may return
    /// some.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, CaptureError>> {
        let Some(stop) = &mut self.stop else { return Poll::Ready(Ok(false)) };
        if !stop.settled {
            let wait = || spawn_blocking(wait_for_frames_under_way);
            let under_way = stop.under_way.get_or_insert_with(wait);
            // An error means that the runtime is shutting down.
            let (Ok(()) | Err(_)) = ready!(Pin::new(under_way).poll(cx));
            (stop.settled, stop.under_way) = (true, None);
            return Poll::Ready(Ok(false));
        }
        if let Some(look) = &mut stop.look {
            ready!(look.as_mut().poll(cx));
        }
        let now = Instant::now();
        let look = stop.look.get_or_insert_with(|| Box::pin(sleep_until(now)));
        look.as_mut().reset(now + LOOK);
        let capture = self.fd.get_mut().get_mut();
        if capture.is_ready() {
            return Poll::Ready(Ok(false));
        }
        let drained = match capture.is_drained() {
            Ok(drained) => drained,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let over = (drained && stop.drained) || now >= stop.until;
        stop.drained = drained;
        if !over {
            // Registers for the next check, unless it is time for that by now.
            if look.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        Poll::Ready(Ok(true))
    }

    /// `InterfaceGone` if an interface that was down is gone; the task is woken for the next check.
    fn poll_interface(&mut self, cx: &mut Context<'_>) -> Option<CaptureError> {
        let down = self.down.as_mut()?;
        while down.as_mut().poll(cx).is_ready() {
            match self.fd.get_ref().get().check_interface() {
                Some(CaptureError::InterfaceDown { .. }) => {
                    down.as_mut().reset(Instant::now() + CHECK_INTERFACE);
                }
                error => {
                    self.down = None;
                    return error;
                }
            }
        }
        None
    }

    /// The error to return, if it says anything new: the kernel reports a deleted interface twice, as down and as gone. After
    /// `InterfaceGone`, the rest of the ring is read, then the stream ends.
    fn failure(&mut self, error: CaptureError) -> Option<Error> {
        match error {
            CaptureError::InterfaceGone { .. } | CaptureError::InterfaceDown { .. }
                if self.is_gone =>
            {
                return None;
            }
            CaptureError::InterfaceGone { .. } => {
                (self.is_gone, self.down) = (true, None);
                self.stop();
            }
            CaptureError::InterfaceDown { .. } if self.stop.is_none() => {
                self.down = Some(Box::pin(sleep_until(Instant::now() + CHECK_INTERFACE)));
            }
            _ => {}
        }
        Some(error.into())
    }
}

impl<C: Capture + 'static> fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("interface", self.capture().interface())
            .field("stopped", &self.stop.is_some())
            .finish_non_exhaustive()
    }
}

/// Wraps a capture for `AsyncFd`, which needs `AsRawFd`, and closes it.
pub(crate) struct Owned<C: Capture + 'static> {
    /// `None` only while it is dropped.
    capture: Option<C>,
    in_place: bool,
}

impl<C: Capture + 'static> Owned<C> {
    pub(crate) fn new(capture: C) -> Self {
        Owned { capture: Some(capture), in_place: false }
    }

    pub(crate) fn get(&self) -> &C {
        self.capture.as_ref().expect(THERE)
    }

    pub(crate) fn get_mut(&mut self) -> &mut C {
        self.capture.as_mut().expect(THERE)
    }

    fn into_capture(mut self) -> C {
        self.capture.take().expect(THERE)
    }
}

const THERE: &str = "taken only by what consumes the owner";

impl<C: Capture + 'static> Drop for Owned<C> {
    fn drop(&mut self) {
        let Some(capture) = self.capture.take() else { return };
        if !self.in_place {
            drop_elsewhere(capture);
        }
    }
}

impl<C: Capture + 'static> AsRawFd for Owned<C> {
    fn as_raw_fd(&self) -> RawFd {
        self.get().as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    use flowscope_core::{LinkType, PacketSource};
    use netring_capture::{CaptureStats, Interface};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// A capture without packets.
    struct Silent {
        interface: Interface,
        fd: UnixStream,
        _other: UnixStream,
    }

    impl Silent {
        fn new() -> Self {
            let (fd, _other) = UnixStream::pair().unwrap();
            Silent { interface: Interface::find("lo").unwrap(), fd, _other }
        }
    }

    impl AsFd for Silent {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }
    }

    impl PacketSource for Silent {
        type Error = CaptureError;

        fn next_batch(
            &mut self,
            _: &mut dyn FnMut(&[PacketView<'_>]),
        ) -> Result<usize, CaptureError> {
            Ok(0)
        }
    }

    impl Capture for Silent {
        fn interface(&self) -> &Interface {
            &self.interface
        }
        fn link(&self) -> LinkType {
            LinkType::ETHERNET
        }
        fn stats(&mut self) -> Result<CaptureStats, CaptureError> {
            Ok(CaptureStats::default())
        }
        fn is_ready(&self) -> bool {
            false
        }
        fn take_error(&self) -> Option<CaptureError> {
            None
        }
        fn check_interface(&self) -> Option<CaptureError> {
            None
        }
        fn refuse(&mut self) -> Result<(), CaptureError> {
            Ok(())
        }
        fn is_drained(&mut self) -> Result<bool, CaptureError> {
            Ok(true)
        }
        fn latency(&self) -> Duration {
            Duration::from_millis(1)
        }
        fn send(&mut self, _: &[u8]) -> Result<(), CaptureError> {
            Ok(())
        }
        fn send_batch(&mut self, frames: &[&[u8]]) -> Result<usize, CaptureError> {
            Ok(frames.len())
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    async fn poll(live: &mut Live<Silent>) -> Result<usize, Error> {
        poll_fn(|cx| live.poll_batch(cx, &mut |_| {})).await
    }

    #[test]
    fn it_can_be_stopped_from_anywhere() {
        let runtime = runtime();
        let mut live = runtime.block_on(async { Live::new(Silent::new()) }).unwrap();
        live.stop();
        assert_eq!(runtime.block_on(poll(&mut live)).unwrap(), 0);
    }

    #[test]
    #[should_panic(expected = "timers are disabled")]
    fn a_runtime_without_timers_is_refused_at_construction() {
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let _ = runtime.block_on(async { Live::new(Silent::new()) });
    }

    #[test]
    fn a_runtime_that_is_gone_is_told_once() {
        let first = runtime();
        let mut live = first.block_on(async { Live::new(Silent::new()) }).unwrap();
        drop(first);
        let second = runtime();
        assert!(matches!(second.block_on(poll(&mut live)), Err(Error::Wait(_))));
        assert_eq!(second.block_on(poll(&mut live)).unwrap(), 0);
    }
}
