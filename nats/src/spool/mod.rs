//! Messages on disk until the server has them: a queue of files, bounded in bytes.

mod entry;

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use flowscope_arrow::create_directories;
use flowscope_cli::Dropped;

use crate::ledger::Count;
use crate::message::Message;

/// Messages that wait, oldest first, in segments: files that are written once, read once, and removed as a whole when the
/// server has all of their messages.
///
/// One process has a spool at a time. Messages that an earlier one left are read first. Of a segment of which a part was
/// acknowledged, all messages are read again after a restart.
pub(crate) struct Spool {
    dir: PathBuf,
    /// Held as long as this exists.
    _lock: File,
    max_bytes: u64,
    dropped: Dropped,
    segments: VecDeque<Segment>,
    /// The last segment, if more may be written to it.
    writer: Option<File>,
    /// The first segment that was not read to its end, and what reads it.
    reader: Option<(u64, BufReader<File>)>,
    /// Number of the next segment.
    next: u64,
    /// Bytes of all segments.
    bytes: u64,
    /// What was left by an earlier process.
    pub(crate) found: Count,
    /// What was removed and not read.
    pub(crate) evicted: Count,
    /// What could not be read.
    pub(crate) damaged: u64,
    is_synced: bool,
}

/// A file of messages.
#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    all: Count,
    read: Count,
    /// Bytes that were read.
    position: u64,
    /// Messages that were read and need not be read again.
    done: u64,
}

/// Where a message that was read belongs to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Ticket {
    segment: u64,
    entry: u64,
}

/// Segments of a spool, about: as much is removed at once when it is full.
const SEGMENTS: u64 = 32;

/// Bounds of the size of a segment.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(8 << 20);

const SUFFIX: &str = ".batches";

