//! Messages (RFC 4120 §5).

use flowscope_ber::{INTEGER, Values};
use flowscope_core::Timestamp;

use crate::{Krb5Encryption, Krb5Exchange, Krb5MessageType, Krb5Options};

/// Bytes of the name of a principal that are kept.
const MAX_NAME: usize = 256;
/// Bytes of a realm, and of the text of an error, that are kept.
const MAX_TEXT: usize = 128;
/// Encryption types that are kept.
const MAX_OFFERED: usize = 32;
/// Types of pre-authentication data that are kept.
const MAX_PREAUTH: usize = 16;

const BIT_STRING: u8 = 0x03;
const GENERALIZED_TIME: u8 = 0x18;
const GENERAL_STRING: u8 = 0x1b;
/// Application tag 1.
const TICKET: u8 = 0x61;

/// A message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: Krb5MessageType,
    /// A random number of a request, by which its repetition is known (§5.4.1).
    pub(crate) nonce: Option<i64>,
    /// What it says, without time and side.
    pub(crate) exchange: Krb5Exchange,
}

/// The message in these bytes: of one that was cut what there is, from its type on. `None` if it is none of the tags of
/// §5.10, not of version 5, or says another type than its tag.
pub(crate) fn message(bytes: &[u8]) -> Option<Message> {
    let (tag, contents) = Values(bytes).any()?;
    let kind = kind_of(tag)?;
    let mut elements = Values(contents).sequence()?;
    // Requests for tickets have no element 0.
    let first = if matches!(kind.0, 10 | 12) { 1 } else { 0 };
    let mut number = |element: u8| elements.within(0xa0 + element)?.i32(INTEGER);
    if number(first)? != 5 || number(first + 1)? != i32::from(kind.0) {
        return None;
    }
    let mut message = Message { kind, nonce: None, exchange: Krb5Exchange::empty() };
    let exchange = &mut message.exchange;
    if kind.is_request() {
        exchange.request = Some(kind);
    } else {
        exchange.response = Some(kind);
    }
    while let Some((tag, contents)) = elements.any() {
        let contents = Values(contents);
        match (kind.0, tag) {
            (10 | 12, 0xa3) => preauth(contents, &mut exchange.preauth),
            (10 | 12, 0xa4) => message.nonce = request_body(contents, exchange),
            (11 | 13, 0xa3) | (30, 0xa7) => exchange.realm = text(contents),
            (11 | 13, 0xa4) | (30, 0xa8) => exchange.client = principal(contents),
            (11 | 13, 0xa5) => ticket(contents, exchange),
            // Its realm is that of the service, and not of a client.
            (14, 0xa3) => ticket(contents, exchange),
            (11 | 13, 0xa6) | (15, 0xa2) => exchange.encryption = encryption(contents),
            (30, 0xa6) => exchange.error_code = { contents }.i32(INTEGER),
            (30, 0xa9) => exchange.realm = exchange.realm.take().or_else(|| text(contents)),
            (30, 0xaa) => exchange.service = principal(contents),
            (30, 0xab) => exchange.error_text = text(contents),
            _ => {}
        }
    }
    // An answer that was cut before its code is none.
    (kind != Krb5MessageType::KRB_ERROR || exchange.error_code.is_some()).then_some(message)
}

/// The type of a message with this tag (§5.10).
pub(crate) const fn kind_of(tag: u8) -> Option<Krb5MessageType> {
    match tag {
        0x6a..=0x6f | 0x74..=0x76 | 0x7e => Some(Krb5MessageType(tag & 0x1f)),
        _ => None,
    }
}

/// `KDC-REQ-BODY` (§5.4.1): the nonce.
fn request_body(mut body: Values<'_>, exchange: &mut Krb5Exchange) -> Option<i64> {
    let mut elements = body.sequence()?;
    let mut nonce = None;
    while let Some((tag, contents)) = elements.any() {
        let mut contents = Values(contents);
        match tag {
            0xa0 => exchange.options = contents.tagged(BIT_STRING).and_then(options),
            0xa1 => exchange.client = principal(contents),
            0xa2 => exchange.realm = text(contents),
            0xa3 => exchange.service = principal(contents),
            0xa4 => exchange.from = time(contents),
            0xa5 => exchange.till = time(contents),
            0xa6 => exchange.renew_till = time(contents),
            0xa7 => nonce = contents.i64(INTEGER),
            0xa8 => {
                let mut offered = contents.sequence().unwrap_or(Values(&[]));
                while exchange.offered.len() < MAX_OFFERED
                    && let Some(number) = offered.i32(INTEGER)
                {
                    exchange.offered.push(Krb5Encryption(number));
                }
            }
            _ => {}
        }
    }
    nonce
}

/// The types in a `SEQUENCE OF PA-DATA` (§5.2.7).
fn preauth(mut contents: Values<'_>, types: &mut Vec<i32>) {
    let mut data = contents.sequence().unwrap_or(Values(&[]));
    while types.len() < MAX_PREAUTH
        && let Some(mut one) = data.sequence()
    {
        types.extend(one.within(0xa1).and_then(|mut it| it.i32(INTEGER)));
    }
}

/// `Ticket` (§5.3).
fn ticket(mut contents: Values<'_>, exchange: &mut Krb5Exchange) {
    let Some(mut elements) = contents.within(TICKET).and_then(|mut it| it.sequence()) else {
        return;
    };
    while let Some((tag, contents)) = elements.any() {
        let contents = Values(contents);
        match tag {
            0xa1 if exchange.realm.is_none() => exchange.realm = text(contents),
            0xa2 => exchange.service = principal(contents),
            0xa3 => exchange.ticket_encryption = encryption(contents),
            _ => {}
        }
    }
}

