//! What was said in flows: one record per transaction, handshake or message. In a directory there are
//! the records of flows too.

use std::io;
use std::sync::Arc;

use flowscope::core::Timestamp;
use flowscope::core::{FlowSide, Path};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{
    CsvFormat, EveFormat, FieldsTable, FlowRecord, Format as _, JsonFormat, RecordFields,
    RecordHeader, SummaryFormat, ZeekFormat, Zone,
};
use flowscope::protocols::Selection;
use flowscope::track::{Change, EndReason, Flow};

use super::logs::Logs;
use super::spoken::Spoken;
use super::{
    Answer, Arrangement, Condition, Extraction, RecordFormat, RecordSink, Totals, stats, zone_note,
};
use crate::args::Format;
use crate::error::Failure;
use crate::numbers::Numbers;
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// One record per transaction.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    style: Style,
    messages: MessageOptions,
    community_id_seed: u16,
    /// Only records that meet it, and their flows.
    condition: Option<Condition>,
    /// Only these flows, and their records.
    chosen: Option<Arc<Numbers>>,
    zone: Zone,
    arrangement: Option<Arrangement<SessionRecord>>,
    extraction: Extracting,
}

/// Where files go, and why they could not.
#[derive(Debug, Default)]
struct Extracting {
    to: Option<Box<Extraction>>,
    failure: Option<Failure>,
}

impl Clone for Extracting {
    /// A copy of a format makes records, and does not write them.
    fn clone(&self) -> Self {
        Extracting::default()
    }
}

#[derive(Clone, Debug)]
enum Style {
    Table(SummaryFormat),
    Fields(FieldsTable),
    Json(JsonFormat),
    Eve(EveFormat),
    Zeek(ZeekFormat),
    ZeekJson(ZeekFormat),
    Csv(CsvFormat),
    Logs(Logs),
    Answer(Answer),
    /// As records, without text.
    Columns,
}

/// What records need of their flow that is not in the key.
#[derive(Debug, Default)]
pub(crate) struct SessionState {
    path: Option<Box<Path>>,
    spoken: Spoken,
    /// Copies of the same bytes differed: what was read is one of several readings.
    ambiguous: bool,
    /// A record met the condition.
    met: bool,
}

/// What has a line of its own.
#[derive(Clone, Debug)]
pub(crate) enum SessionRecord {
    /// One transaction and the flow it belongs to.
    Said(RecordHeader, AppRecord),
    /// A flow.
    Flow(Box<FlowRecord>),
}

impl Sessions {
    /// In this format; as `logs` in a directory, or as one stream.
    pub(crate) fn new(
        format: Format,
        mut messages: MessageOptions,
        logs: bool,
        community_id_seed: u16,
    ) -> Self {
        // All but EVE have one line for a request and its response.
        messages.transactions = format != Format::Eve;
        let style = match format {
            _ if logs => Style::Logs(Logs::new(format, Some(messages))),
            Format::Table => Style::Table(SummaryFormat::new()),
            // Messages are of flows alone.
            Format::Eve | Format::Ipfix => Style::Eve(EveFormat::new()),
            // A single protocol has a single log.
            Format::Zeek if messages.schemas().len() == 1 => {
                Style::Zeek(ZeekFormat::tsv().without_other_logs())
            }
            Format::Zeek => Style::Zeek(ZeekFormat::tsv()),
            Format::ZeekJson if messages.schemas().len() == 1 => {
                Style::ZeekJson(ZeekFormat::json().without_path().without_other_logs())
            }
            Format::ZeekJson => Style::ZeekJson(ZeekFormat::json()),
            Format::Csv => Style::Csv(CsvFormat::new(&messages.schemas())),
            Format::Json => Style::Json(JsonFormat::new()),
            Format::Parquet | Format::Arrow => Style::Columns,
        };
        Sessions {
            style,
            messages,
            community_id_seed,
            condition: None,
            chosen: None,
            zone: Zone::utc(),
            arrangement: None,
            extraction: Extracting::default(),
        }
    }

    /// What answers a question about all records, those of flows too; or about those of chosen flows.
    pub(crate) fn answering(answer: Answer, chosen: Option<Numbers>) -> Self {
        let messages = MessageOptions { transactions: true, ..MessageOptions::ALL };
        let sessions = Sessions::new(Format::Json, messages, false, 0);
        Sessions { style: Style::Answer(answer), chosen: chosen.map(Arc::new), ..sessions }
    }

    /// Of these protocols alone.
    pub(crate) fn of_protocols(mut self, protocols: Selection) -> Self {
        self.messages = self.messages.of(protocols);
        self
    }

    /// With these fields alone, in a table, CSV or JSON.
    pub(crate) fn fields(mut self, fields: Option<RecordFields>) -> Self {
        let Some(fields) = fields else { return self };
        self.style = match self.style {
            Style::Csv(_) => Style::Csv(CsvFormat::of_fields(&fields)),
            Style::Json(_) => Style::Json(JsonFormat::of_fields(&fields)),
            _ => Style::Fields(FieldsTable::new(fields)),
        };
        self
    }

