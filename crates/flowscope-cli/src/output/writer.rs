//! The output of a run.

use std::io::{self, IsTerminal};
use std::path::Path;
#[cfg(all(feature = "live", target_os = "linux"))]
use std::time::SystemTime;

use flowscope::core::{PacketView, Timestamp};
use flowscope::pcap::ReadError;

use super::collector::{CollectorName, Transport};
use super::directory::Directory;
use super::file::Stream;
use super::rotation::Rotation;
use super::{Broker, OpenBroker, OpenSink, RecordFormat, RecordSink, Totals};
use crate::error::Failure;
use crate::pager;

/// Where the output is to go.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// To a file; without one, or for `-`, to standard output.
    Stream(Option<&'a Path>),
    /// To logs in this directory.
    Directory(&'a Path),
    /// To a sink that writes files to this directory.
    Records(&'a Path, OpenSink<'a>),
    /// To a collector of IPFIX or Syslog.
    Collector(CollectorName<'a>),
    /// To a sink that publishes to this server.
    Broker(&'a Broker, OpenBroker<'a>),
}

/// Appends what a log has of a record, behind the number of the log and the length of the text.
pub(crate) fn put_piece(log: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(log);
    let at = out.len();
    out.extend([0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

/// What each log has of a record.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    std::iter::from_fn(move || {
        let (log, rest) = text.split_first()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (piece, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        text = rest;
        Some((usize::from(*log), piece))
    })
}

/// Where the text of records goes: standard output, a device, a file that appears when it is
/// complete, or logs in a directory.
pub(crate) struct Output<L> {
    layout: L,
    /// Time of the first packet, or at which all logs were rotated.
    start: Option<Timestamp>,
    /// Packet time.
    now: Timestamp,
    to: Destination,
}

enum Destination {
    Stream(Stream),
    Directory(Directory),
    Records(Records),
}

/// A sink, and what its output is called.
struct Records {
    sink: Box<dyn RecordSink>,
    name: String,
}

impl Records {
    fn open(name: String, opened: io::Result<Box<dyn RecordSink>>) -> Result<Self, Failure> {
        match opened {
            Ok(sink) => Ok(Records { sink, name }),
            Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                Err(Failure::Failed(source.to_string()))
            }
            Err(source) => Err(Failure::Output { name, source }),
        }
    }

    /// What became of writing to it.
    fn written(&self, result: io::Result<()>) -> Result<(), Failure> {
        result.map_err(|source| Failure::Output { name: self.name.clone(), source })
    }
}

impl Target<'_> {
    /// Whether it is a directory of logs.
    pub(crate) fn is_directory(self) -> bool {
        matches!(self, Target::Directory(_))
    }

    /// How many columns a line has, if it is a terminal.
    pub(crate) fn terminal(self) -> Option<usize> {
        if self.is_stdout()
            && let Some(columns) = pager::columns()
        {
            return Some(columns);
        }
        if !self.is_tty() {
            return None;
        }
        let out = std::io::stdout();
        let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(out)?;
        (columns > 0).then_some(columns.into())
    }

    /// Whether it is a terminal.
    pub(crate) fn is_tty(self) -> bool {
        self.is_stdout() && std::io::stdout().is_terminal()
    }

    /// Whether it is standard output.
    pub(crate) fn is_stdout(self) -> bool {
        match self {
            Target::Stream(path) => path.is_none_or(|path| path.as_os_str() == "-"),
            Target::Directory(_)
            | Target::Records(..)
            | Target::Collector(_)
            | Target::Broker(..) => false,
        }
    }

    /// The directory in which files are written, if any are.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn directory(&self) -> Option<&Path> {
        match *self {
            Target::Stream(_) if self.is_stdout() => None,
            Target::Stream(path) => {
                let parent = path?.parent()?;
                Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
            }
            Target::Directory(directory) | Target::Records(directory, _) => Some(directory),
            Target::Broker(broker, _) => Some(&broker.spool),
            Target::Collector(_) => None,
        }
    }

    /// How a collector is sent messages, if it is one.
    pub(crate) fn transport(self) -> Option<Transport> {
        if let Target::Collector(name) = self { Some(name.transport) } else { None }
    }

    /// The ports that are connected to over TCP.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn tcp_ports(self) -> Vec<u16> {
        match self {
            Target::Collector(name) => name.tcp_port().into_iter().collect(),
            Target::Broker(broker, _) => broker.ports.clone(),
            Target::Stream(_) | Target::Directory(_) | Target::Records(..) => Vec::new(),
        }
    }
}

