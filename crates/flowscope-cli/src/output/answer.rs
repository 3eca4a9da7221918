//! Commands whose output is one answer about a whole capture.

use flowscope::core::Timestamp;
use flowscope::output::{FlowRecord, RecordHeader};
use flowscope::record::Record;

use super::{Summary, Top, Totals};

/// What is gathered from all records, and written when there are no more.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Summary(Box<Summary>),
    Top(Box<Top>),
}

impl Answer {
    /// Whether session records are needed.
    pub(super) fn reads(&self) -> bool {
        match self {
            Answer::Summary(_) => true,
            Answer::Top(top) => top.reads(),
        }
    }

    pub(super) fn begin(&mut self, start: Timestamp) {
        match self {
            Answer::Summary(summary) => summary.begin(start),
            Answer::Top(_) => {}
        }
    }

    pub(super) fn flow(&mut self, record: &FlowRecord) {
        match self {
            Answer::Summary(summary) => summary.flow(record),
            Answer::Top(top) => top.flow(record),
        }
    }

    pub(super) fn said(&mut self, header: &RecordHeader, record: &impl Record) {
        match self {
            Answer::Summary(summary) => summary.said(header, record),
            Answer::Top(top) => top.said(header, record),
        }
    }

    /// Whether it contains the totals, so that they are not printed elsewhere.
    pub(super) fn has_totals(&self) -> bool {
        matches!(self, Answer::Summary(_))
    }

    /// What is not exact, if that is not part of the answer.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Answer::Summary(_) => None,
            Answer::Top(top) => top.note(),
        }
    }

    pub(super) fn end(&self, totals: &Totals, out: &mut Vec<u8>) {
        match self {
            Answer::Summary(summary) => summary.end(totals, out),
            Answer::Top(top) => top.end(out),
        }
    }
}
