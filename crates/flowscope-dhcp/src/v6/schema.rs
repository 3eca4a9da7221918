//! The columns of a DHCPv6 message. Suricata and Zeek have no such record; names follow RFC 8415.

use std::fmt::Write as _;

use flowscope_core::FlowSide;
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor, ZeekType};

use super::{Dhcpv6Address, Dhcpv6Message, Dhcpv6Prefix};
use crate::DhcpDefect;
use crate::text::hex;

type C = Column<Dhcpv6Message>;

/// The columns of `dhcpv6` records.
pub(super) static DHCPV6: Schema<Dhcpv6Message> = Schema {
    sender: Some(|x| x.side),
    columns: &[
        C::new(
            "type",
            Kind::Text,
            |x| {
                let kind = x.message_type;
                kind.name().map_or_else(|| Value::short(kind), Value::from)
            },
            "What the message is for: solicit, advertise, request, reply and others (RFC 8415 §7.3).",
        )
        .eve("dhcpv6.type")
        .zeek(0, "msg_type", ZeekType::String),
        C::new(
            "id",
            Kind::U64,
            |x| Value::some(x.transaction_id),
            "Transaction identifier, which a reply has from its request (RFC 8415 §8).",
        )
        .eve("dhcpv6.id")
        .zeek(1, "trans_id", ZeekType::Count),
        C::new(
            "client_id",
            Kind::Text,
            |x| Value::some(x.client_id.as_deref().map(hex)),
            "DUID of the client in hexadecimal (RFC 8415 §21.2).",
        )
        .eve("dhcpv6.client_id")
        .zeek(2, "client_duid", ZeekType::String),
        C::new(
            "server_id",
            Kind::Text,
            |x| Value::some(x.server_id.as_deref().map(hex)),
            "DUID of the server in hexadecimal (RFC 8415 §21.3).",
        )
        .eve("dhcpv6.server_id")
        .zeek(3, "server_duid", ZeekType::String),
        C::new(
            "addresses",
            Kind::List(&ADDRESS),
            |x| Value::list(x.addresses.iter().map(address)),
            "Addresses asked for or given, with their lifetimes in seconds (RFC 8415 §21.6). Zeek has them without these.",
        )
        .eve("dhcpv6.addresses")
        .zeek_as(4, "addrs", ZeekType::VectorOfString, |x| {
            Value::list(x.addresses.iter().map(|entry| entry.address.to_string()))
        }),
        C::new(
            "prefixes",
            Kind::List(&PREFIX),
            |x| Value::list(x.prefixes.iter().map(prefix)),
            "Prefixes asked for or given, with their lifetimes in seconds (RFC 8415 §21.22). Zeek has them without these.",
        )
        .eve("dhcpv6.prefixes")
        .zeek_as(5, "prefixes", ZeekType::VectorOfString, |x| {
            Value::list(x.prefixes.iter().map(prefix_text))
        }),
        C::new(
            "hostname",
            Kind::Bytes,
            |x| Value::some(x.client_fqdn.as_deref()),
            "Name of the client in DNS (RFC 4704 §4).",
        )
        .eve("dhcpv6.hostname")
        .zeek(6, "client_fqdn", ZeekType::String),
        C::new(
            "dns_servers",
            Kind::List(&Kind::Addr),
            |x| Value::list(x.dns_servers.iter().copied()),
            "DNS servers of the client (RFC 3646 §3).",
        )
        .eve("dhcpv6.dns_servers"),
        C::new(
            "params",
            Kind::List(&Kind::U64),
            |x| Value::list(x.requested_options.iter().copied()),
            "Codes of the options that the client asks for (RFC 8415 §21.7).",
        )
        .eve("dhcpv6.params"),
        C::new(
            "elapsed_time",
            Kind::U64,
            |x| Value::some(x.elapsed_time),
            "Hundredths of a second for which the client has been trying (RFC 8415 §21.9).",
        )
        .eve("dhcpv6.elapsed_time"),
        C::new(
            "rapid_commit",
            Kind::Bool,
            |x| Value::flag(x.rapid_commit),
            "Whether two messages are to do instead of four (RFC 8415 §21.14).",
        )
        .eve("dhcpv6.rapid_commit"),
        C::new(
            "status",
            Kind::U64,
            |x| Value::some(x.status.as_ref().map(|status| status.code)),
            "How the request went, 0 for success (RFC 8415 §21.13).",
        )
        .eve("dhcpv6.status")
        .zeek(7, "status", ZeekType::Count),
        C::new(
            "status_message",
            Kind::Bytes,
            |x| {
                let message = x.status.as_ref().map(|status| &status.message[..]);
                Value::some(message.filter(|message| !message.is_empty()))
            },
            "What the server has to say about that (RFC 8415 §21.13).",
        )
        .eve("dhcpv6.status_message")
        .zeek(8, "status_message", ZeekType::String),
        C::new(
            "relays",
            Kind::U64,
            |x| if x.relays == 0 { Value::Null } else { x.relays.into() },
            "How many relays are around the message (RFC 8415 §9).",
        )
        .eve("dhcpv6.relays"),
        C::new(
            "relay_link",
            Kind::Addr,
            |x| Value::some(x.relay.map(|relay| relay.link_address)),
            "Address of the client's link, of the relay next to it (RFC 8415 §9).",
        )
        .eve("dhcpv6.relay_link"),
        C::new(
            "relay_peer",
            Kind::Addr,
            |x| Value::some(x.relay.map(|relay| relay.peer_address)),
            "Address of the client, of the relay next to it (RFC 8415 §9).",
        )
        .eve("dhcpv6.relay_peer"),
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
            |x| Value::some(x.defect.map(DhcpDefect::as_str)),
            "Why options are missing: cut or malformed.",
        )
        .eve("flowscope.defect"),
    ],
    summary,
    ..Schema::new("dhcpv6", |x| x.ts)
};

