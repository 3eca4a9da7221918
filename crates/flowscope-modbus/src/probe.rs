//! What first bytes say.

use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::pdu::{HEADER, MAX_LEN};

/// Sure of a header whose length is that of a request, or of a response, with this function (MODBUS Application Protocol §6),
/// or of an exception. Functions of others, and exceptions of another length, may be.
pub(crate) fn probe(start: &[u8]) -> Probe {
    let protocol = start.iter().skip(2).take(2);
    if protocol.copied().any(|byte| byte != 0) {
        return No;
    }
    let (Some(&high), Some(&low)) = (start.get(4), start.get(5)) else {
        return if start.get(4).is_some_and(|&high| high != 0) { No } else { Maybe };
    };
    let len = u16::from_be_bytes([high, low]);
    if !(2..=MAX_LEN).contains(&len) {
        return No;
    }
    let Some(&function) = start.get(HEADER + 1) else { return Maybe };
    let data = &start[HEADER + 2..];
    // As many bytes as the number here says follow, and end the message.
    let counts =
        |at: usize| data.get(at).map(|&count| usize::from(len) == 3 + at + usize::from(count));
    let sure_if = |holds: Option<bool>| match holds {
        Some(true) => Yes,
        Some(false) => No,
        None => Maybe,
    };
    match (function, len) {
        // Requests, and responses to those that write.
        (1..=6 | 8 | 15 | 16, 6) | (7 | 11 | 12 | 17, 2) | (7, 3) | (22, 8) | (24, 4) => Yes,
        (5 | 6 | 7 | 22, _) | (0, _) => No,
        // Responses to those that read, and requests that count their bytes.
        (1..=4 | 20 | 21, _) => sure_if(counts(0)),
        (15 | 16, _) => sure_if(counts(4)),
        (23, _) => match (counts(0), counts(8)) {
            (Some(true), _) | (_, Some(true)) => Yes,
            (Some(false), Some(false)) => No,
            _ => Maybe,
        },
        // Identification of a device: its type, and which part.
        (43, 5..) => match data {
            [14, 1..=4, ..] => Yes,
            _ => Maybe,
        },
        (0x81.., 3) => sure_if(data.first().map(|code| (1..=11).contains(code))),
        (0x80, _) => No,
        _ => Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Probe) {
        let start = [&[0, 1, 0, 0, 0, body.len() as u8], body].concat();
        assert_eq!(probe(&start), expected, "{body:?}");
        // What is decided stays, and nothing is decided the other way before.
        let mut decided = Maybe;
        for len in 0..=start.len() {
            let answer = probe(&start[..len]);
            assert!(decided == Maybe || decided == answer, "{body:?}: {len}");
            decided = answer;
        }
    }

    #[test]
    fn a_length_that_fits_its_function_is_sure() {
        check(&[17, 3, 0, 107, 0, 3], Yes);
        check(&[17, 3, 6, 1, 2, 3, 4, 5, 6], Yes);
        check(&[17, 3, 5, 1, 2, 3, 4, 5, 6], No);
        check(&[17, 6, 0, 1, 0, 3, 0], No);
        check(&[1, 16, 0, 1, 0, 2, 4, 0, 10, 1, 2], Yes);
        check(&[1, 16, 0, 1, 0, 2, 5, 0, 10, 1, 2], No);
        check(&[1, 23, 0, 3, 0, 2, 0, 14, 0, 1, 2, 0, 255], Yes);
        check(&[1, 23, 4, 0, 1, 0, 2], Yes);
        check(&[1, 23, 4, 0, 1, 0, 2, 0, 0, 0, 9, 2], No);
        check(&[1, 17], Yes);
        check(&[1, 43, 14, 1, 0], Yes);
        check(&[1, 43, 13, 1, 0], Maybe);
        check(&[1, 0x83, 2], Yes);
        check(&[1, 0x83, 200], No);
        check(&[1, 0x83, 2, 0], Maybe);
        check(&[1, 0x80, 2], No);
        check(&[1, 100, 7], Maybe);
        check(&[1, 0], No);
    }

    #[test]
    fn headers_of_others_are_not() {
        for start in [&b"AAAABBBB"[..], &[0; 40], &[0xf7; 40], &[0, 1, 0, 0, 1, 0], &[0, 1, 0, 7]] {
            assert_eq!(probe(start), No, "{start:?}");
        }
        assert_eq!((probe(&[]), probe(b"AA")), (Maybe, Maybe));
    }
}