impl<L: RecordFormat> Output<L> {
    /// To this target. A layout has [`logs`](RecordFormat::logs) if it is a directory.
    pub(crate) fn open(layout: L, target: Target<'_>) -> Result<Self, Failure> {
        Output::rotating(layout, target, None)
    }

    /// To this target, whose logs are rotated.
    pub(crate) fn rotating(
        layout: L,
        target: Target<'_>,
        rotation: Option<Rotation>,
    ) -> Result<Self, Failure> {
        let to = match target {
            Target::Stream(path) => Destination::Stream(Stream::open(path)?),
            Target::Directory(path) => {
                Destination::Directory(Directory::create(path, layout.logs(), rotation)?)
            }
            Target::Records(path, open) => {
                Destination::Records(Records::open(path.display().to_string(), open(path))?)
            }
            Target::Broker(broker, open) => {
                Destination::Records(Records::open(broker.name(), open(broker))?)
            }
            Target::Collector(name) => Destination::Stream(Stream::collector(name)?),
        };
        Ok(Output { layout, start: None, now: Timestamp::ZERO, to })
    }

    /// Records will be waited for as they come.
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[must_use]
    pub(crate) fn hurried(mut self) -> Self {
        self.layout.hurry();
        if let Destination::Stream(stream) = &mut self.to {
            stream.hurry();
        }
        self
    }

    /// Packets are about to be tracked, the first of which has this number.
    #[inline]
    pub(crate) fn see(&mut self, first: u64, views: &[PacketView<'_>]) {
        if L::PACKETS {
            (first..).zip(views).for_each(|(number, view)| self.layout.see(number, *view));
        }
    }

    /// A layout like the one that is written.
    pub(crate) fn layout(&self) -> L {
        self.layout.clone()
    }

    /// What was asked for and not found in all that was written.
    pub(crate) fn missed(&self) -> Option<&'static str> {
        self.layout.missed()
    }

    /// Whether the output has the totals.
    pub(crate) fn has_totals(&self) -> bool {
        self.layout.has_totals()
    }

    /// Whether it needs no more packets.
    pub(crate) fn is_complete(&self) -> bool {
        self.layout.is_complete()
    }

    /// What is said at the end.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.layout.notes()
    }

    /// Whether it goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        match &self.to {
            Destination::Stream(stream) => stream.is_terminal(),
            Destination::Directory(_) | Destination::Records(_) => false,
        }
    }

    /// Gives the layout the counters.
    #[cfg(any(feature = "tui", all(feature = "live", target_os = "linux")))]
    pub(crate) fn tick(&mut self, totals: &Totals, open: u64, now: Timestamp) {
        self.layout.tick(totals, open, now);
    }

    /// What comes first, once. `start` is packet time.
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
                .for_each(|(at, log)| log.begin(|text| layout.begin_log(at, start, text))),
            Destination::Records(_) => {}
        }
    }

    /// Packet time has come so far.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Gives an error of an input to a sink. Returns whether that reports it.
    pub(crate) fn input_error(&mut self, error: &ReadError) -> bool {
        match &mut self.to {
            Destination::Records(records) => records.sink.input_error(error),
            Destination::Stream(_) | Destination::Directory(_) => false,
        }
    }

    /// A round of packets was tracked: a sink passes its records on.
    pub(crate) fn end_round(&mut self) -> Result<(), Failure> {
        match &mut self.to {
            Destination::Records(records) => {
                let flushed = records.sink.flush();
                records.written(flushed)
            }
            Destination::Stream(_) | Destination::Directory(_) => Ok(()),
        }
    }

    /// Writes a record.
    pub(crate) fn record(&mut self, record: &L::Record) -> Result<(), Failure> {
        let Output { layout, start, now, to } = self;
        let directory = match to {
            Destination::Stream(stream) => {
                layout.write(record, &mut stream.text);
                layout.fault()?;
                return stream.spill();
            }
            Destination::Directory(directory) => directory,
            Destination::Records(records) => {
                let stored = layout.store(record, &mut *records.sink);
                return records.written(stored);
            }
        };
        let (at, start) = (layout.log_of(record).into(), start.unwrap_or_default());
        let log = with_room(layout, directory, at, start, *now)?;
        layout.write(record, &mut log.text);
        log.spill()?;
        layout.fault()?;
        for (at, text) in layout.also(record) {
            let log = with_room(layout, directory, at.into(), start, *now)?;
            log.text.extend(text);
            log.spill()?;
        }
        Ok(())
    }

    /// Writes the text of a record; if there are several logs, its [`pieces`].
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        let Output { layout, start, now, to } = self;
        let directory = match to {
            Destination::Stream(stream) => {
                stream.text.extend(text);
                return stream.spill();
            }
            Destination::Directory(directory) => directory,
            // A format without text is not portable: its records come as such.
            Destination::Records(_) => return Ok(()),
        };
        let start = start.unwrap_or_default();
        for (at, text) in pieces(text) {
            let log = with_room(layout, directory, at, start, *now)?;
            log.text.extend(text);
            log.spill()?;
        }
        Ok(())
    }

    /// What comes last; then the output is complete.
    pub(crate) fn finish(mut self, totals: &Totals) -> Result<(), Failure> {
        self.begin(totals.end);
        let Output { mut layout, to, .. } = self;
        match to {
            Destination::Stream(mut stream) => {
                layout.end(totals, &mut stream.text);
                layout.fault()?;
                stream.complete()
            }
            Destination::Directory(mut directory) => {
                // There is always one that has the totals.
                directory.log(0, |_, text| layout.begin_log(0, totals.end, text))?;
                directory.open_logs().for_each(|(_, log)| layout.end_log(totals, &mut log.text));
                directory.complete(totals.end)
            }
            Destination::Records(mut records) => {
                let finished = records.sink.finish(&totals.stats());
                records.written(finished)
            }
        }
    }

    /// Flushes what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.to {
            Destination::Stream(stream) => {
                self.layout.flush(&mut stream.text);
                stream.flush()?;
                if stream.reconnect() {
                    self.layout.restart();
                }
                Ok(())
            }
            Destination::Directory(directory) => {
                directory.open_logs().try_for_each(|(_, log)| log.flush())
            }
            Destination::Records(_) => self.end_round(),
        }
    }
}