const ADDRESS: Kind = Kind::Object(&[
    ("ip", Kind::Addr),
    ("preferred_lifetime", Kind::U64),
    ("valid_lifetime", Kind::U64),
]);

const PREFIX: Kind = Kind::Object(&[
    ("prefix", Kind::Text),
    ("preferred_lifetime", Kind::U64),
    ("valid_lifetime", Kind::U64),
]);

impl Record for Dhcpv6Message {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&DHCPV6, self)
    }
}

fn address(entry: &Dhcpv6Address) -> Value<'static> {
    Value::Object(vec![
        ("ip", entry.address.into()),
        ("preferred_lifetime", entry.preferred_lifetime.into()),
        ("valid_lifetime", entry.valid_lifetime.into()),
    ])
}

fn prefix(entry: &Dhcpv6Prefix) -> Value<'static> {
    Value::Object(vec![
        ("prefix", prefix_text(entry).into()),
        ("preferred_lifetime", entry.preferred_lifetime.into()),
        ("valid_lifetime", entry.valid_lifetime.into()),
    ])
}

fn prefix_text(entry: &Dhcpv6Prefix) -> String {
    format!("{}/{}", entry.prefix, entry.prefix_len)
}

/// `reply 00:01 -> 2001:db8::7`.
fn summary(message: &Dhcpv6Message, text: &mut String) {
    let _ = write!(text, "{}", message.message_type);
    if let Some(client) = &message.client_id {
        let _ = write!(text, " {}", hex(client));
    }
    if let Some(name) = &message.client_fqdn {
        let _ = write!(text, " ({})", String::from_utf8_lossy(name));
    }
    let addresses = message.addresses.iter().map(|entry| entry.address.to_string());
    let all = addresses.chain(message.prefixes.iter().map(prefix_text));
    for (at, shown) in all.enumerate() {
        let _ = write!(text, "{} {shown}", if at == 0 { " ->" } else { "," });
    }
    if let Some(status) = message.status.as_ref().filter(|status| status.code != 0) {
        let _ = write!(text, " status {}", status.code);
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
        assert_eq!(DHCPV6.faults(), Vec::<String>::new());
    }
}
