//! A page of a whole capture.

use flowscope::core::{FlowSide, L4Proto, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{FlowRecord, RecordHeader};
use flowscope::track::{Change, EndReason, Flow};
use flowscope_report::{Report, ReportTotals};

use super::spoken::Spoken;
use super::{RecordFormat, Totals};
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// Gathers everything, and writes one page at the end.
#[derive(Clone, Debug)]
pub(crate) struct ReportPage {
    report: Box<Report>,
    sources: Vec<String>,
    start: Option<Timestamp>,
}

/// What records need to know of their flow.
#[derive(Debug, Default)]
pub(crate) struct ReportState {
    spoken: Spoken,
    ambiguous: bool,
}

/// What is added to the report.
#[derive(Debug)]
pub(crate) enum Entry {
    Packet(Timestamp, u32, L4Proto),
    Flow(Box<FlowRecord>),
    /// A session record, and when it was complete.
    Session(Box<(RecordHeader, Timestamp, AppRecord)>),
}

impl ReportPage {
    /// Of captures of these names.
    pub(crate) fn new(sources: Vec<String>) -> Self {
        ReportPage { report: Box::default(), sources, start: None }
    }
}

impl ReportState {
    fn record(&self, mut record: FlowRecord) -> Entry {
        record.header.ambiguous = self.ambiguous;
        Entry::Flow(Box::new(self.spoken.record(record)))
    }
}

impl RecordFormat for ReportPage {
    const PACKETS: bool = true;
    type State = ReportState;
    type Record = Entry;

    fn state(&self, _: &FiveTupleKey) -> ReportState {
        ReportState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(MessageOptions { transactions: true, ..MessageOptions::ALL })
    }

    /// What a record changes depends on those before.
    fn portable(&self) -> bool {
        false
    }

    fn record(&self, flow: Flow<'_, FiveTupleKey, ReportState>, change: Change) -> Option<Entry> {
        match change {
            Change::Packet(packet) => {
                Some(Entry::Packet(packet.ts, packet.wire_len, flow.key.proto()))
            }
            Change::Interim { .. } => {
                let record = FlowRecord::of_change(&flow, change)?;
                Some(flow.state.record(record))
            }
            _ => None,
        }
    }

    fn removed(
        &self,
        flow: Flow<'_, FiveTupleKey, ReportState>,
        reason: EndReason,
    ) -> Option<Entry> {
        let record = FlowRecord::of_removed(&flow, reason);
        Some(flow.state.record(record))
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, ReportState>,
        change: SessionChange,
    ) -> Option<Entry> {
        flow.state.spoken.note(&change);
        flow.state.ambiguous |= matches!(change, SessionChange::Conflict { .. });
        None
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, ReportState>,
        _: FlowSide,
        message: AppRecord,
    ) -> Option<Entry> {
        let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation());
        let header = header.at_packet(flow.packet);
        Some(Entry::Session(Box::new((header, flow.ts, message))))
    }

    fn begin(&mut self, start: Timestamp, _: &mut Vec<u8>) {
        self.start = Some(start);
    }

    fn write(&mut self, entry: &Entry, _: &mut Vec<u8>) {
        match entry {
            Entry::Packet(ts, wire_len, proto) => self.report.packet(*ts, *wire_len, *proto),
            Entry::Flow(record) => self.report.flow(record),
            Entry::Session(session) => {
                let (header, complete, record) = &**session;
                self.report.session(header, *complete, record);
            }
        }
    }

    fn summarises(&self) -> bool {
        true
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        let mut page = ReportTotals::default();
        page.sources.clone_from(&self.sources);
        page.stats = totals.stats();
        page.flows = totals.flows;
        page.evicted = totals.evicted;
        page.wire_bytes = totals.wire_bytes;
        page.start = self.start.filter(|_| totals.packets.seen() > 0);
        page.end = totals.end;
        page.links.clone_from(&totals.links);
        self.report.write(&page, out).expect("a vector takes all");
    }
}
