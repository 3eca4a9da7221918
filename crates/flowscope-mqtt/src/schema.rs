//! The columns of an exchange. EVE has an object for each packet, as Suricata has, and Zeek three logs.

mod eve;
mod zeek;

use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{MqttAnswer, MqttConnect, MqttExchange, MqttPacket, MqttTopic};

type C = Column<MqttExchange>;
type X = MqttExchange;

/// The columns of an exchange. Sections are those of MQTT 5.0.
pub static MQTT: Schema<MqttExchange> = Schema {
    zeek_log: "mqtt_connect",
    zeek_rows: Some(zeek::connections),
    zeek_also: &[&zeek::PUBLISH, &zeek::SUBSCRIBE],
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new(
            "type",
            Kind::Text,
            |x| x.packet.name().into(),
            "Packet: connect, publish, subscribe, unsubscribe or disconnect (§2.1.2). EVE has an object for a \
             connection.",
        )
        .eve_as("mqtt.connect", eve::connect),
        C::new(
            "answer",
            Kind::Text,
            |x| Value::some(x.answer.as_ref().map(MqttAnswer::name)),
            "Acknowledgement: connack, puback, pubrec that refuses, pubcomp, suback or unsuback (§2.1.2). EVE \
             has an object for that of a connection.",
        )
        .eve_as("mqtt.connack", eve::connack),
        C::new(
            "topics",
            Kind::List(&Kind::Bytes),
            topics,
            "Topic of a publication, up to 256 bytes, or the first 16 topic filters (§3.3.2.1, §3.8.3). EVE \
             has an object for a publication.",
        )
        .eve_as("mqtt.publish", eve::publish),
        C::new(
            "reason",
            Kind::Text,
            |x| Value::some(x.reason()),
            "Meaning of the first code, or of that of DISCONNECT (§2.4). EVE has an object for the \
             acknowledgement of a publication of QoS 1.",
        )
        .eve_as("mqtt.puback", |x| eve::acknowledged(x, 4)),
        C::new(
            "codes",
            Kind::List(&Kind::U64),
            codes,
            "Codes of the acknowledgement: one per topic filter, or one; that of DISCONNECT (§2.4). EVE has an \
             object for the refusal of a publication of QoS 2.",
        )
        .eve_as("mqtt.pubrec", |x| eve::acknowledged(x, 5)),
        C::new(
            "packet_id",
            Kind::U64,
            |x| Value::some(x.packet_id),
            "Identifier of the packet (§2.2.1). EVE has an object for the end of a publication of QoS 2.",
        )
        .eve_as("mqtt.pubcomp", |x| eve::acknowledged(x, 7)),
        C::new(
            "qos_levels",
            Kind::List(&Kind::U64),
            levels,
            "Quality of service of a publication, or that each topic filter asks for (§3.8.3.1). EVE has an \
             object for a subscription.",
        )
        .eve_as("mqtt.subscribe", eve::subscribe),
        C::new(
            "session_present",
            Kind::Bool,
            |x| Value::some(connack(x).map(|answer| answer.session_present)),
            "Whether the server has a session of the client (§3.2.2.1.1). EVE has an object for the \
             acknowledgement of a subscription.",
        )
        .eve_as("mqtt.suback", eve::suback),
        C::new(
            "clean_start",
            Kind::Bool,
            |x| Value::some(connect(x).map(|it| it.clean_start)),
            "Whether an older session is forgotten (§3.1.2.4). EVE has an object for the end of a subscription.",
        )
        .eve_as("mqtt.unsubscribe", eve::unsubscribe),
        C::new(
            "has_password",
            Kind::Bool,
            |x| Value::some(connect(x).map(|it| it.has_password)),
            "Whether the client sends a password, which is not kept (§3.1.2.9). EVE has an object for the \
             acknowledgement of the end of a subscription.",
        )
        .eve_as("mqtt.unsuback", eve::unsuback),
        C::new(
            "retain",
            Kind::Bool,
            |x| Value::some(of_publish(x, x.retain)),
            "Whether the server keeps the message (§3.3.1.3). EVE has an object for DISCONNECT.",
        )
        .eve_as("mqtt.disconnect", eve::disconnect),
        C::new("dup", Kind::Bool, |x| Value::some(of_publish(x, x.dup)), "Whether the publication is sent again (§3.3.1.1)."),
        C::new(
            "protocol",
            Kind::Bytes,
            |x| Value::some(connect(x).map(|it| it.protocol.as_slice())),
            "Name of the protocol: MQTT, or MQIsdp of version 3.1 (§3.1.2.1).",
        )
        .zeek(0, "proto_name", ZeekType::String),
        C::new("version", Kind::Text, |x| Value::some(version(x)), "Version: 3.1, 3.1.1 or 5.0 (§3.1.2.2).")
            .eve("flowscope.version")
            .zeek(1, "proto_version", ZeekType::String),
        C::new(
            "client_id",
            Kind::Bytes,
            |x| x.client_id.as_slice().into(),
            "Name of the connection's client, its own or the one that the server assigned (§3.1.3.1, §3.2.2.3.7).",
        )
        .eve("flowscope.client_id")
        .zeek(2, "client_id", ZeekType::String),
        C::new(
            "username",
            Kind::Bytes,
            |x| Value::some(connect(x).and_then(|it| it.username.as_deref())),
            "User name, up to 128 bytes (§3.1.3.5).",
        ),
        C::new(
            "keep_alive",
            Kind::U64,
            |x| Value::some(connect(x).map(|it| it.keep_alive)),
            "Seconds after which a silent client is taken for gone; 0: never (§3.1.2.10).",
        )
        .eve("flowscope.keep_alive"),
        C::new(
            "connect_status",
            Kind::Text,
            |x| Value::some(connect(x).and_then(|_| x.reason())),
            "Meaning of the code of CONNACK (§3.2.2.2).",
        )
        .eve("flowscope.connect_status")
        .zeek(3, "connect_status", ZeekType::String),
        C::new(
            "will_topic",
            Kind::Bytes,
            |x| Value::some(connect(x).and_then(|it| it.will.as_ref()).map(|it| it.topic.as_slice())),
            "Topic of what the server publishes if the client is gone (§3.1.3.3).",
        )
        .zeek(4, "will_topic", ZeekType::String),
        C::new(
            "payload_len",
            Kind::U64,
            |x| Value::some(publication(x).map(|(_, len)| len)),
            "Length of the message in bytes (§3.3.3).",
        )
        .eve("flowscope.payload_len"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the packet to the acknowledgement, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("mqtt", |x| x.ts)
};

fn connect(x: &X) -> Option<&MqttConnect> {
    match &x.packet {
        MqttPacket::Connect(connect) => Some(connect),
        _ => None,
    }
}

fn connack(x: &X) -> Option<&MqttAnswer> {
    x.answer.as_ref().filter(|answer| answer.kind == 2)
}

/// Topic and length of a publication.
fn publication(x: &X) -> Option<(&[u8], u64)> {
    match &x.packet {
        MqttPacket::Publish { topic, payload_len } => Some((topic, *payload_len)),
        _ => None,
    }
}

fn of_publish<T>(x: &X, value: T) -> Option<T> {
    publication(x).map(|_| value)
}

/// The topic filters of a subscription, or of its end.
fn filters(x: &X) -> Option<&[MqttTopic]> {
    match &x.packet {
        MqttPacket::Subscribe(topics) | MqttPacket::Unsubscribe(topics) => Some(topics),
        _ => None,
    }
}

fn topics(x: &X) -> Value<'_> {
    match (publication(x), filters(x)) {
        (Some((topic, _)), _) => Value::list(std::iter::once(topic)),
        (_, Some(filters)) => Value::list(filters.iter().map(|topic| topic.filter.as_slice())),
        _ => Value::Null,
    }
}

