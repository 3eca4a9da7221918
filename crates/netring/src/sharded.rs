mod workers;

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;

use flowscope_core::FlowExtractor;
use flowscope_driver::{DriverConfig, FlowDriver};
use flowscope_track::FlowEvent;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use netring_capture::{AfPacket, Capture};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};

use crate::next::next_method;
use crate::{
    AsyncCapture, AsyncDriver, CaptureBuilder, Error, EventStream, FlowAffinity, Live, Stats,
    StreamHandle, default_config,
};

use workers::Total;
pub use workers::Workers;

/// Several captures that share the packets of an interface, each with a worker thread on its own
/// core and its own driver.
///
/// Made by [`CaptureBuilder::open_sharded`] from a fanout group, or from AF_XDP queues by
/// [`new`](Self::new). Workers share nothing. Their events are handled in the workers, by
/// [`run`](Self::run), or merged into one [`stream`](Self::stream).
///
/// Both directions of a flow must reach the same worker. A fanout group ensures that, also in the
/// tunnels that [`Program::flow_hash`](netring_capture::Program::flow_hash) reaches; the queues of a
/// network card do if its hash is symmetric. [`FlowAffinity`] checks it while the workers run.
#[derive(Debug)]
pub struct Sharded<C> {
    captures: Vec<C>,
    cores: Vec<usize>,
    config: DriverConfig,
    affinity: FlowAffinity,
}

