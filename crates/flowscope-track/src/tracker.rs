use flowscope_core::{Extracted, FlowExtractor, Ledger, PacketView, Timestamp};

use crate::clock::{Clock, Moment};
use crate::config::TrackerConfig;
use crate::engine::{Arrival, Engine};
use crate::index::Tag;
use crate::lists::Slot;
use crate::shard::{Item, Routed, ShardItem};
use crate::sink::FlowSink;
use crate::{EndReason, FlowId, FlowState, FlowStats, History};

/// How many packets of a batch are looked up ahead: their cache misses overlap.
const LOOK_AHEAD: usize = 32;

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
    engine: Engine<E::Key, S>,
    ledger: Ledger,
    ahead: Vec<Ahead<E::Key>>,
}

/// A packet of a batch that has been extracted and looked up.
struct Ahead<K> {
    view: usize,
    extracted: Extracted<K>,
    moment: Moment,
    tag: Tag,
    guess: Option<Slot>,
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
            engine: Engine::new(config, Box::new(init)),
            ledger: Ledger::default(),
            ahead: Vec::with_capacity(LOOK_AHEAD),
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
                let moment = self.clock.observe(view.ts());
                self.refuse(&view, refused.is_some());
                self.sweep(moment, out);
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
        let moment = self.clock.observe(view.ts());
        self.track_at(view, extracted, moment, out);
    }

    /// Tracks a packet whose place in the input someone else keeps count of: one of several
    /// trackers that share an input, each with the flows of its shard.
    #[inline]
    pub fn track_at(
        &mut self,
        view: PacketView<'_>,
        extracted: &Extracted<E::Key>,
        moment: Moment,
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        self.engine.tend();
        let tag = self.engine.tag(&extracted.key);
        self.ledger.deliver(u64::from(view.frames()));
        self.engine.arrive(&Arrival { view: &view, extracted, moment, tag, guess: None }, out);
    }

    /// Tracks many packets; the same events in the same order as one by one, at a fraction of the
    /// cost when there are many flows: the memory that the packets need is fetched for many at once.
    pub fn track_batch(&mut self, views: &[PacketView<'_>], out: &mut impl FlowSink<E::Key, S>) {
        for views in views.chunks(LOOK_AHEAD) {
            self.engine.tend();
            let mut ahead = std::mem::take(&mut self.ahead);
            let mut at = 0;
            while at < views.len() {
                let refused = self.look_ahead(views, at, &mut ahead);
                at += ahead.len();
                self.track_ahead(views, &mut ahead, out);
                if let Some((moment, fragment)) = refused {
                    self.refuse(&views[at], fragment);
                    self.sweep(moment, out);
                    at += 1;
                }
            }
            self.ahead = ahead;
        }
    }

    /// Extracts and hashes packets from `at` on, up to the first that is refused, whose moment and
    /// kind are returned.
    fn look_ahead(
        &mut self,
        views: &[PacketView<'_>],
        at: usize,
        ahead: &mut Vec<Ahead<E::Key>>,
    ) -> Option<(Moment, bool)> {
        for (i, view) in views.iter().enumerate().skip(at) {
            let extracted = self.extractor.extract(*view);
            let moment = self.clock.observe(view.ts());
            match extracted {
                Some(extracted) if extracted.fragment.is_none() => {
                    let tag = self.engine.tag(&extracted.key);
                    ahead.push(Ahead { view: i, extracted, moment, tag, guess: None });
                }
                refused => return Some((moment, refused.is_some())),
            }
        }
        None
    }

    /// Three passes: the index entries of all packets, the records of all, then one by one.
    fn track_ahead(
        &mut self,
        views: &[PacketView<'_>],
        ahead: &mut Vec<Ahead<E::Key>>,
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        for packet in ahead.iter_mut() {
            packet.guess = self.engine.guess(packet.tag);
        }
        let mut read = 0;
        for packet in ahead.iter() {
            read ^= packet.guess.map_or(0, |slot| self.engine.touch(slot));
        }
        // Keeps the reads, which are there for the cache alone.
        std::hint::black_box(read);
        for packet in ahead.iter() {
            let view = &views[packet.view];
            self.ledger.deliver(u64::from(view.frames()));
            let Ahead { extracted, moment, tag, guess, .. } = packet;
            let arrival = Arrival { view, extracted, moment: *moment, tag: *tag, guess: *guess };
            self.engine.arrive(&arrival, out);
        }
        ahead.clear();
    }

    /// Does what a [`Router`](crate::Router) dealt to this tracker, in order.
    ///
    /// The items have no payload, so segments and datagrams are lent without bytes.
    pub fn track_items(
        &mut self,
        items: &mut [ShardItem<E::Key>],
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        for items in items.chunks_mut(LOOK_AHEAD) {
            self.engine.tend();
            let mut read = 0;
            for item in items.iter_mut() {
                if let Item::Packet(packet) = &mut item.0 {
                    packet.tag = self.engine.tag(&packet.extracted.key);
                    packet.guess = self.engine.guess(packet.tag);
                }
            }
            for item in items.iter() {
                if let Item::Packet(Routed { guess: Some(slot), .. }) = &item.0 {
                    read ^= self.engine.touch(*slot);
                }
            }
            std::hint::black_box(read);
            for item in items.iter() {
                match &item.0 {
                    Item::Advance(moment) => self.engine.sweep_for_packet(*moment, out),
                    Item::Packet(packet) => {
                        let view = packet.view();
                        let Routed { extracted, moment, tag, guess, .. } = packet;
                        self.ledger.deliver(u64::from(view.frames()));
                        let (moment, tag, guess) = (*moment, *tag, *guess);
                        self.engine
                            .arrive(&Arrival { view: &view, extracted, moment, tag, guess }, out);
                    }
                }
            }
        }
    }

    #[cold]
    fn refuse(&mut self, view: &PacketView<'_>, fragment: bool) {
        let cause = if fragment {
            flowscope_core::Loss::FragIncomplete
        } else {
            self.extractor.explain(*view).into()
        };
        self.ledger.lose(cause, u64::from(view.frames()));
    }

    fn sweep(&mut self, moment: Moment, out: &mut impl FlowSink<E::Key, S>) {
        self.engine.sweep_for_packet(moment, out);
    }

    /// Time has reached `now` without a packet: does what is due, in at most `most` steps, and says
    /// whether more is. Each step costs about a microsecond at most.
    pub fn expire(
        &mut self,
        now: Timestamp,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> bool {
        let moment = self.clock.advance(now);
        self.engine.sweep(moment, most, out)
    }

    /// As [`expire`](Self::expire), by the count of packets and the watermark that someone else
    /// keeps.
    pub fn expire_at(
        &mut self,
        moment: Moment,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> bool {
        self.engine.sweep(moment, most, out)
    }

    /// When to call [`expire`](Self::expire) next if no packet comes before: never later than the
    /// first deadline, possibly earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.next_due()
    }

    /// Ends one flow as [`EndReason::Forced`]; says whether it was there.
    pub fn end(&mut self, key: &E::Key, out: &mut impl FlowSink<E::Key, S>) -> bool {
        let Some(slot) = self.engine.find(key) else { return false };
        self.engine.end(slot, self.clock.now(), out);
        true
    }

    /// Ends every flow, in order of their ids, and leaves the tracker empty.
    pub fn finish(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.finish_at(reason, self.clock.now(), out);
    }

    /// As [`finish`](Self::finish), by the count of packets that someone else keeps.
    pub fn finish_at(
        &mut self,
        reason: EndReason,
        moment: Moment,
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        self.engine.finish(reason, moment, out);
    }

    /// Entries in the table, lingering ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The flow with this key, unless it has ended.
    #[must_use]
    pub fn get(&mut self, key: &E::Key) -> Option<LiveFlow<'_, E::Key, S>> {
        let slot = self.engine.find(key)?;
        self.live(slot)
    }

    /// The caller's state of the flow with this key, its entry lingering or not.
    #[must_use]
    pub fn state_mut(&mut self, key: &E::Key) -> Option<&mut S> {
        let slot = self.engine.find(key)?;
        self.engine.slots_mut().state_mut(slot)
    }

    /// All flows that have not ended, in order of their ids. Scans the table: for reports, not for
    /// every packet.
    pub fn flows(&self) -> impl Iterator<Item = LiveFlow<'_, E::Key, S>> {
        self.engine.by_id().into_iter().filter_map(|(_, slot)| self.live(slot))
    }

    fn live(&self, slot: Slot) -> Option<LiveFlow<'_, E::Key, S>> {
        let slots = self.engine.slots();
        let record = slots.record(slot);
        (!record.state().is_over()).then_some(())?;
        Some(LiveFlow {
            id: FlowId(record.cold.id),
            key: &slots.hot[slot].key,
            state: slots.state(slot)?,
            record,
        })
    }

    /// Where every packet went.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The clock: packets counted, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the tracker has done so far.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        self.engine.stats()
    }

    /// Bytes of memory held, by capacity, the caller's own allocations not counted.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.engine.memory() + self.ahead.capacity() * size_of::<Ahead<E::Key>>()
    }
}

/// A flow in the table, looked at from outside.
pub struct LiveFlow<'a, K, S> {
    /// Its id.
    pub id: FlowId,
    /// Its key.
    pub key: &'a K,
    /// What the caller keeps with it.
    pub state: &'a S,
    record: crate::entry::Record<'a>,
}

impl<K, S> LiveFlow<'_, K, S> {
    /// Everything counted so far.
    #[must_use]
    pub fn stats(&self) -> FlowStats {
        self.record.stats()
    }

    /// What happened so far, in Zeek's letters.
    #[must_use]
    pub fn history(&self) -> History {
        self.record.history()
    }

    /// Where in its life it stands.
    #[must_use]
    pub fn tcp_state(&self) -> FlowState {
        self.record.state()
    }
}

/// Totals of a tracker.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TrackerStats {
    /// Flows started.
    pub flows: u64,
    /// Packets that reached a flow after its end.
    pub late_packets: u64,
    /// How often the table changed its hash because look-ups met too many candidates.
    pub hash_collisions_suspected: u64,
    pub(crate) ended: [u64; 8],
}

impl TrackerStats {
    /// Flows ended for this reason.
    #[must_use]
    pub fn ended(&self, reason: EndReason) -> u64 {
        self.ended[reason as usize]
    }
}
