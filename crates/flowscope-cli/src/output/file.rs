use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use flowscope::core::Timestamp;

use super::{RecordFormat, Totals};
use crate::error::Failure;

/// Where the text of records goes: standard output, a device, or a file that appears when it is
/// complete.
pub(crate) struct Output<L> {
    layout: L,
    begun: bool,
    text: Vec<u8>,
    to: To,
    name: String,
}

/// Where bytes go.
pub(crate) enum To {
    /// Standard output.
    Stdout(io::Stdout),
    /// A device or pipe, which is written to as it is.
    Device(File),
    /// A regular file, under another name until it is complete.
    File { file: File, part: Part, path: PathBuf },
}

/// A file that goes away unless it is to be kept.
pub(crate) struct Part {
    path: PathBuf,
    keep: bool,
}

/// As many bytes are gathered before they are written.
const BUFFER: usize = 128 << 10;

impl<L: RecordFormat> Output<L> {
    /// To the file at `path`, or to standard output without one or for `-`.
    pub(crate) fn open(layout: L, path: Option<&Path>) -> Result<Self, Failure> {
        let (to, name) = match path {
            Some(path) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                match To::open(path) {
                    Ok(to) => (to, name),
                    Err(source) => return Err(Failure::Output { name, source }),
                }
            }
            _ => (To::Stdout(io::stdout()), "standard output".into()),
        };
        Ok(Output { layout, begun: false, text: Vec::with_capacity(BUFFER + 4096), to, name })
    }

    /// Records will be waited for as they come.
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[must_use]
    pub(crate) fn hurried(mut self) -> Self {
        self.layout.hurry();
        self
    }

    /// A layout like the one that is written.
    pub(crate) fn layout(&self) -> L {
        self.layout.clone()
    }

    /// What was asked for and not found in all that was written.
    pub(crate) fn missed(&self) -> Option<&'static str> {
        self.layout.missed()
    }

    /// Whether it goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        match &self.to {
            To::Stdout(out) => out.is_terminal(),
            To::Device(file) => file.is_terminal(),
            To::File { .. } => false,
        }
    }

    /// What comes first, once.
    pub(crate) fn begin(&mut self, start: Timestamp) {
        if !self.begun {
            self.begun = true;
            self.layout.begin(start, &mut self.text);
        }
    }

    /// Writes a record.
    pub(crate) fn record(&mut self, record: &L::Record) -> Result<(), Failure> {
        self.layout.write(record, &mut self.text);
        self.spill()
    }

    /// Writes the text of a record.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.text.extend(text);
        self.spill()
    }

    /// What comes last; then the output is complete.
    pub(crate) fn finish(mut self, totals: &Totals) -> Result<(), Failure> {
        self.begin(totals.end);
        self.layout.end(totals, &mut self.text);
        self.flush()?;
        let Output { to, name, .. } = self;
        to.complete().map_err(|source| failure(name, source))
    }

    /// Brings what was written so far to whoever waits for it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let written = self.to.write(&self.text);
        self.text.clear();
        written.map_err(|source| failure(self.name.clone(), source))
    }

    fn spill(&mut self) -> Result<(), Failure> {
        if self.text.len() < BUFFER { Ok(()) } else { self.flush() }
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

    /// Writes all of it.
    pub(crate) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            To::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(text)?;
                out.flush()
            }
            To::Device(file) | To::File { file, .. } => file.write_all(text),
        }
    }

    /// All is written: a file gets its name.
    pub(crate) fn complete(self) -> io::Result<()> {
        if let To::File { file, mut part, path } = self {
            file.sync_all()?;
            fs::rename(&part.path, path)?;
            part.keep = true;
        }
        Ok(())
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
