use std::fmt;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flowscope_core::{FlowExtractor, Loss, PacketView};
use flowscope_driver::{DriverConfig, FlowDriver};
use flowscope_filter::Filter;
use flowscope_pcap::{CaptureFiles, CaptureWriter};
use flowscope_track::{Eviction, TrackerConfig};
use tokio::task::coop;

use crate::stages::Stages;
use crate::{
    AsyncPacketSource, Dedup, Engine, Error, EventStream, FlowStream, InOrder, Merge, PacketStream,
    Replay, Stats,
};

/// Packets of a source as they come, to be read in batches or made into a stream.
///
/// Batches are lent: [`next_batch`](Self::next_batch) passes them to a closure while they lie in the
/// source's memory, be that the ring that the kernel shares or a file's buffer. For anything more,
/// make a stream of it.
pub struct AsyncCapture<S> {
    source: S,
    stages: Stages,
    stop_when: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stopped: bool,
    ended: bool,
    /// The last poll gave way to other tasks.
    gave_way: bool,
}

impl AsyncCapture<Replay<CaptureFiles>> {
    /// The packets of a capture file, as fast as they are taken: pcap or pcapng, also compressed with
    /// gzip or zstd. A file that cannot be read is the first item's error.
    #[must_use]
    pub fn open_file(path: impl Into<PathBuf>) -> Self {
        AsyncCapture::open_files([path])
    }

    /// The packets of several capture files one after the other, as one capture.
    #[must_use]
    pub fn open_files(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        AsyncCapture::new(Replay::new(CaptureFiles::new(paths)))
    }
}

impl<S: AsyncPacketSource> AsyncCapture<InOrder<Merge<S>>> {
    /// Several captures as one: flows whose packets come by different interfaces are one flow. The
    /// packets of live captures come in the order of their times, see [`InOrder`]; those of files as
    /// they are read, see [`Merge`]. What else the captures
    /// were told, such as filters, taps and when to stop, is not taken along.
    #[must_use]
    pub fn merge(captures: impl IntoIterator<Item = AsyncCapture<S>>) -> Self {
        let sources = captures.into_iter().map(|capture| capture.source);
        AsyncCapture::new(Merge::new(sources).in_order())
    }
}

impl<S: AsyncPacketSource> AsyncCapture<S> {
    /// The packets of any source.
    #[must_use]
    pub fn new(source: S) -> Self {
        let stages = Stages::default();
        AsyncCapture {
            source,
            stages,
            stop_when: None,
            stopped: false,
            ended: false,
            gave_way: false,
        }
    }

