//! Certificates: the chain that a side shows, and what one of them says.

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

pub use chain::CertificateChain;
pub use name::{Attribute, DistinguishedName};

mod chain;
mod date;
mod host;
mod name;
#[cfg(feature = "x509")]
mod oid;
#[cfg(feature = "x509")]
mod x509;

pub(crate) use date::iso_date_time;
pub(crate) use host::covers;

/// What a certificate says (RFC 5280 §4.1), as far as it is read.
///
/// Nothing in it is verified: no signature, no chain, no date. Text in it is the issuer's and may be any
/// bytes. Of names at most [`MAX_ATTRIBUTES`](Self::MAX_ATTRIBUTES) attributes and
/// [`MAX_ALTERNATIVE_NAMES`](Self::MAX_ALTERNATIVE_NAMES) alternative names are kept.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Version: 1, 2 or 3; one more than the number on the wire (RFC 5280 §4.1.2.1).
    pub version: u32,
    /// Contents of the serial number's INTEGER, most significant byte first (RFC 5280 §4.1.2.2).
    pub serial: Vec<u8>,
    /// Whom the key belongs to (RFC 5280 §4.1.2.6).
    pub subject: DistinguishedName,
    /// Who signed it (RFC 5280 §4.1.2.4).
    pub issuer: DistinguishedName,
    /// Begin of the validity, in seconds since 1970 (RFC 5280 §4.1.2.5).
    pub not_before: i64,
    /// End of the validity, in seconds since 1970 (RFC 5280 §4.1.2.5).
    pub not_after: i64,
    /// Other names of the subject (RFC 5280 §4.2.1.6).
    pub alternative_names: Vec<AlternativeName>,
    /// Algorithm of the public key, by OpenSSL's name for it, else its object identifier.
    pub key_algorithm: String,
    /// The public key.
    pub key: PublicKey,
    /// Algorithm of the signature, by OpenSSL's name for it, else its object identifier (RFC 5280 §4.1.1.2).
    pub signature_algorithm: String,
    /// Whether it may sign certificates; `None` without basic constraints (RFC 5280 §4.2.1.9).
    pub is_ca: Option<bool>,
    /// How many certificates may stand between it and the last one of a chain (RFC 5280 §4.2.1.9).
    pub path_len: Option<u32>,
    /// SHA-1 of the certificate in DER.
    pub sha1: [u8; 20],
    /// SHA-256 of the certificate in DER.
    pub sha256: [u8; 32],
}

/// One of the subject's alternative names. Kinds that are not here are left out.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AlternativeName {
    /// Name of a host, maybe with a wildcard.
    Dns(Vec<u8>),
    /// Address of a mailbox.
    Email(Vec<u8>),
    /// URI.
    Uri(Vec<u8>),
    /// Address of a host.
    Ip(IpAddr),
}

/// A public key: what kind, and how long.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PublicKey {
    /// Kind of key: `rsa`, `ecdsa`, `dsa`, `ed25519`, `ed448`; `None` if it is not known.
    pub kind: Option<&'static str>,
    /// Length in bits: of the modulus, the order's field, or the prime.
    pub bits: Option<u32>,
    /// Public exponent of an RSA key, if it fits.
    pub exponent: Option<u64>,
    /// Curve of an EC key, by OpenSSL's name for it, else its object identifier.
    pub curve: Option<String>,
}

impl Certificate {
    /// The most attributes of a name that are kept.
    pub const MAX_ATTRIBUTES: usize = 64;
    /// The most alternative names that are kept.
    pub const MAX_ALTERNATIVE_NAMES: usize = 1024;

    /// Reads a certificate in DER. `None` if it is none, or without the feature `x509`.
    #[must_use]
    #[cfg_attr(not(feature = "x509"), expect(unused_variables, reason = "nothing can read it"))]
    pub fn parse(der: &[u8]) -> Option<Self> {
        #[cfg(feature = "x509")]
        return x509::parse(der);
        #[cfg(not(feature = "x509"))]
        None
    }

    /// Whether it is for a host of this name (RFC 6125 §6.4): one of its DNS names, or the common name
    /// where it has no DNS name, is that name or has a wildcard for its first label.
    #[must_use]
    pub fn covers(&self, host: &[u8]) -> bool {
        covers(self, host)
    }
}

/// SHA-256 of a certificate in DER.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

/// Shows bytes in hexadecimal: lower or upper case, with something between them.
pub(crate) struct Hex<'a> {
    bytes: &'a [u8],
    between: &'static str,
    upper: bool,
}

impl<'a> Hex<'a> {
    /// `0a1b`
    pub(crate) fn plain(bytes: &'a [u8]) -> Self {
        Hex { bytes, between: "", upper: false }
    }

    /// `0a:1b`
    pub(crate) fn colons(bytes: &'a [u8]) -> Self {
        Hex { between: ":", ..Hex::plain(bytes) }
    }

    pub(crate) fn upper(self) -> Self {
        Hex { upper: true, ..self }
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.bytes.iter().enumerate() {
            if at > 0 {
                f.write_str(self.between)?;
            }
            if self.upper { write!(f, "{byte:02X}") } else { write!(f, "{byte:02x}") }?;
        }
        Ok(())
    }
}
