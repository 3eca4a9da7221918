//! The fields that say what a part of a message is (RFC 2045, RFC 2183).

use super::quoted::digit;

/// Longest name of a file that is kept.
pub(super) const MAX_FILENAME: usize = 255;
/// Longest boundary. The RFC allows 70 characters (RFC 2046 §5.1.1).
pub(super) const MAX_BOUNDARY: usize = 256;

/// How the content of a part is encoded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Encoding {
    /// Not, or in a way that is not known.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
}

/// What the header of a part says of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct PartFields {
    pub(super) kind: ContentKind,
    pub(super) encoding: Encoding,
    pub(super) is_attachment: bool,
    /// Of Content-Disposition, and of Content-Type.
    disposition_name: Option<Vec<u8>>,
    type_name: Option<Vec<u8>>,
    has_type: bool,
}

/// What a part consists of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum ContentKind {
    /// Text without a media type of its own, or with one (RFC 2045 §5.2).
    #[default]
    Text,
    /// Parts between lines of this boundary; in a digest they are messages (RFC 2046 §5.1).
    Multipart { boundary: Vec<u8>, is_digest: bool },
    /// A message with a header of its own (RFC 2046 §5.2.1).
    Message,
    /// Anything else.
    Other,
}

impl PartFields {
    /// Of a part of a digest, which is a message unless its header says otherwise (RFC 2046 §5.1.5).
    pub(super) fn of_digest() -> Self {
        PartFields { kind: ContentKind::Message, ..PartFields::default() }
    }

    /// Reads an unfolded field.
    pub(super) fn read(&mut self, field: &[u8]) {
        let Some(colon) = field.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = (field[..colon].trim_ascii_end(), field[colon + 1..].trim_ascii());
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("Content-Type") && !self.has_type {
            self.has_type = true;
            let (kind, parameters) = cut(value);
            self.kind = content_kind(kind, parameters);
            self.type_name = parameter(parameters, "name");
        } else if is("Content-Disposition") {
            let (kind, parameters) = cut(value);
            self.is_attachment |= kind.eq_ignore_ascii_case(b"attachment");
            let name = parameter(parameters, "filename");
            self.disposition_name = self.disposition_name.take().or(name);
        } else if is("Content-Transfer-Encoding") {
            let (encoding, _) = cut(value);
            self.encoding = if encoding.eq_ignore_ascii_case(b"base64") {
                Encoding::Base64
            } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
                Encoding::QuotedPrintable
            } else {
                Encoding::Identity
            };
        }
    }

    /// The name of the file: that of Content-Disposition, else that of Content-Type.
    pub(super) fn take_name(&mut self) -> Option<Vec<u8>> {
        self.disposition_name.take().or(self.type_name.take())
    }

    /// Whether Content-Disposition has the name of a file. It is empty where a field of a form has none.
    pub(super) fn has_file_name(&self) -> bool {
        self.disposition_name.as_ref().is_some_and(|name| !name.is_empty())
    }

    /// Whether its content is a file: it has a name, is an attachment, or no text.
    pub(super) fn is_file(&self) -> bool {
        let is_named = self.disposition_name.is_some() || self.type_name.is_some();
        self.is_attachment || is_named || self.kind != ContentKind::Text
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let boundary = match &self.kind {
            ContentKind::Multipart { boundary, .. } => boundary.capacity(),
            _ => 0,
        };
        let names = [&self.disposition_name, &self.type_name];
        boundary + names.map(|name| name.as_ref().map_or(0, Vec::capacity)).iter().sum::<usize>()
    }
}

/// The boundary of a form, of its media type (RFC 7578 §4.1).
pub(super) fn form_boundary(media_type: &[u8]) -> Option<Vec<u8>> {
    let (kind, parameters) = cut(media_type.trim_ascii());
    if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    match content_kind(kind, parameters) {
        ContentKind::Multipart { boundary, .. } => Some(boundary),
        _ => None,
    }
}

