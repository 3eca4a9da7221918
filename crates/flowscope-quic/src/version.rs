use std::fmt;

/// A version of QUIC, as its long headers carry it (RFC 9000 §15).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QuicVersion(pub u32);

/// Bytes of the salt from which initial secrets are derived.
const SALT: usize = 20;

impl QuicVersion {
    /// Zero: the packet is a Version Negotiation (RFC 9000 §17.2.1).
    pub const NEGOTIATION: QuicVersion = QuicVersion(0);
    /// RFC 9000.
    pub const V1: QuicVersion = QuicVersion(1);
    /// RFC 9369.
    pub const V2: QuicVersion = QuicVersion(0x6b33_43cf);

    /// The number of the IETF draft, if it is one.
    #[must_use]
    pub fn draft(self) -> Option<u8> {
        match self.0.to_be_bytes() {
            [0xff, 0, 0, draft] => Some(draft),
            _ => None,
        }
    }

    /// Whether its Initial packets can be read: versions 1 and 2, drafts 29 to 34.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.salt().is_some()
    }

    /// Whether it is reserved to exercise version negotiation: `0x?a?a?a?a` (RFC 9000 §15).
    #[must_use]
    pub fn is_grease(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }

    /// The salt of initial secrets: RFC 9001 §5.2, RFC 9369 §3.3.1, and the drafts before.
    pub(crate) fn salt(self) -> Option<&'static [u8; SALT]> {
        const V1: [u8; SALT] = [
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
            0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
        ];
        const V2: [u8; SALT] = [
            0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
            0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
        ];
        const DRAFT_29: [u8; SALT] = [
            0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61,
            0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99,
        ];
        match (self, self.draft()) {
            (QuicVersion::V1, _) | (_, Some(33 | 34)) => Some(&V1),
            (QuicVersion::V2, _) => Some(&V2),
            (_, Some(29..=32)) => Some(&DRAFT_29),
            _ => None,
        }
    }
}

/// `1`, `2`, `draft-29`, or the number in hexadecimal.
impl fmt::Display for QuicVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.draft()) {
            (QuicVersion::V1, _) => f.write_str("1"),
            (QuicVersion::V2, _) => f.write_str("2"),
            (_, Some(draft)) => write!(f, "draft-{draft}"),
            _ => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for QuicVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuicVersion({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_names() {
        let names = [1, 0x6b33_43cf, 0xff00_001d, 0x0a1a_2a3a].map(|n| QuicVersion(n).to_string());
        assert_eq!(names, ["1", "2", "draft-29", "0x0a1a2a3a"]);
        assert!(QuicVersion(0x0a1a_2a3a).is_grease() && !QuicVersion::V1.is_grease());
        assert!(QuicVersion(0xff00_0022).is_readable() && !QuicVersion(0xff00_001c).is_readable());
    }
}
