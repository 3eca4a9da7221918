use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use flowscope_core::Loss;
use futures_core::Stream;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot};
use tokio::task::{self, JoinHandle};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::{AsyncDriver, AsyncPacketSource, Error, EventStream, Stats};

/// Event stream with many subscribers: each [`Subscriber`] receives every event from its
/// subscription on.
///
/// Made by [`EventStream::broadcast`], where slow subscribers lose events, or by
/// [`EventStream::broadcast_lossless`]. A task reads the stream. It starts when the first
/// subscriber is polled, so earlier subscribers miss nothing.
///
/// Dropping it stops the capture as [`shutdown`](Self::shutdown) does, without waiting: subscribers
/// still receive what was captured, the ends of all flows, and then the end.
#[derive(Debug)]
#[must_use = "the capture is stopped when this is dropped"]
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
    control: mpsc::UnboundedSender<Control>,
    task: JoinHandle<Result<Stats, Error>>,
}

/// Subscriber of a [`Broadcast`]: a stream of its events, which all subscribers share.
///
/// It ends after the last event of the capture.
#[derive(Debug)]
pub struct Subscriber<T> {
    items: Items<T>,
    shared: Arc<Shared<T>>,
    polled: bool,
    received: u64,
    lagged: u64,
}

/// Item of a [`Subscriber`] that is not an event.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriberError {
    /// The subscriber was too slow and missed this many items, the oldest that it had not read.
    #[error("{0} items went past a subscriber that was too slow")]
    Lagged(u64),
    /// An error of the stream; every subscriber receives it.
    #[error(transparent)]
    Stream(Arc<Error>),
}

/// Item that is sent: an event, or an error of the stream.
type Item<T> = Result<Arc<T>, Arc<Error>>;

#[derive(Debug)]
enum Items<T> {
    /// Slow subscribers lose items.
    Lossy(BroadcastStream<Item<T>>),
    /// Sending waits for the slowest subscriber.
    Lossless(mpsc::Receiver<Item<T>>),
}

#[derive(Debug)]
enum Senders<T> {
    Lossy(broadcast::Sender<Item<T>>),
    Lossless(Vec<mpsc::Sender<Item<T>>>),
}

#[derive(Debug)]
struct Shared<T> {
    /// `None` once the stream has ended.
    senders: Mutex<Option<Senders<T>>>,
    buffer: usize,
    start: Notify,
    /// Sum over all subscribers.
    received: AtomicU64,
    lagged: AtomicU64,
}

/// Request from the handle to the task.
#[derive(Debug)]
enum Control {
    Stop,
    Stats(oneshot::Sender<Result<Stats, Error>>),
}

impl<S, D> EventStream<S, D>
where
    S: AsyncPacketSource + Send + 'static,
    D: AsyncDriver + Send + 'static,
    D::Event: Send + Sync + 'static,
{
    /// Sends every event to any number of subscribers, from a task of its own.
    ///
    /// The last `buffer` items are kept (rounded up to a power of two, at least 1). A subscriber
    /// that falls further behind loses the oldest ones and receives their number. The capture does
    /// not wait for subscribers: on a multi-thread runtime even a fast one can fall behind during a
    /// burst, so `buffer` should hold a burst.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn broadcast(self, buffer: usize) -> Broadcast<D::Event> {
        let buffer = buffer.clamp(1, usize::MAX >> 2);
        Broadcast::new(self, buffer, Senders::Lossy(broadcast::Sender::new(buffer)))
    }

    /// As [`broadcast`](Self::broadcast), without loss: the capture is not read while any
    /// subscriber has `buffer` items to read. The slowest subscriber slows all others, and the
    /// ledger counts what the kernel drops meanwhile. Drop a subscriber that is not read any more.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn broadcast_lossless(self, buffer: usize) -> Broadcast<D::Event> {
        let buffer = buffer.clamp(1, Semaphore::MAX_PERMITS);
        Broadcast::new(self, buffer, Senders::Lossless(Vec::new()))
    }
}

