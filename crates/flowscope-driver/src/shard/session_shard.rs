use flowscope_core::{Extracted, Ledger, Progress};
use flowscope_track::{EndReason, FlowId, FlowTable, PacketTime, ShardBatch};

use crate::config::DriverConfig;
use crate::detection::Classifier;
use crate::ingress::PayloadCounts;
use crate::session::SessionSink;
use crate::session::{ParserHost, SessionFlowSink};
use crate::session::{Slot, SlotOf};

/// One of the shards that a [`Router`](crate::Router) deals the packets of one input to: a
/// [`SessionEngine`](crate::SessionEngine) without an extractor and a clock.
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

    /// Does what was dealt to it, in order, and empties `batch`.
    pub fn track(
        &mut self,
        batch: &mut ShardBatch<K>,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.track_shard(batch, &mut SessionFlowSink { host, out });
    }

    /// Ends every flow.
    pub fn finish(
        &mut self,
        reason: EndReason,
        moment: PacketTime,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, host } = self;
        table.finish(reason, moment, &mut SessionFlowSink { host, out });
    }

    /// Ends the flows up to the id `last`: [`Progress::More`] if there are others. See
    /// [`FlowTable::finish_until`].
    pub fn finish_until(
        &mut self,
        reason: EndReason,
        moment: PacketTime,
        last: FlowId,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) -> Progress {
        let SessionShard { table, host } = self;
        table.finish_until(reason, moment, last, &mut SessionFlowSink { host, out })
    }

    /// Where every packet went that reached this shard.
    #[must_use]
    pub fn packets(&self) -> &Ledger {
        self.table.ledger()
    }

    /// What became of payload that somebody reads.
    #[must_use]
    pub fn payload_counts(&self) -> PayloadCounts {
        self.host.payload_counts()
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
