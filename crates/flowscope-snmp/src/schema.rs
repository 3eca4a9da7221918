use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{SnmpMessage, SnmpOid, SnmpPdu, SnmpPduKind, SnmpSecurity, SnmpTrap};

type C = Column<SnmpMessage>;
type X = SnmpMessage;

/// The columns of a message. Zeek counts the messages of a flow in one line; here is a line for each, so that its
/// counters are 0 or 1, and `duration` and `up_since` are left out.
pub static SNMP: Schema<SnmpMessage> = Schema {
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new(
            "version",
            Kind::U64,
            |x| x.version.into(),
            "Version: 1, 2 for 2c, or 3 (RFC 3412 §6.1). In Zeek's log text: 1, 2c or 3.",
        )
        .eve("snmp.version")
        .zeek_as(0, "version", ZeekType::String, |x| match x.version {
            2 => "2c".into(),
            version => Value::short(version),
        }),
        C::new(
            "community",
            Kind::Bytes,
            |x| Value::some(x.community.as_deref()),
            "Community of versions 1 and 2c, up to 128 bytes (RFC 1157 §4).",
        )
        .eve("snmp.community")
        .zeek(1, "community", ZeekType::String),
        C::new(
            "pdu_type",
            Kind::Text,
            |x| x.pdu.as_ref().map_or("encrypted", |pdu| pdu.kind.name()).into(),
            "Type: get_request, get_next_request, response, set_request, trap_v1, get_bulk_request, \
             inform_request, trap_v2, report or encrypted (RFC 3416 §3).",
        )
        .eve("snmp.pdu_type")
        .zeek(7, "pdu_type", ZeekType::String),
        C::new(
            "error",
            Kind::Text,
            |x| Value::some(pdu(x).and_then(SnmpPdu::error)),
            "Error status by name, if there is an error (RFC 3416 §3).",
        )
        .eve("snmp.error")
        .zeek(9, "error", ZeekType::String),
        C::new(
            "trap_type",
            Kind::Text,
            |x| Value::some(trap(x).and_then(SnmpTrap::name)),
            "Generic trap of version 1 by name (RFC 1157 §4.1.6).",
        )
        .eve("snmp.trap_type"),
        C::new(
            "trap_oid",
            Kind::Text,
            |x| Value::some(trap(x).and_then(|trap| trap.enterprise.as_ref()).map(SnmpOid::to_string)),
            "Enterprise of a trap of version 1 (RFC 1157 §4.1.6).",
        )
        .eve("snmp.trap_oid"),
        C::new(
            "trap_address",
            Kind::Addr,
            |x| Value::some(trap(x).map(|trap| trap.agent)),
            "Address of the object that a trap of version 1 is about (RFC 1157 §4.1.6).",
        )
        .eve("snmp.trap_address"),
        C::new(
            "vars",
            Kind::List(&Kind::Text),
            |x| match pdu(x) {
                Some(pdu) if !pdu.vars.is_empty() => {
                    Value::list(pdu.vars.iter().map(SnmpOid::to_string))
                }
                _ => Value::Null,
            },
            "Names of the objects, the first 32 (RFC 3416 §3).",
        )
        .eve("snmp.vars")
        .zeek(10, "vars", ZeekType::VectorOfString),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(security(x).and_then(|it| it.user.as_deref())),
            "User of version 3 (RFC 3414 §2.4).",
        )
        .eve("snmp.usm")
        .zeek(11, "user", ZeekType::String),
        C::new(
            "request_id",
            Kind::U64,
            |x| Value::some(pdu(x).and_then(|pdu| pdu.request_id).map(|id| id as u32)),
            "Identifier that request and response share, as an unsigned number of 32 bits (RFC 3416 §3).",
        )
        .eve("flowscope.request_id")
        .zeek(8, "request_id", ZeekType::Count),
        C::new(
            "var_count",
            Kind::U64,
            |x| Value::some(pdu(x).map(|pdu| pdu.var_count)),
            "Number of objects (RFC 3416 §3).",
        )
        .eve("flowscope.var_count"),
        C::new(
            "specific_trap",
            Kind::U64,
            |x| Value::some(trap(x).and_then(|trap| u64::try_from(trap.specific).ok())),
            "Specific trap of version 1 (RFC 1157 §4.1.6).",
        )
        .eve("flowscope.specific_trap"),
        C::new(
            "max_repetitions",
            Kind::U64,
            |x| {
                let bulk = pdu(x).filter(|pdu| pdu.kind == SnmpPduKind::GET_BULK_REQUEST);
                Value::some(bulk.and_then(|pdu| u64::try_from(pdu.error_index).ok()))
            },
            "How many objects a bulk request asks for behind each (RFC 3416 §4.2.3).",
        )
        .eve("flowscope.max_repetitions"),
        C::new(
            "description",
            Kind::Bytes,
            |x| Value::some(pdu(x).and_then(|pdu| pdu.description.as_deref())),
            "Value of sysDescr.0, up to 256 bytes (RFC 3418 §2).",
        )
        .eve("flowscope.description")
        .zeek(6, "display_string", ZeekType::String),
        C::new(
            "authenticated",
            Kind::Bool,
            |x| Value::some(security(x).map(|it| it.is_authenticated)),
            "Whether a message of version 3 is authenticated (RFC 3412 §6.4).",
        )
        .eve("flowscope.authenticated"),
        C::new(
            "engine_id",
            Kind::Text,
            |x| Value::some(security(x).and_then(|it| it.engine_id.as_deref()).map(hex)),
            "Authoritative engine of version 3, in hexadecimal (RFC 3414 §2.4).",
        )
        .eve("flowscope.engine_id"),
        C::new(
            "context",
            Kind::Bytes,
            |x| Value::some(security(x).and_then(|it| it.context.as_deref())),
            "Context of version 3 (RFC 3412 §6.8).",
        )
        .eve("flowscope.context"),
        C::new(
            "get_request",
            Kind::U64,
            |x| is(x, &[SnmpPduKind::GET_REQUEST, SnmpPduKind::GET_NEXT_REQUEST]),
            "1 for a GetRequest or GetNextRequest (RFC 3416 §4.2.1).",
        )
        .zeek(2, "get_requests", ZeekType::Count),
        C::new(
            "get_bulk_request",
            Kind::U64,
            |x| is(x, &[SnmpPduKind::GET_BULK_REQUEST]),
            "1 for a GetBulkRequest (RFC 3416 §4.2.3).",
        )
        .zeek(3, "get_bulk_requests", ZeekType::Count),
        C::new(
            "response",
            Kind::U64,
            |x| is(x, &[SnmpPduKind::RESPONSE]),
            "1 for a Response (RFC 3416 §4.2.4).",
        )
        .zeek(4, "get_responses", ZeekType::Count),
        C::new(
            "set_request",
            Kind::U64,
            |x| is(x, &[SnmpPduKind::SET_REQUEST]),
            "1 for a SetRequest (RFC 3416 §4.2.5).",
        )
        .zeek(5, "set_requests", ZeekType::Count),
    ],
    ..Schema::new("snmp", |x| x.ts)
};

