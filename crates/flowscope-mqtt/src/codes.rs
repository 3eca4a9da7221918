//! What codes mean.

/// A return code of `CONNACK` before version 5 (MQTT 3.1.1 §3.2.2.3), in Zeek's words.
pub(crate) const fn return_code(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "Connection Accepted",
        1 => "Refused: unacceptable protocol version",
        2 => "Refused: identifier rejected",
        3 => "Refused: server unavailable",
        4 => "Refused: bad user name or password",
        5 => "Refused: not authorized",
        _ => return None,
    })
}

/// A reason code in a packet of this type (MQTT 5.0 §2.4).
pub(crate) const fn reason(packet: u8, code: u8) -> Option<&'static str> {
    Some(match (packet, code) {
        (14, 0) => "Normal disconnection",
        (9, 0) => "Granted QoS 0",
        (9, 1) => "Granted QoS 1",
        (9, 2) => "Granted QoS 2",
        (_, 0x00) => "Success",
        (14, 0x04) => "Disconnect with Will Message",
        (_, 0x10) => "No matching subscribers",
        (_, 0x11) => "No subscription existed",
        (_, 0x80) => "Unspecified error",
        (_, 0x81) => "Malformed Packet",
        (_, 0x82) => "Protocol Error",
        (_, 0x83) => "Implementation specific error",
        (_, 0x84) => "Unsupported Protocol Version",
        (_, 0x85) => "Client Identifier not valid",
        (_, 0x86) => "Bad User Name or Password",
        (_, 0x87) => "Not authorized",
        (_, 0x88) => "Server unavailable",
        (_, 0x89) => "Server busy",
        (_, 0x8a) => "Banned",
        (_, 0x8b) => "Server shutting down",
        (_, 0x8c) => "Bad authentication method",
        (_, 0x8d) => "Keep Alive timeout",
        (_, 0x8e) => "Session taken over",
        (_, 0x8f) => "Topic Filter invalid",
        (_, 0x90) => "Topic Name invalid",
        (_, 0x91) => "Packet Identifier in use",
        (_, 0x92) => "Packet Identifier not found",
        (_, 0x93) => "Receive Maximum exceeded",
        (_, 0x94) => "Topic Alias invalid",
        (_, 0x95) => "Packet too large",
        (_, 0x96) => "Message rate too high",
        (_, 0x97) => "Quota exceeded",
        (_, 0x98) => "Administrative action",
        (_, 0x99) => "Payload format invalid",
        (_, 0x9a) => "Retain not supported",
        (_, 0x9b) => "QoS not supported",
        (_, 0x9c) => "Use another server",
        (_, 0x9d) => "Server moved",
        (_, 0x9e) => "Shared Subscriptions not supported",
        (_, 0x9f) => "Connection rate exceeded",
        (_, 0xa0) => "Maximum connect time",
        (_, 0xa1) => "Subscription Identifiers not supported",
        (_, 0xa2) => "Wildcard Subscriptions not supported",
        _ => return None,
    })
}