/// The type of an `EncryptedData` (§5.2.9).
fn encryption(mut contents: Values<'_>) -> Option<Krb5Encryption> {
    contents.sequence()?.within(0xa0)?.i32(INTEGER).map(Krb5Encryption)
}

/// The components of a `PrincipalName` (§5.2.2) between slashes.
fn principal(mut contents: Values<'_>) -> Option<Vec<u8>> {
    let mut elements = contents.sequence()?;
    elements.tagged(0xa0);
    let mut components = elements.within(0xa1)?.sequence()?;
    let mut name = Vec::new();
    let mut any = false;
    while name.len() < MAX_NAME
        && let Some(component) = components.tagged(GENERAL_STRING)
    {
        if std::mem::replace(&mut any, true) {
            name.push(b'/');
        }
        let room = MAX_NAME - name.len();
        name.extend_from_slice(&component[..component.len().min(room)]);
    }
    name.shrink_to_fit();
    any.then_some(name)
}

/// A `KerberosString` (§5.2.1).
fn text(mut contents: Values<'_>) -> Option<Vec<u8>> {
    let text = contents.tagged(GENERAL_STRING)?;
    Some(text[..text.len().min(MAX_TEXT)].to_vec())
}

/// `KerberosFlags` (§5.2.8): 32 bits or more, behind the number of bits that are none.
fn options(contents: &[u8]) -> Option<Krb5Options> {
    let bits = contents.get(1..)?.first_chunk()?;
    Some(Krb5Options(u32::from_be_bytes(*bits)))
}

/// A `KerberosTime` (§5.2.3): `19851106210627Z`. None before the epoch.
fn time(mut contents: Values<'_>) -> Option<Timestamp> {
    let text: &[u8; 15] = contents.tagged(GENERALIZED_TIME)?.try_into().ok()?;
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0_u64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let is_time = text[14] == b'Z'
        && year >= 1970
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_time {
        return None;
    }
    // Years begin with March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1;
    // From March of year 0 to the epoch.
    let days = days.checked_sub(719_468)?;
    Some(Timestamp::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &len, contents].concat()
    }

    fn name(components: &[&[u8]]) -> Vec<u8> {
        let strings: Vec<_> = components.iter().map(|it| value(GENERAL_STRING, it)).collect();
        let strings = value(0xa1, &value(0x30, &strings.concat()));
        value(0x30, &[&b"\xa0\x03\x02\x01\x02"[..], &strings].concat())
    }

    #[test]
    fn times_are_seconds() {
        let check = |text: &[u8], expected: Option<u64>| {
            let read = time(Values(&value(GENERALIZED_TIME, text)));
            assert_eq!(read, expected.map(Timestamp::from_secs), "{text:?}");
        };
        check(b"19700101000000Z", Some(0));
        check(b"19851106210627Z", Some(500_159_187));
        check(b"20240229235960Z", Some(1_709_251_200));
        check(b"20370913024805Z", Some(2_136_422_885));
        for wrong in [
            &b"19691231235959Z"[..],
            b"20241301000000Z",
            b"2024010100000Z",
            b"2024010100000xZ",
            b"",
        ] {
            check(wrong, None);
        }
        check(b"20240101000000+", None);
    }

    #[test]
    fn names_have_components_and_a_bound() {
        let check = |components: &[&[u8]], expected: Option<&[u8]>| {
            assert_eq!(principal(Values(&name(components))).as_deref(), expected);
        };
        check(&[b"alice"], Some(b"alice"));
        check(&[b"host", b"web.example.org"], Some(b"host/web.example.org"));
        check(&[b"", b"a"], Some(b"/a"));
        check(&[], None);
        let long = principal(Values(&name(&[&[b'a'; 200][..]; 3]))).unwrap();
        assert_eq!((long.len(), long[200]), (MAX_NAME, b'/'));
        assert_eq!(principal(Values(b"\x30\x80")), None);
    }

    #[test]
    fn lists_have_a_bound() {
        let data = value(0x30, b"\xa1\x03\x02\x01\x02\xa2\x02\x04\x00");
        let mut types = Vec::new();
        preauth(Values(&value(0x30, &data.repeat(100))), &mut types);
        assert_eq!(types, [2; MAX_PREAUTH]);
        let mut exchange = Krb5Exchange::empty();
        let offered = value(0xa8, &value(0x30, &b"\x02\x01\x12".repeat(100)));
        let nonce = b"\xa7\x07\x02\x05\x00\xff\xff\xff\xff";
        let body = value(0x30, &[&offered[..], nonce].concat());
        assert_eq!(request_body(Values(&body), &mut exchange), Some(0xffff_ffff));
        assert_eq!(exchange.offered, [Krb5Encryption(18); MAX_OFFERED]);
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        for bytes in [
            &b""[..],
            b"\x6a\x0c\x30\x0a\xa1\x03\x02\x01\x04\xa2\x03\x02\x01\x0a",
            b"\x6a\x0c\x30\x0a\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0b",
            b"\x6b\x0c\x30\x0a\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0b",
            b"\x70\x0c\x30\x0a\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x10",
            b"\x7e\x0c\x30\x0a\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e",
        ] {
            assert_eq!(message(bytes), None, "{bytes:?}");
        }
        let request = message(b"\x6a\x0c\x30\x0a\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a").unwrap();
        assert_eq!(request.exchange.request, Some(Krb5MessageType::AS_REQ));
    }
}
