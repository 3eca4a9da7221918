use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::WEBSOCKET;
use crate::{WebsocketMessage, WebsocketParser};

/// WebSocket behind its handshake in HTTP/1.1 (RFC 6455), one record per message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Websocket;

impl Protocol for Websocket {
    const NAME: &'static str = "websocket";
    const RECORDS: &'static str =
        "one per message, fragments put together, and one per control frame";
    /// None: it follows HTTP.
    const PORTS: Ports = Ports::NONE;
    /// None: two bytes of any value may begin a frame.
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = WebsocketParser;
    type Datagram = NoParser<WebsocketMessage>;
    type Record = WebsocketMessage;
    const SCHEMA: &'static Schema<WebsocketMessage> = &WEBSOCKET;
}
