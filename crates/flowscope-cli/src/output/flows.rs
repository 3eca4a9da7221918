use flowscope::core::Timestamp;
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::track::{Change, EndReason, Flow};

use super::record::FlowRecord;
use super::{RecordFormat, Totals, csv, eve, stats, table, zeek};
use crate::args::Format;
use crate::reading::PayloadMode;

/// One record per flow, made when its entry is removed; more with an active timeout.
#[derive(Clone, Debug)]
pub(crate) struct Flows(Style);

#[derive(Clone, Debug)]
enum Style {
    Table(table::Table),
    Eve,
    Zeek,
    Csv,
}

impl Flows {
    /// In this format.
    pub(crate) fn new(format: Format) -> Self {
        Flows(match format {
            Format::Table => Style::Table(table::Table::default()),
            Format::Eve => Style::Eve,
            Format::Zeek => Style::Zeek,
            Format::Csv => Style::Csv,
        })
    }
}

impl RecordFormat for Flows {
    /// The protocol that the flow speaks, once that is known.
    type State = Option<&'static str>;
    type Record = FlowRecord;

    fn state(_: &FiveTupleKey) -> Self::State {
        None
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Recognise
    }

    #[inline]
    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: Change,
    ) -> Option<FlowRecord> {
        let Change::Interim { .. } = change else { return None };
        let mut record = FlowRecord::of_change(&flow, change)?;
        record.app_proto = *flow.state;
        Some(record)
    }

    fn removed(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        reason: EndReason,
    ) -> Option<FlowRecord> {
        let mut record = FlowRecord::of_removed(&flow, reason);
        record.app_proto = *flow.state;
        Some(record)
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: SessionChange,
    ) -> Option<FlowRecord> {
        if let SessionChange::Chosen(detection) = change {
            *flow.state = Some(detection.protocol);
        }
        None
    }

    fn portable(&self) -> bool {
        !matches!(self.0, Style::Table(_))
    }

    #[cfg(all(feature = "live", target_os = "linux"))]
    fn hurry(&mut self) {
        if let Style::Table(table) = &mut self.0 {
            table.hurry();
        }
    }

    fn begin(&mut self, start: Timestamp, out: &mut Vec<u8>) {
        match &self.0 {
            Style::Table(_) | Style::Eve => {}
            Style::Zeek => zeek::begin(start, out),
            Style::Csv => csv::begin(out),
        }
    }

    fn write(&mut self, record: &FlowRecord, out: &mut Vec<u8>) {
        match &mut self.0 {
            Style::Table(table) => table.write(record, out),
            Style::Eve => eve::write(record, out),
            Style::Zeek => zeek::write(record, out),
            Style::Csv => csv::write(record, out),
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        match &mut self.0 {
            Style::Table(table) => table.end(out),
            Style::Eve => stats::write(totals, out),
            Style::Zeek => zeek::end(totals.end, out),
            Style::Csv => {}
        }
    }

    fn summarises(&self) -> bool {
        matches!(self.0, Style::Table(_))
    }
}
