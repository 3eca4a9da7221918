//! The columns of an exchange. EVE has the objects of Suricata's `ldap`, Zeek a log for searches beside that of the rest.

mod eve;
mod zeek;

use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{LdapExchange, LdapOperation, LdapResult, LdapSearch};

type C = Column<LdapExchange>;
type X = LdapExchange;

/// The columns of an exchange.
pub static LDAP: Schema<LdapExchange> = Schema {
    zeek_rows: Some(zeek::operations),
    zeek_also: &[&zeek::SEARCH],
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new(
            "operation",
            Kind::Text,
            |x| x.operation.name().into(),
            "Operation: bind_request, unbind_request, search_request, modify_request, add_request, \
             del_request, mod_dn_request, compare_request, abandon_request or extended_request (RFC 4511 §4). \
             EVE has an object with what the request says, Zeek other words.",
        )
        .eve_as("ldap.request", eve::request)
        .zeek_as(2, "opcode", ZeekType::String, |x| zeek::opcode(x).into()),
        C::new(
            "result",
            Kind::Text,
            |x| Value::some(x.result.as_ref().and_then(LdapResult::name)),
            "Result by name; none: no result, or a code without a name (RFC 4511 §4.1.9). EVE has a list with \
             an object for it, Zeek words.",
        )
        .eve_as("ldap.responses", eve::responses)
        .zeek_as(3, "result", ZeekType::String, zeek::result),
        C::new(
            "message_id",
            Kind::U64,
            |x| u64::try_from(x.message_id).unwrap_or(0).into(),
            "Identifier that request and result share; 0: a notification of the server (RFC 4511 §4.1.1.1).",
        )
        .zeek(0, "message_id", ZeekType::Int),
        C::new(
            "version",
            Kind::U64,
            |x| Value::some(x.version.and_then(|version| u64::try_from(version).ok())),
            "Version that a bind asks for (RFC 4511 §4.2).",
        )
        .zeek(1, "version", ZeekType::Int),
        C::new(
            "diagnostic_message",
            Kind::Bytes,
            |x| Value::some(diagnostic(x)),
            "What the server says of the result, up to 256 bytes (RFC 4511 §4.1.9).",
        )
        .zeek(4, "diagnostic_message", ZeekType::String),
        C::new(
            "object",
            Kind::Bytes,
            |x| Value::some(x.object.as_deref()),
            "Name that binds, base of a search, or entry that is changed, up to 256 bytes (RFC 4511 §4).",
        )
        .zeek(5, "object", ZeekType::String),
        C::new(
            "argument",
            Kind::Bytes,
            |x| Value::some(x.argument.as_deref()),
            "SASL mechanism of a bind, new name, attribute that is compared, or object identifier of an \
             extended operation; never a password (RFC 4511 §4).",
        )
        .zeek(6, "argument", ZeekType::String),
        C::new(
            "scope",
            Kind::Text,
            |x| Value::some(x.search.as_deref().and_then(scope)),
            "Scope of a search: base, single or tree (RFC 4511 §4.5.1.2).",
        ),
        C::new(
            "filter",
            Kind::Bytes,
            |x| Value::some(x.search.as_deref().map(|search| search.filter.as_slice())),
            "Filter of a search, up to 512 bytes and 16 filters deep (RFC 4515).",
        )
        .eve("flowscope.filter"),
        C::new(
            "attributes",
            Kind::List(&Kind::Bytes),
            attributes,
            "Attributes that a search asks for, the first 16 (RFC 4511 §4.5.1.8).",
        ),
        C::new(
            "entries",
            Kind::U64,
            |x| of_search(x, x.entries),
            "Entries that a search has found (RFC 4511 §4.5.2).",
        )
        .eve("flowscope.entries"),
        C::new(
            "references",
            Kind::U64,
            |x| of_search(x, x.references),
            "References to other servers that a search has found (RFC 4511 §4.5.3).",
        )
        .eve("flowscope.references"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its result, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("ldap", |x| x.ts)
};

/// What the server says of a result, if anything.
fn diagnostic(x: &X) -> Option<&[u8]> {
    let message = x.result.as_ref().map(|result| result.message.as_slice());
    message.filter(|message| !message.is_empty())
}

/// As Zeek names it.
const fn scope(search: &LdapSearch) -> Option<&'static str> {
    Some(match search.scope {
        0 => "base",
        1 => "single",
        2 => "tree",
        _ => return None,
    })
}

fn attributes(x: &X) -> Value<'_> {
    match x.search.as_deref() {
        Some(search) if !search.attributes.is_empty() => {
            Value::list(search.attributes.iter().map(Vec::as_slice))
        }
        _ => Value::Null,
    }
}

fn of_search(x: &X, count: u64) -> Value<'_> {
    Value::some((x.operation == LdapOperation::Search).then_some(count))
}

/// `search dc=example,dc=org (uid=alice), 1 found → success`, for tables.
fn summary(x: &LdapExchange, out: &mut String) {
    out.push_str(x.operation.name().trim_end_matches("_request"));
    for text in [&x.object, &x.argument].into_iter().flatten() {
        out.push_str(&format!(" {}", wire_text(text)));
    }
    if let Some(search) = &x.search {
        out.push_str(&format!(" {}, {} found", wire_text(&search.filter), x.entries));
    }
    match &x.result {
        Some(result) => match result.name() {
            Some(name) => out.push_str(&format!(" → {name}")),
            None => out.push_str(&format!(" → code {}", result.code)),
        },
        None if x.operation.has_result() => out.push_str(" → (no result)"),
        None => {}
    }
}
