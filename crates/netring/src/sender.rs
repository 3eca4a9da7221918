mod output;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flowscope_filter::Program;
use futures_sink::Sink;
use netring_capture::{AfPacket, AfPacketConfig, Capture, CaptureError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::live::Owned;
use crate::live_clock::require_timers;
use crate::{AsyncCapture, Error, Live};

use self::output::{BATCH, Room, poll_send};

/// Sends frames through an interface, and waits while its queue is full.
///
/// [`open`](Self::open) opens an interface only to send, [`new`](Self::new) takes any capture, such as an
/// AF_XDP one. Also a `Sink` of [`Bytes`], which collects frames and sends them in batches.
///
/// Frames have their link header; the card adds checksums only where it is configured to, so they must be
/// right. Captures on the same interface see the frames, as outgoing ones.
///
/// After an error, the next call goes on: [`InterfaceDown`](CaptureError::InterfaceDown) until it is up
/// again, [`FrameTooLong`](CaptureError::FrameTooLong) for that frame, [`System`](CaptureError::System) for a
/// frame that is empty or shorter than its link header.
///
/// ```no_run
/// # async fn check() -> Result<(), netring::Error> {
/// let mut sender = netring::Sender::open("eth0")?;
/// let frame = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
/// sender.send(&[&frame[..], &[0x88, 0xb5], &[0; 46]].concat()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Sender<C: Capture + 'static> {
    fd: AsyncFd<Owned<C>>,
    room: Room,
    /// Frames of the sink that were not sent yet.
    queue: VecDeque<Bytes>,
    sent: u64,
}

/// Frames that the sink collects: one batch.
const QUEUE: usize = BATCH;

impl Sender<AfPacket> {
    /// Opens an interface to send through it. Nothing is received.
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`](crate::AsyncCapture::open).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn open(interface: &str) -> Result<Self, Error> {
        let config = AfPacketConfig::default()
            .blocks(NonZeroU32::MIN)
            .block_size(SMALL)
            .filter(Program::nothing());
        Sender::new(AfPacket::open(interface, &config)?)
    }
}

/// The smallest ring there is.
const SMALL: NonZeroU32 = NonZeroU32::new(1 << 12).expect("not zero");

impl<C: Capture + 'static> Sender<C> {
    /// Registers `capture` with the current runtime. It is not read.
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
        #[allow(
            deprecated,
            reason = "the other constructor is unsafe, for who does not own what is watched"
        )]
        let fd =
            AsyncFd::with_interest(Owned::new(capture), Interest::WRITABLE).map_err(Error::Wait)?;
        Ok(Sender { fd, room: Room::default(), queue: VecDeque::new(), sent: 0 })
    }

    /// Sends one frame, link header included, as soon as there is room. Dropping the future before it is
    /// ready sends nothing.
    ///
    /// # Errors
    ///
    /// As [`Capture::send`], except that it is never busy; [`Error::Wait`] when the runtime is shutting
    /// down.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), Error> {
        self.send_all(&[frame]).await
    }

    /// Sends all frames, in order and in batches. Dropping the future leaves out those that were not sent
    /// yet: see [`sent`](Self::sent).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), for the first frame that cannot be sent; those before it are sent, those
    /// behind it are not.
    pub async fn send_all(&mut self, frames: &[&[u8]]) -> Result<(), Error> {
        let mut rest = frames;
        while !rest.is_empty() {
            let sent = poll_fn(|cx| self.poll_send(cx, rest)).await?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Sends as many of `frames` as there is room for, and returns their number, at least 1 unless
    /// `frames` is empty; pending while there is none.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &[&[u8]],
    ) -> Poll<Result<usize, Error>> {
        let done = ready!(poll_send(&mut self.fd, &mut self.room, cx, frames));
        self.sent += done.as_ref().copied().unwrap_or_default() as u64;
        Poll::Ready(done)
    }

    /// Frames sent so far: given to the kernel.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The capture.
    #[must_use]
    pub fn capture(&self) -> &C {
        self.fd.get_ref().get()
    }

    /// Sends what the sink has collected.
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Sender { fd, room, queue, sent } = self;
        while !queue.is_empty() {
            let mut frames: [&[u8]; BATCH] = [&[]; BATCH];
            for (frame, queued) in frames.iter_mut().zip(&*queue) {
                *frame = queued;
            }
            let count = queue.len().min(BATCH);
            match ready!(poll_send(fd, room, cx, &frames[..count])) {
                Ok(some) => {
                    drop(queue.drain(..some));
                    *sent += some as u64;
                }
                Err(error) => {
                    if !may_be_sent_later(&error) {
                        queue.pop_front();
                    }
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether an error says nothing of the frame.
fn may_be_sent_later(error: &Error) -> bool {
    use CaptureError::{InterfaceDown, InterfaceGone};
    matches!(error, Error::Wait(_) | Error::Capture(InterfaceDown { .. } | InterfaceGone { .. }))
}

/// Collects up to 64 frames, which `flush` sends. `start_send` without `poll_ready` is
/// [`CaptureError::Busy`] when there are so many, and leaves that frame out.
///
/// A frame that the kernel refuses, because it is too long or shorter than a link header, is an error and is
/// left out. The frames stay when the error is about the interface or the runtime, and the next call tries
/// again.
impl<C: Capture + 'static> Sink<Bytes> for Sender<C> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        if this.queue.len() < QUEUE { Poll::Ready(Ok(())) } else { this.poll_queue(cx) }
    }

    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> Result<(), Error> {
        let queue = &mut self.get_mut().queue;
        if queue.len() >= QUEUE {
            return Err(CaptureError::Busy.into());
        }
        queue.push_back(frame);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_queue(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_queue(cx)
    }
}

/// No field is ever pinned.
impl<C: Capture + 'static> Unpin for Sender<C> {}

impl<C: Capture + 'static> fmt::Debug for Sender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("interface", self.capture().interface())
            .field("queued", &self.queue.len())
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl<C: Capture + 'static> AsyncCapture<Live<C>> {
    /// Sends frames through the interface that is captured, in order: all of them, as soon as there is
    /// room. For AF_XDP, whose queue has one socket for both directions; two interfaces, or two tasks, are
    /// better served by a [`Sender`].
    ///
    /// Packets are not read meanwhile. That the interface was down is also an error of the next read.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_all`].
    pub async fn send_all(&mut self, frames: &[&[u8]]) -> Result<(), Error> {
        let live = self.source_mut();
        let (mut room, mut rest) = (Room::default(), frames);
        while !rest.is_empty() {
            let sent = poll_fn(|cx| poll_send(live, &mut room, cx, rest)).await?;
            rest = &rest[sent..];
        }
        Ok(())
    }
}
