use std::borrow::Cow;
use std::fmt;

use flowscope_core::FlowSide;
use tls_parser::{SNIType, parse_tls_extension_sni_hostname, parse_tls_handshake_client_hello};

use super::ext;
use super::fields::{
    Extensions, KeyShares, Names, RANDOM, Span, extension_block, u16_at, u16s, vector8, vector16,
};
use crate::version::{TlsVersion, is_grease};

/// What a client offers (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2).
///
/// Keeps the message as it was sent, in one allocation of its length; every method reads it where
/// it lies, in time linear in that length. Text in it is the client's: it may be any bytes.
/// Of an extension that occurs twice the first counts.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientHello {
    side: FlowSide,
    sslv2: bool,
    intact: bool,
    random: Span,
    session_id: Span,
    ciphers: Span,
    compression: Span,
    extensions: Span,
    body: Box<[u8]>,
}

impl ClientHello {
    /// Reads the body of a ClientHello message, without the four bytes of the handshake header: for
    /// hellos that come in other ways than TLS records, such as QUIC's. `None` if it ends too soon
    /// or a length in it is impossible.
    #[must_use]
    pub fn parse(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let (_, hello) = parse_tls_handshake_client_hello(&body).ok()?;
        let session_id = Span::new(35, hello.session_id.map_or(0, <[u8]>::len));
        let ciphers = Span::new(session_id.end() + 2, 2 * hello.ciphers.len());
        let compression = Span::new(ciphers.end() + 1, hello.comp.len());
        let (extensions, intact) = extension_block(&body, compression.end());
        Some(ClientHello {
            side,
            sslv2: false,
            intact,
            random: Span::new(2, RANDOM),
            session_id,
            ciphers,
            compression,
            extensions,
            body: body.into_owned().into_boxed_slice(),
        })
    }

    /// The same for a hello of DTLS, which may have a cookie behind the session (RFC 6347 §4.2.1). The
    /// hello is kept without it, and so as one of TLS.
    #[must_use]
    pub fn parse_dtls(side: FlowSide, body: &[u8]) -> Option<Self> {
        let session_at = 2 + RANDOM;
        let cookie_at = session_at + 1 + usize::from(*body.get(session_at)?);
        let behind = cookie_at + 1 + usize::from(*body.get(cookie_at)?);
        let (before, rest) = (body.get(..cookie_at)?, body.get(behind..)?);
        ClientHello::parse(side, [before, rest].concat().into())
    }

    /// The same for a hello in SSL 2.0 framing (RFC 5246 appendix E.2), from its version on.
    pub(crate) fn parse_sslv2(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let (_, [cipher_len, session_len, challenge_len]) =
            (body.first_chunk::<8>()?, [2, 4, 6].map(|at| usize::from(u16_at(&body, at))));
        let ciphers = Span::new(8, cipher_len);
        let session_id = Span::new(ciphers.end(), session_len);
        let random = Span::new(session_id.end(), challenge_len);
        let whole = cipher_len % 3 == 0 && random.end() == body.len();
        whole.then(|| ClientHello {
            side,
            sslv2: true,
            intact: true,
            random,
            session_id,
            ciphers,
            compression: Span::default(),
            extensions: Span::default(),
            body: body.into_owned().into_boxed_slice(),
        })
    }

