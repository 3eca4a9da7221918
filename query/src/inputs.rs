//! What the inputs of a query are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flowscope_arrow::RECORD_PREFIX;

/// Captures, and Parquet files by the kind of their records.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) captures: Vec<PathBuf>,
    pub(crate) parquet: BTreeMap<String, Vec<PathBuf>>,
}

/// The name of a complete file; others are being written.
const COMPLETE: &str = "parquet";

impl Inputs {
    /// Finds out what each path is.
    ///
    /// # Errors
    ///
    /// The path that cannot be read, or is a directory without records.
    pub(crate) fn of(paths: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let mut inputs = Inputs::default();
        for path in paths {
            let of_path = |error| (path.clone(), error);
            if fs::metadata(path).map_err(of_path)?.is_dir() {
                inputs.add_directory(path).map_err(of_path)?;
            } else {
                inputs.captures.push(path.clone());
            }
        }
        Ok(inputs)
    }

    /// Adds a directory of `--format parquet`, or the part of it that has one kind of records.
    fn add_directory(&mut self, path: &Path) -> io::Result<()> {
        let partitions = match kind_of(path) {
            Some(kind) => vec![(kind, path.to_owned())],
            None => entries(path)?
                .into_iter()
                .filter(|path| path.is_dir())
                .filter_map(|path| Some((kind_of(&path)?, path)))
                .collect(),
        };
        if partitions.is_empty() {
            let what = "a directory without records: it has no directory `record=NAME`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        for (kind, path) in partitions {
            let files = self.parquet.entry(kind).or_default();
            for path in entries(&path)? {
                if path.is_dir() {
                    files.extend(entries(&path)?.into_iter().filter(|path| is_complete(path)));
                } else if is_complete(&path) {
                    files.push(path);
                }
            }
        }
        Ok(())
    }
}

/// The kind of records that a directory has by its name.
fn kind_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str()?.strip_prefix(RECORD_PREFIX).map(str::to_owned)
}

fn is_complete(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == COMPLETE) && path.is_file()
}

/// What is in a directory, in order.
fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable();
    Ok(entries)
}
