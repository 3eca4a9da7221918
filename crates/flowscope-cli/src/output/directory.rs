//! Logs in one directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file::Stream;
use crate::error::Failure;

/// Logs in one directory, each of them a file that is opened for its first record.
///
/// Never more files are open than there are logs.
pub(super) struct Directory {
    logs: Vec<(PathBuf, Option<Stream>)>,
}

impl Directory {
    /// Creates the directory, if it does not exist, and the first log. Fails if any log exists: logs are
    /// written in place, so an earlier one would be lost before it is replaced.
    pub(super) fn create(path: &Path, logs: &[String]) -> Result<Self, Failure> {
        create(path).map_err(|source| unwritable(path, source))?;
        let logs: Vec<_> = logs.iter().map(|log| (path.join(log), None)).collect();
        if let Some((log, _)) = logs.iter().find(|(log, _)| fs::symlink_metadata(log).is_ok()) {
            let what = "it exists, and logs are not overwritten";
            return Err(unwritable(log, io::Error::new(ErrorKind::AlreadyExists, what)));
        }
        let mut directory = Directory { logs };
        if let Some((path, log)) = directory.logs.first_mut() {
            *log = Some(Stream::log(path)?);
        }
        Ok(directory)
    }

    /// The log at this place. `begin` appends what comes first in it.
    pub(super) fn log(
        &mut self,
        at: usize,
        begin: impl FnOnce(&mut Vec<u8>),
    ) -> Result<&mut Stream, Failure> {
        let (path, log) = &mut self.logs[at];
        match log {
            Some(log) => Ok(log),
            None => {
                let log = log.insert(Stream::log(path)?);
                begin(&mut log.text);
                Ok(log)
            }
        }
    }

    /// The logs that are open, and their places.
    pub(super) fn open_logs(&mut self) -> impl Iterator<Item = (usize, &mut Stream)> {
        let logs = self.logs.iter_mut().enumerate();
        logs.filter_map(|(at, (_, log))| log.as_mut().map(|log| (at, log)))
    }

    /// Completes all logs.
    pub(super) fn complete(self) -> Result<(), Failure> {
        self.logs.into_iter().filter_map(|(_, log)| log).try_for_each(Stream::complete)
    }
}

fn create(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::new(ErrorKind::NotADirectory, "not a directory")),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) => Err(error),
    }
}

fn unwritable(path: &Path, source: io::Error) -> Failure {
    Failure::Output { name: path.display().to_string(), source }
}
