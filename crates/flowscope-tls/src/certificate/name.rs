use std::borrow::Cow;

/// A distinguished name: attributes in the order of the certificate (RFC 5280 §4.1.2.4).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DistinguishedName {
    attributes: Vec<Attribute>,
}

/// One attribute of a distinguished name.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribute {
    /// Its type: a short name (`CN`, `O`), else the object identifier.
    pub kind: Cow<'static, str>,
    /// Its value. Strings of two or four bytes per character are in UTF-8 here; what is no string is
    /// `#` and its contents in hexadecimal.
    pub value: Vec<u8>,
    /// Whether it is in one relative distinguished name with the attribute before it.
    pub joined: bool,
}

impl DistinguishedName {
    #[cfg(feature = "x509")]
    pub(super) fn new(attributes: Vec<Attribute>) -> Self {
        DistinguishedName { attributes }
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Values of attributes of this type.
    pub fn values<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let of_kind = self.attributes.iter().filter(move |attribute| attribute.kind == kind);
        of_kind.map(|attribute| &attribute.value[..])
    }

    /// `C=DE, O=Example, CN=example.org`: in the order of the certificate, nothing escaped, as Suricata
    /// writes names.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (at, Attribute { kind, value, joined }) in self.attributes.iter().enumerate() {
            let between: &[u8] = match at {
                0 => b"",
                _ if *joined => b" + ",
                _ => b", ",
            };
            text.extend_from_slice(between);
            text.extend_from_slice(kind.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value);
        }
        text
    }

    /// `CN=example.org,O=Example,C=DE`: the last attribute first, and escaped (RFC 2253 §2), as Zeek
    /// writes names.
    #[must_use]
    pub fn to_rfc2253(&self) -> String {
        let mut text = String::new();
        let mut after_joined = None;
        for Attribute { kind, value, joined } in self.attributes.iter().rev() {
            if let Some(joined) = after_joined.replace(*joined) {
                text.push(if joined { '+' } else { ',' });
            }
            text.push_str(kind);
            text.push('=');
            for (at, byte) in value.iter().enumerate() {
                escape(*byte, at == 0, at + 1 == value.len(), &mut text);
            }
        }
        text
    }
}

fn escape(byte: u8, first: bool, last: bool, text: &mut String) {
    let at_an_end = (byte == b' ' && (first || last)) || (byte == b'#' && first);
    match byte {
        b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
            text.push('\\');
            text.push(byte.into());
        }
        _ if at_an_end => {
            text.push('\\');
            text.push(byte.into());
        }
        b' '..=b'~' => text.push(byte.into()),
        _ => text.push_str(&format!("\\{byte:02X}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_two_ways() {
        let attribute = |kind: &'static str, value: &str, joined| Attribute {
            kind: kind.into(),
            value: value.into(),
            joined,
        };
        let name = DistinguishedName {
            attributes: vec![
                attribute("C", "DE", false),
                attribute("O", "Ä, Söhne & Co+", false),
                attribute("CN", " a#b ", false),
                attribute("serialNumber", "#7", true),
            ],
        };
        assert_eq!(
            String::from_utf8(name.to_text()).unwrap(),
            "C=DE, O=Ä, Söhne & Co+, CN= a#b  + serialNumber=#7"
        );
        assert_eq!(
            name.to_rfc2253(),
            "serialNumber=\\#7+CN=\\ a#b\\ ,O=\\C3\\84\\, S\\C3\\B6hne & Co\\+,C=DE"
        );
        assert_eq!(name.values("CN").collect::<Vec<_>>(), [b" a#b "]);
        assert_eq!(DistinguishedName::default().to_rfc2253(), "");
    }
}
