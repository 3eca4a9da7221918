use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use crate::{Error, Stats};

/// Stops a stream from another task, and waits for its end. Clones stop the same stream.
///
/// Made by `handle` of [`EventStream`](crate::EventStream::handle),
/// [`PacketStream`](crate::PacketStream::handle) and, on Linux, `ShardedStream` and `Workers`. A
/// [`Broadcast`](crate::Broadcast) is a handle itself.
///
/// ```no_run
/// use flowscope_extract::FiveTuple;
/// use netring::AsyncCapture;
///
/// # async fn check() -> Result<(), netring::Error> {
/// let mut flows = AsyncCapture::open("eth0")?.flow_stream(FiveTuple::bidirectional());
/// let handle = flows.handle();
/// let reader = tokio::spawn(async move { while flows.next().await.is_some() {} });
/// // Later, or in another task:
/// println!("{}", handle.shutdown().await?);
/// # drop(reader);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StreamHandle {
    shared: Arc<Shared>,
}

struct Shared {
    stop: watch::Sender<bool>,
    outcome: watch::Sender<Outcome>,
}

enum Outcome {
    Running,
    Ended(Box<Result<Stats, Arc<Error>>>),
    Dropped,
}

impl StreamHandle {
    pub(crate) fn new() -> Self {
        let (stop, outcome) = (watch::Sender::new(false), watch::Sender::new(Outcome::Running));
        StreamHandle { shared: Arc::new(Shared { stop, outcome }) }
    }

    /// Stops the capture, without waiting: packets already received are still processed, then the
    /// stream ends. No effect on a stream that has ended.
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
    }

    /// Stops the capture, waits until the stream was read to its end, and returns the counters; each
    /// call returns the same. The owner of the stream reads it meanwhile: while it is not read, this
    /// waits. Dropping the future does not take the stop back.
    ///
    /// # Errors
    ///
    /// [`Error::Dropped`] when the stream was dropped before its end. When the source cannot read its
    /// counters, or a worker panicked, as [`Error::Shared`].
    pub async fn shutdown(&self) -> Result<Stats, Error> {
        self.stop();
        self.ended().await
    }

    /// As [`shutdown`](Self::shutdown), for a stream that ends without it.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn ended(&self) -> Result<Stats, Error> {
        let mut outcome = self.shared.outcome.subscribe();
        match outcome.wait_for(|now| !matches!(now, Outcome::Running)).await.as_deref() {
            Ok(Outcome::Ended(ended)) => match &**ended {
                Ok(stats) => Ok(stats.clone()),
                Err(error) => Err(Error::Shared(Arc::clone(error))),
            },
            Ok(Outcome::Running | Outcome::Dropped) | Err(_) => Err(Error::Dropped),
        }
    }

    /// Whether the stream has ended, or was dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(*self.shared.outcome.borrow(), Outcome::Running)
    }

    /// Completes once a handle has requested the stop, or the last one was dropped.
    fn stopped(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut stop = self.shared.stop.subscribe();
        Box::pin(async move {
            let _ = stop.wait_for(|&stop| stop).await;
        })
    }

    /// The stop, for many threads.
    #[cfg(target_os = "linux")]
    pub(crate) fn watch_stop(&self) -> watch::Receiver<bool> {
        self.shared.stop.subscribe()
    }

    /// Waits until no task watches the stop any more.
    #[cfg(target_os = "linux")]
    pub(crate) async fn unwatched(&self) {
        self.shared.stop.closed().await;
    }

    /// What handles report from now on. Only the first call has an effect.
    pub(crate) fn report(&self, ended: Result<Stats, Error>) {
        self.settle(Outcome::Ended(Box::new(ended.map_err(Arc::new))));
    }

    fn settle(&self, outcome: Outcome) {
        self.shared.outcome.send_if_modified(|now| {
            let first = matches!(now, Outcome::Running);
            if first {
                *now = outcome;
            }
            first
        });
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle")
            .field("stopped", &*self.shared.stop.borrow())
            .field("over", &self.is_over())
            .finish()
    }
}

/// The side of the stream: handles learn when it is dropped.
pub(crate) struct Handled {
    handle: StreamHandle,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Handled {
    pub(crate) fn new() -> Self {
        let handle = StreamHandle::new();
        Handled { stopped: handle.stopped(), handle }
    }

    pub(crate) fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    /// Completes once a handle has requested the stop; not to be polled after that.
    pub(crate) fn stopped(&mut self) -> Pin<&mut (dyn Future<Output = ()> + Send)> {
        self.stopped.as_mut()
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        self.handle.settle(Outcome::Dropped);
    }
}
