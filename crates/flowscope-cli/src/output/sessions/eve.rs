//! Session records as Suricata's EVE has them, one JSON object per line.

use flowscope::dns::{self, DnsKind, DnsMessage, Record};
use flowscope::http::{self, HttpExchange};
use flowscope::tls::{self, Ja3, TlsHandshake};

use super::super::eve::ends;
use super::super::json::{self, Json, Object};
use super::SessionRecord;
use crate::reading::AppRecord;
use crate::text::{Short, rfc3339, wire};

/// Appends the line of a record.
pub(super) fn write(record: &SessionRecord, out: &mut Vec<u8>) {
    json::line(out, |line| {
        line.put("timestamp", rfc3339(record.ts));
        line.put("flow_id", record.id);
        line.put("event_type", event_type(&record.said));
        ends(&record.key, record.orientation, line);
        line.put("community_id", Short::<32>::of(record.key.community_id(0)));
        line.list("vlan", record.vlans(), Json::write);
        said(&record.said, line);
        line.object("flowscope", |own| {
            extra(&record.said, own);
            own.put_true("ambiguous", record.ambiguous);
            own.list("tunnel", record.tunnels(), |(kind, id), out| {
                json::object(out, |tunnel| {
                    tunnel.put("type", kind);
                    tunnel.put("id", id);
                });
            });
        });
    });
}

/// The name of the object that says what was said.
pub(in crate::output) fn event_type(said: &AppRecord) -> &'static str {
    match said {
        AppRecord::Http(_) => "http",
        AppRecord::Tls(_) => "tls",
        AppRecord::Dns(_) | AppRecord::DnsPair(_) => "dns",
        AppRecord::Raw(_) | AppRecord::Digest(_) => "raw",
    }
}

/// Adds what was said, under Suricata's names.
pub(in crate::output) fn said(said: &AppRecord, line: &mut Object<'_>) {
    match said {
        AppRecord::Http(exchange) => {
            line.put("tx_id", exchange.id);
            line.object("http", |object| http(exchange, object));
        }
        AppRecord::Tls(handshake) => line.object("tls", |object| tls(handshake, object)),
        AppRecord::Dns(message) => line.object("dns", |object| dns(message, object)),
        AppRecord::DnsPair(pair) => {
            for message in pair.query.iter().chain(&pair.response) {
                line.object("dns", |object| dns(message, object));
            }
        }
        AppRecord::Raw(_) | AppRecord::Digest(_) => {}
    }
}

/// Adds what Suricata has no name for.
pub(in crate::output) fn extra(said: &AppRecord, own: &mut Object<'_>) {
    match said {
        AppRecord::Http(exchange) => {
            own.put("outcome", http_outcome(exchange.outcome));
            own.put_some("latency", exchange.latency.map(|latency| latency.as_secs_f64()));
            if exchange.request.is_some() {
                own.put("request_body_bytes", exchange.request_body.len);
            }
            if exchange.response.is_some() {
                own.put("response_body_bytes", exchange.response_body.len);
            }
            let missing = exchange.request_body.missing + exchange.response_body.missing;
            own.put_some("missing_bytes", (missing > 0).then_some(missing));
            own.list("anomalies", exchange.anomalies.iter(), |anomaly, out| {
                anomaly.kind.slug().write(out);
            });
        }
        AppRecord::Tls(handshake) => {
            own.put("outcome", tls_outcome(handshake.outcome));
            own.put_true("hello_retry", handshake.hello_retry);
            if let Some(alert) = &handshake.alert {
                own.put("alert", alert.description);
                own.put_some("alert_name", alert.name());
            }
            let count = |chain: &tls::CertificateChain| chain.certificates().count() as u64;
            own.put_some("certificates", handshake.server_certificates.as_ref().map(count));
        }
        AppRecord::Dns(message) => {
            own.put("from", if message.side.index() == 0 { "initiator" } else { "responder" });
            own.put("bytes", message.len);
            if message.rcode() != message.header.rcode() {
                own.put("extended_rcode", Short::<16>::of(message.rcode()));
            }
            own.put_some("defect", message.defect.map(defect));
        }
        AppRecord::DnsPair(_) | AppRecord::Raw(_) | AppRecord::Digest(_) => {}
    }
}

