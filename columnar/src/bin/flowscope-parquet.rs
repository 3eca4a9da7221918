//! The `flowscope` command with `--format parquet`, and with Parquet as an input of `merge`. `flowscope` starts it for them.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use flowscope::output::{CaptureStats, FlowReader, FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;
use flowscope_arrow::{FlowFiles, ParquetDirectory};
use flowscope_cli::{FlowSource, RecordSink};

/// Records go to Parquet files.
struct Files(ParquetDirectory);

impl RecordSink for Files {
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
        Ok(self.0.write(&record.header, record)?)
    }

    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()> {
        Ok(self.0.write(header, record)?)
    }

    fn finish(&mut self, _: &CaptureStats) -> io::Result<()> {
        Ok(self.0.finish()?)
    }
}

/// Flow records come from Parquet files.
struct Flows(FlowFiles);

impl FlowSource for Flows {
    fn next(&mut self, reader: &FlowReader) -> Option<io::Result<FlowRecord>> {
        Some(self.0.next(reader)?.map_err(io::Error::from))
    }

    fn others(&self) -> u64 {
        self.0.others()
    }
}

fn open(directory: &Path) -> io::Result<Box<dyn RecordSink>> {
    Ok(Box::new(Files(ParquetDirectory::create(directory)?)))
}

fn read(path: &Path) -> io::Result<Box<dyn FlowSource>> {
    Ok(Box::new(Flows(FlowFiles::open(path)?)))
}

fn main() -> ExitCode {
    flowscope_cli::run_with(&open, &read)
}