impl Spool {
    /// Opens the spool of this directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written, or if another process has this spool.
    pub(crate) fn open(dir: &Path, max_bytes: u64, dropped: Dropped) -> io::Result<Self> {
        create_directories(dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::ResourceBusy, "another process has this spool")
            }
            TryLockError::Error(error) => error,
        })?;
        let mut numbers = Vec::<u64>::new();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            numbers.extend(number.filter(|number: &u64| *number < u64::MAX / 2));
        }
        numbers.sort_unstable();
        let mut spool = Spool {
            dir: dir.to_owned(),
            _lock: lock,
            max_bytes,
            dropped,
            segments: VecDeque::new(),
            writer: None,
            reader: None,
            next: numbers.last().map_or(0, |last| last + 1),
            bytes: 0,
            found: Count::default(),
            evicted: Count::default(),
            damaged: 0,
            is_synced: true,
        };
        for number in numbers {
            spool.adopt(number)?;
        }
        Ok(spool)
    }

    /// Takes over the segment of an earlier process, up to its first damaged message.
    fn adopt(&mut self, number: u64) -> io::Result<()> {
        let path = self.path(number);
        let file = File::open(&path)?;
        let len = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let mut segment = Segment::new(number);
        while segment.bytes < len {
            match entry::read(&mut file, len - segment.bytes) {
                Ok((message, bytes)) => segment.add(&message, bytes),
                Err(error) if is_damage(&error) => {
                    self.damaged += 1;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if segment.bytes == 0 {
            return remove(&path);
        }
        self.found += segment.all;
        self.bytes += segment.bytes;
        self.segments.push_back(segment);
        Ok(())
    }

    /// Writes a message behind all others. Returns whether there was room.
    ///
    /// # Errors
    ///
    /// If it cannot be written, as on a full disk: the spool is as it was.
    pub(crate) fn push(&mut self, message: &Message) -> io::Result<bool> {
        let entry = entry::encode(message);
        let len = entry.len() as u64;
        if self.bytes + len > self.max_bytes {
            return Ok(false);
        }
        let segment_bytes =
            (self.max_bytes / SEGMENTS).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
        if self.segments.back().is_some_and(|last| last.bytes >= segment_bytes)
            && let Some(writer) = self.writer.take()
        {
            writer.sync_data()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let number = self.next;
                let path = self.dir.join(file_name(number));
                let file = File::create_new(&path)?;
                self.next += 1;
                self.segments.push_back(Segment::new(number));
                none.insert(file)
            }
        };
        let Some(last) = self.segments.back_mut() else { return Ok(false) };
        if let Err(error) = writer.write_all(&entry) {
            // A part of it may have been written, and read ahead.
            self.reader = None;
            let reset =
                writer.set_len(last.bytes).and_then(|()| writer.seek(SeekFrom::Start(last.bytes)));
            if reset.is_err() {
                self.writer = None;
            }
            if last.bytes == 0 {
                self.remove_segment(self.segments.len() - 1)?;
            }
            return Err(error);
        }
        last.add(message, len);
        self.bytes += len;
        self.is_synced = false;
        Ok(true)
    }

    /// Removes the oldest segment, if a full spool is to do that. Returns whether it did.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub(crate) fn evict(&mut self) -> io::Result<bool> {
        if self.dropped == Dropped::Newest {
            return Ok(false);
        }
        let Some(first) = self.segments.front() else { return Ok(false) };
        let unread = first.all - first.read;
        self.remove_segment(0)?;
        self.evicted += unread;
        Ok(true)
    }

    /// Reads the next message, if there is one.
    ///
    /// # Errors
    ///
    /// If a file cannot be read. What is damaged in it is counted and passed over, up to the end of its segment.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Ticket, Message)>> {
        while let Some(at) =
            self.segments.iter().position(|segment| segment.position < segment.bytes)
        {
            let segment = &mut self.segments[at];
            let number = segment.number;
            let reader = match &mut self.reader {
                Some((of, reader)) if *of == number => reader,
                other => {
                    let mut file = File::open(self.dir.join(file_name(number)))?;
                    file.seek(SeekFrom::Start(segment.position))?;
                    &mut other.insert((number, BufReader::new(file))).1
                }
            };
            match entry::read(reader, segment.bytes - segment.position) {
                Ok((message, bytes)) => {
                    segment.position += bytes;
                    let ticket = Ticket { segment: number, entry: segment.read.batches };
                    segment.read += Count::of(&message);
                    return Ok(Some((ticket, message)));
                }
                Err(error) if is_damage(&error) => {
                    let lost = segment.all - segment.read;
                    segment.position = segment.bytes;
                    segment.read = segment.all;
                    segment.done += lost.batches;
                    self.damaged += lost.batches;
                    self.reader = None;
                    self.remove_done(number)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A message that was read need not be read again.
    ///
    /// # Errors
    ///
    /// If a segment cannot be removed.
    pub(crate) fn done(&mut self, ticket: Ticket) -> io::Result<()> {
        // It may have been evicted.
        let Some(segment) = self.segments.iter_mut().find(|it| it.number == ticket.segment) else {
            return Ok(());
        };
        segment.done += 1;
        self.remove_done(ticket.segment)
    }

    /// Whether a message that was read is still here.
    pub(crate) fn holds(&self, ticket: Ticket) -> bool {
        self.segments.iter().any(|segment| segment.number == ticket.segment)
    }

    /// How many messages are not done.
    pub(crate) fn left(&self) -> u64 {
        self.segments.iter().map(|segment| segment.all.batches - segment.done).sum()
    }

    /// The file that is to be brought to the disk, if anything was written since this was last called.
    pub(crate) fn unsynced(&mut self) -> io::Result<Option<File>> {
        if std::mem::replace(&mut self.is_synced, true) {
            return Ok(None);
        }
        self.writer.as_ref().map(File::try_clone).transpose()
    }

    fn remove_done(&mut self, number: u64) -> io::Result<()> {
        let place = self.segments.iter().position(|segment| segment.number == number);
        match place {
            Some(at) if self.segments[at].done >= self.segments[at].all.batches => {
                self.remove_segment(at)
            }
            _ => Ok(()),
        }
    }

    fn remove_segment(&mut self, at: usize) -> io::Result<()> {
        let Some(segment) = self.segments.get(at) else { return Ok(()) };
        let number = segment.number;
        remove(&self.path(number))?;
        if at + 1 == self.segments.len() {
            self.writer = None;
        }
        if self.reader.as_ref().is_some_and(|(of, _)| *of == number) {
            self.reader = None;
        }
        self.bytes -= self.segments[at].bytes;
        self.segments.remove(at);
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }
}

impl Segment {
    fn new(number: u64) -> Self {
        let (all, read) = (Count::default(), Count::default());
        Segment { number, bytes: 0, all, read, position: 0, done: 0 }
    }

    fn add(&mut self, message: &Message, bytes: u64) {
        self.all += Count::of(message);
        self.bytes += bytes;
    }
}

/// Twenty digits: names sort as numbers do.
fn file_name(number: u64) -> String {
    format!("{number:020}{SUFFIX}")
}

/// Whether an error is that of the bytes, not of the system.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
