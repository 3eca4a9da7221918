//! What first bytes say.

use flowscope_core::FlowSide;
use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::keys::begins_line;

/// Sure of an array of strings that begins with a word, which is how clients send commands.
///
/// A command may be a line of text too, and a reply may begin with any mark: these say little.
pub(crate) fn probe(side: FlowSide, start: &[u8]) -> Probe {
    match (side, start.first()) {
        (_, None) => Maybe,
        // An array may be a reply, and its elements may be strings.
        (_, Some(b'*')) => command(start),
        (FlowSide::Initiator, Some(_)) if begins_line(start) => Maybe,
        (FlowSide::Initiator, Some(b'\r' | b'\n')) => Maybe,
        (
            FlowSide::Responder,
            Some(b'+' | b'-' | b':' | b'$' | b'_' | b'%' | b'>' | b'~' | b'#'),
        ) => Maybe,
        _ => No,
    }
}

fn command(start: &[u8]) -> Probe {
    let string = |rest| counted(rest, b'$');
    match counted(start, b'*').and_then(string).map(<[u8]>::first) {
        Ok(Some(first)) if first.is_ascii_alphabetic() => Yes,
        // An array that a client may get.
        Ok(_) | Err(Maybe) => Maybe,
        Err(answer) => answer,
    }
}

/// What follows a line of a mark and a number; the error is what is to be answered.
fn counted(text: &[u8], mark: u8) -> Result<&[u8], Probe> {
    if text.first().is_some_and(|&first| first != mark) {
        return Err(No);
    }
    let digits = text.iter().skip(1).take(8).take_while(|byte| byte.is_ascii_digit()).count();
    match text.get(1 + digits..).unwrap_or_default() {
        [] if digits < 8 => Err(Maybe),
        [b'\r', b'\n', rest @ ..] if digits > 0 => Ok(rest),
        [b'\r'] if digits > 0 => Err(Maybe),
        _ => Err(No),
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::FlowSide::{Initiator, Responder};

    use super::*;

    #[test]
    fn an_array_of_strings_is_sure() {
        let check = |side, start: &str, expected| {
            assert_eq!(probe(side, start.as_bytes()), expected, "{start:?}");
        };
        check(Initiator, "*1\r\n$4\r\n", Maybe);
        check(Initiator, "*1\r\n$4\r\nPING\r\n", Yes);
        check(Initiator, "*x", No);
        check(Initiator, "* OK ready", No);
        check(Initiator, "*1\r\n:4\r\n", No);
        check(Initiator, "PING\r\n", Maybe);
        check(Initiator, "se", Maybe);
        check(Initiator, "AAAABBBB\r\n", No);
        check(Initiator, "\u{16}\u{3}", No);
        check(Responder, "+PONG\r\n", Maybe);
        check(Responder, "SSH-2.0", No);
    }
}
