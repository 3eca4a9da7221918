//! Keys of Initial packets: derived from what is on the wire, so that anyone on the path can read them
//! (RFC 9001 §5.2, §5.3, §5.4; RFC 9369 §3.3).

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::QuicVersion;
use crate::wire::LongPacket;

/// Keys of both directions.
#[derive(Clone)]
pub(crate) struct InitialKeys {
    client: PacketKeys,
    server: PacketKeys,
}

/// Keys of one direction.
#[derive(Clone)]
pub(crate) struct PacketKeys {
    pub(crate) aead: Aes128Gcm,
    pub(crate) iv: [u8; 12],
    pub(crate) header: Aes128,
}

/// Which end sent a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Client,
    Server,
}

impl fmt::Debug for InitialKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialKeys")
    }
}

impl InitialKeys {
    /// The keys for the destination connection id of the client's first Initial.
    pub(crate) fn new(version: QuicVersion, destination: &[u8]) -> Option<Self> {
        let salt = version.salt()?;
        let secrets = Hkdf::<Sha256>::new(Some(salt), destination);
        Some(InitialKeys {
            client: PacketKeys::new(version, &secrets, "client in")?,
            server: PacketKeys::new(version, &secrets, "server in")?,
        })
    }

    /// The payload of an Initial packet, if these are its keys and nothing of it was changed or cut.
    pub(crate) fn open(&self, sender: Sender, packet: &LongPacket<'_>) -> Option<Vec<u8>> {
        self.of(sender).open(packet)
    }

    pub(crate) fn of(&self, sender: Sender) -> &PacketKeys {
        match sender {
            Sender::Client => &self.client,
            Sender::Server => &self.server,
        }
    }
}

impl PacketKeys {
    fn new(version: QuicVersion, secrets: &Hkdf<Sha256>, label: &str) -> Option<Self> {
        let mut secret = [0; 32];
        expand(secrets, label, &mut secret)?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let [key_label, iv_label, header_label] = match version {
            QuicVersion::V2 => ["quicv2 key", "quicv2 iv", "quicv2 hp"],
            _ => ["quic key", "quic iv", "quic hp"],
        };
        let (mut key, mut iv, mut header) = ([0; 16], [0; 12], [0; 16]);
        expand(&secret, key_label, &mut key)?;
        expand(&secret, iv_label, &mut iv)?;
        expand(&secret, header_label, &mut header)?;
        Some(PacketKeys {
            aead: Aes128Gcm::new(&key.into()),
            iv,
            header: Aes128::new(&header.into()),
        })
    }

    /// Removes header protection and decrypts (RFC 9001 §5.3, §5.4.1).
    fn open(&self, packet: &LongPacket<'_>) -> Option<Vec<u8>> {
        let at = packet.number_at;
        let sample: [u8; 16] = packet.bytes.get(at + 4..at + 20)?.try_into().ok()?;
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        let mut header = packet.bytes.get(..at + 4)?.to_vec();
        header[0] ^= mask[0] & 0x0f;
        let number_len = usize::from(header[0] & 3) + 1;
        header.truncate(at + number_len);
        let mut nonce = self.iv;
        for place in 0..number_len {
            header[at + place] ^= mask[1 + place];
            nonce[12 - number_len + place] ^= header[at + place];
        }
        let msg = packet.bytes.get(at + number_len..)?;
        self.aead.decrypt(&nonce.into(), Payload { msg, aad: &header }).ok()
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
fn expand(secret: &Hkdf<Sha256>, label: &str, out: &mut [u8]) -> Option<()> {
    let (out_len, label_len) = (u16::try_from(out.len()).ok()?, u8::try_from(label.len()).ok()?);
    let (out_len, label_len) = (out_len.to_be_bytes(), [6 + label_len]);
    let info: [&[u8]; 5] = [&out_len, &label_len, b"tls13 ", label.as_bytes(), &[0]];
    secret.expand_multi_info(&info, out).ok()
}
