use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use crate::schedule::expand_label;
use crate::secrets::Secret;
use crate::suite::{Cipher, Suite};

/// The keys of the records of one side (RFC 8446 §5.2 and §5.3, RFC 5246 §6.2.3.3), and the number of the next one.
#[derive(Clone)]
pub(crate) struct RecordKeys {
    cipher: RecordCipher,
    /// The fixed part of the nonce; of GCM in TLS 1.2 the first four bytes count.
    iv: [u8; 12],
    sequence: u64,
    form: Form,
}

/// How a record is made of its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    /// TLS 1.3: the type is behind the content.
    Inner,
    /// TLS 1.2 with a nonce in each record (RFC 5288 §3).
    ExplicitNonce,
    /// TLS 1.2 with a nonce that is the number of the record (RFC 7905 §2).
    Implicit,
}

#[derive(Clone)]
enum RecordCipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

/// A record that was authentic.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Decrypted {
    /// The type of its content (RFC 8446 §5.1).
    pub(crate) kind: u8,
    pub(crate) content: Vec<u8>,
    /// How many records before it were passed over.
    pub(crate) passed: u64,
}

impl RecordKeys {
    /// The keys of TLS 1.2 (RFC 5246 §6.3).
    pub(crate) fn tls12(suite: Suite, key: &[u8], nonce: &[u8]) -> Option<Self> {
        let mut iv = [0; 12];
        iv.get_mut(..nonce.len())?.copy_from_slice(nonce);
        let form = match suite.cipher {
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => Form::ExplicitNonce,
            Cipher::ChaCha20Poly1305 => Form::Implicit,
        };
        Some(RecordKeys { cipher: RecordCipher::new(suite.cipher, key)?, iv, sequence: 0, form })
    }

    /// The keys of a traffic secret (RFC 8446 §7.3).
    pub(crate) fn tls13(suite: Suite, secret: &Secret) -> Option<Self> {
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        let key = key.get_mut(..suite.cipher.key_len())?;
        expand_label(suite.hash, secret.as_bytes(), "key", key)?;
        expand_label(suite.hash, secret.as_bytes(), "iv", &mut iv)?;
        let cipher = RecordCipher::new(suite.cipher, key)?;
        Some(RecordKeys { cipher, iv, sequence: 0, form: Form::Inner })
    }

    /// Decrypts the record with this header and body: the next one, or, where records may have been lost, one of the
    /// `ahead` that follow it. `None` if it is none of them.
    pub(crate) fn decrypt(
        &mut self,
        header: &[u8; 5],
        body: &[u8],
        ahead: u64,
    ) -> Option<Decrypted> {
        let (explicit, payload) = match self.form {
            Form::ExplicitNonce => body.split_at_checked(8)?,
            Form::Inner | Form::Implicit => (&[][..], body),
        };
        let (payload, tag) = payload.split_last_chunk::<TAG>()?;
        let mut content = payload.to_vec();
        let passed = (0..=ahead).find(|passed| {
            let sequence = self.sequence.checked_add(*passed);
            sequence.is_some_and(|it| self.decrypt_as(it, header, explicit, &mut content, tag))
        })?;
        let kind = match self.form {
            Form::Inner => {
                // "the receiving implementation scans the field from the end toward the beginning until it finds a
                // non-zero octet" (RFC 8446 §5.4).
                let end = content.iter().rposition(|byte| *byte != 0)?;
                let kind = *content.get(end)?;
                content.truncate(end);
                kind
            }
            Form::ExplicitNonce | Form::Implicit => header[0],
        };
        self.sequence = self.sequence.checked_add(passed)?.checked_add(1)?;
        Some(Decrypted { kind, content, passed })
    }

    /// Passes over a record that was lost.
    pub(crate) fn pass(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
    }

    /// By how much a record is longer than its content, without its header and padding, in bytes.
    pub(crate) fn overhead(&self) -> u64 {
        match self.form {
            Form::Inner => TAG as u64 + 1,
            Form::ExplicitNonce => 8 + TAG as u64,
            Form::Implicit => TAG as u64,
        }
    }

    /// Decrypts the payload of a record if it is the one with this number; else the payload stays as it is.
    fn decrypt_as(
        &self,
        sequence: u64,
        header: &[u8; 5],
        explicit: &[u8],
        payload: &mut [u8],
        tag: &[u8; TAG],
    ) -> bool {
        let number = sequence.to_be_bytes();
        let mut nonce = self.iv;
        if self.form == Form::ExplicitNonce {
            nonce[4..].copy_from_slice(explicit);
        } else {
            nonce[4..].iter_mut().zip(number).for_each(|(to, byte)| *to ^= byte);
        }
        if self.form == Form::Inner {
            return self.cipher.decrypt(&nonce, header, payload, tag);
        }
        let [kind, major, minor, ..] = *header;
        let [.., high, low] = payload.len().to_be_bytes();
        let mut aad = [0; 13];
        aad[..8].copy_from_slice(&number);
        aad[8..].copy_from_slice(&[kind, major, minor, high, low]);
        self.cipher.decrypt(&nonce, &aad, payload, tag)
    }
}

impl RecordCipher {
    fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        Some(match cipher {
            Cipher::Aes128Gcm => {
                RecordCipher::Aes128Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?))
            }
            Cipher::Aes256Gcm => {
                RecordCipher::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?))
            }
            Cipher::ChaCha20Poly1305 => {
                let cipher = ChaCha20Poly1305::new_from_slice(key).ok()?;
                RecordCipher::ChaCha20Poly1305(Box::new(cipher))
            }
        })
    }

    /// Decrypts a payload in place if it is authentic. These ciphers check the tag first: what is not authentic stays
    /// as it is, and may be tried again.
    fn decrypt(&self, nonce: &[u8; 12], aad: &[u8], payload: &mut [u8], tag: &[u8; TAG]) -> bool {
        let (nonce, payload, tag) = (&(*nonce).into(), payload.into(), &(*tag).into());
        let decrypted = match self {
            RecordCipher::Aes128Gcm(aead) => aead.decrypt_inout_detached(nonce, aad, payload, tag),
            RecordCipher::Aes256Gcm(aead) => aead.decrypt_inout_detached(nonce, aad, payload, tag),
            RecordCipher::ChaCha20Poly1305(aead) => {
                aead.decrypt_inout_detached(nonce, aad, payload, tag)
            }
        };
        decrypted.is_ok()
    }
}

impl fmt::Debug for RecordKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKeys").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// Length of the tag of all three algorithms.
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The next record is tried with the bytes that the trials before it left.
    #[test]
    fn a_payload_that_is_not_authentic_stays_as_it_is() {
        for (cipher, key) in [
            (Cipher::Aes128Gcm, &[1; 16][..]),
            (Cipher::Aes256Gcm, &[1; 32]),
            (Cipher::ChaCha20Poly1305, &[1; 32]),
        ] {
            let cipher = RecordCipher::new(cipher, key).expect("keys of its length");
            let mut payload = [0x5a; 100];
            assert!(!cipher.decrypt(&[2; 12], b"header", &mut payload, &[3; TAG]));
            assert_eq!(payload, [0x5a; 100]);
        }
    }
}
