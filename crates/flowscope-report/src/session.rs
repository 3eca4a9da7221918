//! What a page needs of a session record.

use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_extract::Endpoint;
use flowscope_output::RecordHeader;
use flowscope_record::{Record, Schema, Visitor};

use crate::{SessionFacts, SessionFailure};

/// A session record in a few words.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) flow_id: u64,
    pub(crate) start: Timestamp,
    /// When the record was complete.
    pub(crate) end: Timestamp,
    pub(crate) latency: Option<Duration>,
    pub(crate) protocol: &'static str,
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) summary: String,
    /// As in [`NAMES`].
    pub(crate) names: [Option<String>; NAMES.len()],
    /// Why it failed, if it did.
    pub(crate) failed: Option<String>,
}

/// What the [names](SessionFacts::names) are.
pub(crate) const NAMES: [&str; 3] = ["TLS and QUIC (SNI)", "HTTP (Host)", "DNS queries"];

/// Characters of a summary that are kept.
const MAX_SUMMARY: usize = 160;

impl Session {
    /// Of a record that was complete at `end`.
    pub(crate) fn new(
        header: &RecordHeader,
        end: Timestamp,
        record: &impl Record,
        facts: SessionFacts,
    ) -> Self {
        let SessionFacts { names, failure, latency } = facts;
        let (protocol, start, summary) = record.visit(Glance);
        let (from, to) = header.endpoints();
        Session {
            flow_id: header.flow_id,
            start,
            end: end.max(start),
            latency,
            protocol,
            from,
            to,
            summary,
            names,
            failed: failure.map(SessionFailure::reason),
        }
    }
}

/// Protocol, start and summary of a record.
struct Glance;

impl Visitor for Glance {
    type Output = (&'static str, Timestamp, String);

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Self::Output {
        let mut summary = String::new();
        (schema.summary)(record, &mut summary);
        if let Some((end, _)) = summary.char_indices().nth(MAX_SUMMARY) {
            summary.truncate(end);
            summary.push('…');
        }
        (schema.name, (schema.time)(record), summary)
    }
}
