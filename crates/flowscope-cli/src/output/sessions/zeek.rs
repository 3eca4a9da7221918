//! Session records as Zeek's `http.log`, `ssl.log` and `dns.log`.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::dns::{self, DnsTransaction, Rcode};
use flowscope::http::{HttpExchange, Request, Response};
use flowscope::tls::{ClientHello, ServerHello, TlsHandshake, TlsVersion};

use super::super::zeek::{OrUnset, Seconds, Stamp, header, proto, uid};
use super::SessionRecord;
use crate::reading::{AppRecord, Selection};

/// The logs as one stream: a header comes whenever the next record is another log's than the one
/// before.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    current: Option<Log>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Log {
    Http,
    Ssl,
    Dns,
}

type Columns = &'static [(&'static str, &'static str)];

const HTTP: Columns = &[
    ("trans_depth", "count"),
    ("method", "string"),
    ("host", "string"),
    ("uri", "string"),
    ("referrer", "string"),
    ("version", "string"),
    ("user_agent", "string"),
    ("origin", "string"),
    ("request_body_len", "count"),
    ("response_body_len", "count"),
    ("status_code", "count"),
    ("status_msg", "string"),
];

const SSL: Columns = &[
    ("version", "string"),
    ("cipher", "string"),
    ("curve", "string"),
    ("server_name", "string"),
    ("resumed", "bool"),
    ("last_alert", "string"),
    ("next_protocol", "string"),
    ("established", "bool"),
    ("ja3", "string"),
    ("ja3s", "string"),
    ("ja4", "string"),
];

const DNS: Columns = &[
    ("proto", "enum"),
    ("trans_id", "count"),
    ("rtt", "interval"),
    ("query", "string"),
    ("qclass", "count"),
    ("qclass_name", "string"),
    ("qtype", "count"),
    ("qtype_name", "string"),
    ("rcode", "count"),
    ("rcode_name", "string"),
    ("AA", "bool"),
    ("TC", "bool"),
    ("RD", "bool"),
    ("RA", "bool"),
    ("Z", "count"),
    ("answers", "vector[string]"),
    ("TTLs", "vector[interval]"),
    ("rejected", "bool"),
];

impl Log {
    fn of(said: &AppRecord) -> Option<Log> {
        match said {
            AppRecord::Http(_) => Some(Log::Http),
            AppRecord::Tls(_) => Some(Log::Ssl),
            AppRecord::DnsPair(_) => Some(Log::Dns),
            AppRecord::Dns(_) | AppRecord::Raw(_) | AppRecord::Digest(_) => None,
        }
    }

    fn begin(self, start: Timestamp, out: &mut Vec<u8>) {
        let (path, columns) = match self {
            Log::Http => ("http", HTTP),
            Log::Ssl => ("ssl", SSL),
            Log::Dns => ("dns", DNS),
        };
        header(path, start, columns, out);
    }
}

impl Logs {
    /// Appends a record.
    pub(super) fn write(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        let Some(log) = Log::of(&record.said) else { return };
        if self.current != Some(log) {
            self.current = Some(log);
            log.begin(record.ts, out);
        }
        let mut row = Row { out };
        let (orig, resp) = record.ends();
        row.plain(Seconds(record.ts.as_nanos()));
        row.plain(uid(record.id).as_str());
        row.plain(orig.addr);
        row.plain(orig.port.unwrap_or(0));
        row.plain(resp.addr);
        row.plain(resp.port.unwrap_or(0));
        match &record.said {
            AppRecord::Http(exchange) => http(exchange, &mut row),
            AppRecord::Tls(handshake) => ssl(handshake, &mut row),
            AppRecord::DnsPair(pair) => {
                row.plain(proto(record.proto()));
                dns(pair, &mut row);
            }
            AppRecord::Dns(_) | AppRecord::Raw(_) | AppRecord::Digest(_) => {}
        }
        row.end();
    }

    /// Appends the last line; where there was no record, the header of the log that was asked for.
    pub(super) fn end(&mut self, end: Timestamp, asked: Selection, out: &mut Vec<u8>) {
        if self.current.is_none() {
            let log = match asked {
                Selection { http: false, tls: true, dns: false, .. } => Log::Ssl,
                Selection { http: false, dns: true, .. } => Log::Dns,
                _ => Log::Http,
            };
            log.begin(end, out);
        }
        writeln!(out, "#close\t{}", Stamp(end)).expect("a vector takes all");
    }
}

/// A line that grows cell by cell.
struct Row<'a> {
    out: &'a mut Vec<u8>,
}

impl Row<'_> {
    /// A cell that needs no escaping.
    fn plain(&mut self, value: impl Display) {
        write!(self.out, "{value}\t").expect("a vector takes all");
    }

    fn flag(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"T\t" } else { b"F\t" });
    }

    fn unset(&mut self) {
        self.out.extend_from_slice(b"-\t");
    }

    /// Text from the wire; none is `-`.
    fn text(&mut self, text: Option<&[u8]>) {
        match text {
            None => self.out.push(b'-'),
            Some([]) => self.out.extend_from_slice(b"(empty)"),
            Some(b"-") => self.out.extend_from_slice(b"\\x2d"),
            Some(text) => escape(text, false, self.out),
        }
        self.out.push(b'\t');
    }

    /// A vector; an empty one is `-`.
    fn list(&mut self, items: impl Iterator<Item = String>) {
        let start = self.out.len();
        for item in items {
            if self.out.len() > start {
                self.out.push(b',');
            }
            escape(item.as_bytes(), true, self.out);
        }
        if self.out.len() == start {
            self.out.push(b'-');
        }
        self.out.push(b'\t');
    }

    fn end(self) {
        if let Some(tab) = self.out.last_mut() {
            *tab = b'\n';
        }
    }
}

