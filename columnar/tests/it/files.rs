//! Reads what was written, with the parquet crate.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use serde_json::Value as Json;

use crate::json;

/// All files below a directory, in order.
pub(crate) fn all(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(all(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// The values of a path's partitions: record and hour.
pub(crate) fn partition(path: &Path) -> (String, String) {
    let value = |name: &str| {
        let mut parts = path.iter().filter_map(|part| part.to_str());
        let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{} has no {name}", path.display())).to_owned()
    };
    (value("record"), value("hour"))
}

pub(crate) fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// The row groups of a file, each as its rows.
pub(crate) fn groups(path: &Path) -> Vec<Vec<Json>> {
    let count = SerializedFileReader::new(File::open(path).unwrap()).unwrap().num_row_groups();
    let group = |group| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let reader = reader.with_row_groups(vec![group]).build().unwrap();
        reader.flat_map(|batch| json::rows(&batch.unwrap())).collect()
    };
    (0..count).map(group).collect()
}

/// All rows by record, in an order of their own.
pub(crate) fn rows(dir: &Path) -> BTreeMap<String, Vec<Json>> {
    let mut rows = BTreeMap::<_, Vec<_>>::new();
    for path in all(dir) {
        let own = batches(&path).into_iter().flat_map(|batch| json::rows(&batch));
        rows.entry(partition(&path).0).or_default().extend(own);
    }
    rows.into_iter().map(|(record, rows)| (record, json::sorted(rows))).collect()
}
