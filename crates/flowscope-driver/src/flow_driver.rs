use std::collections::VecDeque;

use flowscope_core::{Extracted, FlowExtractor, Ledger, Loss, PacketView, Timestamp};
use flowscope_track::{
    Change, Clock, EndReason, Flow, FlowEvent, FlowSink, FlowTable, Moment, Prepared,
};

use crate::DriverConfig;
use crate::front::{ChecksumStats, Front};

/// Packets in, flow events out: extract, join fragments, track.
///
/// After any `handle_*` call, drain [`poll_event`](Self::poll_event) until it gives `None`;
/// [`poll_timeout`](Self::poll_timeout) says when [`handle_timeout`](Self::handle_timeout) next has
/// work. Those who want events lent rather than owned give their own sink to
/// [`handle_batch_with`](Self::handle_batch_with).
///
/// Memory: the flow table's budget and the fragment pool's, see [`DriverConfig`], and the events of
/// one call until they are drained.
pub struct FlowDriver<E: FlowExtractor, S = ()> {
    extractor: E,
    front: Front,
    clock: Clock,
    table: FlowTable<E::Key, S>,
    events: Queue<E::Key>,
    prepared: Vec<Prepared<E::Key>>,
}

/// Events until they are drained.
struct Queue<K>(VecDeque<FlowEvent<K>>);

impl<K: Clone, S> FlowSink<K, S> for Queue<K> {
    #[inline]
    fn wants_payload(&self) -> bool {
        false
    }

    fn event(&mut self, flow: Flow<'_, K, S>, change: Change) {
        self.0.push_back(FlowEvent::from_change(&flow, change));
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
        FlowDriver {
            extractor,
            front: Front::new(&config),
            clock: Clock::new(config.tracker.clock_config()),
            table: FlowTable::with_state(config.tracker, init),
            events: Queue(VecDeque::new()),
            prepared: Vec::new(),
        }
    }

    /// Takes one packet; what follows from it waits for [`poll_event`](Self::poll_event).
    pub fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Takes many packets: the same events in the same order as one by one, at a fraction of the
    /// cost when there are many flows.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        let mut events = std::mem::replace(&mut self.events, Queue(VecDeque::new()));
        self.handle_batch_with(packets, &mut events);
        self.events = events;
    }

    /// As [`handle_batch`](Self::handle_batch), lending each event to `out` instead of queueing it.
    pub fn handle_batch_with(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        let FlowDriver { extractor, front, clock, table, prepared, .. } = self;
        for (i, packet) in packets.iter().enumerate() {
            let moment = clock.observe(packet.ts());
            front.expire(moment.watermark);
            let mut tracked = false;
            front.resolve(extractor, *packet, moment.watermark, |view, found| {
                tracked = true;
                let errs = found.icmp.is_some_and(|icmp| icmp.quoted_at.is_some());
                if view.frames() == 1 && !errs {
                    prepared.push(Prepared::new(i, found, moment));
                    return;
                }
                table.track_prepared(packets, prepared, out);
                table.track(view, &found, moment, out);
                let quote = found.quoted(&view).and_then(|quoted| extractor.extract(quoted));
                if let (Some(icmp), Some(quote)) = (found.icmp, quote) {
                    table.quote(&quote.key, quote.orientation, icmp, moment, view.ts(), out);
                }
            });
            if !tracked {
                table.track_prepared(packets, prepared, out);
                table.sweep(moment, out);
            }
        }
        table.track_prepared(packets, prepared, out);
    }

    /// The next event, in order; `None` once all are drained.
    pub fn poll_event(&mut self) -> Option<FlowEvent<E::Key>> {
        self.events.0.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next if no packet comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let fragments = self.front.next_deadline();
        self.table.next_deadline().into_iter().chain(fragments).min()
    }

    /// Packet time has reached `now` without a packet. Does a bounded amount of work, and says
    /// whether more is due.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        let moment = self.clock.advance(now);
        self.front.expire(moment.watermark);
        self.table.expire(moment, STEPS, &mut self.events)
    }

    /// Ends every flow and lets waiting fragments go; says whether that queued any event.
    pub fn finish(&mut self, reason: EndReason) -> bool {
        self.front.finish();
        self.table.finish(reason, self.clock.now(), &mut self.events);
        !self.events.0.is_empty()
    }

    /// Where every packet went. Fragments that wait for the rest of their datagram are in no entry
    /// until it has come or [`finish`](Self::finish) was called: see [`waiting`](Self::waiting).
    #[must_use]
    pub fn packets(&self) -> Ledger {
        let mut all = self.front.refused();
        all.merge(self.table.ledger());
        all
    }

    /// Where the payload of every tracked packet went: nobody reads it here.
    #[must_use]
    pub fn bytes(&self) -> &Ledger {
        self.front.bytes()
    }

    /// Fragments that wait for the rest of their datagram.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.front.waiting()
    }

    /// What the verification of checksums found.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.front.checksums()
    }

    /// The flow table: live flows, totals, memory.
    #[must_use]
    pub fn table(&self) -> &FlowTable<E::Key, S> {
        &self.table
    }

    /// Count of packets, watermark, and timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The latest packet's place in the input.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Bytes of memory held, by capacity: flow table and fragments.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.table.memory() + self.front.held()
    }

    /// Packets lost to `cause` so far.
    #[must_use]
    pub fn lost(&self, cause: Loss) -> u64 {
        self.packets().lost(cause)
    }
}

/// Steps of expiry in one call of `handle_timeout`.
const STEPS: usize = 64;
