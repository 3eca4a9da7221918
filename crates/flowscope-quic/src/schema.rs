use flowscope_core::Timestamp;
use flowscope_record::{Column, Eve, Kind, Record, Schema, Value, Visitor, Zeek, ZeekType};
use flowscope_tls::{ClientHello, Ja3};

use crate::{QuicHandshake, QuicVersion};

/// The columns of a QUIC handshake.
pub static QUIC: Schema<QuicHandshake> = Schema {
    summary,
    columns: &[
        Column {
            eve: Some(Eve::path("quic.version")),
            zeek: Some(Zeek::with(0, "version", ZeekType::String, |quic| {
                zeek_version(quic.version)
            })),
            ..Column::new(
                "version",
                Kind::Text,
                |quic: &QuicHandshake| Value::short(quic.version),
                "Version of the client's last Initial (RFC 9000 §15): `1`, `2`, `draft-29`, or a number. Zeek \
                 has `quicv2` for version 2, and its own words for others.",
            )
        },
        Column {
            eve: Some(Eve::path("quic.sni")),
            zeek: Some(Zeek::at(4, "server_name", ZeekType::String)),
            ..Column::new(
                "server_name",
                Kind::Bytes,
                |quic: &QuicHandshake| Value::some(quic.server_name()),
                "Server name that the client asked for (RFC 6066 §3).",
            )
        },
        Column {
            eve: Some(Eve::path("quic.client_alpns")),
            zeek: Some(Zeek::with(5, "client_protocol", ZeekType::String, |quic| {
                Value::some(quic.alpn().next())
            })),
            ..Column::new(
                "client_alpns",
                Kind::List(&Kind::Bytes),
                |quic: &QuicHandshake| Value::list(quic.alpn()),
                "Application protocols that the client offered (RFC 7301 §3.1), in its order. Zeek has the first.",
            )
        },
        Column {
            eve: Some(Eve::path("quic.ja3")),
            ..Column::new(
                "ja3",
                Kind::Object(&[("hash", Kind::Text), ("string", Kind::Text)]),
                |quic: &QuicHandshake| {
                    quic.client_hello
                        .as_ref()
                        .and_then(ClientHello::ja3)
                        .map_or(Value::Null, object)
                },
                "JA3 fingerprint of the client's hello.",
            )
        },
        Column {
            eve: Some(Eve::path("quic.ja4")),
            ..Column::new(
                "ja4",
                Kind::Text,
                |quic: &QuicHandshake| {
                    quic.ja4().map_or(Value::Null, |ja4| Value::short(ja4.as_str()))
                },
                "JA4 fingerprint of the client's hello over QUIC.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.outcome")),
            ..Column::new(
                "outcome",
                Kind::Text,
                |quic: &QuicHandshake| quic.outcome.as_str().into(),
                "How far the handshake came: `accepted` when the server's hello was seen, `refused`, \
                 `version_negotiation`, `unanswered`.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.latency")),
            ..Column::new(
                "latency",
                Kind::Duration,
                |quic: &QuicHandshake| Value::some(quic.latency),
                "From the client's first Initial to the server's hello, in seconds.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.client_initial_dcid")),
            zeek: Some(Zeek::at(1, "client_initial_dcid", ZeekType::String)),
            ..Column::new(
                "client_initial_dcid",
                Kind::Text,
                |quic: &QuicHandshake| Value::short(quic.original_destination),
                "Destination connection id of the client's first Initial (RFC 9000 §7.2), hexadecimal.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.client_scid")),
            zeek: Some(Zeek::at(2, "client_scid", ZeekType::String)),
            ..Column::new(
                "client_scid",
                Kind::Text,
                |quic: &QuicHandshake| Value::short(quic.client_id),
                "Connection id that the client chose (RFC 9000 §5.1), hexadecimal.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.server_scid")),
            zeek: Some(Zeek::at(3, "server_scid", ZeekType::String)),
            ..Column::new(
                "server_scid",
                Kind::Text,
                |quic: &QuicHandshake| quic.server_id.map_or(Value::Null, Value::short),
                "Connection id that the server chose (RFC 9000 §5.1), hexadecimal.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.server_cipher")),
            ..Column::new(
                "server_cipher",
                Kind::U64,
                |quic: &QuicHandshake| {
                    Value::some(quic.server_hello.as_ref().map(flowscope_tls::ServerHello::cipher))
                },
                "Cipher suite that the server chose (RFC 8446 §B.4), as a number.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.retry")),
            ..Column::new(
                "retry",
                Kind::Bool,
                |quic: &QuicHandshake| Value::flag(quic.retry),
                "The server asked for proof of address by a Retry (RFC 9000 §8.1.2).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.hello_retry")),
            ..Column::new(
                "hello_retry",
                Kind::Bool,
                |quic: &QuicHandshake| Value::flag(quic.hello_retry),
                "The server asked for another hello (RFC 8446 §4.1.4).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.offered_versions")),
            ..Column::new(
                "offered_versions",
                Kind::List(&Kind::Text),
                |quic: &QuicHandshake| {
                    Value::List(quic.offered_versions.iter().map(Value::short).collect())
                },
                "Versions that the server offered in a Version Negotiation (RFC 9000 §6), the first 16.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.close_code")),
            ..Column::new(
                "close_code",
                Kind::U64,
                |quic: &QuicHandshake| Value::some(quic.close_code),
                "Error code of a CONNECTION_CLOSE in an Initial (RFC 9000 §20.1); from 256 on, 256 plus \
                 a TLS alert.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.idle_timeout")),
            ..Column::new(
                "idle_timeout",
                Kind::Duration,
                |quic: &QuicHandshake| Value::some(quic.idle_timeout()),
                "Idle timeout that the client announced (RFC 9000 §18.2), in seconds.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.ech")),
            ..Column::new(
                "ech",
                Kind::Bool,
                |quic: &QuicHandshake| {
                    Value::flag(quic.client_hello.as_ref().is_some_and(ClientHello::has_ech))
                },
                "The client's hello is encrypted, or pretends to be: the name is the outer one.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.quic_history")),
            zeek: Some(Zeek::at(6, "history", ZeekType::String)),
            ..Column::new(
                "quic_history",
                Kind::Text,
                |quic: &QuicHandshake| Value::short(quic.history.as_str()),
                "What was seen, a letter each, upper case for the client: Initial, Handshake, Z 0-RTT, \
                 Retry, Version Negotiation, S hello, Close.",
            )
        },
    ],
    ..Schema::new("quic", started)
};

