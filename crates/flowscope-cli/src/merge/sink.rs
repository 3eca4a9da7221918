//! Where merged records go.

use std::io;

use flowscope::output::{CaptureStats, FlowRecord, Zone};

use crate::args::{Format, MergeArgs};
use crate::error::Failure;
use crate::output::{Flows, OpenSink, RecordFormat as _, RecordSink, To, Totals, failure};

/// Writes records in a format. There are no statistics: those of captures cannot be put together.
pub(super) enum Sink {
    Text(Box<Text>),
    /// To files of columns, and the name of their directory.
    Columns(Box<dyn RecordSink>, String),
}

/// Records as text.
pub(super) struct Text {
    flows: Flows,
    format: Format,
    begun: bool,
    text: Vec<u8>,
    to: To,
    name: String,
}

/// As many bytes are gathered before they are written.
const BUFFER: usize = 128 << 10;

impl Sink {
    /// Opens the output; `columns` opens one of columns.
    pub(super) fn open(
        args: &MergeArgs,
        format: Format,
        zone: Zone,
        columns: Option<OpenSink<'_>>,
    ) -> Result<Self, Failure> {
        match (columns, &args.output) {
            (Some(open), Some(directory)) if format == Format::Parquet => {
                let name = directory.display().to_string();
                match open(directory) {
                    Ok(sink) => Ok(Sink::Columns(sink, name)),
                    Err(source) => Err(Failure::Output { name, source }),
                }
            }
            _ => Text::open(args, format, zone).map(|text| Sink::Text(Box::new(text))),
        }
    }

    /// Writes a record.
    pub(super) fn write(&mut self, record: &FlowRecord) -> Result<(), Failure> {
        match self {
            Sink::Text(text) => text.write(record),
            Sink::Columns(sink, name) => {
                sink.flow(record).map_err(|source| failure(name.clone(), source))
            }
        }
    }

    /// Writes the rest; then the output is complete.
    pub(super) fn complete(self) -> Result<(), Failure> {
        match self {
            Sink::Text(text) => text.complete(),
            Sink::Columns(mut sink, name) => {
                let ended = sink.finish(&CaptureStats::default());
                ended.map_err(|source| failure(name, source))
            }
        }
    }
}

impl Text {
    fn open(args: &MergeArgs, format: Format, zone: Zone) -> Result<Self, Failure> {
        let target = args.target();
        let terminal = if args.wide { None } else { target.terminal() };
        let flows = Flows::new(format, args.wide, false, args.community_id_seed)
            .fitting(terminal)
            .in_zone(zone);
        let path = args.output.as_deref().filter(|path| path.as_os_str() != "-");
        let name = path.map_or("standard output".into(), |path| path.display().to_string());
        let to = match path.map(To::open) {
            None => To::Stdout(io::stdout()),
            Some(Ok(to)) => to,
            Some(Err(source)) => return Err(Failure::Output { name, source }),
        };
        Ok(Text { flows, format, begun: false, text: Vec::new(), to, name })
    }

    fn write(&mut self, record: &FlowRecord) -> Result<(), Failure> {
        if !self.begun {
            self.begun = true;
            self.flows.begin(record.start, &mut self.text);
        }
        self.flows.write(record, &mut self.text);
        if self.text.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    fn complete(mut self) -> Result<(), Failure> {
        let totals = Totals::default();
        if !self.begun {
            self.flows.begin(totals.end, &mut self.text);
        }
        if self.format != Format::Eve {
            self.flows.end(&totals, &mut self.text);
        }
        self.flush()?;
        let Text { to, name, .. } = self;
        to.complete().map_err(|source| failure(name, source))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = self.to.write(&self.text);
        self.text.clear();
        written.map_err(|source| failure(self.name.clone(), source))
    }
}
