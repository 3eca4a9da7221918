//! The columns of a DHCP message. Names in EVE are those of Suricata's `dhcp` event, with its extended members;
//! the fields in Zeek's log are those of `dhcp.log`, of one message.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use flowscope_core::FlowSide;
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor, ZeekType};

use super::{DhcpDefect, DhcpMessage, options};
use crate::text::hex;

type C = Column<DhcpMessage>;

/// The columns of `dhcp` records.
pub(super) static DHCP: Schema<DhcpMessage> = Schema {
    sender: Some(|x| x.side),
    columns: &[
        C::new(
            "type",
            Kind::Text,
            |x| if x.is_reply { "reply".into() } else { "request".into() },
            "request or reply (RFC 2131 §2).",
        )
        .eve("dhcp.type"),
        C::new(
            "id",
            Kind::U64,
            |x| x.transaction_id.into(),
            "Transaction identifier, that of all messages of an exchange (RFC 2131 §2).",
        )
        .eve("dhcp.id"),
        C::new(
            "client_mac",
            Kind::Text,
            |x| hex_or_null(Some(x.hardware_address())),
            "Hardware address of the client (RFC 2131 §2).",
        )
        .eve("dhcp.client_mac")
        .zeek(2, "mac", ZeekType::String),
        C::new(
            "assigned_ip",
            Kind::Addr,
            |x| x.assigned_address.into(),
            "Address that the client is given, 0.0.0.0 for none (RFC 2131 §2). Zeek has none then.",
        )
        .eve("dhcp.assigned_ip")
        .zeek_as(7, "assigned_addr", ZeekType::Addr, |x| address(x.assigned_address)),
        C::new(
            "client_ip",
            Kind::Addr,
            |x| address(x.client_address),
            "Address that the client has (RFC 2131 §2). EVE has 0.0.0.0 where there is none, Zeek the one that it is given.",
        )
        .eve_as("dhcp.client_ip", |x| x.client_address.into())
        .zeek_as(0, "client_addr", ZeekType::Addr, |x| match address(x.client_address) {
            Value::Null => address(x.assigned_address),
            has => has,
        }),
        C::new(
            "relay_ip",
            Kind::Addr,
            |x| address(x.relay_address),
            "Address of the relay next to the client (RFC 2131 §2). EVE has 0.0.0.0 where a reply has none.",
        )
        .eve_as("dhcp.relay_ip", |x| of_reply(x, x.relay_address)),
        C::new(
            "next_server_ip",
            Kind::Addr,
            |x| address(x.next_server),
            "Address of the server that the client boots from (RFC 2131 §2). EVE has 0.0.0.0 where a reply has none.",
        )
        .eve_as("dhcp.next_server_ip", |x| of_reply(x, x.next_server)),
        C::new(
            "dhcp_type",
            Kind::Text,
            |x| x.message_type().map_or(Value::Null, |kind| {
                kind.name().map_or_else(|| Value::short(kind), Value::from)
            }),
            "What the message is for: discover, offer, request, decline, ack, nak, release, inform and others (RFC 2132 §9.6). Zeek has a list, of one message here.",
        )
        .eve("dhcp.dhcp_type")
        .zeek_as(11, "msg_types", ZeekType::VectorOfString, |x| {
            let kind = x.message_type();
            Value::list(kind.iter().map(|kind| kind.to_string().to_ascii_uppercase()))
        }),
        C::new(
            "requested_ip",
            Kind::Addr,
            |x| Value::some(x.requested_address()),
            "Address that the client asks for (RFC 2132 §9.1).",
        )
        .eve("dhcp.requested_ip")
        .zeek(6, "requested_addr", ZeekType::Addr),
        C::new(
            "server_id",
            Kind::Addr,
            |x| Value::some(x.server_id()),
            "Server that the message is from or for (RFC 2132 §9.7).",
        )
        .eve("dhcp.server_id")
        .zeek(1, "server_addr", ZeekType::Addr),
        C::new(
            "client_id",
            Kind::Text,
            |x| hex_or_null(x.client_id()),
            "Identifier of the client with its type, in hexadecimal (RFC 2132 §9.14). EVE has an Ethernet address without its type.",
        )
        .eve_as("dhcp.client_id", |x| match x.client_id() {
            // Suricata shows an Ethernet address without the type before it.
            Some([1, address @ ..]) if address.len() == 6 => hex(address).into(),
            other => hex_or_null(other),
        }),
        C::new(
            "hostname",
            Kind::Bytes,
            |x| Value::some(x.host_name()),
            "Host name (RFC 2132 §3.14).",
        )
        .eve("dhcp.hostname")
        .zeek(3, "host_name", ZeekType::String),
        C::new(
            "client_fqdn",
            Kind::Bytes,
            |x| Value::some(x.client_fqdn()),
            "Name of the client in DNS (RFC 4702 §2).",
        )
        .eve("dhcp.client_fqdn")
        .zeek(4, "client_fqdn", ZeekType::String),
        C::new(
            "domain",
            Kind::Bytes,
            |x| Value::some(x.domain()),
            "Domain of the client (RFC 2132 §3.17).",
        )
        .eve("dhcp.domain")
        .zeek(5, "domain", ZeekType::String),
        C::new(
            "params",
            Kind::List(&Kind::Text),
            |x| Value::list(x.parameters().iter().map(|code| parameter(*code))),
            "Options that the client asks for, by name or number (RFC 2132 §9.8).",
        )
        .eve("dhcp.params"),
        C::new(
            "vendor_class_identifier",
            Kind::Bytes,
            |x| Value::some(x.vendor_class()),
            "Vendor and kind of the client (RFC 2132 §9.13).",
        )
        .eve("dhcp.vendor_class_identifier"),
        C::new(
            "lease_time",
            Kind::U64,
            |x| Value::some(x.lease_time()),
            "Seconds for which the address is given or asked for (RFC 2132 §9.2).",
        )
        .eve("dhcp.lease_time")
        .zeek(8, "lease_time", ZeekType::Interval),
        C::new(
            "renewal_time",
            Kind::U64,
            |x| Value::some(x.renewal_time()),
            "Seconds until the client renews the lease, T1 (RFC 2132 §9.11).",
        )
        .eve("dhcp.renewal_time"),
        C::new(
            "rebinding_time",
            Kind::U64,
            |x| Value::some(x.rebinding_time()),
            "Seconds until the client asks any server, T2 (RFC 2132 §9.12).",
        )
        .eve("dhcp.rebinding_time"),
        C::new(
            "subnet_mask",
            Kind::Addr,
            |x| Value::some(x.subnet_mask()),
            "Mask of the client's network (RFC 2132 §3.3).",
        )
        .eve("dhcp.subnet_mask"),
        C::new(
            "routers",
            Kind::List(&Kind::Addr),
            |x| Value::list(x.routers()),
            "Routers of the client's network (RFC 2132 §3.5).",
        )
        .eve("dhcp.routers"),
        C::new(
            "dns_servers",
            Kind::List(&Kind::Addr),
            |x| Value::list(x.dns_servers()),
            "DNS servers of the client (RFC 2132 §3.8).",
        )
        .eve("dhcp.dns_servers"),
        C::new(
            "message",
            Kind::Bytes,
            |x| Value::some(x.message()),
            "Why a server refuses or a client declines (RFC 2132 §9.9). Zeek has it of clients here.",
        )
        .eve("dhcp.message")
        .zeek_as(9, "client_message", ZeekType::String, |x| {
            Value::some(x.message().filter(|_| !x.is_reply))
        }),
        C::new("hops", Kind::U64, |x| x.hops.into(), "Relays that it went through (RFC 2131 §2). Zeek has the message of servers there.")
            .zeek_as(10, "server_message", ZeekType::String, |x| {
                Value::some(x.message().filter(|_| x.is_reply))
            }),
        C::new(
            "secs",
            Kind::U64,
            |x| x.seconds.into(),
            "Seconds for which the client has been trying (RFC 2131 §2). Zeek has the length of the exchange there, 0 of one message.",
        )
        .zeek_as(12, "duration", ZeekType::Interval, |_| Duration::ZERO.into()),
        C::new(
            "broadcast",
            Kind::Bool,
            |x| Value::flag(x.broadcast),
            "Whether the client asks for replies by broadcast (RFC 2131 §4.1).",
        ),
        C::new(
            "relay_agent_information",
            Kind::Text,
            |x| hex_or_null(x.relay_agent_information()),
            "What relays said of the client: sub-options in hexadecimal (RFC 3046 §2.0).",
        )
        .eve("flowscope.relay_agent_information"),
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
    ..Schema::new("dhcp", |x| x.ts)
};

impl Record for DhcpMessage {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&DHCP, self)
    }
}