impl<T: Send + Sync + 'static> Broadcast<T> {
    fn new<S, D>(stream: EventStream<S, D>, buffer: usize, senders: Senders<T>) -> Self
    where
        S: AsyncPacketSource + Send + 'static,
        D: AsyncDriver<Event = T> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            senders: Mutex::new(Some(senders)),
            buffer,
            start: Notify::new(),
            received: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
        });
        let (control, asked) = mpsc::unbounded_channel();
        let work = Work { stream, shared: Arc::clone(&shared), asked: Some(asked) };
        Broadcast { shared, control, task: tokio::spawn(work.run()) }
    }

    /// Subscribes to all events from now on.
    pub fn subscribe(&self) -> Subscriber<T> {
        let mut senders = self.shared.senders();
        let items = match &mut *senders {
            Some(Senders::Lossy(sender)) => Items::Lossy(BroadcastStream::new(sender.subscribe())),
            Some(Senders::Lossless(all)) => {
                let (sender, receiver) = mpsc::channel(self.shared.buffer);
                all.push(sender);
                Items::Lossless(receiver)
            }
            // The stream has ended: no event will come.
            None => Items::Lossless(mpsc::channel(1).1),
        };
        drop(senders);
        let shared = Arc::clone(&self.shared);
        Subscriber { items, shared, polled: false, received: 0, lagged: 0 }
    }

    /// Counters up to now; [`events`](Stats::events) has the items sent to subscribers. `None` once
    /// the stream has ended: then call [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters.
    pub async fn stats(&self) -> Result<Option<Stats>, Error> {
        let (answer, answered) = oneshot::channel();
        if self.control.send(Control::Stats(answer)).is_err() {
            return Ok(None);
        }
        answered.await.ok().transpose()
    }

    /// Stops the capture, waits until all received packets and the ends of all open flows were
    /// sent, and returns the counters. Subscribers can still read up to their end; items that they
    /// have not read yet are not in [`events`](Stats::events).
    ///
    /// In lossless mode it waits for the slowest subscriber.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters.
    ///
    /// # Panics
    ///
    /// If the task did: a parser or an extractor that is none of this workspace's panicked.
    pub async fn shutdown(self) -> Result<Stats, Error> {
        let _ = self.control.send(Control::Stop);
        match self.task.await {
            Ok(stats) => stats.map(|stats| self.shared.count(stats)),
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Ok(Stats::default()),
            },
        }
    }
}

impl<T> Shared<T> {
    fn senders(&self) -> MutexGuard<'_, Option<Senders<T>>> {
        // The list behind the lock is consistent at any time.
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the counters of subscribers.
    fn count(&self, mut stats: Stats) -> Stats {
        stats.events.deliver(self.received.load(Ordering::Relaxed));
        stats.events.lose(Loss::SubscriberLag, self.lagged.load(Ordering::Relaxed));
        stats
    }
}

/// The task that reads the stream.
struct Work<S, D: AsyncDriver> {
    stream: EventStream<S, D>,
    shared: Arc<Shared<D::Event>>,
    /// `None` once the handle was dropped.
    asked: Option<mpsc::UnboundedReceiver<Control>>,
}

impl<S: AsyncPacketSource, D: AsyncDriver> Work<S, D> {
    async fn run(mut self) -> Result<Stats, Error> {
        let shared = Arc::clone(&self.shared);
        let mut start = pin!(shared.start.notified());
        poll_fn(|cx| {
            let stopped = self.poll_control(cx);
            if stopped { Poll::Ready(()) } else { start.as_mut().poll(cx) }
        })
        .await;
        // Yields before the buffer is full, so that subscribers on this thread can read. At most as
        // many items as tokio lets a subscriber read in one turn.
        let turn = (self.shared.buffer / 2).clamp(1, 64);
        let mut sent = 0;
        while let Some(item) = poll_fn(|cx| self.poll_item(cx)).await {
            self.send(item.map(Arc::new).map_err(Arc::new)).await;
            sent += 1;
            if sent % turn == 0 {
                task::yield_now().await;
            }
        }
        // Later subscribers find the end.
        self.shared.senders().take();
        self.stream.stats()
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<D::Event, Error>>> {
        self.poll_control(cx);
        Pin::new(&mut self.stream).poll_next(cx)
    }

    /// Handles requests of the handle; returns whether the capture was stopped.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(asked) = &mut self.asked {
            match asked.poll_recv(cx) {
                Poll::Ready(Some(Control::Stats(answer))) => {
                    let stats = self.stream.stats().map(|stats| self.shared.count(stats));
                    let _ = answer.send(stats);
                }
                Poll::Ready(Some(Control::Stop)) => self.stream.stop(),
                Poll::Ready(None) => {
                    self.stream.stop();
                    self.asked = None;
                }
                Poll::Pending => break,
            }
        }
        self.stream.capture().is_stopped()
    }

    async fn send(&mut self, item: Item<D::Event>) {
        let mut senders = match &mut *self.shared.senders() {
            Some(Senders::Lossy(sender)) => {
                // Sending without subscribers is no error.
                let _ = sender.send(item);
                return;
            }
            // Taken out, because the list must not be locked across an await.
            Some(Senders::Lossless(all)) => mem::take(all),
            None => return,
        };
        for sender in &senders {
            // Meanwhile, requests of the handle are still handled.
            let mut room = pin!(sender.reserve());
            let reserved = poll_fn(|cx| {
                self.poll_control(cx);
                room.as_mut().poll(cx)
            });
            if let Ok(permit) = reserved.await {
                permit.send(item.clone());
            }
        }
        senders.retain(|sender| !sender.is_closed());
        if let Some(Senders::Lossless(all)) = &mut *self.shared.senders() {
            // Subscribers that were added meanwhile.
            senders.append(all);
            *all = senders;
        }
    }
}

