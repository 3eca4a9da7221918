//! The objects that Suricata has for a request and its responses.

use flowscope_record::Value;

use super::X;
use crate::{LdapOperation, LdapResult, LdapSearch};

fn id(x: &X) -> Value<'_> {
    u64::try_from(x.message_id).unwrap_or(0).into()
}

pub(super) fn request(x: &X) -> Value<'_> {
    // A notification answers nothing.
    if x.message_id == 0 {
        return Value::Null;
    }
    let name = x.operation.name();
    let of_it = match (x.operation, x.search.as_deref()) {
        (LdapOperation::Bind, _) => bind(x),
        (_, Some(search)) => of_search(x, search),
        (LdapOperation::ModifyDn, _) => Value::object([
            ("entry", Value::some(x.object.as_deref())),
            ("new_rdn", Value::some(x.argument.as_deref())),
        ]),
        (LdapOperation::Compare, _) => Value::object([
            ("entry", Value::some(x.object.as_deref())),
            (
                "attribute_value_assertion",
                Value::object([("description", Value::some(x.argument.as_deref()))]),
            ),
        ]),
        (LdapOperation::Modify, _) => Value::object([("object", Value::some(x.object.as_deref()))]),
        (LdapOperation::Add, _) => Value::object([("entry", Value::some(x.object.as_deref()))]),
        (LdapOperation::Delete, _) => Value::object([("dn", Value::some(x.object.as_deref()))]),
        (LdapOperation::Extended, _) => {
            Value::object([("name", Value::some(x.argument.as_deref()))])
        }
        _ => Value::Null,
    };
    Value::object([("operation", name.into()), ("message_id", id(x)), (name, of_it)])
}

fn bind(x: &X) -> Value<'_> {
    let mechanism = x.argument.as_deref();
    let sasl = mechanism.map(|mechanism| Value::object([("mechanism", mechanism.into())]));
    Value::object([
        ("version", Value::some(x.version.and_then(|version| u64::try_from(version).ok()))),
        ("name", Value::some(x.object.as_deref())),
        ("sasl", Value::some(sasl)),
    ])
}

fn of_search<'a>(x: &'a X, search: &'a LdapSearch) -> Value<'a> {
    let number = |number: i32| Value::some(u64::try_from(number).ok());
    Value::object([
        ("base_object", Value::some(x.object.as_deref())),
        ("scope", number(search.scope)),
        ("deref_alias", number(search.deref)),
        ("attributes", super::attributes(x)),
    ])
}

pub(super) fn responses(x: &X) -> Value<'_> {
    let (Some(result), Some(name)) = (&x.result, x.operation.response_name()) else {
        return Value::Null;
    };
    let message = super::diagnostic(x).unwrap_or_default();
    let of_it = Value::object([("result_code", code(result)), ("message", message.into())]);
    let response = vec![("operation", name.into()), ("message_id", id(x)), (name, of_it)];
    Value::List(vec![Value::Object(response)])
}

/// The name of a code, with a capital as Suricata has it, or its number.
fn code(result: &LdapResult) -> Value<'_> {
    match result.name() {
        Some(name) => {
            let (first, rest) = name.split_at(1);
            Value::short(format_args!("{}{rest}", first.to_uppercase()))
        }
        None => Value::short(format_args!("Unknown({})", result.code)),
    }
}
