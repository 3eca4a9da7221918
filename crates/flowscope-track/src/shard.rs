//! One input, many trackers: who gets which packet, and how their output becomes one again.
//!
//! There are no threads here. The reader of the input keeps its clock, and deals packets out as
//! [`ShardBatch`]es to a fixed number of shards; each shard is a [`FlowTable`](crate::FlowTable) that runs
//! [`track_shard`](crate::FlowTable::track_shard), on whichever thread; [`merge`] puts what they
//! produced back in order. The outcome depends on the number of shards (limits are divided among
//! them) and on nothing else.

use std::num::NonZeroUsize;

use flowscope_core::{Extracted, IcmpInfo, L4Proto, LinkType, Orientation, PacketView, Timestamp};

use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::index::Tag;
use crate::lists::Slot;
use crate::macs::{self, MacPair};
use crate::sink::EventOrder;

/// Batch of packets for one shard: packets with a part of their payload, advances of time, and ICMP
/// errors that quote flows of the shard. Can be used again after tracking.
#[derive(Clone, Debug)]
pub struct ShardBatch<K> {
    pub(crate) items: Vec<Item<K>>,
    /// Payload of the packets, one after the other.
    pub(crate) bytes: Vec<u8>,
}

impl<K> Default for ShardBatch<K> {
    fn default() -> Self {
        ShardBatch { items: Vec::new(), bytes: Vec::new() }
    }
}

/// How many bytes of a packet's payload are kept where that is at most `keep`: all of a UDP datagram, which
/// protocols are recognised by as a whole, unless it is 0.
#[inline]
#[must_use]
pub fn kept_payload<K>(extracted: &Extracted<K>, keep: usize) -> usize {
    if keep > 0 && extracted.l4 == Some(L4Proto::Udp) { usize::MAX } else { keep }
}

impl<K> ShardBatch<K> {
    /// Adds a packet of a flow of this shard, with the [kept](kept_payload) bytes of its payload, and with its
    /// Ethernet addresses if the shard [keeps](TrackerConfig::macs) them.
    pub fn packet(
        &mut self,
        view: &PacketView<'_>,
        mut extracted: Extracted<K>,
        now: PacketTime,
        keep: usize,
        macs: bool,
    ) {
        let macs = if macs { macs::of_frame(view) } else { None };
        self.bytes.extend_from_slice(macs.as_ref().map_or(&[], |macs| macs));
        let payload = extracted.payload.of(view);
        let payload = &payload[..payload.len().min(kept_payload(&extracted, keep))];
        extracted.payload.offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        extracted.payload.captured = payload.len() as u32;
        self.bytes.extend_from_slice(payload);
        self.items.push(Item::Packet(Routed {
            extracted,
            now,
            ts: view.ts(),
            first_ts: view.first_ts(),
            wire_len: view.wire_len(),
            frames: view.frames(),
            link: view.link(),
            tag: 0,
            guess: None,
            macs: macs.is_some(),
        }));
    }

    /// Adds an advance of time: the watermark has passed another tick ([`PacketTime::tick`]). Goes
    /// to all shards.
    pub fn advance(&mut self, now: PacketTime) {
        self.items.push(Item::Advance(now));
    }

    /// Adds an ICMP error that quotes a packet of the flow `key`, which must belong to this shard;
    /// see [`FlowTable::quote`](crate::FlowTable::quote).
    pub fn quote(
        &mut self,
        key: K,
        orientation: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
    ) {
        self.items.push(Item::Quote(Quote { key, orientation, icmp, now, ts }));
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of payload in the batch.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch. Its allocations stay.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Item<K> {
    Packet(Routed<K>),
    Advance(PacketTime),
    Quote(Quote<K>),
}

#[derive(Clone, Debug)]
pub(crate) struct Quote<K> {
    pub(crate) key: K,
    pub(crate) orientation: Orientation,
    pub(crate) icmp: IcmpInfo,
    pub(crate) now: PacketTime,
    pub(crate) ts: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Routed<K> {
    pub(crate) extracted: Extracted<K>,
    pub(crate) now: PacketTime,
    ts: Timestamp,
    first_ts: Timestamp,
    wire_len: u32,
    frames: u32,
    link: LinkType,
    pub(crate) tag: Tag,
    pub(crate) guess: Option<Slot>,
    /// Whether its Ethernet addresses stand before its payload.
    macs: bool,
}

impl<K> Routed<K> {
    /// The Ethernet addresses, if they are among these bytes.
    #[inline]
    pub(crate) fn macs<'a>(&self, bytes: &'a [u8]) -> Option<&'a MacPair> {
        if !self.macs {
            return None;
        }
        let before = bytes.get(..self.extracted.payload.offset as usize)?;
        before.last_chunk()
    }

    /// The packet as the tracker needs it: times, lengths, and the bytes among which its payload is.
    pub(crate) fn view<'a>(&self, bytes: &'a [u8]) -> PacketView<'a> {
        PacketView::new(bytes, self.link, self.ts).with_joined(
            self.frames,
            self.wire_len,
            self.first_ts,
        )
    }
}

impl TrackerConfig {
    /// The configuration of one of `shards` trackers that share an input: limits are divided.
    #[must_use]
    pub fn divided(&self, shards: NonZeroUsize) -> Self {
        let mut config = self.clone();
        let flows = self.max_flows.get().div_ceil(shards.get());
        config.max_flows = NonZeroUsize::new(flows).unwrap_or(NonZeroUsize::MIN);
        config.memory_budget = self.memory_budget / shards;
        config
    }
}

/// Calls `take` with the output of all shards, in the order of the input. The output of each shard
/// must be in the order in which it was produced.
pub fn merge<R>(shards: Vec<Vec<(EventOrder, R)>>, mut take: impl FnMut(R)) {
    let mut all: Vec<(EventOrder, R)> = shards.into_iter().flatten().collect();
    // Stable: what one shard produced at one place stays in its order.
    all.sort_by_key(|(order, _)| *order);
    for (_, record) in all {
        take(record);
    }
}
