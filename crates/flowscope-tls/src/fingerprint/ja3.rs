use flowscope_record::digit_pair;
use md5::{Digest, Md5};

use crate::version::is_grease;
use crate::{ClientHello, Fingerprint, ServerHello};

/// A JA3 or JA3S fingerprint: the numbers of a hello in decimal, and their MD5.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Ja3 {
    /// The fields, joined by commas, their values by dashes.
    pub string: String,
    /// MD5 of the string in hexadecimal.
    pub hash: Fingerprint<32>,
}

impl ClientHello {
    /// JA3: legacy version, cipher suites, extensions, groups, point formats, in the order sent,
    /// without GREASE.
    ///
    /// Of a damaged extension block, the extensions before the damage count. `None` for a hello in
    /// SSL 2.0 framing.
    #[must_use]
    pub fn ja3(&self) -> Option<Ja3> {
        if self.is_sslv2() {
            return None;
        }
        let mut string = start(self.legacy_version().0);
        push(&mut string, self.ciphers());
        push(&mut string, self.extensions().map(|(kind, _)| kind));
        push(&mut string, self.groups());
        push(&mut string, self.point_formats().iter().map(|format| u16::from(*format)));
        Some(Ja3::new(string))
    }
}

impl ServerHello {
    /// JA3S: legacy version, cipher suite, extensions in the order sent, without GREASE.
    ///
    /// Of a damaged extension block, the extensions before the damage count.
    #[must_use]
    pub fn ja3s(&self) -> Option<Ja3> {
        let mut string = start(self.legacy_version().0);
        push(&mut string, std::iter::once(self.cipher()));
        push(&mut string, self.extensions().map(|(kind, _)| kind));
        Some(Ja3::new(string))
    }
}

impl Ja3 {
    /// Of text that is digits, commas and dashes.
    fn new(text: Vec<u8>) -> Self {
        let hash = Fingerprint::of_hash(&Md5::digest(&text));
        Ja3 { string: String::from_utf8(text).unwrap_or_default(), hash }
    }
}

fn start(version: u16) -> Vec<u8> {
    // Room for the fields of most clients.
    let mut text = Vec::with_capacity(256);
    decimal(&mut text, version);
    text.pop();
    text
}

/// Appends a comma and the numbers.
fn push(text: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    text.push(b',');
    for value in values.filter(|value| !is_grease(*value)) {
        decimal(text, value);
    }
    // The dash behind the last of them.
    text.pop_if(|last| *last == b'-');
}

/// Appends a number and a dash; formatting by the library costs several times as much.
fn decimal(text: &mut Vec<u8>, value: u16) {
    let hundreds = u64::from(value) / 100;
    let [b, c] = digit_pair(hundreds);
    let [d, e] = digit_pair(value.into());
    let digits = [b'0' + (hundreds / 100) as u8, b, c, d, e, b'-', 0, 0, 0, 0];
    let zeros = match value {
        0..10 => 4,
        10..100 => 3,
        100..1000 => 2,
        1000..10_000 => 1,
        10_000.. => 0,
    };
    // As many bytes whatever the number, which is cheaper than to copy no more than there are.
    text.extend_from_slice(&digits[zeros..zeros + 6]);
    text.truncate(text.len() - zeros);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_digits() {
        for value in 0..=u16::MAX {
            let mut text = b"771,".to_vec();
            decimal(&mut text, value);
            assert_eq!(text, format!("771,{value}-").as_bytes());
        }
    }
}
