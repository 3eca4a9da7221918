//! Row groups, files and partitions stay within their limits, and files that are not whole go away.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use flowscope::core::{L4Proto, Timestamp};
use flowscope::extract::FiveTupleKey;
use flowscope::output::RecordHeader;
use flowscope::record::{Column, Kind, Record, Schema, Visitor};
use flowscope_arrow::{ParquetDirectory, ParquetOptions};

use crate::files;

/// Something that took place at a time.
struct Mark(Timestamp, &'static Schema<Mark>);

const COLUMNS: &[Column<Mark>] = &[
    Column::new("start", Kind::Time, |mark| mark.0.into(), "When it was."),
    Column::new("text", Kind::Text, |_| "x".repeat(100).into(), "Some bytes."),
];
static ONE: Schema<Mark> = Schema { columns: COLUMNS, ..Schema::new("one", |mark| mark.0) };
static TWO: Schema<Mark> = Schema { columns: COLUMNS, ..Schema::new("two", |mark| mark.0) };

impl Record for Mark {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(self.1, self)
    }
}

/// A header of a record that was made at this second.
fn header(secs: u64) -> RecordHeader {
    let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
    let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
    RecordHeader::new(Timestamp::from_secs(secs), 3, key, orientation)
}

fn some(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Writes a mark at each of these seconds, in a record that was made at that time or at this one.
fn write(
    directory: &mut ParquetDirectory,
    seconds: impl IntoIterator<Item = u64>,
    made: Option<u64>,
) -> usize {
    let mut count = 0;
    for second in seconds {
        let schema = if second % 3 == 0 { &TWO } else { &ONE };
        let mark = Mark(Timestamp::from_secs(second), schema);
        directory.write(&header(made.unwrap_or(second)), &mark).unwrap();
        count += 1;
    }
    count
}

/// When all records of [`seconds`] were made.
const MADE: Option<u64> = Some(5 * 3600);

/// Seconds of some hours, in no order.
fn seconds(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|n| n * 7919 % (5 * 3600))
}

fn written(options: ParquetOptions, count: u64) -> (tempfile::TempDir, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut directory =
        ParquetDirectory::with_options(&folder.path().join("new/dir"), options).unwrap();
    let count = write(&mut directory, seconds(count), MADE);
    directory.finish().unwrap();
    (folder, count)
}

/// The starts of all rows, by file and row group. Each row is in the partition of its hour.
fn starts(dir: &Path) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut starts = BTreeMap::new();
    for path in files::all(dir) {
        let hour = files::partition(&path).1;
        let group = |rows: Vec<serde_json::Value>| -> Vec<String> {
            let start = |row: &serde_json::Value| row["start"].as_str().unwrap().to_owned();
            rows.iter().map(start).collect()
        };
        let groups: Vec<_> = files::groups(&path).into_iter().map(group).collect();
        assert!(groups.iter().flatten().all(|start| start.starts_with(&hour)), "{hour} {groups:?}");
        starts.insert(path.display().to_string(), groups);
    }
    starts
}

#[test]
fn row_groups_are_sorted_and_within_their_limits() {
    let options = ParquetOptions::default().row_group_rows(some(10)).row_groups(some(3));
    let (folder, count) = written(options, 2000);
    let starts = starts(folder.path());
    for (path, groups) in &starts {
        assert!(path.ends_with(".parquet"), "{path}");
        assert!(groups.len() <= 3, "{path}");
        assert!(groups.iter().all(|group| group.len() <= 10 && group.is_sorted()), "{groups:?}");
    }
    assert_eq!(starts.values().flatten().map(Vec::len).sum::<usize>(), count);
    // Two records, five hours, and a file for every 30 rows.
    assert!(starts.len() >= 2000 / 30, "{}", starts.len());
}

#[test]
fn more_partitions_than_may_be_open_are_written_in_parts() {
    let (folder, count) = written(ParquetOptions::default().partitions(some(2)), 100);
    let starts = starts(folder.path());
    assert_eq!(starts.values().flatten().map(Vec::len).sum::<usize>(), count);
    assert!(starts.len() > 10, "{starts:?}");
    assert!(starts.keys().any(|path| path.ends_with("part-00001.parquet")), "{starts:?}");
}

#[test]
fn what_waits_is_bounded() {
    let (folder, count) = written(ParquetOptions::default().buffer_bytes(5000), 1000);
    let starts = starts(folder.path());
    let groups: Vec<usize> = starts.values().flatten().map(Vec::len).collect();
    assert_eq!(groups.iter().sum::<usize>(), count);
    // A row is some 300 bytes.
    assert!(groups.iter().all(|rows| *rows < 30), "{groups:?}");
    assert_eq!(starts.len(), 10);
}

