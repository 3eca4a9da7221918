//! What was said in flows: one record per transaction, handshake or message.

use flowscope::core::Timestamp;
use flowscope::core::{FlowSide, Path};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{
    CsvFormat, EveFormat, Format as _, RecordHeader, SummaryFormat, ZeekFormat,
};
use flowscope::track::{Change, Flow};

use super::{RecordFormat, Totals, stats};
use crate::args::SessionFormat;
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// One record per transaction.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    style: Style,
    messages: MessageOptions,
}

#[derive(Clone, Debug)]
enum Style {
    Table(SummaryFormat),
    Eve(EveFormat),
    Zeek(ZeekFormat),
    Csv(CsvFormat),
}

/// What records need to know of their flow and cannot be told by the key.
#[derive(Debug, Default)]
pub(crate) struct SessionState {
    path: Option<Box<Path>>,
    /// Copies of the same bytes differed: what was read is one of several readings.
    ambiguous: bool,
}

/// One transaction and the flow it belongs to.
#[derive(Debug)]
pub(crate) struct SessionRecord {
    header: RecordHeader,
    said: AppRecord,
}

impl Sessions {
    pub(crate) fn new(format: SessionFormat, mut messages: MessageOptions) -> Self {
        // All but EVE have one line for a request and its response.
        messages.transactions = format != SessionFormat::Eve;
        let style = match format {
            SessionFormat::Table => Style::Table(SummaryFormat::new()),
            SessionFormat::Eve => Style::Eve(EveFormat::new()),
            SessionFormat::Zeek => Style::Zeek(ZeekFormat::tsv()),
            SessionFormat::Csv => Style::Csv(CsvFormat::new(&messages.schemas())),
        };
        Sessions { style, messages }
    }
}

impl RecordFormat for Sessions {
    type State = SessionState;
    type Record = SessionRecord;

    fn state(_: &FiveTupleKey) -> SessionState {
        SessionState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(self.messages)
    }

    fn portable(&self) -> bool {
        matches!(self.style, Style::Eve(_) | Style::Csv(_))
    }

    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: Change,
    ) -> Option<SessionRecord> {
        if let Change::Started { .. } = change {
            let path = flow.stats().path;
            flow.state.path = (!path.is_empty()).then(|| Box::new(path));
        }
        None
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: SessionChange,
    ) -> Option<SessionRecord> {
        if let SessionChange::Conflict { .. } = change {
            flow.state.ambiguous = true;
        }
        None
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        _: FlowSide,
        said: AppRecord,
    ) -> Option<SessionRecord> {
        let mut header =
            RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation()).began(&said);
        header.ambiguous = flow.state.ambiguous;
        header.path.clone_from(&flow.state.path);
        Some(SessionRecord { header, said })
    }

    fn begin(&mut self, start: Timestamp, out: &mut Vec<u8>) {
        if let Style::Csv(csv) = &mut self.style {
            csv.begin(start, out);
        }
    }

    fn write(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        let SessionRecord { header, said } = record;
        match &mut self.style {
            Style::Table(table) => table.record(header, said, out),
            Style::Eve(eve) => eve.record(header, said, out),
            Style::Zeek(zeek) => zeek.record(header, said, out),
            Style::Csv(csv) => csv.record(header, said, out),
        }
    }

    fn summarises(&self) -> bool {
        matches!(self.style, Style::Table(_))
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Table(table) => table.end(totals.end, out),
            Style::Eve(_) => stats::write(totals, out),
            Style::Zeek(zeek) => {
                if zeek.current().is_none() {
                    self.messages.begin_log(zeek, totals.end, out);
                }
                zeek.end(totals.end, out);
            }
            Style::Csv(_) => {}
        }
    }
}
