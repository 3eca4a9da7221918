//! Zeek's three logs: `mqtt_connect.log`, `mqtt_publish.log` and `mqtt_subscribe.log`.

use flowscope_record::{Kind, Schema, Value, ZeekType};

use super::{C, X, connect, filters, levels, publication, topics};
use crate::MqttPacket;

/// A line for each connection.
pub(super) fn connections(x: &X, row: &mut dyn FnMut(&X)) {
    if connect(x).is_some() {
        row(x);
    }
}

/// A line for each publication. Zeek's `payload` is left out: it is not kept.
pub(super) static PUBLISH: Schema<X> =
    Schema {
        zeek_rows: Some(|x, row| {
            if publication(x).is_some() {
                row(x);
            }
        }),
        columns: &[
            C::new(
                "from_client",
                Kind::Bool,
                |x| x.is_from_client.into(),
                "Whether the client publishes, and not the server.",
            )
            .zeek(0, "from_client", ZeekType::Bool),
            C::new(
                "retain",
                Kind::Bool,
                |x| x.retain.into(),
                "Whether the server keeps it (§3.3.1.3).",
            )
            .zeek(1, "retain", ZeekType::Bool),
            C::new("qos", Kind::Text, |x| qos(x).into(), "Quality of service in words (§4.3).")
                .zeek(2, "qos", ZeekType::String),
            C::new(
                "status",
                Kind::Text,
                |x| if x.qos == 0 || x.answer.is_some() { "ok" } else { "incomplete_qos" }.into(),
                "ok, or incomplete_qos without the acknowledgement that ends the exchange (§4.3).",
            )
            .zeek(3, "status", ZeekType::String),
            C::new(
                "topic",
                Kind::Bytes,
                |x| Value::some(publication(x).map(|(topic, _)| topic)),
                "Topic (§3.3.2.1).",
            )
            .zeek(4, "topic", ZeekType::String),
            C::new(
                "payload_len",
                Kind::U64,
                |x| Value::some(publication(x).map(|(_, len)| len)),
                "Length of the message in bytes (§3.3.3).",
            )
            .zeek(5, "payload_len", ZeekType::Count),
        ],
        ..Schema::new("mqtt_publish", |x| x.ts)
    };

/// A line for each subscription, and for the end of one.
pub(super) static SUBSCRIBE: Schema<X> = Schema {
    zeek_rows: Some(|x, row| {
        if filters(x).is_some() {
            row(x);
        }
    }),
    columns: &[
        C::new("action", Kind::Text, |x| action(x).into(), "MQTT::SUBSCRIBE or MQTT::UNSUBSCRIBE.")
            .zeek(0, "action", ZeekType::Enum),
        C::new("topics", Kind::List(&Kind::Bytes), topics, "Topic filters, the first 16 (§3.8.3).")
            .zeek(1, "topics", ZeekType::VectorOfString),
        C::new(
            "qos_levels",
            Kind::List(&Kind::U64),
            levels,
            "Quality of service that each asks for (§3.8.3.1).",
        )
        .zeek(2, "qos_levels", ZeekType::VectorOfCount),
        C::new(
            "granted_qos_level",
            Kind::U64,
            granted,
            "Quality of service that is granted to the first, or why none is (§3.9.3).",
        )
        .zeek(3, "granted_qos_level", ZeekType::Count),
        C::new(
            "ack",
            Kind::Bool,
            |x| x.answer.is_some().into(),
            "Whether there was an answer (§3.9).",
        )
        .zeek(4, "ack", ZeekType::Bool),
    ],
    ..Schema::new("mqtt_subscribe", |x| x.ts)
};

const fn qos(x: &X) -> &'static str {
    match x.qos {
        0 => "at most once",
        1 => "at least once",
        _ => "exactly once",
    }
}

const fn action(x: &X) -> &'static str {
    match x.packet {
        MqttPacket::Unsubscribe(_) => "MQTT::UNSUBSCRIBE",
        _ => "MQTT::SUBSCRIBE",
    }
}

fn granted(x: &X) -> Value<'_> {
    match (&x.packet, &x.answer) {
        (MqttPacket::Subscribe(_), Some(answer)) => Value::some(answer.codes.first().copied()),
        _ => Value::Null,
    }
}