impl Record for QuicHandshake {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&QUIC, self)
    }
}

fn started(quic: &QuicHandshake) -> Timestamp {
    quic.started
}

/// A version by Zeek's name for it.
fn zeek_version(version: QuicVersion) -> Value<'static> {
    match (version, version.0) {
        (QuicVersion::V2, _) => Value::short("quicv2"),
        // Zeek has this name for draft 31 too.
        (_, 0xff00_001f) => Value::short("draft-30"),
        (_, 0xff00_0016..=0xff00_0022) | (QuicVersion::V1, _) => Value::short(version),
        (_, number @ (0xface_b001 | 0xface_b002 | 0xface_b00e | 0xface_b011..=0xface_b013)) => {
            Value::short(format_args!("mvfst ({number:x})"))
        }
        (_, number) => Value::short(format_args!("unknown-{number:x}")),
    }
}

fn object(ja3: Ja3) -> Value<'static> {
    Value::Object(vec![("hash", Value::short(ja3.hash.as_str())), ("string", ja3.string.into())])
}

fn summary(quic: &QuicHandshake, out: &mut String) {
    use std::fmt::Write as _;

    match quic.server_name() {
        Some(name) => out.push_str(&String::from_utf8_lossy(name)),
        None if quic.client_hello.is_some() => out.push_str("(no name)"),
        None => out.push_str("(no client hello)"),
    }
    let _ = write!(out, " QUIC {}", quic.version);
    for (at, name) in quic.alpn().enumerate() {
        let between = if at == 0 { " " } else { "," };
        let _ = write!(out, "{between}{}", String::from_utf8_lossy(name));
    }
    if let Some(ja4) = quic.ja4() {
        let _ = write!(out, " {}", ja4.as_str());
    }
    if quic.outcome != crate::QuicOutcome::Accepted {
        let _ = write!(out, " [{}]", quic.outcome.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(QUIC.faults(), Vec::<String>::new());
    }

    #[test]
    fn zeek_has_names_of_its_own_for_versions() {
        for (version, name) in [
            (1, "1"),
            (0x6b33_43cf, "quicv2"),
            (0xff00_001d, "draft-29"),
            (0xff00_001f, "draft-30"),
            (0xff00_0022, "draft-34"),
            (0xface_b002, "mvfst (faceb002)"),
            (0xff00_0010, "unknown-ff000010"),
            (0x0a1a_2a3a, "unknown-a1a2a3a"),
        ] {
            assert_eq!(zeek_version(QuicVersion(version)), Value::short(name), "{version:#x}");
        }
    }
}