impl CaptureBuilder {
    /// Opens `workers` captures on one interface. Each packet goes to one of them, both directions
    /// of a flow to the same one, as [`Fanout`](netring_capture::Fanout) says. `group` is a number that no other capture of this host uses for
    /// the interface; see
    /// [`AfPacketConfig::fanout_group`](netring_capture::AfPacketConfig::fanout_group).
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`].
    pub fn open_sharded(
        self,
        interface: &str,
        group: u16,
        workers: NonZeroUsize,
    ) -> Result<Sharded<AfPacket>, Error> {
        let config = self.config_for(interface)?.fanout_group(group);
        let captures: Result<Vec<_>, _> =
            (0..workers.get()).map(|_| AfPacket::open(interface, &config)).collect();
        Ok(Sharded::new(captures?))
    }
}

impl<C: Capture + 'static> Sharded<C> {
    /// One worker per capture, pinned in turn to the cores that this process may use.
    #[must_use]
    pub fn new(captures: impl IntoIterator<Item = C>) -> Self {
        let captures: Vec<C> = captures.into_iter().collect();
        let affinity = FlowAffinity::new(captures.len());
        Sharded { captures, cores: netring_capture::cores(), config: default_config(), affinity }
    }

    /// The check that both directions of a flow reach the same worker. [`flow_stream`](Self::flow_stream)
    /// applies it; drivers for [`run`](Self::run) and [`stream`](Self::stream) take part if their
    /// extractor is [watched](FlowAffinity::watch). The result is in the [`Stats`] of the workers.
    #[must_use]
    pub fn affinity(&self) -> FlowAffinity {
        self.affinity.clone()
    }

    /// Pins the workers to these cores in turn; an empty list pins none.
    #[must_use]
    pub fn pin_to(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.cores = cores.into_iter().collect();
        self
    }

    /// Configuration of [`flow_stream`](Self::flow_stream) for all workers together; the limits are
    /// divided among them. Default: [`default_config`].
    #[must_use]
    pub fn with_config(mut self, config: DriverConfig) -> Self {
        self.config = config;
        self
    }

    /// The captures, in the order of the workers.
    pub(crate) fn captures(&self) -> &[C] {
        &self.captures
    }

    /// Number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.captures.len()
    }

    /// Starts the workers. `make` is called with the number of each worker, and returns its driver
    /// and its handler of events and errors. The handler runs in the thread of the worker, which
    /// reads nothing meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when a thread or its runtime cannot be created.
    pub fn run<D, H>(self, mut make: impl FnMut(usize) -> (D, H)) -> Result<Workers, Error>
    where
        D: AsyncDriver + Send + 'static,
        H: FnMut(Result<D::Event, Error>) + Send + 'static,
    {
        let affinity = self.affinity();
        self.start(|number, stop| {
            let (driver, mut handle) = make(number);
            let affinity = affinity.clone();
            let work = move |capture: C| async move {
                let mut stream = watched(capture, driver, stop)?;
                while let Some(item) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
                    handle(item);
                }
                affinity.add_to(number, stream.stats())
            };
            (work, |_| ())
        })
    }

    /// Starts the workers and merges their events. `make` is called with the number of each worker
    /// and returns its driver. A slow reader slows all workers, and the ledgers count what the
    /// kernel drops meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when a thread or its runtime cannot be created.
    pub fn stream<D>(
        self,
        mut make: impl FnMut(usize) -> D,
    ) -> Result<ShardedStream<D::Event>, Error>
    where
        D: AsyncDriver + Send + 'static,
        D::Event: Send + 'static,
    {
        let (sender, chunks) = mpsc::channel(2 * self.workers().max(1));
        let affinity = self.affinity();
        let workers = self.start(|number, stop| {
            let driver = make(number);
            let affinity = affinity.clone();
            let (sender, panics) = (sender.clone(), sender.clone());
            let work = move |capture: C| async move {
                let mut stream = watched(capture, driver, stop)?;
                loop {
                    let (items, over) = poll_fn(|cx| poll_chunk(&mut stream, cx)).await;
                    // When the reader is dropped, the capture was stopped too.
                    if !items.is_empty() {
                        let _ = sender.send(Chunk { worker: number, items }).await;
                    }
                    if over {
                        return affinity.add_to(number, stream.stats());
                    }
                }
            };
            let panicked = move |error| {
                let _ = panics.blocking_send(Chunk { worker: number, items: vec![Err(error)] });
            };
            (work, panicked)
        })?;
        Ok(ShardedStream {
            chunks,
            worker: 0,
            items: Vec::new().into_iter(),
            terminated: false,
            workers,
        })
    }

    /// Starts the workers and merges their flow events: see [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream).
    pub fn flow_stream<E: FlowExtractor>(
        self,
        mut extractor: impl FnMut(usize) -> E,
    ) -> Result<ShardedStream<FlowEvent<E::Key>>, Error> {
        let workers = NonZeroUsize::new(self.workers()).unwrap_or(NonZeroUsize::MIN);
        let (config, affinity) = (self.config.divided(workers), self.affinity());
        self.stream(|number| {
            let extractor = affinity.watch(number, extractor(number));
            FlowDriver::with_config(extractor, config.clone())
        })
    }

    /// Starts a thread for each capture, with its work, and what reports a panic of it.
    fn start<W, F, P>(
        self,
        mut make: impl FnMut(usize, watch::Receiver<bool>) -> (W, P),
    ) -> Result<Workers, Error>
    where
        W: FnOnce(C) -> F + Send + 'static,
        P: FnOnce(Error) + Send + 'static,
        F: Future<Output = Result<Stats, Error>>,
    {
        let handle = StreamHandle::new();
        let total = Arc::new(Total::new(self.captures.len(), handle.clone()));
        // Stops those that run already when another one cannot be started.
        let mut workers = Workers { handle, ends: Vec::new() };
        for (number, capture) in self.captures.into_iter().enumerate() {
            let (work, panicked) = make(number, workers.handle.watch_stop());
            let core = (!self.cores.is_empty()).then(|| self.cores[number % self.cores.len()]);
            let runtime =
                runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Wait)?;
            let (end, ended) = oneshot::channel();
            let total = Arc::clone(&total);
            let run = move || {
                if let Some(core) = core {
                    // A worker that cannot be pinned runs on any core.
                    let _ = netring_capture::pin_to_core(core);
                }
                let work = AssertUnwindSafe(|| runtime.block_on(work(capture)));
                let result = catch_unwind(work).unwrap_or_else(|payload| {
                    panicked(Error::panicked(&*payload));
                    Err(Error::panicked(&*payload))
                });
                total.add(&result);
                let _ = end.send(result);
            };
            thread::Builder::new()
                .name(format!("netring-{number}"))
                .spawn(run)
                .map_err(Error::Wait)?;
            workers.ends.push(ended);
        }
        Ok(workers)
    }
}

/// The event stream of a capture, in the current runtime, until it is stopped.
fn watched<C: Capture + 'static, D: AsyncDriver>(
    capture: C,
    driver: D,
    mut stop: watch::Receiver<bool>,
) -> Result<EventStream<Live<C>, D>, Error> {
    let stopped = async move {
        // The sender lives as long as any worker does; what stops them without a call is the drop of `Workers`.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    let capture = AsyncCapture::new(Live::new(capture)?.closed_in_place()).stop_when(stopped);
    Ok(capture.drive(driver).dropped_in_place())
}

/// Up to `CHUNK` items that are ready, and whether the stream has ended.
fn poll_chunk<C: Capture + 'static, D: AsyncDriver>(
    stream: &mut EventStream<Live<C>, D>,
    cx: &mut Context<'_>,
) -> Poll<(Items<D::Event>, bool)> {
    let mut items = Vec::new();
    while items.len() < CHUNK {
        match Pin::new(&mut *stream).poll_next(cx) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return Poll::Ready((items, true)),
            Poll::Pending if items.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready((items, false))
}

type Items<T> = Vec<Result<T, Error>>;

/// Most items that a worker sends at once.
const CHUNK: usize = 256;

#[derive(Debug)]
struct Chunk<T> {
    worker: usize,
    items: Items<T>,
}

/// Events of all workers: in order within a worker, interleaved between workers.
///
/// Packet numbers and flow ids are per worker: those of two workers may be equal.
///
/// It ends when all workers have ended. Dropping it stops them.
#[derive(Debug)]
pub struct ShardedStream<T> {
    chunks: mpsc::Receiver<Chunk<T>>,
    worker: usize,
    items: std::vec::IntoIter<Result<T, Error>>,
    /// `None` was returned.
    terminated: bool,
    workers: Workers,
}

impl<T> ShardedStream<T> {
    next_method!();

    /// Stops all workers. Read on until `None`.
    pub fn stop(&self) {
        self.workers.stop();
    }

    /// As [`Workers::handle`]. The workers end when their events were read, or when this is dropped.
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.workers.handle()
    }

    /// As [`Workers::stop_when`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn stop_when<F: Future + Send + 'static>(mut self, signal: F) -> Self {
        self.workers = self.workers.stop_when(signal);
        self
    }

    /// Number of the worker that the last item came from.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Stops all workers, discards unread events, and returns the counters of each worker.
    ///
    /// # Errors
    ///
    /// As [`Workers::ended`].
    pub async fn shutdown(mut self) -> Result<Vec<Stats>, Error> {
        self.workers.stop();
        // Workers that wait for room in the channel go on.
        self.chunks.close();
        while self.chunks.recv().await.is_some() {}
        self.workers.ended().await
    }

    /// Counters of each worker, once the stream has ended.
    ///
    /// # Errors
    ///
    /// As [`Workers::ended`].
    pub async fn ended(self) -> Result<Vec<Stats>, Error> {
        drop(self.chunks);
        self.workers.ended().await
    }
}

impl<T> Stream for ShardedStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.items.next() {
                return Poll::Ready(Some(item));
            }
            let Some(chunk) = ready!(this.chunks.poll_recv(cx)) else {
                this.terminated = true;
                return Poll::Ready(None);
            };
            this.worker = chunk.worker;
            this.items = chunk.items.into_iter();
        }
    }
}

impl<T> FusedStream for ShardedStream<T> {
    fn is_terminated(&self) -> bool {
        self.terminated
    }
}

impl<T> Unpin for ShardedStream<T> {}
