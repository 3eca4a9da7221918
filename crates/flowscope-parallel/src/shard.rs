use std::hash::Hash;
use std::num::NonZeroUsize;

use flowscope_core::{Endpoints, FlowSide, Ledger, Loss, Timestamp};
use flowscope_driver::{
    Classifier, DriverConfig, PayloadCounts, Progress, SessionChange, SessionShard, SessionSink,
};
use flowscope_track::{
    Change, Counters, EndReason, Flow, FlowId, PacketInfo, PacketTime, Prepared, ShardBatch,
};

use crate::merge::ShardOutput;
use crate::recorder::Recorder;

/// Number of shards. It is fixed, for the output depends on it where limits are reached.
pub const SHARDS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// Steps of expiry in one call.
const EXPIRY: usize = 1024;

/// The counters of all shards.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// The ledger of the packets that reached a flow table, or were counted for one by the capture.
    pub packets: Ledger,
    /// What became of payload that parsers read.
    pub payload: PayloadCounts,
    /// Number of flows that started.
    pub flows: u64,
    /// Flows in the tables.
    pub open: u64,
    /// Bytes of memory that the tables and the parsers hold, by capacity.
    pub heap_bytes: u64,
    /// Number of flows that were evicted for lack of room.
    pub evicted: u64,
    /// What the capture counted in place of the flow tables.
    pub shunted: Counters,
    /// The next deadline of a flow if no packet comes before.
    pub(crate) deadline: Option<Timestamp>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        self.packets.merge(&other.packets);
        self.payload.merge(&other.payload);
        self.flows += other.flows;
        self.open += other.open;
        self.heap_bytes += other.heap_bytes;
        self.evicted += other.evicted;
        let (sum, more) = (&mut self.shunted, &other.shunted);
        sum.packets += more.packets;
        sum.wire_bytes += more.wire_bytes;
        sum.ip_bytes += more.ip_bytes;
        sum.payload_bytes += more.payload_bytes;
        self.deadline = self.deadline.into_iter().chain(other.deadline).min();
    }
}

/// A flow table with its parsers, its recorder, and the records made since the last round.
pub(crate) struct Shard<K, C: Classifier<K>, R: Recorder<K, C::Message>> {
    pub(crate) flows: SessionShard<K, C, R::State>,
    recorder: R,
    pub(crate) output: ShardOutput<R::Record>,
    /// Packets of the current batch, by their place in it: used without threads only.
    pub(crate) prepared: Vec<Prepared<K>>,
}

impl<K: Hash + Eq + Clone, C: Classifier<K>, R: Recorder<K, C::Message>> Shard<K, C, R> {
    pub(crate) fn new(
        classifier: C,
        config: &DriverConfig,
        recorder: &R,
        endpoints: fn(&K) -> Option<Endpoints>,
    ) -> Self {
        let init = recorder.clone();
        let flows = SessionShard::new(classifier, config, move |first| init.state(first));
        Shard {
            flows: flows.expecting(endpoints),
            recorder: recorder.clone(),
            output: ShardOutput::default(),
            prepared: Vec::new(),
        }
    }

    /// The flow table with the sink that records what it lends.
    #[allow(clippy::type_complexity)]
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut SessionShard<K, C, R::State>, RecordingSink<'_, R, R::Record>, &mut Vec<Prepared<K>>)
    {
        let Shard { flows, recorder, output, prepared } = self;
        (flows, RecordingSink { recorder, output }, prepared)
    }

    pub(crate) fn track(&mut self, batch: &mut ShardBatch<K>) {
        let (flows, mut sink, _) = self.parts();
        flows.track(batch, &mut sink);
    }

    /// Does all that is due without a packet.
    pub(crate) fn expire(&mut self, now: PacketTime) {
        let (flows, mut sink, _) = self.parts();
        while flows.expire(now, EXPIRY, &mut sink) == Progress::More {}
    }

    /// Ends the flows up to the id `last`.
    pub(crate) fn finish(&mut self, reason: EndReason, now: PacketTime, last: FlowId) {
        let (flows, mut sink, _) = self.parts();
        // The caller continues up to the greatest id.
        let (Progress::Done | Progress::More) = flows.finish_until(reason, now, last, &mut sink);
    }

    pub(crate) fn counts(&self) -> Counts {
        let totals = self.flows.table().stats();
        let mut packets = self.flows.packets().clone();
        packets.lose(Loss::Shunted, totals.shunted.packets);
        Counts {
            packets,
            payload: self.flows.payload_counts(),
            flows: totals.flows,
            open: self.flows.table().len() as u64,
            heap_bytes: self.flows.heap_bytes() as u64,
            evicted: totals.ended(EndReason::Evicted),
            shunted: totals.shunted,
            deadline: self.deadline(),
        }
    }

    /// The next deadline of a flow if no packet comes before.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.flows.table().next_deadline()
    }
}

/// Records what a shard's flow table lends.
pub(crate) struct RecordingSink<'a, R, T> {
    recorder: &'a R,
    output: &'a mut ShardOutput<T>,
}

impl<K, M, R: Recorder<K, M>> SessionSink<K, M, R::State> for RecordingSink<'_, R, R::Record> {
    #[inline]
    fn wants_packets(&self) -> bool {
        self.recorder.wants_packets()
    }

    #[inline]
    fn flow(&mut self, flow: Flow<'_, K, R::State>, change: Change) {
        let order = flow.order;
        self.output.add(order, self.recorder.flow(flow, change));
    }

    fn late_packet(&mut self, flow: Flow<'_, K, R::State>, packet: PacketInfo) {
        let order = flow.order;
        self.output.add(order, self.recorder.late_packet(flow, packet));
    }

    fn session(&mut self, flow: Flow<'_, K, R::State>, change: SessionChange) {
        let order = flow.order;
        self.output.add(order, self.recorder.session(flow, change));
    }

    fn message(&mut self, flow: Flow<'_, K, R::State>, side: FlowSide, message: M) {
        let order = flow.order;
        self.output.add(order, self.recorder.message(flow, side, message));
    }

    fn session_ended(&mut self, flow: Flow<'_, K, R::State>, reason: EndReason) {
        let order = flow.order;
        self.output.add(order, self.recorder.session_ended(flow, reason));
    }

    fn removed(&mut self, flow: Flow<'_, K, R::State>, reason: EndReason) {
        let order = flow.order;
        self.output.add(order, self.recorder.removed(flow, reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_the_sum_over_the_shards() {
        let shard = |n: u64| {
            let shunted = Counters {
                packets: 2 * n,
                wire_bytes: 3 * n,
                ip_bytes: 5 * n,
                payload_bytes: 7 * n,
            };
            let mut counts = Counts {
                flows: 11 * n,
                open: 13 * n,
                heap_bytes: 17 * n,
                evicted: 19 * n,
                shunted,
                ..Counts::default()
            };
            counts.packets.deliver(23 * n);
            counts
        };
        let mut sum = Counts::default();
        sum.add(&Counts { deadline: Some(Timestamp::from_secs(9)), ..shard(1) });
        sum.add(&Counts { deadline: Some(Timestamp::from_secs(7)), ..shard(10) });
        // A shard without flows has no deadline.
        sum.add(&shard(100));
        assert_eq!(sum.deadline, Some(Timestamp::from_secs(7)));
        let expected = Counts { deadline: sum.deadline, ..shard(111) };
        assert_eq!(format!("{sum:?}"), format!("{expected:?}"));
    }
}
