use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use flowscope::core::{LinkType, PacketView};
use flowscope::pcap::{CaptureWriter, WriteError};
use tokio::time::Instant;

use crate::args::live::Rotation;
use crate::error::Failure;
use crate::output::{To, failure};
use crate::say;

/// Writer of one capture file, or of several in rotation.
pub(super) struct Files {
    path: PathBuf,
    /// Pcap files name the link type of all their packets.
    format: Option<LinkType>,
    rotation: Rotation,
    current: Option<Current>,
    /// Number of files begun.
    count: u64,
    /// Thread that completes files in the background, for rotation.
    finisher: Option<Finisher>,
}

/// The current file.
struct Current {
    name: String,
    to: To,
    writer: CaptureWriter<Gathered>,
    gathered: Gathered,
    /// Bytes written, of complete packets only.
    written: u64,
    /// Ends of the packets in the buffer.
    ends: Vec<usize>,
    since: Instant,
}

/// Bytes to be written.
#[derive(Clone, Default)]
struct Gathered(Rc<RefCell<Vec<u8>>>);

/// Size of the write buffer, in bytes.
const BUFFER: usize = 256 << 10;

impl Files {
    /// Checks the options of rotation.
    pub(super) fn check(path: &Path, rotation: &Rotation) -> Result<(), Failure> {
        let rotates = rotates(rotation);
        if rotation.keep.is_some() && !rotates {
            let what = "--keep is for several files: give --rotate-size or --rotate-time too";
            return Err(Failure::Usage(what.into()));
        }
        let no_file =
            path.as_os_str() == "-" || fs::metadata(path).is_ok_and(|there| !there.is_file());
        if rotates && no_file {
            let what = format!("{}: cannot become several files", path.display());
            return Err(Failure::Usage(what));
        }
        Ok(())
    }

    /// Begins the first file. With `link`, files are pcap and all packets have this link type.
    pub(super) fn create(
        path: &Path,
        format: Option<LinkType>,
        rotation: Rotation,
    ) -> Result<Self, Failure> {
        let finisher = rotates(&rotation)
            .then(|| Finisher::start(rotation.keep.map_or(u64::MAX, |keep| keep.get().into())))
            .transpose()?;
        let path = path.to_owned();
        let mut files = Files { path, format, rotation, current: None, count: 0, finisher };
        files.begin()?;
        Ok(files)
    }

    /// Appends packets.
    pub(super) fn write(&mut self, views: &[PacketView<'_>]) -> Result<(), Failure> {
        views.iter().try_for_each(|view| self.write_one(*view))
    }

    fn write_one(&mut self, view: PacketView<'_>) -> Result<(), Failure> {
        let limit = self.rotation.rotate_size.map_or(u64::MAX, |size| size.0.get());
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.complete_current()?;
        }
        let current = self.begin()?;
        let before = current.gathered.len();
        let is_first = current.writer.packets() == 0;
        current.write(view)?;
        if current.written + current.gathered.len() as u64 > limit && !is_first {
            // It belongs to the next file.
            current.gathered.0.borrow_mut().truncate(before);
            self.complete_current()?;
            self.begin()?.write(view)?;
        }
        match &self.current {
            Some(current) if current.gathered.len() >= BUFFER => self.flush(),
            _ => Ok(()),
        }
    }

    /// When the current file is due for rotation without packets.
    pub(super) fn due(&self) -> Option<Instant> {
        let current = self.current.as_ref().filter(|current| current.writer.packets() > 0)?;
        current.since.checked_add(self.rotation.rotate_time?.0)
    }

    /// Completes the current file; the next packet begins another.
    pub(super) fn complete_current(&mut self) -> Result<(), Failure> {
        self.flush()?;
        let path = self.numbered(self.count);
        let Some(Current { name, to, .. }) = self.current.take() else { return Ok(()) };
        match &mut self.finisher {
            Some(finisher) => finisher.finish(Done { name, to, path }),
            None => to.complete().map_err(|source| failure(name, source)),
        }
    }

    /// Completes all files, and returns their number in rotation.
    pub(super) fn finish(mut self) -> Result<Option<u64>, Failure> {
        self.complete_current()?;
        let count = self.count;
        self.finisher.as_mut().map(|finisher| finisher.wait().map(|()| count)).transpose()
    }

