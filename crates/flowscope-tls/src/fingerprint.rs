use std::fmt;

mod ja3;
mod ja4;

pub use ja3::Ja3;
pub use ja4::{Ja4, TlsTransport};

/// A fingerprint: `N` ASCII characters, kept in place.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint<const N: usize>([u8; N]);

impl<const N: usize> Fingerprint<N> {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first characters of `bytes` in hexadecimal.
    fn of_hash(bytes: &[u8]) -> Self {
        let mut text = [b'0'; N];
        for (pair, byte) in text.chunks_mut(2).zip(bytes) {
            for (to, from) in pair.iter_mut().zip(hex(*byte)) {
                *to = from;
            }
        }
        Fingerprint(text)
    }
}

impl<const N: usize> fmt::Display for Fingerprint<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Fingerprint<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> AsRef<str> for Fingerprint<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> PartialEq<str> for Fingerprint<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

fn hex(byte: u8) -> [u8; 2] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    [digit(byte >> 4), digit(byte & 0x0f)]
}
