use std::hash::Hash;

use flowscope_core::{
    Extracted, IcmpInfo, Ledger, Loss, Orientation, PacketView, Progress, Timestamp,
};

use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::engine::{Engine, PacketContext};
use crate::index::Tag;
use crate::lists::Slot;
use crate::macs::MacSource;
use crate::shard::{Item, Routed, ShardBatch};
use crate::shunt::{Shunt, ShuntRefusal, Shunting};
use crate::sink::{FlowSink, Phase};
use crate::{Counters, EndReason, FlowId, FlowState, FlowStats, History};

/// How many packets of a batch are looked up ahead: their cache misses overlap.
pub(crate) const LOOK_AHEAD: usize = 32;

/// Slots that one call looks at for flows to end.
const SCAN: Slot = 4096;

/// Flow table: a [`FlowTracker`](crate::FlowTracker) without extractor and clock. For a driver that
/// extracts and counts packets itself, or for one of several shards of an input.
pub struct FlowTable<K, S = ()> {
    engine: Engine<K, S>,
    ledger: Ledger,
}

/// A packet that is extracted and has its packet time, ready to be tracked.
#[derive(Clone, Debug)]
pub struct Prepared<K> {
    view: usize,
    /// `None` in a place that waits for its first packet.
    extracted: Option<Extracted<K>>,
    now: PacketTime,
    tag: Tag,
    guess: Option<Slot>,
}

impl<K> Prepared<K> {
    /// A prepared packet: its index `view` in a slice of views, and what was extracted from it.
    #[must_use]
    pub fn new(view: usize, extracted: Extracted<K>, now: PacketTime) -> Self {
        Prepared { view, extracted: Some(extracted), now, tag: 0, guess: None }
    }

    /// Where to extract a packet to: what is there is of an earlier one.
    #[inline]
    pub fn extracted(&mut self) -> &mut Option<Extracted<K>> {
        &mut self.extracted
    }

    /// The packet that was extracted to this place: its index `view` in a slice of views, and its time.
    #[inline]
    pub fn arrive(&mut self, view: usize, now: PacketTime) {
        (self.view, self.now) = (view, now);
    }
}

/// A place without a packet, to be used again and again: [`extracted`](Prepared::extracted), then
/// [`arrive`](Prepared::arrive).
impl<K> Default for Prepared<K> {
    fn default() -> Self {
        Prepared { view: 0, extracted: None, now: PacketTime::default(), tag: 0, guess: None }
    }
}

impl<K: Hash + Eq + Clone> FlowTable<K> {
    /// Creates a table without per-flow state.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        FlowTable::with_state(config, |_| ())
    }
}

impl<K: Hash + Eq + Clone, S> FlowTable<K, S> {
    /// Creates a table with per-flow state; see
    /// [`FlowTracker::with_state`](crate::FlowTracker::with_state).
    #[must_use]
    pub fn with_state(
        config: TrackerConfig,
        init: impl FnMut(&Extracted<K>) -> S + Send + 'static,
    ) -> Self {
        FlowTable { engine: Engine::new(config, Box::new(init)), ledger: Ledger::default() }
    }

    /// Tracks one packet. `now` must not go back from call to call.
    #[inline]
    pub fn track(
        &mut self,
        view: PacketView<'_>,
        extracted: &Extracted<K>,
        now: PacketTime,
        out: &mut impl FlowSink<K, S>,
    ) {
        self.engine.reseed_if_suspicious();
        let tag = self.engine.tag(&extracted.key);
        self.ledger.deliver(u64::from(view.frames()));
        let guess = self.engine.guess(tag);
        let macs = MacSource::Frame;
        let packet = PacketContext { view: &view, extracted, now: &now, tag, guess, macs };
        self.engine.process(&packet, out);
    }

