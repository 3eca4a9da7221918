use std::io::{self, Write};

use flowscope_core::{FlowSide, Timestamp};
use flowscope_driver::{SessionEvent, SessionSink};
use flowscope_extract::FiveTupleKey;
use flowscope_record::Record;
use flowscope_track::{Change, EndReason, Flow, FlowEvent};

use crate::{FlowRecord, RecordHeader};

/// Turns records into bytes, appended to a buffer of the caller's.
pub trait Format {
    /// Appends what stands before all records. `ts` is the time of the first packet.
    fn begin(&mut self, _ts: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends a record.
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>);

    /// Appends what stands behind all records, at this packet time.
    fn end(&mut self, _ts: Timestamp, _out: &mut Vec<u8>) {}
}

/// Writes records to `W` in a format; each by one call, so that a line is never seen in part.
///
/// Wrap `W` into a [`BufWriter`](std::io::BufWriter) where single lines are not waited for.
#[derive(Debug)]
pub struct RecordWriter<F, W> {
    format: F,
    out: W,
    text: Vec<u8>,
    begun: bool,
    seed: u16,
    failed: Option<io::Error>,
}

impl<F: Format, W: Write> RecordWriter<F, W> {
    /// Creates a writer that uses this format.
    pub fn with_format(format: F, out: W) -> Self {
        RecordWriter { format, out, text: Vec::new(), begun: false, seed: 0, failed: None }
    }

    /// Gives the records of events and of sinks Community IDs of this seed, 0 by default. A record with a header
    /// of its own has that header's.
    #[must_use]
    pub fn community_id_seed(mut self, seed: u16) -> Self {
        self.seed = seed;
        self
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// What writing to `W` gives.
    pub fn record(&mut self, header: &RecordHeader, record: &impl Record) -> io::Result<()> {
        self.begin(header.ts);
        self.format.record(header, record, &mut self.text);
        self.write()
    }

    /// Writes the record that an event has, if it has one: a message, a flow that ended, or the report of
    /// one that goes on.
    ///
    /// A flow's record is that of its end: packets that come later are not in it. A program that wants them has a
    /// driver lend its changes to this writer, which is a [`SessionSink`].
    ///
    /// # Errors
    ///
    /// What writing to `W` gives.
    pub fn event<M: Record>(&mut self, event: &SessionEvent<FiveTupleKey, M>) -> io::Result<()> {
        match event {
            SessionEvent::Application { flow, message, .. } => {
                let header = RecordHeader::of_event(flow).began(message);
                self.record(&header.community_id_seed(self.seed), message)
            }
            SessionEvent::Closed { .. } | SessionEvent::Flow(FlowEvent::Interim { .. }) => {
                FlowRecord::of_event(event).map_or(Ok(()), |record| self.flow_record(record))
            }
            _ => Ok(()),
        }
    }

    /// Writes what stands behind all records and flushes `W`.
    ///
    /// # Errors
    ///
    /// What writing to `W` gives, or gave to a call as a [`SessionSink`].
    pub fn finish(mut self, end: Timestamp) -> io::Result<W> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.begin(end);
        self.format.end(end, &mut self.text);
        self.write()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, ts: Timestamp) {
        if !self.begun {
            self.begun = true;
            self.format.begin(ts, &mut self.text);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.text);
        self.text.clear();
        written
    }

    fn flow_record(&mut self, mut record: FlowRecord) -> io::Result<()> {
        record.header.community_id_seed = self.seed;
        self.record(&record.header, &record)
    }

    fn sink_flow(&mut self, record: FlowRecord) {
        if self.failed.is_none() {
            self.failed = self.flow_record(record).err();
        }
    }
}

/// Writes the messages of flows, and each flow when its entry is removed, late packets included.
///
/// After an error nothing more is written; [`finish`](RecordWriter::finish) returns it.
impl<F: Format, W: Write, M: Record, U> SessionSink<FiveTupleKey, M, U> for RecordWriter<F, W> {
    fn flow(&mut self, flow: Flow<'_, FiveTupleKey, U>, change: Change) {
        if let Change::Interim { .. } = change
            && let Some(record) = FlowRecord::of_change(&flow, change)
        {
            self.sink_flow(record);
        }
    }

    fn message(&mut self, flow: Flow<'_, FiveTupleKey, U>, _: FlowSide, message: M) {
        if self.failed.is_none() {
            let header = RecordHeader::of_flow(&flow).began(&message);
            self.failed = self.record(&header.community_id_seed(self.seed), &message).err();
        }
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, U>, reason: EndReason) {
        self.sink_flow(FlowRecord::of_removed(&flow, reason));
    }
}
