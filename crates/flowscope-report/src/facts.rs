use std::time::Duration;

use flowscope_output::{RecordFields, RecordHeader};
use flowscope_record::{Record, Value};

use crate::{SessionFailure, key};

/// What a session record names, and how it failed: what records of different protocols are compared by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SessionFacts {
    /// The names that were asked for, each as a [key](crate::key()): the server name of TLS and QUIC, the host of HTTP, the query of
    /// DNS.
    pub names: [Option<String>; 3],
    /// How it failed, if it did.
    pub failure: Option<SessionFailure>,
    /// Time from the request to the response, or to the end of the handshake.
    pub latency: Option<Duration>,
}

/// Reads [`SessionFacts`] of records of any schema.
#[derive(Clone, Debug)]
pub struct SessionReader(RecordFields);

/// The fields that are looked at, the names first.
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

impl SessionReader {
    /// Creates a reader.
    #[must_use]
    pub fn new() -> Self {
        SessionReader(RecordFields::new(FIELDS.map(str::to_owned).to_vec()))
    }

    /// Reads a record.
    pub fn read(&mut self, header: &RecordHeader, record: &impl Record) -> SessionFacts {
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
        let unanswered = |outcome: &String| outcome == "timeout" || outcome == "flow_ended";
        let status = status.and_then(|status| status.parse().ok());
        let failure = rcode
            .filter(|rcode| rcode != "NOERROR")
            .map(SessionFailure::Dns)
            .or_else(|| outcome.filter(unanswered).map(|_| SessionFailure::DnsUnanswered))
            .or_else(|| status.filter(|it| (400..600).contains(it)).map(SessionFailure::Http))
            // That a side has closed is an alert too.
            .or_else(|| alert.filter(|alert| alert != "close_notify").map(SessionFailure::Tls));
        SessionFacts { names: [sni, host, query], failure, latency }
    }
}

impl Default for SessionReader {
    fn default() -> Self {
        SessionReader::new()
    }
}
