//! Types of extensions (RFC 8446 §4.2 and the IANA registry).

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
/// RFC 5746.
pub(crate) const RENEGOTIATION_INFO: u16 = 0xff01;
pub(crate) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
