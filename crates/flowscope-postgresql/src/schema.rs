use std::fmt::Write as _;

use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::PostgresqlStart;
use crate::message::{AuthMethod, Negotiation};

type C = Column<PostgresqlStart>;

/// The columns of the start of a connection. Sections are those of "Frontend/Backend Protocol" in
/// PostgreSQL's documentation.
pub static POSTGRESQL: Schema<PostgresqlStart> = Schema {
    eve_event: "pgsql",
    summary,
    columns: &[
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "User of the StartupMessage (PostgreSQL, Message Formats). EVE has an object: message or \
             protocol_version and startup_parameters, process_id of a CancelRequest.",
        )
        .eve_as("pgsql.request", request)
        .zeek(0, "user", ZeekType::String),
        C::new(
            "database",
            Kind::Bytes,
            |x| Value::some(x.database.as_deref()),
            "Database of the StartupMessage; not there: the one of the user's name (PostgreSQL, Message Formats).",
        )
        .zeek(1, "database", ZeekType::String),
        C::new(
            "application_name",
            Kind::Bytes,
            |x| Value::some(x.application_name.as_deref()),
            "Name of the application in the StartupMessage (PostgreSQL, Message Formats).",
        )
        .zeek(2, "application_name", ZeekType::String),
        C::new(
            "version",
            Kind::Text,
            version,
            "Version of the protocol that the client asks for (PostgreSQL, Message Formats).",
        ),
        C::new(
            "replication",
            Kind::Bytes,
            |x| Value::some(x.replication.as_deref()),
            "Mode of replication that the client asks for (PostgreSQL, Streaming Replication Protocol).",
        ),
        C::new(
            "request",
            Kind::Text,
            |x| Value::some(opening(x)),
            "Last message by which the client opened: `startup`, `ssl_request`, `gssenc_request`, `cancel_request`.",
        )
        .zeek(3, "frontend", ZeekType::String),
        C::new(
            "ssl",
            Kind::Bool,
            |x| accepted(x.ssl),
            "Whether the server accepted an SSLRequest (PostgreSQL, SSL Session Encryption). EVE has an object: \
             ssl_accepted, gss_accepted, message, authentication, authentication_sasl, parameter_status, \
             process_id, severity_non_localizable, code, message of an error.",
        )
        .eve_as("pgsql.response", response),
        C::new(
            "gss",
            Kind::Bool,
            |x| accepted(x.gss),
            "Whether the server accepted a GSSENCRequest (PostgreSQL, GSSAPI Session Encryption).",
        ),
        C::new(
            "answer",
            Kind::Text,
            |x| Value::some(answer(x)),
            "What the server answered: `auth_ok`, `error`, `ssl_reply`.",
        )
        .zeek(4, "backend", ZeekType::String),
        C::new(
            "auth",
            Kind::Text,
            |x| Value::some(x.auth.map(AuthMethod::as_str)),
            "Authentication that the server asks for (PostgreSQL, Start-up): `cleartext_password`, `md5_password`, \
             `sasl`, `gss`, `sspi`, `kerberos_v5`, `other`.",
        ),
        C::new(
            "sasl_mechanisms",
            Kind::List(&Kind::Bytes),
            mechanisms,
            "SASL mechanisms that the server offers (PostgreSQL, SASL Authentication).",
        ),
        C::new(
            "authenticated",
            Kind::Bool,
            |x| Value::some(x.authenticated),
            "Whether authentication succeeded: AuthenticationOk, or an ErrorResponse instead of it.",
        )
        .zeek(5, "success", ZeekType::Bool),
        C::new(
            "server_version",
            Kind::Bytes,
            |x| Value::some(x.parameter("server_version")),
            "The server's version: its ParameterStatus server_version (PostgreSQL, Asynchronous Operations).",
        ),
        C::new(
            "process_id",
            Kind::U64,
            |x| Value::some(x.process_id),
            "The server's process: BackendKeyData (PostgreSQL, Message Formats).",
        ),
        C::new(
            "cancel_process_id",
            Kind::U64,
            |x| Value::some(x.cancel),
            "The process whose query is to be cancelled: CancelRequest (PostgreSQL, Message Formats).",
        ),
        C::new(
            "error_severity",
            Kind::Bytes,
            |x| Value::some(x.error.as_ref().map(|error| error.severity.as_slice())),
            "Severity of the ErrorResponse (PostgreSQL, Error and Notice Message Fields).",
        ),
        C::new(
            "error_code",
            Kind::Bytes,
            |x| Value::some(x.error.as_ref().map(|error| error.code.as_slice())),
            "SQLSTATE of the ErrorResponse (PostgreSQL, Error and Notice Message Fields).",
        ),
        C::new(
            "error_message",
            Kind::Bytes,
            |x| Value::some(x.error.as_ref().map(|error| error.message.as_slice())),
            "Text of the ErrorResponse (PostgreSQL, Error and Notice Message Fields).",
        ),
        C::new(
            "outcome",
            Kind::Text,
            |x| x.outcome.as_str().into(),
            "What came of it: `ready`, `encrypted`, `refused`, `cancel`, `cut` by missing bytes, `incomplete`.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "duration",
            Kind::Duration,
            |x| Value::some(x.duration),
            "From the client's first message to the last that was read, in seconds.",
        )
        .eve("flowscope.duration"),
    ],
    ..Schema::new("postgresql", |x| x.started)
};

