//! Logs that are completed and begun anew while records are written.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Failure;

/// When a log is complete, and how many complete ones stay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotation {
    /// At the multiples of this time since 1970, UTC.
    pub(crate) every: Option<Duration>,
    /// Before the first record that comes when it has as many bytes.
    pub(crate) size: Option<u64>,
    /// The latest complete ones of each log that stay; all without a number.
    pub(crate) keep: Option<NonZeroU32>,
}

impl Rotation {
    /// The first time after `now` at which logs are complete.
    pub(super) fn next(&self, now: SystemTime) -> Option<SystemTime> {
        let every = self.every?.as_millis().max(1);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let next = u64::try_from((now / every + 1) * every).ok()?;
        UNIX_EPOCH.checked_add(Duration::from_millis(next))
    }
}

/// Gives a complete log a name of its own, `conn.20261130T010000Z.log` for the `conn.log` that was begun then.
/// Nothing that exists is replaced: the second one of the same second is `conn.20261130T010000Z_1.log`.
///
/// `last` is the second and the number of the log before. Within a second numbers only rise: one that is free because
/// its log was deleted is not used again, so that the order of the names is that of the logs.
pub(super) fn set_aside(
    log: &Path,
    begun: SystemTime,
    last: &mut Option<(u64, u32)>,
) -> io::Result<()> {
    let second = begun.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let first = match *last {
        Some((known, number)) if known == second => number.saturating_add(1),
        _ => 0,
    };
    let is_free = |number: &u32| {
        let there = fs::symlink_metadata(rotated(log, begun, *number));
        there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let number = (first..u32::MAX).find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(log, rotated(log, begun, number))?;
    *last = Some((second, number));
    Ok(())
}

fn rotated(log: &Path, begun: SystemTime, number: u32) -> PathBuf {
    let begun = stamp(begun);
    let number = if number > 0 { format!("_{number}") } else { String::new() };
    let mut name = log.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{begun}{number}"));
    if let Some(extension) = log.extension() {
        name.push(".");
        name.push(extension);
    }
    log.with_file_name(name)
}

/// A time in names. Names sort as their times do.
fn stamp(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// When the complete log of this name was begun, and its number within that second, if it is one of `log`.
fn place(log: &Path, name: &OsStr) -> Option<(String, u32)> {
    let name = name.to_str()?.strip_prefix(log.file_stem()?.to_str()?)?.strip_prefix('.')?;
    let name = match log.extension() {
        Some(extension) => name.strip_suffix(extension.to_str()?)?.strip_suffix('.')?,
        None => name,
    };
    let (begun, number) = match name.split_once('_') {
        Some((begun, number)) => (begun, Some(number)),
        None => (name, None),
    };
    let is_digit = |at: usize| begun.as_bytes()[at].is_ascii_digit();
    let is_time = begun.len() == 16
        && begun.as_bytes()[8] == b'T'
        && begun.as_bytes()[15] == b'Z'
        && (0..15).filter(|at| *at != 8).all(is_digit);
    let number = match number {
        Some(number) => number.parse().ok().filter(|parsed: &u32| parsed.to_string() == number)?,
        None => 0,
    };
    is_time.then(|| (begun.to_owned(), number))
}

/// Deletes the oldest complete ones of a log but the latest `keep`. Other files stay.
///
/// A log that was begun after `now` is of a time when the clock was wrong, and counts as older than all others: it would
/// stay in place of new ones.
fn prune(log: &Path, keep: NonZeroU32, now: SystemTime) -> io::Result<()> {
    let now = stamp(now);
    let mut all: Vec<_> = fs::read_dir(log.parent().unwrap_or(Path::new(".")))?
        .filter_map(|entry| {
            let entry =
                entry.ok().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))?;
            let (begun, number) = place(log, &entry.file_name())?;
            Some(((begun <= now, begun, number), entry.path()))
        })
        .collect();
    all.sort();
    let extra = all.len().saturating_sub(usize::try_from(keep.get()).unwrap_or(usize::MAX));
    for (_, path) in &all[..extra] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Syncs complete logs to disk and deletes the oldest, on a thread of its own: both take too long for a capture.
pub(super) struct Finisher {
    todo: Option<SyncSender<Done>>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

/// A log that has its own name.
pub(super) struct Done {
    pub(super) file: File,
    /// The name that it had.
    pub(super) log: PathBuf,
    /// When it was begun.
    pub(super) begun: SystemTime,
}

/// Most logs that wait to be synced.
const UNFINISHED: usize = 256;

impl Finisher {
    pub(super) fn start(keep: Option<NonZeroU32>) -> Result<Self, Failure> {
        let (todo, work) = sync_channel::<Done>(UNFINISHED);
        let finish = move || {
            for Done { file, log, begun } in work {
                // The log itself is new, even if the clock was set back meanwhile.
                let now = SystemTime::now().max(begun);
                let prune = |()| keep.map_or(Ok(()), |keep| prune(&log, keep, now));
                let synced = file.sync_all().and_then(prune);
                synced.map_err(|source| Failure::Output {
                    name: log.display().to_string(),
                    source,
                })?;
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("flowscope-logs".into()).spawn(finish);
        let thread = thread.map_err(|error| Failure::Worker(error.to_string()))?;
        Ok(Finisher { todo: Some(todo), thread: Some(thread) })
    }

    /// Completes a log in the background. Fails if an earlier one could not be completed.
    pub(super) fn finish(&mut self, done: Done) -> Result<(), Failure> {
        match &self.todo {
            Some(todo) if todo.send(done).is_ok() => Ok(()),
            _ => self.wait(),
        }
    }

    /// Waits until all logs are complete.
    pub(super) fn wait(&mut self) -> Result<(), Failure> {
        self.todo = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended
            .unwrap_or(Ok(Ok(())))
            .unwrap_or_else(|_| Err(Failure::Worker("no reason given".into())))
    }
}

/// Completes the logs that were written, even if the run failed.
impl Drop for Finisher {
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_have_the_time_before_the_extension_and_are_recognised() {
        let begun = at(1_767_323_045);
        for (log, number, expected) in [
            ("d/conn.log", 0, "d/conn.20260102T030405Z.log"),
            ("d/conn.log", 12, "d/conn.20260102T030405Z_12.log"),
            ("eve", 1, "eve.20260102T030405Z_1"),
        ] {
            let path = rotated(Path::new(log), begun, number);
            assert_eq!(path, Path::new(expected));
            let expected = ("20260102T030405Z".to_owned(), number);
            assert_eq!(place(Path::new(log), path.file_name().unwrap()), Some(expected));
        }
        for other in [
            "conn.log",
            "conn.20260102T030405Z.log.gz",
            "conn.20260102T030405.log",
            "conn.20260102X030405Z.log",
            "conn.20260102T030405Z_01.log",
            "conn.20260102T030405Z_-1.log",
            "conn.2026010éT03405Z.log",
            "conn.backup.log",
            "dns.20260102T030405Z.log",
        ] {
            assert_eq!(place(Path::new("d/conn.log"), OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn logs_are_complete_at_multiples_of_the_interval() {
        let every =
            |secs| Rotation { every: Some(Duration::from_secs(secs)), ..Rotation::default() };
        assert_eq!(every(3600).next(at(7201)), Some(at(10_800)));
        assert_eq!(every(3600).next(at(7200)), Some(at(10_800)));
        assert_eq!(every(60).next(at(59)), Some(at(60)));
        assert_eq!(Rotation::default().next(at(59)), None);
    }

    #[test]
    fn the_latest_stay_and_other_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("conn.log");
        for secs in [1, 2, 2, 2, 3] {
            fs::write(&log, format!("{secs}")).unwrap();
            set_aside(&log, at(secs), &mut None).unwrap();
        }
        let others = ["conn.log", "conn.old.log", "dns.19700101T000001Z.log"];
        others.iter().for_each(|name| fs::write(folder.path().join(name), "x").unwrap());
        prune(&log, NonZeroU32::new(3).unwrap(), at(3)).unwrap();
        let names = names(folder.path());
        let kept = ["19700101T000002Z_1", "19700101T000002Z_2", "19700101T000003Z"];
        let mut expected: Vec<_> = kept.iter().map(|time| format!("conn.{time}.log")).collect();
        expected.extend(others.map(str::to_owned));
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn logs_of_a_clock_that_was_ahead_do_not_replace_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("conn.log");
        for secs in [8, 9, 1, 2, 3] {
            fs::write(&log, "").unwrap();
            set_aside(&log, at(secs), &mut None).unwrap();
        }
        let kept = |keep: u32, now: u64| {
            prune(&log, NonZeroU32::new(keep).unwrap(), at(now)).unwrap();
            names(folder.path())
        };
        let of = |secs: &[u64]| -> Vec<_> {
            secs.iter().map(|secs| format!("conn.19700101T00000{secs}Z.log")).collect()
        };
        assert_eq!(kept(4, 3), of(&[1, 2, 3, 9]));
        assert_eq!(kept(2, 3), of(&[2, 3]));
    }

    #[test]
    fn names_of_deleted_logs_are_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("conn.log");
        let mut last = None;
        for number in 0..12 {
            fs::write(&log, number.to_string()).unwrap();
            set_aside(&log, at(1), &mut last).unwrap();
            prune(&log, NonZeroU32::new(2).unwrap(), at(1)).unwrap();
        }
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut kept: Vec<_> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
        kept.sort();
        assert_eq!(kept, ["10", "11"]);
        // The next second begins anew.
        fs::write(&log, "").unwrap();
        set_aside(&log, at(2), &mut last).unwrap();
        assert!(rotated(&log, at(2), 0).exists());
    }
}
