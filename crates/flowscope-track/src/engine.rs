//! The flow table at work: look-up, life and death of entries, counters, events.
//!
//! [`FlowTracker`](crate::FlowTracker) puts an extractor and a clock in front of it.

mod counters;
mod emit;
mod end;
mod ending;
mod eviction;
mod interim;
mod open;
mod read_ahead;
mod shunt;
mod successor;
mod time;
mod update;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use flowscope_core::{Extracted, PacketView, Timestamp};

use self::ending::Ending;
use self::shunt::Shunts;
use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::entry::{PendingSyn, Rare, ShuntCounters};
use crate::index::{Index, Tag};
use crate::lists::Slot;
use crate::macs::MacSource;
use crate::order::EvictionOrder;
use crate::sink::{EventOrder, FlowSink};
use crate::table::Slots;
use crate::tcp::MAX_PENDING_SYNS;
use crate::wheel::Wheel;
use crate::{Macs, TrackerStats};

/// Counters are moved out of the hot part before they pass this.
const SPILL: u32 = 1 << 31;

/// Rare parts may take this fraction of the memory budget; a flow that needs one beyond that is
/// evicted itself, so that a flood of odd packets pushes out no other flow.
const RARE_SHARE: usize = 4;

/// Steps of expiry that a flow pays for that found the table full.
const EVICTION_SWEEP_STEPS: usize = 64;

/// Makes the caller's state of a new flow.
pub(crate) type Init<K, S> = Box<dyn FnMut(&Extracted<K>) -> S + Send>;

pub(crate) struct Engine<K, S> {
    config: TrackerConfig,
    idle: [u64; 3],
    /// How many entries there may be.
    limit: usize,
    init: Init<K, S>,
    index: Index,
    slots: Slots<K, S>,
    wheel: Wheel,
    /// Flows whose tick has come, in order of deadline, then of id.
    due: BinaryHeap<Reverse<Due>>,
    /// The sweep has nothing to do until the watermark is beyond this.
    next_sweep_after: Timestamp,
    order: EvictionOrder,
    /// Flows touched by packets whose time is suspect: believed if the clock comes to believe it.
    suspects: Vec<Suspect>,
    rares: usize,
    /// Flows that a finish under way has still to end.
    ending: Ending,
    /// Who counts packets that do not come here.
    shunts: Option<Shunts<K>>,
    stats: TrackerStats,
}

#[derive(Clone, Copy, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Due {
    deadline: Timestamp,
    id: u64,
    slot: Slot,
}

/// A packet on its way into the table.
pub(crate) struct PacketContext<'p, 'v, K> {
    pub(crate) view: &'p PacketView<'v>,
    pub(crate) extracted: &'p Extracted<K>,
    pub(crate) now: &'p PacketTime,
    pub(crate) tag: Tag,
    /// A slot that had this tag when the batch was prepared.
    pub(crate) guess: Option<Slot>,
    /// Where its Ethernet addresses are, should they be kept.
    pub(crate) macs: MacSource<'v>,
}

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    pub(crate) fn new(config: TrackerConfig, init: Init<K, S>) -> Self {
        let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Engine {
            idle: [config.tcp_idle, config.udp_idle, config.other_idle].map(nanos),
            limit: Self::limit(&config),
            init,
            index: Index::new(config.hash, config.seed),
            slots: Slots::new(),
            wheel: Wheel::new(),
            due: BinaryHeap::new(),
            next_sweep_after: Timestamp::MAX,
            order: EvictionOrder::new(),
            suspects: Vec::new(),
            rares: 0,
            ending: Ending::default(),
            shunts: None,
            stats: TrackerStats::default(),
            config,
        }
    }

    // ---- look-up

    #[inline]
    pub(crate) fn tag(&self, key: &K) -> Tag {
        self.index.tag(key)
    }

    #[inline]
    pub(crate) fn guess(&self, tag: Tag) -> Option<Slot> {
        self.index.guess(tag)
    }

    pub(crate) fn find(&mut self, key: &K) -> Option<Slot> {
        let tag = self.index.tag(key);
        self.find_tagged(tag, key)
    }

    fn find_tagged(&mut self, tag: Tag, key: &K) -> Option<Slot> {
        let slots = &self.slots;
        self.index.find(tag, |slot| slots.hot[slot].key == *key)
    }

    /// Looks after the index between packets: tags taken before this are void after it.
    #[inline]
    pub(crate) fn reseed_if_suspicious(&mut self) {
        if self.index.is_suspicious() {
            self.reseed();
        }
    }

    #[cold]
    fn reseed(&mut self) {
        let slots = &self.slots;
        self.index.reseed(|slot| &slots.hot[slot].key);
        self.stats.hash_collisions_suspected += 1;
    }

    // ---- a packet

    #[inline]
    pub(crate) fn process<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        self.sweep_for_packet(packet.now, out);
        let key = &packet.extracted.key;
        if let Some(slot) = packet.guess
            && self.slots.hot[slot].key == *key
            && self.slots.is_live(slot)
        {
            return self.update_fast(slot, packet, out);
        }
        self.process_unguessed(packet, out);
    }

    /// A packet of a flow that was not in the table when its batch was prepared, or behind another in the
    /// index.
    #[inline(never)]
    fn process_unguessed<O: FlowSink<K, S>>(
        &mut self,
        packet: &PacketContext<'_, '_, K>,
        out: &mut O,
    ) {
        match self.find_tagged(packet.tag, &packet.extracted.key) {
            Some(slot) => self.update_slow(slot, packet, out),
            None => self.open(packet, out),
        }
    }

    /// What a rare part may hold, by capacity.
    fn rare_bytes(&self) -> usize {
        let shunt = if self.shunts.is_some() { size_of::<ShuntCounters>() } else { 0 };
        rare_bytes(&self.config) + shunt
    }

    // ---- looking in

    pub(crate) fn slots(&self) -> &Slots<K, S> {
        &self.slots
    }

    pub(crate) fn slots_mut(&mut self) -> &mut Slots<K, S> {
        &mut self.slots
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn stats(&self) -> &TrackerStats {
        &self.stats
    }
}

/// A flow touched by a packet whose time is suspect.
struct Suspect {
    slot: Slot,
    flow: u64,
    packet: u64,
    ts: Timestamp,
}

/// What a rare part may hold without the counters of a shunted flow, by capacity.
fn rare_bytes(config: &TrackerConfig) -> usize {
    let macs = if config.macs { size_of::<Macs>() } else { 0 };
    size_of::<Rare>() + MAX_PENDING_SYNS * size_of::<PendingSyn>() + macs
}

#[inline]
fn at_packet(now: &PacketTime) -> EventOrder {
    EventOrder { packet: now.packet, ..EventOrder::default() }
}
