use std::borrow::Cow;
use std::fmt;

use flowscope_core::FlowSide;
use tls_parser::parse_tls_handshake_server_hello;

use super::ext;
use super::fields::{Extensions, Names, RANDOM, Span, extension_block, u16_at, vector8, vector16};
use crate::version::TlsVersion;

/// What a server chose, or asks to be offered anew (RFC 8446 §4.1.3 and §4.1.4, RFC 5246 §7.4.1.3).
///
/// Stored as a [`ClientHello`](crate::ClientHello) is. A HelloRetryRequest has the same form.
#[derive(Clone, Eq, PartialEq)]
pub struct ServerHello {
    side: FlowSide,
    intact: bool,
    random: Span,
    session_id: Span,
    cipher: Span,
    extensions: Span,
    body: Box<[u8]>,
}

impl ServerHello {
    /// Reads the body of a ServerHello message, as [`ClientHello::parse`](crate::ClientHello::parse) does.
    #[must_use]
    pub fn parse(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let session_id = match u16_at(&body, 0) {
            // Until draft 22 the hello of TLS 1.3 had neither session nor compression.
            0x7f00..=0x7f15 => None,
            _ => Some(parse_tls_handshake_server_hello(&body).ok()?.1.session_id),
        };
        let random = Span::new(2, RANDOM);
        let (session_id, cipher, extensions_at) = match session_id {
            None => (Span::default(), Span::new(random.end(), 2), random.end() + 2),
            Some(session_id) => {
                let session_id = Span::new(random.end() + 1, session_id.map_or(0, <[u8]>::len));
                let cipher = Span::new(session_id.end(), 2);
                (session_id, cipher, cipher.end() + 1)
            }
        };
        Self::with(side, body, [random, session_id, cipher], extensions_at)
    }

    /// The same for a hello of DTLS, which has versions of its own (RFC 6347 §4.2.1, RFC 9147 §5.4).
    #[must_use]
    pub fn parse_dtls(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let random = Span::new(2, RANDOM);
        let len = usize::from(*body.get(random.end())?);
        if len > MAX_SESSION_ID || !TlsVersion(u16_at(&body, 0)).is_dtls() {
            return None;
        }
        let session_id = Span::new(random.end() + 1, len);
        let cipher = Span::new(session_id.end(), 2);
        Self::with(side, body, [random, session_id, cipher], cipher.end() + 1)
    }

    /// The HelloRetryRequest of drafts 19 to 21, which was a message of its own.
    pub(crate) fn parse_draft_retry(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let cipher = Span::new(2, 2);
        Self::with(side, body, [Span::default(), Span::default(), cipher], cipher.end())
    }

    fn with(
        side: FlowSide,
        body: Cow<'_, [u8]>,
        [random, session_id, cipher]: [Span; 3],
        extensions_at: usize,
    ) -> Option<Self> {
        if body.len() < extensions_at {
            return None;
        }
        let (extensions, intact) = extension_block(&body, extensions_at);
        let body = body.into_owned().into_boxed_slice();
        Some(ServerHello { side, intact, random, session_id, cipher, extensions, body })
    }

    /// Who sent it: the server.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        self.side
    }

    /// The message as sent, without the handshake header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.body
    }

    /// Whether the extensions fill their block, and it the message.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.intact
    }

    /// The field `legacy_version`.
    #[must_use]
    pub fn legacy_version(&self) -> TlsVersion {
        TlsVersion(u16_at(&self.body, 0))
    }

    /// The version chosen: that of `supported_versions` if there is one, else the legacy version.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        let selected = self.extension(ext::SUPPORTED_VERSIONS).filter(|bytes| bytes.len() >= 2);
        selected.map_or(self.legacy_version(), |bytes| TlsVersion(u16_at(bytes, 0)))
    }

    /// The random.
    #[must_use]
    pub fn random(&self) -> &[u8] {
        self.random.of(&self.body)
    }

    /// The session, or in TLS 1.3 the client's bytes back.
    #[must_use]
    pub fn session_id(&self) -> &[u8] {
        self.session_id.of(&self.body)
    }

    /// The cipher suite chosen.
    #[must_use]
    pub fn cipher(&self) -> u16 {
        u16_at(self.cipher.of(&self.body), 0)
    }

    /// Types and contents of the extensions, in the order sent.
    pub fn extensions(&self) -> impl Iterator<Item = (u16, &[u8])> + Clone + '_ {
        Extensions(self.extensions.of(&self.body))
    }

    /// The content of the first extension of a type.
    #[must_use]
    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        self.extensions().find(|(found, _)| *found == kind).map(|(_, content)| content)
    }

    /// The application protocol chosen (RFC 7301 §3.1); from TLS 1.3 on it is encrypted.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        Names(vector16(self.extension(ext::ALPN)?)).next()
    }

    /// The group of the server's key share, or the one it asks for (RFC 8446 §4.2.8).
    #[must_use]
    pub fn key_share(&self) -> Option<u16> {
        let share = self.extension(ext::KEY_SHARE).or_else(|| self.extension(ext::KEY_SHARE_DRAFT));
        share.filter(|share| share.len() >= 2).map(|share| u16_at(share, 0))
    }

    /// Whether it accepts a pre-shared key: in TLS 1.3, that the session is resumed.
    #[must_use]
    pub fn has_pre_shared_key(&self) -> bool {
        self.extension(ext::PRE_SHARED_KEY).is_some()
    }

    /// What it says of renegotiation (RFC 5746 §3.6 and §3.7): nothing, or that it can do so safely, then
    /// empty in a first handshake and not in a renegotiation.
    #[must_use]
    pub fn renegotiation_info(&self) -> Option<&[u8]> {
        self.extension(ext::RENEGOTIATION_INFO).map(vector8)
    }

    /// Whether its random is the one that marks a HelloRetryRequest (RFC 8446 §4.1.3).
    #[must_use]
    pub fn is_retry_request(&self) -> bool {
        self.random() == RETRY_RANDOM
    }

    /// Bytes of memory held beside the value itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.body.len()
    }
}

impl fmt::Debug for ServerHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHello")
            .field("side", &self.side)
            .field("version", &format_args!("{}", self.version()))
            .field("cipher", &format_args!("{:#06x}", self.cipher()))
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// "opaque SessionID<0..32>" (RFC 5246 §7.4.1.2)
const MAX_SESSION_ID: usize = 32;

/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; RANDOM] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
