//! Logs in one directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flowscope::core::Timestamp;

use super::file::Stream;
use super::rotation::{Done, Finisher, Rotation, set_aside};
use crate::error::Failure;

/// Logs in one directory, each of them a file that is opened for its first record.
///
/// Never more files are open than there are logs, but for those that wait to be synced to disk.
pub(super) struct Directory {
    logs: Vec<Log>,
    rotating: Option<Rotating>,
    /// Completes files in the background, once there are any before the end.
    finisher: Option<Finisher>,
}

struct Log {
    path: PathBuf,
    stream: Option<Stream>,
    /// When the file was begun.
    begun: SystemTime,
    /// Packet time at which the last file was complete.
    since: Timestamp,
    /// Second and number in the name of the last complete file.
    last: Option<(u64, u32)>,
}

struct Rotating {
    rotation: Rotation,
    /// When all logs are complete next.
    #[cfg(all(feature = "live", target_os = "linux"))]
    due: Option<SystemTime>,
}

impl Directory {
    /// Creates the directory, if it does not exist, and the first log. Fails if any log exists: logs are
    /// written in place, so an earlier one would be lost before it is replaced. With rotation, earlier ones are
    /// complete.
    pub(super) fn create(
        path: &Path,
        logs: &[String],
        rotation: Option<Rotation>,
    ) -> Result<Self, Failure> {
        create(path).map_err(|source| unwritable(path, source))?;
        let begun = SystemTime::now();
        let logs = logs.iter().map(|log| Log {
            path: path.join(log),
            stream: None,
            begun,
            since: Timestamp::ZERO,
            last: None,
        });
        let mut directory = Directory { logs: logs.collect(), rotating: None, finisher: None };
        for Log { path, last, .. } in &mut directory.logs {
            let Ok(there) = fs::symlink_metadata(&*path) else { continue };
            if rotation.is_none() {
                let what = "it exists, and logs are not overwritten";
                return Err(unwritable(path, io::Error::new(ErrorKind::AlreadyExists, what)));
            }
            let written = there.modified().unwrap_or(begun);
            set_aside(path, written, last).map_err(|source| unwritable(path, source))?;
        }
        if let Some(rotation) = rotation {
            directory.finisher = Some(Finisher::start(rotation.keep)?);
            directory.rotating = Some(Rotating {
                rotation,
                #[cfg(all(feature = "live", target_os = "linux"))]
                due: rotation.next(begun),
            });
        }
        if let Some(first) = directory.logs.first_mut() {
            first.stream = Some(Stream::log(&first.path)?);
        }
        Ok(directory)
    }

    /// The log at this place. `begin` appends what comes first in it, and gets the packet time at which the file before
    /// was complete; 0 if there was none.
    pub(super) fn log(
        &mut self,
        at: usize,
        begin: impl FnOnce(Timestamp, &mut Vec<u8>),
    ) -> Result<&mut Stream, Failure> {
        let Log { path, stream, begun, since, .. } = &mut self.logs[at];
        match stream {
            Some(stream) => Ok(stream),
            None => {
                let stream = stream.insert(Stream::log(path)?);
                *begun = SystemTime::now();
                stream.begin(|text| begin(*since, text));
                Ok(stream)
            }
        }
    }

    /// The logs that are open, and their places.
    pub(super) fn open_logs(&mut self) -> impl Iterator<Item = (usize, &mut Stream)> {
        let logs = self.logs.iter_mut().enumerate();
        logs.filter_map(|(at, log)| log.stream.as_mut().map(|stream| (at, stream)))
    }

    /// Whether a log has as many bytes as it may.
    #[inline]
    pub(super) fn is_full(&self, at: usize) -> bool {
        let limit = self.rotating.as_ref().and_then(|rotating| rotating.rotation.size);
        let stream = self.logs[at].stream.as_ref();
        limit
            .zip(stream)
            .is_some_and(|(limit, stream)| stream.len() >= limit && stream.has_records())
    }

