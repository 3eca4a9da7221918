//! Files that are to be packed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use xshell::{Shell, cmd};

use crate::Result;

/// Files by their paths below a root, without a leading slash.
#[derive(Default)]
pub(super) struct Tree(BTreeMap<String, Contents>);

struct Contents {
    bytes: Vec<u8>,
    is_program: bool,
}

impl Tree {
    /// Adds a file that everyone may read.
    pub(super) fn add(&mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Contents { bytes: contents.into(), is_program: false });
    }

    /// Adds a file that everyone may run.
    pub(super) fn add_program(&mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Contents { bytes: contents.into(), is_program: true });
    }

    /// The paths, sorted.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What the files take up once installed, in units of 1024 bytes: each is rounded up, and each folder is one.
    pub(super) fn kibibytes(&self) -> u64 {
        let files: u64 = self.0.values().map(|file| file.bytes.len().div_ceil(1024) as u64).sum();
        let folders: BTreeSet<&Path> = self
            .0
            .keys()
            .flat_map(|path| Path::new(path).ancestors().skip(1))
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect();
        files + folders.len() as u64
    }

    /// Writes the files below `root`, which must not exist, and seals it.
    pub(super) fn write(&self, root: &Path, time: u64) -> Result<()> {
        for (path, file) in &self.0 {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            fs::write(&path, &file.bytes)?;
            if file.is_program {
                fs::set_permissions(&path, Permissions::from_mode(0o755))?;
            }
        }
        seal(root, time)
    }
}

/// Gives all that is below `path`, and itself, this time, and modes that do not depend on the umask.
pub(super) fn seal(path: &Path, time: u64) -> Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            seal(&entry?.path(), time)?;
        }
    }
    let is_run = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
    fs::set_permissions(path, Permissions::from_mode(if is_run { 0o755 } else { 0o644 }))?;
    Ok(File::open(path)?.set_modified(UNIX_EPOCH + Duration::from_secs(time))?)
}

/// Compresses without a name and a time.
pub(super) fn gzip(sh: &Shell, contents: impl AsRef<[u8]>) -> Result<Vec<u8>> {
    Ok(cmd!(sh, "gzip -9nc").quiet().stdin(contents).output()?.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_and_folders_count() {
        let mut tree = Tree::default();
        assert_eq!(tree.kibibytes(), 0);
        tree.add("usr/bin/empty", "");
        assert_eq!(tree.kibibytes(), 2);
        tree.add_program("usr/bin/program", vec![0; 1025]);
        assert_eq!(tree.kibibytes(), 4);
        tree.add("usr/share/doc/one", vec![0; 1024]);
        assert_eq!(tree.kibibytes(), 7);
    }

    #[test]
    fn files_have_mode_and_time() {
        let sh = Shell::new().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        let root = folder.path().join("root");
        let mut tree = Tree::default();
        tree.add("a/text", "text");
        tree.add_program("a/program", "program");
        tree.write(&root, 1_000_000_000).unwrap();
        for (path, mode) in [("", 0o755), ("a", 0o755), ("a/text", 0o644), ("a/program", 0o755)] {
            let metadata = fs::metadata(root.join(path)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
            let time = metadata.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            assert_eq!(time.as_secs(), 1_000_000_000, "{path}");
        }
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["a/program", "a/text"]);
    }
}
