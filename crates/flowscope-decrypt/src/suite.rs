/// What a cipher suite says about the protection of records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    pub(crate) hash: Hash,
}

/// An algorithm that encrypts and authenticates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// The hash of a key schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
}

impl Suite {
    /// The suite with this number, if it is one of those that are decrypted.
    pub(crate) fn of(id: u16) -> Option<Self> {
        let (cipher, hash) = match id {
            // RFC 8446 appendix B.4.
            0x1301 => (Cipher::Aes128Gcm, Hash::Sha256),
            0x1302 => (Cipher::Aes256Gcm, Hash::Sha384),
            0x1303 => (Cipher::ChaCha20Poly1305, Hash::Sha256),
            // RFC 5288 §3 and RFC 5487 §2.
            0x009c..=0x00ad if id.is_multiple_of(2) => (Cipher::Aes128Gcm, Hash::Sha256),
            0x009c..=0x00ad => (Cipher::Aes256Gcm, Hash::Sha384),
            // RFC 5289 §3.2.
            0xc02b..=0xc032 if !id.is_multiple_of(2) => (Cipher::Aes128Gcm, Hash::Sha256),
            0xc02b..=0xc032 => (Cipher::Aes256Gcm, Hash::Sha384),
            // RFC 8442 §3.
            0xd001 => (Cipher::Aes128Gcm, Hash::Sha256),
            0xd002 => (Cipher::Aes256Gcm, Hash::Sha384),
            // RFC 7905 §2.
            0xcca8..=0xccae => (Cipher::ChaCha20Poly1305, Hash::Sha256),
            _ => return None,
        };
        Some(Suite { cipher, hash })
    }

    /// Whether it is one of TLS 1.3, which no other version has.
    pub(crate) fn is_tls13(id: u16) -> bool {
        id >> 8 == 0x13
    }
}

impl Cipher {
    /// Length of the key, in bytes.
    pub(crate) fn key_len(self) -> usize {
        match self {
            Cipher::Aes128Gcm => 16,
            Cipher::Aes256Gcm | Cipher::ChaCha20Poly1305 => 32,
        }
    }

    /// Length of the nonce that TLS 1.2 derives, in bytes: that of GCM is the salt (RFC 5288 §3), to which each record
    /// adds eight bytes.
    pub(crate) fn fixed_nonce_len(self) -> usize {
        match self {
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => 4,
            Cipher::ChaCha20Poly1305 => 12,
        }
    }
}

impl Hash {
    /// Length of its output, in bytes.
    pub(crate) fn len(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_those_of_the_registry() {
        let check = |id: u16, cipher, hash| {
            assert_eq!(Suite::of(id), Some(Suite { cipher, hash }), "{id:#06x}");
        };
        check(0x1301, Cipher::Aes128Gcm, Hash::Sha256);
        check(0x009d, Cipher::Aes256Gcm, Hash::Sha384);
        check(0x009e, Cipher::Aes128Gcm, Hash::Sha256);
        check(0x00ad, Cipher::Aes256Gcm, Hash::Sha384);
        check(0xc02b, Cipher::Aes128Gcm, Hash::Sha256);
        check(0xc030, Cipher::Aes256Gcm, Hash::Sha384);
        check(0xcca8, Cipher::ChaCha20Poly1305, Hash::Sha256);
        check(0xd002, Cipher::Aes256Gcm, Hash::Sha384);
        // AES-CBC, AES-CCM, RC4, NULL, Camellia-GCM.
        for id in [0x002f, 0xc027, 0xc09c, 0x1304, 0x1305, 0x0005, 0x0000, 0xc07a, 0x00ae] {
            assert_eq!(Suite::of(id), None, "{id:#06x}");
        }
    }
}
