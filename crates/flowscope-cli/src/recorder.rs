//! Record formats as recorders of the parallel driver.

use std::hash::Hash;

use flowscope::core::{Extracted, FlowSide};
use flowscope::driver::{DriverConfig, Protocols, SessionChange};
use flowscope::extract::{
    AutoDetectEncap, FiveTuple, FiveTupleKey, FlowExtractor, Scoped, ScopedKey,
};
use flowscope::protocols::{self, Registry};
use flowscope::track::{Change, EndReason, Flow, PacketInfo};
use flowscope_parallel::{Merged, ParallelDriver, Recorder, WorkerError};

use crate::error::Failure;
use crate::keylog::Secrets;
use crate::output::{Output, RecordFormat, put_piece};
use crate::reading::AppRecord;

/// The key of flows: the five-tuple, with or without the networks around it.
pub(crate) trait FlowKey: Hash + Eq + Clone + Send + Sync + 'static {
    /// Makes it of packets.
    type Extractor: FlowExtractor<Key = Self>;

    fn extractor() -> Self::Extractor;

    /// Equal for both directions of a flow, on every run.
    fn shard_hash(&self) -> u64 {
        self.five_tuple().shard_hash()
    }

    fn five_tuple(&self) -> &FiveTupleKey;
}

impl FlowKey for FiveTupleKey {
    type Extractor = AutoDetectEncap<FiveTuple>;

    fn extractor() -> Self::Extractor {
        AutoDetectEncap(FiveTuple::bidirectional())
    }

    #[inline]
    fn five_tuple(&self) -> &FiveTupleKey {
        self
    }
}

/// `--vlan-key`.
impl FlowKey for ScopedKey<FiveTupleKey> {
    type Extractor = Scoped<AutoDetectEncap<FiveTuple>>;

    fn extractor() -> Self::Extractor {
        Scoped(FiveTupleKey::extractor())
    }

    #[inline]
    fn five_tuple(&self) -> &FiveTupleKey {
        self.inner()
    }
}

/// The driver of a run.
pub(crate) type Driver<L, K> =
    ParallelDriver<<K as FlowKey>::Extractor, Protocols<AppRecord, Registry>, FormatRecorder<L>>;

/// Makes the records of a format.
#[derive(Clone)]
pub(crate) struct FormatRecorder<L>(pub(crate) L);

impl<L: RecordFormat> FormatRecorder<L> {
    /// The protocols that a shard reads; `config` is the shard's.
    pub(crate) fn protocols(
        &self,
        config: &DriverConfig,
        secrets: Option<&Secrets>,
    ) -> Protocols<AppRecord, Registry> {
        let protocols = self.0.reading().protocols().reassembly(config.stream_config().clone());
        match secrets {
            Some(secrets) => protocols::decrypting(protocols, secrets.source()),
            None => protocols,
        }
    }
}

/// Writes a record, or its text.
pub(crate) fn write<L: RecordFormat>(
    out: &mut Output<L>,
    merged: Merged<'_, L::Record>,
) -> Result<(), Failure> {
    match merged {
        Merged::Record(record) => out.record(&record),
        Merged::Encoded(text) => out.text(text),
    }
}

impl<L: RecordFormat, K: FlowKey> Recorder<K, AppRecord> for FormatRecorder<L> {
    type State = L::State;
    type Record = L::Record;

    fn state(&self, first: &Extracted<K>) -> L::State {
        self.0.state(first.key.five_tuple())
    }

    #[inline]
    fn wants_packets(&self) -> bool {
        L::PACKETS
    }

    #[inline]
    fn flow(&self, flow: Flow<'_, K, L::State>, change: Change) -> Option<L::Record> {
        self.0.record(flow.map_key(K::five_tuple), change)
    }

    fn late_packet(&self, flow: Flow<'_, K, L::State>, packet: PacketInfo) -> Option<L::Record> {
        self.0.late_packet(flow.map_key(K::five_tuple), packet)
    }

    fn session(&self, flow: Flow<'_, K, L::State>, change: SessionChange) -> Option<L::Record> {
        self.0.session(flow.map_key(K::five_tuple), change)
    }

    fn message(
        &self,
        flow: Flow<'_, K, L::State>,
        side: FlowSide,
        message: AppRecord,
    ) -> Option<L::Record> {
        self.0.message(flow.map_key(K::five_tuple), side, message)
    }

    fn session_ended(&self, flow: Flow<'_, K, L::State>, reason: EndReason) -> Option<L::Record> {
        self.0.session_ended(flow.map_key(K::five_tuple), reason)
    }

    fn removed(&self, flow: Flow<'_, K, L::State>, reason: EndReason) -> Option<L::Record> {
        self.0.removed(flow.map_key(K::five_tuple), reason)
    }

    fn encodes(&self) -> bool {
        self.0.portable()
    }

    fn encode(&mut self, record: &L::Record, out: &mut Vec<u8>) {
        if self.0.logs().is_empty() {
            return self.0.write(record, out);
        }
        put_piece(self.0.log_of(record), out, |out| self.0.write(record, out));
        for (log, text) in self.0.also(record) {
            put_piece(log, out, |out| out.extend(text));
        }
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Failure::Worker(error.message().to_owned())
    }
}
