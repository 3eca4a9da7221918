use std::collections::VecDeque;

use flowscope_core::{
    Extracted, FlowExtractor, Ledger, Loss, PacketView, Progress, Timestamp, UnreadHeaders,
};
use flowscope_track::{Change, Clock, EndReason, Flow, FlowEvent, FlowSink, FlowTable, PacketTime};

use crate::config::DriverConfig;
use crate::ingress::{ChecksumStats, Ingress, PayloadCounts, Pipeline};
use crate::packet_driver::PacketDriver;

/// Packets in, flow events out: extracts, joins fragments and tracks.
///
/// Call [`poll_event`](Self::poll_event) until it returns `None` after each `handle_*` call;
/// [`poll_timeout`](Self::poll_timeout) is then the time of the next
/// [`handle_timeout`](Self::handle_timeout). Callers that need no owned events give a [`FlowSink`] to
/// [`handle_batch_with`](Self::handle_batch_with), which borrows them.
///
/// Payload is not read here: [`StreamDriver`](crate::StreamDriver) runs reassemblers beside the flow
/// table, [`SessionDriver`](crate::SessionDriver) and [`Driver`](crate::Driver) run parsers.
///
/// Memory: the budget of the flow table and that of the fragment pool, see [`DriverConfig`], and the
/// events of one call until they are drained.
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
    /// Creates a driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E) -> Self {
        FlowDriver::with_config(extractor, DriverConfig::default())
    }

    /// Creates a driver with this configuration.
    #[must_use]
    pub fn with_config(extractor: E, config: DriverConfig) -> Self {
        FlowDriver::with_state(extractor, config, |_| ())
    }
}

impl<E: FlowExtractor, S> FlowDriver<E, S> {
    /// Creates a driver that keeps a state of the caller's with each flow; `init` makes it from the flow's
    /// first packet.
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

    /// The pipeline, and the queue of its events.
    pub(crate) fn parts(&mut self) -> (&mut Pipeline<E, S>, &mut impl FlowSink<E::Key, S>) {
        (&mut self.pipeline, &mut self.events)
    }

    /// Handles one packet and queues its events for [`poll_event`](Self::poll_event).
    pub fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Handles packets in capture order: the same events as one by one, at a fraction of the cost when
    /// there are many flows.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.pipeline.handle_batch(packets, &mut self.events);
    }

    /// As [`handle_batch`](Self::handle_batch), lending each event to `out` instead of queueing it.
    pub fn handle_batch_with(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        self.pipeline.handle_batch(packets, out);
    }

    /// Returns the next event, in order; `None` once the queue is empty.
    pub fn poll_event(&mut self) -> Option<FlowEvent<E::Key>> {
        self.events.events.pop_front()
    }

    /// The packet time at which [`handle_timeout`](Self::handle_timeout) next has work if no packet
    /// comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.pipeline.next_deadline()
    }

    /// Handles packet time that has reached `now` without a packet. Does a bounded amount of work:
    /// [`Progress::More`] if more is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Progress {
        self.pipeline.handle_timeout(now, &mut self.events)
    }

    /// As [`handle_timeout`](Self::handle_timeout), lending each event to `out` instead of queueing it.
    pub fn handle_timeout_with(
        &mut self,
        now: Timestamp,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> Progress {
        self.pipeline.handle_timeout(now, out)
    }

    /// Ends every flow, in order of their ids, and gives incomplete datagrams up.
    pub fn finish(&mut self, reason: EndReason) {
        self.pipeline.finish(reason, &mut self.events);
    }

    /// As [`finish`](Self::finish), but ends at most `most` flows: [`Progress::More`] if there may be more.
    /// Drain [`poll_event`](Self::poll_event) between calls, and the ends of a million flows are never
    /// in memory at once.
    pub fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        self.pipeline.finish_some(reason, most, &mut self.events)
    }

    /// As [`finish`](Self::finish), lending each event to `out` instead of queueing it.
    pub fn finish_with(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.pipeline.finish(reason, out);
    }

    /// As [`finish_some`](Self::finish_some), lending each event to `out` instead of queueing it.
    pub fn finish_some_with(
        &mut self,
        reason: EndReason,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> Progress {
        self.pipeline.finish_some(reason, most, out)
    }

    /// The packet ledger: what became of every packet. Fragments that wait for the rest of their
    /// datagram are in no entry yet, see [`pending_fragments`](Self::pending_fragments).
    #[must_use]
    pub fn packets(&self) -> Ledger {
        self.pipeline.packets()
    }

    /// What the packets were that are [no flow](flowscope_core::Loss::NotAFlow) or of an
    /// [unknown link type](flowscope_core::Loss::LinkUnsupported), by Ethertype, LLC address or link type.
    #[must_use]
    pub fn unread(&self) -> &UnreadHeaders {
        self.pipeline.ingress.unread()
    }

    /// The payload ledger, in bytes: what became of the payload of every tracked packet. Nothing reads
    /// payload here, so all of it is `unclaimed`, cut by the snap length, or corrupt.
    #[must_use]
    pub fn bytes(&self) -> Ledger {
        self.pipeline.bytes(PayloadCounts::default())
    }

    /// Returns the number of fragments that wait for the rest of their datagram.
    #[must_use]
    pub fn pending_fragments(&self) -> u64 {
        self.pipeline.ingress.pending_fragments()
    }

    /// Returns the results of checksum verification.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.pipeline.ingress.checksums()
    }

    /// The flow table: live flows, totals, memory.
    #[must_use]
    pub fn table(&self) -> &FlowTable<E::Key, S> {
        &self.pipeline.table
    }

    /// The packet clock: number of packets, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.pipeline.clock
    }

    /// Returns number and watermark of the latest packet.
    #[must_use]
    pub fn now(&self) -> PacketTime {
        self.pipeline.clock.now()
    }

    /// Returns the memory held, in bytes, by capacity: flow table and fragments.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pipeline.heap_bytes()
    }

    /// Returns the driver's configuration.
    #[must_use]
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }

    /// Returns the extractor and the configuration, for another driver. Open flows are dropped without an
    /// event.
    #[must_use]
    pub fn into_parts(self) -> (E, DriverConfig) {
        (self.pipeline.extractor, self.config)
    }

    /// Returns the packets lost to `cause` so far.
    #[must_use]
    pub fn lost(&self, cause: Loss) -> u64 {
        self.packets().lost(cause)
    }
}

impl<E: FlowExtractor, S> PacketDriver for FlowDriver<E, S> {
    type Event = FlowEvent<E::Key>;

    fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.handle_batch(packets);
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        self.poll_event()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) -> Progress {
        self.handle_timeout(now)
    }

    fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        self.finish_some(reason, most)
    }

    fn packets(&self) -> Ledger {
        self.packets()
    }

    fn bytes(&self) -> Ledger {
        self.bytes()
    }

    fn pending_fragments(&self) -> u64 {
        self.pending_fragments()
    }

    /// Zero: nothing reads payload.
    fn pending(&self) -> u64 {
        0
    }

    fn flows(&self) -> usize {
        self.table().len()
    }

    fn clock(&self) -> &Clock {
        self.clock()
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }
}
