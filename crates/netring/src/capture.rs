use std::fmt;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flowscope_core::{FlowExtractor, Loss, PacketView};
use flowscope_driver::{DriverConfig, FlowDriver};
use flowscope_filter::Filter;
use flowscope_pcap::{CaptureFiles, CaptureWriter, ReadError};
use flowscope_track::{Eviction, TrackerConfig};
use tokio::task::coop;

use crate::budget;
use crate::handle::Handled;
use crate::stages::Stages;
use crate::{
    AsyncDriver, AsyncPacketSource, Blocking, Dedup, Error, EventStream, FlowStream, InOrder,
    Merge, PacketStream, Stats, StreamHandle,
};

/// Packets of a source, read in batches or turned into a stream.
///
/// [`next_batch`](Self::next_batch) lends batches to a closure while the packets are in the
/// source's memory: the ring shared with the kernel, or a file buffer. For anything else, make a
/// stream of it.
pub struct AsyncCapture<S> {
    source: S,
    stages: Stages,
    stop_when: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Made for the first handle.
    handled: Option<Handled>,
    stopped: bool,
    ended: bool,
    /// Whether the last poll yielded to other tasks.
    gave_way: bool,
}

impl AsyncCapture<Blocking> {
    /// Opens a capture file: pcap or pcapng, plain or compressed with gzip or zstd. If the file
    /// cannot be read, the first item is the error.
    ///
    /// A thread reads it, so that the disk keeps no other task waiting, and copies packets.
    /// [`Replay`](crate::Replay) reads a file in place.
    #[must_use]
    pub fn open_file(path: impl Into<PathBuf>) -> Self {
        AsyncCapture::open_files([path])
    }

    /// Opens several capture files, read one after the other as one capture.
    #[must_use]
    pub fn open_files(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        let files = CaptureFiles::new(paths);
        AsyncCapture::new(Blocking::deferred(|| Ok::<_, ReadError>(files)))
    }
}

impl<S: AsyncPacketSource> AsyncCapture<InOrder<Merge<S>>> {
    /// Merges several captures into one: packets of one flow may come from different interfaces.
    ///
    /// Live packets are returned in time order, see [`InOrder`]; packets of files as they are read,
    /// see [`Merge`]. Filters, taps and stop signals of the merged captures are dropped.
    #[must_use]
    pub fn merge(captures: impl IntoIterator<Item = AsyncCapture<S>>) -> Self {
        let sources = captures.into_iter().map(|capture| capture.source);
        AsyncCapture::new(Merge::new(sources).in_order())
    }
}

impl<S: AsyncPacketSource> AsyncCapture<S> {
    /// Captures from any source.
    #[must_use]
    pub fn new(source: S) -> Self {
        let stages = Stages::default();
        AsyncCapture {
            source,
            stages,
            stop_when: None,
            handled: None,
            stopped: false,
            ended: false,
            gave_way: false,
        }
    }

