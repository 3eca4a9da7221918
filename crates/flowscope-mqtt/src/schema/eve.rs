//! The objects that Suricata has for each packet, without passwords, messages and properties.

use flowscope_record::Value;

use super::{X, connack as connack_of, connect as connect_of, publication};
use crate::{MqttAnswer, MqttPacket};

type Members<'a> = Vec<(&'static str, Value<'a>)>;

/// An object that begins with the flags of the fixed header.
fn object<'a>(flags: (u8, bool, bool), members: Members<'a>) -> Value<'a> {
    let (qos, retain, dup) = flags;
    let flags = [("qos", qos.into()), ("retain", retain.into()), ("dup", dup.into())];
    Value::object(flags.into_iter().chain(members))
}

/// Flags of packets that have none.
const NONE: (u8, bool, bool) = (0, false, false);
/// Flags of `SUBSCRIBE` and `UNSUBSCRIBE`: one bit is set (§3.8.1).
const ONE: (u8, bool, bool) = (1, false, false);

pub(super) fn connect(x: &X) -> Value<'_> {
    let Some(connect) = connect_of(x) else { return Value::Null };
    let will = connect.will.as_ref();
    let flags = Value::Object(vec![
        ("username", connect.username.is_some().into()),
        ("password", connect.has_password.into()),
        ("will_retain", will.is_some_and(|will| will.retain).into()),
        ("will", will.is_some().into()),
        ("clean_session", connect.clean_start.into()),
    ]);
    let will = will.map(|will| Value::Object(vec![("topic", will.topic.as_slice().into())]));
    object(
        NONE,
        vec![
            ("protocol_string", connect.protocol.as_slice().into()),
            ("protocol_version", x.version.into()),
            ("flags", flags),
            ("client_id", connect.client_id.as_slice().into()),
            ("will", Value::some(will)),
            ("username", Value::some(connect.username.as_deref())),
        ],
    )
}

pub(super) fn connack(x: &X) -> Value<'_> {
    let Some(answer) = connack_of(x) else { return Value::Null };
    let code = Value::some(answer.codes.first().copied());
    object(NONE, vec![("session_present", answer.session_present.into()), ("return_code", code)])
}

pub(super) fn publish(x: &X) -> Value<'_> {
    let Some((topic, _)) = publication(x) else { return Value::Null };
    let id = Value::some(x.packet_id);
    object((x.qos, x.retain, x.dup), vec![("topic", topic.into()), ("message_id", id)])
}

/// The acknowledgement of a publication, if it is of this type.
pub(super) fn acknowledged(x: &X, kind: u8) -> Value<'_> {
    let of_kind = |answer: &&MqttAnswer| answer.kind == kind;
    let Some(answer) = x.answer.as_ref().filter(of_kind) else { return Value::Null };
    let code = Value::some(answer.codes.first().copied());
    object(NONE, vec![("message_id", Value::some(x.packet_id)), ("reason_code", code)])
}

pub(super) fn subscribe(x: &X) -> Value<'_> {
    let MqttPacket::Subscribe(topics) = &x.packet else { return Value::Null };
    let topics = topics.iter().map(|topic| {
        let filter = topic.filter.as_slice();
        Value::Object(vec![("topic", filter.into()), ("qos", topic.qos.into())])
    });
    object(ONE, vec![("message_id", Value::some(x.packet_id)), ("topics", Value::list(topics))])
}

pub(super) fn suback(x: &X) -> Value<'_> {
    let MqttPacket::Subscribe(_) = x.packet else { return Value::Null };
    codes(x, "qos_granted")
}

pub(super) fn unsubscribe(x: &X) -> Value<'_> {
    let MqttPacket::Unsubscribe(topics) = &x.packet else { return Value::Null };
    let topics = Value::list(topics.iter().map(|topic| topic.filter.as_slice()));
    object(ONE, vec![("message_id", Value::some(x.packet_id)), ("topics", topics)])
}

pub(super) fn unsuback(x: &X) -> Value<'_> {
    let MqttPacket::Unsubscribe(_) = x.packet else { return Value::Null };
    codes(x, "reason_codes")
}

fn codes<'a>(x: &'a X, name: &'static str) -> Value<'a> {
    let Some(answer) = &x.answer else { return Value::Null };
    let codes = match answer.codes.as_slice() {
        [] => Value::Null,
        codes => Value::list(codes.iter().copied()),
    };
    object(NONE, vec![("message_id", Value::some(x.packet_id)), (name, codes)])
}

pub(super) fn disconnect(x: &X) -> Value<'_> {
    let MqttPacket::Disconnect(code) = x.packet else { return Value::Null };
    object(NONE, vec![("reason_code", Value::some(code))])
}
