//! Messages on the wire: PostgreSQL, "Frontend/Backend Protocol", Message Formats.

use flowscope_core::{ParseError, Probe};

use crate::message::ServerError;

/// Longest StartupMessage that servers accept.
pub(crate) const MAX_STARTUP: usize = 10_000;

/// Longest message of a server that is read; the start of a connection has shorter ones.
pub(crate) const MAX_MESSAGE: usize = 8 * 1024;

/// The names of the parameters that servers report of themselves (Message Flow: Asynchronous Operations).
pub const PARAMETERS: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSSENC: u32 = 80_877_104;

/// What a client begins with; none of these has a type byte.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Opening<'a> {
    SslRequest,
    GssEncRequest,
    /// The id of the process whose query is to be cancelled.
    Cancel(u32),
    /// The version, and the parameters: names and values that each end with NUL.
    Startup((u16, u16), &'a [u8]),
}

/// The number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The length that the first four bytes of a client declare, themselves included.
pub(crate) fn opening_len(head: &[u8]) -> Result<usize, ParseError> {
    match u32_at(head, 0).map(|len| len as usize) {
        Some(len) if (8..=MAX_STARTUP).contains(&len) => Ok(len),
        _ => Err(ParseError::NotTheProtocol),
    }
}

/// The opening message, whole.
pub(crate) fn opening(message: &[u8]) -> Result<Opening<'_>, ParseError> {
    let body = message.get(8..).unwrap_or_default();
    match (u32_at(message, 4), body.len()) {
        (Some(SSL), 0) => Ok(Opening::SslRequest),
        (Some(GSSENC), 0) => Ok(Opening::GssEncRequest),
        // Keys have 4 bytes, up to 256 since version 3.2 of the protocol.
        (Some(CANCEL), 8..=260) => {
            u32_at(body, 0).map(Opening::Cancel).ok_or(ParseError::NotTheProtocol)
        }
        (Some(version), _) if version >> 16 == 3 => Ok(Opening::Startup((3, version as u16), body)),
        _ => Err(ParseError::NotTheProtocol),
    }
}

/// Texts that each end with NUL, up to an empty one.
pub(crate) fn texts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).take_while(|text| !text.is_empty())
}

/// Names and values that each end with NUL, up to an empty name. Values may be empty.
pub(crate) fn pairs(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut parts = bytes.split(|byte| *byte == 0);
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
        .take_while(|(name, _)| !name.is_empty())
}

/// The fields of an ErrorResponse that say what it is: each a type, and a text that ends with NUL.
pub(crate) fn error(body: &[u8]) -> ServerError {
    let mut error = ServerError::default();
    let mut localised = Vec::new();
    for field in texts(body) {
        let Some((kind, text)) = field.split_first() else { continue };
        let slot = match kind {
            b'S' => &mut localised,
            b'V' => &mut error.severity,
            b'C' => &mut error.code,
            b'M' => &mut error.message,
            _ => continue,
        };
        *slot = text.to_vec();
    }
    if error.severity.is_empty() {
        // Servers before 9.6 send the localised one alone.
        error.severity = localised;
    }
    error
}

