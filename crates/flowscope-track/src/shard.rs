//! One input, many trackers: who gets which packet, and how their output becomes one again.
//!
//! There are no threads here. A [`Router`] takes the packets in order and deals them out to a fixed
//! number of shards; each shard is a [`FlowTracker`](crate::FlowTracker) of its own that runs
//! [`track_items`](crate::FlowTracker::track_items), on whichever thread; [`merge`] puts what they
//! produced back in order. The outcome depends on the number of shards (limits are divided among
//! them) and on nothing else.

use std::num::NonZeroUsize;

use flowscope_core::{
    Extracted, FlowExtractor, IcmpInfo, Ledger, LinkType, Loss, Orientation, PacketView, Timestamp,
};

use crate::clock::{Clock, Moment};
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

/// Deals packets out to shards, keeping the clock and the count of packets for all of them.
pub struct Router<E, F> {
    extractor: E,
    hash: F,
    clock: Clock,
    ledger: Ledger,
    shards: NonZeroUsize,
    passed: Option<u64>,
}

impl<E: FlowExtractor, F: Fn(&E::Key) -> u64> Router<E, F> {
    /// A router to this many shards. `hash` says where a key belongs: it must be the same on every
    /// run and give both directions of a flow the same number, so it is not the table's hash.
    #[must_use]
    pub fn new(extractor: E, config: &TrackerConfig, shards: NonZeroUsize, hash: F) -> Self {
        Router {
            extractor,
            hash,
            clock: Clock::new(config.clock),
            ledger: Ledger::default(),
            shards,
            passed: None,
        }
    }

    /// Extracts a packet and appends it to the items of its shard. When its time lets a tick of the
    /// clock pass, all other shards are told.
    ///
    /// # Panics
    ///
    /// When there are fewer lists in `items` than shards.
    pub fn route(&mut self, view: PacketView<'_>, items: &mut [Vec<ShardItem<E::Key>>]) {
        let extracted = self.extractor.extract(view);
        let moment = self.clock.observe(view.ts());
        let passed = moment.tick();
        let news = passed > self.passed;
        self.passed = self.passed.max(passed);
        if news {
            for items in items.iter_mut() {
                items.push(ShardItem::advance(moment));
            }
        }
        match extracted {
            Some(extracted) if extracted.fragment.is_none() => {
                let shard = (self.hash)(&extracted.key) % self.shards.get() as u64;
                items[shard as usize].push(ShardItem::packet(&view, extracted, moment));
            }
            Some(_) => self.ledger.lose(Loss::FragIncomplete, u64::from(view.frames())),
            None => {
                let cause = self.extractor.explain(view).into();
                self.ledger.lose(cause, u64::from(view.frames()));
            }
        }
    }

    /// Packets that reached no shard; those that did are in the ledgers of the shards.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The clock of the whole input.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
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
