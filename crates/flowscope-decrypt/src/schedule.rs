//! From secrets to keys (RFC 5246 §5 and §6.3, RFC 8446 §7).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};

use crate::secrets::Secret;
use crate::suite::{Hash, Suite};

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1); `None` if the secret is not one of this hash.
pub(crate) fn expand_label(hash: Hash, secret: &[u8], label: &str, out: &mut [u8]) -> Option<()> {
    if secret.len() != hash.len() {
        return None;
    }
    let (out_len, label_len) = (u16::try_from(out.len()).ok()?, u8::try_from(label.len()).ok()?);
    let mut info = out_len.to_be_bytes().to_vec();
    info.push(6 + label_len);
    info.extend(b"tls13 ");
    info.extend(label.as_bytes());
    info.push(0);
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, out).ok(),
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, out).ok(),
    }
}

/// The traffic secret that follows a KeyUpdate (RFC 8446 §7.2).
pub(crate) fn next_traffic_secret(hash: Hash, secret: &Secret) -> Option<Secret> {
    let mut next = [0; 48];
    let next = next.get_mut(..hash.len())?;
    expand_label(hash, secret.as_bytes(), "traffic upd", next)?;
    Secret::new(next)
}

/// Keys and nonces of both ends in TLS 1.2 (RFC 5246 §6.3); suites that authenticate what they encrypt have no MAC keys.
pub(crate) struct KeyBlock {
    bytes: [u8; MAX_KEY_BLOCK],
    key: usize,
    nonce: usize,
}

impl KeyBlock {
    pub(crate) fn new(
        suite: Suite,
        master: &Secret,
        client_random: &[u8],
        server_random: &[u8],
    ) -> Option<Self> {
        let (key, nonce) = (suite.cipher.key_len(), suite.cipher.fixed_nonce_len());
        let mut bytes = [0; MAX_KEY_BLOCK];
        let block = bytes.get_mut(..2 * (key + nonce))?;
        let seed = [b"key expansion", server_random, client_random].concat();
        match suite.hash {
            Hash::Sha256 => prf::<Hmac<Sha256>>(master.as_bytes(), &seed, block)?,
            Hash::Sha384 => prf::<Hmac<Sha384>>(master.as_bytes(), &seed, block)?,
        }
        Some(KeyBlock { bytes, key, nonce })
    }

    /// Key and fixed part of the nonce of one end.
    pub(crate) fn of(&self, is_client: bool) -> Option<(&[u8], &[u8])> {
        let place = usize::from(!is_client);
        let key = self.bytes.get(place * self.key..)?.get(..self.key)?;
        let nonce = self.bytes.get(2 * self.key + place * self.nonce..)?.get(..self.nonce)?;
        Some((key, nonce))
    }
}

/// P_hash, which is all that the PRF of TLS 1.2 does (RFC 5246 §5); `seed` begins with the label.
fn prf<M: Mac + KeyInit>(secret: &[u8], seed: &[u8], out: &mut [u8]) -> Option<()> {
    let mac = |parts: [&[u8]; 2]| {
        let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac.finalize().into_bytes())
    };
    let mut a = mac([seed, &[]])?;
    let mut left = out;
    while !left.is_empty() {
        let block = mac([&a, seed])?;
        let (now, later) = left.split_at_mut(left.len().min(block.len()));
        now.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
        left = later;
        a = mac([&a, &[]])?;
    }
    Some(())
}

/// Two keys of 32 bytes, two nonces of 12.
const MAX_KEY_BLOCK: usize = 2 * (32 + 12);

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8448 §3: the server's handshake traffic secret, and the key and nonce of it.
    #[test]
    fn keys_are_those_of_rfc_8448() {
        let secret = bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(Hash::Sha256, &secret, "key", &mut key).unwrap();
        expand_label(Hash::Sha256, &secret, "iv", &mut iv).unwrap();
        assert_eq!(key[..], bytes("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv[..], bytes("5d313eb2671276ee13000b30"));
    }

    #[test]
    fn a_secret_of_another_hash_has_no_keys() {
        let mut key = [0; 16];
        assert_eq!(expand_label(Hash::Sha384, &[1; 32], "key", &mut key), None);
        assert_eq!(expand_label(Hash::Sha256, &[1; 48], "key", &mut key), None);
        assert_eq!(next_traffic_secret(Hash::Sha384, &Secret::new(&[1; 32]).unwrap()), None);
    }

    /// The PRF of TLS 1.2 with SHA-256: the vector that the TLS working group published.
    #[test]
    fn the_prf_of_tls12_is_that_of_the_published_vector() {
        let secret = bytes("9bbe436ba940f017b17652849a71db35");
        let seed = [b"test label".to_vec(), bytes("a0ba9f936cda311827a6f796ffd5198c")].concat();
        let mut out = [0; 100];
        prf::<Hmac<Sha256>>(&secret, &seed, &mut out).unwrap();
        let expected = bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a\
             6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab\
             4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
             87347b66",
        );
        assert_eq!(out[..], expected);
    }
}
