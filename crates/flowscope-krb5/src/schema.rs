use flowscope_record::{Column, Kind, Schema, Value, ZeekService, ZeekType, wire_text};

use crate::{Krb5Encryption, Krb5Exchange, Krb5MessageType, Krb5Options};

type C = Column<Krb5Exchange>;
type X = Krb5Exchange;

/// The columns of an exchange. EVE has Suricata's `krb5`, Zeek's `kerberos.log` a line for each request for a ticket.
pub static KRB5: Schema<Krb5Exchange> = Schema {
    zeek_log: "kerberos",
    zeek_service: Some(ZeekService { tcp: "krb_tcp", udp: "krb" }),
    sender: Some(|x| x.side),
    zeek_rows: Some(tickets),
    summary,
    columns: &[
        C::new(
            "msg_type",
            Kind::Text,
            |x| name(x.response.or(x.request)),
            "Type of the answer by name, else of the request: KRB_AS_REP, KRB_TGS_REP, KRB_ERROR and so on (RFC 4120 §7.5.7).",
        )
        .eve("krb5.msg_type"),
        C::new(
            "request",
            Kind::Text,
            |x| name(x.request),
            "Type of the request by name; none: it was not captured (RFC 4120 §7.5.7). In EVE only of one that has failed, \
             in Zeek's log AS or TGS.",
        )
        .eve_as("krb5.failed_request", |x| match x.response {
            Some(Krb5MessageType::KRB_ERROR) => name(x.request),
            _ => Value::Null,
        })
        .zeek_as(0, "request_type", ZeekType::String, |x| match x.request.or(x.response) {
            Some(Krb5MessageType(10 | 11)) => "AS".into(),
            Some(Krb5MessageType(12 | 13)) => "TGS".into(),
            _ => Value::Null,
        }),
        C::new(
            "error_code",
            Kind::Text,
            |x| match (x.error(), x.error_code) {
                (Some(name), _) => name.into(),
                (None, code) => Value::some(code.map(Value::short)),
            },
            "Code of an error by name, or its number (RFC 4120 §7.5.9). In Zeek's log what the server says of it, where it does.",
        )
        .eve("krb5.error_code")
        .zeek_as(4, "error_msg", ZeekType::String, |x| match (&x.error_text, x.error()) {
            (Some(text), _) if !text.is_empty() => text.as_slice().into(),
            (_, name) => Value::some(name),
        }),
        C::new(
            "client",
            Kind::Bytes,
            |x| Value::some(x.client.as_deref()),
            "Client: components of its name between slashes, up to 256 bytes (RFC 4120 §5.2.2). In Zeek's log with its realm.",
        )
        .eve("krb5.cname")
        .zeek_as(1, "client", ZeekType::String, client_with_realm),
        C::new(
            "realm",
            Kind::Bytes,
            |x| Value::some(x.realm.as_deref()),
            "Realm of the client, else of the server, up to 128 bytes (RFC 4120 §5.2.2).",
        )
        .eve("krb5.realm"),
        C::new(
            "service",
            Kind::Bytes,
            |x| Value::some(x.service.as_deref()),
            "Service that the ticket is for: components between slashes, up to 256 bytes (RFC 4120 §5.2.2).",
        )
        .eve("krb5.sname")
        .zeek(2, "service", ZeekType::String),
        C::new(
            "encryption",
            Kind::Text,
            |x| encryption(x.encryption),
            "Encryption type of the answer, by IANA's name or its number (RFC 4120 §5.4.2).",
        )
        .eve("krb5.encryption"),
        C::new(
            "weak_encryption",
            Kind::Bool,
            |x| Value::some(x.encryption.map(Krb5Encryption::is_weak)),
            "Whether it is neither AES nor Camellia (RFC 6649, RFC 8429).",
        )
        .eve("krb5.weak_encryption"),
        C::new(
            "ticket_encryption",
            Kind::Text,
            |x| encryption(x.ticket_encryption),
            "Encryption type of the ticket, by IANA's name or its number (RFC 4120 §5.3).",
        )
        .eve("krb5.ticket_encryption")
        .zeek(7, "cipher", ZeekType::String),
        C::new(
            "ticket_weak_encryption",
            Kind::Bool,
            |x| Value::some(x.ticket_encryption.map(Krb5Encryption::is_weak)),
            "Whether it is neither AES nor Camellia (RFC 6649, RFC 8429).",
        )
        .eve("krb5.ticket_weak_encryption"),
        C::new(
            "success",
            Kind::Bool,
            |x| Value::some(x.success()),
            "Whether the answer is no error; none: no answer.",
        )
        .zeek(3, "success", ZeekType::Bool),
        C::new(
            "error_text",
            Kind::Bytes,
            |x| Value::some(x.error_text.as_deref()),
            "What the server says of an error, up to 128 bytes (RFC 4120 §5.9.1).",
        )
        .eve("flowscope.error_text"),
        C::new(
            "options",
            Kind::List(&Kind::Text),
            |x| match x.options {
                Some(options) => Value::list(options.names()),
                None => Value::Null,
            },
            "Options of the request by name (RFC 4120 §5.4.1).",
        )
        .eve("flowscope.options"),
        C::new(
            "forwardable",
            Kind::Bool,
            |x| Value::some(x.options.map(Krb5Options::is_forwardable)),
            "Whether a ticket is asked for that may be used from other addresses (RFC 4120 §2.6).",
        )
        .zeek(8, "forwardable", ZeekType::Bool),
        C::new(
            "renewable",
            Kind::Bool,
            |x| Value::some(x.options.map(Krb5Options::is_renewable)),
            "Whether a ticket is asked for that may be renewed (RFC 4120 §2.3).",
        )
        .zeek(9, "renewable", ZeekType::Bool),
        C::new(
            "from",
            Kind::Time,
            |x| Value::some(x.from),
            "When the ticket is to begin (RFC 4120 §5.4.1).",
        )
        .eve("flowscope.from")
        .zeek(5, "from", ZeekType::Time),
        C::new(
            "till",
            Kind::Time,
            |x| Value::some(x.till),
            "When the ticket is to end; the epoch: as late as the server allows (RFC 4120 §5.4.1).",
        )
        .eve("flowscope.till")
        .zeek(6, "till", ZeekType::Time),
        C::new(
            "renew_till",
            Kind::Time,
            |x| Value::some(x.renew_till),
            "Until when the ticket is to be renewed (RFC 4120 §5.4.1).",
        )
        .eve("flowscope.renew_till"),
        C::new(
            "offered_encryption",
            Kind::List(&Kind::Text),
            |x| match &x.offered[..] {
                [] => Value::Null,
                offered => Value::list(offered.iter().map(Value::short)),
            },
            "Encryption types that the client offers, in its order, the first 32 (RFC 4120 §5.4.1).",
        )
        .eve("flowscope.offered_encryption"),
        C::new(
            "preauth",
            Kind::List(&Kind::Text),
            |x| match &x.preauth[..] {
                [] => Value::Null,
                types => Value::list(types.iter().map(Value::short)),
            },
            "Types of the pre-authentication data of the request, the first 16: 1 is a ticket, 2 an encrypted timestamp, 16 a \
             signature, 138 an encrypted challenge (RFC 4120 §7.5.2, RFC 6113 §5.4.6).",
        )
        .eve("flowscope.preauth"),
        C::new(
            "retransmissions",
            Kind::U64,
            |x| x.retransmissions.into(),
            "Repetitions of the request before its answer.",
        )
        .eve("flowscope.retransmissions"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its answer, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("krb5", |x| x.ts)
};

fn name(kind: Option<Krb5MessageType>) -> Value<'static> {
    Value::some(kind.and_then(Krb5MessageType::name))
}

fn encryption(encryption: Option<Krb5Encryption>) -> Value<'static> {
    Value::some(encryption.map(|it| match it.name() {
        Some(name) => Value::from(name),
        None => Value::short(it),
    }))
}

