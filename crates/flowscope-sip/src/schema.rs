use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{SipFields, SipMedia, SipRequest, SipResponse, SipTransaction};

type C = Column<SipTransaction>;
type X = SipTransaction;

const MEDIUM: Kind = Kind::Object(&[
    ("type", Kind::Bytes),
    ("address", Kind::Bytes),
    ("port", Kind::U64),
    ("transport", Kind::Bytes),
]);

/// The columns of a transaction.
pub static SIP: Schema<SipTransaction> = Schema {
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new("id", Kind::U64, |x| x.id.into(), "Number of the transaction in its flow, from 0.")
            .eve("tx_id")
            .zeek(0, "trans_depth", ZeekType::Count),
        C::new(
            "method",
            Kind::Bytes,
            |x| Value::some(request(x).map(|it| it.method.as_slice())),
            "Method; none: the request was not captured, or this is another 2xx to an INVITE (RFC 3261 §7.1). In Zeek's log then that of CSeq.",
        )
        .eve("sip.method")
        .zeek_as(1, "method", ZeekType::String, |x| Value::some(method(x))),
        C::new(
            "uri",
            Kind::Bytes,
            |x| Value::some(request(x).map(|it| it.uri.as_slice())),
            "Request-URI, up to 256 bytes (RFC 3261 §7.1).",
        )
        .eve("sip.uri")
        .zeek(2, "uri", ZeekType::String),
        C::new("version", Kind::Text, |_| "SIP/2.0".into(), "Version (RFC 3261 §7.1).")
            .eve("sip.version"),
        C::new(
            "request_line",
            Kind::Bytes,
            |x| Value::some(request(x).map(request_line)),
            "Request-Line (RFC 3261 §7.1).",
        )
        .eve("sip.request_line"),
        C::new(
            "code",
            Kind::U64,
            |x| Value::some(response(x).map(|it| it.code)),
            "Status code of the final response, else of the last provisional one; EVE has text (RFC 3261 §7.2).",
        )
        .eve_as("sip.code", |x| Value::some(response(x).map(|it| Value::short(it.code))))
        .zeek(15, "status_code", ZeekType::Count),
        C::new(
            "reason",
            Kind::Bytes,
            |x| Value::some(response(x).map(|it| it.reason.as_slice())),
            "Reason phrase, up to 256 bytes (RFC 3261 §7.2).",
        )
        .eve("sip.reason")
        .zeek(16, "status_msg", ZeekType::String),
        C::new(
            "response_line",
            Kind::Bytes,
            |x| Value::some(response(x).map(response_line)),
            "Status-Line (RFC 3261 §7.2).",
        )
        .eve("sip.response_line"),
        C::new(
            "call_id",
            Kind::Bytes,
            |x| any(x, |fields| &fields.call_id),
            "Call-ID, which the transactions of a call share (RFC 3261 §20.8).",
        )
        .eve("flowscope.call_id")
        .zeek(9, "call_id", ZeekType::String),
        C::new(
            "cseq",
            Kind::Bytes,
            |x| any(x, |fields| &fields.cseq),
            "CSeq: number and method (RFC 3261 §20.16).",
        )
        .eve("flowscope.cseq")
        .zeek(10, "seq", ZeekType::String),
        C::new(
            "request_from",
            Kind::Bytes,
            |x| of_request(x, |fields| &fields.from),
            "From of the request, with its tag (RFC 3261 §20.20).",
        )
        .eve("flowscope.request_from")
        .zeek(4, "request_from", ZeekType::String),
        C::new(
            "request_to",
            Kind::Bytes,
            |x| of_request(x, |fields| &fields.to),
            "To of the request (RFC 3261 §20.39).",
        )
        .eve("flowscope.request_to")
        .zeek(5, "request_to", ZeekType::String),
        C::new(
            "response_from",
            Kind::Bytes,
            |x| of_response(x, |fields| &fields.from),
            "From of the response (RFC 3261 §20.20).",
        )
        .eve("flowscope.response_from")
        .zeek(6, "response_from", ZeekType::String),
        C::new(
            "response_to",
            Kind::Bytes,
            |x| of_response(x, |fields| &fields.to),
            "To of the response, with the tag of who answers (RFC 3261 §20.39).",
        )
        .eve("flowscope.response_to")
        .zeek(7, "response_to", ZeekType::String),
        C::new(
            "contact",
            Kind::Bytes,
            |x| of_request(x, |fields| &fields.contact),
            "First Contact of the request: where its sender is reached (RFC 3261 §20.10).",
        )
        .eve("flowscope.contact"),
        C::new(
            "reply_to",
            Kind::Bytes,
            |x| any(x, |fields| &fields.reply_to),
            "Reply-To (RFC 3261 §20.31).",
        )
        .eve("flowscope.reply_to")
        .zeek(8, "reply_to", ZeekType::String),
        C::new(
            "subject",
            Kind::Bytes,
            |x| any(x, |fields| &fields.subject),
            "Subject (RFC 3261 §20.36).",
        )
        .eve("flowscope.subject")
        .zeek(11, "subject", ZeekType::String),
        C::new("date", Kind::Bytes, |x| any(x, |fields| &fields.date), "Date (RFC 3261 §20.17).")
            .eve("flowscope.date")
            .zeek(3, "date", ZeekType::String),
        C::new(
            "user_agent",
            Kind::Bytes,
            |x| of_request(x, |fields| &fields.user_agent),
            "User-Agent of the request; in Zeek's log, without one, that of the response (RFC 3261 §20.41).",
        )
        .eve("flowscope.user_agent")
        .zeek_as(14, "user_agent", ZeekType::String, |x| any(x, |fields| &fields.user_agent)),
        C::new(
            "server",
            Kind::Bytes,
            |x| of_response(x, |fields| &fields.user_agent),
            "Server, or User-Agent, of the response (RFC 3261 §20.35).",
        )
        .eve("flowscope.server"),
        C::new(
            "warning",
            Kind::Bytes,
            |x| of_response(x, |fields| &fields.warning),
            "Warning of the response (RFC 3261 §20.43).",
        )
        .eve("flowscope.warning")
        .zeek(17, "warning", ZeekType::String),
        C::new(
            "content_type",
            Kind::Bytes,
            |x| of_request(x, |fields| &fields.content_type),
            "Content-Type of the request; in Zeek's log, without one, that of the response (RFC 3261 §20.15).",
        )
        .eve("flowscope.content_type")
        .zeek_as(20, "content_type", ZeekType::String, |x| any(x, |fields| &fields.content_type)),
        C::new(
            "request_path",
            Kind::List(&Kind::Bytes),
            |x| path(request(x).map(|it| &it.fields)),
            "Via of the request, the last hop first, at most 8 (RFC 3261 §20.42).",
        )
        .zeek(12, "request_path", ZeekType::VectorOfString),
        C::new(
            "response_path",
            Kind::List(&Kind::Bytes),
            |x| path(response(x).map(|it| &it.fields)),
            "Via of the response, at most 8 (RFC 3261 §20.42).",
        )
        .zeek(13, "response_path", ZeekType::VectorOfString),
        C::new(
            "request_body_len",
            Kind::U64,
            |x| Value::some(request(x).map(|it| it.fields.body_len)),
            "Length of the request's body, in bytes (RFC 3261 §20.14).",
        )
        .eve("flowscope.request_body_len")
        .zeek(18, "request_body_len", ZeekType::Count),
        C::new(
            "response_body_len",
            Kind::U64,
            |x| Value::some(response(x).map(|it| it.fields.body_len)),
            "Length of the response's body, in bytes (RFC 3261 §20.14).",
        )
        .eve("flowscope.response_body_len")
        .zeek(19, "response_body_len", ZeekType::Count),
        C::new(
            "request_media",
            Kind::List(&MEDIUM),
            |x| media(request(x).map(|it| &it.fields)),
            "Media in the request's SDP, at most 8: where its sender wants them (RFC 8866 §5.14).",
        )
        .eve("flowscope.request_media"),
        C::new(
            "response_media",
            Kind::List(&MEDIUM),
            |x| media(response(x).map(|it| &it.fields)),
            "Media in the response's SDP, at most 8; port 0 refuses one (RFC 8866 §5.14, RFC 3264 §6).",
        )
        .eve("flowscope.response_media"),
        C::new(
            "provisional",
            Kind::U64,
            |x| x.provisional.into(),
            "Provisional responses, codes below 200 (RFC 3261 §21.1).",
        )
        .eve("flowscope.provisional"),
        C::new(
            "retransmissions",
            Kind::U64,
            |x| x.retransmissions.into(),
            "Repetitions of the request (RFC 3261 §17.1.1.2).",
        )
        .eve("flowscope.retransmissions"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its final response, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("sip", |x| x.ts)
};

fn request(x: &X) -> Option<&SipRequest> {
    x.request.as_ref()
}

fn response(x: &X) -> Option<&SipResponse> {
    x.response.as_ref()
}

type Field = fn(&SipFields) -> &Option<Vec<u8>>;

fn of_request(x: &X, field: Field) -> Value<'_> {
    Value::some(request(x).and_then(|it| field(&it.fields).as_deref()))
}

