//! The columns of a message. EVE has those of Suricata's `websocket`; the log of Zeek's is flowscope's own.

use flowscope_record::{Column, Kind, Schema, Value, ZeekType, amount, wire_text};

use crate::WebsocketMessage;

type C = Column<WebsocketMessage>;

/// The columns of a message.
pub static WEBSOCKET: Schema<WebsocketMessage> = Schema {
    zeek_log: "websocket_message",
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new(
            "fin",
            Kind::Bool,
            |x| x.is_complete.into(),
            "The end of the message was seen (RFC 6455 §5.2).",
        )
        .eve("websocket.fin")
        .zeek(5, "complete", ZeekType::Bool),
        C::new(
            "mask",
            Kind::U64,
            |x| Value::some(x.mask),
            "Key with which the first frame is masked, if it is (RFC 6455 §5.3).",
        )
        .eve("websocket.mask"),
        C::new(
            "opcode",
            Kind::Text,
            |x| x.opcode.name().into(),
            "What it is: text, binary, connection_close, ping or pong (RFC 6455 §5.2).",
        )
        .eve("websocket.opcode")
        .zeek(1, "opcode", ZeekType::String),
        C::new(
            "from_client",
            Kind::Bool,
            |x| x.is_from_client.into(),
            "The client sent it: the side that masks (RFC 6455 §5.3).",
        )
        .eve("flowscope.from_client")
        .zeek(0, "is_orig", ZeekType::Bool),
        C::new(
            "compressed",
            Kind::Bool,
            |x| Value::flag(x.is_compressed),
            "The payload is compressed, as an extension has agreed on (RFC 7692 §6).",
        )
        .eve("flowscope.compressed"),
        C::new(
            "frames",
            Kind::U64,
            |x| x.frames.into(),
            "Frames that it was sent in (RFC 6455 §5.4).",
        )
        .eve("flowscope.frames")
        .zeek(2, "frames", ZeekType::Count),
        C::new(
            "length",
            Kind::U64,
            |x| x.len.into(),
            "Captured bytes of its payload, compressed if it is.",
        )
        .eve("flowscope.length")
        .zeek(3, "length", ZeekType::Count),
        C::new(
            "missing_bytes",
            Kind::U64,
            |x| Value::some((x.missing > 0).then_some(x.missing)),
            "Bytes of its payload that passed but were not captured, if any.",
        )
        .eve("flowscope.missing_bytes")
        .zeek(4, "missing_bytes", ZeekType::Count),
        C::new(
            "close_code",
            Kind::U64,
            |x| Value::some(x.close_code),
            "Why the connection is closed (RFC 6455 §7.4).",
        )
        .eve("flowscope.close_code")
        .zeek(6, "close_code", ZeekType::Count),
        C::new(
            "close_reason",
            Kind::Bytes,
            |x| Value::some(x.close_reason.as_deref()),
            "What the sender says of it, up to 123 bytes (RFC 6455 §7.1.6).",
        )
        .eve("flowscope.close_reason")
        .zeek(7, "close_reason", ZeekType::String),
    ],
    ..Schema::new("websocket", |x| x.ts)
};

/// `text 5B in 2 frames, compressed`, for tables.
fn summary(x: &WebsocketMessage, out: &mut String) {
    let sender = if x.is_from_client { "client" } else { "server" };
    let cut = if x.is_complete { "" } else { "+" };
    out.push_str(&format!("{sender}: {} {}{cut}B", x.opcode.name(), amount(x.len)));
    if x.frames > 1 {
        out.push_str(&format!(" in {} frames", x.frames));
    }
    if x.is_compressed {
        out.push_str(", compressed");
    }
    if let Some(code) = x.close_code {
        out.push_str(&format!(" -> {code}"));
    }
    if let Some(reason) = &x.close_reason {
        out.push_str(&format!(" {}", wire_text(reason)));
    }
}