/// However the task ends, by a panic in a parser too: subscribers read what was sent, then the end.
impl<S, D: AsyncDriver> Drop for Work<S, D> {
    fn drop(&mut self) {
        self.shared.senders().take();
    }
}

impl<T: Send + Sync + 'static> Subscriber<T> {
    /// Next event or stream error. Missed items are skipped and counted in
    /// [`lagged`](Self::lagged).
    pub async fn next_event(&mut self) -> Option<Result<Arc<T>, Arc<Error>>> {
        loop {
            match poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await? {
                Ok(event) => return Some(Ok(event)),
                Err(SubscriberError::Stream(error)) => return Some(Err(error)),
                Err(SubscriberError::Lagged(_)) => {}
            }
        }
    }

    /// Items received so far: events and stream errors.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Items missed so far. After the end, [`received`](Self::received) `+ lagged` is the number of
    /// items sent since the subscription.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.lagged
    }
}

impl<T: Send + Sync + 'static> Stream for Subscriber<T> {
    type Item = Result<Arc<T>, SubscriberError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.polled {
            this.polled = true;
            this.shared.start.notify_one();
        }
        let item = match &mut this.items {
            Items::Lossy(items) => match ready!(Pin::new(items).poll_next(cx)) {
                Some(Err(BroadcastStreamRecvError::Lagged(n))) => {
                    this.lagged += n;
                    this.shared.lagged.fetch_add(n, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(SubscriberError::Lagged(n))));
                }
                Some(Ok(item)) => Some(item),
                None => None,
            },
            Items::Lossless(items) => ready!(items.poll_recv(cx)),
        };
        if item.is_some() {
            this.received += 1;
            this.shared.received.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(item.map(|item| item.map_err(SubscriberError::Stream)))
    }
}

impl<T> Unpin for Subscriber<T> {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flowscope_core::PacketView;
    use flowscope_extract::FiveTuple;
    use tokio::time::timeout;

    use super::*;
    use crate::{AsyncCapture, FlowStream, Next as _};

    /// Source that panics.
    struct Broken;

    impl AsyncPacketSource for Broken {
        fn poll_batch(
            &mut self,
            _: &mut Context<'_>,
            _: &mut dyn FnMut(&[PacketView<'_>]),
        ) -> Poll<Result<usize, Error>> {
            panic!("broken")
        }

        fn stop(&mut self) {}
    }

    fn flows() -> FlowStream<Broken, FiveTuple> {
        AsyncCapture::new(Broken).flow_stream(FiveTuple::bidirectional())
    }

    #[tokio::test]
    async fn a_task_that_panicked_is_the_end_for_all() {
        for events in [flows().broadcast(4), flows().broadcast_lossless(4)] {
            let (mut one, mut other) = (events.subscribe(), events.subscribe());
            for subscriber in [&mut one, &mut other] {
                let next = timeout(Duration::from_secs(5), subscriber.next()).await;
                assert!(next.expect("nobody is left hanging").is_none());
            }
            assert!(events.subscribe().next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_buffer_may_be_as_long_as_can_be() {
        let events = flows().broadcast_lossless(usize::MAX);
        drop(events.subscribe());
    }
}
