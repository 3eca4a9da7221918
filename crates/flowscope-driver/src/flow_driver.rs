use std::collections::VecDeque;

use flowscope_core::{Extracted, FlowExtractor, Ledger, Loss, PacketView, Timestamp};
use flowscope_track::{Change, Clock, EndReason, Flow, FlowEvent, FlowSink, FlowTable, PacketTime};

use crate::DriverConfig;
use crate::ingress::Pipeline;
use crate::ingress::{ChecksumStats, Ingress, PayloadCounts};

/// Packets in, flow events out: extract, join fragments, track.
///
/// After any `handle_*` call, drain [`poll_event`](Self::poll_event) until it gives `None`;
/// [`poll_timeout`](Self::poll_timeout) says when [`handle_timeout`](Self::handle_timeout) next has
/// work. Those who want events lent rather than owned give their own sink to
/// [`handle_batch_with`](Self::handle_batch_with).
///
/// Flows only: [`StreamDriver`](crate::StreamDriver) drives reassemblers beside them,
/// [`SessionDriver`](crate::SessionDriver) and [`Driver`](crate::Driver) parsers.
///
/// Memory: the flow table's budget and the fragment pool's, see [`DriverConfig`], and the events of
/// one call until they are drained.
pub struct FlowDriver<E: FlowExtractor, S = ()> {
    pipeline: Pipeline<E, S>,
    events: Queue<E::Key>,
    config: DriverConfig,
}

/// Events until they are drained.
struct Queue<K> {
    events: VecDeque<FlowEvent<K>>,
    packets: bool,
}

impl<K: Clone, S> FlowSink<K, S> for Queue<K> {
    #[inline]
    fn wants_packets(&self) -> bool {
        self.packets
    }

    #[inline]
    fn wants_payload(&self) -> bool {
        false
    }

    fn event(&mut self, flow: Flow<'_, K, S>, change: Change) {
        self.events.push_back(FlowEvent::from_change(&flow, change));
    }
}

impl<E: FlowExtractor> FlowDriver<E> {
    /// A driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E) -> Self {
        FlowDriver::with_config(extractor, DriverConfig::default())
    }

    /// A driver with no state of the caller's.
    #[must_use]
    pub fn with_config(extractor: E, config: DriverConfig) -> Self {
        FlowDriver::with_state(extractor, config, |_| ())
    }
}

impl<E: FlowExtractor, S> FlowDriver<E, S> {
    /// A driver that keeps what `init` makes of each flow's first packet in the flow's entry.
    #[must_use]
    pub fn with_state(
        extractor: E,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> S + Send + 'static,
    ) -> Self {
        let ingress = Ingress::new(&config);
        let clock = Clock::new(config.tracker.clock_config());
        let table = FlowTable::with_state(config.tracker.clone(), init);
        FlowDriver {
            pipeline: Pipeline::new(extractor, ingress, clock, table),
            events: Queue { events: VecDeque::new(), packets: config.packet_events },
            config,
        }
    }

    /// Takes one packet; what follows from it waits for [`poll_event`](Self::poll_event).
    pub fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Takes many packets: the same events in the same order as one by one, at a fraction of the
    /// cost when there are many flows.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.pipeline.take(packets, &mut self.events);
    }

    /// As [`handle_batch`](Self::handle_batch), lending each event to `out` instead of queueing it.
    pub fn handle_batch_with(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        self.pipeline.take(packets, out);
    }

    /// The next event, in order; `None` once all are drained.
    pub fn poll_event(&mut self) -> Option<FlowEvent<E::Key>> {
        self.events.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next if no packet comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.pipeline.next_deadline()
    }

    /// Packet time has reached `now` without a packet. Does a bounded amount of work, and says
    /// whether more is due.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        self.pipeline.pass(now, &mut self.events)
    }

    /// As [`handle_timeout`](Self::handle_timeout), lending each event to `out` instead of queueing it.
    pub fn handle_timeout_with(
        &mut self,
        now: Timestamp,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> bool {
        self.pipeline.pass(now, out)
    }

    /// Ends every flow and lets waiting fragments go; says whether that queued any event.
    pub fn finish(&mut self, reason: EndReason) -> bool {
        self.pipeline.finish(reason, &mut self.events);
        !self.events.events.is_empty()
    }

    /// As [`finish`](Self::finish), but ends at most `most` flows and says whether there are more:
    /// drain [`poll_event`](Self::poll_event) in between, so that the ends of a million flows need
    /// not be held at once.
    pub fn finish_some(&mut self, reason: EndReason, most: usize) -> bool {
        self.pipeline.finish_some(reason, most, &mut self.events)
    }

    /// As [`finish`](Self::finish), lending each event to `out` instead of queueing it.
    pub fn finish_with(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.pipeline.finish(reason, out);
    }

    /// Where every packet went. Fragments that wait for the rest of their datagram are in no entry
    /// until it has come or [`finish`](Self::finish) was called: see [`waiting`](Self::pending_fragments).
    #[must_use]
    pub fn packets(&self) -> Ledger {
        self.pipeline.packets()
    }

    /// Where the payload of every tracked packet went: nobody reads it here.
    #[must_use]
    pub fn bytes(&self) -> Ledger {
        self.pipeline.ingress.bytes(PayloadCounts::default())
    }

    /// Fragments that wait for the rest of their datagram.
    #[must_use]
    pub fn pending_fragments(&self) -> u64 {
        self.pipeline.ingress.pending_fragments()
    }

    /// What the verification of checksums found.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.pipeline.ingress.checksums()
    }

    /// The flow table: live flows, totals, memory.
    #[must_use]
    pub fn table(&self) -> &FlowTable<E::Key, S> {
        &self.pipeline.table
    }

    /// Count of packets, watermark, and timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.pipeline.clock
    }

    /// The latest packet's place in the input.
    #[must_use]
    pub fn now(&self) -> PacketTime {
        self.pipeline.clock.now()
    }

    /// Bytes of memory held, by capacity: flow table and fragments.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pipeline.heap_bytes()
    }

    /// What it was configured with.
    #[must_use]
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }

    /// The extractor and the configuration, for another driver. Flows that are open are forgotten.
    #[must_use]
    pub fn into_parts(self) -> (E, DriverConfig) {
        (self.pipeline.extractor, self.config)
    }

    /// Packets lost to `cause` so far.
    #[must_use]
    pub fn lost(&self, cause: Loss) -> u64 {
        self.packets().lost(cause)
    }
}