fn content_kind(kind: &[u8], parameters: &[u8]) -> ContentKind {
    let main = kind.split(|&byte| byte == b'/').next().unwrap_or_default().trim_ascii();
    let is = |known: &str| main.eq_ignore_ascii_case(known.as_bytes());
    if is("multipart") {
        let boundary = parameter(parameters, "boundary").map(|it| it.trim_ascii_end().to_vec());
        let boundary = boundary.filter(|it| (1..=MAX_BOUNDARY).contains(&it.len()));
        let is_digest = kind.eq_ignore_ascii_case(b"multipart/digest");
        // Parts that cannot be found are one file.
        return boundary
            .map_or(ContentKind::Other, |boundary| ContentKind::Multipart { boundary, is_digest });
    }
    if kind.eq_ignore_ascii_case(b"message/rfc822") || kind.eq_ignore_ascii_case(b"message/global")
    {
        ContentKind::Message
    } else if is("text") || kind.is_empty() {
        ContentKind::Text
    } else {
        ContentKind::Other
    }
}

/// A value up to its first semicolon, and its parameters.
fn cut(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|&byte| byte == b';');
    let (head, rest) = value.split_at(end.unwrap_or(value.len()));
    (head.trim_ascii(), rest)
}

/// The value of a parameter: extended (RFC 2231 §4), else of several pieces in order (RFC 2231 §3), else plain.
fn parameter(parameters: &[u8], name: &str) -> Option<Vec<u8>> {
    let (mut extended, mut pieces, mut plain) = (None, None::<Vec<u8>>, None);
    let mut next_piece = 0_u32;
    let mut rest = parameters;
    while let Some(parameter) = next_parameter(&mut rest) {
        let (attribute, value) = parameter;
        let Some((own, suffix)) = attribute.split_at_checked(name.len()) else { continue };
        if !own.eq_ignore_ascii_case(name.as_bytes()) {
            continue;
        }
        match suffix {
            b"" => plain = plain.or(Some(value)),
            b"*" => extended = extended.or_else(|| Some(percent_decoded(without_charset(&value)))),
            [b'*', number @ ..] => {
                let (number, is_extended) = match number.strip_suffix(b"*") {
                    Some(number) => (number, true),
                    None => (number, false),
                };
                let number = str::from_utf8(number).ok().and_then(|it| it.parse::<u32>().ok());
                if number != Some(next_piece) {
                    continue;
                }
                let value = match (is_extended, next_piece) {
                    (true, 0) => percent_decoded(without_charset(&value)),
                    (true, _) => percent_decoded(&value),
                    (false, _) => value,
                };
                pieces.get_or_insert_default().extend_from_slice(&value);
                next_piece += 1;
            }
            _ => {}
        }
    }
    extended.or(pieces).or(plain)
}

/// Takes a parameter from the front of `; attribute=value; …`: its attribute, and its value without quotes.
fn next_parameter<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Vec<u8>)> {
    loop {
        let behind = rest.strip_prefix(b";")?.trim_ascii_start();
        let end = behind.iter().position(|byte| matches!(byte, b'=' | b';'));
        let end = end.unwrap_or(behind.len());
        let (attribute, behind) = (behind[..end].trim_ascii(), &behind[end..]);
        let Some(value) = behind.strip_prefix(b"=") else {
            *rest = behind;
            continue;
        };
        let value = value.trim_ascii_start();
        if let Some(quoted) = value.strip_prefix(b"\"") {
            let (text, behind) = unquoted(quoted);
            // What stands between the quote and the next semicolon is nothing.
            *rest = cut(behind).1;
            return Some((attribute, text));
        }
        let (text, behind) = cut(value);
        *rest = behind;
        return Some((attribute, text.to_vec()));
    }
}

/// The text up to the quote that ends it, without backslashes before quotes and backslashes, and what follows.
///
/// Other backslashes stay: programs that send paths do not double them.
fn unquoted(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [b'"', behind @ ..] => return (text, behind),
            [b'\\', byte @ (b'"' | b'\\'), behind @ ..] => {
                text.push(*byte);
                rest = behind;
            }
            [byte, behind @ ..] => {
                text.push(*byte);
                rest = behind;
            }
            [] => return (text, rest),
        }
    }
}

/// What follows `charset'language'` (RFC 2231 §4).
fn without_charset(value: &[u8]) -> &[u8] {
    value.splitn(3, |&byte| byte == b'\'').nth(2).unwrap_or(value)
}