/// The log at this place; another one if it has as many bytes as it may.
#[inline]
fn with_room<'d, L: RecordFormat>(
    layout: &mut L,
    directory: &'d mut Directory,
    at: usize,
    start: Timestamp,
    now: Timestamp,
) -> Result<&'d mut Stream, Failure> {
    if directory.is_full(at) {
        rotate(layout, directory, at, now)?;
    }
    directory.log(at, |since, text| layout.begin_log(at, start.max(since), text))
}

fn rotate<L: RecordFormat>(
    layout: &mut L,
    directory: &mut Directory,
    at: usize,
    now: Timestamp,
) -> Result<(), Failure> {
    for (_, log) in directory.open_logs().filter(|(open, log)| *open == at && log.has_records()) {
        layout.close_log(at, now, &mut log.text);
    }
    directory.rotate(at, now)
}

/// Rotation by time and by signals.
#[cfg(all(feature = "live", target_os = "linux"))]
impl<L: RecordFormat> Output<L> {
    /// When [`rotate_due`](Self::rotate_due) next has work.
    pub(crate) fn rotation_due(&self) -> Option<SystemTime> {
        if let Destination::Directory(directory) = &self.to { directory.due() } else { None }
    }

    /// Completes all logs if it is time to.
    pub(crate) fn rotate_due(&mut self) -> Result<(), Failure> {
        let Destination::Directory(directory) = &mut self.to else { return Ok(()) };
        if directory.is_due(SystemTime::now()) { self.rotate_all() } else { Ok(()) }
    }

    /// Completes all logs if they are rotated here; else those that another program has moved.
    pub(crate) fn reopen(&mut self) -> Result<(), Failure> {
        let Output { layout, now, to: Destination::Directory(directory), .. } = self else {
            return Ok(());
        };
        if directory.rotates() {
            return self.rotate_all();
        }
        for at in directory.moved() {
            for (_, log) in directory.open_logs().filter(|(open, _)| *open == at) {
                layout.close_log(at, *now, &mut log.text);
            }
            let log = directory.reopen(at)?;
            if log.len() == 0 {
                log.begin(|text| layout.begin_log(at, *now, text));
            }
        }
        Ok(())
    }

