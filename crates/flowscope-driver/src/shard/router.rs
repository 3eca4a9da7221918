use std::num::NonZeroUsize;

use flowscope_core::{
    Announcer, Extracted, FlowExtractor, IcmpInfo, Ledger, Orientation, PacketView, Timestamp,
    UnreadHeaders,
};
use flowscope_track::{Clock, PacketTime, ShardBatch, ShuntRefusal};

use super::followers::Followers;
use crate::DriverConfig;
use crate::config::Checksums;
use crate::ingress::{ChecksumStats, Ingress, PayloadCounts};

/// Distributes the packets of one input over shards, each a
/// [`FlowTable`](flowscope_track::FlowTable) or a [`SessionShard`](crate::SessionShard).
///
/// There are no threads here; `flowscope-parallel` has them. The router extracts, joins fragments, and
/// keeps the clock and the count of packets for all shards;
/// [`merge`](flowscope_track::merge) puts their output back in order. The output depends on the number
/// of shards, among which limits are divided, and on nothing else.
pub struct Router<E: FlowExtractor, F> {
    extractor: E,
    hash: F,
    ingress: Ingress,
    clock: Clock,
    shards: NonZeroUsize,
    keep: usize,
    macs: bool,
    tick: Option<u64>,
    followers: Followers<E::Key>,
}

/// Takes what a [`Router`] routes.
pub trait ShardInput<K> {
    /// For all shards: the clock has passed another tick.
    fn advance(&mut self, now: PacketTime);

    /// For one shard: a packet, joined from fragments if `view` has more than one frame.
    fn packet(&mut self, shard: usize, view: PacketView<'_>, found: &Extracted<K>, now: PacketTime);

    /// For one shard: an ICMP error, captured at `ts`, quotes a packet of the flow `key` that was sent in
    /// the direction `from`.
    fn quote(
        &mut self,
        shard: usize,
        key: K,
        from: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
    );
}

/// Copies what is routed into a batch per shard.
struct Batches<'a, K> {
    batches: &'a mut [ShardBatch<K>],
    keep: usize,
    macs: bool,
}

impl<K: Clone> ShardInput<K> for Batches<'_, K> {
    fn advance(&mut self, now: PacketTime) {
        self.batches.iter_mut().for_each(|batch| batch.advance(now));
    }

    #[inline]
    fn packet(
        &mut self,
        shard: usize,
        view: PacketView<'_>,
        found: &Extracted<K>,
        now: PacketTime,
    ) {
        self.batches[shard].packet(&view, found.clone(), now, self.keep, self.macs);
    }

    fn quote(
        &mut self,
        shard: usize,
        key: K,
        from: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
    ) {
        self.batches[shard].quote(key, from, icmp, now, ts);
    }
}

impl<E: FlowExtractor, F: Fn(&E::Key) -> u64> Router<E, F> {
    /// A router to this many shards. `hash` distributes the flows: it must be the same on every run and
    /// equal for both directions of a flow, so it is not the table's hash.
    #[must_use]
    pub fn new(extractor: E, config: &DriverConfig, shards: NonZeroUsize, hash: F) -> Self {
        Router {
            extractor,
            hash,
            ingress: Ingress::new(config),
            clock: Clock::new(config.tracker.clock_config()),
            shards,
            keep: 0,
            macs: config.tracker.keeps_macs(),
            tick: None,
            followers: Followers::new(Vec::new()),
        }
    }

