//! Captures as a stream of rows.

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::pcap::ReadError;
use flowscope::protocols::AppRecord;
use flowscope::record::{Record, Schema, Visitor};
use flowscope_arrow::RecordTable;
use flowscope_cli::{RecordRun, RecordRunError, RecordSink};
use tokio::sync::mpsc::Sender;

use crate::args::Args;
use crate::catalog::{RecordKind, Source};
use crate::problems::Problems;

/// Rows of a batch, and about as many bytes.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 1 << 20;
/// Batches that wait to be taken.
const WAITING: usize = 2;

/// Capture files, and how they are read.
#[derive(Debug)]
pub(crate) struct Captures {
    files: Vec<PathBuf>,
    /// Options of the `flowscope` command.
    options: Vec<OsString>,
    keylog: Option<PathBuf>,
    reports: bool,
    problems: Arc<Problems>,
}

impl Captures {
    /// `None` if there are no files.
    pub(crate) fn new(files: Vec<PathBuf>, args: &Args, problems: Arc<Problems>) -> Option<Self> {
        let mut options = Vec::new();
        if let Some(filter) = &args.filter {
            options.push(format!("--filter={filter}").into());
        }
        if let Some(workers) = args.workers {
            options.push(format!("--workers={workers}").into());
        }
        if args.vlan_key {
            options.push("--vlan-key".into());
        }
        let files: Vec<_> = files.into_iter().map(not_stdin).collect();
        let keylog = args.keylog.clone();
        let reports = !args.quiet;
        (!files.is_empty()).then_some(Captures { files, options, keylog, reports, problems })
    }

    /// The run of the command that gives these records.
    pub(crate) fn run_for(&self, source: &Source) -> Result<RecordRun, RecordRunError> {
        let command = match source {
            Source::Flows => "flows",
            Source::Sessions(_) => "sessions",
        };
        let mut args = vec![OsString::from(command)];
        args.extend(self.options.iter().cloned());
        // `flows` parses nothing, and takes no key log.
        if let (Source::Sessions(_), Some(keylog)) = (source, &self.keylog) {
            args.extend(["--keylog".into(), keylog.into()]);
        }
        args.push("--".into());
        args.extend(self.files.iter().map(OsString::from));
        let run = RecordRun::new(args)?;
        let run = if self.reports { run.reporting() } else { run };
        match source {
            Source::Flows => Ok(run),
            Source::Sessions(protocol) => run.of_protocols([*protocol]),
        }
    }
}

/// A file may be called as the command calls its standard input, which can be read once only.
fn not_stdin(path: PathBuf) -> PathBuf {
    if path.as_os_str() == "-" { PathBuf::from(".").join(path) } else { path }
}

/// Some columns of the records of one kind.
#[derive(Debug)]
pub(crate) struct CaptureScan {
    pub(crate) captures: Arc<Captures>,
    pub(crate) kind: RecordKind,
    /// Places of the wanted columns.
    pub(crate) columns: Vec<usize>,
    /// The wanted columns.
    pub(crate) schema: SchemaRef,
    /// How many rows are enough.
    pub(crate) limit: Option<usize>,
}

impl PartitionStream for CaptureScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), WAITING);
        let run = self.captures.run_for(&self.kind.source);
        let rows = Rows {
            kind: self.kind.name,
            columns: self.columns.clone(),
            table: None,
            left: self.limit.unwrap_or(usize::MAX),
            sender: stream.tx(),
            problems: self.captures.problems.clone(),
        };
        stream.spawn_blocking(move || match run.and_then(|run| run.run(Box::new(rows))) {
            // No more rows are wanted.
            Err(RecordRunError::Sink(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(DataFusionError::External(Box::new(error))),
            Ok(()) => Ok(()),
        });
        stream.build()
    }
}

/// Makes batches of records, and sends them.
struct Rows {
    kind: &'static str,
    columns: Vec<usize>,
    /// Made when the first record, and with it the type of all, is there.
    table: Option<Box<dyn Table>>,
    /// How many more rows are wanted.
    left: usize,
    sender: Sender<Result<RecordBatch, DataFusionError>>,
    problems: Arc<Problems>,
}

/// A [`RecordTable`] whatever its records are.
trait Table: Any + Send {
    fn take(&mut self) -> RecordBatch;
}

impl<R: Send + 'static> Table for RecordTable<R> {
    fn take(&mut self) -> RecordBatch {
        self.finish()
    }
}

impl Rows {
    fn push<R: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        header: &RecordHeader,
        record: &R,
    ) -> io::Result<()> {
        if schema.name != self.kind {
            return Ok(());
        }
        if self.left == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let columns = &self.columns;
        let new = || Box::new(RecordTable::with_columns(schema, columns)) as Box<dyn Table>;
        let table: &mut dyn Any = &mut **self.table.get_or_insert_with(new);
        let Some(table) = table.downcast_mut::<RecordTable<R>>() else { return Ok(()) };
        table.push(header, record);
        self.left -= 1;
        if self.left == 0 {
            self.send()?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if table.len() >= BATCH_ROWS || table.heap_bytes() >= BATCH_BYTES {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let batch = table.take();
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.sender.blocking_send(Ok(batch)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl RecordSink for Rows {
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
        record.visit(Row { rows: self, header: &record.header })
    }

    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()> {
        record.visit(Row { rows: self, header })
    }

    fn input_error(&mut self, error: &ReadError) -> bool {
        self.problems.add(error.to_string());
        true
    }

    fn flush(&mut self) -> io::Result<()> {
        // Without rows, only this shows that the query has ended.
        if self.sender.is_closed() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn finish(&mut self, _: &CaptureStats) -> io::Result<()> {
        self.send()
    }
}

struct Row<'a> {
    rows: &'a mut Rows,
    header: &'a RecordHeader,
}

impl Visitor for Row<'_> {
    type Output = io::Result<()>;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> io::Result<()> {
        self.rows.push(schema, self.header, record)
    }
}
