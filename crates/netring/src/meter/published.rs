//! Publishes to the recorder of the crate `metrics`.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use flowscope_core::Ledger;
use metrics::{Histogram, counter, gauge, histogram};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{AsyncDriver, AsyncPacketSource, EventStream, Stats};

impl<S: AsyncPacketSource, D: AsyncDriver> EventStream<S, D> {
    /// Publishes the counters of this stream to the recorder of the crate `metrics`, under the label
    /// `stream` with this name: once a second while the stream is read, and at its end; of a live capture also
    /// while no packet comes. Needs the feature `metrics`. Install the recorder first.
    ///
    /// | name | kind | meaning |
    /// |---|---|---|
    /// | `netring_packets_arrived_total` | counter | packets that the source counted, lost ones included |
    /// | `netring_packets_delivered_total` | counter | packets that were tracked |
    /// | `netring_packets_lost_total` | counter | packets lost, label `cause`: the names of [`Loss`](flowscope_core::Loss) |
    /// | `netring_packets_refused_total` | counter | packets refused by a filter in user space |
    /// | `netring_bytes_delivered_total` | counter | payload bytes delivered |
    /// | `netring_bytes_lost_total` | counter | payload bytes lost, label `cause` |
    /// | `netring_ring_freezes_total` | counter | how often a ring was found full |
    /// | `netring_ring_used_ratio` | gauge | part of the ring that is not read yet, from 0 to 1; only of AF_PACKET |
    /// | `netring_flows` | gauge | flows in the table |
    /// | `netring_packets_waiting` | gauge | packets that wait: fragments of incomplete datagrams |
    /// | `netring_bytes_pending` | gauge | payload bytes that wait for bytes before them, or for a reader |
    /// | `netring_batch_seconds` | histogram | time to read and track one batch |
    ///
    /// Counters are totals since the stream began. Those of a cause appear with its first loss.
    #[must_use]
    pub fn with_metrics(mut self, name: impl Into<String>) -> Self {
        self.set_meter(Meter::new(name.into()));
        self
    }
}

/// What publishes the counters of a stream, if anything does.
pub(crate) struct Meter(Option<Box<On>>);

struct On {
    name: String,
    batches: Histogram,
    /// When the counters are published next.
    due: Instant,
    /// Wakes the task then. Made for the first wait of a live capture.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Interval of publishing.
const INTERVAL: Duration = Duration::from_secs(1);

impl Meter {
    pub(crate) fn off() -> Self {
        Meter(None)
    }

    fn new(name: String) -> Self {
        let batches = histogram!("netring_batch_seconds", "stream" => name.clone());
        Meter(Some(Box::new(On { name, batches, due: Instant::now(), timer: None })))
    }

    /// Begin of a batch, if batches are measured.
    #[inline]
    pub(crate) fn begin(&self) -> Option<Instant> {
        self.0.is_some().then(Instant::now)
    }

    /// End of a batch.
    #[inline]
    pub(crate) fn batch(&self, begun: Option<Instant>) {
        if let (Some(on), Some(begun)) = (&self.0, begun) {
            on.batches.record(begun.elapsed());
        }
    }

    /// Whether counters are published at all.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it is time to publish the counters; then the next time is set. A task that `waits` is woken then.
    pub(crate) fn is_due(&mut self, cx: &mut Context<'_>, waits: bool) -> bool {
        let Some(on) = &mut self.0 else { return false };
        let now = Instant::now();
        let due = now >= on.due;
        if due {
            on.due = now + INTERVAL;
        }
        if waits {
            let timer = on.timer.get_or_insert_with(|| Box::pin(sleep_until(on.due)));
            if timer.deadline() != on.due {
                timer.as_mut().reset(on.due);
            }
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        due
    }

    pub(crate) fn publish(&self, stats: &Stats) {
        let Some(on) = &self.0 else { return };
        let count = |name: &'static str, value: u64| {
            counter!(name, "stream" => on.name.clone()).absolute(value);
        };
        let lost = |name: &'static str, ledger: &Ledger| {
            for (cause, lost) in ledger.losses() {
                let labels = [("stream", on.name.clone()), ("cause", cause.to_string())];
                counter!(name, &labels).absolute(lost);
            }
        };
        let show = |name: &'static str, value: f64| {
            gauge!(name, "stream" => on.name.clone()).set(value);
        };
        let seen = stats.packets.seen() + stats.refused + stats.waiting;
        count("netring_packets_arrived_total", stats.arrived.unwrap_or(seen));
        count("netring_packets_delivered_total", stats.packets.delivered());
        lost("netring_packets_lost_total", &stats.packets);
        count("netring_packets_refused_total", stats.refused);
        count("netring_bytes_delivered_total", stats.bytes.delivered());
        lost("netring_bytes_lost_total", &stats.bytes);
        count("netring_ring_freezes_total", stats.freezes);
        if let Some(ring) = stats.ring {
            show("netring_ring_used_ratio", ring.ratio());
        }
        show("netring_flows", stats.flows as f64);
        show("netring_packets_waiting", stats.waiting as f64);
        show("netring_bytes_pending", stats.pending as f64);
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.0.as_ref().map(|on| &on.name)).finish()
    }
}