/// What is said of first bytes. The client speaks first, in messages of an exact form; a server's first byte
/// alone says little.
pub(crate) fn probe(start: &[u8]) -> Probe {
    if let Some((kind @ (b'S' | b'N' | b'G' | b'R' | b'E' | b'v'), behind)) = start.split_first() {
        // What a server says to an opening is short, and its length is the number behind its kind. Behind the one
        // byte that answers a request for encryption, TLS or GSS begins, or the next answer.
        let is_number = behind.iter().take(2).all(|byte| *byte == 0);
        let goes_on = match kind {
            b'S' => matches!(behind, [21 | 22, ..]),
            b'N' => matches!(behind, [b'S' | b'N' | b'G' | b'R' | b'E' | b'v', ..]),
            _ => false,
        };
        return if is_number || goes_on { Probe::Maybe } else { Probe::No };
    }
    let Some(head) = start.get(..4) else {
        let zeros = start.iter().take(2).all(|byte| *byte == 0);
        return if zeros { Probe::Maybe } else { Probe::No };
    };
    let Ok(len) = opening_len(head) else { return Probe::No };
    let Some(code) = u32_at(start, 4) else { return Probe::Maybe };
    match (code, len) {
        (SSL | GSSENC, 8) | (CANCEL, 16..=268) => Probe::Yes,
        // 3.9999 is what clients ask for to see whether servers can negotiate.
        (0x3_0000..=0x3_0002 | 0x3_270f, 9..) => match start.get(8) {
            // The name of a parameter.
            Some(b'a'..=b'z' | b'_') => Probe::Yes,
            Some(0) | None => Probe::Maybe,
            Some(_) => Probe::No,
        },
        _ => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_told_by_their_code_and_length() {
        assert_eq!(opening(b"\0\0\0\x08\x04\xd2\x16\x2f"), Ok(Opening::SslRequest));
        assert_eq!(opening(b"\0\0\0\x08\x04\xd2\x16\x30"), Ok(Opening::GssEncRequest));
        assert_eq!(opening(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd"), Ok(Opening::Cancel(7)));
        assert_eq!(opening(b"\0\0\0\x09\0\x03\0\x02\0"), Ok(Opening::Startup((3, 2), b"\0")));
        for wrong in [
            &b"\0\0\0\x09\x04\xd2\x16\x2f\0"[..],
            b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\x07",
            b"\0\0\0\x08\0\x02\0\0",
        ] {
            assert_eq!(opening(wrong), Err(ParseError::NotTheProtocol), "{wrong:?}");
        }
    }

    #[test]
    fn lengths_are_those_that_servers_accept() {
        assert_eq!(opening_len(&8_u32.to_be_bytes()), Ok(8));
        assert_eq!(opening_len(&10_000_u32.to_be_bytes()), Ok(10_000));
        for len in [0_u32, 7, 10_001, u32::MAX] {
            assert_eq!(opening_len(&len.to_be_bytes()), Err(ParseError::NotTheProtocol), "{len}");
        }
    }

    #[test]
    fn pairs_may_lack_their_end_and_have_empty_values() {
        let read = |bytes: &'static [u8]| pairs(bytes).collect::<Vec<_>>();
        assert_eq!(
            read(b"user\0me\0options\0\0\0"),
            [(&b"user"[..], &b"me"[..]), (b"options", b"")]
        );
        assert_eq!(read(b"user\0me"), [(&b"user"[..], &b"me"[..])]);
        assert_eq!(read(b"user"), []);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn an_error_has_the_severity_that_is_not_localised() {
        let read = error(b"SFATAL\0VFATAL\0C28P01\0Mno\0Fauth.c\0\0");
        assert_eq!((&read.severity[..], &read.code[..]), (&b"FATAL"[..], &b"28P01"[..]));
        assert_eq!(read.message, b"no");
        assert_eq!(error("SFATALE\0C1\0".as_bytes()).severity, b"FATALE");
        assert_eq!(error(b""), ServerError::default());
    }

    #[test]
    fn only_openings_are_sure() {
        for (start, expected) in [
            (&b"\0"[..], Probe::Maybe),
            (b"\0\0\0\x08\x04\xd2\x16", Probe::Maybe),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Probe::Yes),
            (b"\0\0\0\x08\x04\xd2\x16\x2f\x16\x03", Probe::Yes),
            (b"\0\0\0\x29\0\x03\0\0", Probe::Maybe),
            (b"\0\0\0\x29\0\x03\0\0user", Probe::Yes),
            (b"\0\0\0\x29\0\x03\0\0\xff", Probe::No),
            (b"\0\0\0\x29\0\x02\0\0", Probe::No),
            (b"\0\0\0\x07", Probe::No),
            (b"\x16\x03\x01", Probe::No),
            (b"GET ", Probe::No),
            (b"G", Probe::Maybe),
            (b"S\x16\x03\x03", Probe::Maybe),
            (b"NR\0\0\0", Probe::Maybe),
            (b"NOPE", Probe::No),
            (b"R\0\0\0", Probe::Maybe),
            (b"R\0\x01", Probe::No),
        ] {
            assert_eq!(probe(start), expected, "{start:?}");
        }
    }
}
