//! Filters of searches (RFC 4511 §4.5.1.7) in their form as text (RFC 4515).

use flowscope_ber::{BOOLEAN, Values};

/// Bytes of a filter that are kept.
const MAX_FILTER: usize = 512;
/// How deep filters within filters are read.
const MAX_DEPTH: u32 = 16;

/// The filter that comes next, as text; `...` stands for what is too deep, too long or not known.
pub(crate) fn text(values: &mut Values<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(values, MAX_DEPTH, &mut out);
    if out.len() > MAX_FILTER {
        out.truncate(MAX_FILTER);
        out.extend_from_slice(b"...");
    }
    out.shrink_to_fit();
    out
}

fn write(values: &mut Values<'_>, depth: u32, out: &mut Vec<u8>) {
    let Some((tag, contents)) = values.any() else { return };
    if depth == 0 || out.len() > MAX_FILTER {
        out.extend_from_slice(b"...");
        return;
    }
    let mut inner = Values(contents);
    out.push(b'(');
    match tag {
        0xa0..=0xa2 => {
            out.push(b"&|!"[usize::from(tag & 3)]);
            while !inner.0.is_empty() && out.len() <= MAX_FILTER {
                let before = inner.0.len();
                write(&mut inner, depth - 1, out);
                // What is no value is not read again.
                if inner.0.len() == before {
                    break;
                }
            }
        }
        0xa3 | 0xa5 | 0xa6 | 0xa8 => {
            let sign: &[u8] = match tag {
                0xa3 => b"=",
                0xa5 => b">=",
                0xa6 => b"<=",
                _ => b"~=",
            };
            escaped(inner.string(), out);
            out.extend_from_slice(sign);
            escaped(inner.string(), out);
        }
        0xa4 => {
            escaped(inner.string(), out);
            out.push(b'=');
            substrings(inner.sequence().unwrap_or(Values(&[])), out);
        }
        0x87 => {
            escaped(Some(contents), out);
            out.extend_from_slice(b"=*");
        }
        0xa9 => extensible(inner, out),
        _ => out.extend_from_slice(b"..."),
    }
    out.push(b')');
}

/// `initial*any*final`.
fn substrings(mut parts: Values<'_>, out: &mut Vec<u8>) {
    let mut ends = false;
    let mut begins = true;
    while let Some((tag, part)) = parts.any() {
        if out.len() > MAX_FILTER {
            return;
        }
        // 0 is the beginning, 2 the end, 1 what stands anywhere between.
        if !(begins && tag == 0x80) {
            out.push(b'*');
        }
        escaped(Some(part), out);
        begins = false;
        ends = tag == 0x82;
    }
    if !ends {
        out.push(b'*');
    }
}

/// `attribute:dn:rule:=value`.
fn extensible(mut parts: Values<'_>, out: &mut Vec<u8>) {
    let rule = parts.tagged(0x81);
    let attribute = parts.tagged(0x82);
    let value = parts.tagged(0x83);
    let dn = parts.tagged(0x80 | (BOOLEAN + 3)).is_some_and(|it| it.first() != Some(&0));
    escaped(attribute, out);
    if dn {
        out.extend_from_slice(b":dn");
    }
    if let Some(rule) = rule {
        out.push(b':');
        escaped(Some(rule), out);
    }
    out.extend_from_slice(b":=");
    escaped(value, out);
}

/// A text, with what would end it, and what is none, in hexadecimal (RFC 4515 §3).
fn escaped(text: Option<&[u8]>, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in text.unwrap_or_default() {
        if out.len() > MAX_FILTER {
            return;
        }
        if !(b' '..0x7f).contains(&byte) || b"*()\\".contains(&byte) {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'\\', DIGITS[high], DIGITS[low]]);
        } else {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &len, contents].concat()
    }

    fn pair(tag: u8, attribute: &[u8], text: &[u8]) -> Vec<u8> {
        value(tag, &[value(4, attribute), value(4, text)].concat())
    }

    fn check(filter: &[u8], expected: &str) {
        let text = text(&mut Values(filter));
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn filters_have_a_form_as_text() {
        check(&value(0x87, b"objectClass"), "(objectClass=*)");
        let parts = [
            pair(0xa3, b"cn", b"a*(b)"),
            value(0xa2, &pair(0xa5, b"n", b"5")),
            value(0xa1, &[pair(0xa6, b"n", b"9"), pair(0xa8, b"sn", b"\xff")].concat()),
        ];
        check(&value(0xa0, &parts.concat()), "(&(cn=a\\2a\\28b\\29)(!(n>=5))(|(n<=9)(sn~=\\ff)))");
        let parts = [value(0x80, b"a"), value(0x81, b"b"), value(0x82, b"c")];
        let of = |parts: &[u8]| value(0xa4, &[value(4, b"cn"), value(0x30, parts)].concat());
        check(&of(&parts.concat()), "(cn=a*b*c)");
        check(&of(&parts[1]), "(cn=*b*)");
        check(&of(&parts[0]), "(cn=a*)");
        let bits = [value(0x81, b"1.2.840.113556.1.4.803"), value(0x82, b"uac"), value(0x83, b"2")];
        check(&value(0xa9, &bits.concat()), "(uac:1.2.840.113556.1.4.803:=2)");
        check(
            &value(0xa9, &[value(0x82, b"o"), value(0x83, b"x"), value(0x84, b"\xff")].concat()),
            "(o:dn:=x)",
        );
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let mut deep = value(0x87, b"x");
        for _ in 0..1000 {
            deep = value(0xa2, &deep);
        }
        check(&deep, &format!("{}...{}", "(!".repeat(16), ")".repeat(16)));
        let wide = value(0xa1, &value(0x87, b"attribute").repeat(500));
        let text = text(&mut Values(&wide));
        assert_eq!((text.len(), text.ends_with(b"...")), (MAX_FILTER + 3, true));
    }

    #[test]
    fn what_is_no_filter_is_not_read() {
        check(b"", "");
        check(b"\x04\x01a", "(...)");
        check(b"\xa0\x03\x04\x80\x80", "(&)");
        check(b"\xa3\x02\x04\x05", "(=)");
    }
}
