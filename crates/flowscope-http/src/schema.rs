//! How HTTP transactions are written: the columns, and what EVE, Zeek's `http.log` and tables show.

use std::borrow::Cow;
use std::fmt::Write;

use flowscope_files::record as files;
use flowscope_record::{
    Column, Kind, Record, Schema, Value, Visitor, ZeekType, amount, span, wire_text,
};

use crate::{HttpExchange, HttpOutcome, HttpVersion, Request, Response};

/// The columns of an [`HttpExchange`].
pub(crate) static SCHEMA: Schema<HttpExchange> = Schema {
    columns: &[
        C::new(
            "tx_id",
            Kind::U64,
            |x| x.id.into(),
            "Number of the transaction in its flow, from 0; in Zeek from 1.",
        )
        .eve("tx_id")
        .zeek_as(0, "trans_depth", ZeekType::Count, |x| (x.id + 1).into()),
        C::new(
            "method",
            Kind::Text,
            |x| Value::some(x.request.as_ref().map(Request::method)),
            "Method of the request (RFC 9110 §9).",
        )
        .eve("http.http_method")
        .zeek(1, "method", ZeekType::String),
        C::new(
            "hostname",
            Kind::Bytes,
            |x| Value::some(x.request.as_ref().and_then(Request::host)),
            "Host asked for: that of an absolute-form target, else the Host field (RFC 9112 §3.2). EVE has it \
             in lower case, without a port and without dots at its end.",
        )
        .eve_as("http.hostname", |x| {
            x.request.as_ref().and_then(Request::host_name).map_or(Value::Null, normal_host)
        })
        .zeek(2, "host", ZeekType::String),
        C::new(
            "http_port",
            Kind::U64,
            |x| Value::some(x.request.as_ref().and_then(Request::host_port)),
            "Port that the request names beside its host (RFC 9110 §4.2).",
        )
        .eve("http.http_port"),
        C::new(
            "url",
            Kind::Bytes,
            |x| Value::some(x.request.as_ref().map(Request::target)),
            "Request target as sent (RFC 9112 §3.2). Zeek has it with percent-encoded bytes decoded (RFC 3986 §2.1).",
        )
        .eve("http.url")
        .zeek_as(3, "uri", ZeekType::String, |x| {
            x.request.as_ref().map_or(Value::Null, |request| decoded(request.target()))
        }),
        C::new(
            "user_agent",
            Kind::Bytes,
            |x| request_field(x, "user-agent"),
            "User-Agent field of the request (RFC 9110 §10.1.5).",
        )
        .eve("http.http_user_agent")
        .zeek(6, "user_agent", ZeekType::String),
        C::new(
            "referrer",
            Kind::Bytes,
            |x| request_field(x, "referer"),
            "Referer field of the request (RFC 9110 §10.1.3).",
        )
        .eve("http.http_refer")
        .zeek(4, "referrer", ZeekType::String),
        C::new(
            "origin",
            Kind::Bytes,
            |x| request_field(x, "origin"),
            "Origin field of the request (RFC 6454 §7).",
        )
        .zeek(7, "origin", ZeekType::String),
        C::new(
            "protocol",
            Kind::Text,
            |x| version(x).map_or(Value::Null, protocol),
            "Version of the request, else of the response (RFC 9112 §2.3). Zeek has the number of the response's.",
        )
        .eve("http.protocol")
        .zeek_as(5, "version", ZeekType::String, |x| {
            x.response.as_ref().map_or(Value::Null, |response| {
                let version = response.version();
                Value::short(format_args!("{}.{}", version.major, version.minor))
            })
        }),
        C::new(
            "status",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(Response::status)),
            "Status code of the final response (RFC 9110 §15).",
        )
        .eve("http.status")
        .zeek(10, "status_code", ZeekType::Count),
        C::new(
            "reason",
            Kind::Bytes,
            |x| Value::some(x.response.as_ref().map(Response::reason)),
            "Reason phrase of the final response (RFC 9112 §4).",
        )
        .zeek(11, "status_msg", ZeekType::String),
        C::new(
            "content_type",
            Kind::Bytes,
            |x| response_field(x, "content-type"),
            "Content-Type field of the response (RFC 9110 §8.3). EVE has it without parameters.",
        )
        .eve_as("http.http_content_type", |x| match response_field(x, "content-type") {
            Value::Bytes(Cow::Borrowed(field)) => {
                Value::some(field.split(|byte| *byte == b';').next())
            }
            other => other,
        }),
        C::new(
            "redirect",
            Kind::Bytes,
            |x| response_field(x, "location"),
            "Location field of the response (RFC 9110 §10.2.2).",
        )
        .eve("http.redirect"),
        C::new(
            "length",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(|_| x.response_body.len)),
            "Captured bytes of the response's body, without chunk framing (RFC 9112 §6). EVE has 0 without a response.",
        )
        .eve_as("http.length", |x| x.response_body.len.into()),
        C::new(
            "request_mime_type",
            Kind::Text,
            |x| files::mime_type(x.request_file.as_deref()),
            "Media type of the request's body by its first bytes, content coding as sent. With --file-info. Zeek has a vector of it. EVE has this, the next three and `request_files` in a list `files`, an object for each body and file: filename, direction, mime_type, sha256, size, gaps, state, tx_id.",
        )
        .eve_as("files", |x| {
            let form = x.request_form.as_deref();
            files::exchange_with_form(x.request_file.as_deref(), x.response_file.as_deref(), form, x.id)
        })
        .zeek_as(12, "orig_mime_types", ZeekType::VectorOfString, |x| {
            files::mime_types(x.request_file.as_deref())
        }),
        C::new(
            "request_sha256",
            Kind::Text,
            |x| files::sha256(x.request_file.as_deref()),
            "SHA-256 (FIPS 180-4) of the request's body, without chunk framing, content coding as sent, if all of it was captured. With --file-info.",
        ),
        C::new(
            "response_mime_type",
            Kind::Text,
            |x| files::mime_type(x.response_file.as_deref()),
            "Media type of the response's body by its first bytes, content coding as sent. With --file-info. Zeek has a vector of it.",
        )
        .zeek_as(13, "resp_mime_types", ZeekType::VectorOfString, |x| {
            files::mime_types(x.response_file.as_deref())
        }),
        C::new(
            "response_sha256",
            Kind::Text,
            |x| files::sha256(x.response_file.as_deref()),
            "SHA-256 (FIPS 180-4) of the response's body, without chunk framing, content coding as sent, if all of it was captured. With --file-info.",
        ),
        C::new(
            "request_files",
            Kind::List(&files::FILE),
            |x| x.request_form.as_ref().map_or(Value::Null, |form| form.objects(x.id)),
            "The files in the request's body where it is a form, the first 64: parts with the name of a file (RFC 7578 §4.2). The \
             type is that of the first bytes; there is a SHA-256 (FIPS 180-4) if all was captured. With --file-info.",
        ),
        C::new(
            "more_request_files",
            Kind::U64,
            |x| Value::some(x.request_form.as_ref().map(|form| form.more_files).filter(|&n| n > 0)),
            "Number of files beyond those, if any. With --file-info.",
        )
        .eve("flowscope.more_request_files"),
        C::new(
            "outcome",
            Kind::Text,
            |x| outcome(x.outcome).into(),
            "How it went: answered, cut, tunnel, headless, unanswered, unpaired or orphan.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "pairing",
            Kind::Text,
            |x| Value::some(x.resumed.then_some("resumed")),
            "How request and response were paired, unless in order from the start: resumed, after a loss or from mid-stream, when the connection was in lockstep.",
        )
        .eve("flowscope.pairing"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "Seconds from the end of the request to the end of the response's head.",
        )
        .eve("flowscope.latency"),
        C::new(
            "request_body_bytes",
            Kind::U64,
            |x| Value::some(x.request.as_ref().map(|_| x.request_body.len)),
            "Captured bytes of the request's body, without chunk framing (RFC 9112 §6). Zeek has 0 without a request, and counts bytes that were not captured.",
        )
        .eve("flowscope.request_body_bytes")
        .zeek_as(8, "request_body_len", ZeekType::Count, |x| {
            (x.request_body.len + x.request_body.missing).into()
        }),
        C::new(
            "response_body_bytes",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(|_| x.response_body.len)),
            "Captured bytes of the response's body, without chunk framing (RFC 9112 §6). Zeek has 0 without a response, and counts bytes that were not captured.",
        )
        .eve("flowscope.response_body_bytes")
        .zeek_as(9, "response_body_len", ZeekType::Count, |x| {
            (x.response_body.len + x.response_body.missing).into()
        }),
        C::new(
            "missing_bytes",
            Kind::U64,
            |x| {
                let missing = x.request_body.missing + x.response_body.missing;
                Value::some((missing > 0).then_some(missing))
            },
            "Bytes of both bodies that passed but were not captured, if any.",
        )
        .eve("flowscope.missing_bytes"),
        C::new(
            "anomalies",
            Kind::List(&Kind::Text),
            |x| Value::list(x.anomalies.iter().map(|anomaly| anomaly.kind.slug())),
            "What recipients may read in more than one way, in the order found.",
        )
        .eve("flowscope.anomalies"),
    ],
    summary,
    ..Schema::new("http", |x| x.started)
};

