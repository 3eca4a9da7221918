use std::num::NonZeroUsize;

use flowscope_core::{FlowExtractor, Ledger, PacketView, Timestamp};
use flowscope_track::{Clock, PacketTime, ShardBatch};

use crate::DriverConfig;
use crate::ingress::{ChecksumStats, Ingress, PayloadCounts};

/// Deals the packets of one input out to shards, each a
/// [`FlowTable`](flowscope_track::FlowTable) on whichever context.
///
/// There are no threads here. The router extracts, joins fragments, and keeps the clock and the count
/// of packets for all shards; a shard runs
/// [`track_shard`](flowscope_track::FlowTable::track_shard);
/// [`merge`](flowscope_track::merge) puts what they produced back in order. The outcome depends on
/// the number of shards (limits are divided among them) and on nothing else.
pub struct Router<E, F> {
    extractor: E,
    hash: F,
    ingress: Ingress,
    clock: Clock,
    shards: NonZeroUsize,
    keep: usize,
    tick: Option<u64>,
}

impl<E: FlowExtractor, F: Fn(&E::Key) -> u64> Router<E, F> {
    /// A router to this many shards. `hash` says where a key belongs: it must be the same on every
    /// run and give both directions of a flow the same number, so it is not the table's hash.
    #[must_use]
    pub fn new(extractor: E, config: &DriverConfig, shards: NonZeroUsize, hash: F) -> Self {
        Router {
            extractor,
            hash,
            ingress: Ingress::new(config),
            clock: Clock::new(config.tracker.clock_config()),
            shards,
            keep: 0,
            tick: None,
        }
    }

    /// How many bytes of each packet's payload go with it to its shard; none by default.
    #[must_use]
    pub fn keep_payload(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    /// Takes a packet and appends what it brings to the batches of the shards: itself to that of its
    /// flow, an ICMP error also to that of the flow it quotes, and to all of them, first, the news
    /// that its time lets a tick of the clock pass.
    ///
    /// # Panics
    ///
    /// When there are fewer batches than shards.
    pub fn route(&mut self, packet: PacketView<'_>, batches: &mut [ShardBatch<E::Key>]) {
        let Router { extractor, hash, ingress, clock, shards, keep, tick } = self;
        let moment = clock.observe(packet.ts());
        if moment.tick() > *tick {
            *tick = moment.tick();
            // The next tick goes on with what is left.
            let _ = ingress.expire(moment.watermark);
            batches.iter_mut().for_each(|batch| batch.advance(moment));
        }
        let shard_of = |key: &E::Key| (hash(key) % shards.get() as u64) as usize;
        ingress.resolve(extractor, packet, moment.watermark, |view, found| {
            let icmp = found.icmp;
            let quote = found.quoted(&view).and_then(|quoted| extractor.extract(quoted));
            batches[shard_of(&found.key)].packet(&view, found.clone(), moment, *keep);
            if let (Some(icmp), Some(quote)) = (icmp, quote) {
                let to = shard_of(&quote.key);
                let (key, from) = (quote.key, quote.orientation);
                batches[to].quote(key, from, icmp, moment, view.ts());
            }
        });
    }

    /// Packet time has reached `now` without a packet: advances the clock of every shard's batch, and
    /// gives incomplete datagrams up that are due. Returns the clock's new position.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        batches: &mut [ShardBatch<E::Key>],
    ) -> PacketTime {
        let moment = self.clock.advance(now);
        self.tick = self.tick.max(moment.tick());
        // What is left waits for the next call or tick.
        let _ = self.ingress.expire(moment.watermark);
        batches.iter_mut().for_each(|batch| batch.advance(moment));
        moment
    }

    /// The input has ended: lets fragments go whose datagrams are not whole.
    pub fn finish(&mut self) {
        self.ingress.finish();
    }

    /// Packets that reached no shard, by cause; those that did are in the ledgers of the shards.
    #[must_use]
    pub fn refused(&self) -> Ledger {
        self.ingress.refused()
    }

    /// Where the payload of every packet went that reached a shard; `claimed` is what all shards
    /// [counted](crate::SessionShard::claimed), [`PayloadCounts::default`] if nobody reads it.
    #[must_use]
    pub fn bytes(&self, claimed: PayloadCounts) -> Ledger {
        self.ingress.bytes(claimed)
    }

    /// Fragments that wait for the rest of their datagram.
    #[must_use]
    pub fn pending_fragments(&self) -> u64 {
        self.ingress.pending_fragments()
    }

    /// What the verification of checksums found.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.ingress.checksums()
    }

    /// The clock of the whole input.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
