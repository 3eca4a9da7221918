use std::collections::VecDeque;

use flowscope_core::{
    Extracted, FlowExtractor, FlowSide, Ledger, PacketView, Progress, Timestamp, UnreadHeaders,
};
use flowscope_track::{Change, Clock, EndReason, Flow, FlowSink, FlowTable};

use super::event::{SessionChange, SessionEvent, SessionSink};
use super::flow_sink::{ParserHost, SessionFlowSink};
use super::slot::{Slot, SlotOf};
use crate::config::DriverConfig;
use crate::detection::Classifier;
use crate::ingress::{ChecksumStats, Ingress, Pipeline};
use crate::packet_driver::PacketDriver;

/// Packets in, messages out: extracts, joins fragments, tracks, reassembles and parses, in one loop on
/// one flow table.
///
/// [`SessionDriver`](crate::SessionDriver), [`DatagramDriver`](crate::DatagramDriver),
/// [`StreamDriver`](crate::StreamDriver) and [`Driver`](crate::Driver) are this type with different
/// [classifiers](Classifier), and have its constructors `new`, `with_config` and `with_state`.
///
/// Call [`poll_event`](Self::poll_event) until it returns `None` after each `handle_*` call;
/// [`poll_timeout`](Self::poll_timeout) is then the time of the next
/// [`handle_timeout`](Self::handle_timeout). Callers that need no owned events give a [`SessionSink`] to
/// [`handle_batch_with`](Self::handle_batch_with), which borrows them.
///
/// A parser that fails, finishes or stops never ends a flow. The memory of a flow's parser and
/// reassemblers is freed when the flow is not read any further, at the latest when it ends.
///
/// Memory: the limits of [`DriverConfig`], and the events of one call until they are drained.
pub struct SessionEngine<E: FlowExtractor, C: Classifier<E::Key>, U = ()> {
    pipeline: Pipeline<E, SlotOf<E::Key, C, U>>,
    host: ParserHost<E::Key, C>,
    events: Queue<E::Key, C::Message>,
}

/// Events until they are drained.
struct Queue<K, M>(VecDeque<SessionEvent<K, M>>);

impl<K: Clone, M, U> SessionSink<K, M, U> for Queue<K, M> {
    fn flow(&mut self, flow: Flow<'_, K, U>, change: Change) {
        self.0.extend(SessionEvent::from_change(&flow, change));
    }

    fn session(&mut self, flow: Flow<'_, K, U>, change: SessionChange) {
        self.0.push_back(SessionEvent::from_session(&flow, change));
    }

    fn message(&mut self, flow: Flow<'_, K, U>, side: FlowSide, message: M) {
        self.0.push_back(SessionEvent::Application { flow: flow.to_ref(), side, message });
    }
}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> SessionEngine<E, C, U> {
    /// An engine with a classifier of the caller's, which keeps a state of the caller's with each flow;
    /// `init` makes it from the flow's first packet.
    #[must_use]
    pub fn with_classifier(
        extractor: E,
        classifier: C,
        config: DriverConfig,
        mut init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        let ingress = Ingress::new(&config);
        let clock = Clock::new(config.tracker.clock_config());
        let (tracker, streams) = config.into_shares();
        let table = FlowTable::with_state(tracker, move |found| Slot::new(found, init(found)));
        SessionEngine {
            pipeline: Pipeline::new(extractor, ingress, clock, table),
            host: ParserHost::new(classifier, streams).expecting(E::endpoints),
            events: Queue(VecDeque::new()),
        }
    }

    /// The pipeline, and the sink of its events.
    #[allow(clippy::type_complexity)]
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut Pipeline<E, SlotOf<E::Key, C, U>>, impl FlowSink<E::Key, SlotOf<E::Key, C, U>>) {
        let SessionEngine { pipeline, host, events } = self;
        (pipeline, SessionFlowSink { host, out: events })
    }

    /// Handles one packet and queues its events for [`poll_event`](Self::poll_event).
    pub fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Handles packets in capture order: the same events as one by one, at a fraction of the cost when
    /// there are many flows.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.handle_batch(packets, &mut SessionFlowSink { host, out: events });
    }

    /// As [`handle_batch`](Self::handle_batch), lending each event to `out` instead of queueing it.
    pub fn handle_batch_with(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.handle_batch(packets, &mut SessionFlowSink { host, out });
    }

    /// Returns the next event, in order; `None` once the queue is empty.
    pub fn poll_event(&mut self) -> Option<SessionEvent<E::Key, C::Message>> {
        self.events.0.pop_front()
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
        let SessionEngine { pipeline, host, events } = self;
        pipeline.handle_timeout(now, &mut SessionFlowSink { host, out: events })
    }

    /// As [`handle_timeout`](Self::handle_timeout), lending each event to `out` instead of queueing it.
    pub fn handle_timeout_with(
        &mut self,
        now: Timestamp,
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) -> Progress {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.handle_timeout(now, &mut SessionFlowSink { host, out })
    }

    /// Ends every flow, in order of their ids, and gives incomplete datagrams up.
    pub fn finish(&mut self, reason: EndReason) {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.finish(reason, &mut SessionFlowSink { host, out: events });
    }

    /// As [`finish`](Self::finish), but ends at most `most` flows: [`Progress::More`] if there may be more.
    /// Drain [`poll_event`](Self::poll_event) between calls, and the ends of a million flows are never
    /// in memory at once.
    pub fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.finish_some(reason, most, &mut SessionFlowSink { host, out: events })
    }

    /// As [`finish`](Self::finish), lending each event to `out` instead of queueing it.
    pub fn finish_with(
        &mut self,
        reason: EndReason,
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.finish(reason, &mut SessionFlowSink { host, out });
    }

    /// As [`finish_some`](Self::finish_some), lending each event to `out` instead of queueing it.
    pub fn finish_some_with(
        &mut self,
        reason: EndReason,
        most: usize,
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) -> Progress {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.finish_some(reason, most, &mut SessionFlowSink { host, out })
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

    /// The payload ledger, in bytes: what became of the payload of every tracked packet. Bytes that are
    /// [`pending`](Self::pending) are in no entry yet.
    #[must_use]
    pub fn bytes(&self) -> Ledger {
        self.pipeline.bytes(self.host.payload_counts())
    }

    /// Payload bytes that are neither delivered nor lost yet: they wait for bytes before them, or for
    /// the choice of a parser.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.host.pending()
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
    pub fn table(&self) -> &FlowTable<E::Key, SlotOf<E::Key, C, U>> {
        &self.pipeline.table
    }

    /// The packet clock: number of packets, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.pipeline.clock
    }

    /// Returns the memory held, in bytes, by capacity: flow table, fragments, streams and parsers.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pipeline.heap_bytes() + self.host.heap_bytes()
    }
}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> PacketDriver for SessionEngine<E, C, U> {
    type Event = SessionEvent<E::Key, C::Message>;

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

    fn pending(&self) -> u64 {
        self.pending()
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
