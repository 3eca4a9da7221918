use std::fmt;

use flowscope_core::FlowSide;

use crate::{CertificateChain, ClientHello, ServerHello};

/// A message of a [`TlsParser`](crate::TlsParser): the unencrypted part of a TLS connection.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsMessage {
    /// A client's offer. There is a second one after a [`HelloRetryRequest`](Self::HelloRetryRequest).
    ClientHello(ClientHello),
    /// The server's choice. From TLS 1.3 on it is the last that is said in the clear.
    ServerHello(ServerHello),
    /// The server asks for another offer (RFC 8446 §4.1.4).
    HelloRetryRequest(ServerHello),
    /// The certificates of one side, up to TLS 1.2 (RFC 5246 §7.4.2 and §7.4.6).
    Certificate(CertificateChain),
    /// The server's part of a key exchange over a named curve, up to TLS 1.2 (RFC 8422 §5.4).
    ServerKeyExchange {
        /// Who sent it.
        side: FlowSide,
        /// The curve, a number of the registry of groups (RFC 8446 §4.2.7).
        group: u16,
    },
    /// An alert in the clear (RFC 8446 §6).
    Alert(Alert),
    /// From here on what this side sends is encrypted; said once per side.
    Encrypted {
        /// Who sent it.
        side: FlowSide,
    },
    /// A message that was not what it should be; the parser went on after it.
    Anomaly(TlsAnomaly),
}

impl TlsMessage {
    /// Who sent it.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        match self {
            TlsMessage::ClientHello(hello) => hello.side(),
            TlsMessage::ServerHello(hello) | TlsMessage::HelloRetryRequest(hello) => hello.side(),
            TlsMessage::Certificate(chain) => chain.side(),
            TlsMessage::Alert(Alert { side, .. })
            | TlsMessage::ServerKeyExchange { side, .. }
            | TlsMessage::Encrypted { side }
            | TlsMessage::Anomaly(TlsAnomaly { side, .. }) => *side,
        }
    }

    /// Bytes of memory held beside the value itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            TlsMessage::ClientHello(hello) => hello.heap_bytes(),
            TlsMessage::ServerHello(hello) | TlsMessage::HelloRetryRequest(hello) => {
                hello.heap_bytes()
            }
            TlsMessage::Certificate(chain) => chain.heap_bytes(),
            _ => 0,
        }
    }
}

/// An alert (RFC 8446 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alert {
    /// Who sent it.
    pub side: FlowSide,
    /// 1 is a warning, 2 is fatal; TLS 1.3 ignores it.
    pub level: u8,
    /// What is wrong; 0 (`close_notify`) is the orderly end.
    pub description: u8,
}

impl Alert {
    /// Whether its sender sends nothing more: it is fatal, or `close_notify`.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.level == 2 || self.description == 0
    }

    /// The description's name in RFC 8446 §6 or, if it has left the protocol, in the RFC it was in.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Some(match self.description {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }
}

/// A handshake message that was not what it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TlsAnomaly {
    /// Who sent it.
    pub side: FlowSide,
    /// Its `HandshakeType` (RFC 8446 §4).
    pub message: u8,
    /// What was wrong.
    pub kind: TlsAnomalyKind,
}

/// What was wrong with a handshake message.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsAnomalyKind {
    /// Its fields do not fit its length. Of a hello whose extensions are damaged, all that stands
    /// before the damage is reported as well.
    Malformed,
    /// It declares this many bytes, more than the bound of [`TlsConfig`](crate::TlsConfig); skipped.
    TooLong(u32),
    /// Bytes of it were never captured; skipped.
    Lost,
}

impl TlsAnomalyKind {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            TlsAnomalyKind::Malformed => "malformed",
            TlsAnomalyKind::TooLong(_) => "too_long",
            TlsAnomalyKind::Lost => "lost",
        }
    }
}

impl fmt::Display for TlsAnomaly {
    /// The kind, and the handshake message: `malformed_server_hello`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.slug())?;
        match self.message {
            1 => f.write_str("_client_hello"),
            2 => f.write_str("_server_hello"),
            6 => f.write_str("_hello_retry_request"),
            11 => f.write_str("_certificate"),
            other => write!(f, "_message_{other}"),
        }
    }
}
