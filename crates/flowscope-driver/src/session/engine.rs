use std::collections::VecDeque;

use flowscope_core::{
    DatagramParserFactory, Extracted, FlowExtractor, FlowSide, Ledger, PacketView,
    ReassemblerFactory, SessionParserFactory, Timestamp,
};
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_track::{Change, Clock, EndReason, Flow, FlowTable};

use crate::config::DriverConfig;
use crate::detection::Classifier;
use crate::detection::Protocols;
use crate::detection::{Datagrams, Sessions, Streams};
use crate::ingress::Pipeline;
use crate::ingress::{ChecksumStats, Ingress};
use crate::session::{ParserHost, SessionFlowSink};
use crate::session::{SessionChange, SessionEvent, SessionSink};
use crate::session::{Slot, SlotOf};

/// Packets in, messages out, one stream protocol: every TCP flow is read by a parser that `F` makes.
///
/// See [`SessionEngine`] for the methods.
pub type SessionDriver<E, F, U = ()> = SessionEngine<E, Sessions<F>, U>;

/// Packets in, messages out, one datagram protocol: every flow but TCP's is read by a parser that
/// `F` makes.
///
/// See [`SessionEngine`] for the methods.
pub type DatagramDriver<E, F, U = ()> = SessionEngine<E, Datagrams<F>, U>;

/// Packets in, streams out to reassemblers that `R` makes and that do all there is to do themselves:
/// the callback shape of the protocols, [`Callbacks`](flowscope_session::Callbacks), or whatever
/// reads or stores bytes. Lives of flows, gaps and conflicts are events here as in the other drivers; those
/// who want none give `&mut ()` to [`handle_batch_with`](SessionEngine::handle_batch_with).
///
/// See [`SessionEngine`] for the methods.
pub type StreamDriver<E, R, U = ()> = SessionEngine<E, Streams<R>, U>;

/// Packets in, messages out, several protocols: flows are read by whichever of [`Protocols`] they
/// speak, and their messages are one type `M` of the caller's.
///
/// See [`SessionEngine`] for the methods.
pub type Driver<E, M, U = ()> = SessionEngine<E, Protocols<M>, U>;

/// Packets in, messages of flows out: extract, join fragments, track, reassemble, parse; one loop
/// and one flow table.
///
/// After any `handle_*` call, drain [`poll_event`](Self::poll_event) until it gives `None`;
/// [`poll_timeout`](Self::poll_timeout) says when [`handle_timeout`](Self::handle_timeout) next has
/// work. Those who want events lent rather than owned give their own [`SessionSink`] to
/// [`handle_batch_with`](Self::handle_batch_with).
///
/// A parser that fails, finishes or stops never ends a flow. What a flow's parser and reassemblers
/// hold is freed when nobody reads the flow any further, at the latest when it ends.
///
/// Memory: see [`DriverConfig`], and the events of one call until they are drained.
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

impl<E: FlowExtractor, F: SessionParserFactory<E::Key>> SessionEngine<E, Sessions<F>> {
    /// A driver with the default configuration. A parser that is `Default + Clone` is its own
    /// factory: `SessionDriver::new(extractor, HttpParser::default())`.
    #[must_use]
    pub fn new(extractor: E, parsers: F) -> Self {
        Self::with_config(extractor, parsers, DriverConfig::default())
    }

    /// A driver with this configuration.
    #[must_use]
    pub fn with_config(extractor: E, parsers: F, config: DriverConfig) -> Self {
        Self::with_state(extractor, parsers, config, |_| ())
    }
}

impl<E: FlowExtractor, F: SessionParserFactory<E::Key>, U> SessionEngine<E, Sessions<F>, U> {
    /// A driver that keeps what `init` makes of each flow's first packet in the flow's entry.
    #[must_use]
    pub fn with_state(
        extractor: E,
        parsers: F,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        let streams = StreamReassemblerFactory::new(config.streams.clone());
        Self::with_classifier(extractor, Sessions::new(parsers, streams), config, init)
    }
}

impl<E: FlowExtractor, F: DatagramParserFactory<E::Key>> SessionEngine<E, Datagrams<F>> {
    /// A driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E, parsers: F) -> Self {
        Self::with_config(extractor, parsers, DriverConfig::default())
    }

    /// A driver with this configuration.
    #[must_use]
    pub fn with_config(extractor: E, parsers: F, config: DriverConfig) -> Self {
        Self::with_state(extractor, parsers, config, |_| ())
    }
}

impl<E: FlowExtractor, F: DatagramParserFactory<E::Key>, U> SessionEngine<E, Datagrams<F>, U> {
    /// A driver that keeps what `init` makes of each flow's first packet in the flow's entry.
    #[must_use]
    pub fn with_state(
        extractor: E,
        parsers: F,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        Self::with_classifier(extractor, Datagrams::new(parsers), config, init)
    }
}

