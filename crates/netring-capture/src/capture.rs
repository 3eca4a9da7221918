use std::os::fd::AsFd;
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource};

use crate::{CaptureError, CaptureStats, Interface, sys};

/// What every live capture is, whatever it reads from.
///
/// Nothing here waits but [`wait`](Self::wait), and nothing here needs a runtime.
/// [`next_batch`](PacketSource::next_batch) lends at most 64 frames, or nothing if none is there; the
/// descriptor that [`AsFd`] lends is readable whenever there is something, for `poll`, `epoll` and
/// what is built on them. On waking, call `next_batch` until it gives 0: it then also tells what
/// befell the interface.
///
/// On Ethernet, frames are as they were on the wire, all VLAN tags in place: every back end lends the
/// same bytes, which are those of a capture file.
///
/// A capture is in the network namespace of the thread that opened it, and may be used from any.
pub trait Capture: PacketSource<Error = CaptureError> + AsFd + Send {
    /// The interface, as it was when the capture was opened.
    fn interface(&self) -> &Interface;

    /// What every frame begins with.
    fn link(&self) -> LinkType;

    /// What arrived and what was lost, totals of the capture's life.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn stats(&mut self) -> Result<CaptureStats, CaptureError>;

    /// Whether `next_batch` has something right now. Asks the memory, not the kernel.
    fn is_ready(&self) -> bool;

    /// What befell the interface since the last call: [`CaptureError::InterfaceDown`], after which
    /// the capture goes on by itself once it is up again, or [`CaptureError::InterfaceGone`], after
    /// which nothing more will come. Each is told once, here, by [`wait`](Self::wait), or by
    /// `next_batch`.
    fn take_error(&self) -> Option<CaptureError>;

    /// Waits until there is something to read, for at most `timeout`, or for ever. False if there is
    /// nothing: the time is over, or a signal came.
    ///
    /// # Errors
    ///
    /// When there is nothing to read, what [`take_error`](Self::take_error) gives.
    fn wait(&self, timeout: Option<Duration>) -> Result<bool, CaptureError> {
        if self.is_ready() {
            return Ok(true);
        }
        // Rounded up: waiting for less than a millisecond is not asking whether it is over.
        let milliseconds = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let woken = sys::poll_readable(self.as_fd(), milliseconds)
            .map_err(|source| CaptureError::of("wait for frames", source))?;
        if self.is_ready() {
            return Ok(true);
        }
        // Not asked for unless it woke us: asking clears it.
        woken.then(|| self.take_error()).flatten().map_or(Ok(false), Err)
    }

    /// Takes in no more frames. No frame comes in once it returned, which takes the kernel some
    /// milliseconds; what came in before can still be read, all of it once
    /// [`latency`](Self::latency) is over. It can still send. Stopping twice is harmless.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn stop(&mut self) -> Result<(), CaptureError>;

    /// After [`stop`](Self::stop): whether all that arrived was lent or counted as lost. Then
    /// `packets = delivered + lost()` in [`stats`](Self::stats), for good.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn is_drained(&mut self) -> Result<bool, CaptureError>;

    /// For how long a frame can lie unseen although the reader asks.
    fn latency(&self) -> Duration;

    /// Sends a frame, link header included, through the interface. This capture does not see it.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Busy`] when there is no room at the moment; [`CaptureError::FrameTooLong`],
    /// [`CaptureError::InterfaceDown`], [`CaptureError::InterfaceGone`], [`CaptureError::System`].
    fn send(&mut self, frame: &[u8]) -> Result<(), CaptureError>;

    /// Sends the first of `frames`, as many as there is room for, in as few system calls as can be,
    /// and says how many they were: 0 when there is no room at the moment.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and only if none was sent: the frame that fails stops those behind
    /// it, and tells why at the next call.
    fn send_batch(&mut self, frames: &[&[u8]]) -> Result<usize, CaptureError>;
}
