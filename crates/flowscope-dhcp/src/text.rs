//! Bytes as text.

use std::fmt::Write as _;

/// Two hexadecimal digits for each byte, colons between them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let between = if at == 0 { "" } else { ":" };
        let _ = write!(text, "{between}{byte:02x}");
    }
    text
}

/// A name in the form of DNS, without pointers, as text with dots between its labels (RFC 4702 §3.1, RFC 4704
/// §4.2). `None` if it is none. The empty label at the end may be missing: then it is part of a name.
pub(crate) fn dns_name(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        if len == 0 {
            break;
        }
        let (label, rest) = rest.split_at_checked(usize::from(len)).filter(|_| len < 64)?;
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(label);
        bytes = rest;
    }
    Some(name)
}

/// Text without the zero bytes at its end, which receivers delete (RFC 2132 §2).
pub(crate) fn without_nuls(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &text[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 0xab, 9]), "00:ab:09");
        assert_eq!(dns_name(b"\x04host\x02ab\0rest"), Some(b"host.ab".to_vec()));
        assert_eq!(dns_name(b"\x04host"), Some(b"host".to_vec()));
        assert_eq!(dns_name(b"\x05host"), None);
        assert_eq!(dns_name(b"\xc0\x0c"), None);
        assert_eq!(dns_name(b""), Some(Vec::new()));
        assert_eq!(without_nuls(b"a\0b\0\0"), b"a\0b");
        assert_eq!((without_nuls(b"\0"), without_nuls(b"")), (&b""[..], &b""[..]));
    }
}