impl Record for HttpExchange {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&SCHEMA, self)
    }
}

type C = Column<HttpExchange>;

/// `%XX` as the byte it stands for (RFC 3986 §2.1); what is no encoding stays as it is.
fn decoded(target: &[u8]) -> Value<'_> {
    if !target.contains(&b'%') {
        return target.into();
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let encoded = match (first, behind) {
            (b'%', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        bytes.push(match encoded {
            Some((high, low)) => {
                rest = &rest[2..];
                (high << 4 | low) as u8
            }
            None => first,
        });
    }
    bytes.into()
}

/// A host as Suricata has it: in lower case, without dots at its end.
fn normal_host(host: &[u8]) -> Value<'_> {
    let len = host.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    let host = &host[..len];
    if host.iter().any(u8::is_ascii_uppercase) {
        return host.to_ascii_lowercase().into();
    }
    host.into()
}

fn request_field<'a>(exchange: &'a HttpExchange, name: &str) -> Value<'a> {
    Value::some(exchange.request.as_ref().and_then(|request| request.header(name)))
}

fn response_field<'a>(exchange: &'a HttpExchange, name: &str) -> Value<'a> {
    Value::some(exchange.response.as_ref().and_then(|response| response.header(name)))
}

fn version(exchange: &HttpExchange) -> Option<HttpVersion> {
    let request = exchange.request.as_ref().map(Request::version);
    request.or(exchange.response.as_ref().map(Response::version))
}

