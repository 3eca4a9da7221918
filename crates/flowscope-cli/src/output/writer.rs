//! The output of a run.

use std::path::Path;

use flowscope::core::Timestamp;

use super::directory::Directory;
use super::file::Stream;
use super::{RecordFormat, Totals};
use crate::error::Failure;

/// Where the output is to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// To a file; without one, or for `-`, to standard output.
    Stream(Option<&'a Path>),
    /// To logs in this directory.
    Directory(&'a Path),
}

/// Where the text of records goes: standard output, a device, a file that appears when it is
/// complete, or logs in a directory.
pub(crate) struct Output<L> {
    layout: L,
    /// Time of the first packet.
    start: Option<Timestamp>,
    to: Destination,
}

enum Destination {
    Stream(Stream),
    Directory(Directory),
}

impl Target<'_> {
    /// Whether it is a directory of logs.
    pub(crate) fn is_directory(self) -> bool {
        matches!(self, Target::Directory(_))
    }

    /// Whether it is standard output.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn is_stdout(self) -> bool {
        match self {
            Target::Stream(path) => path.is_none_or(|path| path.as_os_str() == "-"),
            Target::Directory(_) => false,
        }
    }
}

impl<L: RecordFormat> Output<L> {
    /// To this target. A layout has [`logs`](RecordFormat::logs) if it is a directory.
    pub(crate) fn open(layout: L, target: Target<'_>) -> Result<Self, Failure> {
        let to = match target {
            Target::Stream(path) => Destination::Stream(Stream::open(path)?),
            Target::Directory(path) => {
                Destination::Directory(Directory::create(path, layout.logs())?)
            }
        };
        Ok(Output { layout, start: None, to })
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
            Destination::Stream(stream) => stream.is_terminal(),
            Destination::Directory(_) => false,
        }
    }

    /// What comes first, once.
    pub(crate) fn begin(&mut self, start: Timestamp) {
        if self.start.is_some() {
            return;
        }
        self.start = Some(start);
        let Output { layout, to, .. } = self;
        match to {
            Destination::Stream(stream) => layout.begin(start, &mut stream.text),
            // Only the first log is open.
            Destination::Directory(directory) => directory
                .open_logs()
                .for_each(|(at, log)| layout.begin_log(at, start, &mut log.text)),
        }
    }

    /// Writes a record.
    pub(crate) fn record(&mut self, record: &L::Record) -> Result<(), Failure> {
        let Output { layout, start, to } = self;
        let stream = match to {
            Destination::Stream(stream) => stream,
            Destination::Directory(directory) => {
                let (at, start) = (layout.log_of(record).into(), start.unwrap_or_default());
                directory.log(at, |text| layout.begin_log(at, start, text))?
            }
        };
        layout.write(record, &mut stream.text);
        stream.spill()
    }

    /// Writes the text of a record; behind the number of its log, if there are several.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        let Output { layout, start, to } = self;
        let (stream, text) = match (to, text) {
            (Destination::Stream(stream), text) => (stream, text),
            (Destination::Directory(directory), [at, text @ ..]) => {
                let (at, start) = (usize::from(*at), start.unwrap_or_default());
                (directory.log(at, |text| layout.begin_log(at, start, text))?, text)
            }
            (Destination::Directory(_), []) => return Ok(()),
        };
        stream.text.extend(text);
        stream.spill()
    }

    /// What comes last; then the output is complete.
    pub(crate) fn finish(mut self, totals: &Totals) -> Result<(), Failure> {
        self.begin(totals.end);
        let Output { mut layout, to, .. } = self;
        match to {
            Destination::Stream(mut stream) => {
                layout.end(totals, &mut stream.text);
                stream.complete()
            }
            Destination::Directory(mut directory) => {
                directory.open_logs().for_each(|(_, log)| layout.end_log(totals, &mut log.text));
                directory.complete()
            }
        }
    }

    /// Flushes what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.to {
            Destination::Stream(stream) => stream.flush(),
            Destination::Directory(directory) => {
                directory.open_logs().try_for_each(|(_, log)| log.flush())
            }
        }
    }
}