    /// In lines that fit a terminal of so many columns, if they are for one.
    pub(crate) fn fitting(mut self, terminal: Option<usize>) -> Self {
        match (&mut self.style, terminal) {
            (Style::Table(table), Some(terminal)) => table.fit(terminal),
            (Style::Fields(table), Some(terminal)) => table.fit(terminal),
            _ => {}
        }
        self
    }

    /// With times of this zone, in a table.
    pub(crate) fn in_zone(mut self, zone: Zone) -> Self {
        match &mut self.style {
            Style::Table(table) => table.zone(zone.clone()),
            Style::Fields(table) => table.zone(zone.clone()),
            _ => {}
        }
        self.zone = zone;
        self
    }

    /// In this order.
    pub(crate) fn arranged(mut self, arrangement: Option<Arrangement<SessionRecord>>) -> Self {
        self.arrangement = arrangement;
        self
    }

    /// Only records that meet a condition, and their flows.
    pub(crate) fn meeting(mut self, condition: Option<Condition>) -> Self {
        self.condition = condition;
        self
    }

    /// Writing the files of records there.
    pub(crate) fn extracting(mut self, to: Extraction) -> Self {
        self.extraction.to = Some(Box::new(to));
        self
    }

    /// Writes the files of a record.
    fn extract(&mut self, record: &SessionRecord) {
        let Extracting { to: Some(to), failure } = &mut self.extraction else { return };
        if let (SessionRecord::Said(header, said), None) = (record, &failure) {
            *failure = to.take(header.flow_id, said).err();
        }
    }

    /// Appends a record to the output.
    fn put(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        let (header, said) = match (record, &mut self.style) {
            (SessionRecord::Said(header, said), _) => (header, said),
            (SessionRecord::Flow(flow), Style::Logs(logs)) => {
                return logs.write(&flow.header, &**flow, out);
            }
            (SessionRecord::Flow(flow), Style::Answer(answer)) => return answer.flow(flow),
            (SessionRecord::Flow(_), _) => return,
        };
        match &mut self.style {
            Style::Table(table) => table.record(header, said, out),
            Style::Fields(table) => table.record(header, said, out),
            Style::Json(json) => json.record(header, said, out),
            Style::Eve(eve) => eve.record(header, said, out),
            Style::Zeek(zeek) | Style::ZeekJson(zeek) => zeek.record(header, said, out),
            Style::Csv(csv) => csv.record(header, said, out),
            Style::Logs(logs) => logs.write(header, said, out),
            Style::Answer(answer) => answer.said(header, said),
            Style::Columns => {}
        }
    }

    /// Whether the flow of this id, and its records, are among those that were chosen.
    fn is_chosen(&self, flow: u64) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(flow))
    }

    /// The record of a flow, which has one in a directory.
    fn flow(
        &self,
        id: u64,
        state: &SessionState,
        record: impl FnOnce() -> Option<FlowRecord>,
    ) -> Option<SessionRecord> {
        let (Style::Logs(_) | Style::Answer(_) | Style::Columns) = self.style else { return None };
        if self.condition.is_some() && !state.met || !self.is_chosen(id) {
            return None;
        }
        let mut record = state.spoken.record(record()?);
        record.header.ambiguous = state.ambiguous;
        record.header.community_id_seed = self.community_id_seed;
        Some(SessionRecord::Flow(Box::new(record)))
    }
}

impl RecordFormat for Sessions {
    type State = SessionState;
    type Record = SessionRecord;

    fn state(&self, _: &FiveTupleKey) -> SessionState {
        SessionState::default()
    }

    fn reading(&self) -> PayloadMode {
        match &self.style {
            Style::Answer(answer) if !answer.reads() => PayloadMode::Recognise,
            _ => PayloadMode::Messages(self.messages),
        }
    }