fn protocol(version: HttpVersion) -> Value<'static> {
    match (version.major, version.minor) {
        (1, 1) => "HTTP/1.1".into(),
        (1, 0) => "HTTP/1.0".into(),
        _ => Value::short(version),
    }
}

fn outcome(outcome: HttpOutcome) -> &'static str {
    match outcome {
        HttpOutcome::Answered => "answered",
        HttpOutcome::Cut => "cut",
        HttpOutcome::Tunnel => "tunnel",
        HttpOutcome::SimpleResponse => "headless",
        HttpOutcome::Unanswered => "unanswered",
        HttpOutcome::Unpaired => "unpaired",
        HttpOutcome::Orphan => "orphan",
    }
}

/// `GET example.com/index.html -> 200 5B text/html in 12ms`.
fn summary(exchange: &HttpExchange, text: &mut String) {
    match &exchange.request {
        Some(request) => {
            let host = request.host().map(wire_text).unwrap_or_default();
            let target = wire_text(request.target());
            let host = if target.starts_with('/') { &*host } else { "" };
            let _ = write!(text, "{} {host}{target}", request.method());
        }
        None => text.push_str("(no request)"),
    }
    match &exchange.response {
        Some(response) => {
            let body = &exchange.response_body;
            let cut = if body.complete { "" } else { "+" };
            let _ = write!(text, " -> {} {}{cut}B", response.status(), amount(body.len));
            if let Some(kind) = response.header("content-type") {
                let _ = write!(text, " {}", wire_text(kind));
            }
        }
        None => text.push_str(" -> (no response)"),
    }
    if let Some(latency) = exchange.latency {
        let _ = write!(text, " in {}", span(latency));
    }
    files::note(text, "request", exchange.request_file.as_deref());
    if let Some(form) = &exchange.request_form {
        form.note(text);
    }
    files::note(text, "response", exchange.response_file.as_deref());
    for anomaly in &exchange.anomalies {
        let _ = write!(text, " [{}]", anomaly.kind.slug());
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::SessionParser;

    use super::*;
    use crate::HttpExchanges;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(SCHEMA.faults(), Vec::<String>::new());
    }

    /// What Zeek has in a field of the record of this exchange.
    fn zeek(request: &[u8], response: &[u8], field: &str) -> Value<'static> {
        let mut parser = HttpExchanges::default();
        parser.feed_initiator(request);
        let mut exchanges = parser.feed_responder(response);
        parser.end(&mut exchanges);
        let column = SCHEMA.columns.iter().find_map(|column| {
            column.zeek.as_ref().filter(|zeek| zeek.name == field).map(|zeek| (column, zeek))
        });
        let (column, zeek) = column.expect("there is such a field");
        match zeek.get.unwrap_or(column.get)(&exchanges[0]) {
            Value::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
            Value::Short(text) => Value::Short(text),
            Value::U64(number) => Value::U64(number),
            _ => Value::Null,
        }
    }

    #[test]
    fn the_version_of_zeek_is_the_response_s() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let check = |response: &[u8], expected| {
            assert_eq!(zeek(request, response, "version"), expected);
        };
        check(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Value::short("1.0"));
        check(b"", Value::Null);
    }

    #[test]
    fn eve_has_the_media_type_alone_and_always_a_length() {
        let eve = |response: &[u8], path: &str| {
            let mut parser = HttpExchanges::default();
            parser.feed_initiator(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut exchanges = parser.feed_responder(response);
            parser.end(&mut exchanges);
            let mut all = SCHEMA.columns.iter().filter_map(|column| column.eve.as_ref());
            let get = all.find(|eve| eve.path == path).and_then(|eve| eve.get).unwrap();
            match get(&exchanges[0]) {
                Value::Bytes(bytes) => String::from_utf8(bytes.into_owned()).unwrap(),
                Value::U64(number) => number.to_string(),
                other => format!("{other:?}"),
            }
        };
        let html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html;charset=x; y\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(eve(html, "http.http_content_type"), "text/html");
        assert_eq!(eve(html, "http.length"), "2");
        let plain = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(eve(plain, "http.http_content_type"), "text/plain");
        assert_eq!(eve(b"", "http.http_content_type"), "Null");
        assert_eq!(eve(b"", "http.length"), "0");
    }

    #[test]
    fn the_host_of_eve_is_normal() {
        let check = |host: &[u8], expected: &'static [u8]| {
            assert_eq!(normal_host(host), Value::from(expected));
        };
        check(b"www.example", b"www.example");
        check(b"WWW.Example..", b"www.example");
        check(b"[2001:DB8::1]", b"[2001:db8::1]");
        check(b"..", b"");
    }

    #[test]
    fn the_target_of_zeek_is_decoded() {
        let check = |target: &str, expected: &[u8]| {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let uri = zeek(request.as_bytes(), b"", "uri");
            assert_eq!(uri, Value::from(expected.to_vec()), "{target}");
        };
        check("/plain?a=b", b"/plain?a=b");
        check("/a%20b%2Fc%c3%A9", b"/a b/c\xc3\xa9");
        check("/100%", b"/100%");
        check("/%zz%4", b"/%zz%4");
        check("/%25%32%30", b"/%20");
    }

    #[test]
    fn lengths_of_zeek_count_what_was_not_captured() {
        let mut parser = HttpExchanges::default();
        parser.feed_initiator(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut exchanges =
            parser.feed_responder(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        parser.gap(flowscope_core::FlowSide::Responder, 5, &mut exchanges);
        exchanges.extend(parser.feed_responder(b"ij"));
        let length = SCHEMA.columns.iter().find(|column| column.name == "response_body_bytes");
        let length = length.expect("there is such a column");
        let zeek = length.zeek.as_ref().and_then(|zeek| zeek.get).expect("Zeek has its own");
        assert_eq!((length.get)(&exchanges[0]), Value::U64(5));
        assert_eq!(zeek(&exchanges[0]), Value::U64(10));
    }

    #[test]
    fn bytes_that_were_not_captured_are_those_of_both_bodies() {
        use flowscope_core::FlowSide::{Initiator, Responder};
        let mut parser = HttpExchanges::default();
        let mut exchanges = Vec::new();
        parser.feed_initiator(b"POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\nabcd");
        parser.gap(Initiator, 3, &mut exchanges);
        parser.feed_responder(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
        parser.gap(Responder, 5, &mut exchanges);
        exchanges.extend(parser.feed_responder(b"cd"));
        let column = |name: &str| {
            SCHEMA.columns.iter().find(|column| column.name == name).expect("there is one")
        };
        let zeek = |name: &str| {
            let zeek = column(name).zeek.as_ref().and_then(|zeek| zeek.get);
            zeek.expect("Zeek has its own")(&exchanges[0])
        };
        let own = |name: &str| (column(name).get)(&exchanges[0]);
        assert_eq!(own("missing_bytes"), Value::U64(8));
        assert_eq!(
            [own("request_body_bytes"), zeek("request_body_bytes")],
            [4_u8, 7].map(Value::from)
        );
        assert_eq!(
            [own("response_body_bytes"), zeek("response_body_bytes")],
            [4_u8, 9].map(Value::from)
        );
        // "trans_depth" begins with 1.
        assert_eq!([own("tx_id"), zeek("tx_id")], [0_u8, 1].map(Value::from));
    }

    #[test]
    fn a_summary_has_both_messages() {
        let mut parser = HttpExchanges::default();
        parser.feed_initiator(b"GET /i HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nhi";
        let exchanges = parser.feed_responder(response);
        let mut text = String::new();
        (SCHEMA.summary)(&exchanges[0], &mut text);
        assert_eq!(text, "GET a/i -> 200 2B text/html in 0s");
        // A target in absolute form has its host already.
        let mut parser = HttpExchanges::default();
        let mut exchanges = parser.feed_initiator(b"GET http://a/i HTTP/1.1\r\nHost: a\r\n\r\n");
        parser.end(&mut exchanges);
        text.clear();
        (SCHEMA.summary)(&exchanges[0], &mut text);
        assert_eq!(text, "GET http://a/i -> (no response)");
    }
}
