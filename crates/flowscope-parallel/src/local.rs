use std::hash::Hash;

use flowscope_core::{Extracted, IcmpInfo, Orientation, PacketView, Timestamp};
use flowscope_driver::{Classifier, ShardInput};
use flowscope_track::{PacketTime, Prepared, kept_payload};

use crate::recorder::Recorder;
use crate::shard::Shard;

/// Tracks packets where they lie, on the caller's thread.
pub(crate) struct LocalInput<'a, 'v, K, C: Classifier<K>, R: Recorder<K, C::Message>> {
    pub(crate) shards: &'a mut [Shard<K, C, R>],
    pub(crate) packets: &'a [PacketView<'v>],
    /// The packet that is routed now.
    pub(crate) at: usize,
    /// Bytes of payload that the parsers get of each packet at most.
    pub(crate) keep: usize,
}

impl<K, C, R> LocalInput<'_, '_, K, C, R>
where
    K: Hash + Eq + Clone,
    C: Classifier<K>,
    R: Recorder<K, C::Message>,
{
    /// Tracks the packets that one shard has prepared.
    fn flush(&mut self, shard: usize) {
        let (flows, mut sink, prepared) = self.shards[shard].parts();
        flows.track_prepared(self.packets, prepared, &mut sink);
    }

    /// Tracks all prepared packets.
    pub(crate) fn flush_all(&mut self) {
        (0..self.shards.len()).for_each(|shard| self.flush(shard));
    }
}

impl<K, C, R> ShardInput<K> for LocalInput<'_, '_, K, C, R>
where
    K: Hash + Eq + Clone,
    C: Classifier<K>,
    R: Recorder<K, C::Message>,
{
    fn advance(&mut self, now: PacketTime) {
        for shard in 0..self.shards.len() {
            self.flush(shard);
            let (flows, mut sink, _) = self.shards[shard].parts();
            flows.sweep(now, &mut sink);
        }
    }

    #[inline]
    fn packet(
        &mut self,
        shard: usize,
        view: PacketView<'_>,
        found: &Extracted<K>,
        now: PacketTime,
    ) {
        let kept = u32::try_from(kept_payload(found, self.keep)).unwrap_or(u32::MAX);
        let mut found = found.clone();
        found.payload.captured = found.payload.captured.min(kept);
        if view.frames() == 1 {
            self.shards[shard].prepared.push(Prepared::new(self.at, found, now));
            return;
        }
        // A joined datagram does not lie in the batch.
        self.flush(shard);
        let (flows, mut sink, _) = self.shards[shard].parts();
        flows.track_packet(view, &found, now, &mut sink);
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
        self.flush(shard);
        let (flows, mut sink, _) = self.shards[shard].parts();
        flows.quote(&key, from, icmp, now, ts, &mut sink);
    }
}
