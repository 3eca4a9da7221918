//! What a stream publishes to a recorder of the crate `metrics`.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::{Ledger, Loss, PacketView};
use flowscope_extract::FiveTuple;
use flowscope_testkit::frame;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use netring::{AsyncCapture, AsyncPacketSource, Error, RingUse, SourceStats};

/// Values by name and labels; of a histogram, the number of values.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<String, f64>>>);

struct Entry(Book, String);

impl Entry {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut book = self.0.0.lock().unwrap();
        let value = book.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Entry {
    fn increment(&self, value: u64) {
        self.change(|now| now + value as f64);
    }
    fn absolute(&self, value: u64) {
        self.change(|now| now.max(value as f64));
    }
}

impl GaugeFn for Entry {
    fn increment(&self, value: f64) {
        self.change(|now| now + value);
    }
    fn decrement(&self, value: f64) {
        self.change(|now| now - value);
    }
    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Entry {
    fn record(&self, value: f64) {
        assert!((0.0..10.0).contains(&value), "{value} s");
        self.change(|now| now + 1.0);
    }
}

impl Book {
    fn entry(&self, key: &Key) -> Arc<Entry> {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Entry(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
}

impl Recorder for Book {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.entry(key))
    }
}

/// Lends five batches of two packets of one flow, then has nothing until it is stopped.
struct Source {
    batches: u32,
    stopped: bool,
    /// Packets that the kernel has dropped; one more each time it is asked.
    drops: Option<u64>,
    latency: Option<Duration>,
}

impl AsyncPacketSource for Source {
    fn poll_batch(
        &mut self,
        _: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        if self.batches == 5 {
            return if self.stopped { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        self.batches += 1;
        let packet =
            frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1024, 9).payload(b"abc").packet();
        lend(&[packet.view(), packet.view()]);
        Poll::Ready(Ok(2))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        let mut lost = Ledger::default();
        self.drops = self.drops.map(|drops| drops + 1);
        lost.lose(Loss::KernelDrop, self.drops.unwrap_or(7));
        let mut stats = SourceStats::new(Some(17), lost);
        stats.freezes = 2;
        stats.ring = Some(RingUse::new(3, 12));
        Ok(stats)
    }

    fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

#[tokio::test]
async fn counters_of_a_stream_are_published_under_the_documented_names() {
    let book = Book::default();
    let _here = metrics::set_default_local_recorder(&book);
    let source = Source { batches: 0, stopped: false, drops: None, latency: None };
    let mut stream = AsyncCapture::new(source)
        .flow_stream(FiveTuple::bidirectional())
        .without_packets()
        .with_metrics("tap");
    // The first time, at once.
    stream.next().await.unwrap().unwrap();
    let of = |name: &str| book.0.lock().unwrap().get(name).copied();
    assert_eq!(of("netring_flows{stream=tap}"), Some(1.0));
    stream.shutdown().await.unwrap();
    while stream.next().await.is_some() {}
    let expected = [
        ("netring_batch_seconds{stream=tap}", 5.0),
        ("netring_bytes_delivered_total{stream=tap}", 0.0),
        ("netring_bytes_lost_total{stream=tap,cause=unclaimed}", 30.0),
        ("netring_bytes_pending{stream=tap}", 0.0),
        ("netring_flows{stream=tap}", 0.0),
        ("netring_packets_arrived_total{stream=tap}", 17.0),
        ("netring_packets_delivered_total{stream=tap}", 10.0),
        ("netring_packets_lost_total{stream=tap,cause=kernel_drop}", 7.0),
        ("netring_packets_refused_total{stream=tap}", 0.0),
        ("netring_packets_waiting{stream=tap}", 0.0),
        ("netring_ring_freezes_total{stream=tap}", 2.0),
        ("netring_ring_used_ratio{stream=tap}", 0.25),
    ];
    let book = book.0.lock().unwrap();
    let got: Vec<(&str, f64)> = book.iter().map(|(name, value)| (&name[..], *value)).collect();
    assert_eq!(got, expected);
}

/// The clock is that of the test: it goes to the next timer when every task waits.
#[tokio::test(start_paused = true)]
async fn counters_of_a_quiet_live_capture_go_on_to_be_published() {
    let book = Book::default();
    let _here = metrics::set_default_local_recorder(&book);
    let latency = Some(Duration::ZERO);
    // All batches were read: no packet comes, and no flow has a deadline.
    let source = Source { batches: 5, stopped: false, drops: Some(0), latency };
    let mut stream =
        AsyncCapture::new(source).flow_stream(FiveTuple::bidirectional()).with_metrics("tap");
    let quiet = tokio::time::timeout(Duration::from_millis(10_500), stream.next()).await;
    assert!(quiet.is_err());
    let name = "netring_packets_lost_total{stream=tap,cause=kernel_drop}";
    let drops = book.0.lock().unwrap().get(name).copied();
    assert_eq!(drops, Some(11.0), "at once, and once a second");
}
