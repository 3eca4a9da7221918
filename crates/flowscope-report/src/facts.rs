use std::time::Duration;

use flowscope_output::{RecordFields, RecordHeader};
use flowscope_record::{Record, Value};

use crate::{SessionFailure, key};

/// What a session record names, and how it failed: what records of different protocols are compared by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SessionFacts {
    /// The names that were asked for, each as a [key](crate::key()): the server name of TLS and QUIC, the host of HTTP/1.x
    /// and HTTP/2, the query of DNS, mDNS and LLMNR.
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
const FIELDS: [&str; 10] = [
    "sni",
    "http.hostname",
    "http2.hostname",
    "query",
    "dns.rcode",
    "dns.outcome",
    "http.status",
    "http2.status",
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
        let [sni, host, host2, query, rcode, outcome, status, status2, alert] =
            [(); FIELDS.len() - 1].map(|()| texts.next().flatten());
        let unanswered = |outcome: &String| outcome == "timeout" || outcome == "flow_ended";
        let status = status.or(status2).and_then(|status| status.parse().ok());
        let failure = rcode
            .filter(|rcode| rcode != "NOERROR")
            .map(SessionFailure::Dns)
            .or_else(|| outcome.filter(unanswered).map(|_| SessionFailure::DnsUnanswered))
            .or_else(|| status.filter(|it| (400..600).contains(it)).map(SessionFailure::Http))
            // That a side has closed is an alert too.
            .or_else(|| alert.filter(|alert| alert != "close_notify").map(SessionFailure::Tls));
        SessionFacts { names: [sni, host.or(host2), query], failure, latency }
    }
}

impl Default for SessionReader {
    fn default() -> Self {
        SessionReader::new()
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::{L4Proto, Timestamp};
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::{Column, Kind, Schema, Visitor};

    use super::*;

    /// A request, as schemas of several protocols describe it.
    struct Exchange {
        schema: &'static Schema<Exchange>,
        host: &'static str,
        status: u64,
    }

    const COLUMNS: &[Column<Exchange>] = &[
        Column::new("hostname", Kind::Text, |x: &Exchange| x.host.into(), "A host."),
        Column::new("status", Kind::U64, |x: &Exchange| x.status.into(), "A status."),
    ];

    const QUERY: &[Column<Exchange>] =
        &[Column::new("query", Kind::Text, |x: &Exchange| x.host.into(), "A name.")];

    static HTTP: Schema<Exchange> =
        Schema { columns: COLUMNS, ..Schema::new("http", |_| Timestamp::ZERO) };
    static HTTP2: Schema<Exchange> =
        Schema { columns: COLUMNS, ..Schema::new("http2", |_| Timestamp::ZERO) };
    static DHCP: Schema<Exchange> =
        Schema { columns: COLUMNS, ..Schema::new("dhcp", |_| Timestamp::ZERO) };
    static MDNS: Schema<Exchange> =
        Schema { columns: QUERY, ..Schema::new("mdns", |_| Timestamp::ZERO) };

    impl Record for Exchange {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(self.schema, self)
        }
    }

    #[test]
    fn names_and_failures_are_those_of_all_that_asks() {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Tcp, ends.0, ends.1).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        let mut reader = SessionReader::new();
        let mut check = |schema, host, status, name: Option<&str>, failure| {
            let facts = reader.read(&header, &Exchange { schema, host, status });
            assert_eq!(facts.names, [None, name.map(str::to_owned), None], "{host} {status}");
            assert_eq!(facts.failure, failure, "{host} {status}");
        };
        check(&HTTP, "one.test", 404, Some("one.test"), Some(SessionFailure::Http(404)));
        check(&HTTP2, "two.test", 503, Some("two.test"), Some(SessionFailure::Http(503)));
        check(&HTTP2, "", 200, Some(""), None);
        check(&DHCP, "laptop", 404, None, None);
        let asked = Exchange { schema: &MDNS, host: "printer.local", status: 0 };
        let facts = reader.read(&header, &asked);
        assert_eq!(facts.names, [None, None, Some("printer.local".to_owned())]);
    }
}