    fn rotate_all(&mut self) -> Result<(), Failure> {
        let Output { layout, start, now, to: Destination::Directory(directory) } = self else {
            return Ok(());
        };
        *start = start.map(|_| *now);
        let open: Vec<_> = directory.open_logs().map(|(at, _)| at).collect();
        open.into_iter().try_for_each(|at| rotate(layout, directory, at, *now))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flowscope::extract::FiveTupleKey;
    use flowscope::track::{Change, Flow};

    use super::*;
    use crate::reading::PayloadMode;

    #[test]
    fn pieces_are_those_that_were_put() {
        let mut out = Vec::new();
        put_piece(3, &mut out, |out| out.extend(b"one\n"));
        put_piece(0, &mut out, |_| {});
        put_piece(200, &mut out, |out| out.extend([7; 300]));
        let read: Vec<_> = pieces(&out).collect();
        assert_eq!(read, [(3, &b"one\n"[..]), (0, b""), (200, &[7; 300])]);
        assert_eq!(pieces(&out[..out.len() - 1]).count(), 2);
    }

    /// Lines in two logs of a directory: the second has those that begin with `b`.
    #[derive(Clone)]
    struct Lines([String; 2]);

    impl RecordFormat for Lines {
        type State = ();
        type Record = &'static str;

        fn state(&self, _: &FiveTupleKey) {}

        fn reading(&self) -> PayloadMode {
            PayloadMode::Raw
        }

        fn record(&self, _: Flow<'_, FiveTupleKey, ()>, _: Change) -> Option<&'static str> {
            None
        }

        fn logs(&self) -> &[String] {
            &self.0
        }

        fn log_of(&self, record: &&'static str) -> u8 {
            record.starts_with('b').into()
        }

        fn begin_log(&mut self, _: usize, start: Timestamp, out: &mut Vec<u8>) {
            out.extend(format!("open {}\n", start.secs()).bytes());
        }

        fn close_log(&mut self, _: usize, now: Timestamp, out: &mut Vec<u8>) {
            out.extend(format!("close {}\n", now.secs()).bytes());
        }

        fn end_log(&mut self, totals: &Totals, out: &mut Vec<u8>) {
            self.close_log(0, totals.end, out);
        }

        fn write(&mut self, record: &&'static str, out: &mut Vec<u8>) {
            out.extend(format!("{record}\n").bytes());
        }

        fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {}
    }

    /// Output of lines that is at second 1, and what becomes of it at second 9: the logs by name and in order.
    fn rotated(rotation: Rotation, body: impl FnOnce(&mut Output<Lines>)) -> Vec<(char, String)> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Lines(["a.log", "b.log"].map(str::to_owned));
        let target = Target::Directory(folder.path());
        let mut output = Output::rotating(layout, target, Some(rotation)).unwrap();
        output.begin(Timestamp::from_secs(1));
        body(&mut output);
        let totals = Totals { end: Timestamp::from_secs(9), ..Totals::default() };
        output.finish(&totals).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        // `a.20260102T030405Z.log` comes before `a.20260102T030405Z_1.log`.
        let mut files: Vec<_> = files.map(|path| path.with_extension("")).collect();
        files.sort();
        let text = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().chars().next().unwrap();
            (name, std::fs::read_to_string(path.with_added_extension("log")).unwrap())
        };
        files.iter().map(text).collect()
    }

    #[test]
    fn a_log_opens_when_the_one_before_it_is_complete() {
        let files = rotated(Rotation { size: Some(8), ..Rotation::default() }, |output| {
            output.record(&"a first").unwrap();
            output.advance(Timestamp::from_secs(4));
            output.record(&"a second").unwrap();
            output.record(&"b").unwrap();
        });
        let expected = [
            ('a', "open 1\na first\nclose 4\n"),
            ('a', "open 4\na second\nclose 9\n"),
            ('b', "open 1\nb\nclose 9\n"),
        ];
        assert_eq!(files, expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[cfg(all(feature = "live", target_os = "linux"))]
    #[test]
    fn a_log_without_records_is_not_rotated() {
        // Less than what comes first in a log.
        let files = rotated(Rotation { size: Some(2), ..Rotation::default() }, |output| {
            output.advance(Timestamp::from_secs(2));
            output.reopen().unwrap();
            output.record(&"a first").unwrap();
            output.advance(Timestamp::from_secs(4));
            output.reopen().unwrap();
            output.reopen().unwrap();
            output.record(&"b").unwrap();
        });
        let expected = [
            ('a', "open 1\na first\nclose 4\n"),
            ('a', "open 9\nclose 9\n"),
            ('b', "open 4\nb\nclose 9\n"),
        ];
        assert_eq!(files, expected.map(|(name, text)| (name, text.to_owned())));
    }
}
