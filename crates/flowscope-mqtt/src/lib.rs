//! MQTT 3.1, 3.1.1 and 5.0: who connects, publishes and subscribes, and what the broker says of it.
//!
//! [`MqttParser`] emits an [`MqttExchange`] for each `CONNECT`, `PUBLISH`, `SUBSCRIBE` and `UNSUBSCRIBE` with its
//! acknowledgement, and for each `DISCONNECT`. Passwords and payloads are not kept.
//!
//! ```
//! use flowscope_mqtt::{MqttPacket, MqttParser, SessionParser};
//!
//! let mut parser = MqttParser::default();
//! parser.feed_initiator(b"\x10\x15\0\x04MQTT\x04\x02\0\x3c\0\x09sensor-17");
//! let exchanges = parser.feed_responder(b"\x20\x02\0\0");
//! let MqttPacket::Connect(connect) = &exchanges[0].packet else { panic!() };
//! assert_eq!((connect.client_id.as_slice(), connect.keep_alive), (&b"sensor-17"[..], 60));
//! assert_eq!(exchanges[0].answer.as_ref().unwrap().codes, [0]);
//! ```

mod codes;
mod framing;
mod message;
mod packet;
mod parser;
mod probe;
mod protocol;
mod schema;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{MqttAnswer, MqttConnect, MqttExchange, MqttPacket, MqttTopic, MqttWill};
pub use parser::MqttParser;
pub use protocol::Mqtt;
pub use schema::MQTT;