#[test]
fn files_are_complete_when_their_hour_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    write(&mut directory, (0..1800).step_by(50), None);
    write(&mut directory, [3600, 5000], None);
    assert!(files::all(folder.path()).is_empty());
    // Two hours later than the last of the first hour.
    write(&mut directory, [7200], None);
    let hours: Vec<_> =
        files::all(folder.path()).iter().map(|path| files::partition(path)).collect();
    let of = |record: &str| (record.to_owned(), "1970-01-01T00".to_owned());
    assert_eq!(hours, [of("one"), of("two")]);
    drop(directory);
    assert_eq!(files::all(folder.path()).len(), 2);
}

/// A session that began long ago has its record when it ends.
#[test]
fn a_partition_is_idle_when_no_row_came_for_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    // The second comes ten minutes before the third; what it describes began in the first hour.
    write(&mut directory, [10_200, 100, 10_800], None);
    assert!(files::all(folder.path()).is_empty());
    write(&mut directory, [200, 18_000], None);
    let hours: Vec<_> =
        files::all(folder.path()).iter().map(|path| files::partition(path).1).collect();
    assert!(hours.contains(&"1970-01-01T00".to_owned()), "{hours:?}");
    directory.finish().unwrap();
    assert!(files::all(folder.path()).iter().all(|path| path.ends_with("part-00000.parquet")));
}

#[test]
fn what_is_not_finished_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let options = ParquetOptions::default().row_group_rows(some(10));
    let mut directory = ParquetDirectory::with_options(folder.path(), options).unwrap();
    write(&mut directory, seconds(1000), MADE);
    let open = files::all(folder.path());
    assert!(!open.is_empty());
    for path in &open {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with('.') && name.ends_with(".part"), "{name}");
    }
    drop(directory);
    assert!(files::all(folder.path()).is_empty());
}

#[test]
fn files_that_are_there_stay() {
    let folder = tempfile::tempdir().unwrap();
    let hour = folder.path().join("record=one/hour=1970-01-01T00");
    fs::create_dir_all(&hour).unwrap();
    fs::write(hour.join("part-00007.parquet"), "seven").unwrap();
    fs::write(hour.join(".part-00009.parquet.part"), "of another program").unwrap();
    fs::write(hour.join("part-18446744073709551615.parquet"), "no number of ours").unwrap();
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    write(&mut directory, [1], None);
    directory.finish().unwrap();
    assert_eq!(fs::read(hour.join("part-00007.parquet")).unwrap(), b"seven");
    assert!(hour.join("part-00010.parquet").exists());
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = ParquetDirectory::create(&file.join("dir")).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    fs::write(folder.path().join("record=one"), "").unwrap();
    let mark = Mark(Timestamp::from_secs(1), &ONE);
    directory.write(&header(1), &mark).unwrap();
    let error = directory.finish().unwrap_err().to_string();
    assert!(error.contains("record=one"), "{error}");
}

/// One partition has a file where its directory has to be; all others are written.
#[test]
fn an_error_is_that_of_one_partition() {
    let folder = tempfile::tempdir().unwrap();
    let hour = |hour: &str| folder.path().join("record=one").join(hour);
    fs::create_dir(folder.path().join("record=one")).unwrap();
    fs::write(hour("hour=1970-01-01T00"), "").unwrap();
    fs::write(hour("hour=1970-01-01T02"), "").unwrap();
    let options = ParquetOptions::default().row_group_rows(some(2));
    let mut directory = ParquetDirectory::with_options(folder.path(), options).unwrap();
    write(&mut directory, [1, 3, 3601, 7201], MADE);
    // Rows of a group, which cannot be written; then more of the same partition, and of another.
    let mark = |second| Mark(Timestamp::from_secs(second), &ONE);
    directory.write(&header(MADE.unwrap()), &mark(4)).unwrap_err();
    write(&mut directory, [5, 3604, 3607], MADE);
    let error = directory.finish().unwrap_err().to_string();
    assert!(error.contains("record=one/hour=1970-01-01T00"), "the first: {error}");
    drop(directory);
    let starts = starts_of(&[hour("hour=1970-01-01T01"), folder.path().join("record=two")]);
    assert_eq!(starts, [3601, 3604, 3607, 3]);
}

/// The same for files of hours that are over.
#[test]
fn an_hour_that_cannot_be_written_keeps_no_other_open() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("record=one"), "").unwrap();
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    write(&mut directory, [1, 3], None);
    directory.write(&header(9000), &Mark(Timestamp::from_secs(9000), &TWO)).unwrap_err();
    assert_eq!(starts_of(&[folder.path().join("record=two")]), [3]);
    // That of the record which was not taken can be written once more.
    write(&mut directory, [9000], None);
    directory.finish().unwrap();
    assert_eq!(starts_of(&[folder.path().join("record=two")]), [3, 9000]);
}

/// Seconds of all rows below these directories, in order of the files.
fn starts_of(dirs: &[std::path::PathBuf]) -> Vec<u64> {
    let starts = dirs.iter().flat_map(|dir| starts(dir).into_values()).flatten().flatten();
    let seconds = |start: String| {
        let field = |at: usize| start[at..at + 2].parse::<u64>().unwrap();
        field(11) * 3600 + field(14) * 60 + field(17)
    };
    starts.map(seconds).collect()
}
