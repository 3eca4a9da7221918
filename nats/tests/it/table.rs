//! What is in Parquet files, and what one process writes of the same captures.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;
use flowscope_arrow::ParquetDirectory;
use flowscope_cli::{RecordRun, RecordSink};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows by partition (`record=flow/hour=2026-01-02T03`), each as text, in an order of their own.
pub(crate) type Table = BTreeMap<String, Vec<String>>;

/// All Parquet files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_that_are_placed(&path));
        }
    }
    files.sort();
    files
}

/// Those within `.collect` have no place yet.
fn files_that_are_placed(dir: &Path) -> Vec<PathBuf> {
    if dir.ends_with(".collect") {
        return Vec::new();
    }
    let own = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    own.filter(|path| path.extension().is_some_and(|it| it == "parquet"))
        .chain(files(dir))
        .collect()
}

pub(crate) fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

pub(crate) fn read(dir: &Path) -> Table {
    let mut table = Table::new();
    for path in files(dir) {
        let partition = path.parent().unwrap().strip_prefix(dir).unwrap().to_str().unwrap();
        let rows = table.entry(partition.to_owned()).or_default();
        for batch in batches(&path) {
            rows.extend((0..batch.num_rows()).map(|row| text(&batch, row)));
        }
    }
    table.values_mut().for_each(|rows| rows.sort());
    table
}

/// All values of a row.
fn text(batch: &RecordBatch, row: usize) -> String {
    let cell = |array: &arrow_array::ArrayRef| format!("{:?}", array.slice(row, 1));
    batch.columns().iter().map(cell).collect::<Vec<_>>().join("|")
}

/// What one process writes of captures.
pub(crate) fn expected(captures: &[PathBuf]) -> Table {
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

    let folder = tempfile::tempdir().unwrap();
    let args = std::iter::once("sessions".into()).chain(captures.iter().map(Into::into));
    let files = Files(ParquetDirectory::create(folder.path()).unwrap());
    RecordRun::new(args).unwrap().run(Box::new(files)).unwrap();
    read(folder.path())
}

/// Fails with the first difference, since tables are long.
pub(crate) fn assert_equal(read: &Table, expected: &Table) {
    let counts = |table: &Table| -> Vec<_> {
        table.iter().map(|(partition, rows)| (partition.clone(), rows.len())).collect()
    };
    assert_eq!(counts(read), counts(expected));
    for (partition, rows) in expected {
        for (row, expected) in read[partition].iter().zip(rows) {
            assert_eq!(row, expected, "{partition}");
        }
    }
}
