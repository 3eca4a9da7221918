use flowscope_core::{FlowSide, Timestamp};

/// A message, put together from its fragments, or a control frame. Sections are those of RFC 6455.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WebsocketMessage {
    /// Time of the end of its first frame's header.
    pub ts: Timestamp,
    /// Who sent it.
    pub side: FlowSide,
    /// Whether the client sent it: the side that masks (§5.3).
    pub is_from_client: bool,
    /// What it is.
    pub opcode: WebsocketOpcode,
    /// The key with which the first frame is masked (§5.3).
    pub mask: Option<u32>,
    /// Whether it is compressed, as an extension has agreed on: RSV1 of the first frame (RFC 7692 §6).
    pub is_compressed: bool,
    /// How many frames it was sent in (§5.4).
    pub frames: u64,
    /// Captured bytes of its payload, compressed if it is.
    pub len: u64,
    /// Bytes of its payload that passed but were not captured.
    pub missing: u64,
    /// Whether its end was seen.
    pub is_complete: bool,
    /// Why the connection is closed (§7.4).
    pub close_code: Option<u16>,
    /// What the sender says of it, up to 123 bytes.
    pub close_reason: Option<Vec<u8>>,
}

/// What a message is (§5.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WebsocketOpcode {
    /// Text in UTF-8.
    Text,
    /// Any bytes.
    Binary,
    /// The connection is closed.
    Close,
    /// An answer is asked for.
    Ping,
    /// The answer, or a sign of life.
    Pong,
}

impl WebsocketOpcode {
    /// The name of it, as Suricata has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WebsocketOpcode::Text => "text",
            WebsocketOpcode::Binary => "binary",
            WebsocketOpcode::Close => "connection_close",
            WebsocketOpcode::Ping => "ping",
            WebsocketOpcode::Pong => "pong",
        }
    }

    /// Whether it is a frame of its own, which may come between fragments (§5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, WebsocketOpcode::Close | WebsocketOpcode::Ping | WebsocketOpcode::Pong)
    }
}
