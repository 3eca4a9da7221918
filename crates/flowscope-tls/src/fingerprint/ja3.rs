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
    fn new(string: String) -> Self {
        let hash = Fingerprint::of_hash(&Md5::digest(&string));
        Ja3 { string, hash }
    }
}

fn start(version: u16) -> String {
    // Room for the fields of most clients.
    let mut string = String::with_capacity(256);
    decimal(&mut string, version);
    string
}

/// Appends a number; formatting by the library costs several times as much.
fn decimal(string: &mut String, value: u16) {
    let mut scale = 1;
    while scale <= value / 10 {
        scale *= 10;
    }
    while scale > 0 {
        string.push(char::from(b'0' + (value / scale % 10) as u8));
        scale /= 10;
    }
}

fn push(string: &mut String, values: impl Iterator<Item = u16>) {
    string.push(',');
    for (n, value) in values.filter(|value| !is_grease(*value)).enumerate() {
        if n > 0 {
            string.push('-');
        }
        decimal(string, value);
    }
}