fn hex_or_null(bytes: Option<&[u8]>) -> Value<'static> {
    bytes.filter(|bytes| !bytes.is_empty()).map_or(Value::Null, |bytes| hex(bytes).into())
}

/// An address as Suricata has it: of a reply, also an unspecified one.
fn of_reply(message: &DhcpMessage, of: Ipv4Addr) -> Value<'static> {
    if message.is_reply { of.into() } else { address(of) }
}

/// An address, unless it is unspecified.
fn address(address: Ipv4Addr) -> Value<'static> {
    if address.is_unspecified() { Value::Null } else { address.into() }
}

fn parameter(code: u8) -> Value<'static> {
    options::name(code).map_or_else(|| Value::short(code), Value::from)
}

/// `discover 02:00:00:00:00:01 (host)`, `ack 02:00:00:00:00:01 -> 192.0.2.7 for 3600s`.
fn summary(message: &DhcpMessage, text: &mut String) {
    let _ = match (message.message_type(), message.is_reply) {
        (Some(kind), _) => write!(text, "{kind}"),
        (None, false) => write!(text, "BOOTP request"),
        (None, true) => write!(text, "BOOTP reply"),
    };
    let _ = write!(text, " {}", hex(message.hardware_address()));
    if let Some(name) = message.host_name() {
        let _ = write!(text, " ({})", String::from_utf8_lossy(name));
    }
    if let Some(requested) = message.requested_address() {
        let _ = write!(text, " asks for {requested}");
    }
    if !message.assigned_address.is_unspecified() {
        let _ = write!(text, " -> {}", message.assigned_address);
    }
    if let Some(lease) = message.lease_time() {
        let _ = write!(text, " for {lease}s");
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
        assert_eq!(DHCP.faults(), Vec::<String>::new());
    }
}
