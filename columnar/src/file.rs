//! One Parquet file, which has its name when it is whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::columns::is_looked_up;
use crate::{Error, SCHEMA_VERSION, SCHEMA_VERSION_KEY};

/// A file that is being written, under a name that readers pass over.
///
/// It is removed unless it is completed.
pub(crate) struct PartFile {
    writer: Option<ArrowWriter<File>>,
    /// The name until it is complete.
    part: PathBuf,
    path: PathBuf,
    groups: usize,
    /// Whether it has its name. The other one may be that of another program's file then.
    is_complete: bool,
}

impl PartFile {
    /// Begins the next file in this directory.
    pub(crate) fn create(
        dir: &Path,
        properties: WriterProperties,
        schema: &ArrowSchema,
    ) -> Result<Self, Error> {
        let (file, part, path) = claim(dir)?;
        let mut new = PartFile { writer: None, part, path, groups: 0, is_complete: false };
        let writer = ArrowWriter::try_new(file, schema.clone().into(), Some(properties));
        new.writer = Some(writer.map_err(Error::parquet(&new.part))?);
        Ok(new)
    }

    /// How many row groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// Writes rows as a row group.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let PartFile { writer: Some(writer), part, groups, .. } = self else { return Ok(()) };
        *groups += 1;
        writer.write(rows).and_then(|()| writer.flush()).map_err(Error::parquet(part))
    }

    /// Writes the footer; then the file and its name are on the disk.
    pub(crate) fn complete(&mut self) -> Result<(), Error> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(Error::parquet(&self.part))?;
        file.sync_all().map_err(Error::io(&self.part))?;
        fs::rename(&self.part, &self.path).map_err(Error::io(&self.path))?;
        self.is_complete = true;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        sync(dir).map_err(Error::io(dir))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_complete {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Creates the next file of a directory. Returns it with the name of the `.part` file, under which it is written, and the
/// name that it gets when it is complete.
///
/// Several programs may write to the directory at the same time. The number of a file belongs to the program that
/// created the `.part` file of that number.
fn claim(dir: &Path) -> Result<(File, PathBuf, PathBuf), Error> {
    let mut next = last(dir).map_err(Error::io(dir))?.map_or(0, |last| last + 1);
    loop {
        let path = dir.join(format!("part-{next:05}.parquet"));
        let part = dir.join(format!(".part-{next:05}.parquet.part"));
        match File::create_new(&part) {
            // Another program had this number, and was done since the names were read.
            Ok(_) if path.exists() => remove(&part).map_err(Error::io(&part))?,
            Ok(file) => return Ok((file, part, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(&part)(error)),
        }
        next += 1;
    }
}

/// Removes a file, which may be gone already: another program may remove incomplete files.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The greatest number of a file in a directory, also of one that is not complete.
fn last(dir: &Path) -> io::Result<Option<u64>> {
    let mut last = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            let name = name.strip_prefix('.').unwrap_or(name).strip_prefix("part-")?;
            name.split_once('.')?.0.parse().ok()
        });
        // A number that leaves no next one is not one of ours.
        last = last.max(number.filter(|number| *number < u64::MAX / 2));
    }
    Ok(last)
}

/// Creates a directory and those around it, and brings their names to the disk.
///
/// # Errors
///
/// What the system says. A directory that exists is none.
pub fn create_directories(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let around = path.parent().unwrap_or(Path::new(""));
    create_directories(around)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) if around.as_os_str().is_empty() => sync(Path::new(".")),
        Ok(()) => sync(around),
    }
}

/// Brings the names in a directory to the disk.
#[cfg(unix)]
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere directories cannot be opened.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Most rows of a row group, unless it is said otherwise.
pub(crate) const ROW_GROUP_ROWS: usize = 128 << 10;

/// The key of a file's metadata that has the kind of its records.
pub(crate) const RECORD_KEY: &str = "flowscope.record";

/// How files of this record are written.
pub(crate) fn properties(
    record: &str,
    schema: &ArrowSchema,
    time: Option<usize>,
    rows: usize,
) -> WriterProperties {
    let metadata = vec![
        KeyValue::new(RECORD_KEY.to_owned(), record.to_owned()),
        KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string()),
    ];
    let sorted = time.map(|at| {
        vec![SortingColumn {
            column_idx: leaves(&schema.fields()[..at]),
            descending: false,
            nulls_first: true,
        }]
    });
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("flowscope ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(metadata))
        .set_sorting_columns(sorted)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(rows))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for field in schema.fields() {
        let path = || ColumnPath::from(field.name().as_str());
        match field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                properties = properties
                    .set_column_dictionary_enabled(path(), false)
                    .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED)
                    .set_column_statistics_enabled(path(), EnabledStatistics::Page);
            }
            // Spans of time are hardly ever equal.
            DataType::Float64 => {
                properties = properties.set_column_dictionary_enabled(path(), false);
            }
            DataType::UInt64 if COUNTED.contains(&field.name().as_str()) => {
                properties = properties
                    .set_column_dictionary_enabled(path(), false)
                    .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
            }
            _ => {}
        }
        if field.name() == "community_id" {
            properties = properties.set_column_dictionary_enabled(path(), false);
        }
        if is_looked_up(field) {
            properties = properties.set_column_bloom_filter_fpp(path(), 0.01);
        }
    }
    properties.build()
}

/// Numbers of packets, which differ in every row and are close together.
const COUNTED: [&str; 2] = ["flow_id", "pcap_cnt"];

/// How many columns these fields are in a Parquet file, where structs and lists are taken apart.
fn leaves(fields: &[std::sync::Arc<Field>]) -> i32 {
    fn of(data_type: &DataType) -> i32 {
        match data_type {
            DataType::Struct(members) => members.iter().map(|field| of(field.data_type())).sum(),
            DataType::List(item) => of(item.data_type()),
            _ => 1,
        }
    }
    fields.iter().map(|field| of(field.data_type())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(dir: &Path) -> PartFile {
        let schema = ArrowSchema::new(vec![Field::new("a", DataType::Boolean, true)]);
        PartFile::create(dir, WriterProperties::new(), &schema).unwrap()
    }

    #[test]
    fn a_complete_file_leaves_the_name_that_it_had_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = create(folder.path());
        assert!(file.part.exists());
        file.complete().unwrap();
        assert!(file.path.exists() && !file.part.exists());
        let part = file.part.clone();
        fs::write(&part, "of another program").unwrap();
        drop(file);
        assert_eq!(fs::read(&part).unwrap(), b"of another program");
    }

    #[test]
    fn a_file_that_cannot_get_its_name_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = create(folder.path());
        fs::create_dir(&file.path).unwrap();
        file.complete().unwrap_err();
        let part = file.part.clone();
        drop(file);
        assert!(!part.exists());
    }

    #[test]
    fn what_is_gone_need_not_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("missing")).unwrap();
        remove(folder.path()).unwrap_err();
    }
}
