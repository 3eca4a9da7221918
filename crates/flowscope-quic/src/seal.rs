//! Initial packets for tests, sealed as a client or server seals them.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::cipher::BlockCipherEncrypt;

use crate::QuicVersion;
use crate::keys::{InitialKeys, Sender};

/// An Initial packet to be sealed.
#[derive(Clone)]
pub(crate) struct Initial {
    pub(crate) has_quic_bit: bool,
    pub(crate) version: QuicVersion,
    /// The connection id that the keys follow from.
    pub(crate) keyed_by: Vec<u8>,
    pub(crate) sender: Sender,
    pub(crate) destination: Vec<u8>,
    pub(crate) source: Vec<u8>,
    pub(crate) number: u8,
    pub(crate) payload: Vec<u8>,
}

impl Initial {
    /// The packet of a client, its payload padded so that the datagram is as long as one has to be.
    pub(crate) fn client(destination: &[u8], payload: &[u8]) -> Self {
        let mut payload = payload.to_vec();
        payload.resize(payload.len().max(1162), 0);
        Initial {
            has_quic_bit: true,
            version: QuicVersion::V1,
            keyed_by: destination.to_vec(),
            sender: Sender::Client,
            destination: destination.to_vec(),
            source: b"client".to_vec(),
            number: 0,
            payload,
        }
    }

    /// The answer of the server to a client's first Initial with this destination.
    pub(crate) fn server(keyed_by: &[u8], payload: &[u8]) -> Self {
        Initial {
            sender: Sender::Server,
            destination: b"client".to_vec(),
            source: b"server".to_vec(),
            payload: payload.to_vec(),
            ..Initial::client(keyed_by, &[])
        }
    }

    pub(crate) fn seal(&self) -> Vec<u8> {
        let keys = InitialKeys::new(self.version, &self.keyed_by).expect("a version that is read");
        let keys = keys.of(self.sender);
        let kind = if self.version == QuicVersion::V2 { 0x10 } else { 0 };
        let form = if self.has_quic_bit { 0xc0 } else { 0x80 };
        let mut packet = vec![form | kind];
        packet.extend(self.version.0.to_be_bytes());
        for id in [&self.destination, &self.source] {
            packet.push(id.len() as u8);
            packet.extend(id);
        }
        packet.push(0); // no token
        let len = (1 + self.payload.len() + 16) as u16;
        packet.extend((0x4000 | len).to_be_bytes());
        let number_at = packet.len();
        packet.push(self.number);
        let mut nonce = keys.iv;
        nonce[11] ^= self.number;
        let sealed = Payload { msg: &self.payload, aad: &packet };
        let sealed = keys.aead.encrypt(&nonce.into(), sealed).expect("a short message");
        packet.extend(sealed);
        let sample: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().expect("16 bytes");
        let mut mask = sample.into();
        keys.header.encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
        packet
    }
}

/// A CRYPTO frame.
pub(crate) fn crypto(offset: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend((0x4000 | offset).to_be_bytes());
    frame.extend((0x4000 | data.len() as u16).to_be_bytes());
    frame.extend(data);
    frame
}
