//! Messages (RFC 4511 §4).

use flowscope_ber::{BOOLEAN, ENUMERATED, INTEGER, Values};

use crate::{LdapExchange, LdapOperation, LdapResult, LdapSearch, filter};

/// Bytes of an object and of a message that are kept.
const MAX_TEXT: usize = 256;
/// Bytes of an argument that are kept.
const MAX_ARGUMENT: usize = 128;
/// Attributes that are kept, and bytes of each.
const MAX_ATTRIBUTES: usize = 16;
const MAX_ATTRIBUTE: usize = 64;

/// What a message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    /// An operation, without time and side.
    Request(Box<LdapExchange>),
    /// The result of an operation. Of an extended one, also its name (§4.12).
    Response(i32, LdapOperation, LdapResult, Option<Vec<u8>>),
    /// An entry that was found, or a reference.
    Found { id: i32, is_reference: bool },
    /// A part of a result (§4.13).
    Intermediate,
}

/// The message with these contents: of one that was cut what there is. `None` where there is no operation.
pub(crate) fn message(contents: &[u8]) -> Option<Message> {
    let mut message = Values(contents);
    let id = message.i32(INTEGER).filter(|id| *id >= 0)?;
    let (tag, contents) = message.any()?;
    let mut values = Values(contents);
    let operation = match tag {
        0x60 => return bind(id, &mut values),
        0x63 => return search(id, &mut values),
        0x64 => return Some(Message::Found { id, is_reference: false }),
        0x73 => return Some(Message::Found { id, is_reference: true }),
        0x79 => return Some(Message::Intermediate),
        0x42 => LdapOperation::Unbind,
        0x50 => LdapOperation::Abandon,
        0x4a => {
            return request(id, LdapOperation::Delete, Some(contents), None);
        }
        0x66 => return request(id, LdapOperation::Modify, Some(values.string()?), None),
        0x68 => return request(id, LdapOperation::Add, Some(values.string()?), None),
        0x6c => {
            let object = values.string()?;
            return request(id, LdapOperation::ModifyDn, Some(object), values.string());
        }
        0x6e => {
            let object = values.string()?;
            let attribute = values.sequence().and_then(|mut it| it.string());
            return request(id, LdapOperation::Compare, Some(object), attribute);
        }
        0x77 => return request(id, LdapOperation::Extended, None, Some(values.tagged(0x80)?)),
        0x61 => return response(id, LdapOperation::Bind, &mut values),
        0x65 => return response(id, LdapOperation::Search, &mut values),
        0x67 => return response(id, LdapOperation::Modify, &mut values),
        0x69 => return response(id, LdapOperation::Add, &mut values),
        0x6b => return response(id, LdapOperation::Delete, &mut values),
        0x6d => return response(id, LdapOperation::ModifyDn, &mut values),
        0x6f => return response(id, LdapOperation::Compare, &mut values),
        0x78 => return response(id, LdapOperation::Extended, &mut values),
        _ => return None,
    };
    request(id, operation, None, None)
}

fn request(
    id: i32,
    operation: LdapOperation,
    object: Option<&[u8]>,
    argument: Option<&[u8]>,
) -> Option<Message> {
    let object = object.map(|text| kept(text, MAX_TEXT));
    let argument = argument.map(|text| kept(text, MAX_ARGUMENT));
    let exchange = LdapExchange { object, argument, ..LdapExchange::new(id, operation) };
    Some(Message::Request(Box::new(exchange)))
}

/// Version, name, and how the client authenticates (§4.2).
fn bind(id: i32, values: &mut Values<'_>) -> Option<Message> {
    let version = values.i32(INTEGER).filter(|version| (1..=127).contains(version))?;
    let name = values.string().unwrap_or_default();
    let mechanism = values.within(0xa3).and_then(|mut sasl| sasl.string());
    let Message::Request(mut exchange) = request(id, LdapOperation::Bind, Some(name), mechanism)?
    else {
        return None;
    };
    exchange.version = Some(version);
    Some(Message::Request(exchange))
}

/// Base, scope, filter and attributes (§4.5.1).
fn search(id: i32, values: &mut Values<'_>) -> Option<Message> {
    let base = values.string()?;
    let scope = values.i32(ENUMERATED)?;
    let deref = values.i32(ENUMERATED)?;
    // Limits of size and time, and whether types alone are asked for.
    values.i32(INTEGER);
    values.i32(INTEGER);
    values.tagged(BOOLEAN);
    let filter = filter::text(values);
    let mut attributes = Vec::new();
    let mut asked = values.sequence().unwrap_or(Values(&[]));
    while attributes.len() < MAX_ATTRIBUTES
        && let Some(attribute) = asked.string()
    {
        attributes.push(kept(attribute, MAX_ATTRIBUTE));
    }
    attributes.shrink_to_fit();
    let Message::Request(mut exchange) = request(id, LdapOperation::Search, Some(base), None)?
    else {
        return None;
    };
    exchange.search = Some(Box::new(LdapSearch { scope, deref, filter, attributes }));
    Some(Message::Request(exchange))
}

/// Code, matched name and message (§4.1.9).
fn response(id: i32, operation: LdapOperation, values: &mut Values<'_>) -> Option<Message> {
    let code = values.i32(ENUMERATED)?;
    values.string();
    let message = kept(values.string().unwrap_or_default(), MAX_TEXT);
    // Referrals may come before the name of an extended response.
    values.tagged(0xa3);
    let name = values.tagged(0x8a).map(|name| kept(name, MAX_ARGUMENT));
    Some(Message::Response(id, operation, LdapResult { code, message }, name))
}

fn kept(text: &[u8], len: usize) -> Vec<u8> {
    text[..text.len().min(len)].to_vec()
}
