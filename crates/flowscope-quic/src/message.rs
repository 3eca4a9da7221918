use std::fmt;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};
use flowscope_tls::{ClientHello, Ja4, ServerHello};

use crate::QuicVersion;
use crate::wire::{MAX_CONNECTION_ID, Reader};

/// One QUIC handshake, as far as anyone on the path can read it: the Initial packets of both ends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QuicHandshake {
    /// When the client's first Initial was captured.
    pub started: Timestamp,
    /// Who opened the connection.
    pub client: FlowSide,
    /// The version of the client's last Initial.
    pub version: QuicVersion,
    /// Versions that the server offered in a Version Negotiation, in its order; at most
    /// [`MAX_VERSIONS`](Self::MAX_VERSIONS).
    pub offered_versions: Vec<QuicVersion>,
    /// Destination connection id of the client's first Initial.
    pub original_destination: ConnectionId,
    /// Connection id that the client chose for itself.
    pub client_id: ConnectionId,
    /// Connection id that the server chose for itself, once it has spoken.
    pub server_id: Option<ConnectionId>,
    /// Whether the server asked for proof of address by a Retry (RFC 9000 §8.1.2).
    pub retry: bool,
    /// The client's hello. After a HelloRetryRequest, the second one.
    pub client_hello: Option<ClientHello>,
    /// The server's hello.
    pub server_hello: Option<ServerHello>,
    /// Whether the server asked for another hello (RFC 8446 §4.1.4).
    pub hello_retry: bool,
    /// Error code of the first CONNECTION_CLOSE in an Initial (RFC 9000 §20.1; from 0x100 on a TLS
    /// alert).
    pub close_code: Option<u64>,
    /// From the client's first Initial to the server's hello.
    pub latency: Option<Duration>,
    /// How far the handshake came.
    pub outcome: QuicOutcome,
    /// What was seen of each end, as in Zeek's `quic.log`: letters, see [`QuicHistory`].
    pub history: QuicHistory,
}

/// How far a QUIC handshake came.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum QuicOutcome {
    /// The server answered with its hello.
    Accepted,
    /// An end closed the connection in an Initial.
    Refused,
    /// The server had no version in common.
    VersionNegotiation,
    /// No hello of the server was seen.
    Unanswered,
}

impl QuicOutcome {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QuicOutcome::Accepted => "accepted",
            QuicOutcome::Refused => "refused",
            QuicOutcome::VersionNegotiation => "version_negotiation",
            QuicOutcome::Unanswered => "unanswered",
        }
    }
}

impl QuicHandshake {
    /// Most versions that are kept of a Version Negotiation.
    pub const MAX_VERSIONS: usize = 16;

    /// The server name that the client asked for (RFC 6066 §3), as sent.
    #[must_use]
    pub fn server_name(&self) -> Option<&[u8]> {
        self.client_hello.as_ref()?.server_name()
    }

    /// The application protocols that the client offered (RFC 7301), in its order.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.client_hello.iter().flat_map(ClientHello::alpn)
    }

    /// The JA4 fingerprint of the client's hello, over QUIC.
    #[must_use]
    pub fn ja4(&self) -> Option<Ja4> {
        self.client_hello.as_ref()?.ja4_over(flowscope_tls::TlsTransport::Quic)
    }

    /// The transport parameters that the client sent (RFC 9000 §18): id and value, in its order.
    pub fn transport_parameters(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let hello = self.client_hello.as_ref();
        let extension = hello.and_then(|hello| {
            // RFC 9001 §8.2, and the drafts before.
            hello.extension(0x39).or_else(|| hello.extension(0xffa5))
        });
        let mut reader = Reader(extension.unwrap_or_default());
        std::iter::from_fn(move || {
            let (id, len) = (reader.varint()?, reader.varint()?);
            Some((id, reader.take(usize::try_from(len).ok()?)?))
        })
    }

    /// The idle timeout that the client announced (`max_idle_timeout`, RFC 9000 §18.2).
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        let (_, value) = self.transport_parameters().find(|(id, _)| *id == 1)?;
        Some(Duration::from_millis(Reader(value).varint()?))
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.client_hello.as_ref().map_or(0, ClientHello::heap_bytes)
            + self.server_hello.as_ref().map_or(0, ServerHello::heap_bytes)
            + self.offered_versions.capacity() * size_of::<QuicVersion>()
    }
}

/// A connection id (RFC 9000 §5.1): up to 20 bytes, displayed in hexadecimal.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ConnectionId {
    bytes: [u8; MAX_CONNECTION_ID],
    len: u8,
}

impl ConnectionId {
    /// The id with these bytes; `None` if there are more than 20.
    #[must_use]
    pub fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_CONNECTION_ID];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(ConnectionId { bytes, len: u8::try_from(id.len()).ok()? })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// What was seen of a handshake, in order: a letter per packet or message, upper case for the client.
///
/// `I` Initial, `H` Handshake, `Z` 0-RTT, `R` Retry, `V` Version Negotiation, `S` hello, `C` close. A
/// letter is not repeated right behind itself. At most 32 letters.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct QuicHistory {
    letters: [u8; QuicHistory::CAPACITY],
    len: u8,
}

impl QuicHistory {
    /// Most letters.
    pub const CAPACITY: usize = 32;

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, letter: u8, from_client: bool) {
        let letter = if from_client { letter } else { letter.to_ascii_lowercase() };
        let len = usize::from(self.len);
        let repeated = len > 0 && self.letters[len - 1] == letter;
        if !repeated && let Some(place) = self.letters.get_mut(len) {
            *place = letter;
            self.len += 1;
        }
    }
}

impl fmt::Debug for QuicHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