fn levels(x: &X) -> Value<'_> {
    match &x.packet {
        MqttPacket::Publish { .. } => Value::list(std::iter::once(x.qos)),
        MqttPacket::Subscribe(topics) => Value::list(topics.iter().map(|topic| topic.qos)),
        _ => Value::Null,
    }
}

fn codes(x: &X) -> Value<'_> {
    match (&x.packet, &x.answer) {
        (MqttPacket::Disconnect(Some(code)), _) => Value::list(std::iter::once(*code)),
        (_, Some(answer)) if !answer.codes.is_empty() => Value::list(answer.codes.iter().copied()),
        _ => Value::Null,
    }
}

/// As Zeek names it.
const fn version(x: &X) -> Option<&'static str> {
    match x.version {
        3 => Some("3.1"),
        4 => Some("3.1.1"),
        5 => Some("5.0"),
        _ => None,
    }
}

/// `publish home/kitchen/temp, 4 B`, for tables.
fn summary(x: &MqttExchange, out: &mut String) {
    out.push_str(x.packet.name());
    match (&x.packet, publication(x), filters(x)) {
        (MqttPacket::Connect(connect), _, _) => {
            out.push_str(&format!(" {}", wire_text(&x.client_id)));
            if let Some(user) = &connect.username {
                out.push_str(&format!(" as {}", wire_text(user)));
            }
        }
        (_, Some((topic, len)), _) => {
            out.push_str(&format!(" {}, {len} B", wire_text(topic)));
        }
        (_, _, Some(filters)) => {
            for topic in filters {
                out.push_str(&format!(" {}", wire_text(&topic.filter)));
            }
        }
        _ => {}
    }
    if let Some(reason) = x.reason() {
        out.push_str(&format!(" → {reason}"));
    }
}