/// `%XX` as the byte it stands for; what is no encoding stays as it is.
fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let digits = behind.first_chunk::<2>().filter(|_| first == b'%');
        let byte = digits.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        if byte.is_some() {
            rest = &behind[2..];
        }
        bytes.push(byte.unwrap_or(first));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> PartFields {
        let mut part = PartFields::default();
        fields.iter().for_each(|field| part.read(field.as_bytes()));
        part
    }

    #[test]
    fn names_are_those_of_the_disposition_then_of_the_type() {
        let check = |fields: &[&str], name: Option<&str>| {
            let found = read(fields).take_name();
            assert_eq!(found.as_deref(), name.map(str::as_bytes), "{fields:?}");
        };
        let disposition = |rest: &str| format!("Content-Disposition: attachment{rest}");
        for (parameters, name) in [
            ("; filename=a.pdf", "a.pdf"),
            (";FILENAME = \"a b;c.pdf\" ; size=3", "a b;c.pdf"),
            ("; x=y; filename=\"a\\\"b\\\\c\"", "a\"b\\c"),
            ("; filename=\"C:\\tmp\\a\"", "C:\\tmp\\a"),
            ("; filename=\"no end", "no end"),
            ("; filename=my file.txt", "my file.txt"),
            ("; filename=plain; filename*=UTF-8'en'%e2%82%ac%20x", "€ x"),
            ("; filename*=%41%4g", "A%4g"),
            ("; filename*0=\"long \"; filename*1=name; filename*3=lost", "long name"),
            ("; filename*0*=iso-8859-1''%41; filename*1=%42; filename*2*=%43", "A%42C"),
            ("; flag; filename=x", "x"),
            ("; filename==?UTF-8?Q?a?=", "=?UTF-8?Q?a?="),
        ] {
            check(&[&disposition(parameters)], Some(name));
        }
        let of_type = "content-type: application/pdf; name=\"t.pdf\"";
        check(&[of_type, &disposition("; filename=d.pdf")], Some("d.pdf"));
        check(&[of_type, &disposition("")], Some("t.pdf"));
        check(&[&disposition("; filenames=x"), "X: y", "Content-Type"], None);
    }

    #[test]
    fn kinds_and_encodings_are_read_in_any_case() {
        let kind = |value: &str| read(&[&format!("Content-Type: {value}")]).kind;
        assert_eq!(kind("TEXT/HTML; charset=utf-8"), ContentKind::Text);
        assert_eq!(kind(""), ContentKind::Text);
        assert_eq!(kind("message/rfc822"), ContentKind::Message);
        assert_eq!(kind("image/png"), ContentKind::Other);
        assert_eq!(kind("textual/x"), ContentKind::Other);
        let multipart = |boundary: &str, is_digest| ContentKind::Multipart {
            boundary: boundary.as_bytes().to_vec(),
            is_digest,
        };
        assert_eq!(kind("multipart/mixed; boundary=\"a b\""), multipart("a b", false));
        assert_eq!(kind("Multipart/Digest; x=y; Boundary=ab"), multipart("ab", true));
        assert_eq!(kind("multipart/mixed"), ContentKind::Other);
        assert_eq!(kind("multipart/mixed; boundary=\"\""), ContentKind::Other);
        let long = "x".repeat(MAX_BOUNDARY + 1);
        assert_eq!(kind(&format!("multipart/mixed; boundary={long}")), ContentKind::Other);
        let encoding =
            |value: &str| read(&[&format!("Content-Transfer-Encoding: {value}")]).encoding;
        assert_eq!(encoding("BASE64"), Encoding::Base64);
        assert_eq!(encoding("Quoted-Printable ; x"), Encoding::QuotedPrintable);
        assert_eq!(encoding("8bit"), Encoding::Identity);
    }

    #[test]
    fn what_is_a_file_and_what_is_text() {
        let is_file = |fields: &[&str]| read(fields).is_file();
        assert!(!is_file(&[]));
        assert!(!is_file(&["Content-Type: text/plain", "Content-Disposition: inline"]));
        assert!(is_file(&["Content-Type: text/csv; name=a.csv"]));
        assert!(is_file(&["Content-Disposition: attachment"]));
        assert!(is_file(&["Content-Type: image/png"]));
        // The first one counts.
        assert!(is_file(&["Content-Type: image/png", "Content-Type: text/plain"]));
    }
}
