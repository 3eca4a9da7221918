//! The columns of a NetBIOS name service message. Suricata has no such event; the names follow its `dns` event
//! and RFC 1002.

use std::fmt::Write as _;

use flowscope_core::FlowSide;
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor, ZeekType};

use super::{NbnsMessage, NbnsName, NbnsNodeName};
use crate::Rcode;

type C = Column<NbnsMessage>;

/// Zeek writes the name service into its `dns.log`, so the fields are those of that log.
pub(crate) static NBNS: Schema<NbnsMessage> = Schema {
    zeek_log: "dns",
    sender: Some(|x| x.side),
    columns: &[
        C::new(
            "type",
            Kind::Text,
            |x| if x.is_response() { "response".into() } else { "request".into() },
            "request or response (RFC 1002 §4.2.1.1). Zeek has the transport there: udp.",
        )
        .eve("nbns.type")
        .zeek_as(0, "proto", ZeekType::Enum, |_| "udp".into()),
        C::new(
            "id",
            Kind::U64,
            |x| x.header.id.into(),
            "NAME_TRN_ID, which a response has from its request (RFC 1002 §4.2.1.1).",
        )
        .eve("nbns.id")
        .zeek(1, "trans_id", ZeekType::Count),
        C::new(
            "opcode",
            Kind::Text,
            |x| x.opcode().name().map_or_else(|| Value::short(x.opcode()), Value::from),
            "query, registration, release, wack, refresh or multi_homed_registration (RFC 1002 §4.2.1.1). Zeek has no rtt: messages are not paired.",
        )
        .eve("nbns.opcode")
        .zeek_as(2, "rtt", ZeekType::Interval, |_| Value::Null),
        C::new(
            "name",
            Kind::Bytes,
            |x| x.name.name().into(),
            "The name, decoded, without suffix and filling (RFC 1001 §14.1).",
        )
        .eve("nbns.name")
        .zeek(3, "query", ZeekType::String),
        C::new(
            "suffix",
            Kind::Text,
            |x| suffix(&x.name),
            "Sixteenth byte of the name in hexadecimal: the service that has it, by convention.",
        )
        .eve("nbns.suffix"),
        C::new(
            "scope",
            Kind::Bytes,
            |x| scope(&x.name),
            "Scope in which the name is known, if it is said (RFC 1001 §14.1).",
        )
        .eve("nbns.scope"),
        C::new("rrclass", Kind::U64, |x| x.class.into(), "Class, 1 (RFC 1002 §4.2.1.2).")
            .zeek(4, "qclass", ZeekType::Count),
        C::new(
            "rrtype",
            Kind::Text,
            |x| x.rtype.mnemonic().map_or_else(|| Value::short(x.rtype), Value::from),
            "Type of the question or record: NB, NBSTAT, NULL, NS or A (RFC 1002 §4.2.1.3).",
        )
        .eve("nbns.rrtype")
        .zeek(7, "qtype_name", ZeekType::String),
        C::new("rrtype_number", Kind::U64, |x| x.rtype.0.into(), "That type as a number.")
            .zeek(6, "qtype", ZeekType::Count),
        C::new(
            "broadcast",
            Kind::Bool,
            |x| Value::flag(x.broadcast()),
            "B: sent to all nodes of the network (RFC 1002 §4.2.1.1). Zeek has the name of the class there.",
        )
        .eve("nbns.broadcast")
        .zeek_as(5, "qclass_name", ZeekType::String, |x| match x.class {
            1 => "C_INTERNET".into(),
            class => Value::short(format_args!("qclass-{class}")),
        }),
        C::new(
            "rcode",
            Kind::U64,
            |x| response(x, |x| x.header.rcode().0.into()),
            "Result of a response, 0 for success (RFC 1002 §4.2.6, §4.2.14).",
        )
        .eve("nbns.rcode")
        .zeek(8, "rcode", ZeekType::Count),
        C::new(
            "rcode_name",
            Kind::Text,
            |x| response(x, |x| rcode(x.header.rcode())),
            "Result by name: NOERROR, FMT_ERR, SRV_ERR, NAM_ERR, IMP_ERR, RFS_ERR, ACT_ERR, CFT_ERR (RFC 1002 §4.2.6).",
        )
        .eve("nbns.rcode_name")
        .zeek(9, "rcode_name", ZeekType::String),
        C::new(
            "aa",
            Kind::Bool,
            |x| Value::flag(x.header.authoritative()),
            "AA: the responder has authority for the name (RFC 1002 §4.2.1.1). Zeek has F without it.",
        )
        .eve("nbns.aa")
        .zeek_as(10, "AA", ZeekType::Bool, |x| x.header.authoritative().into()),
        C::new(
            "tc",
            Kind::Bool,
            |x| Value::flag(x.header.truncated()),
            "TC: the message had to be cut (RFC 1002 §4.2.1.1). Zeek has F without it.",
        )
        .eve("nbns.tc")
        .zeek_as(11, "TC", ZeekType::Bool, |x| x.header.truncated().into()),
        C::new(
            "rd",
            Kind::Bool,
            |x| Value::flag(x.header.recursion_desired()),
            "RD: recursion is asked for (RFC 1002 §4.2.1.1). Zeek has F without it.",
        )
        .eve("nbns.rd")
        .zeek_as(12, "RD", ZeekType::Bool, |x| x.header.recursion_desired().into()),
        C::new(
            "ra",
            Kind::Bool,
            |x| Value::flag(x.header.recursion_available()),
            "RA: the server answers for names that it asks others about (RFC 1002 §4.2.1.1). Zeek has F without it.",
        )
        .eve("nbns.ra")
        .zeek_as(13, "RA", ZeekType::Bool, |x| x.header.recursion_available().into()),
        C::new(
            "ttl",
            Kind::U64,
            |x| Value::some(x.ttl),
            "Seconds for which the name is valid, of the first record; 0 is without end (RFC 1002 §4.2.1.3). Zeek has the three bits above the result there.",
        )
        .eve("nbns.ttl")
        .zeek_as(14, "Z", ZeekType::Count, |x| (x.header.flags >> 4 & 7).into()),
        C::new(
            "addresses",
            Kind::List(&Kind::Addr),
            |x| Value::list(x.addresses.iter().map(|entry| entry.address)),
            "Addresses of the name (RFC 1002 §4.2.1.3). Zeek has those of a response, and the names of a node.",
        )
        .eve("nbns.addresses")
        .zeek_as(15, "answers", ZeekType::VectorOfString, answers),
        C::new(
            "group",
            Kind::Bool,
            |x| Value::flag(x.addresses.iter().any(|entry| entry.is_group())),
            "G: the name is a group's, by its first address that says so (RFC 1002 §4.2.1.3). Zeek has the lifetime of each answer there.",
        )
        .eve("nbns.group")
        .zeek_as(16, "TTLs", ZeekType::VectorOfInterval, |x| {
            let ttl = x.ttl.filter(|_| x.is_response()).unwrap_or(0);
            Value::list(answer_texts(x).map(|_| ttl))
        }),
        C::new(
            "names",
            Kind::List(&NODE_NAME),
            |x| Value::list(x.names.iter().map(node_name)),
            "Names that the node has, of a node status response (RFC 1002 §4.2.18).",
        )
        .eve("nbns.names"),
        C::new(
            "unit_id",
            Kind::Text,
            |x| x.unit_id.map_or(Value::Null, |[a, b, c, d, e, f]| {
                Value::short(format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
            }),
            "Identifier of the node in such a response: its Ethernet address, mostly (RFC 1002 §4.2.18). Zeek has there whether the server refused to answer.",
        )
        .eve("nbns.unit_id")
        .zeek_as(17, "rejected", ZeekType::Bool, |x| {
            (x.is_response() && x.header.rcode() == Rcode::REFUSED).into()
        }),
        C::new(
            "from",
            Kind::Text,
            |x| match x.side {
                FlowSide::Initiator => "initiator".into(),
                FlowSide::Responder => "responder".into(),
            },
            "Which end of the flow sent it.",
        )
        .eve("flowscope.from"),
        C::new("bytes", Kind::U64, |x| x.len.into(), "Length of the message on the wire.")
            .eve("flowscope.bytes"),
        C::new(
            "defect",
            Kind::Text,
            |x| Value::some(x.defect.map(super::NbnsDefect::as_str)),
            "Why the rest of the message was not read: cut or malformed.",
        )
        .eve("flowscope.defect"),
    ],
    summary,
    ..Schema::new("nbns", |x| x.ts)
};

const NODE_NAME: Kind =
    Kind::Object(&[("name", Kind::Bytes), ("suffix", Kind::Text), ("group", Kind::Bool)]);

impl Record for NbnsMessage {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&NBNS, self)
    }
}

