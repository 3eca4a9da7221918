use std::hash::Hash;

use flowscope_core::{Extracted, IcmpInfo, Ledger, Loss, Orientation, PacketView, Timestamp};

use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::engine::{Engine, PacketContext};
use crate::index::Tag;
use crate::lists::Slot;
use crate::shard::{Item, Routed, ShardBatch};
use crate::sink::{FlowSink, Phase};
use crate::{EndReason, FlowId, FlowState, FlowStats, History};

/// How many packets of a batch are looked up ahead: their cache misses overlap.
pub(crate) const LOOK_AHEAD: usize = 32;

/// A [`FlowTracker`](crate::FlowTracker) without its extractor and its clock: for those who extract
/// and keep count of packets themselves, such as a driver, or one of several shards of an input.
pub struct FlowTable<K, S = ()> {
    engine: Engine<K, S>,
    ledger: Ledger,
}

/// A packet that has been extracted and has its place in the input, ready to be tracked.
#[derive(Clone, Debug)]
pub struct Prepared<K> {
    view: usize,
    extracted: Extracted<K>,
    now: PacketTime,
    tag: Tag,
    guess: Option<Slot>,
}

impl<K> Prepared<K> {
    /// The packet `view` (its place in a slice of views), with what was extracted from it.
    #[must_use]
    pub fn new(view: usize, extracted: Extracted<K>, now: PacketTime) -> Self {
        Prepared { view, extracted, now, tag: 0, guess: None }
    }
}

impl<K: Hash + Eq + Clone> FlowTable<K> {
    /// A table with no state of the caller's.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        FlowTable::with_state(config, |_| ())
    }
}

impl<K: Hash + Eq + Clone, S> FlowTable<K, S> {
    /// A table that keeps what `init` makes of each flow's first packet in the flow's entry; see
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
        self.engine.process(&PacketContext { view: &view, extracted, now, tag, guess: None }, out);
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
        for packets in packets.chunks_mut(LOOK_AHEAD) {
            self.engine.reseed_if_suspicious();
            for packet in packets.iter_mut() {
                packet.tag = self.engine.tag(&packet.extracted.key);
                packet.guess = self.engine.guess(packet.tag);
            }
            self.fetch(packets.iter().map(|packet| packet.guess), out);
            for Prepared { view, extracted, now, tag, guess } in packets.iter() {
                let view = &views[*view];
                self.ledger.deliver(u64::from(view.frames()));
                let (now, tag, guess) = (*now, *tag, *guess);
                self.engine.process(&PacketContext { view, extracted, now, tag, guess }, out);
            }
        }
        packets.clear();
    }

    /// Does what was dealt to this table as a shard, in order, and empties `batch`.
    pub fn track_shard(&mut self, batch: &mut ShardBatch<K>, out: &mut impl FlowSink<K, S>) {
        let ShardBatch { items, bytes } = batch;
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
                    Item::Advance(now) => self.engine.sweep_for_packet(*now, out),
                    Item::Packet(packet) => {
                        let view = packet.view(bytes);
                        let Routed { extracted, now, tag, guess, .. } = packet;
                        self.ledger.deliver(u64::from(view.frames()));
                        let (now, tag, guess) = (*now, *tag, *guess);
                        self.engine.process(
                            &PacketContext { view: &view, extracted, now, tag, guess },
                            out,
                        );
                    }
                    Item::Quote(quote) => {
                        let (key, from) = (&quote.key, quote.orientation);
                        self.engine.quote(key, from, quote.icmp, quote.now, quote.ts, out);
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
        let records = slots.clone().fold(0, |read, slot| read ^ self.engine.prefetch(slot));
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

    /// An ICMP error quotes a packet of the flow `key`, sent in the direction `from`: if the flow is
    /// there and has not ended it gets an event, and nothing is counted.
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
        self.engine.quote(key, from, icmp, now, ts, out);
    }

    /// Expires what is due at the time of a packet that is not tracked.
    #[inline]
    pub fn sweep(&mut self, now: PacketTime, out: &mut impl FlowSink<K, S>) {
        self.engine.sweep_for_packet(now, out);
    }

    /// Counts packets that are not tracked.
    pub(crate) fn refuse(&mut self, cause: Loss, packets: u32) {
        self.ledger.lose(cause, u64::from(packets));
    }

    /// Does what is due, in at most `most` steps, and says whether more is. See
    /// [`FlowTracker::expire`](crate::FlowTracker::expire).
    pub fn expire(&mut self, now: PacketTime, most: usize, out: &mut impl FlowSink<K, S>) -> bool {
        self.engine.sweep(now, Phase::Silence, most, out)
    }

    /// When to call [`expire`](Self::expire) next if no packet comes before: never later than the
    /// first deadline, possibly earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.next_due()
    }

    /// Ends one flow as [`EndReason::Forced`]; says whether it was there.
    pub fn end(&mut self, key: &K, now: PacketTime, out: &mut impl FlowSink<K, S>) -> bool {
        let Some(slot) = self.engine.find(key) else { return false };
        self.engine.end(slot, now, out)
    }

    /// Ends every flow, in order of their ids, and leaves the table empty.
    pub fn finish(&mut self, reason: EndReason, now: PacketTime, out: &mut impl FlowSink<K, S>) {
        self.engine.finish(reason, now, |_| true, out);
    }

    /// As [`finish`](Self::finish), but only flows up to the id `last`; says whether there are more.
    /// Calls with rising ids end all flows in the same order, and what comes of a million of them
    /// need not be held at once.
    pub fn finish_until(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        last: FlowId,
        out: &mut impl FlowSink<K, S>,
    ) -> bool {
        self.engine.finish(reason, now, |id| id <= last, out)
    }

    /// As [`finish`](Self::finish), but at most `most` flows; says whether there are more.
    pub fn finish_some(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        mut most: usize,
        out: &mut impl FlowSink<K, S>,
    ) -> bool {
        let go_on = |_| {
            let go_on = most > 0;
            most = most.saturating_sub(1);
            go_on
        };
        self.engine.finish(reason, now, go_on, out)
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
    pub fn get(&mut self, key: &K) -> Option<LiveFlow<'_, K, S>> {
        let slot = self.engine.find(key)?;
        self.live(slot)
    }

    /// The caller's state of the flow with this key, its entry lingering or not.
    #[must_use]
    pub fn state_mut(&mut self, key: &K) -> Option<&mut S> {
        let slot = self.engine.find(key)?;
        self.engine.slots_mut().state_mut(slot)
    }

    /// All flows that have not ended, in order of their ids. Scans the table: for reports, not for
    /// every packet.
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

    /// Where every packet went that reached this table.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the table has done so far.
    #[must_use]
    pub fn stats(&self) -> &TrackerStats {
        self.engine.stats()
    }

    /// Bytes of memory held, by capacity, the caller's own allocations not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.engine.heap_bytes()
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
    record: crate::record::Record<'a>,
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
