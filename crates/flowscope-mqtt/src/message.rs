use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::codes;

/// A packet with its acknowledgement. Sections are those of MQTT 5.0.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MqttExchange {
    /// Time of the end of the packet.
    pub ts: Timestamp,
    /// Who sent it.
    pub side: FlowSide,
    /// Whether the client sent it.
    pub is_from_client: bool,
    /// The level of the protocol: 3 is 3.1, 4 is 3.1.1, 5 is 5.0 (§3.1.2.2).
    pub version: u8,
    /// The client's name for itself, or the one that the server assigned to it (§3.1.3.1, §3.2.2.3.7). Up to 128 bytes.
    pub client_id: Vec<u8>,
    /// Whether it was sent before (§3.3.1.1).
    pub dup: bool,
    /// Quality of service in the fixed header, 0 to 2 (§3.3.1.2).
    pub qos: u8,
    /// Whether the server keeps the message for subscribers to come (§3.3.1.3).
    pub retain: bool,
    /// The identifier that connects packet and acknowledgement (§2.2.1).
    pub packet_id: Option<u16>,
    /// What was sent.
    pub packet: MqttPacket,
    /// The acknowledgement; `None` if there was none, and where there is none: publications of QoS 0, `DISCONNECT`.
    pub answer: Option<MqttAnswer>,
    /// From the packet to the acknowledgement.
    pub latency: Option<Duration>,
}

/// What a packet says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MqttPacket {
    /// `CONNECT` (§3.1).
    Connect(Box<MqttConnect>),
    /// `PUBLISH` (§3.3).
    Publish {
        /// The topic, up to 256 bytes; empty where an alias stands for it (§3.3.2.3.4).
        topic: Vec<u8>,
        /// Length of the message in bytes.
        payload_len: u64,
    },
    /// `SUBSCRIBE`, with the first 16 topic filters (§3.8).
    Subscribe(Vec<MqttTopic>),
    /// `UNSUBSCRIBE`, with the first 16 topic filters (§3.10).
    Unsubscribe(Vec<MqttTopic>),
    /// `DISCONNECT`, with its reason code; before version 5 there was none (§3.14).
    Disconnect(Option<u8>),
}

/// How a client connects (§3.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MqttConnect {
    /// The name of the protocol: `MQTT`, or `MQIsdp` of version 3.1 (§3.1.2.1).
    pub protocol: Vec<u8>,
    /// The client's name for itself; empty: the server assigns one. Up to 128 bytes.
    pub client_id: Vec<u8>,
    /// The user name, up to 128 bytes.
    pub username: Option<Vec<u8>>,
    /// Whether there is a password. It is not kept.
    pub has_password: bool,
    /// Whether an older session is forgotten (§3.1.2.4).
    pub clean_start: bool,
    /// Seconds after which a silent client is taken for gone; 0: never (§3.1.2.10).
    pub keep_alive: u16,
    /// What the server publishes if the client is gone (§3.1.2.5).
    pub will: Option<MqttWill>,
}

/// What the server publishes if a client is gone (§3.1.2.5).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MqttWill {
    /// The topic, up to 256 bytes.
    pub topic: Vec<u8>,
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Length of the message in bytes.
    pub payload_len: u64,
}

/// A topic filter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MqttTopic {
    /// The filter, up to 128 bytes, and 1024 bytes of all filters of a packet.
    pub filter: Vec<u8>,
    /// The highest quality of service that is asked for (§3.8.3.1); of `UNSUBSCRIBE` 0.
    pub qos: u8,
}

/// An acknowledgement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MqttAnswer {
    /// The type of the packet: 2 `CONNACK`, 4 `PUBACK`, 5 `PUBREC`, 7 `PUBCOMP`, 9 `SUBACK`, 11 `UNSUBACK` (§2.1.2).
    pub kind: u8,
    /// Its code (§2.4); of `SUBACK` and `UNSUBACK` one per topic filter, the first 16: granted quality of service, or
    /// why not. Empty where a version has none.
    pub codes: Vec<u8>,
    /// Of `CONNACK`: whether the server has a session of the client (§3.2.2.1.1).
    pub session_present: bool,
}

impl MqttPacket {
    /// The name of the packet, in lower case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            MqttPacket::Connect(_) => "connect",
            MqttPacket::Publish { .. } => "publish",
            MqttPacket::Subscribe(_) => "subscribe",
            MqttPacket::Unsubscribe(_) => "unsubscribe",
            MqttPacket::Disconnect(_) => "disconnect",
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            MqttPacket::Connect(connect) => {
                let will = connect.will.as_ref().map_or(0, |will| will.topic.capacity());
                let user = connect.username.as_ref().map_or(0, Vec::capacity);
                let names = connect.protocol.capacity() + connect.client_id.capacity();
                size_of::<MqttConnect>() + names + user + will
            }
            MqttPacket::Publish { topic, .. } => topic.capacity(),
            MqttPacket::Subscribe(topics) | MqttPacket::Unsubscribe(topics) => {
                let filters: usize = topics.iter().map(|topic| topic.filter.capacity()).sum();
                topics.capacity() * size_of::<MqttTopic>() + filters
            }
            MqttPacket::Disconnect(_) => 0,
        }
    }
}

impl MqttAnswer {
    /// The name of the packet, in lower case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.kind {
            2 => "connack",
            4 => "puback",
            5 => "pubrec",
            7 => "pubcomp",
            9 => "suback",
            _ => "unsuback",
        }
    }
}

impl MqttExchange {
    /// What the answer's first code, or that of `DISCONNECT`, means in this version; `None` for unassigned codes, and
    /// where there is none.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match (&self.packet, &self.answer) {
            (MqttPacket::Disconnect(code), _) => codes::reason(14, (*code)?),
            (_, Some(answer)) if answer.kind == 2 && self.version < 5 => {
                codes::return_code(*answer.codes.first()?)
            }
            (_, Some(answer)) => codes::reason(answer.kind, *answer.codes.first()?),
            (_, None) => None,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let codes = self.answer.as_ref().map_or(0, |answer| answer.codes.capacity());
        self.client_id.capacity() + self.packet.heap_bytes() + codes
    }
}
