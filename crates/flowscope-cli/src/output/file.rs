//! Files that output goes to.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::collector::{Collector, CollectorName};
use crate::error::Failure;

/// Where bytes go.
pub(crate) enum To {
    /// Standard output.
    Stdout(io::Stdout),
    /// A device or pipe, which is written to as it is.
    Device(File),
    /// A regular file, under another name until it is complete.
    File { file: File, part: Part, path: PathBuf },
    /// A log, under its own name from the beginning.
    Log { file: File, part: Part },
    /// A collector, which is sent messages.
    Collector(Box<Collector>),
}

/// A file that is written as the output of the command is: under its name with `.part` behind it until it is
/// [complete](Self::complete), and removed if it never is. A device or pipe is written to as it is.
pub struct OutputFile(To);

impl OutputFile {
    /// Opens the file that `path` is to name.
    ///
    /// # Errors
    ///
    /// Those of the file system; also if it is a directory.
    pub fn create(path: &Path) -> io::Result<Self> {
        To::open(path).map(OutputFile)
    }

    /// Brings what was written to the disk, and gives the file its name.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn complete(self) -> io::Result<()> {
        self.0.complete()
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that goes away unless it is to be kept.
pub(crate) struct Part {
    path: PathBuf,
    keep: bool,
}

/// Text that is gathered before it is written.
pub(super) struct Stream {
    pub(super) text: Vec<u8>,
    to: To,
    name: String,
    /// Bytes written, without what was there before.
    written: u64,
    /// Bytes that come before the first record.
    header: u64,
}

/// As many bytes are gathered before they are written.
const BUFFER: usize = 128 << 10;

impl Stream {
    /// To the file at `path`, or to standard output without one or for `-`.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) if path.as_os_str() != "-" => Stream::new(To::open(path), path),
            _ => Stream::new(Ok(To::Stdout(io::stdout())), Path::new("standard output")),
        }
    }

    /// To a new log at `path`.
    pub(super) fn log(path: &Path) -> Result<Self, Failure> {
        Stream::new(To::log(path), path)
    }

    /// To the log at `path`, which may be there.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn reopened(path: &Path) -> Result<Self, Failure> {
        let mut stream = Stream::new(To::reopened(path), path)?;
        stream.written = stream.metadata().map_or(0, |there| there.len());
        Ok(stream)
    }

    /// What is known of the file of a log.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn metadata(&self) -> Option<fs::Metadata> {
        if let To::Log { file, .. } = &self.to { file.metadata().ok() } else { None }
    }

    /// To a collector.
    pub(super) fn collector(collector: CollectorName<'_>) -> Result<Self, Failure> {
        let to = Collector::connect(collector).map(|it| To::Collector(Box::new(it)));
        Stream::new(to, Path::new(collector.name()))
    }

    fn new(to: io::Result<To>, name: &Path) -> Result<Self, Failure> {
        let name = name.display().to_string();
        match to {
            Ok(to) => Ok(Stream {
                text: Vec::with_capacity(BUFFER + 4096),
                to,
                name,
                written: 0,
                header: 0,
            }),
            Err(source) => Err(Failure::Output { name, source }),
        }
    }

    /// Whether it goes to a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        match &self.to {
            To::Stdout(out) => out.is_terminal(),
            To::Device(file) => file.is_terminal(),
            To::File { .. } | To::Log { .. } | To::Collector(_) => false,
        }
    }

    /// Limits the time that a write waits for a collector, for a capture that goes on meanwhile.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn hurry(&mut self) {
        if let To::Collector(collector) = &mut self.to {
            collector.hurry();
        }
    }

    /// True if a lost connection to a collector was replaced: what follows is a new session.
    pub(super) fn reconnect(&mut self) -> bool {
        match &mut self.to {
            To::Collector(collector) => collector.reconnect(),
            _ => false,
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.text.is_empty() {
            return Ok(());
        }
        let written = self.to.write(&self.text);
        self.written += self.text.len() as u64;
        self.text.clear();
        written.map_err(|source| failure(self.name.clone(), source))
    }

    /// Writes what was gathered if it is much.
    #[inline]
    pub(super) fn spill(&mut self) -> Result<(), Failure> {
        if self.text.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Bytes of it, those included that were not written yet.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.written + self.text.len() as u64
    }

    /// Appends what comes before the first record.
    pub(super) fn begin(&mut self, header: impl FnOnce(&mut Vec<u8>)) {
        header(&mut self.text);
        self.header = self.len();
    }

    /// Whether it has more than what comes before the first record.
    #[inline]
    pub(super) fn has_records(&self) -> bool {
        self.len() > self.header
    }

    /// The file of a log, with everything written to it. It stays, whatever its name is now.
    pub(super) fn into_log(mut self) -> Result<Option<File>, Failure> {
        self.flush()?;
        Ok(match self.to {
            To::Log { file, mut part } => {
                part.keep = true;
                Some(file)
            }
            _ => None,
        })
    }

    /// Writes the rest; then the output is complete.
    pub(super) fn complete(mut self) -> Result<(), Failure> {
        self.flush()?;
        let Stream { to, name, .. } = self;
        to.complete().map_err(|source| failure(name, source))
    }
}