    /// Writes the buffer to the file. If that fails, the file keeps its complete packets.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let mut bytes = current.gathered.0.borrow_mut();
        if bytes.is_empty() {
            return Ok(());
        }
        let Err(source) = current.to.write(&bytes) else {
            current.written += bytes.len() as u64;
            bytes.clear();
            current.ends.clear();
            return Ok(());
        };
        let whole = |len: u64| {
            let mut ends = current.ends.iter().rev().map(|end| current.written + *end as u64);
            ends.find(|end| *end <= len).unwrap_or(current.written)
        };
        if let Some(part) = current.to.cut(whole) {
            say(&format!("{}: has the packets that could be written", part.display()));
        }
        let name = current.name.clone();
        drop(bytes);
        self.current = None;
        Err(failure(name, source))
    }

    /// The current file, a new one if there is none.
    fn begin(&mut self) -> Result<&mut Current, Failure> {
        let current = match self.current.take() {
            Some(current) => current,
            None => {
                self.count += 1;
                Current::create(&self.numbered(self.count), self.format)?
            }
        };
        Ok(self.current.insert(current))
    }

    /// Name of the file with this number.
    fn numbered(&self, number: u64) -> PathBuf {
        if self.finisher.is_some() { numbered(&self.path, number) } else { self.path.clone() }
    }
}

fn rotates(rotation: &Rotation) -> bool {
    rotation.rotate_size.is_some() || rotation.rotate_time.is_some()
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

impl Current {
    fn create(path: &Path, format: Option<LinkType>) -> Result<Self, Failure> {
        let (to, name) = if path.as_os_str() == "-" {
            (To::Stdout(io::stdout()), "standard output".to_owned())
        } else {
            let name = path.display().to_string();
            (To::open(path).map_err(|source| failure(name.clone(), source))?.kept(), name)
        };
        let gathered = Gathered::default();
        let writer = match format {
            Some(link) => CaptureWriter::pcap(gathered.clone(), link),
            None => CaptureWriter::pcapng(gathered.clone()),
        };
        let writer = writer.map_err(|error| unwritable(&name, &error))?;
        let ends = vec![gathered.len()];
        Ok(Current { name, to, writer, gathered, written: 0, ends, since: Instant::now() })
    }

    fn write(&mut self, view: PacketView<'_>) -> Result<(), Failure> {
        self.writer.write(view).map_err(|error| unwritable(&self.name, &error))?;
        self.ends.push(self.gathered.len());
        Ok(())
    }
}

/// Failure for a packet that the format cannot hold.
fn unwritable(name: &str, error: &WriteError) -> Failure {
    Failure::Failed(format!("{name}: {error}"))
}

impl Gathered {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A written file that is not completed yet.
struct Done {
    name: String,
    to: To,
    path: PathBuf,
}

/// Completes files on a thread of its own, because syncing to disk takes too long on the capture
/// thread.
struct Finisher {
    todo: SyncSender<Done>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

/// Most files that wait to be completed.
const UNFINISHED: usize = 16;

impl Finisher {
    /// Keeps the latest `keep` files.
    fn start(keep: u64) -> Result<Self, Failure> {
        let (todo, work) = sync_channel::<Done>(UNFINISHED);
        let finish = move || {
            let mut kept = VecDeque::new();
            for Done { name, to, path } in work {
                to.complete().map_err(|source| failure(name, source))?;
                kept.push_back(path);
                if kept.len() as u64 > keep
                    && let Some(oldest) = kept.pop_front()
                {
                    // Another program may have removed it.
                    let _ = fs::remove_file(oldest);
                }
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("flowscope-files".into()).spawn(finish);
        let thread = thread.map_err(|error| Failure::Worker(error.to_string()))?;
        Ok(Finisher { todo, thread: Some(thread) })
    }

    fn finish(&mut self, done: Done) -> Result<(), Failure> {
        // The thread ends early after a failure.
        self.todo.send(done).or_else(|_| self.outcome())
    }

    /// Waits until all files are complete.
    fn wait(&mut self) -> Result<(), Failure> {
        // Closes the channel, which ends the thread.
        (self.todo, _) = sync_channel(1);
        self.outcome()
    }

    /// Result of the thread.
    fn outcome(&mut self) -> Result<(), Failure> {
        let ended = self.thread.take().map(JoinHandle::join);
        ended
            .unwrap_or(Ok(Ok(())))
            .unwrap_or_else(|_| Err(Failure::Worker("no reason given".into())))
    }
}

/// Completes the files that were fully written, even if a later one failed.
impl Drop for Finisher {
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_before_their_extension() {
        for (path, expected) in [
            ("trace.pcapng", "trace-00007.pcapng"),
            ("/a.b/trace", "/a.b/trace-00007"),
            ("x/trace.old.pcap", "x/trace.old-00007.pcap"),
        ] {
            assert_eq!(numbered(Path::new(path), 7), Path::new(expected));
        }
    }
}