    /// Tracks many packets of `views`, as [`track`](Self::track) would one by one, and empties
    /// `packets`. Memory that the packets need is fetched for some dozen at once.
    ///
    /// # Panics
    ///
    /// When a packet's place is not in `views`.
    pub fn track_prepared(
        &mut self,
        views: &[PacketView<'_>],
        packets: &mut Vec<Prepared<K>>,
        out: &mut impl FlowSink<K, S>,
    ) {
        self.track_slice(views, packets, out);
        packets.clear();
    }

    /// As [`track_prepared`](Self::track_prepared), for places that stay. One without a packet is passed over.
    ///
    /// # Panics
    ///
    /// When a packet's place is not in `views`.
    #[inline]
    pub fn track_slice(
        &mut self,
        views: &[PacketView<'_>],
        packets: &mut [Prepared<K>],
        out: &mut impl FlowSink<K, S>,
    ) {
        for packets in packets.chunks_mut(LOOK_AHEAD) {
            self.track_some(views, packets, out);
        }
    }

    /// Tracks at most [`LOOK_AHEAD`] packets of `views`.
    fn track_some(
        &mut self,
        views: &[PacketView<'_>],
        packets: &mut [Prepared<K>],
        out: &mut impl FlowSink<K, S>,
    ) {
        self.engine.reseed_if_suspicious();
        for packet in packets.iter_mut() {
            if let Some(extracted) = &packet.extracted {
                packet.tag = self.engine.tag(&extracted.key);
                packet.guess = self.engine.guess(packet.tag);
            }
        }
        self.fetch(packets.iter().map(|packet| packet.guess), out);
        for Prepared { view, extracted, now, tag, guess } in packets.iter() {
            let Some(extracted) = extracted else { continue };
            let view = &views[*view];
            self.ledger.deliver(u64::from(view.frames()));
            let (tag, guess, macs) = (*tag, *guess, MacSource::Frame);
            self.engine.process(&PacketContext { view, extracted, now, tag, guess, macs }, out);
        }
    }

    /// Tracks a batch of a shard, in order, and empties it.
    pub fn track_shard(&mut self, batch: &mut ShardBatch<K>, out: &mut impl FlowSink<K, S>) {
        let ShardBatch { items, bytes, .. } = batch;
        for items in items.chunks_mut(LOOK_AHEAD) {
            self.engine.reseed_if_suspicious();
            for item in items.iter_mut() {
                if let Item::Packet(packet) = item {
                    packet.tag = self.engine.tag(&packet.extracted.key);
                    packet.guess = self.engine.guess(packet.tag);
                }
            }
            let guesses = items.iter().map(|item| match item {
                Item::Packet(packet) => packet.guess,
                _ => None,
            });
            self.fetch(guesses, out);
            for item in items.iter() {
                match item {
                    Item::Advance(now) => self.engine.sweep_for_packet(now, out),
                    Item::Packet(packet) => {
                        let view = packet.view(bytes);
                        let Routed { extracted, now, tag, guess, .. } = packet;
                        self.ledger.deliver(u64::from(view.frames()));
                        let macs = MacSource::Routed(packet.macs(bytes));
                        let (tag, guess) = (*tag, *guess);
                        self.engine.process(
                            &PacketContext { view: &view, extracted, now, tag, guess, macs },
                            out,
                        );
                    }
                    Item::Quote(quote) => {
                        let (key, from) = (&quote.key, quote.orientation);
                        self.engine.quote(key, from, quote.icmp, &quote.now, quote.ts, out);
                    }
                }
            }
        }
        batch.clear();
    }

    /// Reads the records of these slots, and what the sink has for them, so that they are in the cache
    /// when their turn comes.
    #[inline]
    fn fetch(&self, slots: impl Iterator<Item = Option<Slot>> + Clone, out: &impl FlowSink<K, S>) {
        let slots = slots.flatten();
        let records = slots.clone().fold(0, |read, slot| read ^ self.engine.read_for_packet(slot));
        // States of no size are kept once: there is nothing to be fetched.
        let states = if size_of::<S>() == 0 {
            0
        } else {
            let states = slots.filter_map(|slot| self.engine.slots().state(slot));
            states.fold(0, |read, state| read ^ out.fetch(state))
        };
        // Keeps the reads, which are there for the cache alone.
        std::hint::black_box((records, states));
    }

    /// Reports an ICMP error that quotes a packet of the flow `key`, sent in the direction `from`.
    /// The flow gets an event if it has not ended; nothing is counted.
    pub fn quote(
        &mut self,
        key: &K,
        from: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
        out: &mut impl FlowSink<K, S>,
    ) {
        self.engine.reseed_if_suspicious();
        self.engine.quote(key, from, icmp, &now, ts, out);
    }

    /// Expires what is due at the time of a packet that is not tracked.
    #[inline]
    pub fn sweep(&mut self, now: PacketTime, out: &mut impl FlowSink<K, S>) {
        self.engine.sweep_for_packet(&now, out);
    }

    /// Counts packets that are not tracked.
    pub(crate) fn refuse(&mut self, cause: Loss, packets: u32) {
        self.ledger.lose(cause, u64::from(packets));
    }

    /// Does at most `most` steps of what is due: [`Progress::More`] if more is due. See
    /// [`FlowTracker::expire`](crate::FlowTracker::expire).
    pub fn expire(
        &mut self,
        now: PacketTime,
        most: usize,
        out: &mut impl FlowSink<K, S>,
    ) -> Progress {
        Progress::more_if(self.engine.sweep(&now, Phase::Silence, most, out))
    }

    /// Time at which to call [`expire`](Self::expire) next if no packet comes before. Never later
    /// than the first deadline, possibly earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.next_due()
    }

    /// Ends one flow as [`EndReason::Forced`]. Returns whether there was one.
    pub fn end(&mut self, key: &K, now: PacketTime, out: &mut impl FlowSink<K, S>) -> bool {
        let Some(slot) = self.engine.find(key) else { return false };
        self.engine.end(slot, &now, out)
    }

    /// Ends all flows, in order of their ids. The table is empty afterwards.
    pub fn finish(&mut self, reason: EndReason, now: PacketTime, out: &mut impl FlowSink<K, S>) {
        self.engine.finish(reason, &now, |_| true, out);
    }

    /// As [`finish`](Self::finish), but only flows up to the id `last`: [`Progress::More`] if there
    /// are others. Calls with rising ids end all flows in the same order, without holding the events of
    /// a million flows at once.
    pub fn finish_until(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        last: FlowId,
        out: &mut impl FlowSink<K, S>,
    ) -> Progress {
        Progress::more_if(self.engine.finish(reason, &now, |id| id <= last, out))
    }

    /// As [`finish`](Self::finish), but at most `most` flows: [`Progress::More`] if there are others.
    /// The first calls may end none, as they look for the flows of a large table.
    pub fn finish_some(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        mut most: usize,
        out: &mut impl FlowSink<K, S>,
    ) -> Progress {
        if !self.engine.gather_ending(SCAN) {
            return Progress::More;
        }
        let go_on = |_| {
            let go_on = most > 0;
            most = most.saturating_sub(1);
            go_on
        };
        Progress::more_if(self.engine.finish(reason, &now, go_on, out))
    }

    /// Has packets of flows counted by the capture, without coming here: all flows that `which` says,
    /// and those of [`shunt`](Self::shunt). Records have what was counted as if the packets had come, and
    /// [`SideStats::shunted`](crate::SideStats::shunted). There is no `Packet` event for them, and ids of
    /// flows count only packets that came.
    ///
    /// A full table evicts shunted flows by the latest packet that came here.
    pub fn shunt_with(&mut self, by: Box<dyn Shunt<K> + Send>, which: Shunting) {
        self.engine.shunt_with(by, which);
    }

    /// Lets the capture count the packets of a flow, until one comes that has to be looked at. Once the
    /// flow is back, it is shunted again only if asked for again, or by
    /// [`Shunting::Established`].
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal`]; the flow goes on as before.
    pub fn shunt(&mut self, key: &K) -> Result<(), ShuntRefusal> {
        let slot = self.engine.find(key).ok_or(ShuntRefusal::NoFlow)?;
        self.engine.shunt(slot)
    }

    /// Ends the shunting of a flow, and adds what was counted. Returns whether it was shunted.
    pub fn unshunt(&mut self, key: &K, now: PacketTime, out: &mut impl FlowSink<K, S>) -> bool {
        self.engine.find(key).is_some_and(|slot| self.engine.unshunt(slot, &now, out))
    }

    /// Number of entries in the table, entries of ended flows included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The flow with this key, if it has not ended.
    #[must_use]
    pub fn get(&mut self, key: &K) -> Option<LiveFlow<'_, K, S>> {
        let slot = self.engine.find(key)?;
        self.live(slot)
    }

    /// Per-flow state of the flow with this key, also after its end, while its entry is in the
    /// table.
    #[must_use]
    pub fn state_mut(&mut self, key: &K) -> Option<&mut S> {
        let slot = self.engine.find(key)?;
        self.engine.slots_mut().state_mut(slot)
    }

    /// All flows that have not ended, in order of their ids. Scans the whole table.
    pub fn flows(&self) -> impl Iterator<Item = LiveFlow<'_, K, S>> {
        self.engine.by_id().into_iter().filter_map(|(_, slot)| self.live(slot))
    }

    fn live(&self, slot: Slot) -> Option<LiveFlow<'_, K, S>> {
        let slots = self.engine.slots();
        let record = slots.record(slot);
        (!record.state().is_over()).then_some(())?;
        Some(LiveFlow {
            id: FlowId(record.hot.id),
            key: &slots.hot[slot].key,
            state: slots.state(slot)?,
            record,
        })
    }

    /// Counts of the packets that reached this table.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Totals of the table.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        self.engine.stats()
    }

    /// Memory held in bytes, by capacity, without the caller's own allocations.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.engine.heap_bytes()
    }
}

/// A flow in the table, outside of a call of a sink.
pub struct LiveFlow<'a, K, S> {
    /// Its id.
    pub id: FlowId,
    /// Its key.
    pub key: &'a K,
    /// The state that the caller keeps with the flow.
    pub state: &'a S,
    record: crate::record::Record<'a>,
}

impl<K, S> LiveFlow<'_, K, S> {
    /// Statistics up to now.
    #[must_use]
    pub fn stats(&self) -> FlowStats {
        self.record.stats()
    }

    /// History up to now, in Zeek's letters.
    #[must_use]
    pub fn history(&self) -> History {
        self.record.history()
    }

    /// State of the flow.
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
    /// Packets that came after the end of their flow.
    pub late_packets: u64,
    /// How often the table changed its hash function because look-ups met too many candidates.
    pub hash_collisions_suspected: u64,
    /// Packets and bytes that the capture counted, and that were added to their flows. They are in no
    /// other count here.
    pub shunted: Counters,
    pub(crate) ended: [u64; 8],
}

impl TrackerStats {
    /// Flows ended for this reason.
    #[must_use]
    pub fn ended(&self, reason: EndReason) -> u64 {
        self.ended[reason as usize]
    }
}