    /// Completes the log at this place, at this packet time; the next record begins another. One without a record stays,
    /// and counts as begun now.
    pub(super) fn rotate(&mut self, at: usize, now: Timestamp) -> Result<(), Failure> {
        let Directory { logs, finisher: Some(finisher), .. } = self else { return Ok(()) };
        let Log { path, stream, begun, since, last } = &mut logs[at];
        let Some(open) = stream.take_if(|stream| stream.has_records()) else {
            *begun = SystemTime::now();
            return Ok(());
        };
        let Some(file) = open.into_log()? else { return Ok(()) };
        set_aside(path, *begun, last).map_err(|source| unwritable(path, source))?;
        *since = now;
        finisher.finish(Done { file, log: path.clone(), begun: *begun })
    }

    /// Completes all logs, at this packet time.
    pub(super) fn complete(mut self, now: Timestamp) -> Result<(), Failure> {
        if self.rotating.is_some() {
            (0..self.logs.len()).try_for_each(|at| self.rotate(at, now))?;
        }
        if let Some(finisher) = &mut self.finisher {
            finisher.wait()?;
        }
        self.logs.into_iter().filter_map(|log| log.stream).try_for_each(Stream::complete)
    }
}

/// Rotation by time and by signals.
#[cfg(all(feature = "live", target_os = "linux"))]
impl Directory {
    /// When [`is_due`](Self::is_due) is true next.
    pub(super) fn due(&self) -> Option<SystemTime> {
        self.rotating.as_ref()?.due
    }

    /// Whether all logs are complete at this time. Then the next time is set.
    pub(super) fn is_due(&mut self, now: SystemTime) -> bool {
        let Some(rotating) = &mut self.rotating else { return false };
        let is_due = rotating.due.is_some_and(|due| now >= due);
        // A clock that was set back does not stop rotation.
        let next = rotating.rotation.next(now);
        if is_due || rotating.due > next {
            rotating.due = next;
        }
        is_due
    }

    /// Whether logs are rotated here, not by another program.
    pub(super) fn rotates(&self) -> bool {
        self.rotating.is_some()
    }

    /// Places of the open logs whose files were renamed or removed by another program.
    pub(super) fn moved(&self) -> Vec<usize> {
        use std::os::unix::fs::MetadataExt;

        let id = |there: fs::Metadata| (there.dev(), there.ino());
        let is_moved = |log: &Log| {
            let open = log.stream.as_ref().and_then(Stream::metadata).map(id);
            open.is_some() && open != fs::metadata(&log.path).ok().map(id)
        };
        (0..self.logs.len()).filter(|at| is_moved(&self.logs[*at])).collect()
    }

    /// Completes a log that was moved, and opens one at its place, where another program may have put an empty
    /// file.
    pub(super) fn reopen(&mut self, at: usize) -> Result<&mut Stream, Failure> {
        let Directory { logs, finisher, .. } = self;
        let Log { path, stream, begun, .. } = &mut logs[at];
        if let Some(file) = stream.take().map_or(Ok(None), Stream::into_log)? {
            let finisher = match finisher {
                Some(finisher) => finisher,
                None => finisher.insert(Finisher::start(None)?),
            };
            finisher.finish(Done { file, log: path.clone(), begun: *begun })?;
        }
        *begun = SystemTime::now();
        Ok(stream.insert(Stream::reopened(path)?))
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

#[cfg(all(test, feature = "live", target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(3600);
        let rotation = Rotation { every: Some(hour), ..Rotation::default() };
        let logs = ["eve.json".to_owned()];
        let mut directory = Directory::create(folder.path(), &logs, Some(rotation)).unwrap();
        let first = directory.due().unwrap();
        assert!(!directory.is_due(first - Duration::from_secs(1)));
        assert!(directory.is_due(first));
        assert_eq!(directory.due(), Some(first + hour));
        let back = first - 48 * hour;
        assert!(!directory.is_due(back));
        assert_eq!(directory.due(), Some(back + hour));
        assert!(directory.is_due(back + hour));
    }
}
