/// Decodes base64 as it comes (RFC 2045 §6.8).
///
/// What is not of the alphabet is passed over, as the RFC says. Padding ends a group of four; more may follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    /// Characters of the group at hand.
    count: u8,
}

impl Base64 {
    pub(super) fn feed(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let mut decoded = [0; BUFFER];
        let mut len = 0;
        for &byte in bytes {
            if byte == b'=' {
                len += self.flush(&mut decoded[len..]);
            } else if let Some(value) = value(byte) {
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 1;
                if self.count == 4 {
                    len += self.flush(&mut decoded[len..]);
                }
            }
            if len + 3 > BUFFER {
                out(&decoded[..len]);
                len = 0;
            }
        }
        out(&decoded[..len]);
    }

    /// The text is over, with a group that may not be whole.
    pub(super) fn end(&mut self, mut out: impl FnMut(&[u8])) {
        let mut decoded = [0; 3];
        let len = self.flush(&mut decoded);
        out(&decoded[..len]);
    }

    /// Writes the bytes that the group at hand has in full; returns how many. The next group begins.
    fn flush(&mut self, decoded: &mut [u8]) -> usize {
        let len = usize::from(self.count) * 6 / 8;
        let [_, bytes @ ..] = (self.bits << (6 * (4 - u32::from(self.count)))).to_be_bytes();
        decoded[..len].copy_from_slice(&bytes[..len]);
        *self = Base64::default();
        len
    }
}

/// Bytes that are given out at once.
const BUFFER: usize = 1024;

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Base64::default(), Vec::new());
        for piece in pieces {
            decoder.feed(piece, |bytes| out.extend_from_slice(bytes));
        }
        decoder.end(|bytes| out.extend_from_slice(bytes));
        out
    }

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// In lines of 76 characters, as the RFC has it.
    pub(crate) fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for group in bytes.chunks(3) {
            let mut bits = 0_u32;
            for at in 0..3 {
                bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or(0));
            }
            for at in 0..4_usize {
                let six = (bits >> (18 - 6 * at) & 63) as usize;
                text.push(if at <= group.len() { ALPHABET[six] } else { b'=' });
            }
            if text.len() % 78 == 76 {
                text.extend_from_slice(b"\r\n");
            }
        }
        text
    }

    /// Of all characters at once: the bits of each group between paddings, as far as they are bytes.
    fn oracle(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for run in text.split(|&byte| byte == b'=') {
            let of = |byte: &u8| ALPHABET.iter().position(|it| it == byte);
            let values: Vec<usize> = run.iter().filter_map(of).collect();
            for group in values.chunks(4) {
                let bits: String = group.iter().map(|value| format!("{value:06b}")).collect();
                let bytes = bits.as_bytes().chunks_exact(8);
                let byte = |bits| u8::from_str_radix(str::from_utf8(bits).unwrap(), 2).unwrap();
                out.extend(bytes.map(byte));
            }
        }
        out
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (text, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
            // Without padding, with what is no character, and one text behind another.
            ("Zm9vYg", "foob"),
            ("Z\r\n m-9v", "foo"),
            ("Zg==Zm8=Zm9v", "ffofoo"),
        ] {
            assert_eq!(decoded(&[text.as_bytes()]), plain.as_bytes(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(decoded(&[&encoded(&bytes)]), bytes);
        }

        #[test]
        fn any_text_in_any_pieces_is_decoded_as_a_whole_one(text in "[A-Za-z0-9+/=\r\n .]{0,80}", cut in 0..80_usize) {
            let text = text.as_bytes();
            let (head, tail) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(decoded(&[head, tail]), oracle(text));
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(decoded(&bytes), oracle(text));
        }
    }
}
