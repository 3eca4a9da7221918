use flowscope_core::{Extracted, FlowExtractor, Ledger, Loss, PacketView, Progress, Timestamp};

use crate::EndReason;
use crate::clock::Clock;
use crate::config::TrackerConfig;
use crate::flow_table::{FlowTable, LOOK_AHEAD, LiveFlow, Prepared, TrackerStats};
use crate::sink::FlowSink;

/// Flow tracker: extracts flow keys, tracks flows, and passes events to a [`FlowSink`].
///
/// Packets come by [`track`](Self::track), [`track_batch`](Self::track_batch), or, if already
/// extracted, by [`track_extracted`](Self::track_extracted). `S` is the caller's per-flow state,
/// kept in the flow table.
///
/// Time is the time of packets: nothing here reads a clock. Memory is bounded by
/// [`TrackerConfig::max_flows`] and [`TrackerConfig::memory_budget`]; at a bound, flows are evicted
/// and reported as [`EndReason::Evicted`]. In steady state no packet allocates.
pub struct FlowTracker<E: FlowExtractor, S = ()> {
    extractor: E,
    clock: Clock,
    table: FlowTable<E::Key, S>,
    /// Places for the packets of a batch, [`LOOK_AHEAD`] of them.
    prepared: Box<[Prepared<E::Key>]>,
}

impl<E: FlowExtractor> FlowTracker<E> {
    /// Creates a tracker with the default configuration and without per-flow state.
    #[must_use]
    pub fn new(extractor: E) -> Self {
        FlowTracker::with_config(extractor, TrackerConfig::default())
    }

    /// Creates a tracker without per-flow state.
    #[must_use]
    pub fn with_config(extractor: E, config: TrackerConfig) -> Self {
        FlowTracker::with_state(extractor, config, |_| ())
    }
}

impl<E: FlowExtractor, S> FlowTracker<E, S> {
    /// Creates a tracker with per-flow state. `init` makes the state from the first packet of a
    /// flow; the state is passed to the sink with every call and dropped with the entry.
    ///
    /// For a flow that begins at a SYN which was answered later (see [`EndReason::Superseded`]),
    /// `init` gets the answering packet.
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
            prepared: (0..LOOK_AHEAD).map(|_| Prepared::default()).collect(),
        }
    }

    /// The extractor.
    #[must_use]
    pub fn extractor(&self) -> &E {
        &self.extractor
    }

    /// Extracts and tracks one packet. A packet without a flow, or a fragment (fragments must be
    /// joined first), is counted in the [`ledger`](Self::ledger).
    pub fn track(&mut self, view: PacketView<'_>, out: &mut impl FlowSink<E::Key, S>) {
        match self.extractor.extract(view) {
            Some(extracted) if extracted.fragment.is_none() => {
                self.track_extracted(view, &extracted, out);
            }
            refused => {
                let now = self.clock.observe(view.ts());
                refuse(&self.extractor, &mut self.table, &view, refused.is_some());
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

    /// Tracks many packets. The events are those of tracking one by one, in the same order; with
    /// many flows it is much faster, as the memory for many packets is fetched at once.
    pub fn track_batch(&mut self, views: &[PacketView<'_>], out: &mut impl FlowSink<E::Key, S>) {
        let FlowTracker { extractor, clock, table, prepared } = self;
        for views in views.chunks(LOOK_AHEAD) {
            let mut filled = 0;
            for (i, view) in views.iter().enumerate() {
                let place = &mut prepared[filled];
                extractor.extract_into(view, place.extracted());
                let now = clock.observe(view.ts());
                match place.extracted() {
                    Some(extracted) if extracted.fragment.is_none() => {
                        place.arrive(i, now);
                        filled += 1;
                    }
                    refused => {
                        let fragment = refused.is_some();
                        table.track_slice(views, &mut prepared[..filled], out);
                        filled = 0;
                        refuse(extractor, table, view, fragment);
                        table.sweep(now, out);
                    }
                }
            }
            table.track_slice(views, &mut prepared[..filled], out);
        }
    }

    /// Advances the time to `now` without a packet, and does at most `most` steps of what is due:
    /// [`Progress::More`] if more is due. A step costs some cache misses: 64 steps of one or two
    /// microseconds are a good bound where nothing may stall.
    pub fn expire(
        &mut self,
        now: Timestamp,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> Progress {
        let now = self.clock.advance(now);
        self.table.expire(now, most, out)
    }

    /// Time at which to call [`expire`](Self::expire) next if no packet comes before. Never later
    /// than the first deadline, possibly earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Ends one flow as [`EndReason::Forced`]. Returns whether there was one.
    pub fn end(&mut self, key: &E::Key, out: &mut impl FlowSink<E::Key, S>) -> bool {
        self.table.end(key, self.clock.now(), out)
    }

    /// Ends all flows, in order of their ids. The table is empty afterwards.
    pub fn finish(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.table.finish(reason, self.clock.now(), out);
    }

    /// Number of entries in the table, entries of ended flows included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The flow with this key, if it has not ended.
    #[must_use]
    pub fn get(&mut self, key: &E::Key) -> Option<LiveFlow<'_, E::Key, S>> {
        self.table.get(key)
    }

    /// Per-flow state of the flow with this key, also after its end, while its entry is in the
    /// table.
    #[must_use]
    pub fn state_mut(&mut self, key: &E::Key) -> Option<&mut S> {
        self.table.state_mut(key)
    }

    /// All flows that have not ended, in order of their ids. Scans the whole table.
    pub fn flows(&self) -> impl Iterator<Item = LiveFlow<'_, E::Key, S>> {
        self.table.flows()
    }

    /// Counts of packets: tracked, or lost by cause.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.table.ledger()
    }

    /// The clock: packets counted, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Totals of the tracker.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        self.table.stats()
    }

    /// Memory held in bytes, by capacity, without the caller's own allocations.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.prepared.len() * size_of::<Prepared<E::Key>>()
    }
}

/// Counts a packet that has no flow, or is a fragment.
#[cold]
fn refuse<E: FlowExtractor, S>(
    extractor: &E,
    table: &mut FlowTable<E::Key, S>,
    view: &PacketView<'_>,
    fragment: bool,
) {
    let cause = if fragment { Loss::FragIncomplete } else { extractor.explain(*view).into() };
    table.refuse(cause, view.frames());
}
