use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use flowscope::core::Timestamp;
use flowscope::output::{RecordHeader, rfc3339};
use flowscope::record::{Record, Schema, Visitor};
use parquet::file::properties::WriterProperties;

use crate::batch_file::partition_path;
use crate::columns::{arrow_schema_of, stored, time_column};
use crate::file::{PartFile, ROW_GROUP_ROWS, create_directories, properties};
use crate::{AnyTable, Error, RecordTable};

/// Limits of a [`ParquetDirectory`].
#[derive(Clone, Copy, Debug)]
pub struct ParquetOptions {
    row_group_rows: NonZeroUsize,
    row_groups: NonZeroUsize,
    buffer_bytes: usize,
    partitions: NonZeroUsize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        ParquetOptions {
            row_group_rows: NonZeroUsize::new(ROW_GROUP_ROWS).expect("not zero"),
            row_groups: NonZeroUsize::new(64).expect("not zero"),
            buffer_bytes: 128 << 20,
            partitions: NonZeroUsize::new(64).expect("not zero"),
        }
    }
}

impl ParquetOptions {
    /// Most rows of a row group; 131072 by default. All rows of a group are sorted by time.
    #[must_use]
    pub fn row_group_rows(mut self, rows: NonZeroUsize) -> Self {
        self.row_group_rows = rows;
        self
    }

    /// Most row groups of a file, behind which the next file begins; 64 by default.
    #[must_use]
    pub fn row_groups(mut self, groups: NonZeroUsize) -> Self {
        self.row_groups = groups;
        self
    }

    /// Most bytes of values that wait to be written, about; 128 MiB by default, at most 1 GiB. Beyond that, the partition
    /// that has most is written as a row group. Memory may be three times as much: buffers grow by doubling, and a row
    /// group is sorted into a copy.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        // An array has room for 2 GiB of text.
        self.buffer_bytes = bytes.min(1 << 30);
        self
    }

    /// Most partitions that are being written; 64 by default. Beyond that, the file of the one that had no row for
    /// longest is completed.
    #[must_use]
    pub fn partitions(mut self, partitions: NonZeroUsize) -> Self {
        self.partitions = partitions;
        self
    }
}

/// Writes records of any schema to Parquet files in a directory: `record=flow/hour=2026-01-02T03/part-00000.parquet`.
///
/// The hour, in UTC, is the one in which that which a record describes began. A file has its name when it is complete and
/// on the disk; files that are there are left as they are. A file is completed when it has as many row groups as it may
/// have, when its partition had no row for an hour of packet time, when there are too many, and by
/// [`finish`](Self::finish). What is dropped before is not written.
///
/// Memory is bounded by the [options](ParquetOptions): rows that wait, and one row group that is being written.
pub struct ParquetDirectory {
    root: PathBuf,
    options: ParquetOptions,
    /// By the name of the schema, and the hour.
    partitions: BTreeMap<(&'static str, u64), Partition>,
    /// Bytes of rows that wait.
    buffered: usize,
    /// Rows so far.
    rows: u64,
    /// Packet time: the latest of all records. What a record describes may have begun long before.
    now: Timestamp,
    /// The hour of it.
    hour: u64,
}

/// Rows of one schema and hour.
struct Partition {
    table: Box<dyn AnyTable>,
    properties: WriterProperties,
    file: Option<PartFile>,
    /// Number of its latest row, and packet time when that came.
    latest: (u64, Timestamp),
}

impl ParquetDirectory {
    /// Writes to this directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be created.
    pub fn create(root: &Path) -> Result<Self, Error> {
        ParquetDirectory::with_options(root, ParquetOptions::default())
    }

    /// Writes to this directory, with these limits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be created.
    pub fn with_options(root: &Path, options: ParquetOptions) -> Result<Self, Error> {
        create_directories(root).map_err(Error::io(root))?;
        Ok(ParquetDirectory {
            root: root.to_owned(),
            options,
            partitions: BTreeMap::new(),
            buffered: 0,
            rows: 0,
            now: Timestamp::ZERO,
            hour: 0,
        })
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// The first error, if there are several. A file that cannot be written is removed, and the rows of its partition are
    /// lost; the record of this call may be lost too. All other rows stay, and more records can be written.
    pub fn write(&mut self, header: &RecordHeader, record: &impl Record) -> Result<(), Error> {
        record.visit(Row { directory: self, header })
    }

    /// Writes what waits, and completes all files; those behind an error too.
    ///
    /// # Errors
    ///
    /// The first error, if there are several.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.complete_all(self.partitions.keys().copied().collect())
    }

