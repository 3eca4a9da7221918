//! Record formats as recorders of the parallel driver.

use flowscope::core::{Extracted, FlowSide};
use flowscope::driver::{DriverConfig, Protocols, SessionChange};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::protocols::Registry;
use flowscope::track::{Change, EndReason, Flow};
use flowscope_parallel::{Merged, ParallelDriver, Recorder, WorkerError};

use crate::error::Failure;
use crate::output::{Output, RecordFormat};
use crate::reading::AppRecord;

pub(crate) type Extractor = AutoDetectEncap<FiveTuple>;

/// The driver of a run.
pub(crate) type Driver<L> =
    ParallelDriver<Extractor, Protocols<AppRecord, Registry>, FormatRecorder<L>>;

/// Makes the records of a format.
#[derive(Clone)]
pub(crate) struct FormatRecorder<L>(pub(crate) L);

impl<L: RecordFormat> FormatRecorder<L> {
    /// The protocols that a shard reads; `config` is the shard's.
    pub(crate) fn protocols(&self, config: &DriverConfig) -> Protocols<AppRecord, Registry> {
        self.0.reading().protocols().reassembly(config.stream_config().clone())
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

impl<L: RecordFormat> Recorder<FiveTupleKey, AppRecord> for FormatRecorder<L> {
    type State = L::State;
    type Record = L::Record;

    fn state(&self, first: &Extracted<FiveTupleKey>) -> L::State {
        L::state(&first.key)
    }

    #[inline]
    fn wants_packets(&self) -> bool {
        L::PACKETS
    }

    #[inline]
    fn flow(&self, flow: Flow<'_, FiveTupleKey, L::State>, change: Change) -> Option<L::Record> {
        self.0.record(flow, change)
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, L::State>,
        change: SessionChange,
    ) -> Option<L::Record> {
        self.0.session(flow, change)
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, L::State>,
        side: FlowSide,
        message: AppRecord,
    ) -> Option<L::Record> {
        self.0.message(flow, side, message)
    }

    fn removed(
        &self,
        flow: Flow<'_, FiveTupleKey, L::State>,
        reason: EndReason,
    ) -> Option<L::Record> {
        self.0.removed(flow, reason)
    }

    fn encodes(&self) -> bool {
        self.0.portable()
    }

    fn encode(&mut self, record: &L::Record, out: &mut Vec<u8>) {
        if !self.0.logs().is_empty() {
            out.push(self.0.log_of(record));
        }
        self.0.write(record, out);
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Failure::Worker(error.message().to_owned())
    }
}