/// What became of writing to what is called `name`.
pub(crate) fn failure(name: String, source: io::Error) -> Failure {
    match source.kind() {
        ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Output { name, source },
    }
}

/// What a file is called until it is complete.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

impl To {
    /// To the device or file at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<To> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                return File::options().write(true).open(path).map(To::Device);
            }
            _ => {}
        }
        let part = part_of(path);
        // What an earlier run left, or somebody put there as a link to elsewhere, is not written to.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::create_new(&part)?;
        let part = Part { path: part, keep: false };
        Ok(To::File { file, part, path: path.to_owned() })
    }

    /// To a new file at `path`. It goes away if nothing is written to it.
    fn log(path: &Path) -> io::Result<To> {
        // Every write goes to the end, also after another program has cut the file.
        let file = File::options().append(true).create_new(true).open(path)?;
        Ok(To::Log { file, part: Part { path: path.to_owned(), keep: false } })
    }

    /// To the file at `path`, behind what is in it.
    #[cfg(all(feature = "live", target_os = "linux"))]
    fn reopened(path: &Path) -> io::Result<To> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(To::Log { file, part: Part { path: path.to_owned(), keep: true } })
    }

    /// Writes all of it.
    pub(crate) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            To::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(text)?;
                out.flush()
            }
            To::Device(file) | To::File { file, .. } => file.write_all(text),
            To::Collector(collector) => {
                collector.send(text);
                Ok(())
            }
            To::Log { file, part } => {
                part.keep = true;
                file.write_all(text)
            }
        }
    }

    /// All is written: a file gets its name.
    pub(crate) fn complete(self) -> io::Result<()> {
        match self {
            To::Stdout(_) | To::Device(_) => Ok(()),
            To::Collector(collector) => collector.complete(),
            To::File { file, mut part, path } => {
                file.sync_all()?;
                fs::rename(&part.path, path)?;
                part.keep = true;
                Ok(())
            }
            To::Log { file, mut part } => {
                part.keep = true;
                file.sync_all()
            }
        }
    }

    /// A file that is never completed stays what it is called until then.
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[must_use]
    pub(crate) fn kept(mut self) -> Self {
        if let To::File { part, .. } = &mut self {
            part.keep = true;
        }
        self
    }

    /// Not all could be written: cuts the file to as many of its bytes as `useful` says, and says what
    /// it is called.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn cut(&self, useful: impl FnOnce(u64) -> u64) -> Option<&Path> {
        let To::File { file, part, .. } = self else { return None };
        let len = file.metadata().ok()?.len();
        file.set_len(useful(len)).ok().map(|()| part.path.as_path())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_file(&self.path);
        }
    }
}
