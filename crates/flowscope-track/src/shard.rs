//! One input, many trackers: who gets which packet, and how their output becomes one again.
//!
//! There are no threads here. Whoever reads the input keeps its clock, and deals packets out as
//! [`ShardItem`]s to a fixed number of shards; each shard is a [`FlowTable`](crate::FlowTable) that runs
//! [`track_items`](crate::FlowTable::track_items), on whichever thread; [`merge`] puts what they
//! produced back in order. The outcome depends on the number of shards (limits are divided among
//! them) and on nothing else.

use std::num::NonZeroUsize;

use flowscope_core::{Extracted, IcmpInfo, LinkType, Orientation, PacketView, Timestamp};

use crate::clock::Moment;
use crate::config::TrackerConfig;
use crate::index::Tag;
use crate::lists::Slot;
use crate::sink::EventOrder;

/// A packet dealt to a shard, without its bytes; or the news that time has passed, or that another
/// flow's packet quotes one of this shard's.
#[derive(Clone, Debug)]
pub struct ShardItem<K>(pub(crate) Item<K>);

impl<K> ShardItem<K> {
    /// A packet, for the shard of its key.
    #[must_use]
    pub fn packet(view: &PacketView<'_>, extracted: Extracted<K>, moment: Moment) -> Self {
        ShardItem(Item::Packet(Routed {
            extracted,
            moment,
            ts: view.ts(),
            first_ts: view.first_ts(),
            wire_len: view.wire_len(),
            frames: view.frames(),
            link: view.link(),
            tag: 0,
            guess: None,
        }))
    }

    /// The news that the watermark has passed another tick ([`Moment::tick`]), for all shards.
    #[must_use]
    pub fn advance(moment: Moment) -> Self {
        ShardItem(Item::Advance(moment))
    }

    /// An ICMP error that quotes a packet of the flow `key`, for the shard of that key; see
    /// [`FlowTable::quote`](crate::FlowTable::quote).
    #[must_use]
    pub fn quote(
        key: K,
        orientation: Orientation,
        icmp: IcmpInfo,
        moment: Moment,
        ts: Timestamp,
    ) -> Self {
        ShardItem(Item::Quote(Quote { key, orientation, icmp, moment, ts }))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Item<K> {
    Packet(Routed<K>),
    Advance(Moment),
    Quote(Quote<K>),
}

#[derive(Clone, Debug)]
pub(crate) struct Quote<K> {
    pub(crate) key: K,
    pub(crate) orientation: Orientation,
    pub(crate) icmp: IcmpInfo,
    pub(crate) moment: Moment,
    pub(crate) ts: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Routed<K> {
    pub(crate) extracted: Extracted<K>,
    pub(crate) moment: Moment,
    ts: Timestamp,
    first_ts: Timestamp,
    wire_len: u32,
    frames: u32,
    link: LinkType,
    pub(crate) tag: Tag,
    pub(crate) guess: Option<Slot>,
}

impl<K> Routed<K> {
    /// The packet as the tracker needs it: times and lengths, no bytes.
    pub(crate) fn view(&self) -> PacketView<'static> {
        PacketView::new(&[], self.link, self.ts).with_joined(
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

/// Calls `take` with what the shards produced, in the order of the input. Each shard's records must
/// be in the order in which they came.
pub fn merge<R>(shards: Vec<Vec<(EventOrder, R)>>, mut take: impl FnMut(R)) {
    let mut all: Vec<(EventOrder, R)> = shards.into_iter().flatten().collect();
    // Stable: what one shard produced at one place stays in its order.
    all.sort_by_key(|(order, _)| *order);
    for (_, record) in all {
        take(record);
    }
}