/// Appends text as Zeek's ASCII writer does: what is not printable ASCII as `\xNN`, and so the
/// backslash, and the comma within a vector.
fn escape(text: &[u8], in_list: bool, out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\x5c"),
            b',' if in_list => out.extend_from_slice(b"\\x2c"),
            b' '..=b'~' => out.push(*byte),
            _ => write!(out, "\\x{byte:02x}").expect("a vector takes all"),
        }
    }
}

fn http(exchange: &HttpExchange, row: &mut Row<'_>) {
    row.plain(exchange.id + 1);
    let request = exchange.request.as_ref();
    row.text(request.map(|request| request.method().as_bytes()));
    row.text(request.and_then(Request::host));
    row.text(request.map(Request::target));
    row.text(request.and_then(|request| request.header("referer")));
    let response = exchange.response.as_ref();
    let version = request.map(Request::version).or(response.map(Response::version));
    row.plain(OrUnset(version.map(|version| format!("{}.{}", version.major, version.minor))));
    row.text(request.and_then(|request| request.header("user-agent")));
    row.text(request.and_then(|request| request.header("origin")));
    row.plain(exchange.request_body.len);
    row.plain(exchange.response_body.len);
    row.plain(OrUnset(response.map(Response::status)));
    row.text(response.map(Response::reason));
}

fn ssl(handshake: &TlsHandshake, row: &mut Row<'_>) {
    let (client, server) = (handshake.client_hello.as_ref(), handshake.server_hello.as_ref());
    row.plain(OrUnset(handshake.version().map(version)));
    row.plain(OrUnset(server.map(|hello| Hex(hello.cipher()))));
    row.plain(OrUnset(server.and_then(ServerHello::key_share).map(Hex)));
    row.text(handshake.server_name());
    match handshake.resumed {
        Some(resumed) => row.flag(resumed),
        None => row.unset(),
    }
    let alert = handshake.alert.as_ref();
    row.plain(OrUnset(alert.map(|alert| match alert.name() {
        Some(name) => name.to_owned(),
        None => format!("unknown-{}", alert.description),
    })));
    row.text(handshake.server_alpn());
    row.flag(handshake.outcome == flowscope::tls::TlsOutcome::Completed);
    let hash =
        |ja3: Option<flowscope::tls::Ja3>| OrUnset(ja3.map(|ja3| ja3.hash.as_str().to_owned()));
    row.plain(hash(client.and_then(ClientHello::ja3)));
    row.plain(hash(server.and_then(ServerHello::ja3s)));
    row.text(client.and_then(ClientHello::ja4).as_ref().map(|ja4| ja4.as_str().as_bytes()));
}

/// A version as Zeek writes it.
fn version(version: TlsVersion) -> String {
    match version {
        TlsVersion::SSL_2 => "SSLv2".into(),
        TlsVersion::SSL_3 => "SSLv3".into(),
        TlsVersion::TLS_1_0 => "TLSv10".into(),
        TlsVersion::TLS_1_1 => "TLSv11".into(),
        TlsVersion::TLS_1_2 => "TLSv12".into(),
        _ => match version.draft() {
            Some(draft) => format!("TLSv13-draft{draft}"),
            None if version.is_tls13() => "TLSv13".into(),
            None => format!("unknown-{}", version.0),
        },
    }
}

/// A number that stands for a cipher suite or a group.
struct Hex(u16);

impl Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

fn dns(pair: &DnsTransaction, row: &mut Row<'_>) {
    let (query, response) = (pair.query.as_ref(), pair.response.as_ref());
    let Some(either) = query.or(response) else { return };
    row.plain(either.id());
    row.plain(OrUnset(pair.latency.map(Interval)));
    let question = either.questions().first();
    row.text(question.map(|question| question.name().to_string()).as_ref().map(String::as_bytes));
    row.plain(OrUnset(question.map(|question| question.class().0)));
    row.plain(OrUnset(question.map(|question| match question.class().mnemonic() {
        Some("IN") => "C_INTERNET".to_owned(),
        Some(name) => name.to_owned(),
        None => format!("qclass-{}", question.class().0),
    })));
    row.plain(OrUnset(question.map(|question| question.rtype().0)));
    row.plain(OrUnset(question.map(dns::Question::rtype)));
    row.plain(OrUnset(response.map(|response| response.rcode().0)));
    row.plain(OrUnset(response.map(dns::DnsMessage::rcode)));
    row.flag(response.is_some_and(|response| response.header.authoritative()));
    row.flag(response.or(query).is_some_and(|message| message.header.truncated()));
    row.flag(query.or(response).is_some_and(|message| message.header.recursion_desired()));
    row.flag(response.is_some_and(|response| response.header.recursion_available()));
    row.plain(either.header.flags >> 4 & 7);
    let answers = response.map(dns::DnsMessage::answers).unwrap_or_default();
    row.list(answers.iter().map(|record| record.rdata().to_string()));
    row.list(answers.iter().map(|record| format!("{}.000000", record.ttl())));
    row.flag(response.is_some_and(|response| response.rcode() == Rcode::REFUSED));
}

/// A span of time in seconds with six decimals.
struct Interval(Duration);

impl Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}
