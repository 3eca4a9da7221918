use flowscope_core::{Extracted, Ledger};
use flowscope_track::{EndReason, FlowId, FlowTable, Moment, ShardBatch};

use crate::claims::Claims;
use crate::config::DriverConfig;
use crate::front::Claimed;
use crate::pump::{Pump, Tap};
use crate::session_event::SessionSink;
use crate::slot::{Slot, SlotOf};

/// One of the shards that a [`Router`](crate::Router) deals the packets of one input to: a
/// [`SessionEngine`](crate::SessionEngine) without an extractor and a clock.
pub struct SessionShard<K, C: Claims<K>, U = ()> {
    table: FlowTable<K, SlotOf<K, C, U>>,
    pump: Pump<K, C>,
}

impl<K: std::hash::Hash + Eq + Clone, C: Claims<K>, U> SessionShard<K, C, U> {
    /// A shard; `config` is its part of the whole, see [`DriverConfig::divided`].
    #[must_use]
    pub fn new(
        claims: C,
        config: &DriverConfig,
        mut init: impl FnMut(&Extracted<K>) -> U + Send + 'static,
    ) -> Self {
        let (tracker, streams) = config.clone().into_shares();
        let table = FlowTable::with_state(tracker, move |found| Slot::new(found, init(found)));
        SessionShard { table, pump: Pump::new(claims, streams) }
    }

    /// Does what was dealt to it, in order, and empties `batch`.
    pub fn track(
        &mut self,
        batch: &mut ShardBatch<K>,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, pump } = self;
        table.track_shard(batch, &mut Tap { pump, out });
    }

    /// Ends every flow.
    pub fn finish(
        &mut self,
        reason: EndReason,
        moment: Moment,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) {
        let SessionShard { table, pump } = self;
        table.finish(reason, moment, &mut Tap { pump, out });
    }

    /// Ends the flows up to the id `last`; says whether there are more. See
    /// [`FlowTable::finish_until`].
    pub fn finish_until(
        &mut self,
        reason: EndReason,
        moment: Moment,
        last: FlowId,
        out: &mut impl SessionSink<K, C::Message, U>,
    ) -> bool {
        let SessionShard { table, pump } = self;
        table.finish_until(reason, moment, last, &mut Tap { pump, out })
    }

    /// Where every packet went that reached this shard.
    #[must_use]
    pub fn packets(&self) -> &Ledger {
        self.table.ledger()
    }

    /// What became of payload that somebody reads.
    #[must_use]
    pub fn claimed(&self) -> Claimed {
        self.pump.claimed()
    }

    /// The flow table: live flows, totals, memory.
    #[must_use]
    pub fn table(&self) -> &FlowTable<K, SlotOf<K, C, U>> {
        &self.table
    }

    /// Bytes of memory held, by capacity.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.table.memory() + self.pump.held()
    }
}
