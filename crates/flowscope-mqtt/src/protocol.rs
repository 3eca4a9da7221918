use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::MQTT;
use crate::{MqttExchange, MqttParser};

/// MQTT over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mqtt;

impl Protocol for Mqtt {
    const NAME: &'static str = "mqtt";
    const RECORDS: &'static str = "one per connection, publication, subscription and its end, with the acknowledgement, and one per DISCONNECT";
    const PORTS: Ports = Ports::tcp(&[1883]);
    /// Of `CONNECT`.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0x10]);
    type Stream = MqttParser;
    type Datagram = NoParser<MqttExchange>;
    type Record = MqttExchange;
    const SCHEMA: &'static Schema<MqttExchange> = &MQTT;
}