fn suffix(name: &NbnsName) -> Value<'static> {
    Value::short(format_args!("{:02x}", name.suffix()))
}

fn scope(name: &NbnsName) -> Value<'_> {
    if name.scope().is_empty() { Value::Null } else { name.scope().into() }
}

fn node_name(entry: &NbnsNodeName) -> Value<'_> {
    Value::Object(vec![
        ("name", entry.name.name().into()),
        ("suffix", suffix(&entry.name)),
        ("group", entry.is_group().into()),
    ])
}

/// The value, of a response.
fn response<'a>(
    message: &'a NbnsMessage,
    value: impl Fn(&'a NbnsMessage) -> Value<'a>,
) -> Value<'a> {
    if message.is_response() { value(message) } else { Value::Null }
}

fn rcode(rcode: Rcode) -> Value<'static> {
    const NAMES: [&str; 8] =
        ["NOERROR", "FMT_ERR", "SRV_ERR", "NAM_ERR", "IMP_ERR", "RFS_ERR", "ACT_ERR", "CFT_ERR"];
    match NAMES.get(usize::from(rcode.0)) {
        Some(name) => (*name).into(),
        None => Value::short(format_args!("RCODE{}", rcode.0)),
    }
}

/// What a response says of the name: its addresses, or the names of a node.
fn answer_texts(message: &NbnsMessage) -> impl Iterator<Item = String> {
    let addresses = message.addresses.iter().map(|entry| entry.address.to_string());
    let names = message.names.iter().map(|entry| entry.name.to_string());
    addresses.chain(names).take(if message.is_response() { usize::MAX } else { 0 })
}

fn answers(message: &NbnsMessage) -> Value<'_> {
    Value::list(answer_texts(message))
}

/// `4660 query? FRED<20> NB`, `4660 NOERROR FRED<20> NB -> 192.0.2.1`.
fn summary(message: &NbnsMessage, text: &mut String) {
    let _ = if message.is_response() {
        let result = message.header.rcode().0;
        match rcode(message.header.rcode()) {
            Value::Text(name) => write!(text, "{} {name}", message.header.id),
            _ => write!(text, "{} RCODE{result}", message.header.id),
        }
    } else {
        write!(text, "{} {}?", message.header.id, message.opcode())
    };
    let _ = write!(text, " {} {}", message.name, message.rtype);
    for (at, answer) in answer_texts(message).enumerate() {
        let _ = write!(text, "{} {answer}", if at == 0 { " ->" } else { "," });
    }
    if message.defect.is_some() {
        text.push_str(" [malformed]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(NBNS.faults(), Vec::<String>::new());
    }
}
