use flowscope::core::Timestamp;
use flowscope::extract::FiveTupleKey;
use flowscope::track::{Change, Flow};

use super::record::{Count, FlowRecord};
use super::{Layout, Totals, csv, eve, stats, table, zeek};
use crate::args::Format;

/// One record per flow.
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

impl Layout for Flows {
    type State = ();
    type Record = FlowRecord;

    fn state(_: &FiveTupleKey) {}

    #[inline]
    fn record(flow: Flow<'_, FiveTupleKey, ()>, change: Change) -> Option<FlowRecord> {
        FlowRecord::of(&flow, change, Count::Rest)
    }

    fn portable(&self) -> bool {
        !matches!(self.0, Style::Table(_))
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
