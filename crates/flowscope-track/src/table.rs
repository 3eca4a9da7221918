//! The slots: hot, cold and user parts of each flow, and which are free.

use flowscope_core::Timestamp;

use crate::chunked::{CHUNK, Chunked};
use crate::config::TrackerConfig;
use crate::entry::{Cold, Hot, HotRecord, LabelAndScale, SideRecord};
use crate::history::Letters;
use crate::lists::Slot;
use crate::record::Record;
use crate::sink::{EventOrder, Flow};
use crate::tcp::Tcp;
use crate::{FlowId, FlowState, InitiatorEvidence};

/// One entry, all its parts borrowed: the slot is looked up once for a whole packet.
pub(crate) struct Entry<'a, K, S> {
    pub(crate) slot: Slot,
    pub(crate) key: &'a K,
    pub(crate) hot: &'a mut HotRecord,
    pub(crate) cold: &'a mut Cold,
    state: &'a mut Option<S>,
}

impl<K, S> Entry<'_, K, S> {
    #[inline]
    pub(crate) fn record(&self) -> Record<'_> {
        Record { hot: self.hot, cold: self.cold }
    }

    #[inline]
    pub(crate) fn tcp<'a>(&'a mut self, config: &'a TrackerConfig) -> Tcp<'a> {
        Tcp { hot: self.hot, cold: self.cold, config }
    }

    /// The flow, to be lent to a sink.
    #[inline]
    pub(crate) fn flow(&mut self, ts: Timestamp, order: EventOrder) -> Option<Flow<'_, K, S>> {
        Some(Flow {
            id: FlowId(self.hot.id),
            key: self.key,
            state: self.state.as_mut()?,
            packet: order.packet,
            ts,
            order,
            record: Record { hot: self.hot, cold: self.cold },
        })
    }
}

pub(crate) struct Slots<K, S> {
    pub(crate) hot: Chunked<Hot<K>>,
    pub(crate) cold: Chunked<Cold>,
    states: Chunked<Option<S>>,
    /// A state of no size is kept once, for all flows: there is nothing in it to tell them apart,
    /// and reading whether each has one costs a cache miss per packet.
    unit: Option<S>,
    /// The slot that was freed last. The `id` of its record is the one freed before, and so on: a list of its own would have to
    /// grow while flows end.
    free: Option<Slot>,
}

/// In the record of a free slot: no other is free.
const LAST_FREE: u64 = u64::MAX;

impl<K, S> Slots<K, S> {
    pub(crate) fn new() -> Self {
        Slots {
            hot: Chunked::new(),
            cold: Chunked::new(),
            states: Chunked::new(),
            unit: None,
            free: None,
        }
    }

    const UNIT: bool = size_of::<S>() == 0 && !std::mem::needs_drop::<S>();

    /// Slots made so far, used or free.
    pub(crate) fn len(&self) -> Slot {
        self.hot.len()
    }

    /// Bytes that the next [`put`](Self::put) allocates.
    pub(crate) fn growth(&self) -> usize {
        if self.free.is_none() && self.hot.is_full() { CHUNK * Self::bytes_per_slot() } else { 0 }
    }

    /// Bytes that one slot takes.
    pub(crate) const fn bytes_per_slot() -> usize {
        let state = if Self::UNIT { 0 } else { size_of::<Option<S>>() };
        size_of::<Hot<K>>() + size_of::<Cold>() + state
    }

    /// A blank entry in a free slot or in a new one; says whether it is new.
    #[inline]
    pub(crate) fn put(&mut self, key: K, state: S) -> (Slot, bool) {
        let state = if Self::UNIT {
            self.unit = Some(state);
            None
        } else {
            Some(state)
        };
        if let Some(slot) = self.free {
            let hot = &mut self.hot[slot];
            self.free = Slot::try_from(hot.record.id).ok();
            (hot.key, hot.record) = (key, BLANK_HOT);
            self.cold[slot] = blank_cold();
            if !Self::UNIT {
                self.states[slot] = state;
            }
            return (slot, false);
        }
        self.hot.push(Hot { key, record: BLANK_HOT });
        self.cold.push(blank_cold());
        if !Self::UNIT {
            self.states.push(state);
        }
        (self.hot.len() - 1, true)
    }

    /// Frees a slot and drops what the user kept in it. The key stays until the slot is used again.
    pub(crate) fn free(&mut self, slot: Slot) {
        let record = &mut self.hot[slot].record;
        record.last_packet = 0;
        record.id = self.free.map_or(LAST_FREE, u64::from);
        self.free = Some(slot);
        self.cold[slot].rare = None;
        if !Self::UNIT {
            self.states[slot] = None;
        }
    }

    #[inline]
    pub(crate) fn is_live(&self, slot: Slot) -> bool {
        self.hot[slot].record.last_packet != 0
    }

    pub(crate) fn record(&self, slot: Slot) -> Record<'_> {
        Record { hot: &self.hot[slot].record, cold: &self.cold[slot] }
    }

    pub(crate) fn state(&self, slot: Slot) -> Option<&S> {
        if Self::UNIT { self.unit.as_ref() } else { self.states[slot].as_ref() }
    }

    pub(crate) fn state_mut(&mut self, slot: Slot) -> Option<&mut S> {
        if Self::UNIT { self.unit.as_mut() } else { self.states[slot].as_mut() }
    }

    /// All parts of the entry in `slot`.
    #[inline]
    pub(crate) fn entry(&mut self, slot: Slot) -> Entry<'_, K, S> {
        let Hot { key, record: hot } = &mut self.hot[slot];
        let state = if Self::UNIT { &mut self.unit } else { &mut self.states[slot] };
        Entry { slot, key, hot, cold: &mut self.cold[slot], state }
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.hot.capacity_bytes() + self.cold.capacity_bytes() + self.states.capacity_bytes()
    }
}

/// A hot record at the start of a flow.
pub(crate) const BLANK_HOT: HotRecord = HotRecord {
    touched: Timestamp::ZERO,
    last_packet: 0,
    sides: [SideRecord {
        packets: 0,
        wire: 0,
        ip: 0,
        payload: 0,
        next: 0,
        ack: 0,
        window: 0,
        flags: flowscope_core::TcpFlags(0),
        bits: 0,
    }; 2],
    id: 0,
    state: FlowState::Active,
    proto: 0,
    bits: 0,
    slow_path: 0,
    tos: [0; 2],
    ttl: [0; 2],
};

/// A cold part at the start of a flow.
pub(crate) const fn blank_cold() -> Cold {
    Cold {
        labels: [LabelAndScale::NONE; 2],
        first_seen: Timestamp::ZERO,
        seen_or_closed: Timestamp::ZERO,
        cut: [0; 2],
        isn: [0; 2],
        fin: [0; 2],
        letters: Letters::EMPTY,
        first_window: [0; 2],
        min_window: [0; 2],
        max_window: [0; 2],
        mss: [0; 2],
        min_ttl: [0; 2],
        max_ttl: [0; 2],
        syn_rtt: 0,
        ack_rtt: 0,
        rare: None,
        evidence: InitiatorEvidence::FirstPacket,
        marks: 0,
    }
}
