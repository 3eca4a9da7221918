use std::io;

use flowscope::core::{FlowSide, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{
    CsvFormat, EveFormat, FLOW, FieldsTable, FlowRecord, Format as _, JsonFormat, RecordFields,
    RecordHeader, TableFormat, ZeekFormat, Zone,
};
use flowscope::track::{Change, EndReason, Flow};

use super::logs::Logs;
use super::spoken::Spoken;
use super::{Arrangement, Condition, Ipfix, RecordFormat, RecordSink, Totals, stats, zone_note};
use crate::args::Format;
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// One record per flow, made when its entry is removed; more with an active timeout.
#[derive(Clone, Debug)]
pub(crate) struct Flows {
    style: Style,
    community_id_seed: u16,
    /// Only flows that speak one of these protocols, unless there are none.
    only: Vec<String>,
    /// Only flows that meet it.
    condition: Option<Condition>,
    zone: Zone,
    arrangement: Option<Arrangement<FlowRecord>>,
}

/// What is known of a flow besides its record.
#[derive(Debug, Default)]
pub(crate) struct FlowNotes {
    spoken: Spoken,
    /// Tests of the condition that held for something said in the flow.
    met: u64,
}

#[derive(Clone, Debug)]
enum Style {
    Table(TableFormat<FlowRecord>),
    Fields(FieldsTable),
    Json(JsonFormat),
    Eve(EveFormat),
    Zeek(ZeekFormat),
    Csv(CsvFormat),
    Logs(Logs),
    /// As records, without text.
    Columns,
    Ipfix(Ipfix),
}

impl Flows {
    /// In this format; a table with the columns of [wide](flowscope::record::Table::wide_only) ones, or
    /// without. As `logs` in a directory, or as one stream.
    pub(crate) fn new(format: Format, wide: bool, logs: bool, community_id_seed: u16) -> Self {
        let style = match format {
            _ if logs => Style::Logs(Logs::new(format, None)),
            Format::Table => Style::Table(TableFormat::new(&FLOW, wide)),
            // Until it is known where messages go to.
            Format::Eve | Format::Ipfix => Style::Eve(EveFormat::new()),
            Format::Zeek => Style::Zeek(ZeekFormat::tsv()),
            Format::ZeekJson => Style::Zeek(ZeekFormat::json().without_path()),
            Format::Csv => Style::Csv(CsvFormat::new(&[&FLOW])),
            Format::Json => Style::Json(JsonFormat::new()),
            Format::Parquet | Format::Arrow => Style::Columns,
        };
        Flows {
            style,
            community_id_seed,
            only: Vec::new(),
            condition: None,
            zone: Zone::utc(),
            arrangement: None,
        }
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

    /// As the messages of this exporter, if there is one.
    pub(crate) fn exported(mut self, ipfix: Option<Ipfix>) -> Self {
        if let Some(ipfix) = ipfix {
            self.style = Style::Ipfix(ipfix);
        }
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
    pub(crate) fn arranged(mut self, arrangement: Option<Arrangement<FlowRecord>>) -> Self {
        self.arrangement = arrangement;
        self
    }

    /// Only those of these protocols; of all if there are none.
    pub(crate) fn only(mut self, protocols: Vec<String>) -> Self {
        self.only = protocols;
        self
    }

    /// Only those that meet a condition.
    pub(crate) fn meeting(mut self, condition: Option<Condition>) -> Self {
        self.condition = condition;
        self
    }

    fn wants(&self, spoken: &Spoken) -> bool {
        self.only.is_empty() || spoken.is_any_of(&self.only)
    }

    /// Appends a record to the output.
    fn put(&mut self, record: &FlowRecord, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Table(table) => table.row(record, out),
            Style::Fields(table) => table.record(&record.header, record, out),
            Style::Json(json) => json.record(&record.header, record, out),
            Style::Eve(eve) => eve.record(&record.header, record, out),
            Style::Zeek(zeek) => zeek.row(&record.header, record, out),
            Style::Csv(csv) => csv.record(&record.header, record, out),
            Style::Logs(logs) => logs.write(&record.header, record, out),
            Style::Columns => {}
            Style::Ipfix(ipfix) => ipfix.record(record, out),
        }
    }

    /// With what the flow speaks, if it meets the condition.
    fn complete(&self, record: FlowRecord, notes: &FlowNotes) -> Option<FlowRecord> {
        let mut record = notes.spoken.record(record);
        record.header.community_id_seed = self.community_id_seed;
        let met = |condition: &Condition| condition.flow_meets(&record, notes.met);
        self.condition.as_ref().is_none_or(met).then_some(record)
    }
}

impl RecordFormat for Flows {
    type State = FlowNotes;
    type Record = FlowRecord;

    fn state(&self, _: &FiveTupleKey) -> FlowNotes {
        FlowNotes::default()
    }

    fn reading(&self) -> PayloadMode {
        let condition = self.condition.as_ref();
        if condition.is_some_and(Condition::asks_what_is_said) {
            PayloadMode::Messages(MessageOptions { transactions: true, ..MessageOptions::ALL })
        } else {
            PayloadMode::Recognise
        }
    }

    #[inline]
    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: Change,
    ) -> Option<FlowRecord> {
        let Change::Interim { .. } = change else { return None };
        if !self.wants(&flow.state.spoken) {
            return None;
        }
        self.complete(FlowRecord::of_change(&flow, change)?, flow.state)
    }

    fn removed(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        reason: EndReason,
    ) -> Option<FlowRecord> {
        if !self.wants(&flow.state.spoken) {
            return None;
        }
        self.complete(FlowRecord::of_removed(&flow, reason), flow.state)
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: SessionChange,
    ) -> Option<FlowRecord> {
        flow.state.spoken.note(&change);
        None
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        _: FlowSide,
        said: AppRecord,
    ) -> Option<FlowRecord> {
        if let Some(condition) = &self.condition {
            let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation());
            condition.note(&header, &said, &mut flow.state.met);
        }
        None
    }

    fn portable(&self) -> bool {
        let in_order = matches!(
            self.style,
            Style::Table(_) | Style::Fields(_) | Style::Columns | Style::Ipfix(_)
        );
        self.arrangement.is_none() && !in_order
    }

    #[cfg(all(feature = "live", target_os = "linux"))]
    fn hurry(&mut self) {
        match &mut self.style {
            Style::Table(table) => table.hold_nothing_back(),
            Style::Fields(table) => table.hold_nothing_back(),
            _ => {}
        }
    }

    fn begin(&mut self, start: Timestamp, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Zeek(zeek) => zeek.begin_log(&FLOW, start, out),
            Style::Csv(csv) => csv.begin(start, out),
            _ => {}
        }
    }

    fn write(&mut self, record: &FlowRecord, out: &mut Vec<u8>) {
        let takes = match &mut self.arrangement {
            Some(arrangement) => arrangement.takes(&record.header, record, || record.clone()),
            None => true,
        };
        if takes {
            self.put(record, out);
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        let kept = self.arrangement.as_mut().map(Arrangement::in_order);
        kept.into_iter().flatten().for_each(|record| self.put(&record, out));
        match &mut self.style {
            Style::Table(table) => table.end(out),
            Style::Fields(table) => table.end(totals.end, out),
            Style::Eve(_) => stats::write(totals, out),
            Style::Zeek(zeek) => zeek.end(totals.end, out),
            Style::Ipfix(ipfix) => ipfix.flush(out),
            Style::Json(_) | Style::Csv(_) | Style::Logs(_) | Style::Columns => {}
        }
    }

    fn store(&self, record: &FlowRecord, sink: &mut dyn RecordSink) -> io::Result<()> {
        sink.flow(record)
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Style::Ipfix(ipfix) = &mut self.style {
            ipfix.flush(out);
        }
    }

    fn restart(&mut self) {
        if let Style::Ipfix(ipfix) = &mut self.style {
            ipfix.restart();
        }
    }

    fn logs(&self) -> &[String] {
        if let Style::Logs(logs) = &self.style { logs.names() } else { &[] }
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
        let has_stats = matches!(self.style, Style::Eve(_) | Style::Logs(_));
        !has_stats && self.arrangement.as_ref().is_some_and(Arrangement::is_complete)
    }

    fn notes(&self) -> Vec<String> {
        let order = self.arrangement.iter().filter_map(Arrangement::note);
        order.chain(zone_note(&self.zone)).collect()
    }
}