fn http(exchange: &HttpExchange, object: &mut Object<'_>) {
    let request = exchange.request.as_ref();
    let response = exchange.response.as_ref();
    if let Some(request) = request {
        object.put("http_method", request.method());
        object.put_some("hostname", request.host().map(wire).as_deref());
        object.put("url", &*wire(request.target()));
        let agent = request.header("user-agent").map(wire);
        object.put_some("http_user_agent", agent.as_deref());
        object.put_some("http_refer", request.header("referer").map(wire).as_deref());
    }
    let version = request.map(http::Request::version).or(response.map(http::Response::version));
    object.put_some("protocol", version.map(Short::<16>::of));
    if let Some(response) = response {
        object.put("status", response.status());
        let kind = response.header("content-type").map(wire);
        object.put_some("http_content_type", kind.as_deref());
        object.put_some("redirect", response.header("location").map(wire).as_deref());
        object.put("length", exchange.response_body.len);
    }
}

fn http_outcome(outcome: http::HttpOutcome) -> &'static str {
    match outcome {
        http::HttpOutcome::Answered => "answered",
        http::HttpOutcome::Cut => "cut",
        http::HttpOutcome::Tunnel => "tunnel",
        http::HttpOutcome::Headless => "headless",
        http::HttpOutcome::Unanswered => "unanswered",
        http::HttpOutcome::Unpaired => "unpaired",
        http::HttpOutcome::Orphan => "orphan",
        _ => "other",
    }
}

fn tls(handshake: &TlsHandshake, object: &mut Object<'_>) {
    object.put_some("sni", handshake.server_name().map(wire).as_deref());
    object.put_some("version", handshake.version().map(Short::<24>::of));
    if let Some(hello) = &handshake.client_hello {
        object.list("client_alpns", hello.alpn(), |name, out| wire(name).write(out));
    }
    object.list("server_alpns", handshake.server_alpn().into_iter(), |name, out| {
        wire(name).write(out);
    });
    let ja3 = |name, ja3: Option<Ja3>, object: &mut Object<'_>| {
        if let Some(ja3) = ja3 {
            object.object(name, |object| {
                object.put("hash", ja3.hash.as_str());
                object.put("string", ja3.string.as_str());
            });
        }
    };
    if let Some(hello) = &handshake.client_hello {
        ja3("ja3", hello.ja3(), object);
        if let Some(ja4) = hello.ja4() {
            object.put("ja4", ja4.as_str());
        }
    }
    if let Some(hello) = &handshake.server_hello {
        ja3("ja3s", hello.ja3s(), object);
    }
    object.put_some("session_resumed", handshake.resumed);
}

fn tls_outcome(outcome: tls::TlsOutcome) -> &'static str {
    match outcome {
        tls::TlsOutcome::Completed => "completed",
        tls::TlsOutcome::Failed => "failed",
        tls::TlsOutcome::OneSided => "one_sided",
        tls::TlsOutcome::Cut => "cut",
        _ => "other",
    }
}

fn dns(message: &DnsMessage, object: &mut Object<'_>) {
    let header = message.header;
    let response = message.kind() == DnsKind::Response;
    object.put("version", 3_u8);
    object.put("type", if response { "response" } else { "request" });
    object.put("id", header.id);
    object.put("flags", Short::<4>::of(format_args!("{:x}", header.flags)));
    object.put_true("qr", response);
    object.put_true("aa", header.authoritative());
    object.put_true("tc", header.truncated());
    object.put_true("rd", header.recursion_desired());
    object.put_true("ra", header.recursion_available());
    object.put("opcode", header.opcode().0);
    if response {
        object.put("rcode", Short::<16>::of(header.rcode()));
    }
    object.list("queries", message.questions().iter(), |question, out| {
        json::object(out, |query| {
            query.put("rrname", question.name().to_string().as_str());
            query.put("rrtype", Short::<16>::of(question.rtype()));
        });
    });
    object.list("answers", message.answers().iter(), resource);
    object.list("authorities", message.authorities().iter(), resource);
    object.list("additionals", message.additionals().iter(), resource);
}

fn resource(record: &Record, out: &mut Vec<u8>) {
    json::object(out, |object| {
        object.put("rrname", record.name().to_string().as_str());
        object.put("rrtype", Short::<16>::of(record.rtype()));
        object.put("ttl", record.ttl());
        object.put("rdata", record.rdata().to_string().as_str());
    });
}

fn defect(defect: dns::DnsDefect) -> &'static str {
    match defect {
        dns::DnsDefect::Cut => "cut",
        dns::DnsDefect::Malformed(_) => "malformed",
        dns::DnsDefect::RecordData => "record_data",
        dns::DnsDefect::MisplacedOpt => "misplaced_opt",
        dns::DnsDefect::TooManyRecords => "too_many_records",
        dns::DnsDefect::TooComplex => "too_complex",
        _ => "other",
    }
}