    /// Leaves out packets that `filter` refuses, wherever they come from. They are counted as
    /// [`refused`](Stats::refused), in no ledger.
    ///
    /// A filter in the kernel is cheaper, and spends no room in the ring on what it refuses: see
    /// `CaptureBuilder::filter`.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.stages.set_filter(filter);
        self
    }

    /// Records every packet that passes the filter, whatever else becomes of it.
    ///
    /// Writing happens where the stream is polled: give a writer that does not wait for long. The
    /// first failure is an item of the stream, [`Error::Tap`]; the stream goes on without recording.
    /// What was recorded is complete once the stream has ended.
    #[must_use]
    pub fn with_pcap_tap(mut self, writer: CaptureWriter<impl Write + Send + 'static>) -> Self {
        self.stages.set_tap(writer);
        self
    }

    /// Leaves out copies of packets, as mirror ports make them. They stand in the ledger as
    /// `duplicate`; a tap records them.
    #[must_use]
    pub fn dedup(mut self, dedup: Dedup) -> Self {
        self.stages.set_dedup(dedup);
        self
    }

    /// Stops, as by [`stop`](Self::stop), once `signal` is there, whatever it gives: what was received
    /// still comes. `tokio::signal::ctrl_c()` is one.
    ///
    /// It is heard while the stream is polled: a consumer that waits for something else hears of it
    /// afterwards.
    #[must_use]
    pub fn stop_when<F: Future + Send + 'static>(mut self, signal: F) -> Self {
        self.stop_when = Some(Box::pin(async move {
            signal.await;
        }));
        self
    }

    /// The same capture with its source's type forgotten: a live capture and a capture file, say, in
    /// one variable.
    #[must_use]
    pub fn boxed(self) -> AsyncCapture<Box<dyn AsyncPacketSource + Send>>
    where
        S: Send + 'static,
    {
        let AsyncCapture { source, stages, stop_when, stopped, ended, gave_way } = self;
        AsyncCapture { source: Box::new(source), stages, stop_when, stopped, ended, gave_way }
    }

    /// The life of every flow, as `extractor` finds them.
    #[must_use]
    pub fn flow_stream<E: FlowExtractor>(self, extractor: E) -> FlowStream<S, E> {
        EventStream::new(self, FlowDriver::with_config(extractor, default_config()))
    }

    /// The events of a driver that was made elsewhere, such as one that keeps state with every flow.
    #[must_use]
    pub fn drive<D: Engine>(self, driver: D) -> EventStream<S, D> {
        EventStream::new(self, driver)
    }

    /// The packets themselves, each a copy that may be kept.
    #[must_use]
    pub fn packet_stream(self) -> PacketStream<S> {
        PacketStream::new(self)
    }

    /// Lends the next batch to `lend` as soon as there is one, and says how many packets it had;
    /// `Ok(0)` once the capture has ended. If the future is dropped nothing was lent, and nothing is
    /// lost.
    ///
    /// # Errors
    ///
    /// What befell the source or the recording, once each. Go on until `Ok(0)`.
    pub async fn next_batch(
        &mut self,
        mut lend: impl FnMut(&[PacketView<'_>]),
    ) -> Result<usize, Error> {
        poll_fn(|cx| self.poll_batch(cx, &mut lend)).await
    }

    /// As [`next_batch`](Self::next_batch), for those who write a future or a stream of their own.
    ///
    /// Takes part in tokio's cooperative scheduling: a source that always has more does not keep other
    /// tasks from running.
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
            let budget = ready!(coop::poll_proceed(cx));
            self.gave_way = false;
            let AsyncCapture { source, stages, .. } = self;
            let mut passed = 0;
            let lent = source.poll_batch(cx, &mut |packets| passed = stages.pass(packets, lend));
            let lent = ready!(lent);
            budget.made_progress();
            match lent {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => {
                    self.ended = true;
                    self.stages.flush();
                }
                Ok(_) if passed > 0 => return Poll::Ready(Ok(passed)),
                Ok(_) => {}
            }
        }
    }

    /// Stops if the signal to do so is there, and says whether the capture was stopped.
    pub(crate) fn poll_stop(&mut self, cx: &mut Context<'_>) -> bool {
        let stop = self.stop_when.as_mut().map(|signal| signal.as_mut().poll(cx));
        if stop.is_some_and(|signal| signal.is_ready()) {
            self.stop();
        }
        self.stopped
    }

    /// Whether the last [`poll_batch`](Self::poll_batch) was pending only to let other tasks have their
    /// turn: packets may lie ready.
    #[must_use]
    pub fn gave_way(&self) -> bool {
        self.gave_way
    }

    /// Takes in nothing more. What was received until now still comes, then the capture ends.
    pub fn stop(&mut self) {
        self.stop_when = None;
        if !self.stopped {
            self.stopped = true;
            self.source.stop();
        }
    }

    /// Whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What the source lost, and what was refused and recorded. Packets that were lent are not in the
    /// ledger, for it is not known what became of them.
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

    /// The source. What is read from it here passes no filter and is not recorded.
    pub fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }
}

/// What streams of flows are configured with unless they are told otherwise: the driver's defaults,
/// but that a table which is full evicts half-open flows first, so that a flood of connections that
/// never open leaves those alone that did.
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
