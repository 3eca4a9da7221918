use std::os::fd::AsFd;
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource};

use crate::{CaptureError, CaptureStats, Interface, ShuntMap, sys};

/// Interface common to all live captures.
///
/// Only [`wait`](Self::wait) blocks, and nothing needs an async runtime.
/// [`next_batch`](PacketSource::next_batch) lends at most 64 frames, or none if none is ready. The
/// descriptor of [`AsFd`] is readable whenever there is something to read, for `poll`, `epoll` and
/// event loops on top of them. After waking, call `next_batch` until it returns 0; it also returns
/// errors of the interface.
///
/// On Ethernet, frames are as on the wire, with all VLAN tags in place. All back ends lend the same
/// bytes as a capture file would hold.
///
/// A capture belongs to the network namespace of the thread that opened it, and can be used from
/// any.
pub trait Capture: PacketSource<Error = CaptureError> + AsFd + Send {
    /// The interface, as it was when the capture was opened.
    fn interface(&self) -> &Interface;

    /// Link type of the frames.
    fn link(&self) -> LinkType;

    /// Counters of frames since the capture was opened.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn stats(&mut self) -> Result<CaptureStats, CaptureError>;

    /// Whether `next_batch` would lend frames now. It reads shared memory and makes no system call.
    fn is_ready(&self) -> bool;

    /// Error of the interface since the last call, each reported once, here, by
    /// [`wait`](Self::wait) or by `next_batch`.
    ///
    /// [`CaptureError::InterfaceDown`]: the capture resumes by itself when the interface is up
    /// again. [`CaptureError::InterfaceGone`]: no more frames will arrive.
    fn take_error(&self) -> Option<CaptureError>;

    /// Looks the interface up again: [`CaptureError::InterfaceGone`] if it was deleted or renamed,
    /// [`CaptureError::InterfaceDown`] if it is down, `None` if it is up.
    ///
    /// After `InterfaceDown` the kernel reports nothing more, not even a deletion: call this from time
    /// to time until the interface is back or gone. Unlike [`take_error`](Self::take_error), it
    /// returns the same error each time.
    fn check_interface(&self) -> Option<CaptureError>;

    /// Waits for frames, at most for `timeout`, or without limit. False if there are none: the time
    /// is over, or a signal arrived.
    ///
    /// # Errors
    ///
    /// When there is nothing to read, the error of [`take_error`](Self::take_error).
    fn wait(&self, timeout: Option<Duration>) -> Result<bool, CaptureError> {
        if self.is_ready() {
            return Ok(true);
        }
        // Rounded up: a wait of less than a millisecond must not become a poll.
        let milliseconds = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let woken = sys::poll_readable(self.as_fd(), milliseconds)
            .map_err(|source| CaptureError::of("wait for frames", source))?;
        if self.is_ready() {
            return Ok(true);
        }
        // Read only after it woke the call: reading clears it.
        woken.then(|| self.take_error()).flatten().map_or(Ok(false), Err)
    }

    /// Stops receiving. After it returns, which takes some milliseconds, no more frames enter.
    /// Frames received before can still be read, the last of them once [`latency`](Self::latency)
    /// is over. Sending is still possible. A second call has no effect.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn stop(&mut self) -> Result<(), CaptureError> {
        self.refuse()?;
        wait_for_frames_under_way();
        Ok(())
    }

    /// First half of [`stop`](Self::stop), without waiting: frames that the kernel is processing may
    /// still enter, until a call of [`wait_for_frames_under_way`] that begins later has returned.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn refuse(&mut self) -> Result<(), CaptureError>;

    /// After [`stop`](Self::stop): whether every frame that arrived was lent or counted as lost.
    /// From then on `packets = delivered + shunted + lost()` in [`stats`](Self::stats).
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    fn is_drained(&mut self) -> Result<bool, CaptureError>;

    /// Blocks of the ring that hold frames not read yet, and all of its blocks. It reads shared memory
    /// and makes no system call. `None` for AF_XDP.
    fn ring(&self) -> Option<(u64, u64)> {
        None
    }

    /// Longest time that a received frame is not visible to the reader.
    fn latency(&self) -> Duration;

    /// Map of the flows whose packets the kernel counts, if the capture was opened with one.
    fn shunt_map(&self) -> Option<&ShuntMap> {
        None
    }

    /// Sends one frame, link header included. This capture does not see it.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Busy`] when the send queue is full; [`CaptureError::FrameTooLong`],
    /// [`CaptureError::InterfaceDown`], [`CaptureError::InterfaceGone`], [`CaptureError::System`].
    fn send(&mut self, frame: &[u8]) -> Result<(), CaptureError>;

    /// Sends as many of `frames` as there is room for, in order and with few system calls, and
    /// returns their number: 0 when the send queue is full.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and only if no frame was sent: frames before a failing one are
    /// sent, and the next call returns the error.
    fn send_batch(&mut self, frames: &[&[u8]]) -> Result<usize, CaptureError>;
}

/// Waits until the kernel has finished all frames that it is processing, in any capture: the second
/// half of [`Capture::stop`]. It takes some milliseconds, and no CPU time.
pub fn wait_for_frames_under_way() {
    sys::wait_for_frames_under_way();
}
