use sha2::{Digest, Sha256};

use super::{Fingerprint, hex};
use crate::ClientHello;
use crate::hello::ext;
use crate::version::{TlsVersion, is_grease};

/// A JA4 fingerprint, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub type Ja4 = Fingerprint<36>;

/// What carries a hello: the first letter of its JA4.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TlsTransport {
    /// TLS over TCP.
    #[default]
    Tcp,
    /// QUIC (RFC 9001).
    Quic,
    /// DTLS (RFC 9147).
    Dtls,
}

impl ClientHello {
    /// JA4, the TLS client fingerprint of FoxIO, for a hello over TCP.
    ///
    /// Ten readable characters (transport, version, name or not, numbers of cipher suites and
    /// extensions, application protocol), then hashes of the sorted cipher suites, and of the sorted
    /// extensions with the signature algorithms; all without GREASE.
    /// A draft of TLS 1.3 is an unknown version, `00`. Without signature algorithms the last part is
    /// the hash of the extensions alone, without an underscore. As `technical_details/JA4.md` of
    /// FoxIO's repository defines it at revision df3c067. `None` as for [`ja3`](Self::ja3).
    #[must_use]
    pub fn ja4(&self) -> Option<Ja4> {
        self.ja4_over(TlsTransport::Tcp)
    }

    /// JA4 of a hello that came another way.
    #[must_use]
    pub fn ja4_over(&self, transport: TlsTransport) -> Option<Ja4> {
        // Room for the lists of most clients.
        let mut ciphers = Vec::with_capacity(256);
        let mut extensions = Vec::with_capacity(256);
        let start = self.ja4_parts(transport, &mut ciphers, &mut extensions)?;
        let mut text = [b'_'; 36];
        let (a, rest) = text.split_at_mut(10);
        let (b, c) = rest.split_at_mut(13);
        a.copy_from_slice(&start);
        b.iter_mut().skip(1).zip(hashed(&ciphers)).for_each(|(to, from)| *to = from);
        c.iter_mut().skip(1).zip(hashed(&extensions)).for_each(|(to, from)| *to = from);
        Some(Fingerprint(text))
    }

    /// JA4 before hashing, which its authors call `JA4_r`.
    #[must_use]
    pub fn ja4_raw(&self, transport: TlsTransport) -> Option<String> {
        let mut ciphers = Vec::new();
        let mut extensions = Vec::new();
        let start = self.ja4_parts(transport, &mut ciphers, &mut extensions)?;
        let [start, ciphers, extensions] =
            [&start[..], &ciphers, &extensions].map(<[u8]>::escape_ascii);
        Some(format!("{start}_{ciphers}_{extensions}"))
    }

    fn ja4_parts(
        &self,
        transport: TlsTransport,
        ciphers_out: &mut Vec<u8>,
        extensions_out: &mut Vec<u8>,
    ) -> Option<[u8; 10]> {
        if self.is_sslv2() {
            return None;
        }
        // One list after the other, sorted in the same place.
        let mut list: Vec<u16> = self.ciphers().filter(|cipher| !is_grease(*cipher)).collect();
        list.sort_unstable();
        let ciphers = list.len();
        write_list(ciphers_out, list.iter().copied());

        list.clear();
        let mut has_name = false;
        let mut kinds = 0;
        for (kind, _) in self.extensions().filter(|(kind, _)| !is_grease(*kind)) {
            kinds += 1;
            has_name |= kind == ext::SERVER_NAME;
            // The name and the protocol are in the first part already.
            if !matches!(kind, ext::SERVER_NAME | ext::ALPN) {
                list.push(kind);
            }
        }
        list.sort_unstable();
        write_list(extensions_out, list.iter().copied());
        let mut algorithms =
            self.signature_algorithms().filter(|value| !is_grease(*value)).peekable();
        if algorithms.peek().is_some() {
            extensions_out.push(b'_');
            write_list(extensions_out, algorithms);
        }

        let transport = match transport {
            TlsTransport::Tcp => b't',
            TlsTransport::Quic => b'q',
            TlsTransport::Dtls => b'd',
        };
        let [v, w] = version_code(self.ja4_version());
        let name = if has_name { b'd' } else { b'i' };
        let [c, d] = two_digits(ciphers);
        let [e, f] = two_digits(kinds);
        let [p, q] = alpn_code(self.alpn().next().unwrap_or_default());
        Some([transport, v, w, name, c, d, e, f, p, q])
    }

    /// "Then the version is the highest value in the extension", by number; of DTLS the newest, whose
    /// number is the lowest.
    fn ja4_version(&self) -> TlsVersion {
        let offered = self.supported_versions().filter(|version| !is_grease(version.0));
        let key = |version: &TlsVersion| if version.is_dtls() { !version.0 } else { version.0 };
        offered.max_by_key(key).unwrap_or(self.legacy_version())
    }
}

fn version_code(version: TlsVersion) -> [u8; 2] {
    *match version.0 {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 | 0x0200 => b"s2",
        0x0100 => b"s1",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

/// First and last character of a protocol's name, or of its bytes in hexadecimal if either of them
/// is neither a letter nor a digit.
fn alpn_code(name: &[u8]) -> [u8; 2] {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) => {
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
                [*first, *last]
            } else {
                [hex(*first)[0], hex(*last)[1]]
            }
        }
        _ => *b"00",
    }
}

/// "If there's > 99, which there should never be, then output 99."
fn two_digits(count: usize) -> [u8; 2] {
    let count = count.min(99) as u8;
    [b'0' + count / 10, b'0' + count % 10]
}

/// Appends the numbers in hexadecimal, with commas between them.
fn write_list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    for value in values {
        let [[a, b], [c, d]] = value.to_be_bytes().map(hex);
        out.extend_from_slice(&[a, b, c, d, b',']);
    }
    // The comma behind the last of them.
    out.pop_if(|last| *last == b',');
}

/// The first twelve digits; zeros for a part that is empty, so that it shows.
fn hashed(part: &[u8]) -> [u8; 12] {
    if part.is_empty() { [b'0'; 12] } else { Fingerprint::of_hash(&Sha256::digest(part)).0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification, section "ALPN Extension Value".
    #[test]
    fn protocol_names_have_two_characters() {
        let check = |name: &[u8], expected: &[u8; 2]| {
            assert_eq!(alpn_code(name).escape_ascii().to_string().as_bytes(), expected);
        };
        check(b"h2", b"h2");
        check(b"http/1.1", b"h1");
        check(b"h", b"hh");
        check(b"", b"00");
        check(b"\xab", b"ab");
        check(b"\xab\xcd", b"ad");
        check(b"0\xab", b"3b");
        check(b"01\xab\xcd", b"3d");
        check(b"0\xab1", b"01");
    }

    #[test]
    fn counts_have_two_digits() {
        assert_eq!(
            [0, 6, 15, 99, 100, 65_535].map(two_digits),
            [*b"00", *b"06", *b"15", *b"99", *b"99", *b"99"]
        );
    }

    #[test]
    fn versions_have_codes() {
        assert_eq!(version_code(TlsVersion::TLS_1_3), *b"13");
        assert_eq!(version_code(TlsVersion::SSL_3), *b"s3");
        assert_eq!(version_code(TlsVersion(0x7f1c)), *b"00");
    }
}
