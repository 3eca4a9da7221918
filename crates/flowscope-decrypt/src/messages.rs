//! Handshake messages that were encrypted (RFC 8446 §4): of TLS 1.3 only, for what they say of keys.

/// Values of `HandshakeType` (RFC 8446 §4).
pub(crate) mod kind {
    pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
    pub(crate) const FINISHED: u8 = 20;
    pub(crate) const KEY_UPDATE: u8 = 24;
}

/// Finds the messages in the contents of records, however they are cut.
///
/// Holds the body of EncryptedExtensions, up to 1 KiB of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Messages {
    header: [u8; 4],
    have: usize,
    left: usize,
    body: Vec<u8>,
}

impl Messages {
    /// Takes the content of a record; calls `found` with the kind of each message that ends in it, and its body if it
    /// is one that is read.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(u8, &[u8])) {
        loop {
            if self.have < self.header.len() {
                let Some((first, rest)) = bytes.split_first() else { return };
                self.header[self.have] = *first;
                self.have += 1;
                bytes = rest;
                let [_, high, mid, low] = self.header;
                self.left = u32::from_be_bytes([0, high, mid, low]) as usize;
                if self.have < self.header.len() {
                    continue;
                }
            }
            let (body, rest) = bytes.split_at(bytes.len().min(self.left));
            bytes = rest;
            self.left -= body.len();
            let [kind, ..] = self.header;
            if kind == kind::ENCRYPTED_EXTENSIONS {
                let room = MAX_BODY - self.body.len();
                self.body.extend_from_slice(&body[..body.len().min(room)]);
            }
            if self.left > 0 {
                return;
            }
            found(kind, &self.body);
            *self = Messages::default();
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.body.capacity()
    }
}

const MAX_BODY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let stream = b"\x08\0\0\x02ee\x0b\0\0\x03crt\x14\0\0\0\x18\0\0\x01\0\x04\0\0\x09ti";
        for size in 1..=stream.len() {
            let (mut messages, mut seen) = (Messages::default(), Vec::new());
            for piece in stream.chunks(size) {
                messages.feed(piece, |kind, body| seen.push((kind, body.to_vec())));
            }
            let expected = [
                (kind::ENCRYPTED_EXTENSIONS, b"ee".to_vec()),
                (11, vec![]),
                (kind::FINISHED, vec![]),
                (kind::KEY_UPDATE, vec![]),
            ];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_long_message_is_held_to_its_bound() {
        let mut messages = Messages::default();
        let mut lens = Vec::new();
        messages.feed(b"\x08\x01\0\0", |_, _| {});
        for _ in 0..64 {
            messages.feed(&[0; 1024], |_, body| lens.push(body.len()));
            assert!(messages.heap_bytes() <= 2 * MAX_BODY);
        }
        assert_eq!(lens, [MAX_BODY]);
    }
}
