use flowscope_core::{
    Endpoints, Extracted, IcmpInfo, Ledger, Orientation, PacketView, Progress, Timestamp,
};
use flowscope_track::{
    EndReason, FlowId, FlowTable, PacketTime, Prepared, ShardBatch, Shunt, Shunting,
};

use crate::config::DriverConfig;
use crate::detection::Classifier;
use crate::ingress::PayloadCounts;
use crate::session::SessionSink;
use crate::session::{ParserHost, SessionFlowSink};
use crate::session::{Slot, SlotOf};

/// A [`SessionEngine`](crate::SessionEngine) without extractor and clock: one of the shards over which a
/// [`Router`](crate::Router) distributes the packets of one input.
pub struct SessionShard<K, C: Classifier<K>, U = ()> {
    table: FlowTable<K, SlotOf<K, C, U>>,
    host: ParserHost<K, C>,
}

impl<K: std::hash::Hash + Eq + Clone, C: Classifier<K>, U> SessionShard<K, C, U> {
    /// A shard; `config` is its part of the whole, see [`DriverConfig::divided`].
    #[must_use]
    pub fn new(
        classifier: C,
        config: &DriverConfig,
        mut init: impl FnMut(&Extracted<K>) -> U + Send + 'static,
    ) -> Self {
        let (tracker, streams) = config.clone().into_shares();
        let table = FlowTable::with_state(tracker, move |found| Slot::new(found, init(found)));
        SessionShard { table, host: ParserHost::new(classifier, streams) }
    }

    /// Looks for flows that the parsers of others [expect](flowscope_core::Expectation), by the ends that keys have:
    /// [`FlowExtractor::endpoints`](flowscope_core::FlowExtractor::endpoints). Default: for none. Both flows must be of
    /// this shard: see [`Router::following`](crate::Router::following).
    #[must_use]
    pub fn expecting(mut self, endpoints: fn(&K) -> Option<Endpoints>) -> Self {
        self.host = self.host.expecting(endpoints);
        self
    }

    /// Has packets of flows counted by a capture: see [`ShuntingDriver`](crate::ShuntingDriver). Ask
    /// [`Router::may_shunt`](crate::Router::may_shunt) first.
    pub fn shunt_with(&mut self, by: Box<dyn Shunt<K> + Send>, which: Shunting) {
        self.table.shunt_with(by, which);
    }

    /// Tracks a batch in order, and empties it.
    pub fn track(
        &mut self,
        batch: &mut ShardBatch<K>,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.track_shard(batch, &mut SessionFlowSink { host, out });
    }

    /// Tracks one packet where it lies; see [`FlowTable::track`].
    pub fn track_packet(
        &mut self,
        view: PacketView<'_>,
        found: &Extracted<K>,
        now: PacketTime,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.track(view, found, now, &mut SessionFlowSink { host, out });
    }

    /// Tracks packets of `views` where they lie, and empties `packets`; see
    /// [`FlowTable::track_prepared`].
    pub fn track_prepared(
        &mut self,
        views: &[PacketView<'_>],
        packets: &mut Vec<Prepared<K>>,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.track_prepared(views, packets, &mut SessionFlowSink { host, out });
    }

    /// An ICMP error quotes a packet of one of the shard's flows; see [`FlowTable::quote`].
    pub fn quote(
        &mut self,
        key: &K,
        from: Orientation,
        icmp: IcmpInfo,
        now: PacketTime,
        ts: Timestamp,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.quote(key, from, icmp, now, ts, &mut SessionFlowSink { host, out });
    }

    /// The clock has passed another tick; see [`FlowTable::sweep`].
    pub fn sweep(&mut self, now: PacketTime, out: &mut impl SessionSink<K, C::Message, U>) {
        let SessionShard { table, host } = self;
        table.sweep(now, &mut SessionFlowSink { host, out });
    }

    /// Does at most `most` steps of what is due without a packet: [`Progress::More`] if more is due; see
    /// [`FlowTable::expire`].
    pub fn expire(
        &mut self,
        now: PacketTime,
        most: usize,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) -> Progress {
        let SessionShard { table, host } = self;
        table.expire(now, most, &mut SessionFlowSink { host, out })
    }

    /// Ends every flow.
    pub fn finish(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.finish(reason, now, &mut SessionFlowSink { host, out });
    }

    /// Ends the flows up to the id `last`: [`Progress::More`] if there are others. See
    /// [`FlowTable::finish_until`].
    pub fn finish_until(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        last: FlowId,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) -> Progress {
        let SessionShard { table, host } = self;
        table.finish_until(reason, now, last, &mut SessionFlowSink { host, out })
    }

    /// The ledger of the packets that reached this shard.
    #[must_use]
    pub fn packets(&self) -> &Ledger {
        self.table.ledger()
    }

    /// What became of payload that parsers read, and of that which a capture counted.
    #[must_use]
    pub fn payload_counts(&self) -> PayloadCounts {
        let shunted = self.table.stats().shunted.payload_bytes;
        PayloadCounts { shunted, ..self.host.payload_counts() }
    }

    /// The flow table: live flows, totals, memory.
    #[must_use]
    pub fn table(&self) -> &FlowTable<K, SlotOf<K, C, U>> {
        &self.table
    }

    /// Bytes of memory held, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.host.heap_bytes()
    }
}