/// `alice/EXAMPLE.ORG`, as Zeek has it.
fn client_with_realm(x: &X) -> Value<'_> {
    match (&x.client, &x.realm) {
        (Some(client), Some(realm)) => [client.as_slice(), b"/", realm].concat().into(),
        (client, _) => Value::some(client.as_deref()),
    }
}

/// Zeek has a line for each request for a ticket, and none where the server only asks for pre-authentication.
fn tickets(x: &X, row: &mut dyn FnMut(&X)) {
    const PREAUTH_REQUIRED: i32 = 25;
    let is_of_ticket = |kind: Krb5MessageType| matches!(kind.0, 10..=13 | 30);
    if x.request.or(x.response).is_some_and(is_of_ticket) && x.error_code != Some(PREAUTH_REQUIRED)
    {
        row(x);
    }
}

/// `alice KRB_AS_REQ krbtgt/EXAMPLE.ORG → KRB_AS_REP`, for tables.
fn summary(x: &Krb5Exchange, out: &mut String) {
    if let Some(client) = &x.client {
        out.push_str(&format!("{} ", wire_text(client)));
    }
    if let Some(request) = x.request.and_then(Krb5MessageType::name) {
        out.push_str(&format!("{request} "));
    }
    if let Some(service) = &x.service {
        out.push_str(&format!("{} ", wire_text(service)));
    }
    match (x.response.and_then(Krb5MessageType::name), x.error(), x.error_code) {
        (_, Some(error), _) => out.push_str(&format!("→ {error}")),
        (_, None, Some(code)) => out.push_str(&format!("→ error {code}")),
        (Some(response), ..) => out.push_str(&format!("→ {response}")),
        (None, ..) => out.push_str("→ (no answer)"),
    }
    if let Some(ticket) = x.ticket_encryption.filter(|it| it.is_weak()) {
        out.push_str(&format!(", ticket {ticket}"));
    }
}