    /// Drops packets that `filter` does not match, for any source. They are counted as
    /// [`refused`](Stats::refused), and are in no ledger.
    ///
    /// A filter in the kernel is cheaper, and packets that it drops take no space in the ring: see
    /// `CaptureBuilder::filter`.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.stages.set_filter(filter);
        self
    }

    /// Records every packet that passes the filter to a capture file.
    ///
    /// The writer is called where the stream is polled, so it should not block for long. The first
    /// write error is an item of the stream, [`Error::Tap`]; the stream goes on without recording.
    /// The recording is complete once the stream has ended.
    #[must_use]
    pub fn with_pcap_tap(mut self, writer: CaptureWriter<impl Write + Send + 'static>) -> Self {
        self.stages.set_tap(writer);
        self
    }

    /// Removes duplicate packets, such as mirror ports make. The ledger counts them as `duplicate`;
    /// a tap still records them.
    #[must_use]
    pub fn dedup(mut self, dedup: Dedup) -> Self {
        self.stages.set_dedup(dedup);
        self
    }

    /// Stops the capture when `signal` completes, with any output, such as
    /// `tokio::signal::ctrl_c()`. Packets already received are still returned, as after
    /// [`stop`](Self::stop).
    ///
    /// The signal is polled together with the stream: while the consumer waits for something else,
    /// it has no effect.
    #[must_use]
    pub fn stop_when<F: Future + Send + 'static>(mut self, signal: F) -> Self {
        self.stop_when = Some(Box::pin(async move {
            signal.await;
        }));
        self
    }

    /// Erases the type of the source, so that, for example, a live capture and a file fit one
    /// variable.
    #[must_use]
    pub fn boxed(self) -> AsyncCapture<Box<dyn AsyncPacketSource + Send>>
    where
        S: Send + 'static,
    {
        let AsyncCapture { source, stages, stop_when, handled, stopped, ended, gave_way } = self;
        let source = Box::new(source);
        AsyncCapture { source, stages, stop_when, handled, stopped, ended, gave_way }
    }

    /// Tracks flows by the keys of `extractor`.
    ///
    /// # Panics
    ///
    /// In a tokio runtime without timers, if the source is live.
    #[must_use]
    pub fn flow_stream<E: FlowExtractor>(self, extractor: E) -> FlowStream<S, E> {
        EventStream::new(self, FlowDriver::with_config(extractor, default_config()))
    }

    /// Streams the events of a driver made by the caller, such as one with per-flow user state.
    ///
    /// # Panics
    ///
    /// In a tokio runtime without timers, if the source is live.
    #[must_use]
    pub fn drive<D: AsyncDriver>(self, driver: D) -> EventStream<S, D> {
        EventStream::new(self, driver)
    }

    /// Copies each packet.
    #[must_use]
    pub fn packet_stream(self) -> PacketStream<S> {
        PacketStream::new(self)
    }

    /// Lends the next batch to `lend` when there is one, and returns the number of packets; `Ok(0)`
    /// once the capture has ended. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// Errors of the source or the tap, each once. Call again until `Ok(0)`.
    pub async fn next_batch(
        &mut self,
        mut lend: impl FnMut(&[PacketView<'_>]),
    ) -> Result<usize, Error> {
        poll_fn(|cx| self.poll_batch(cx, &mut lend)).await
    }

    /// As [`next_batch`](Self::next_batch), for hand-written futures and streams.
    ///
    /// It takes part in tokio's cooperative scheduling: a source that always has packets does not
    /// starve other tasks.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        self.poll_stop(cx);
        loop {
            if let Some(error) = self.stages.take_error() {
                return Poll::Ready(Err(error));
            }
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            self.gave_way = true;
            let unit = ready!(coop::poll_proceed(cx));
            self.gave_way = false;
            let AsyncCapture { source, stages, .. } = self;
            let (mut passed, mut units) = (0, 0);
            let lent = source.poll_batch(cx, &mut |packets| {
                units = budget::units(packets.iter().copied());
                passed = stages.pass(packets, lend);
            });
            self.gave_way = lent.is_pending() && source.gave_way();
            let lent = ready!(lent);
            unit.made_progress();
            budget::spend(cx, units);
            match lent {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => self.end(),
                Ok(_) if passed > 0 => return Poll::Ready(Ok(passed)),
                Ok(_) => {}
            }
        }
    }

    /// Polls the stop signal; returns whether the capture was stopped.
    pub(crate) fn poll_stop(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stopped {
            return true;
        }
        let stop = self.stop_when.as_mut().map(|signal| signal.as_mut().poll(cx));
        let asked = self.handled.as_mut().map(|handled| handled.stopped().poll(cx));
        if [stop, asked].iter().flatten().any(Poll::is_ready) {
            self.stop();
        }
        self.stopped
    }

    /// A handle that stops this capture, and waits for what [`report`](Self::report) says.
    pub(crate) fn handle(&mut self) -> StreamHandle {
        self.handled.get_or_insert_with(Handled::new).handle().clone()
    }

    /// Whether handles wait for the end.
    pub(crate) fn is_awaited(&self) -> bool {
        self.handled.as_ref().is_some_and(|handled| !handled.handle().is_over())
    }

    /// Reports the end to the handles, if there are any.
    pub(crate) fn report(&self, ended: Result<Stats, Error>) {
        if let Some(handled) = &self.handled {
            handled.handle().report(ended);
        }
    }

    /// Whether the last [`poll_batch`](Self::poll_batch) returned `Pending` only to let other tasks
    /// run, although packets may be ready.
    #[must_use]
    pub fn gave_way(&self) -> bool {
        self.gave_way
    }

    /// Stops receiving. Packets already received are still returned, then the capture ends.
    pub fn stop(&mut self) {
        self.stop_when = None;
        if !self.stopped {
            self.stopped = true;
            self.source.stop();
        }
    }

    /// Source and stages, for a source that lends in another way.
    #[cfg(target_os = "linux")]
    pub(crate) fn parts_mut(&mut self) -> (&mut S, &mut Stages) {
        (&mut self.source, &mut self.stages)
    }

    /// Ends the capture, whose source has.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.stages.flush();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Counters: losses of the source, packets refused and recorded. Packets that were lent are in
    /// no ledger here, because their further processing is not known.
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        let mut stats = Stats::default();
        stats.add_source(&self.source.stats()?);
        stats.packets.lose(Loss::Duplicate, self.stages.copies());
        stats.refused = self.stages.refused();
        stats.recorded = self.stages.recorded();
        Ok(stats)
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The source. Filter, tap and stop signal are dropped.
    #[must_use]
    pub fn into_source(self) -> S {
        self.source
    }

    /// The source. Packets read from it directly pass no filter and are not recorded.
    pub fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }
}

/// Default configuration of flow streams: that of the driver, except that a full flow table evicts
/// half-open flows first. A flood of connections that never open then leaves established flows
/// alone.
#[must_use]
pub fn default_config() -> DriverConfig {
    let tracker = TrackerConfig::default().eviction(Eviction::HalfOpenFirst);
    DriverConfig::default().tracker(tracker)
}

impl<S: fmt::Debug> fmt::Debug for AsyncCapture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncCapture")
            .field("source", &self.source)
            .field("stages", &self.stages)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}
