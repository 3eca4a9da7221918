//! Flow records of Parquet files, read again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema as ArrowSchema, TimeUnit};
use flowscope::core::Timestamp;
use flowscope::output::{FLOW, FlowReader, FlowRecord};
use flowscope::record::{Kind, Value};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;

use crate::columns::stored;
use crate::file::RECORD_KEY;
use crate::{Error, SCHEMA_VERSION, SCHEMA_VERSION_KEY};

/// The flow records of a Parquet file, or of all in a directory and below it, in the order of their names.
///
/// Records of other kinds are counted. Names that begin with `.` or `_`, and those without `.parquet`, are passed over in
/// directories. Columns that a file lacks are null, and those that are not known are passed over.
///
/// Memory is bounded by the names of the files, and 1024 rows of one of them with the pages that they are in.
pub struct FlowFiles {
    files: VecDeque<PathBuf>,
    current: Option<Rows>,
    others: u64,
}

/// The rows of one file.
struct Rows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// The columns that are read: name, kind, and place in the batches.
    columns: Vec<(&'static str, Kind, usize)>,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    next: usize,
    /// The number of the row in the file that was read last, from 1.
    number: u64,
}

/// Rows that are read at once.
const BATCH: usize = 1024;

/// Directories within each other.
const MAX_DEPTH: usize = 16;

impl FlowFiles {
    /// Opens a file, or looks for files in a directory.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is none, or if a directory cannot be read. Files are opened when their turn comes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut files = Vec::new();
        if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            find(path, MAX_DEPTH, &mut files)?;
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        if files.is_empty() {
            let none = io::Error::new(ErrorKind::NotFound, "no Parquet files in it");
            return Err(Error::io(path)(none));
        }
        Ok(FlowFiles { files: files.into(), current: None, others: 0 })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] if a row is no flow record: the next row is read next. All others are of a file, of which no more is
    /// read.
    pub fn next(&mut self, reader: &FlowReader) -> Option<Result<FlowRecord, Error>> {
        loop {
            if let Some(rows) = &mut self.current {
                match rows.next(reader) {
                    Some(Err(error @ Error::Row(..))) => return Some(Err(error)),
                    Some(Err(error)) => {
                        self.current = None;
                        return Some(Err(error));
                    }
                    Some(Ok(record)) => return Some(Ok(record)),
                    None => self.current = None,
                }
            }
            let path = self.files.pop_front()?;
            match Rows::open(&path) {
                Ok(Opened::Flows(rows)) => self.current = Some(*rows),
                Ok(Opened::Others(rows)) => self.others += rows,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// How many records of other kinds there were in the files so far.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}

/// The files below a directory.
fn find(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = || Error::io(directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) {
            continue;
        }
        // A link to nothing is a file that cannot be opened.
        let is_directory = path.is_dir();
        if is_directory && depth == 0 {
            let deep = io::Error::other("directories within each other, too many");
            return Err(Error::io(&path)(deep));
        }
        if is_directory {
            find(&path, depth - 1, files)?;
        } else if name.ends_with(".parquet") {
            files.push(path);
        }
    }
    Ok(())
}

/// What is in a file.
enum Opened {
    Flows(Box<Rows>),
    /// So many rows of another record.
    Others(u64),
}

impl Rows {
    fn open(path: &Path) -> Result<Opened, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(Error::parquet(path))?;
        let metadata = builder.metadata().file_metadata();
        if !is_of_flows(metadata).map_err(Error::parquet(path))? {
            return Ok(Opened::Others(u64::try_from(metadata.num_rows()).unwrap_or_default()));
        }
        let known = known(builder.schema()).map_err(Error::parquet(path))?;
        let places = known.iter().map(|(_, _, place)| *place);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let reader = builder.with_projection(mask).with_batch_size(BATCH).build();
        let reader = reader.map_err(Error::parquet(path))?;
        // In batches, columns are in the order of the file.
        let columns = known.into_iter().enumerate().map(|(at, (name, kind, _))| (name, kind, at));
        Ok(Opened::Flows(Box::new(Rows {
            path: path.to_owned(),
            columns: columns.collect(),
            reader,
            batch: None,
            next: 0,
            number: 0,
        })))
    }

    fn next(&mut self, reader: &FlowReader) -> Option<Result<FlowRecord, Error>> {
        while self.batch.as_ref().is_none_or(|batch| self.next >= batch.num_rows()) {
            self.next = 0;
            self.batch = match self.reader.next()? {
                Ok(batch) => Some(batch),
                Err(error) => {
                    let error = ParquetError::ArrowError(error.to_string());
                    return Some(Err(Error::parquet(&self.path)(error)));
                }
            };
        }
        let (batch, row) = (self.batch.as_ref()?, self.next);
        self.next += 1;
        self.number += 1;
        let values = self
            .columns
            .iter()
            .map(|(name, kind, place)| (*name, value(*kind, batch.column(*place).as_ref(), row)));
        let record = reader.read_row(values);
        Some(record.map_err(|error| Error::Row(self.path.clone(), self.number, error)))
    }
}

/// Whether a file has flow records, of a version that is known.
fn is_of_flows(metadata: &FileMetaData) -> Result<bool, ParquetError> {
    let value = |key: &str| {
        let mut pairs = metadata.key_value_metadata().into_iter().flatten();
        pairs.find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref())
    };
    match value(SCHEMA_VERSION_KEY).map(str::parse::<u32>) {
        Some(Ok(version)) if version <= SCHEMA_VERSION => {}
        Some(Ok(version)) => {
            return Err(ParquetError::General(format!(
                "columns of version {version}, and this program knows those up to {SCHEMA_VERSION}"
            )));
        }
        _ => {
            let what = "no file of flowscope: it does not say which version its columns have";
            return Err(ParquetError::General(what.into()));
        }
    }
    Ok(value(RECORD_KEY) == Some(FLOW.name))
}

