//! What a page needs of a session record.

use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_extract::Endpoint;
use flowscope_output::{RecordFields, RecordHeader};
use flowscope_record::{Record, Schema, Value, Visitor};

use crate::key;

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

/// What names are.
pub(crate) const NAMES: [&str; 3] = ["TLS and QUIC (SNI)", "HTTP (Host)", "DNS queries"];

/// The fields that are looked at, those of [`NAMES`] first.
const FIELDS: [&str; 8] = [
    "sni",
    "http.hostname",
    "dns.query",
    "dns.rcode",
    "dns.outcome",
    "http.status",
    "alert_name",
    "latency",
];

/// Characters of a summary that are kept.
const MAX_SUMMARY: usize = 160;

/// Reads session records.
#[derive(Clone, Debug)]
pub(crate) struct SessionReader(RecordFields);

impl SessionReader {
    pub(crate) fn new() -> Self {
        SessionReader(RecordFields::new(FIELDS.map(str::to_owned).to_vec()))
    }

    pub(crate) fn read(
        &mut self,
        header: &RecordHeader,
        end: Timestamp,
        record: &impl Record,
    ) -> Session {
        let mut texts: Vec<Option<String>> = Vec::with_capacity(FIELDS.len());
        let mut latency = None;
        self.0.values(header, record, &mut |value| {
            if let Value::Duration(time) = value {
                latency = Some(time);
            }
            texts.push(key(&value));
        });
        let mut texts = texts.into_iter();
        let [sni, host, query, rcode, outcome, status, alert] =
            [(); FIELDS.len() - 1].map(|()| texts.next().flatten());
        let (protocol, start, summary) = record.visit(Glance);
        let (from, to) = header.endpoints();
        let failed = rcode
            .filter(|rcode| rcode != "NOERROR")
            .or_else(|| {
                let unanswered = |outcome: &String| outcome == "timeout" || outcome == "flow_ended";
                outcome.filter(unanswered).map(|_| "unanswered".to_owned())
            })
            .or_else(|| {
                let is_error = |status: &String| matches!(status.parse(), Ok(400..600_u16));
                status.filter(is_error).map(|status| format!("status {status}"))
            })
            // That a side has closed is an alert too.
            .or_else(|| alert.filter(|alert| alert != "close_notify"));
        Session {
            flow_id: header.flow_id,
            start,
            end: end.max(start),
            latency,
            protocol,
            from,
            to,
            summary,
            names: [sni, host, query],
            failed,
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
