//! The records of one file.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flowscope::output::{FlowLayout, FlowLineError, FlowReader, FlowRecord};
use flowscope::pcap;

use crate::error::Status;
use crate::say;

/// A file of lines, of which the flow records are read. What is wrong with it is printed, and is in its status.
pub(super) struct Input<'a> {
    name: String,
    reader: &'a FlowReader,
    lines: Option<Box<dyn BufRead + Send>>,
    text: Vec<u8>,
    /// Lines read.
    line: u64,
    layout: Option<FlowLayout>,
    status: Status,
    flows: u64,
    others: u64,
    /// Lines that are damaged.
    bad: u64,
    /// Whether one of them is the last, which is cut.
    is_cut: bool,
}

/// Longest line.
const MAX_LINE: u64 = 1 << 20;

/// What stands at the beginning of other files.
const OTHERS: [(&[u8], &str); 2] = [
    (b"PAR1", "Parquet, which `flowscope query` reads; `flowscope merge` reads JSON lines"),
    (b"#separator", "Zeek's log; `flowscope merge` reads JSON lines of --format eve and json"),
];

impl<'a> Input<'a> {
    /// Opens the file; an error is printed, and then it has no records.
    pub(super) fn open(path: &Path, reader: &'a FlowReader) -> Self {
        let is_standard = path.as_os_str() == "-";
        let name = if is_standard { "standard input".into() } else { path.display().to_string() };
        let mut input = Input {
            name,
            reader,
            lines: None,
            text: Vec::new(),
            line: 0,
            layout: None,
            status: Status::Done,
            flows: 0,
            others: 0,
            bad: 0,
            is_cut: false,
        };
        match pcap::Input::open(path).and_then(pcap::Input::decompressed) {
            Ok(content) => input.lines = Some(Box::new(BufReader::with_capacity(BUFFER, content))),
            Err(error) => input.failed(&error),
        }
        input
    }

    /// The next flow record; `None` at the end.
    pub(super) fn next(&mut self) -> Option<FlowRecord> {
        loop {
            let is_whole = self.next_line()?;
            if self.text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.line == 1 && !self.is_of_json() {
                return None;
            }
            match self.reader.read(&self.text) {
                Ok(Some((layout, _))) if self.layout.is_some_and(|first| first != layout) => {
                    self.damaged("of another format than the lines before");
                }
                Ok(Some((layout, record))) => {
                    self.layout = Some(layout);
                    self.flows += 1;
                    return Some(record);
                }
                Ok(None) => self.others += 1,
                Err(error) => {
                    self.is_cut = !is_whole && error == FlowLineError::Cut;
                    self.damaged(&error.to_string());
                }
            }
        }
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The format of its records, once there was one.
    pub(super) fn layout(&self) -> Option<FlowLayout> {
        self.layout
    }

    /// How reading went.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// How many flow records it had.
    pub(super) fn flows(&self) -> u64 {
        self.flows
    }

    /// How many lines it had that are of something else.
    pub(super) fn others(&self) -> u64 {
        self.others
    }

    /// Reads a line; says whether it has its end. `None` at the end of the file.
    fn next_line(&mut self) -> Option<bool> {
        let lines = self.lines.as_mut()?;
        self.text.clear();
        let mut ends = false;
        let mut read = || -> io::Result<usize> {
            let len = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.text)?;
            ends = self.text.ends_with(b"\n");
            if !ends && len as u64 == MAX_LINE {
                lines.skip_until(b'\n')?;
            }
            Ok(len)
        };
        match read() {
            Ok(0) => {
                self.end();
                None
            }
            Ok(_) => {
                self.line += 1;
                Some(ends)
            }
            Err(error) => {
                self.failed(&error);
                self.end();
                None
            }
        }
    }

    /// Whether the file is one of JSON, by its first line; says what it is if not.
    fn is_of_json(&mut self) -> bool {
        if self.text.trim_ascii_start().starts_with(b"{") {
            return true;
        }
        let other = OTHERS.iter().find(|(start, _)| self.text.starts_with(start));
        let what = other.map_or("no JSON lines of flow records", |(_, what)| what);
        self.print(what);
        self.status = self.status.max(Status::Failed);
        self.lines = None;
        false
    }

    /// A line is no record of use.
    fn damaged(&mut self, what: &str) {
        self.bad += 1;
        if self.bad == 1 {
            self.print(&format!("line {}: {what}", self.line));
        }
        self.status = self.status.max(Status::Incomplete);
    }

    /// Reading failed.
    fn failed(&mut self, error: &io::Error) {
        self.status = self.status.max(match error.kind() {
            ErrorKind::PermissionDenied => Status::Denied,
            // Of compressed files that are cut or damaged.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::Other => {
                Status::Incomplete
            }
            _ => Status::Failed,
        });
        let line = self.line;
        self.print(&if line > 0 {
            format!("after line {line}: {error}")
        } else {
            error.to_string()
        });
    }

    fn end(&mut self) {
        self.lines = None;
        if self.bad > 1 {
            self.print(&format!("{} lines in all are no flow records of use", self.bad));
        }
        if self.flows == 0 && self.bad > u64::from(self.is_cut) {
            self.status = self.status.max(Status::Failed);
        }
    }

    fn print(&self, what: &str) {
        say(&format!("{}: {what}", self.name));
    }
}

/// As much of a file is read at once, in bytes.
const BUFFER: usize = 128 << 10;
