//! The directory of a collector: Parquet files, and which batches are in them.
//!
//! A commit is one renaming: that of the file `state`, which names the batches that were written and the files that they
//! are in. The files are whole and on the disk by then, under other names; they get their own after it, and once more after
//! a restart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flowscope_arrow::{BatchFile, create_directories, partition_path};

use super::rows;
use super::seen::Seen;
use crate::message::Source;

/// The first line of the state.
const FIRST: &str = "flowscope-collect 1";

/// The last line of the state.
const LAST: &str = "end";

/// A batch that is to be written.
pub(super) struct Rows {
    pub(super) source: Source,
    pub(super) number: u64,
    pub(super) record: String,
    pub(super) rows: RecordBatch,
}

/// The files of a collector.
pub(super) struct Store {
    root: PathBuf,
    /// `.collect/NAME` in it.
    own: PathBuf,
    name: String,
    /// Held as long as this exists.
    _lock: File,
    seen: Seen,
    /// Number of the next commit.
    next: u64,
    /// Files of the last commit: the name within `own`, and that within `root`.
    files: Vec<(String, PathBuf)>,
}

impl Store {
    /// Opens the directory, and completes a commit that was interrupted.
    ///
    /// # Errors
    ///
    /// If it cannot be written, if another process is the collector of this name, or if its state is damaged.
    pub(super) fn open(root: &Path, name: &str) -> io::Result<Self> {
        let own = root.join(".collect").join(name);
        create_directories(&own)?;
        let lock = File::create(own.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                ErrorKind::ResourceBusy,
                format!("another process is collector `{name}`"),
            ),
            TryLockError::Error(error) => error,
        })?;
        let mut store = Store {
            root: root.to_owned(),
            own,
            name: name.to_owned(),
            _lock: lock,
            seen: Seen::default(),
            next: 0,
            files: Vec::new(),
        };
        store.read_state()?;
        store.place_files()?;
        store.remove_parts()?;
        Ok(store)
    }

    /// Whether a batch was written.
    pub(super) fn has(&self, source: &Source, number: u64) -> bool {
        self.seen.contains(source, number)
    }

    /// Writes batches, none of which it has. When this returns, they are in files on the disk, and it has them.
    ///
    /// # Errors
    ///
    /// What writing gives. Whether it has the batches is known when it is opened again.
    pub(super) fn commit(&mut self, mut batches: Vec<Rows>) -> io::Result<()> {
        // So that the order of rows does not depend on when batches came.
        batches.sort_by(|a, b| (&a.source, a.number).cmp(&(&b.source, b.number)));
        let mut seen = self.seen.clone();
        for Rows { source, number, .. } in &batches {
            seen.insert(source, *number);
        }
        let files = self.write_files(batches)?;
        self.write_state(&seen, &files)?;
        (self.seen, self.files) = (seen, files);
        self.next += 1;
        self.place_files()
    }

    /// Writes rows to files of which none has its name yet.
    fn write_files(&self, batches: Vec<Rows>) -> io::Result<Vec<(String, PathBuf)>> {
        let mut tables = Vec::<(String, SchemaRef, Vec<RecordBatch>)>::new();
        for Rows { record, rows, .. } in batches {
            // Sensors of another version have another schema.
            let is_same = |table: &&mut (String, SchemaRef, Vec<RecordBatch>)| {
                table.0 == record && table.1 == rows.schema()
            };
            match tables.iter_mut().find(is_same) {
                Some((.., batches)) => batches.push(rows),
                None => tables.push((record, rows.schema(), vec![rows])),
            }
        }
        let mut files = Vec::new();
        for (record, schema, batches) in tables {
            let hours = rows::by_hour(&schema, &batches).map_err(io::Error::other)?;
            for (hour, rows) in hours {
                let name = format!("{}-{:08}-{:03}.parquet", self.name, self.next, files.len());
                let mut file = BatchFile::create(&self.own.join(&name), &record, &schema)?;
                file.write(&rows)?;
                file.finish()?;
                let place = partition_path(&record, hour).join(&name);
                files.push((name, place));
            }
        }
        Ok(files)
    }

    fn write_state(&self, seen: &Seen, files: &[(String, PathBuf)]) -> io::Result<()> {
        let mut text = format!("{FIRST}\nnext {}\n", self.next + 1);
        for (name, place) in files {
            let _ = writeln!(text, "file {name} {}", place.display());
        }
        for line in seen.lines() {
            let _ = writeln!(text, "done {line}");
        }
        text.push_str(LAST);
        text.push('\n');
        let part = self.own.join("state.part");
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync(&self.own)?;
        fs::rename(part, self.own.join("state"))?;
        sync(&self.own)
    }

    fn read_state(&mut self) -> io::Result<()> {
        let path = self.own.join("state");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            text => text?,
        };
        self.parse_state(&text).ok_or_else(|| {
            let what =
                format!("{} is damaged: without it batches would be written twice", path.display());
            io::Error::new(ErrorKind::InvalidData, what)
        })
    }

    fn parse_state(&mut self, text: &str) -> Option<()> {
        let mut lines = text.strip_suffix('\n')?.lines();
        if lines.next()? != FIRST || lines.next_back()? != LAST {
            return None;
        }
        self.next = lines.next()?.strip_prefix("next ")?.parse().ok()?;
        for line in lines {
            match line.split_once(' ')? {
                ("done", line) => self.seen.add_line(line)?,
                ("file", line) => {
                    let (name, place) = line.split_once(' ')?;
                    let is_below =
                        !name.contains('/') && !place.starts_with('/') && !place.contains("..");
                    let is_below = is_below && place.ends_with(name);
                    self.files.push(is_below.then(|| (name.to_owned(), place.into()))?);
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// Gives the files of the last commit their names, those that do not have them.
    fn place_files(&self) -> io::Result<()> {
        let mut directories = BTreeMap::new();
        for (name, place) in &self.files {
            let place = self.root.join(place);
            let directory = place.parent().unwrap_or(&self.root);
            create_directories(directory)?;
            match fs::rename(self.own.join(name), &place) {
                // It has its name already, or was removed since, by a program that reads the files.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                renamed => renamed?,
            }
            directories.insert(directory.to_owned(), ());
        }
        directories.keys().try_for_each(|directory| sync(directory))
    }

    /// Removes files of a commit that did not come to its end.
    fn remove_parts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.own)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "parquet" || extension == "part")
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Brings the names in a directory to the disk.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere directories cannot be opened.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, TimestampNanosecondArray, UInt64Array};

    use super::*;

    fn source(partition: u16) -> Source {
        Source { site: "site".to_owned(), run: "run".to_owned(), partition }
    }

    /// A batch with one row, in this hour.
    fn batch(partition: u16, number: u64, hour: i64) -> Rows {
        let time =
            TimestampNanosecondArray::from(vec![hour * 3_600_000_000_000]).with_timezone("UTC");
        let columns: [(&str, ArrayRef); 2] =
            [("timestamp", Arc::new(time)), ("flow_id", Arc::new(UInt64Array::from(vec![number])))];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        Rows { source: source(partition), number, record: "dns".to_owned(), rows }
    }

    fn files(root: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|it| it == "parquet") {
                    names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        names
    }

    const FIRST_HOUR: &str = "record=dns/hour=1970-01-01T00/east-00000000-000.parquet";
    const NEXT_HOUR: &str = "record=dns/hour=1970-01-01T01/east-00000000-001.parquet";

    #[test]
    fn what_is_committed_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "east").unwrap();
        store.commit(vec![batch(1, 0, 1), batch(0, 5, 0), batch(0, 4, 0)]).unwrap();
        assert_eq!(files(folder.path()), [FIRST_HOUR, NEXT_HOUR]);
        assert!(Store::open(folder.path(), "east").is_err(), "it is open");
        drop(store);
        let mut store = Store::open(folder.path(), "east").unwrap();
        assert!(store.has(&source(0), 4) && store.has(&source(0), 5) && store.has(&source(1), 0));
        assert!(!store.has(&source(0), 0) && !store.has(&source(1), 4));
        store.commit(vec![batch(0, 0, 0)]).unwrap();
        assert_eq!(files(folder.path()).len(), 3);
    }

    /// The process ended at each step of a commit.
    #[test]
    fn a_commit_is_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(".collect/east");
        let mut store = Store::open(folder.path(), "east").unwrap();
        // Before the state was written.
        store.write_files(vec![batch(0, 0, 0), batch(0, 1, 1)]).unwrap();
        fs::write(own.join("state.part"), FIRST).unwrap();
        drop(store);
        store = Store::open(folder.path(), "east").unwrap();
        assert_eq!(files(folder.path()), [""; 0]);
        assert!(!store.has(&source(0), 0));
        // After it, before files got their names; before one did.
        for named in [0, 1] {
            store.commit(vec![batch(named, 0, 0), batch(named, 1, 1)]).unwrap();
            let placed = store.files.clone();
            for (name, place) in &placed[usize::from(named)..] {
                fs::rename(folder.path().join(place), own.join(name)).unwrap();
            }
            drop(store);
            store = Store::open(folder.path(), "east").unwrap();
            assert!(placed.iter().all(|(_, place)| folder.path().join(place).exists()));
            assert!(store.has(&source(named), 1));
        }
        assert_eq!(files(folder.path()).len(), 4);
    }

    #[test]
    fn a_file_that_was_moved_away_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "east").unwrap();
        store.commit(vec![batch(0, 0, 0)]).unwrap();
        drop(store);
        fs::remove_file(folder.path().join(FIRST_HOUR)).unwrap();
        assert!(Store::open(folder.path(), "east").unwrap().has(&source(0), 0));
    }

    #[test]
    fn a_state_that_is_cut_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "east").unwrap();
        store.commit(vec![batch(0, 0, 0), batch(3, 7, 1)]).unwrap();
        drop(store);
        let path = folder.path().join(".collect/east/state");
        let whole = fs::read_to_string(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let error = Store::open(folder.path(), "east").err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{len} bytes");
        }
        for (from, to) in [
            ("done", "file"),
            ("file east", "file ../east"),
            ("record=", "/record="),
            ("next 1", "next -1"),
        ] {
            fs::write(&path, whole.replacen(from, to, 1)).unwrap();
            assert!(Store::open(folder.path(), "east").is_err(), "{to}");
        }
        fs::write(&path, &whole).unwrap();
        Store::open(folder.path(), "east").unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "east").unwrap();
        // In the way of a file.
        let in_the_way = folder.path().join(".collect/east/east-00000000-000.parquet");
        fs::write(&in_the_way, "").unwrap();
        store.commit(vec![batch(0, 0, 0)]).unwrap_err();
        assert!(!store.has(&source(0), 0));
        fs::remove_file(in_the_way).unwrap();
        store.commit(vec![batch(0, 0, 0)]).unwrap();
        assert_eq!(files(folder.path()), [FIRST_HOUR]);
    }
}
