use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use crate::schedule::expand_label;
use crate::secrets::Secret;
use crate::suite::{Cipher, Hash, Suite};

/// The keys of the records of one side (RFC 8446 §5.2 and §5.3, RFC 5246 §6.2.3.3), and the number of the next one.
#[derive(Clone)]
pub(crate) struct RecordKeys {
    aead: Sealed,
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
enum Sealed {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

/// A record that was authentic.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Opened {
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
        Some(RecordKeys { aead: Sealed::new(suite.cipher, key)?, iv, sequence: 0, form })
    }

    /// The keys of a traffic secret (RFC 8446 §7.3).
    pub(crate) fn tls13(suite: Suite, secret: &Secret) -> Option<Self> {
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        let key = key.get_mut(..suite.cipher.key_len())?;
        let hash: Hash = suite.hash;
        expand_label(hash, secret.as_bytes(), "key", key)?;
        expand_label(hash, secret.as_bytes(), "iv", &mut iv)?;
        let aead = Sealed::new(suite.cipher, key)?;
        Some(RecordKeys { aead, iv, sequence: 0, form: Form::Inner })
    }

    /// Opens the record with this header and body: the next one, or, where records may have been lost, one of the
    /// `ahead` that follow it. `None` if it is none of them.
    pub(crate) fn open(&mut self, header: &[u8; 5], body: &[u8], ahead: u64) -> Option<Opened> {
        for passed in 0..=ahead {
            let sequence = self.sequence.checked_add(passed)?;
            if let Some((kind, content)) = self.open_at(sequence, header, body) {
                self.sequence = sequence.checked_add(1)?;
                return Some(Opened { kind, content, passed });
            }
        }
        None
    }

    /// Passes over a record that was lost.
    pub(crate) fn pass(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
    }

    /// By how much a record is longer than its content, without its header and padding, in bytes.
    pub(crate) fn overhead(&self) -> u64 {
        match self.form {
            Form::Inner => TAG + 1,
            Form::ExplicitNonce => 8 + TAG,
            Form::Implicit => TAG,
        }
    }

    fn open_at(&self, sequence: u64, header: &[u8; 5], body: &[u8]) -> Option<(u8, Vec<u8>)> {
        let number = sequence.to_be_bytes();
        let mut nonce = self.iv;
        let msg = if self.form == Form::ExplicitNonce {
            let (explicit, msg) = body.split_first_chunk::<8>()?;
            nonce[4..].copy_from_slice(explicit);
            msg
        } else {
            nonce[4..].iter_mut().zip(number).for_each(|(to, byte)| *to ^= byte);
            body
        };
        let [kind, major, minor, ..] = *header;
        if self.form == Form::Inner {
            let mut inner = self.aead.open(&nonce, Payload { msg, aad: header })?;
            // "the receiving implementation scans the field from the end toward the beginning until it finds a
            // non-zero octet" (RFC 8446 §5.4).
            let end = inner.iter().rposition(|byte| *byte != 0)?;
            let kind = *inner.get(end)?;
            inner.truncate(end);
            return Some((kind, inner));
        }
        let len = msg.len().checked_sub(TAG as usize)?;
        let [.., high, low] = len.to_be_bytes();
        let mut aad = [0; 13];
        aad[..8].copy_from_slice(&number);
        aad[8..].copy_from_slice(&[kind, major, minor, high, low]);
        Some((kind, self.aead.open(&nonce, Payload { msg, aad: &aad })?))
    }
}

impl Sealed {
    fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        Some(match cipher {
            Cipher::Aes128Gcm => Sealed::Aes128Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Cipher::Aes256Gcm => Sealed::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Cipher::ChaCha20Poly1305 => {
                Sealed::ChaCha20Poly1305(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?))
            }
        })
    }

    fn open(&self, nonce: &[u8; 12], sealed: Payload<'_, '_>) -> Option<Vec<u8>> {
        let nonce = &(*nonce).into();
        match self {
            Sealed::Aes128Gcm(aead) => aead.decrypt(nonce, sealed).ok(),
            Sealed::Aes256Gcm(aead) => aead.decrypt(nonce, sealed).ok(),
            Sealed::ChaCha20Poly1305(aead) => aead.decrypt(nonce, sealed).ok(),
        }
    }
}

impl fmt::Debug for RecordKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKeys").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// Length of the tag of all three algorithms.
const TAG: u64 = 16;