    /// Bytes of each packet's payload that [`route`](Self::route) copies into its batch; none by default. UDP
    /// datagrams, which protocols are recognised by as a whole, are copied whole unless it is 0.
    #[must_use]
    pub fn keep_payload(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    /// Routes flows that packets of others announce to the shards of those: a parser in one can then
    /// [expect](flowscope_core::Expectation) the other. What announces is asked of the
    /// [`Classifier`](crate::Classifier::announcers) of the shards. Default: nothing.
    ///
    /// Which shard a flow is of still depends on the packets of the input alone. At most 1024 announcements and 16384 flows
    /// are remembered; flows beyond that go where their hash says.
    #[must_use]
    pub fn following(mut self, announcers: Vec<Announcer>) -> Self {
        self.followers = Followers::new(announcers);
        self
    }

    /// Whether packets of flows may be counted by a capture in place of the shards.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::Checksums`] if checksums are verified here.
    pub fn may_shunt(&self) -> Result<(), ShuntRefusal> {
        match self.ingress.policy() {
            Checksums::Off => Ok(()),
            _ => Err(ShuntRefusal::Checksums),
        }
    }

    /// Routes a packet into the batches of the shards, which run them by
    /// [`SessionShard::track`](crate::SessionShard::track).
    ///
    /// # Panics
    ///
    /// When there are fewer batches than shards.
    pub fn route(&mut self, packet: PacketView<'_>, batches: &mut [ShardBatch<E::Key>]) {
        let Router { keep, macs, .. } = *self;
        self.route_to(packet, &mut Batches { batches, keep, macs });
    }

    /// Routes a packet: tells all shards, first, that the clock has passed a tick; the packet to the
    /// shard of its flow; an ICMP error also to the shard of the flow that it quotes.
    pub fn route_to(&mut self, packet: PacketView<'_>, input: &mut impl ShardInput<E::Key>) {
        let Router { extractor, hash, ingress, clock, shards, tick, followers, .. } = self;
        let now = clock.observe(packet.ts());
        if now.tick() > *tick {
            *tick = now.tick();
            // The next tick goes on with what is left.
            let _ = ingress.expire(now.watermark);
            input.advance(now);
        }
        let shard_of = |key: &E::Key| (hash(key) % shards.get() as u64) as usize;
        ingress.resolve(extractor, packet, now.watermark, |view, found| {
            let icmp = found.icmp;
            let quote = found.quoted(&view).and_then(|quoted| extractor.extract(quoted));
            let shard = shard_of(&found.key);
            let shard = followers.route(&view, found, E::endpoints, shard, now.watermark);
            input.packet(shard, view, found, now);
            if let (Some(icmp), Some(quote)) = (icmp, quote) {
                let to = followers.shard_of(&quote.key).unwrap_or_else(|| shard_of(&quote.key));
                input.quote(to, quote.key, quote.orientation, icmp, now, view.ts());
            }
        });
    }

    /// Counts a packet of the input that goes no further, as one that a filter refuses: packets behind it,
    /// and flows that they begin, have the numbers they would have without the filter.
    pub fn skip(&mut self) {
        self.clock.skip_packet();
    }

    /// Handles packet time that has reached `now` without a packet: advances the clock of all batches, and gives
    /// incomplete datagrams up that are due. Returns the clock's new position.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        batches: &mut [ShardBatch<E::Key>],
    ) -> PacketTime {
        let Router { keep, macs, .. } = *self;
        self.handle_timeout_to(now, &mut Batches { batches, keep, macs })
    }

    /// As [`handle_timeout`](Self::handle_timeout), for shards that take their input directly.
    pub fn handle_timeout_to(
        &mut self,
        now: Timestamp,
        input: &mut impl ShardInput<E::Key>,
    ) -> PacketTime {
        let now = self.clock.advance(now);
        self.tick = self.tick.max(now.tick());
        // What is left waits for the next call or tick.
        let _ = self.ingress.expire(now.watermark);
        input.advance(now);
        now
    }

    /// The input has ended: gives incomplete datagrams up.
    pub fn finish(&mut self) {
        self.ingress.finish();
    }

    /// The ledger of the packets that reached no shard; the others are in the ledgers of the shards.
    #[must_use]
    pub fn refused(&self) -> Ledger {
        self.ingress.refused()
    }

    /// What the packets were that are [no flow](flowscope_core::Loss::NotAFlow) or of an
    /// [unknown link type](flowscope_core::Loss::LinkUnsupported), by Ethertype, LLC address or link type.
    #[must_use]
    pub fn unread(&self) -> &UnreadHeaders {
        self.ingress.unread()
    }

    /// The payload ledger, in bytes, of all packets that reached a shard. `counts` is the sum of the
    /// shards' [`payload_counts`](crate::SessionShard::payload_counts), the default if nothing reads
    /// payload.
    #[must_use]
    pub fn bytes(&self, counts: PayloadCounts) -> Ledger {
        self.ingress.bytes(counts)
    }

    /// Returns the number of fragments that wait for the rest of their datagram.
    #[must_use]
    pub fn pending_fragments(&self) -> u64 {
        self.ingress.pending_fragments()
    }

    /// Returns the results of checksum verification.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.ingress.checksums()
    }

    /// The packet clock of the whole input.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