    /// Who sent it: the client.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        self.side
    }

    /// The message as sent, without the handshake header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.body
    }

    /// Whether it was framed as in SSL 2.0, which has no extensions.
    #[must_use]
    pub fn is_sslv2(&self) -> bool {
        self.sslv2
    }

    /// Whether the extensions fill their block, and it the message. If not, those before the break
    /// are still given.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.intact
    }

    /// The field `legacy_version`: since TLS 1.3 it says no more than TLS 1.2.
    #[must_use]
    pub fn legacy_version(&self) -> TlsVersion {
        TlsVersion(u16_at(&self.body, 0))
    }

    /// The highest version offered: of `supported_versions` if there is one, GREASE left out and
    /// drafts of TLS 1.3 above TLS 1.2, else the legacy version.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        let offered = self.supported_versions().filter(|version| !is_grease(version.0));
        offered.max_by_key(|version| version.rank()).unwrap_or(self.legacy_version())
    }

    /// The random, or the challenge of an SSL 2.0 hello, which is shorter.
    #[must_use]
    pub fn random(&self) -> &[u8] {
        self.random.of(&self.body)
    }

    /// The session to resume up to TLS 1.2, or what TLS 1.3 puts there to look like that; often
    /// empty.
    #[must_use]
    pub fn session_id(&self) -> &[u8] {
        self.session_id.of(&self.body)
    }

    /// Cipher suites in the order offered, GREASE and signaling values included.
    pub fn ciphers(&self) -> impl Iterator<Item = u16> + Clone + '_ {
        // SSL 2.0 writes them in three bytes; where the first is not 0 they are its own.
        let width = if self.sslv2 { 3 } else { 2 };
        self.ciphers.of(&self.body).chunks_exact(width).filter_map(|cipher| match *cipher {
            [high, low] | [0, high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        })
    }

    /// Compression methods.
    #[must_use]
    pub fn compression(&self) -> &[u8] {
        self.compression.of(&self.body)
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

    /// The name of the server the client wants (RFC 6066 §3), as sent.
    #[must_use]
    pub fn server_name(&self) -> Option<&[u8]> {
        let mut entries = vector16(self.extension(ext::SERVER_NAME)?);
        while let Ok((rest, (kind, name))) = parse_tls_extension_sni_hostname(entries) {
            if kind == SNIType::HostName {
                return Some(name);
            }
            entries = rest;
        }
        None
    }

    /// Application protocols in the order of preference (RFC 7301 §3.1), as sent.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> + Clone + '_ {
        Names(vector16(self.extension(ext::ALPN).unwrap_or_default()))
    }

    /// The versions offered, in order (RFC 8446 §4.2.1); empty before TLS 1.3.
    pub fn supported_versions(&self) -> impl Iterator<Item = TlsVersion> + Clone + '_ {
        u16s(vector8(self.extension(ext::SUPPORTED_VERSIONS).unwrap_or_default())).map(TlsVersion)
    }

    /// Groups for the key exchange, in order (RFC 8446 §4.2.7).
    pub fn groups(&self) -> impl Iterator<Item = u16> + Clone + '_ {
        u16s(vector16(self.extension(ext::SUPPORTED_GROUPS).unwrap_or_default()))
    }

    /// Formats of points on elliptic curves (RFC 8422 §5.1.2).
    #[must_use]
    pub fn point_formats(&self) -> &[u8] {
        vector8(self.extension(ext::EC_POINT_FORMATS).unwrap_or_default())
    }

    /// Signature algorithms in order (RFC 8446 §4.2.3).
    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> + Clone + '_ {
        u16s(vector16(self.extension(ext::SIGNATURE_ALGORITHMS).unwrap_or_default()))
    }

    /// The groups for which there is a key share (RFC 8446 §4.2.8).
    pub fn key_shares(&self) -> impl Iterator<Item = u16> + Clone + '_ {
        let shares =
            self.extension(ext::KEY_SHARE).or_else(|| self.extension(ext::KEY_SHARE_DRAFT));
        KeyShares(vector16(shares.unwrap_or_default()))
    }

    /// Whether it has Encrypted Client Hello (draft-ietf-tls-esni §5), real or GREASE: the name in
    /// [`server_name`](Self::server_name) may then be that of a front.
    #[must_use]
    pub fn has_ech(&self) -> bool {
        self.extension(ext::ENCRYPTED_CLIENT_HELLO).is_some()
    }

    /// Whether it offers to resume by a pre-shared key (RFC 8446 §4.2.11).
    #[must_use]
    pub fn has_pre_shared_key(&self) -> bool {
        self.extension(ext::PRE_SHARED_KEY).is_some()
    }

    /// Whether data follows before the server has answered (RFC 8446 §4.2.10).
    #[must_use]
    pub fn has_early_data(&self) -> bool {
        self.extension(ext::EARLY_DATA).is_some()
    }

    /// What it says of renegotiation (RFC 5746 §3.4 and §3.5): nothing, or that it can do so safely, then
    /// empty in a first handshake and not in a renegotiation.
    #[must_use]
    pub fn renegotiation_info(&self) -> Option<&[u8]> {
        let signalled = || self.ciphers().any(|cipher| cipher == SCSV).then_some(&[][..]);
        self.extension(ext::RENEGOTIATION_INFO).map(vector8).or_else(signalled)
    }

    /// Whether it has a session ticket to resume by (RFC 5077 §3.2).
    #[must_use]
    pub fn has_session_ticket(&self) -> bool {
        self.extension(ext::SESSION_TICKET).is_some_and(|ticket| !ticket.is_empty())
    }

    /// Whether any cipher suite, extension, group or version is GREASE (RFC 8701).
    #[must_use]
    pub fn has_grease(&self) -> bool {
        self.ciphers()
            .chain(self.extensions().map(|(kind, _)| kind))
            .chain(self.groups())
            .chain(self.supported_versions().map(|version| version.0))
            .any(is_grease)
    }

    /// Bytes of memory held beside the value itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.body.len()
    }
}

impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello")
            .field("side", &self.side)
            .field("version", &format_args!("{}", self.version()))
            .field("server_name", &self.server_name().map(<[u8]>::escape_ascii).map(Text))
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746 §3.3).
const SCSV: u16 = 0x00ff;

/// Shows by `Display` where `Debug` is asked for.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Debug for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
