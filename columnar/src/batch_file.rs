use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema as ArrowSchema, SchemaRef};
use parquet::arrow::ArrowWriter;

use crate::directory::{HOUR, hour_name};
use crate::file::{ROW_GROUP_ROWS, properties};
use crate::{Error, RECORD_PREFIX};

/// A Parquet file of rows that are batches already, with the compression, statistics and metadata of a
/// [`ParquetDirectory`](crate::ParquetDirectory).
///
/// It has no footer, so that no reader takes it, until [`finish`](Self::finish). What is dropped before stays as it is.
pub struct BatchFile {
    writer: ArrowWriter<File>,
    path: PathBuf,
}

impl BatchFile {
    /// Creates a file, which must not exist, for rows of this schema. `record` is the kind of record that they are.
    ///
    /// # Errors
    ///
    /// If it cannot be created, or if Parquet has no type for a column.
    pub fn create(path: &Path, record: &str, schema: &SchemaRef) -> Result<Self, Error> {
        let file = File::create_new(path).map_err(Error::io(path))?;
        let properties = properties(record, schema, time_index(schema), ROW_GROUP_ROWS);
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
        let writer = writer.map_err(Error::parquet(path))?;
        Ok(BatchFile { writer, path: path.to_owned() })
    }

    /// Writes rows, which are sorted by [their time](time_index), as a row group; as several if they are many.
    ///
    /// # Errors
    ///
    /// If they cannot be written, or are of another schema.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let written = self.writer.write(rows).and_then(|()| self.writer.flush());
        written.map_err(Error::parquet(&self.path))
    }

    /// Writes the footer, and brings the file to the disk; its name is brought there with its directory.
    ///
    /// # Errors
    ///
    /// What writing gives.
    pub fn finish(self) -> Result<(), Error> {
        let file = self.writer.into_inner().map_err(Error::parquet(&self.path))?;
        file.sync_all().map_err(Error::io(&self.path))
    }
}

impl std::fmt::Debug for BatchFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The column that rows are sorted by, and belong to an hour by: `start` where there is one, else `timestamp`.
#[must_use]
pub fn time_index(schema: &ArrowSchema) -> Option<usize> {
    let place = |name| schema.fields().iter().position(|field| field.name() == name);
    let is_time = |at: &usize| matches!(schema.field(*at).data_type(), DataType::Timestamp(..));
    place("start").or_else(|| place("timestamp")).filter(is_time)
}

/// The directory of records of this kind and time, in seconds since 1970, below that of all records:
/// `record=flow/hour=2026-01-02T03`.
#[must_use]
pub fn partition_path(record: &str, secs: u64) -> PathBuf {
    [format!("{RECORD_PREFIX}{record}"), format!("hour={}", hour_name(secs / HOUR))]
        .iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray, TimestampNanosecondArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn rows() -> RecordBatch {
        let times = TimestampNanosecondArray::from(vec![None, Some(5)]).with_timezone("UTC");
        let columns: [(&str, ArrayRef); 2] =
            [("name", Arc::new(StringArray::from(vec!["a", "b"]))), ("timestamp", Arc::new(times))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn rows_come_back_with_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut file = BatchFile::create(&path, "dns", &rows().schema()).unwrap();
        file.write(&rows()).unwrap();
        file.write(&rows()).unwrap();
        file.finish().unwrap();
        let reader = File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(reader).unwrap();
        let metadata = reader.metadata();
        assert_eq!(metadata.num_row_groups(), 2);
        let sorting = metadata.row_group(0).sorting_columns().unwrap();
        assert_eq!((sorting[0].column_idx, sorting[0].nulls_first), (1, true));
        let entries = metadata.file_metadata().key_value_metadata().unwrap();
        let is_dns = |key: &str, value: &str| {
            entries.iter().any(|it| it.key == key && it.value.as_deref() == Some(value))
        };
        assert!(is_dns("flowscope.record", "dns") && is_dns("flowscope.schema_version", "1"));
        let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        fs::write(&path, "text").unwrap();
        BatchFile::create(&path, "dns", &rows().schema()).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }

    #[test]
    fn rows_of_another_schema_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut file = BatchFile::create(&path, "dns", &rows().schema()).unwrap();
        file.write(&rows().project(&[0]).unwrap()).unwrap_err();
    }

    #[test]
    fn the_time_of_rows_is_their_start() {
        assert_eq!(time_index(&rows().schema()), Some(1));
        assert_eq!(time_index(&rows().project(&[0]).unwrap().schema()), None);
        let path = partition_path("flow", 1_767_322_799);
        assert_eq!(path, Path::new("record=flow/hour=2026-01-02T02"));
    }
}
