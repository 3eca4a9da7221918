use std::fmt;

/// A NetBIOS name: fifteen bytes, a suffix that says which service has it, and the scope it is known in
/// (RFC 1001 §14.1).
///
/// Displays as `WORKSTATION<00>`, with the scope behind a dot if there is one. Bytes that are no visible ASCII
/// and no space show as `\DDD`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NbnsName {
    bytes: [u8; NbnsName::LEN],
    scope: Vec<u8>,
}

/// Bytes of a name in first-level encoding: two letters from A to P for each byte.
pub(super) const ENCODED: usize = 2 * NbnsName::LEN;

impl NbnsName {
    /// Bytes of a name, with the suffix.
    pub const LEN: usize = 16;

    /// A name and its scope, in labels with dots between them.
    pub(super) fn new(bytes: [u8; NbnsName::LEN], scope: Vec<u8>) -> Self {
        NbnsName { bytes, scope }
    }

    /// The bytes of a name in first-level encoding, the half-byte of the higher value first.
    pub(super) fn decode(encoded: &[u8]) -> Option<[u8; NbnsName::LEN]> {
        let encoded: &[u8; ENCODED] = encoded.try_into().ok()?;
        if !encoded.iter().all(|letter| (b'A'..=b'P').contains(letter)) {
            return None;
        }
        let (pairs, _) = encoded.as_chunks::<2>();
        let mut bytes = [0; NbnsName::LEN];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (high - b'A') << 4 | (low - b'A');
        }
        Some(bytes)
    }

    /// The name without its suffix, and without the spaces or zeros that fill it up. Its character set is
    /// that of the sender.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let name = &self.bytes[..NbnsName::LEN - 1];
        let filled = name.iter().rposition(|byte| !matches!(byte, 0 | b' '));
        &name[..filled.map_or(0, |at| at + 1)]
    }

    /// The sixteenth byte: the service that has the name, by convention. 0x00 is a host, 0x20 its file
    /// service, 0x1b and 0x1c those of a domain.
    #[must_use]
    pub fn suffix(&self) -> u8 {
        self.bytes[NbnsName::LEN - 1]
    }

    /// The scope, empty in most networks: labels with dots between them.
    #[must_use]
    pub fn scope(&self) -> &[u8] {
        &self.scope
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.scope.capacity()
    }
}

impl fmt::Display for NbnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        visible(f, self.name())?;
        write!(f, "<{:02x}>", self.suffix())?;
        if !self.scope.is_empty() {
            f.write_str(".")?;
            visible(f, &self.scope)?;
        }
        Ok(())
    }
}

fn visible(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| match byte {
        b'\\' => f.write_str("\\\\"),
        b' '..=b'~' => write!(f, "{}", char::from(*byte)),
        _ => write!(f, "\\{byte:03}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        // The example of RFC 1001 §14.1.
        let bytes = NbnsName::decode(b"EGFCEFEECACACACACACACACACACACACA").unwrap();
        let name = NbnsName::new(bytes, b"SCOPE.ID.COM".to_vec());
        assert_eq!((name.name(), name.suffix()), (&b"FRED"[..], 0x20));
        assert_eq!(name.to_string(), "FRED<20>.SCOPE.ID.COM");
        // All names of a node: an asterisk and zeros.
        let any = NbnsName::decode(b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(NbnsName::new(any, Vec::new()).to_string(), "*<00>");
        let browse = NbnsName::new(*b"\x01\x02__MSBROWSE__\x02\x01", Vec::new());
        assert_eq!(browse.to_string(), r"\001\002__MSBROWSE__\002<01>");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(NbnsName::decode(b"EGFCEFEECACACACACACACACACACACAC"), None);
        assert_eq!(NbnsName::decode(b"QGFCEFEECACACACACACACACACACACACA"), None);
        assert_eq!(NbnsName::decode(b"egfcefeecacacacacacacacacacacaca"), None);
    }
}
