//! Application protocols that two ends agree on (RFC 7301).

/// The name here of the protocol with this identifier in the registry of ALPN; `None` for one that is not read.
pub(crate) fn protocol(id: &[u8]) -> Option<&'static str> {
    Some(match id {
        b"http/1.1" | b"http/1.0" | b"http/0.9" => "http",
        b"h2" => "http2",
        b"dot" => "dns",
        b"ftp" => "ftp",
        b"imap" => "imap",
        b"mqtt" => "mqtt",
        b"pop3" => "pop3",
        b"postgresql" => "postgresql",
        b"sip/2" => "sip",
        _ => return None,
    })
}

/// The protocol that EncryptedExtensions with this body choose (RFC 8446 §4.3.1).
pub(crate) fn of_encrypted_extensions(body: &[u8]) -> Option<&'static str> {
    let mut rest = vector16(body)?.0;
    while let Some((kind, after)) = rest.split_first_chunk::<2>() {
        let (content, after) = vector16(after)?;
        if u16::from_be_bytes(*kind) == ALPN {
            let (list, _) = vector16(content)?;
            let (len, names) = list.split_first()?;
            return protocol(names.get(..usize::from(*len))?);
        }
        rest = after;
    }
    None
}

/// What a length of 16 bits frames, and what follows.
fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// `application_layer_protocol_negotiation` (RFC 7301 §6).
const ALPN: u16 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_behind_other_extensions() {
        let body = b"\0\x0f\0\x0a\0\x02\0\0\0\x10\0\x05\0\x03\x02h2";
        assert_eq!(of_encrypted_extensions(body), Some("http2"));
        for cut in 0..body.len() {
            assert_eq!(of_encrypted_extensions(&body[..cut]), None, "{cut}");
        }
        assert_eq!(of_encrypted_extensions(b"\0\0"), None);
        assert_eq!(of_encrypted_extensions(b"\0\x09\0\x10\0\x05\0\x03\x02h3"), None);
    }
}
