use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use flowscope_core::Loss;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::next::next_method;
use crate::{AsyncDriver, AsyncPacketSource, Error, EventStream, Stats};

/// Event stream with many subscribers: each [`Subscriber`] receives every event from its
/// subscription on.
///
/// Made by [`EventStream::broadcast`], where slow subscribers lose events, or by
/// [`EventStream::broadcast_lossless`]. A task reads the stream. It starts when the first
/// subscriber is polled, so earlier subscribers miss nothing.
///
/// It can be cloned. Dropping the last clone stops the capture as [`shutdown`](Self::shutdown) does,
/// without waiting: subscribers still receive what was captured, the ends of all flows, and then the
/// end.
#[derive(Debug)]
#[must_use = "the capture is stopped when this is dropped"]
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
    control: mpsc::UnboundedSender<Control>,
    outcome: watch::Receiver<Option<Result<Stats, Arc<Error>>>>,
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Broadcast { shared, control: self.control.clone(), outcome: self.outcome.clone() }
    }
}

/// Subscriber of a [`Broadcast`]: a stream of its events, which all subscribers share.
///
/// It ends after the last event of the capture.
#[derive(Debug)]
pub struct Subscriber<T> {
    items: Items<T>,
    shared: Arc<Shared<T>>,
    polled: bool,
    /// `None` was returned.
    terminated: bool,
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

/// Largest buffer, which is allocated at once.
const MAX_BUFFER: usize = 1 << 20;

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
    /// The last `buffer` items are kept, rounded up to a power of two, from 1 to 2^20. A subscriber
    /// that falls further behind loses the oldest ones and receives their number. The capture does
    /// not wait for subscribers: on a multi-thread runtime even a fast one can fall behind during a
    /// burst, so `buffer` should hold a burst.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn broadcast(self, buffer: usize) -> Broadcast<D::Event> {
        let buffer = buffer.clamp(1, MAX_BUFFER);
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
        let (result, outcome) = watch::channel(None);
        let work =
            Work { stream, shared: Arc::clone(&shared), asked: Some(asked), panicked: false };
        tokio::spawn(async move {
            result.send_replace(Some(work.run().await.map_err(Arc::new)));
        });
        Broadcast { shared, control, outcome }
    }

    /// Subscribes to all events from now on.
    pub fn subscribe(&self) -> Subscriber<T> {
        Shared::subscribe(&self.shared)
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
    /// sent, and returns the counters; each call returns the same. Subscribers can still read up to their end; items that they
    /// have not read yet are not in [`events`](Stats::events).
    ///
    /// In lossless mode it waits for the slowest subscriber.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters; [`Error::Panicked`] when a parser, an extractor or
    /// the source panicked. Both come as [`Error::Shared`].
    pub async fn shutdown(&self) -> Result<Stats, Error> {
        let _ = self.control.send(Control::Stop);
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(stats))) => Ok(self.shared.count(stats.clone())),
            Ok(Some(Err(error))) => Err(Error::Shared(Arc::clone(error))),
            // The runtime is shutting down.
            Ok(None) | Err(_) => Ok(Stats::default()),
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn subscribe(self: &Arc<Self>) -> Subscriber<T> {
        let items = match &mut *self.senders() {
            Some(Senders::Lossy(sender)) => Items::Lossy(BroadcastStream::new(sender.subscribe())),
            Some(Senders::Lossless(all)) => {
                let (sender, receiver) = mpsc::channel(self.buffer);
                all.push(sender);
                Items::Lossless(receiver)
            }
            // The stream has ended: no event will come.
            None => Items::Lossless(mpsc::channel(1).1),
        };
        let shared = Arc::clone(self);
        Subscriber { items, shared, polled: false, terminated: false, received: 0, lagged: 0 }
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
    /// The stream panicked, and is not used any more.
    panicked: bool,
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
        let mut panicked = None;
        while let Some(item) = poll_fn(|cx| self.poll_item(cx)).await {
            if let Err(Error::Panicked(message)) = &item {
                panicked = Some(message.clone());
            }
            self.send(item.map(Arc::new).map_err(Arc::new)).await;
            sent += 1;
            if sent % turn == 0 {
                task::yield_now().await;
            }
        }
        // Later subscribers find the end.
        self.shared.senders().take();
        match panicked {
            Some(message) => Err(Error::Panicked(message)),
            None => self.stream.stats(),
        }
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<D::Event, Error>>> {
        self.poll_control(cx);
        if self.panicked {
            return Poll::Ready(None);
        }
        let polled = AssertUnwindSafe(|| Pin::new(&mut self.stream).poll_next(cx));
        catch_unwind(polled).unwrap_or_else(|payload| {
            self.panicked = true;
            Poll::Ready(Some(Err(Error::panicked(&*payload))))
        })
    }

    /// Handles requests of the handle; returns whether the capture was stopped.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(asked) = &mut self.asked
            && !self.panicked
        {
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
        self.panicked || self.stream.capture().is_stopped()
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

/// However the task ends, subscribers read what was sent, then the end.
impl<S, D: AsyncDriver> Drop for Work<S, D> {
    fn drop(&mut self) {
        self.shared.senders().take();
    }
}

impl<T: Send + Sync + 'static> Subscriber<T> {
    next_method!();

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

    /// Subscribes again, to all events from now on. The new subscriber does not get the items that
    /// this one has not read yet.
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Shared::subscribe(&self.shared)
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
        } else {
            this.terminated = true;
        }
        Poll::Ready(item.map(|item| item.map_err(SubscriberError::Stream)))
    }
}

impl<T: Send + Sync + 'static> FusedStream for Subscriber<T> {
    fn is_terminated(&self) -> bool {
        self.terminated
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
    use crate::{AsyncCapture, FlowStream};

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
    async fn every_subscriber_learns_of_a_panic() {
        for events in [flows().broadcast(4), flows().broadcast_lossless(4)] {
            let (mut one, mut other) = (events.subscribe(), events.subscribe());
            for subscriber in [&mut one, &mut other] {
                let next = timeout(Duration::from_secs(5), subscriber.next()).await;
                let error = next.expect("it does not hang").unwrap().unwrap_err();
                assert_eq!(error.to_string(), "panicked: broken");
                let next = timeout(Duration::from_secs(5), subscriber.next()).await;
                assert!(next.expect("it does not hang").is_none());
            }
            assert!(events.subscribe().next().await.is_none());
            for handle in [events.clone(), events] {
                assert_eq!(handle.shutdown().await.unwrap_err().to_string(), "panicked: broken");
            }
        }
    }

    #[tokio::test]
    async fn the_largest_buffer_is_bounded() {
        for events in [flows().broadcast(usize::MAX), flows().broadcast_lossless(usize::MAX)] {
            drop(events.subscribe());
        }
    }
}
