//! Zeek's logs: `ldap_search.log` for searches, `ldap.log` for the rest.

use flowscope_record::{Kind, Schema, Value, ZeekType};

use super::{C, X, attributes, diagnostic, scope};
use crate::{LdapOperation, LdapResult};

/// A line for each operation that is no search.
pub(super) fn operations(x: &X, row: &mut dyn FnMut(&X)) {
    if x.operation != LdapOperation::Search {
        row(x);
    }
}

/// The operation in Zeek's words.
pub(super) fn opcode(x: &X) -> &'static str {
    match x.operation {
        LdapOperation::Bind if x.argument.is_some() => "bind SASL",
        LdapOperation::Bind => "bind simple",
        LdapOperation::Unbind => "unbind",
        LdapOperation::Search => "search",
        LdapOperation::Modify => "modify",
        LdapOperation::Add => "add",
        LdapOperation::Delete => "delete",
        LdapOperation::ModifyDn => "moddn",
        LdapOperation::Compare => "compare",
        LdapOperation::Abandon => "abandon",
        LdapOperation::Extended => "extended",
    }
}

/// The name of a result as words: `invalid credentials`.
pub(super) fn result(x: &X) -> Value<'_> {
    let Some(name) = x.result.as_ref().and_then(LdapResult::name) else { return Value::Null };
    let mut words = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        // DN, RDN and DSA are one word.
        if letter.is_ascii_uppercase() && !before.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter);
        before = letter;
    }
    words.to_ascii_lowercase().into()
}

/// A line for each search.
pub(super) static SEARCH: Schema<X> = Schema {
    zeek_rows: Some(|x, row| {
        if x.operation == LdapOperation::Search {
            row(x);
        }
    }),
    columns: &[
        C::new(
            "message_id",
            Kind::U64,
            |x| u64::try_from(x.message_id).unwrap_or(0).into(),
            "Identifier that request and result share (RFC 4511 §4.1.1.1).",
        )
        .zeek(0, "message_id", ZeekType::Int),
        C::new(
            "scope",
            Kind::Text,
            |x| Value::some(x.search.as_deref().and_then(scope)),
            "How far below its base: base, single or tree (RFC 4511 §4.5.1.2).",
        )
        .zeek(1, "scope", ZeekType::String),
        C::new(
            "deref_aliases",
            Kind::Text,
            deref,
            "Whether aliases are followed: never, searching, finding or always (RFC 4511 §4.5.1.3).",
        )
        .zeek(2, "deref_aliases", ZeekType::String),
        C::new(
            "base_object",
            Kind::Bytes,
            |x| Value::some(x.object.as_deref()),
            "Where it begins, up to 256 bytes (RFC 4511 §4.5.1.1).",
        )
        .zeek(3, "base_object", ZeekType::String),
        C::new("result_count", Kind::U64, |x| x.entries.into(), "Entries that were found (RFC 4511 §4.5.2).")
            .zeek(4, "result_count", ZeekType::Count),
        C::new("result", Kind::Text, result, "Result in words (RFC 4511 §4.1.9).")
            .zeek(5, "result", ZeekType::String),
        C::new(
            "diagnostic_message",
            Kind::Bytes,
            |x| Value::some(diagnostic(x)),
            "What the server says of the result, up to 256 bytes (RFC 4511 §4.1.9).",
        )
        .zeek(6, "diagnostic_message", ZeekType::String),
        C::new(
            "filter",
            Kind::Bytes,
            |x| Value::some(x.search.as_deref().map(|search| search.filter.as_slice())),
            "Filter, up to 512 bytes and 16 filters deep (RFC 4515).",
        )
        .zeek(7, "filter", ZeekType::String),
        C::new(
            "attributes",
            Kind::List(&Kind::Bytes),
            attributes,
            "Attributes that are asked for, the first 16 (RFC 4511 §4.5.1.8).",
        )
        .zeek(8, "attributes", ZeekType::VectorOfString),
    ],
    ..Schema::new("ldap_search", |x| x.ts)
};

fn deref(x: &X) -> Value<'_> {
    Value::some(x.search.as_deref().and_then(|search| {
        Some(match search.deref {
            0 => "never",
            1 => "searching",
            2 => "finding",
            3 => "always",
            _ => return None,
        })
    }))
}
