//! Session records in lines for reading.

use std::fmt::Write as _;
use std::io::Write;

use flowscope::dns::{DnsKind, DnsMessage};
use flowscope::http::HttpExchange;
use flowscope::tls::{ClientHello, TlsHandshake};

use super::SessionRecord;
use crate::reading::AppRecord;
use crate::text::{amount, rfc3339, terminal, wire};

/// A line per record: time, protocol, who with whom, and what was said, which may be long.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    begun: bool,
}

/// Room for two IPv4 ends; where there is IPv6, a line sticks out.
const END: usize = 21;

impl Table {
    /// Appends a record.
    pub(super) fn write(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        self.begin(out);
        let start = rfc3339(record.ts);
        let (start, _) = start.as_str().split_once('.').unwrap_or_default();
        let (initiator, responder) = record.ends();
        let (kind, said) = match &record.said {
            AppRecord::Http(exchange) => ("http", http(exchange)),
            AppRecord::Tls(handshake) => ("tls", tls(handshake)),
            AppRecord::Dns(message) => ("dns", dns(message)),
            AppRecord::DnsPair(_) | AppRecord::Raw(_) | AppRecord::Digest(_) => return,
        };
        let (initiator, responder) = (initiator.to_string(), responder.to_string());
        let start = start.replace('T', " ");
        let said = terminal(&said);
        let said = said.trim_end();
        writeln!(out, "{start} {kind:<4} {initiator:<END$} {responder:<END$} {said}")
            .expect("a vector takes all");
    }

    /// Appends what comes last.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            writeln!(
                out,
                "{:<19} {:<4} {:<END$} {:<END$} SAID",
                "TIME", "WHAT", "INITIATOR", "RESPONDER"
            )
            .expect("a vector takes all");
        }
    }
}

fn http(exchange: &HttpExchange) -> String {
    let mut text = String::new();
    match &exchange.request {
        Some(request) => {
            let host = request.host().map(wire).unwrap_or_default();
            let target = wire(request.target());
            let host = if target.starts_with('/') { &*host } else { "" };
            let _ = write!(text, "{} {host}{target}", request.method());
        }
        None => text.push_str("(no request)"),
    }
    match &exchange.response {
        Some(response) => {
            let body = &exchange.response_body;
            let cut = if body.complete { "" } else { "+" };
            let _ = write!(text, " -> {} {}{cut}B", response.status(), amount(body.len).as_str());
            if let Some(kind) = response.header("content-type") {
                let _ = write!(text, " {}", wire(kind));
            }
        }
        None => text.push_str(" -> (no response)"),
    }
    for anomaly in &exchange.anomalies {
        let _ = write!(text, " [{}]", anomaly.kind.slug());
    }
    text
}

fn tls(handshake: &TlsHandshake) -> String {
    let mut text = match handshake.server_name() {
        Some(name) => wire(name).into_owned(),
        None if handshake.client_hello.is_some() => "(no name)".into(),
        None => "(no client hello)".into(),
    };
    match handshake.version() {
        Some(version) => {
            let _ = write!(text, " {version}");
        }
        None => text.push_str(" (no server hello)"),
    }
    let offered = handshake.client_hello.iter().flat_map(ClientHello::alpn);
    match handshake.server_alpn() {
        Some(chosen) => {
            let _ = write!(text, " {}", wire(chosen));
        }
        None => {
            for (at, name) in offered.enumerate() {
                let _ = write!(text, "{}{}", if at == 0 { " " } else { "," }, wire(name));
            }
        }
    }
    if let Some(ja4) = handshake.client_hello.as_ref().and_then(ClientHello::ja4) {
        let _ = write!(text, " {}", ja4.as_str());
    }
    if let Some(alert) = &handshake.alert {
        match alert.name() {
            Some(name) => {
                let _ = write!(text, " [{name}]");
            }
            None => {
                let _ = write!(text, " [alert {}]", alert.description);
            }
        }
    }
    text
}

fn dns(message: &DnsMessage) -> String {
    let mut text = String::new();
    let response = message.kind() == DnsKind::Response;
    if response {
        let _ = write!(text, "{} {}", message.id(), message.rcode());
    } else {
        let _ = write!(text, "{} {}?", message.id(), message.opcode());
    }
    for question in message.questions() {
        let _ = write!(text, " {} {}", question.name(), question.rtype());
    }
    for (at, record) in message.answers().iter().enumerate() {
        let between = if at == 0 { " ->" } else { "," };
        let _ = write!(text, "{between} {}", record.rdata());
    }
    if message.defect.is_some() {
        text.push_str(" [malformed]");
    }
    text
}
