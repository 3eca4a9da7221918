//! The records of one file.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flowscope::output::{FlowLayout, FlowLineError, FlowReader, FlowRecord};
use flowscope::pcap;

use crate::error::Status;
use crate::output::{FlowSource, OpenFlows};
use crate::say;

/// A file of lines, or files of columns, of which the flow records are read. What is wrong with it is printed, and is in its
/// status.
pub(super) struct Input<'a> {
    name: String,
    reader: &'a FlowReader,
    content: Content,
    text: Vec<u8>,
    /// Lines or rows read.
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

/// What there is to be read.
enum Content {
    /// Nothing more.
    None,
    Lines(Box<dyn BufRead + Send>),
    Columns(Box<dyn FlowSource>),
}

/// Longest line.
const MAX_LINE: u64 = 1 << 20;

/// What stands at the beginning of other files.
const OTHERS: [(&[u8], &str); 2] = [
    (b"PAR1", "Parquet, which is read from files and directories alone"),
    (
        b"#separator",
        "Zeek's log; `flowscope merge` reads JSON lines of --format eve and json, and Parquet",
    ),
];

impl<'a> Input<'a> {
    /// Opens the file, or the directory; an error is printed, and then it has no records. `columns` opens those of columns.
    pub(super) fn open(
        path: &Path,
        reader: &'a FlowReader,
        columns: Option<OpenFlows<'_>>,
    ) -> Self {
        let is_standard = path.as_os_str() == "-";
        let name = if is_standard { "standard input".into() } else { path.display().to_string() };
        let mut input = Input {
            name,
            reader,
            content: Content::None,
            text: Vec::new(),
            line: 0,
            layout: None,
            status: Status::Done,
            flows: 0,
            others: 0,
            bad: 0,
            is_cut: false,
        };
        let opened = match columns.filter(|_| has_columns(path)) {
            Some(open) => open(path).map(Content::Columns),
            None => pcap::Input::open(path)
                .and_then(pcap::Input::decompressed)
                .map(|content| Content::Lines(Box::new(BufReader::with_capacity(BUFFER, content)))),
        };
        match opened {
            Ok(content) => input.content = content,
            Err(error) => input.failed(&error),
        }
        input
    }

    /// The next flow record; `None` at the end.
    pub(super) fn next(&mut self) -> Option<FlowRecord> {
        if let Content::Columns(_) = self.content {
            return self.next_row();
        }
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

    /// The line or row that was read last, from 1.
    pub(super) fn place(&self) -> String {
        let kind = if self.layout == Some(FlowLayout::Columns) { "row" } else { "line" };
        format!("{kind} {}", self.line)
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

    /// How many lines or rows it had that are of something else.
    pub(super) fn others(&self) -> u64 {
        self.others
    }

    /// The next record of columns; `None` at the end.
    fn next_row(&mut self) -> Option<FlowRecord> {
        loop {
            let Content::Columns(rows) = &mut self.content else { return None };
            match rows.next(self.reader) {
                Some(Ok(record)) => {
                    self.line += 1;
                    self.layout = Some(FlowLayout::Columns);
                    self.flows += 1;
                    return Some(record);
                }
                Some(Err(error)) if error.kind() == ErrorKind::InvalidData => {
                    self.line += 1;
                    self.bad += 1;
                    if self.bad == 1 {
                        self.print(&error.to_string());
                    }
                    self.status = self.status.max(Status::Incomplete);
                }
                Some(Err(error)) => {
                    self.bad += 1;
                    self.print(&error.to_string());
                    self.status = self.status.max(status(&error));
                }
                None => {
                    self.others = rows.others();
                    self.end();
                    return None;
                }
            }
        }
    }

    /// Reads a line; says whether it has its end. `None` at the end of the file.
    fn next_line(&mut self) -> Option<bool> {
        let Content::Lines(lines) = &mut self.content else { return None };
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
        self.content = Content::None;
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
        self.status = self.status.max(status(error));
        let line = self.line;
        self.print(&if line > 0 {
            format!("after line {line}: {error}")
        } else {
            error.to_string()
        });
    }

    fn end(&mut self) {
        let of =
            if matches!(self.content, Content::Columns(_)) { "rows or files" } else { "lines" };
        self.content = Content::None;
        if self.bad > 1 {
            self.print(&format!("{} {of} in all are no flow records of use", self.bad));
        }
        if self.flows == 0 && self.bad > u64::from(self.is_cut) {
            self.status = self.status.max(Status::Failed);
        }
    }

    fn print(&self, what: &str) {
        say(&format!("{}: {what}", self.name));
    }
}

/// What an error of reading makes of the run.
fn status(error: &io::Error) -> Status {
    match error.kind() {
        ErrorKind::PermissionDenied => Status::Denied,
        // Of files that are cut or damaged.
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::Other => Status::Incomplete,
        _ => Status::Failed,
    }
}

/// Whether it is a directory, which has files of columns, or such a file.
pub(super) fn has_columns(path: &Path) -> bool {
    let mut start = [0; 4];
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => true,
        // Pipes are read once.
        Ok(metadata) if metadata.is_file() => {
            let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
            read.is_ok() && start == *b"PAR1"
        }
        _ => false,
    }
}

/// As much of a file is read at once, in bytes.
const BUFFER: usize = 128 << 10;
