//! The columns of an exchange. EVE has those of Suricata's `http`, with an object `http2`; the log of Zeek's is flowscope's own.

use flowscope_files::record as files;
use flowscope_record::{Column, Kind, Schema, Value, ZeekType, amount, span, wire_text};

use crate::{Http2Exchange, Http2Outcome, Http2Request, Http2Response, error_name};

type C = Column<Http2Exchange>;
type X = Http2Exchange;

/// The columns of an exchange.
pub static HTTP2: Schema<Http2Exchange> = Schema {
    eve_event: "http",
    summary,
    columns: &[
        C::new(
            "stream_id",
            Kind::U64,
            |x| x.stream_id.into(),
            "Identifier of the stream (RFC 9113 §5.1.1). EVE has it in the object `http2`.",
        )
        .zeek(0, "stream_id", ZeekType::Count),
        C::new(
            "method",
            Kind::Bytes,
            |x| request(x, Http2Request::method),
            "Method of the request (RFC 9113 §8.3.1).",
        )
        .eve("http.http_method")
        .zeek(1, "method", ZeekType::String),
        C::new(
            "hostname",
            Kind::Bytes,
            |x| request(x, Http2Request::authority),
            "Whom the request asks: `:authority`, else the Host field (RFC 9113 §8.3.1).",
        )
        .eve("http.hostname")
        .zeek(2, "host", ZeekType::String),
        C::new(
            "url",
            Kind::Bytes,
            |x| request(x, Http2Request::path),
            "Path of the request with its query, as sent, up to 2048 bytes (RFC 9113 §8.3.1).",
        )
        .eve("http.url")
        .zeek(3, "uri", ZeekType::String),
        C::new(
            "user_agent",
            Kind::Bytes,
            |x| request(x, Http2Request::user_agent),
            "User-Agent field of the request, up to 512 bytes (RFC 9110 §10.1.5).",
        )
        .eve("http.http_user_agent")
        .zeek(6, "user_agent", ZeekType::String),
        C::new(
            "referrer",
            Kind::Bytes,
            |x| request(x, Http2Request::referer),
            "Referer field of the request, up to 512 bytes (RFC 9110 §10.1.3).",
        )
        .eve("http.http_refer")
        .zeek(5, "referrer", ZeekType::String),
        C::new(
            "version",
            Kind::Text,
            |_| "2".into(),
            "Version of HTTP: 2.",
        )
        .eve("http.version"),
        C::new(
            "status",
            Kind::U64,
            |x| Value::some(x.response.as_ref().and_then(Http2Response::status)),
            "Status code of the final response (RFC 9113 §8.3.2).",
        )
        .eve("http.status")
        .zeek(10, "status_code", ZeekType::Count),
        C::new(
            "content_type",
            Kind::Bytes,
            |x| response(x, Http2Response::content_type),
            "Content-Type field of the response, up to 256 bytes (RFC 9110 §8.3).",
        )
        .eve("http.http_content_type")
        .zeek(11, "content_type", ZeekType::String),
        C::new(
            "redirect",
            Kind::Bytes,
            |x| response(x, Http2Response::location),
            "Location field of the response, up to 512 bytes (RFC 9110 §10.2.2).",
        )
        .eve("http.redirect"),
        C::new(
            "length",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(|_| x.response_body.len)),
            "Captured bytes of the response's content, without padding (RFC 9113 §6.1).",
        )
        .eve("http.length"),
        C::new(
            "reset",
            Kind::Text,
            |x| Value::some(x.reset.map(|(_, code)| error(code))),
            "Error with which a side reset the stream, by its name or number (RFC 9113 §6.4, §7). EVE has an object `http2` \
             with `stream_id` and, in `request` or `response`, the error of client or server.",
        )
        .eve_as("http.http2", http2)
        .zeek(14, "reset", ZeekType::String),
        C::new(
            "reset_by",
            Kind::Text,
            |x| Value::some(x.reset.map(|(side, _)| if side == x.client { "client" } else { "server" })),
            "Who reset the stream: client or server (RFC 9113 §6.4).",
        )
        .zeek(15, "reset_by", ZeekType::String),
        C::new(
            "request_mime_type",
            Kind::Text,
            |x| files::mime_type(x.request_file.as_deref()),
            "Media type of the request's content by its first bytes, content coding as sent. With --file-info. Zeek has a \
             vector of it. EVE has this, the next three and `request_files` in a list `files`, an object for each content and \
             file: filename, direction, mime_type, sha256, size, gaps, state, and as tx_id the stream.",
        )
        .eve_as("files", |x| {
            let (request, response) = (x.request_file.as_deref(), x.response_file.as_deref());
            let form = x.request_form.as_deref();
            files::exchange_with_form(request, response, form, x.stream_id.into())
        })
        .zeek_as(17, "orig_mime_types", ZeekType::VectorOfString, |x| {
            files::mime_types(x.request_file.as_deref())
        }),
        C::new(
            "request_sha256",
            Kind::Text,
            |x| files::sha256(x.request_file.as_deref()),
            "SHA-256 (FIPS 180-4) of the request's content, content coding as sent, if all of it was captured. With --file-info.",
        ),
        C::new(
            "response_mime_type",
            Kind::Text,
            |x| files::mime_type(x.response_file.as_deref()),
            "Media type of the response's content by its first bytes, content coding as sent. With --file-info. Zeek has a vector \
             of it.",
        )
        .zeek_as(18, "resp_mime_types", ZeekType::VectorOfString, |x| {
            files::mime_types(x.response_file.as_deref())
        }),
        C::new(
            "response_sha256",
            Kind::Text,
            |x| files::sha256(x.response_file.as_deref()),
            "SHA-256 (FIPS 180-4) of the response's content, content coding as sent, if all of it was captured. With --file-info.",
        ),
        C::new(
            "request_files",
            Kind::List(&files::FILE),
            |x| x.request_form.as_ref().map_or(Value::Null, |form| form.objects(x.stream_id.into())),
            "The files in the request's content where it is a form, the first 64: parts with the name of a file (RFC 7578 §4.2). \
             The type is that of the first bytes; there is a SHA-256 (FIPS 180-4) if all was captured. With --file-info.",
        ),
        C::new(
            "more_request_files",
            Kind::U64,
            |x| Value::some(x.request_form.as_ref().map(|form| form.more_files).filter(|&n| n > 0)),
            "Number of files beyond those, if any. With --file-info.",
        )
        .eve("flowscope.more_request_files"),
        C::new(
            "scheme",
            Kind::Bytes,
            |x| request(x, Http2Request::scheme),
            "Scheme of the request (RFC 9113 §8.3.1).",
        )
        .eve("flowscope.scheme")
        .zeek(4, "scheme", ZeekType::String),
        C::new(
            "origin",
            Kind::Bytes,
            |x| request(x, Http2Request::origin),
            "Origin field of the request (RFC 6454 §7).",
        )
        .zeek(7, "origin", ZeekType::String),
        C::new(
            "request_content_type",
            Kind::Bytes,
            |x| request(x, Http2Request::content_type),
            "Content-Type field of the request, up to 256 bytes (RFC 9110 §8.3).",
        )
        .eve("flowscope.request_content_type"),
        C::new(
            "connect_protocol",
            Kind::Bytes,
            |x| request(x, Http2Request::protocol),
            "Protocol that an extended CONNECT asks for (RFC 8441 §4).",
        )
        .eve("flowscope.connect_protocol"),
        C::new(
            "grpc_method",
            Kind::Bytes,
            |x| request(x, Http2Request::grpc_method),
            "Service and method of a gRPC call.",
        )
        .eve("flowscope.grpc_method")
        .zeek(12, "grpc_method", ZeekType::String),
        C::new(
            "grpc_status",
            Kind::U64,
            |x| Value::some(x.grpc_status),
            "Status of a gRPC call, from the trailers or the response: 0 is success.",
        )
        .eve("flowscope.grpc_status")
        .zeek(13, "grpc_status", ZeekType::Count),
        C::new(
            "grpc_message",
            Kind::Bytes,
            |x| Value::some(x.grpc_message.as_deref()),
            "What the server says of that status, as sent, up to 256 bytes.",
        )
        .eve("flowscope.grpc_message"),
        C::new(
            "pushed",
            Kind::Bool,
            |x| Value::flag(x.is_pushed),
            "The server promised the response before it was asked for (RFC 9113 §8.4).",
        )
        .eve("flowscope.pushed"),
        C::new(
            "goaway",
            Kind::Text,
            |x| Value::some(x.goaway.map(error)),
            "Error with which the connection was closed before the stream was over, or NO_ERROR if it came too late to be \
             served (RFC 9113 §6.8).",
        )
        .eve("flowscope.goaway")
        .zeek(16, "goaway", ZeekType::String),
        C::new(
            "outcome",
            Kind::Text,
            |x| outcome(x.outcome).into(),
            "How it went: answered, cut, unanswered or orphan.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "partial_headers",
            Kind::Bool,
            |x| {
                let request = x.request.as_ref().is_some_and(Http2Request::is_partial);
                Value::flag(request || x.response.as_ref().is_some_and(Http2Response::is_partial))
            },
            "Some header fields are not known, since bytes that define them were not captured (RFC 7541 §2.3).",
        )
        .eve("flowscope.partial_headers"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "Seconds from the end of the request to the end of the response's header fields; from the end of the request's \
             header fields if the response came first.",
        )
        .eve("flowscope.latency"),
        C::new(
            "request_header_bytes",
            Kind::U64,
            |x| Value::some(x.request.as_ref().map(Http2Request::header_bytes)),
            "Size of the request's header fields before compression (RFC 9113 §6.5.2).",
        )
        .eve("flowscope.request_header_bytes"),
        C::new(
            "response_header_bytes",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(Http2Response::header_bytes)),
            "Size of the response's header fields before compression (RFC 9113 §6.5.2).",
        )
        .eve("flowscope.response_header_bytes"),
        C::new(
            "request_body_bytes",
            Kind::U64,
            |x| x.request_body.len.into(),
            "Captured bytes of the request's content, without padding (RFC 9113 §6.1). Zeek counts those that were not \
             captured too.",
        )
        .eve("flowscope.request_body_bytes")
        .zeek_as(8, "request_body_len", ZeekType::Count, |x| {
            (x.request_body.len + x.request_body.missing).into()
        }),
        C::new(
            "response_body_bytes",
            Kind::U64,
            |x| x.response_body.len.into(),
            "Captured bytes of the response's content, without padding (RFC 9113 §6.1). Zeek counts those that were not \
             captured too.",
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
            "Bytes of both contents that passed but were not captured, if any.",
        )
        .eve("flowscope.missing_bytes"),
    ],
    ..Schema::new("http2", |x| x.ts)
};

