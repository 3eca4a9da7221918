use std::borrow::Cow;
use std::fmt;

use flowscope_core::FlowSide;

use crate::{ClientHello, ServerHello};

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

/// The certificates one side showed, its own first. They are not looked into.
#[derive(Clone, Eq, PartialEq)]
pub struct CertificateChain {
    side: FlowSide,
    body: Box<[u8]>,
}

impl CertificateChain {
    /// `None` unless the chain fills the message and the certificates fill the chain.
    pub(crate) fn parse(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let (chain, []) = split_vector24(&body)? else { return None };
        let mut certificates = Certificates(chain);
        while certificates.next().is_some() {}
        if !certificates.0.is_empty() {
            return None;
        }
        Some(CertificateChain { side, body: body.into_owned().into_boxed_slice() })
    }

    /// Who showed them.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        self.side
    }

    /// The certificates in DER, in the order sent. A client that has none sends an empty chain.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> + Clone + '_ {
        Certificates(split_vector24(&self.body).map_or(&[], |(chain, _)| chain))
    }

    /// Bytes of memory held beside the value itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.body.len()
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateChain")
            .field("side", &self.side)
            .field("lengths", &self.certificates().map(<[u8]>::len).collect::<Vec<_>>())
            .finish()
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

/// Certificates, up to the first that is cut.
#[derive(Clone)]
struct Certificates<'a>(&'a [u8]);

impl<'a> Iterator for Certificates<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (certificate, rest) = split_vector24(self.0)?;
        self.0 = rest;
        Some(certificate)
    }
}

/// What follows a length of three bytes, and what follows that.
fn split_vector24(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([high, mid, low], rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes([0, *high, *mid, *low]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_read_whole_or_not_at_all() {
        fn check(body: &[u8], expected: Option<&[&[u8]]>) {
            let chain = CertificateChain::parse(FlowSide::Responder, Cow::Borrowed(body));
            let read = chain.as_ref().map(|chain| chain.certificates().collect::<Vec<_>>());
            assert_eq!(read.as_deref(), expected, "{body:?}");
        }
        check(&[0, 0, 0], Some(&[]));
        check(&[0, 0, 9, 0, 0, 2, 7, 8, 0, 0, 1, 9], Some(&[&[7, 8], &[9]]));
        check(&[0, 0, 3, 0, 0, 0], Some(&[&[]]));
        check(&[], None);
        check(&[0, 0, 5, 0, 0, 1], None);
        check(&[0, 0, 4, 0, 0, 1, 9, 9], None);
        check(&[0, 0, 5, 0, 0, 9, 7, 8], None);
        check(&[0, 0, 2, 0, 0], None);
    }
}