    fn portable(&self) -> bool {
        let in_order = matches!(
            self.style,
            Style::Table(_) | Style::Fields(_) | Style::Zeek(_) | Style::Answer(_) | Style::Columns
        );
        // Only the writer extracts files, so that it needs the records.
        self.arrangement.is_none() && !in_order && self.messages.file_bytes == 0
    }

    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: Change,
    ) -> Option<SessionRecord> {
        match change {
            Change::Started { .. } => {
                let path = flow.stats().path;
                flow.state.path = (!path.is_empty()).then(|| Box::new(path));
                None
            }
            Change::Interim { .. } => {
                self.flow(flow.id.0, flow.state, || FlowRecord::of_change(&flow, change))
            }
            _ => None,
        }
    }

    fn removed(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        reason: EndReason,
    ) -> Option<SessionRecord> {
        self.flow(flow.id.0, flow.state, || Some(FlowRecord::of_removed(&flow, reason)))
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: SessionChange,
    ) -> Option<SessionRecord> {
        flow.state.spoken.note(&change);
        flow.state.ambiguous |= matches!(change, SessionChange::Conflict { .. });
        None
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        _: FlowSide,
        said: AppRecord,
    ) -> Option<SessionRecord> {
        if !self.is_chosen(flow.id.0) || !self.messages.has(&said) {
            return None;
        }
        let mut header =
            RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation()).began(&said);
        header.packet = Some(flow.packet);
        header.community_id_seed = self.community_id_seed;
        header.ambiguous = flow.state.ambiguous;
        header.within = flow.state.spoken.within();
        header.path.clone_from(&flow.state.path);
        if let Some(condition) = &self.condition {
            if !condition.record_meets(&header, &said) {
                return None;
            }
            flow.state.met = true;
        }
        Some(SessionRecord::Said(header, said))
    }

    fn begin(&mut self, start: Timestamp, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Csv(csv) => csv.begin(start, out),
            Style::Answer(answer) => answer.begin(start),
            _ => {}
        }
    }

    fn write(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        let takes = match (&mut self.arrangement, record) {
            (Some(arrangement), SessionRecord::Said(header, said)) => {
                arrangement.takes(header, said, || record.clone())
            }
            _ => true,
        };
        if takes {
            self.extract(record);
            self.put(record, out);
        }
    }

    fn store(&self, record: &SessionRecord, sink: &mut dyn RecordSink) -> io::Result<()> {
        match record {
            SessionRecord::Said(header, AppRecord::Protocol(said)) => sink.session(header, said),
            // Bytes of a conversation have no columns.
            SessionRecord::Said(..) => Ok(()),
            SessionRecord::Flow(flow) => sink.flow(flow),
        }
    }

    fn fault(&mut self) -> Result<(), Failure> {
        self.extraction.failure.take().map_or(Ok(()), Err)
    }

    fn logs(&self) -> &[String] {
        if let Style::Logs(logs) = &self.style { logs.names() } else { &[] }
    }

    fn log_of(&self, record: &SessionRecord) -> u8 {
        match (&self.style, record) {
            (Style::Logs(logs), SessionRecord::Said(_, said)) => logs.log_of(said),
            (Style::Logs(logs), SessionRecord::Flow(flow)) => logs.log_of(&**flow),
            _ => 0,
        }
    }

    fn also(&mut self, record: &SessionRecord) -> Vec<(u8, Vec<u8>)> {
        match (&mut self.style, record) {
            (Style::Logs(logs), SessionRecord::Said(header, said)) => logs.also(header, said),
            _ => Vec::new(),
        }
    }

    fn begin_log(&mut self, log: usize, start: Timestamp, out: &mut Vec<u8>) {
        if let Style::Logs(logs) = &mut self.style {
            logs.begin(log, start, out);
        }
    }

    fn close_log(&mut self, _: usize, now: Timestamp, out: &mut Vec<u8>) {
        if let Style::Logs(logs) = &mut self.style {
            logs.close(now, out);
        }
    }

    fn end_log(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        if let Style::Logs(logs) = &mut self.style {
            logs.end(totals, out);
        }
    }

    fn summarises(&self) -> bool {
        matches!(self.style, Style::Table(_) | Style::Fields(_))
    }

    /// The statistics of EVE are those of the whole input.
    fn is_complete(&self) -> bool {
        let needs_all = matches!(self.style, Style::Eve(_) | Style::Logs(_) | Style::Answer(_));
        !needs_all && self.arrangement.as_ref().is_some_and(Arrangement::is_complete)
    }

    fn notes(&self) -> Vec<String> {
        let answer = match &self.style {
            Style::Answer(answer) => answer.note(),
            _ => None,
        };
        let order = self.arrangement.iter().filter_map(Arrangement::note);
        let extracted = self.extraction.to.iter().flat_map(|to| to.notes());
        order.chain(answer).chain(zone_note(&self.zone)).chain(extracted).collect()
    }

    fn has_totals(&self) -> bool {
        matches!(&self.style, Style::Answer(answer) if answer.has_totals())
    }

    #[cfg(all(feature = "live", target_os = "linux"))]
    fn hurry(&mut self) {
        if let Style::Fields(table) = &mut self.style {
            table.hold_nothing_back();
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        let kept = self.arrangement.as_mut().map(Arrangement::in_order);
        kept.into_iter().flatten().for_each(|record| self.put(&record, out));
        match &mut self.style {
            Style::Table(table) => table.end(totals.end, out),
            Style::Fields(table) => table.end(totals.end, out),
            Style::Answer(answer) => answer.end(totals, out),
            Style::Eve(_) => stats::write(totals, out),
            Style::Zeek(zeek) => {
                if zeek.current().is_none() {
                    self.messages.begin_log(zeek, totals.end, out);
                }
                zeek.end(totals.end, out);
            }
            Style::Json(_)
            | Style::ZeekJson(_)
            | Style::Csv(_)
            | Style::Logs(_)
            | Style::Columns => {}
        }
    }
}
