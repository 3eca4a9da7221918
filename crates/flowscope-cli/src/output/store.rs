//! Many files in one directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flowscope::core::Orientation;
use flowscope::extract::{Endpoint, FiveTupleKey};

use super::file::failure;
use crate::error::Failure;

/// Files in one directory that grow a piece at a time. Never more than one of them is open.
///
/// What is appended is gathered in memory, [`MEMORY`] bytes at most, and written to the files then.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    files: HashMap<FileId, Growing>,
    held: usize,
    /// Files created so far, and how many there may be.
    created: u64,
    most: u64,
}

/// A file of a store: the id of a flow, and a number.
pub(crate) type FileId = (u64, u8);

#[derive(Debug)]
struct Growing {
    name: String,
    bytes: Vec<u8>,
    exists: bool,
}

/// A file about the others, which is not counted.
pub(crate) const INDEX: FileId = (u64::MAX, 0);

/// As many bytes are held in memory.
pub(crate) const MEMORY: usize = 64 << 20;

/// One file has as many of them.
const LARGEST: usize = 1 << 20;

impl Store {
    /// Creates the directory, if it does not exist. Fails if there is anything in it.
    pub(crate) fn create(dir: &Path, most: u64) -> Result<Self, Failure> {
        let failed = |source| failure(dir.display().to_string(), source);
        fs::create_dir_all(dir).map_err(failed)?;
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            let what = "the directory is not empty, and files are not mixed with others";
            return Err(failed(io::Error::new(ErrorKind::AlreadyExists, what)));
        }
        Ok(Store { dir: dir.to_owned(), files: HashMap::new(), held: 0, created: 0, most })
    }

    /// Appends bytes to a file. `name` is that of a new one.
    pub(crate) fn append(
        &mut self,
        id: FileId,
        name: impl FnOnce() -> String,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let file = match self.files.get_mut(&id) {
            Some(file) => file,
            None if id != INDEX && self.created >= self.most => return Err(too_many(self.most)),
            None => {
                self.created += u64::from(id != INDEX);
                let new = Growing { name: name(), bytes: Vec::new(), exists: false };
                self.files.entry(id).or_insert(new)
            }
        };
        file.bytes.extend_from_slice(bytes);
        self.held += bytes.len();
        if file.bytes.len() > LARGEST {
            self.held = self.held.saturating_sub(file.bytes.len());
            return file.flush(&self.dir);
        }
        if self.held > MEMORY { self.flush() } else { Ok(()) }
    }

    /// The name of a file, if something was appended to it.
    pub(crate) fn name(&self, id: FileId) -> Option<&str> {
        self.files.get(&id).map(|file| file.name.as_str())
    }

    /// Nothing will be appended to this file any more.
    pub(crate) fn close(&mut self, id: FileId) -> Result<(), Failure> {
        let Some(mut file) = self.files.remove(&id) else { return Ok(()) };
        self.held = self.held.saturating_sub(file.bytes.len());
        file.flush(&self.dir)
    }

    /// Writes all that was gathered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.held = 0;
        self.files.values_mut().try_for_each(|file| file.flush(&self.dir))
    }

    /// How many files were created, but for the index.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }
}

/// That there would be more files than there may be.
pub(crate) fn too_many(most: u64) -> Failure {
    Failure::Usage(format!(
        "more than {most} files would be written: choose fewer flows, or raise --max-files"
    ))
}

impl Growing {
    fn flush(&mut self, dir: &Path) -> Result<(), Failure> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let path = dir.join(&self.name);
        let mut options = File::options();
        // A name that somebody else took meanwhile is not written to.
        let options =
            if self.exists { options.append(true) } else { options.write(true).create_new(true) };
        let bytes = std::mem::take(&mut self.bytes);
        let written = options.open(&path).and_then(|mut file| file.write_all(&bytes));
        self.exists = true;
        written.map_err(|source| failure(path.display().to_string(), source))
    }
}

/// The beginning of the name of a file for this flow: `00000004_tcp_10.0.0.1-40000_10.0.0.2-80`.
///
/// It has only letters, digits, dots, hyphens and underscores, and begins with the id of the flow, so names
/// of different flows differ and are in order.
pub(crate) fn flow_name(id: u64, key: &FiveTupleKey, orientation: Orientation) -> String {
    let (from, to) = key.endpoints(orientation);
    let end = |end: Endpoint| {
        let addr = end.addr.to_string().replace(':', "-");
        end.port.map_or(addr.clone(), |port| format!("{addr}-{port}"))
    };
    format!("{id:08}_{}_{}_{}", key.proto(), end(from), end(to))
}

#[cfg(test)]
mod tests {
    use flowscope::core::L4Proto;

    use super::*;

    #[test]
    fn files_grow_in_pieces_and_are_not_mixed_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        let mut store = Store::create(&dir, 2).unwrap();
        let large = vec![7; LARGEST + 1];
        store.append((1, 0), || "one".into(), b"ab").unwrap();
        store.append((2, 0), || "two".into(), &large).unwrap();
        store.append((1, 0), || unreachable!(), b"c").unwrap();
        assert_eq!(fs::read(dir.join("two")).unwrap(), large);
        assert!(!dir.join("one").exists());
        store.flush().unwrap();
        store.append((1, 0), || unreachable!(), b"d").unwrap();
        assert!(store.append((3, 0), || "three".into(), b"x").is_err());
        store.close((1, 0)).unwrap();
        assert_eq!(fs::read(dir.join("one")).unwrap(), b"abcd");
        assert_eq!(store.created(), 2);
        assert_eq!((store.name((1, 0)), store.name((2, 0))), (None, Some("two")));
        assert!(matches!(Store::create(&dir, 9), Err(Failure::Output { .. })));
    }

    #[test]
    fn memory_is_bounded_by_writing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path(), 1000).unwrap();
        let piece = vec![1; LARGEST - 1];
        for id in 0..100 {
            store.append((id, 0), || id.to_string(), &piece).unwrap();
            let held: usize = store.files.values().map(|file| file.bytes.len()).sum();
            assert_eq!(held, store.held);
            assert!(held <= MEMORY);
        }
        store.flush().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 100);
    }

    #[test]
    fn names_are_safe_and_in_order() {
        let check = |ends: [&str; 2], proto, expected: &str| {
            let [from, to] = ends.map(|end| end.parse().unwrap());
            let (key, orientation) = FiveTupleKey::new(proto, from, to).unwrap();
            assert_eq!(flow_name(4, &key, orientation), expected);
        };
        check(
            ["10.0.0.2:40000", "10.0.0.1:80"],
            L4Proto::Tcp,
            "00000004_tcp_10.0.0.2-40000_10.0.0.1-80",
        );
        check(["[2001:db8::1]:1", "[::]:53"], L4Proto::Udp, "00000004_udp_2001-db8--1-1_---53");
        check(["10.0.0.1:0", "10.0.0.2:0"], L4Proto::Other(47), "00000004_47_10.0.0.1_10.0.0.2");
    }
}
