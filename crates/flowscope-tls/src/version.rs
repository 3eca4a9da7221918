use std::fmt;

/// A protocol version as it stands on the wire (RFC 8446 §4.2.1).
///
/// Equality and order are those of the number: ask [`is_tls13`](Self::is_tls13), since a draft of TLS 1.3
/// has one of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// SSL 2.0 (only in hellos that are framed its way).
    pub const SSL_2: TlsVersion = TlsVersion(0x0002);
    /// SSL 3.0 (RFC 6101).
    pub const SSL_3: TlsVersion = TlsVersion(0x0300);
    /// TLS 1.0 (RFC 2246).
    pub const TLS_1_0: TlsVersion = TlsVersion(0x0301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS_1_1: TlsVersion = TlsVersion(0x0302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS_1_2: TlsVersion = TlsVersion(0x0303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS_1_3: TlsVersion = TlsVersion(0x0304);
    /// DTLS 1.0 (RFC 4347).
    pub const DTLS_1_0: TlsVersion = TlsVersion(0xfeff);
    /// DTLS 1.2 (RFC 6347).
    pub const DTLS_1_2: TlsVersion = TlsVersion(0xfefd);
    /// DTLS 1.3 (RFC 9147).
    pub const DTLS_1_3: TlsVersion = TlsVersion(0xfefc);

    /// TLS 1.3, one of its drafts, or DTLS 1.3: after the server's hello everything is encrypted.
    #[must_use]
    pub fn is_tls13(self) -> bool {
        matches!(self, TlsVersion::TLS_1_3 | TlsVersion::DTLS_1_3) || self.draft().is_some()
    }

    /// A version of DTLS. Its numbers fall where versions rise.
    #[must_use]
    pub fn is_dtls(self) -> bool {
        self.0 >> 8 == 0xfe
    }

    /// Orders versions of one protocol by age, the oldest first.
    pub(crate) fn rank(self) -> (bool, bool, u16) {
        let number = if self.is_dtls() { !self.0 } else { self.0 };
        (self.is_tls13(), self.draft().is_none(), number)
    }

    /// The number of the TLS 1.3 draft, if it is one (0x7fNN, or 0xfbNN as Facebook numbered its own).
    #[must_use]
    pub fn draft(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        matches!(high, 0x7f | 0xfb).then_some(low)
    }
}

/// `TLS 1.2`, `TLS 1.3 draft-28`, `SSLv3`; an unknown one in hexadecimal.
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            TlsVersion::SSL_2 => "SSLv2",
            TlsVersion::SSL_3 => "SSLv3",
            TlsVersion::TLS_1_0 => "TLS 1.0",
            TlsVersion::TLS_1_1 => "TLS 1.1",
            TlsVersion::TLS_1_2 => "TLS 1.2",
            TlsVersion::TLS_1_3 => "TLS 1.3",
            TlsVersion::DTLS_1_0 => "DTLS 1.0",
            TlsVersion::DTLS_1_2 => "DTLS 1.2",
            TlsVersion::DTLS_1_3 => "DTLS 1.3",
            _ => {
                return match self.draft() {
                    Some(draft) => write!(f, "TLS 1.3 draft-{draft}"),
                    None => write!(f, "{:#06x}", self.0),
                };
            }
        })
    }
}

/// Whether a cipher suite, extension, group, version or signature algorithm is one of the values
/// that stand for nothing and that clients send so that servers learn to ignore what they do not
/// know (RFC 8701 §2).
#[must_use]
pub const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names() {
        let check = |version: u16, name: &str, tls13: bool| {
            assert_eq!(TlsVersion(version).to_string(), name);
            assert_eq!(TlsVersion(version).is_tls13(), tls13, "{name}");
        };
        check(0x0002, "SSLv2", false);
        check(0x0300, "SSLv3", false);
        check(0x0301, "TLS 1.0", false);
        check(0x0302, "TLS 1.1", false);
        check(0x0303, "TLS 1.2", false);
        check(0x0304, "TLS 1.3", true);
        check(0x7f1c, "TLS 1.3 draft-28", true);
        check(0xfb17, "TLS 1.3 draft-23", true);
        check(0x0305, "0x0305", false);
        check(0xfeff, "DTLS 1.0", false);
        check(0xfefd, "DTLS 1.2", false);
        check(0xfefc, "DTLS 1.3", true);
    }

    #[test]
    fn versions_have_an_order() {
        let check = |versions: &[u16]| {
            let ranks: Vec<_> = versions.iter().map(|v| TlsVersion(*v).rank()).collect();
            assert!(ranks.is_sorted(), "{versions:04x?}");
        };
        check(&[0x0300, 0x0301, 0x0303, 0x7f1c, 0x0304]);
        check(&[0xfeff, 0xfefd, 0xfefc]);
    }

    #[test]
    fn grease_is_the_sixteen_values_of_the_rfc() {
        let all: Vec<u16> = (0..=u16::MAX).filter(|value| is_grease(*value)).collect();
        assert_eq!(all.len(), 16);
        assert_eq!(all, (0..16).map(|n| 0x0a0a + n * 0x1010).collect::<Vec<u16>>());
    }
}
