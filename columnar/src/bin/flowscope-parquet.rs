//! The `flowscope` command with `--format parquet`. `flowscope` starts it for that format.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;
use flowscope_arrow::ParquetDirectory;
use flowscope_cli::RecordSink;

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

fn open(directory: &Path) -> io::Result<Box<dyn RecordSink>> {
    Ok(Box::new(Files(ParquetDirectory::create(directory)?)))
}

fn main() -> ExitCode {
    flowscope_cli::run_with(&open)
}