impl<E: FlowExtractor, R: ReassemblerFactory<E::Key>> SessionEngine<E, Streams<R>> {
    /// A driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E, streams: R) -> Self {
        Self::with_config(extractor, streams, DriverConfig::default())
    }

    /// A driver with this configuration; its [`streams`](DriverConfig::streams) are not used, since the
    /// reassemblers are the caller's.
    #[must_use]
    pub fn with_config(extractor: E, streams: R, config: DriverConfig) -> Self {
        Self::with_classifier(extractor, Streams::new(streams), config, |_| ())
    }
}

impl<E: FlowExtractor, M> SessionEngine<E, Protocols<M>> {
    /// A driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E, protocols: Protocols<M>) -> Self {
        Self::with_config(extractor, protocols, DriverConfig::default())
    }

    /// A driver with this configuration. The ports of the protocols count as
    /// [listening ports](flowscope_track::TrackerConfig::listening_ports).
    #[must_use]
    pub fn with_config(extractor: E, protocols: Protocols<M>, config: DriverConfig) -> Self {
        Self::with_state(extractor, protocols, config, |_| ())
    }
}

impl<E: FlowExtractor, M, U> SessionEngine<E, Protocols<M>, U> {
    /// As [`with_config`](Self::with_config), for a driver that keeps what `init` makes of each flow's
    /// first packet in the flow's entry.
    #[must_use]
    pub fn with_state(
        extractor: E,
        protocols: Protocols<M>,
        mut config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        config.tracker = config.tracker.listening_ports(protocols.ports());
        let protocols = protocols.reassembly(config.streams.clone());
        Self::with_classifier(extractor, protocols, config, init)
    }
}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> SessionEngine<E, C, U> {
    /// An engine with any classifier, that keeps what `init` makes of each flow's first packet in the
    /// flow's entry.
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
            host: ParserHost::new(classifier, streams),
            events: Queue(VecDeque::new()),
        }
    }

    /// Takes one packet; what follows from it waits for [`poll_event`](Self::poll_event).
    pub fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Takes many packets: the same events in the same order as one by one, at a fraction of the
    /// cost when there are many flows.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.take(packets, &mut SessionFlowSink { host, out: events });
    }

    /// As [`handle_batch`](Self::handle_batch), lending each event to `out` instead of queueing it.
    pub fn handle_batch_with(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.take(packets, &mut SessionFlowSink { host, out });
    }

    /// The next event, in order; `None` once all are drained.
    pub fn poll_event(&mut self) -> Option<SessionEvent<E::Key, C::Message>> {
        self.events.0.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next if no packet comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.pipeline.next_deadline()
    }

    /// Packet time has reached `now` without a packet. Does a bounded amount of work, and says
    /// whether more is due.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.pass(now, &mut SessionFlowSink { host, out: events })
    }

    /// As [`handle_timeout`](Self::handle_timeout), lending each event to `out` instead of queueing it.
    pub fn handle_timeout_with(
        &mut self,
        now: Timestamp,
        out: &mut impl SessionSink<E::Key, C::Message, U>,
    ) -> bool {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.pass(now, &mut SessionFlowSink { host, out })
    }

    /// Ends every flow and lets waiting fragments go; says whether that queued any event.
    pub fn finish(&mut self, reason: EndReason) -> bool {
        let SessionEngine { pipeline, host, events } = self;
        pipeline.finish(reason, &mut SessionFlowSink { host, out: &mut *events });
        !events.0.is_empty()
    }

    /// As [`finish`](Self::finish), but ends at most `most` flows and says whether there are more:
    /// drain [`poll_event`](Self::poll_event) in between, so that the ends of a million flows need
    /// not be held at once.
    pub fn finish_some(&mut self, reason: EndReason, most: usize) -> bool {
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
    ) -> bool {
        let SessionEngine { pipeline, host, .. } = self;
        pipeline.finish_some(reason, most, &mut SessionFlowSink { host, out })
    }

    /// Where every packet went; see [`FlowDriver::packets`](crate::FlowDriver::packets).
    #[must_use]
    pub fn packets(&self) -> Ledger {
        self.pipeline.packets()
    }

    /// Where the payload of every tracked packet went. Bytes that [wait](Self::pending) are in no
    /// entry until they were delivered or lost.
    #[must_use]
    pub fn bytes(&self) -> Ledger {
        self.pipeline.ingress.bytes(self.host.payload_counts())
    }

    /// Payload bytes that wait for others before them, or for a parser to be chosen.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.host.pending()
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
    pub fn table(&self) -> &FlowTable<E::Key, SlotOf<E::Key, C, U>> {
        &self.pipeline.table
    }

    /// Count of packets, watermark, and timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.pipeline.clock
    }

    /// Bytes of memory held, by capacity: flow table, fragments, streams and parsers.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pipeline.heap_bytes() + self.host.heap_bytes()
    }
}
