//! What first bytes say.

use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::head::{MAX_METHOD, Message, VERSION, behind_version, is_token};

/// Methods (RFC 3261 §7.1, RFC 3262, RFC 3311, RFC 3428, RFC 3515, RFC 3903, RFC 6086, RFC 6665).
const METHODS: [&[u8]; 14] = [
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"INFO",
    b"INVITE",
    b"MESSAGE",
    b"NOTIFY",
    b"OPTIONS",
    b"PRACK",
    b"PUBLISH",
    b"REFER",
    b"REGISTER",
    b"SUBSCRIBE",
    b"UPDATE",
];
/// What the addresses of SIP begin with.
const SCHEMES: [&[u8]; 3] = [b"sip:", b"sips:", b"tel:"];
/// The most zeros that keep an address translation alive.
const MAX_ZEROS: usize = 4;
/// The longest start line that is waited for.
const MAX_LINE: usize = 1024;

/// Sure of the version of a response, of a method before an address of SIP, and of a start line that is whole.
///
/// OPTIONS is a method of HTTP and RTSP too, NOTIFY one of SSDP: what follows it decides.
pub(crate) fn probe(start: &[u8]) -> Probe {
    // Keep-alives: ends of lines (RFC 5626 §3.5.1), or a few zeros over UDP.
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let Some(at) = start.iter().position(|byte| !is_line_end(byte)) else { return Maybe };
    let start = &start[at..];
    if start[0] == 0 {
        let is_keep_alive = start.len() <= MAX_ZEROS && start.iter().all(|byte| *byte == 0);
        return if is_keep_alive { Maybe } else { No };
    }
    match behind_version(start) {
        Some([b' ', ..]) => return Yes,
        Some([]) => return Maybe,
        None if VERSION.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)) => {
            return Maybe;
        }
        _ => {}
    }
    let Some(space) = start.iter().position(|&byte| byte == b' ') else {
        let may_be = start.len() <= MAX_METHOD && is_token(start);
        return if may_be { Maybe } else { No };
    };
    let (method, uri) = (&start[..space], &start[space + 1..]);
    // A scheme begins with a letter; targets of HTTP begin with a slash.
    let is_scheme = uri.first().is_none_or(u8::is_ascii_alphabetic);
    if method.len() > MAX_METHOD || !is_token(method) || !is_scheme {
        return No;
    }
    if METHODS.contains(&method) && SCHEMES.iter().any(|scheme| uri.starts_with(scheme)) {
        return Yes;
    }
    match start.iter().position(|&byte| byte == b'\n') {
        Some(end) => {
            let line = start[..end].strip_suffix(b"\r").unwrap_or(&start[..end]);
            if line.len() <= MAX_LINE && Message::begin(line).is_some() { Yes } else { No }
        }
        None if start.len() <= MAX_LINE && start.iter().all(is_text) => Maybe,
        None => No,
    }
}

fn is_text(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\r') || *byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_line_decides() {
        let check =
            |start: &str, expected| assert_eq!(probe(start.as_bytes()), expected, "{start:?}");
        check("\r\n\r\n", Maybe);
        check("\0\0\0\0", Maybe);
        check("\0\0\0\0\0", No);
        check("\r\nSIP/2.0 200 OK", Yes);
        check("SIP/2.", Maybe);
        check("sip/2.0 200 OK", Yes);
        check("sip/2.", Maybe);
        check("sip/2.0", Maybe);
        check("sip/2.0x", No);
        check("PING sip:b sip/2.0\r\n", Yes);
        check("SIP/2.1 200 OK\r\n", No);
        check("INVITE sip:bob@b.example", Yes);
        check("OPTIONS ", Maybe);
        check("OPTIONS sips:b", Yes);
        check("OPTIONS *", No);
        check("POST /", No);
        check("OPTIONS rtsp://a/ RTSP/1.0\r\n", No);
        check("NOTIFY * HTTP/1.1\r\n", No);
        check("INVITE urn:service:sos SIP/2.0\r\n", Yes);
        check("PING sip:b SIP/2.0\r\n", Yes);
        check("PING sip:b SIP/2.0", Maybe);
        check("GET / HTTP/1.1\r\n", No);
        check("\u{16}\u{3}\u{1}", No);
        check("INVITE \u{1}", No);
    }
}
