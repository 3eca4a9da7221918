//! Counters for Prometheus.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowscope::core::Ledger;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::output::Totals;

/// The latest counters: the capture stores them once a second, scrapes read them.
#[derive(Clone, Debug, Default)]
pub(super) struct Published(Arc<Mutex<Snapshot>>);

/// Counters of one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The interfaces, which all metrics have as the label `stream`.
    pub(super) stream: String,
    pub(super) totals: Totals,
    /// Flows in the table.
    pub(super) flows: u64,
    /// Memory of the flow tables and of the parsers, in bytes.
    pub(super) heap_bytes: u64,
    /// Packets that the source counted, lost ones included.
    pub(super) arrived: u64,
    /// How often a ring was found full.
    pub(super) freezes: u64,
    /// Part of the rings that is not read yet.
    pub(super) ring: f64,
    /// Time to read and track a batch.
    pub(super) batches: Batches,
}

/// How long batches took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batches {
    sum: Duration,
    /// Batches that took at most as long as the bound of the same place, and no other.
    counts: [u64; BOUNDS.len()],
}

/// Bounds in seconds.
const BOUNDS: [f64; 7] = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, f64::INFINITY];

impl Batches {
    pub(super) fn add(&mut self, took: Duration) {
        self.sum += took;
        let at = BOUNDS.iter().position(|bound| took.as_secs_f64() <= *bound);
        self.counts[at.unwrap_or(BOUNDS.len() - 1)] += 1;
    }
}

/// A metric, without the `_total` of counters.
pub(super) struct Metric {
    name: &'static str,
    help: &'static str,
    get: Get,
}

enum Get {
    Counter(fn(&Snapshot) -> u64),
    Gauge(fn(&Snapshot) -> f64),
    /// One counter for each cause.
    Lost(fn(&Snapshot) -> &Ledger),
    Batches,
}

/// All metrics. Those that `netring` publishes too have its names.
#[rustfmt::skip]
static METRICS: [Metric; 17] = [
    counter("netring_packets_arrived", "Packets that the capture counted, lost ones included.", |x| x.arrived),
    counter("netring_packets_delivered", "Packets that were tracked.", |x| x.totals.packets.delivered()),
    lost("netring_packets_lost", "Packets that were not tracked, by cause.", |x| &x.totals.packets),
    counter("netring_bytes_delivered", "Bytes of payload that were read.", |x| x.totals.bytes.delivered()),
    lost("netring_bytes_lost", "Bytes of payload that were not read, by cause.", |x| &x.totals.bytes),
    counter("netring_ring_freezes", "How often a ring was found full.", |x| x.freezes),
    gauge("netring_ring_used_ratio", "Part of the rings that is not read yet, from 0 to 1.", |x| x.ring),
    gauge("netring_flows", "Flows in the table.", |x| x.flows as f64),
    Metric { name: "netring_batch_seconds", help: "Time to read and track one batch.", get: Get::Batches },
    counter("flowscope_flows_started", "Flows that started.", |x| x.totals.flows),
    counter("flowscope_flows_evicted", "Flows that were evicted for lack of room.", |x| x.totals.evicted),
    gauge("flowscope_memory_bytes", "Memory of the flow tables and of the parsers.", |x| x.heap_bytes as f64),
    counter("flowscope_wire_bytes", "Bytes on the wire of all packets that were read.", |x| x.totals.wire_bytes),
    counter("flowscope_clock_backwards", "Packets whose time lay behind one before.", |x| x.totals.capture.clock_backwards),
    counter("flowscope_clock_jumps", "Jumps of packet time by more than an hour.", |x| x.totals.capture.clock_jumps),
    counter("flowscope_bad_checksums", "Packets with a wrong checksum, where those are verified.", |x| x.totals.capture.bad_checksums),
    counter("flowscope_checksums_offloaded", "Packets whose checksum the card was still to fill in.", |x| x.totals.capture.checksums_offloaded),
];

const fn counter(name: &'static str, help: &'static str, get: fn(&Snapshot) -> u64) -> Metric {
    Metric { name, help, get: Get::Counter(get) }
}