fn pdu(x: &X) -> Option<&SnmpPdu> {
    x.pdu.as_ref()
}

fn trap(x: &X) -> Option<&SnmpTrap> {
    pdu(x).and_then(|pdu| pdu.trap.as_ref())
}

fn security(x: &X) -> Option<&SnmpSecurity> {
    x.security.as_ref()
}

fn is(x: &X, kinds: &[SnmpPduKind]) -> Value<'static> {
    u64::from(pdu(x).is_some_and(|pdu| kinds.contains(&pdu.kind))).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `public get_request 1.3.6.1.2.1.1.5.0`, for tables.
fn summary(x: &SnmpMessage, out: &mut String) {
    let name = x.community.as_deref().or(security(x).and_then(|it| it.user.as_deref()));
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        out.push_str(&format!("{} ", wire_text(name)));
    }
    let Some(pdu) = pdu(x) else {
        out.push_str("encrypted");
        return;
    };
    out.push_str(pdu.kind.name());
    if let Some(name) = trap(x).and_then(SnmpTrap::name) {
        out.push_str(&format!(" {name}"));
    }
    if let Some(error) = pdu.error() {
        out.push_str(&format!(" {error}"));
    }
    if let Some(first) = pdu.vars.first() {
        out.push_str(&format!(" {first}"));
    }
    if pdu.var_count > 1 {
        out.push_str(&format!(" and {} more", pdu.var_count - 1));
    }
}
