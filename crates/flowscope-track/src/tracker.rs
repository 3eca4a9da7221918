use flowscope_core::{Extracted, FlowExtractor, Ledger, PacketView, Timestamp};

use crate::EndReason;
use crate::clock::Clock;
use crate::config::TrackerConfig;
use crate::flow_table::{FlowTable, LOOK_AHEAD, LiveFlow, Prepared, TrackerStats};
use crate::sink::FlowSink;

/// Follows flows from their first packet to their end.
///
/// Give it packets ([`track`](Self::track), [`track_batch`](Self::track_batch), or
/// [`track_extracted`](Self::track_extracted) if something else extracts); it counts them, follows
/// TCP's states and lends what happened to a [`FlowSink`]. `S` is the caller's own per-flow state,
/// kept in the flow table.
///
/// Time is what packets say: nothing here reads a clock. Memory is bounded by
/// [`TrackerConfig::max_flows`] and [`TrackerConfig::memory_budget`]; reaching a bound evicts, and
/// says so. In steady state no packet allocates.
pub struct FlowTracker<E: FlowExtractor, S = ()> {
    extractor: E,
    clock: Clock,
    table: FlowTable<E::Key, S>,
    prepared: Vec<Prepared<E::Key>>,
}

impl<E: FlowExtractor> FlowTracker<E> {
    /// A tracker with the default configuration and no state of the caller's.
    #[must_use]
    pub fn new(extractor: E) -> Self {
        FlowTracker::with_config(extractor, TrackerConfig::default())
    }

    /// A tracker with no state of the caller's.
    #[must_use]
    pub fn with_config(extractor: E, config: TrackerConfig) -> Self {
        FlowTracker::with_state(extractor, config, |_| ())
    }
}

impl<E: FlowExtractor, S> FlowTracker<E, S> {
    /// A tracker that keeps what `init` makes of each flow's first packet in the flow's entry. It is
    /// lent with every event and dropped with the entry.
    ///
    /// For a flow that begins at a SYN which was answered later (see
    /// [`EndReason::Superseded`]), `init` gets the answering packet.
    #[must_use]
    pub fn with_state(
        extractor: E,
        config: TrackerConfig,
        init: impl FnMut(&Extracted<E::Key>) -> S + Send + 'static,
    ) -> Self {
        FlowTracker {
            extractor,
            clock: Clock::new(config.clock),
            table: FlowTable::with_state(config, init),
            prepared: Vec::with_capacity(LOOK_AHEAD),
        }
    }

    /// The extractor it was made with.
    #[must_use]
    pub fn extractor(&self) -> &E {
        &self.extractor
    }

    /// Extracts and tracks one packet. One that is no flow, or a fragment (which has to be joined
    /// first), is counted in the [`ledger`](Self::ledger).
    pub fn track(&mut self, view: PacketView<'_>, out: &mut impl FlowSink<E::Key, S>) {
        match self.extractor.extract(view) {
            Some(extracted) if extracted.fragment.is_none() => {
                self.track_extracted(view, &extracted, out);
            }
            refused => {
                let now = self.clock.observe(view.ts());
                self.refuse(&view, refused.is_some());
                self.table.sweep(now, out);
            }
        }
    }

    /// Tracks a packet that was extracted already.
    #[inline]
    pub fn track_extracted(
        &mut self,
        view: PacketView<'_>,
        extracted: &Extracted<E::Key>,
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        let now = self.clock.observe(view.ts());
        self.table.track(view, extracted, now, out);
    }

    /// Tracks many packets; the same events in the same order as one by one, at a fraction of the
    /// cost when there are many flows: the memory that the packets need is fetched for many at once.
    pub fn track_batch(&mut self, views: &[PacketView<'_>], out: &mut impl FlowSink<E::Key, S>) {
        for views in views.chunks(LOOK_AHEAD) {
            let mut prepared = std::mem::take(&mut self.prepared);
            for (i, view) in views.iter().enumerate() {
                let extracted = self.extractor.extract(*view);
                let now = self.clock.observe(view.ts());
                match extracted {
                    Some(extracted) if extracted.fragment.is_none() => {
                        prepared.push(Prepared::new(i, extracted, now));
                    }
                    refused => {
                        self.table.track_prepared(views, &mut prepared, out);
                        self.refuse(view, refused.is_some());
                        self.table.sweep(now, out);
                    }
                }
            }
            self.table.track_prepared(views, &mut prepared, out);
            self.prepared = prepared;
        }
    }

    #[cold]
    fn refuse(&mut self, view: &PacketView<'_>, fragment: bool) {
        let cause = if fragment {
            flowscope_core::Loss::FragIncomplete
        } else {
            self.extractor.explain(*view).into()
        };
        self.table.refuse(cause, view.frames());
    }

    /// Time has reached `now` without a packet: does what is due, in at most `most` steps, and says
    /// whether more is. A step costs some cache misses: 64
    /// of them, a microsecond or two each, are a good bound where nothing may stall.
    pub fn expire(
        &mut self,
        now: Timestamp,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> bool {
        let now = self.clock.advance(now);
        self.table.expire(now, most, out)
    }

    /// When to call [`expire`](Self::expire) next if no packet comes before: never later than the
    /// first deadline, possibly earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Ends one flow as [`EndReason::Forced`]; says whether it was there.
    pub fn end(&mut self, key: &E::Key, out: &mut impl FlowSink<E::Key, S>) -> bool {
        self.table.end(key, self.clock.now(), out)
    }

    /// Ends every flow, in order of their ids, and leaves the tracker empty.
    pub fn finish(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.table.finish(reason, self.clock.now(), out);
    }

    /// Entries in the table, lingering ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The flow with this key, unless it has ended.
    #[must_use]
    pub fn get(&mut self, key: &E::Key) -> Option<LiveFlow<'_, E::Key, S>> {
        self.table.get(key)
    }

    /// The caller's state of the flow with this key, its entry lingering or not.
    #[must_use]
    pub fn state_mut(&mut self, key: &E::Key) -> Option<&mut S> {
        self.table.state_mut(key)
    }

    /// All flows that have not ended, in order of their ids. Scans the table: for reports, not for
    /// every packet.
    pub fn flows(&self) -> impl Iterator<Item = LiveFlow<'_, E::Key, S>> {
        self.table.flows()
    }

    /// Where every packet went.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.table.ledger()
    }

    /// The clock: packets counted, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the tracker has done so far.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        self.table.stats()
    }

    /// Bytes of memory held, by capacity, the caller's own allocations not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.prepared.capacity() * size_of::<Prepared<E::Key>>()
    }
}
