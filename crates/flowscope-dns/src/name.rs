use std::fmt::{self, Write};

use hickory_proto::rr;

/// A domain name, in the case that the wire had it. Names that differ in nothing but the case of
/// ASCII letters are equal (RFC 4343).
///
/// Displays as `www.example.com`, the root as `.`. Bytes that are no visible ASCII show as `\DDD`,
/// dots within a label and backslashes as `\.` and `\\` (RFC 1035 §5.1, RFC 4343 §2.1), so that
/// different names never look the same and none of them acts on a terminal.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name(pub(crate) rr::Name);

impl Name {
    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_root()
    }

    /// The labels, leftmost first, without the root's empty one.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.iter()
    }

    /// What it displays as. Most names need no escape, and then cost one allocation and a copy.
    pub(crate) fn to_text(&self) -> String {
        let mut text = Vec::with_capacity(self.0.len());
        for label in self.labels() {
            if !label.iter().all(|byte| is_plain(*byte)) {
                return self.to_string();
            }
            text.extend_from_slice(label);
            text.push(b'.');
        }
        // The root is a dot, other names end without one.
        if text.pop().is_none() {
            return self.to_string();
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// The name as the library has it.
    #[must_use]
    pub fn as_hickory(&self) -> &rr::Name {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.0)
    }
}

pub(crate) fn write_name(f: &mut dyn Write, name: &rr::Name) -> fmt::Result {
    let mut labels = name.iter();
    let Some(first) = labels.next() else { return f.write_char('.') };
    write_label(f, first)?;
    for label in labels {
        f.write_char('.')?;
        write_label(f, label)?;
    }
    Ok(())
}

pub(crate) fn write_label(f: &mut dyn Write, label: &[u8]) -> fmt::Result {
    for run in label.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
        match (run, std::str::from_utf8(run)) {
            ([b @ (b'.' | b'\\')], _) => write!(f, "\\{}", char::from(*b))?,
            ([b, ..], Ok(plain)) if is_plain(*b) => f.write_str(plain)?,
            _ => run.iter().try_for_each(|b| write!(f, "\\{b:03}"))?,
        }
    }
    Ok(())
}

/// Whether a byte shows as itself within a label.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'.' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[&[u8]], expected: &str) {
        let name = Name(rr::Name::from_labels(labels.iter().copied()).unwrap());
        assert_eq!(name.to_string(), expected);
        assert_eq!(name.to_text(), expected);
        assert_eq!(name.labels().collect::<Vec<_>>(), labels);
        assert_eq!(name.is_root(), labels.is_empty());
    }

    #[test]
    fn names_show_in_presentation_form() {
        check(&[], ".");
        check(&[b"www", b"Example", b"com"], "www.Example.com");
        check(&[b"a.b", b"c\\d"], r"a\.b.c\\d");
        check(&[b"\0\x1b[31m", b"a b\x7f"], r"\000\027[31m.a\032b\127");
        check(&["münchen".as_bytes()], r"m\195\188nchen");
        check(&[b"xn--mnchen-3ya", b"_sip", b"*"], "xn--mnchen-3ya._sip.*");
    }
}
