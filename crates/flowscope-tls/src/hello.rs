use std::borrow::Cow;
use std::fmt;

use flowscope_core::FlowSide;
use tls_parser::{
    SNIType, TlsExtension, parse_tls_extension_sni_hostname, parse_tls_extension_unknown,
    parse_tls_handshake_client_hello, parse_tls_handshake_server_hello,
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
        let rank = |version: &TlsVersion| (version.is_tls13(), version.draft().is_none(), *version);
        let offered = self.supported_versions().filter(|version| !is_grease(version.0));
        offered.max_by_key(rank).unwrap_or(self.legacy_version())
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

/// What a server chose, or asks to be offered anew (RFC 8446 §4.1.3 and §4.1.4, RFC 5246 §7.4.1.3).
///
/// KeptCopy as a [`ClientHello`] is. A HelloRetryRequest has the same form.
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
    /// Reads the body of a ServerHello message, as [`ClientHello::parse`] does.
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

/// Types of extensions (RFC 8446 §4.2, IANA's registry).
pub(crate) mod ext {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const SESSION_TICKET: u16 = 35;
    /// Where key shares stood up to draft 22.
    pub(crate) const KEY_SHARE_DRAFT: u16 = 40;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const EARLY_DATA: u16 = 42;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// A part of a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Span {
    at: u32,
    len: u32,
}

impl Span {
    fn new(at: usize, len: usize) -> Self {
        Span { at: at as u32, len: len as u32 }
    }

    fn end(self) -> usize {
        self.at as usize + self.len as usize
    }

    fn of(self, body: &[u8]) -> &[u8] {
        body.get(self.at as usize..self.end()).unwrap_or_default()
    }
}

/// Where the extensions of a hello are, their length being at `at`, and whether all is as it should.
fn extension_block(body: &[u8], at: usize) -> (Span, bool) {
    let rest = body.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return (Span::default(), true);
    }
    let block = vector16(rest);
    let declared = usize::from(u16_at(rest, 0));
    let mut extensions = Extensions(block);
    let read: usize = extensions.by_ref().map(|(_, content)| 4 + content.len()).sum();
    (Span::new(at + 2, block.len()), declared + 2 == rest.len() && read == declared)
}

/// Extensions, up to the first that is cut.
#[derive(Clone)]
struct Extensions<'a>(&'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, extension) = parse_tls_extension_unknown(self.0).ok()?;
        self.0 = rest;
        match extension {
            TlsExtension::Unknown(kind, content) => Some((kind.0, content)),
            _ => None,
        }
    }
}

/// Names of one byte of length each, up to the first that is cut.
#[derive(Clone)]
struct Names<'a>(&'a [u8]);

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some(name)
    }
}

/// Groups of key shares; the shares themselves are passed over.
#[derive(Clone)]
struct KeyShares<'a>(&'a [u8]);

impl Iterator for KeyShares<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (group, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        (_, self.0) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        Some(u16::from_be_bytes(*group))
    }
}

/// What follows a length of two bytes, or as much of it as there is.
fn vector16(bytes: &[u8]) -> &[u8] {
    let Some((len, rest)) = bytes.split_first_chunk() else { return &[] };
    rest.get(..usize::from(u16::from_be_bytes(*len))).unwrap_or(rest)
}

/// What follows a length of one byte, or as much of it as there is.
fn vector8(bytes: &[u8]) -> &[u8] {
    let Some((len, rest)) = bytes.split_first() else { return &[] };
    rest.get(..usize::from(*len)).unwrap_or(rest)
}

fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    bytes.as_chunks().0.iter().map(|value| u16::from_be_bytes(*value))
}

/// 0 if it is not there.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |value| u16::from_be_bytes(*value))
}

/// Shows by `Display` where `Debug` is asked for.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Debug for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const RANDOM: usize = 32;
/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; RANDOM] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