fn of_response(x: &X, field: Field) -> Value<'_> {
    Value::some(response(x).and_then(|it| field(&it.fields).as_deref()))
}

/// A field of the request, or else of the response.
fn any(x: &X, field: Field) -> Value<'_> {
    match of_request(x, field) {
        Value::Null => of_response(x, field),
        value => value,
    }
}

/// The method of the request, or what the response says of it.
fn method(x: &X) -> Option<&[u8]> {
    request(x).map(|it| it.method.as_slice()).or_else(|| {
        let cseq = response(x)?.fields.cseq.as_deref()?;
        cseq.rsplit(u8::is_ascii_whitespace).next()
    })
}

fn request_line(request: &SipRequest) -> Vec<u8> {
    [&request.method, &b" "[..], &request.uri, b" SIP/2.0"].concat()
}

fn response_line(response: &SipResponse) -> Vec<u8> {
    let mut line = format!("SIP/2.0 {} ", response.code).into_bytes();
    line.extend_from_slice(&response.reason);
    line
}

fn path(fields: Option<&SipFields>) -> Value<'_> {
    Value::some(fields.map(|fields| Value::list(fields.via.iter().map(Vec::as_slice))))
}

fn media(fields: Option<&SipFields>) -> Value<'_> {
    match fields {
        Some(fields) if !fields.media.is_empty() => {
            Value::List(fields.media.iter().map(medium).collect())
        }
        _ => Value::Null,
    }
}

fn medium(medium: &SipMedia) -> Value<'_> {
    Value::Object(vec![
        ("type", medium.kind.as_slice().into()),
        ("address", Value::some(medium.address.as_deref())),
        ("port", medium.port.into()),
        ("transport", medium.transport.as_slice().into()),
    ])
}

/// `INVITE sip:bob@b.example → 200 OK`, for tables.
fn summary(x: &SipTransaction, out: &mut String) {
    if let Some(method) = method(x) {
        out.push_str(&wire_text(method));
        out.push(' ');
    }
    if let Some(request) = request(x) {
        out.push_str(&wire_text(&request.uri));
        out.push(' ');
    }
    match response(x) {
        Some(response) => {
            out.push_str(&format!("→ {} {}", response.code, wire_text(&response.reason)));
        }
        None if method(x) == Some(b"ACK") => {}
        None => out.push_str("→ (no response)"),
    }
}
