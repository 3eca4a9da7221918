use super::{AlternativeName, Certificate};

/// Whether a certificate is for a host of this name (RFC 6125 §6.4).
pub(crate) fn covers(certificate: &Certificate, host: &[u8]) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let mut names = certificate
        .alternative_names
        .iter()
        .filter_map(
            |name| if let AlternativeName::Dns(name) = name { Some(&name[..]) } else { None },
        )
        .peekable();
    if names.peek().is_some() {
        return names.any(|name| is_for(name, host));
    }
    // "a client MAY as a last resort check for a CN-ID" (RFC 6125 §6.4.4).
    certificate.subject.values("CN").any(|name| is_for(name, host))
}

/// Whether a name, maybe with a wildcard for its first label, is that of the host.
fn is_for(name: &[u8], host: &[u8]) -> bool {
    let Some(parent) = name.strip_prefix(b"*.") else { return name.eq_ignore_ascii_case(host) };
    let dot = host.iter().position(|&byte| byte == b'.');
    // A wildcard is for one label, and never for a whole top-level domain.
    dot.is_some_and(|dot| dot > 0 && host[dot + 1..].eq_ignore_ascii_case(parent))
        && parent.contains(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label() {
        let check = |name: &str, host: &str, expected| {
            assert_eq!(is_for(name.as_bytes(), host.as_bytes()), expected, "{name} {host}");
        };
        check("example.org", "Example.ORG", true);
        check("example.org", "www.example.org", false);
        check("*.example.org", "www.example.org", true);
        check("*.example.org", "WWW.example.org", true);
        check("*.example.org", "a.www.example.org", false);
        check("*.example.org", "example.org", false);
        check("*.example.org", ".example.org", false);
        check("*.org", "example.org", false);
        check("w*.example.org", "www.example.org", false);
        check("", "", true);
    }
}