fn accepted(asked: Option<Negotiation>) -> Value<'static> {
    match asked {
        Some(Negotiation::Accepted) => true.into(),
        Some(Negotiation::Refused) => false.into(),
        Some(Negotiation::Unanswered) | None => Value::Null,
    }
}

fn version(start: &PostgresqlStart) -> Value<'_> {
    match start.version {
        Some((major, minor)) => Value::short(format_args!("{major}.{minor}")),
        None => Value::Null,
    }
}

/// As Zeek names it.
fn opening(start: &PostgresqlStart) -> Option<&'static str> {
    if start.version.is_some() {
        Some("startup")
    } else if start.cancel.is_some() {
        Some("cancel_request")
    } else if start.ssl.is_some() {
        Some("ssl_request")
    } else {
        start.gss.map(|_| "gssenc_request")
    }
}

/// As Zeek names it.
fn answer(start: &PostgresqlStart) -> Option<&'static str> {
    if start.error.is_some() {
        Some("error")
    } else if start.authenticated.is_some() {
        Some("auth_ok")
    } else if start.version.is_none() && !accepted(start.ssl).is_null() {
        Some("ssl_reply")
    } else {
        None
    }
}

fn mechanisms(start: &PostgresqlStart) -> Value<'_> {
    if start.sasl_mechanisms.is_empty() {
        return Value::Null;
    }
    Value::list(start.sasl_mechanisms.iter().map(Vec::as_slice))
}

fn object<'a>(members: Vec<(&'static str, Value<'a>)>) -> Value<'a> {
    let members: Vec<_> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// The members of a request in EVE, as in Suricata.
fn request(start: &PostgresqlStart) -> Value<'_> {
    let message = match opening(start) {
        Some("ssl_request") => "SSL Request".into(),
        Some("gssenc_request") => "GSSENC Request".into(),
        Some("cancel_request") => "Cancel Request".into(),
        _ => Value::Null,
    };
    let optional: Vec<_> = [
        ("database", &start.database),
        ("application_name", &start.application_name),
        ("replication", &start.replication),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(Value::Object(vec![(name, value.as_deref()?.into())])))
    .collect();
    let optional = if optional.is_empty() { Value::Null } else { Value::List(optional) };
    let user = Value::some(start.user.as_deref());
    object(vec![
        ("message", message),
        ("process_id", Value::some(start.cancel)),
        ("protocol_version", version(start)),
        ("startup_parameters", object(vec![("user", user), ("optional_parameters", optional)])),
    ])
}

/// The members of a response in EVE, as in Suricata where it has them.
fn response(start: &PostgresqlStart) -> Value<'_> {
    let status = start.parameters.iter();
    let status = status.map(|(name, value)| Value::Object(vec![(*name, value.as_slice().into())]));
    let status =
        if start.parameters.is_empty() { Value::Null } else { Value::List(status.collect()) };
    let mut members = vec![
        ("ssl_accepted", accepted(start.ssl)),
        ("gss_accepted", accepted(start.gss)),
        ("authentication", Value::some(start.auth.map(AuthMethod::as_str))),
        ("authentication_sasl", mechanisms(start)),
        ("parameter_status", status),
        ("process_id", Value::some(start.process_id)),
    ];
    if let Some(error) = &start.error {
        members.push(("severity_non_localizable", error.severity.as_slice().into()));
        members.push(("code", error.code.as_slice().into()));
        members.push(("message", error.message.as_slice().into()));
    } else if start.authenticated == Some(true) {
        members.push(("message", "authentication_ok".into()));
    }
    object(members)
}

/// Who asks for which database, and what came of it, for tables.
fn summary(start: &PostgresqlStart, out: &mut String) {
    match start.cancel {
        Some(process) => {
            let _ = write!(out, "cancel {process}");
        }
        None if start.version.is_some() => {
            let user = start.user.as_deref().unwrap_or_default();
            let database = start.database.as_deref().unwrap_or(user);
            let _ = write!(out, "{}@{}", wire_text(user), wire_text(database));
        }
        None => out.push_str(opening(start).unwrap_or_default()),
    }
    let _ = write!(out, " {}", start.outcome.as_str());
    if let Some(version) = start.parameter("server_version") {
        let _ = write!(out, " {}", wire_text(version));
    }
    if let Some(error) = &start.error {
        let _ = write!(out, " {} {}", wire_text(&error.code), wire_text(&error.message));
    }
}
