//! Sending with back-pressure, for any owner of a capture.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use netring_capture::{Capture, CaptureError};
use tokio::io::unix::AsyncFd;
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::live::Owned;
use crate::{Error, Live};

/// Frames that one call gives to the kernel.
pub(super) const BATCH: usize = 64;

/// Owner of a capture that sends.
pub(super) trait Output {
    type Capture: Capture;

    fn capture(&mut self) -> &mut Self::Capture;

    /// Ready, once, when the kernel has announced room. Cleared before the attempt to send: room that comes
    /// after it sets it again.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// An error of the interface that sending met, and that no other call will return.
    fn found(&mut self, _error: CaptureError) {}
}

impl<C: Capture + 'static> Output for AsyncFd<Owned<C>> {
    type Capture = C;

    fn capture(&mut self) -> &mut C {
        self.get_mut().get_mut()
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut ready = ready!(self.poll_write_ready_mut(cx)).map_err(Error::Wait)?;
        ready.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl<C: Capture + 'static> Output for Live<C> {
    type Capture = C;

    fn capture(&mut self) -> &mut C {
        self.capture_mut()
    }

    /// Never: a capture that reads is registered for packets and errors only.
    fn poll_writable(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Pending
    }

    fn found(&mut self, error: CaptureError) {
        self.keep_error(error);
    }
}

/// Sends as many of `frames` as there is room for, and returns their number, at least 1 unless `frames` is
/// empty; pending while there is none. An error is about the first frame, or about the interface.
pub(super) fn poll_send<O: Output>(
    output: &mut O,
    room: &mut Room,
    cx: &mut Context<'_>,
    frames: &[&[u8]],
) -> Poll<Result<usize, Error>> {
    if frames.is_empty() {
        return Poll::Ready(Ok(0));
    }
    let unit = ready!(coop::poll_proceed(cx));
    let frames = &frames[..frames.len().min(BATCH)];
    let mut was_down = false;
    loop {
        if room.is_awaited() {
            match output.poll_writable(cx) {
                Poll::Ready(writable) => writable?,
                Poll::Pending => ready!(room.poll_retry(cx)),
            }
        }
        let done = match output.capture().send_batch(frames) {
            Ok(0) | Err(CaptureError::Busy) => {
                room.wait();
                continue;
            }
            done => done,
        };
        if let Err(CaptureError::InterfaceDown { interface }) = &done {
            // The socket keeps this error until a call returns it, also when the interface is up again. This
            // one may have been such a call.
            let error = output.capture().take_error();
            output.found(
                error.unwrap_or(CaptureError::InterfaceDown { interface: interface.clone() }),
            );
            if !was_down && output.capture().check_interface().is_none() {
                was_down = true;
                continue;
            }
        }
        room.found();
        unit.made_progress();
        return Poll::Ready(done.map_err(Error::from));
    }
}

/// Waits for room by a timer, where no event announces it: the queue of a device, and that of AF_XDP.
#[derive(Debug, Default)]
pub(super) struct Room {
    retry: Option<Pin<Box<Sleep>>>,
    awaited: bool,
}

/// Interval of attempts to send, the resolution of timers.
const RETRY: Duration = Duration::from_millis(1);

impl Room {
    fn is_awaited(&self) -> bool {
        self.awaited
    }

    fn wait(&mut self) {
        let when = Instant::now() + RETRY;
        match &mut self.retry {
            Some(retry) => retry.as_mut().reset(when),
            none => *none = Some(Box::pin(sleep_until(when))),
        }
        self.awaited = true;
    }

    fn found(&mut self) {
        self.awaited = false;
    }

    /// Ready when it is time for another attempt.
    fn poll_retry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.retry.as_mut().map_or(Poll::Ready(()), |retry| retry.as_mut().poll(cx))
    }
}