fn request<'a>(x: &'a X, get: fn(&Http2Request) -> Option<&[u8]>) -> Value<'a> {
    Value::some(x.request.as_ref().and_then(get))
}

fn response<'a>(x: &'a X, get: fn(&Http2Response) -> Option<&[u8]>) -> Value<'a> {
    Value::some(x.response.as_ref().and_then(get))
}

/// The name of an error, or its number.
fn error(code: u32) -> Value<'static> {
    error_name(code).map_or_else(|| Value::short(code), Value::from)
}

fn http2(x: &X) -> Value<'_> {
    let mut members = vec![("stream_id", x.stream_id.into())];
    if let Some((side, code)) = x.reset {
        let of = if side == x.client { "request" } else { "response" };
        members.push((of, Value::Object(vec![("error_code", error(code))])));
    }
    Value::Object(members)
}

fn outcome(outcome: Http2Outcome) -> &'static str {
    match outcome {
        Http2Outcome::Answered => "answered",
        Http2Outcome::Cut => "cut",
        Http2Outcome::Unanswered => "unanswered",
        Http2Outcome::Orphan => "orphan",
    }
}

/// `GET example.com/index.html -> 200 5B text/html in 12ms`, for tables.
fn summary(x: &X, out: &mut String) {
    match &x.request {
        Some(request) => {
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| wire_text(bytes).into_owned());
            out.push_str(&text(request.method()).unwrap_or_else(|| "?".to_owned()));
            out.push(' ');
            out.push_str(&text(request.authority()).unwrap_or_default());
            out.push_str(&text(request.path()).unwrap_or_default());
        }
        None => out.push_str("(no request)"),
    }
    match &x.response {
        Some(response) => {
            match response.status() {
                Some(status) => out.push_str(&format!(" -> {status}")),
                None => out.push_str(" -> ?"),
            }
            let cut = if x.response_body.is_complete { "" } else { "+" };
            out.push_str(&format!(" {}{cut}B", amount(x.response_body.len)));
            if let Some(kind) = response.content_type() {
                out.push_str(&format!(" {}", wire_text(kind)));
            }
        }
        None => out.push_str(" -> (no response)"),
    }
    if let Some(status) = x.grpc_status {
        out.push_str(&format!(" grpc-status {status}"));
    }
    if let Some(latency) = x.latency {
        out.push_str(&format!(" in {}", span(latency)));
    }
    files::note(out, "request", x.request_file.as_deref());
    if let Some(form) = &x.request_form {
        form.note(out);
    }
    files::note(out, "response", x.response_file.as_deref());
    if let Some((side, code)) = x.reset {
        let who = if side == x.client { "client" } else { "server" };
        match error_name(code) {
            Some(name) => out.push_str(&format!(" [reset by {who}: {name}]")),
            None => out.push_str(&format!(" [reset by {who}: {code}]")),
        }
    }
    if x.is_pushed {
        out.push_str(" [pushed]");
    }
}