/// The columns of flows that a file has, with their places in it, in their order there.
fn known(schema: &ArrowSchema) -> Result<Vec<(&'static str, Kind, usize)>, ParquetError> {
    let stored = stored(&FLOW);
    let mut known = Vec::new();
    for (place, field) in schema.fields().iter().enumerate() {
        let Some(column) = stored.iter().find(|column| column.name == field.name()) else {
            continue;
        };
        if !is_kind(column.kind, field.data_type()) {
            let what = format!("the column `{}` has the type {}", field.name(), field.data_type());
            return Err(ParquetError::General(what));
        }
        known.push((column.name, column.kind, place));
    }
    Ok(known)
}

/// Whether values of this kind are of this type. Of the members of an object, some may be missing.
fn is_kind(kind: Kind, data_type: &DataType) -> bool {
    match (kind, data_type) {
        (Kind::List(item), DataType::List(field)) => is_kind(*item, field.data_type()),
        (Kind::Object(members), DataType::Struct(fields)) => members.iter().all(|(name, kind)| {
            fields.find(name).is_none_or(|(_, field)| is_kind(*kind, field.data_type()))
        }),
        (Kind::Time, DataType::Timestamp(unit, _)) => *unit == TimeUnit::Nanosecond,
        (Kind::List(_) | Kind::Object(_) | Kind::Time, _) => false,
        _ => *data_type == crate::data_type(kind),
    }
}

/// The value of a cell, of a column whose type [is right](is_kind).
fn value<'a>(kind: Kind, array: &'a dyn Array, row: usize) -> Value<'a> {
    if array.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Bool => Value::Bool(array.as_boolean().value(row)),
        Kind::U64 => Value::U64(array.as_primitive::<UInt64Type>().value(row)),
        Kind::F64 | Kind::Duration => Value::F64(array.as_primitive::<Float64Type>().value(row)),
        Kind::Time => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
            u64::try_from(nanos).map_or(Value::Null, |nanos| Timestamp::from_nanos(nanos).into())
        }
        Kind::List(item) => {
            let list = array.as_list::<i32>();
            let items = list.values().as_ref();
            let offsets = list.value_offsets();
            let place = |at: usize| usize::try_from(offsets[at]).unwrap_or_default();
            Value::List((place(row)..place(row + 1)).map(|at| value(*item, items, at)).collect())
        }
        Kind::Object(members) => {
            let object = array.as_struct();
            Value::object(members.iter().filter_map(|(name, kind)| {
                let member = object.column_by_name(name)?.as_ref();
                Some((*name, value(*kind, member, row)))
            }))
        }
        _ => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
    }
}

impl std::fmt::Debug for FlowFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowFiles").field("files", &self.files.len()).finish_non_exhaustive()
    }
}