    fn row<R: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        header: &RecordHeader,
        record: &R,
    ) -> Result<(), Error> {
        self.pass(header.ts)?;
        let began = (schema.time)(record);
        let place = (schema.name, began.secs() / HOUR);
        let partition = match self.partitions.get_mut(&place) {
            Some(partition) => partition,
            None => {
                if self.partitions.len() >= self.options.partitions.get() {
                    self.complete_idlest()?;
                }
                let rows = self.options.row_group_rows.get();
                self.partitions.entry(place).or_insert_with(|| Partition::new(schema, rows))
            }
        };
        self.rows += 1;
        partition.latest = (self.rows, self.now);
        let before = partition.table.bytes();
        assert!(partition.table.push(header, record), "a name is that of one schema");
        self.buffered += partition.table.bytes() - before;
        if partition.table.rows() >= self.options.row_group_rows.get() {
            self.flush(place)?;
        } else if self.buffered > self.options.buffer_bytes {
            let largest =
                self.partitions.iter().max_by_key(|(_, partition)| partition.table.bytes());
            if let Some((&place, _)) = largest {
                self.flush(place)?;
            }
        }
        Ok(())
    }

    /// Packet time goes on: completes the files of partitions that had no row for an hour.
    fn pass(&mut self, now: Timestamp) -> Result<(), Error> {
        self.now = self.now.max(now);
        if self.now.secs() / HOUR == self.hour {
            return Ok(());
        }
        self.hour = self.now.secs() / HOUR;
        let is_idle = |partition: &Partition| self.now.since(partition.latest.1).as_secs() > HOUR;
        let idle = self.partitions.iter().filter(|(_, partition)| is_idle(partition));
        let idle: Vec<_> = idle.map(|(place, _)| *place).collect();
        self.complete_all(idle)
    }

    /// Completes these files, also if one cannot be. Returns the first error.
    fn complete_all(&mut self, places: Vec<(&'static str, u64)>) -> Result<(), Error> {
        let completed = places.into_iter().map(|place| self.complete(place));
        completed.fold(Ok(()), Result::and)
    }

    fn complete_idlest(&mut self) -> Result<(), Error> {
        let idlest = self.partitions.iter().min_by_key(|(_, partition)| partition.latest.0);
        match idlest {
            Some((&place, _)) => self.complete(place),
            None => Ok(()),
        }
    }

    /// Writes what waits in a partition, and completes its file. The partition is gone then, whatever happens.
    fn complete(&mut self, place: (&'static str, u64)) -> Result<(), Error> {
        let flushed = self.flush(place);
        let file = self.partitions.remove(&place).and_then(|partition| partition.file);
        flushed?;
        file.map_or(Ok(()), |mut file| file.complete())
    }

    /// Writes what waits in a partition as a row group.
    fn flush(&mut self, place: (&'static str, u64)) -> Result<(), Error> {
        let Some(partition) = self.partitions.get_mut(&place) else { return Ok(()) };
        if partition.table.rows() == 0 {
            return Ok(());
        }
        self.buffered -= partition.table.bytes();
        let rows = partition.table.take();
        let file = match &mut partition.file {
            Some(file) => file,
            none => {
                let (name, hour) = place;
                let dir = self.root.join(partition_path(name, hour.saturating_mul(HOUR)));
                create_directories(&dir).map_err(Error::io(&dir))?;
                let properties = partition.properties.clone();
                none.insert(PartFile::create(&dir, properties, &rows.schema())?)
            }
        };
        if let Err(error) = file.write(&rows) {
            // It has half a row group.
            partition.file = None;
            return Err(error);
        }
        if file.groups() >= self.options.row_groups.get() {
            return partition.file.take().map_or(Ok(()), |mut file| file.complete());
        }
        Ok(())
    }
}

pub(crate) const HOUR: u64 = 3600;

/// `2026-01-02T03`.
pub(crate) fn hour_name(hour: u64) -> String {
    let text = rfc3339(Timestamp::from_secs(hour.saturating_mul(HOUR)));
    text.as_str().get(..13).unwrap_or_default().to_owned()
}

impl Partition {
    fn new<R: Send + 'static>(schema: &'static Schema<R>, rows: usize) -> Self {
        let columns = stored(schema);
        let arrow = arrow_schema_of(&columns);
        Partition {
            table: Box::new(RecordTable::new(schema)),
            properties: properties(schema.name, &arrow, time_column(&columns), rows),
            file: None,
            latest: (0, Timestamp::ZERO),
        }
    }
}

struct Row<'a> {
    directory: &'a mut ParquetDirectory,
    header: &'a RecordHeader,
}

impl Visitor for Row<'_> {
    type Output = Result<(), Error>;

    fn record<R: Send + 'static>(
        self,
        schema: &'static Schema<R>,
        record: &R,
    ) -> Result<(), Error> {
        self.directory.row(schema, self.header, record)
    }
}

impl fmt::Debug for ParquetDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetDirectory")
            .field("root", &self.root)
            .field("partitions", &self.partitions.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_have_names_that_sort() {
        assert_eq!(hour_name(0), "1970-01-01T00");
        assert_eq!(hour_name(1_767_322_800 / HOUR), "2026-01-02T03");
        assert_eq!(hour_name(u64::MAX / 1_000_000_000 / HOUR), "2554-07-21T23");
    }
}