const fn gauge(name: &'static str, help: &'static str, get: fn(&Snapshot) -> f64) -> Metric {
    Metric { name, help, get: Get::Gauge(get) }
}

const fn lost(name: &'static str, help: &'static str, get: fn(&Snapshot) -> &Ledger) -> Metric {
    Metric { name, help, get: Get::Lost(get) }
}

impl Published {
    /// Replaces the counters.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        *self.lock() = snapshot;
    }

    /// The counters in the text format of OpenMetrics.
    pub(super) fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("a string takes all");
        text
    }

    /// A snapshot is replaced as a whole, so that a panic elsewhere leaves a whole one.
    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Published {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.lock();
        METRICS.iter().try_for_each(|metric| metric.encode(&snapshot, &mut encoder))
    }
}

impl Metric {
    fn encode(&self, snapshot: &Snapshot, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = match self.get {
            Get::Counter(_) | Get::Lost(_) => MetricType::Counter,
            Get::Gauge(_) => MetricType::Gauge,
            Get::Batches => MetricType::Histogram,
        };
        let mut encoder = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        let stream = ("stream", snapshot.stream.as_str());
        let count = |mut encoder: MetricEncoder<'_>, value: u64| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        };
        match self.get {
            Get::Counter(get) => count(encoder.encode_family(&[stream])?, get(snapshot)),
            Get::Gauge(get) => encoder.encode_family(&[stream])?.encode_gauge(&get(snapshot)),
            Get::Lost(get) => get(snapshot).losses().try_for_each(|(cause, lost)| {
                let labels = [stream, ("cause", cause.slug())];
                count(encoder.encode_family(&labels)?, lost)
            }),
            Get::Batches => {
                let Batches { sum, counts } = snapshot.batches;
                let buckets: Vec<_> = BOUNDS.into_iter().zip(counts).collect();
                encoder.encode_family(&[stream])?.encode_histogram::<NoLabelSet>(
                    sum.as_secs_f64(),
                    counts.iter().sum(),
                    &buckets,
                    None,
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn counters_are_text() {
        let published = Published::default();
        let mut snapshot = Snapshot { stream: "eth\"0".into(), arrived: 7, ..Snapshot::default() };
        snapshot.totals.packets.deliver(4);
        snapshot.totals.packets.lose(flowscope::core::Loss::KernelDrop, 3);
        snapshot.ring = 0.25;
        snapshot.batches.add(Duration::from_millis(2));
        snapshot.batches.add(Duration::from_secs(3600));
        published.publish(snapshot);
        let text = published.text();
        for line in [
            r#"netring_packets_arrived_total{stream="eth\"0"} 7"#,
            r#"netring_packets_lost_total{stream="eth\"0",cause="kernel_drop"} 3"#,
            r#"netring_ring_used_ratio{stream="eth\"0"} 0.25"#,
            r#"netring_batch_seconds_count{stream="eth\"0"} 2"#,
            r#"netring_batch_seconds_bucket{le="0.01",stream="eth\"0"} 1"#,
            r#"netring_batch_seconds_bucket{le="+Inf",stream="eth\"0"} 2"#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    /// The dashboard in contrib is JSON, and asks for nothing that does not exist.
    #[test]
    fn the_dashboard_has_metrics_that_exist() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/grafana/flowscope.json");
        let dashboard: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        let exprs: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let named: BTreeSet<_> = exprs
            .iter()
            .flat_map(|expr| expr.split(|c| !is_name(c)))
            .filter(|word| word.starts_with("netring_") || word.starts_with("flowscope_"))
            .collect();
        let exists = METRICS.iter().map(|metric| match metric.get {
            Get::Counter(_) | Get::Lost(_) => format!("{}_total", metric.name),
            Get::Gauge(_) => metric.name.to_owned(),
            Get::Batches => format!("{}_bucket", metric.name),
        });
        let exists: BTreeSet<_> = exists.collect();
        let unknown: Vec<_> = named.iter().filter(|name| !exists.contains(**name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(named.len() > 8, "{named:?}");
    }
}
