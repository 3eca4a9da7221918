//! Bytes of start lines: what begins a message, and what may yet.

use flowscope_core::Probe;

use crate::fields::Part;
use crate::message::{HttpVersion, MessageKind};

/// A first line that begins a message. Parts are relative to the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StartLine {
    Request {
        method: Part,
        target: Part,
        version: HttpVersion,
    },
    Response {
        version: HttpVersion,
        status: u16,
        reason: Part,
        digits: bool,
    },
    /// `GET /target`, as in HTTP/0.9.
    Simple {
        target: Part,
    },
    /// The first line of what an HTTP/2 client sends (RFC 9113 §3.4).
    Http2,
}

/// No registered method has more than 17 bytes.
const MAX_METHOD: usize = 32;

/// Bytes of a line after which [`may_begin`] has made up its mind.
const DECIDED: usize = MAX_METHOD + 1;

/// Reads a first line, its line end cut off, as generously as sense allows. `None` if it begins no
/// message of `kind`, or none at all where the kind is open.
pub(crate) fn start_line(line: &[u8], kind: Option<MessageKind>) -> Option<StartLine> {
    if line.starts_with(b"HTTP/") || line.starts_with(ICY) {
        return if kind == Some(MessageKind::Request) { None } else { status_line(line) };
    }
    if kind == Some(MessageKind::Response) { None } else { request_line(line) }
}

fn request_line(line: &[u8]) -> Option<StartLine> {
    let method_len = line.iter().position(|byte| is_blank(*byte))?;
    let method = line.get(..method_len)?;
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|b| is_tchar(*b)) {
        return None;
    }
    let trimmed = line.trim_ascii_end();
    let target_at = line.get(method_len..)?.iter().position(|b| !is_blank(*b))? + method_len;
    let last = trimmed.iter().rposition(|byte| is_blank(*byte))?;
    let version = trimmed.get(last + 1..).and_then(version);
    let Some(version) = version else {
        let target = trimmed.get(target_at..)?;
        let simple = method == b"GET"
            && (target.starts_with(b"/") || target.starts_with(b"http://"))
            && !target.iter().any(u8::is_ascii_whitespace);
        return simple.then(|| StartLine::Simple { target: Part::new(target_at, target.len()) });
    };
    let target = line.get(target_at..last)?.trim_ascii_end();
    if target.is_empty() {
        return None;
    }
    if method == b"PRI" && target == b"*" && version.major == 2 {
        return Some(StartLine::Http2);
    }
    let target = Part::new(target_at, target.len());
    Some(StartLine::Request { method: Part::new(0, method_len), target, version })
}

fn status_line(line: &[u8]) -> Option<StartLine> {
    // Shoutcast servers answer `ICY 200 OK`, which their clients read as HTTP/1.0.
    let (version, at) = match line.starts_with(ICY) {
        true => (HttpVersion::HTTP_10, ICY.len() - 1),
        false => (version(line.get(..8)?)?, 8),
    };
    let rest = line.get(at..)?;
    let status_at = rest.iter().position(|byte| *byte != b' ')?;
    if status_at == 0 {
        return None;
    }
    let word = rest.get(status_at..)?;
    let word = word.split(u8::is_ascii_whitespace).next()?;
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).take(3);
    let status = digits.clone().fold(0, |sum, digit| sum * 10 + u16::from(*digit - b'0'));
    let three = word.len() == 3 && digits.count() == 3;
    if status == 0 && !three {
        return None;
    }
    let reason_at = at + status_at + word.len();
    let reason = line.get(reason_at + 1..).unwrap_or_default().trim_ascii_end();
    let reason = Part::new(reason_at + 1, reason.len());
    Some(StartLine::Response { version, status, reason, digits: three && status_at == 1 })
}

/// Whether a line that goes on from `start` may begin a message of `kind`. What is no stays no.
pub(crate) fn may_begin(start: &[u8], kind: Option<MessageKind>) -> bool {
    let begins_as = |text: &[u8]| start.iter().zip(text).all(|(own, other)| own == other);
    let response = kind != Some(MessageKind::Request) && (begins_as(b"HTTP/") || begins_as(ICY));
    let request = kind != Some(MessageKind::Response) && {
        let start = start.get(..DECIDED).unwrap_or(start);
        let token = start.iter().take_while(|byte| is_tchar(**byte)).count();
        match start.get(token) {
            Some(byte) => token > 0 && is_blank(*byte),
            None => token <= MAX_METHOD,
        }
    };
    response || request
}

/// Where in `bytes`, within a line, a word stands that messages of `kind` begin with, or what may be
/// the start of one at the end of `bytes`; their length if there is none.
pub(crate) fn next_word(bytes: &[u8], kind: Option<MessageKind>) -> usize {
    let may_be = |word: &[u8], at: usize| {
        let here = &bytes[at..];
        here.starts_with(word) || word.starts_with(here)
    };
    let begins = |at: usize| {
        bytes[at].is_ascii_uppercase()
            && (kind != Some(MessageKind::Request) && may_be(VERSION, at)
                || kind != Some(MessageKind::Response)
                    && METHODS.iter().any(|method| may_be(method, at)))
    };
    (0..bytes.len()).find(|at| begins(*at)).unwrap_or(bytes.len())
}

/// Whether what goes on from `start`, within a line, may begin a message of `kind`. What is no stays
/// no, and is so before long: no byte is looked at for many words in front of it.
pub(crate) fn may_begin_within(start: &[u8], kind: Option<MessageKind>) -> bool {
    let response = kind != Some(MessageKind::Request) && {
        let fits = |(own, shape): (&u8, &u8)| match shape {
            b'0' => own.is_ascii_digit(),
            // Behind the status.
            b'?' => matches!(own, b' ' | b'\r'),
            other => own == other,
        };
        start.iter().zip(b"HTTP/1.0 000?").all(fits) && start.len() <= MAX_STATUS_LINE
    };
    let request = kind != Some(MessageKind::Response) && {
        let goes_on = |method: &&[u8]| {
            let Some(rest) = start.strip_prefix(*method) else { return method.starts_with(start) };
            let target = rest.iter().take_while(|byte| byte.is_ascii_graphic()).count();
            let behind = &rest[target..];
            let end = |(own, shape): (&u8, &u8)| own == shape || *shape == b'?';
            behind.is_empty() || target > 0 && behind.iter().zip(b" HTTP/1.?\r\n").all(end)
        };
        METHODS.iter().any(goes_on)
    };
    response || request
}

/// Whether a whole line, its LF included, begins a message beyond doubt, so that it can be trusted
/// after a gap: the words and single spaces of RFC 9112 §3 and §4, version 1.x, CRLF, and a well-known
/// method, since what is left of a body may stand before the real one. Of a line that may be `maybe_truncated`,
/// lacking its first bytes, the method has to be one that is no end of another.
pub(crate) fn is_unmistakable(
    line: &[u8],
    kind: Option<MessageKind>,
    maybe_truncated: bool,
) -> bool {
    let Some(line) = line.strip_suffix(b"\r\n") else { return false };
    match start_line(line, kind) {
        Some(StartLine::Request { method, target, version }) => {
            version.major == 1
                && target.at == method.len + 1
                && target.end() + 9 == line.len()
                && target.of(line).iter().all(u8::is_ascii_graphic)
                && is_known_method(method.of(line), maybe_truncated)
        }
        Some(StartLine::Response { version, status, digits, .. }) => {
            line.starts_with(VERSION)
                && version.major == 1
                && digits
                && (100..1000).contains(&status)
                && matches!(line.get(12), None | Some(b' '))
        }
        _ => false,
    }
}

/// Whether `method` is well known and, if it may be `maybe_truncated`, not what is left of another: `LOCK` may
/// be of `UNLOCK`.
fn is_known_method(method: &[u8], maybe_truncated: bool) -> bool {
    let known = || METHODS.iter().map(|method| method.trim_ascii_end());
    let longer = |other: &[u8]| other.len() > method.len() && other.ends_with(method);
    known().any(|own| own == method) && !(maybe_truncated && known().any(longer))
}

/// `HTTP/` digit `.` digit (RFC 9112 §2.3).
fn version(word: &[u8]) -> Option<HttpVersion> {
    match word.strip_prefix(b"HTTP/")? {
        [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            Some(HttpVersion { major: major - b'0', minor: minor - b'0' })
        }
        _ => None,
    }
}

/// Whether `start` begins as HTTP/1.x does: with a status line, or with a request line up to its
/// version.
///
/// A method alone proves nothing: RTSP, SIP and text have the same words. Of a request line whose
/// target is longer than [`MIN_LONG_PATH`] the version is not waited for, if the method is well known
/// and the target is a path or an `http` URI.
pub(crate) fn probe(start: &[u8]) -> Probe {
    // A client may send an empty line first (RFC 9112 §2.2).
    let blank = start.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).take(4).count();
    let start = start.get(blank..).unwrap_or_default();
    let status = probe_status(start);
    if status == Probe::Yes {
        return Probe::Yes;
    }
    let start = start.get(..MAX_PROBED).unwrap_or(start);
    let token = start.iter().take_while(|byte| is_tchar(**byte)).count();
    let method = start.get(..token).unwrap_or_default();
    let Some(behind) = start.get(token..).filter(|behind| !behind.is_empty()) else {
        return if token <= MAX_PROBED_METHOD { Probe::Maybe } else { status };
    };
    if token == 0 || token > MAX_PROBED_METHOD || !behind.first().is_some_and(|b| is_blank(*b)) {
        return status;
    }
    let blanks = behind.iter().take_while(|byte| is_blank(**byte)).count();
    let target = behind.get(blanks..).unwrap_or_default();
    let len = target.iter().take_while(|byte| byte.is_ascii_graphic() || **byte >= 0x80).count();
    let (target, behind) = target.split_at(len);
    let known = METHODS.iter().any(|known| known.trim_ascii_end() == method);
    let path = target.starts_with(b"/") || !known && target.is_empty() && behind.is_empty();
    if !known && !path {
        return status;
    }
    let blanks = behind.iter().take_while(|byte| is_blank(**byte)).count();
    let version = behind.get(blanks..).unwrap_or_default();
    let whole = start.len() >= MAX_PROBED;
    let uri = target.starts_with(b"http://") || target.starts_with(b"https://");
    match behind.first() {
        _ if known && len >= MIN_LONG_PATH && (path || uri) => Probe::Yes,
        None if whole => status,
        None => Probe::Maybe,
        // A request of HTTP/0.9, whose response has no start that could be recognised (RFC 1945 §6).
        Some(b'\r' | b'\n') if method == b"GET" && target.starts_with(b"/") => Probe::Yes,
        Some(byte) if !is_blank(*byte) => status,
        Some(_) if len > 0 && version.starts_with(VERSION) => Probe::Yes,
        Some(_) if VERSION.starts_with(version) && !whole => Probe::Maybe,
        Some(_) => status,
    }
}

/// Whether `start` begins as a status line does.
fn probe_status(start: &[u8]) -> Probe {
    let fits = |shape: &[u8]| {
        start
            .iter()
            .zip(shape)
            .all(|(own, shape)| own == shape || *shape == b'0' && own.is_ascii_digit())
    };
    let icy = b"ICY 000";
    if start.starts_with(VERSION) || start.len() >= icy.len() && fits(icy) {
        Probe::Yes
    } else if VERSION.starts_with(start) || fits(icy) {
        Probe::Maybe
    } else {
        Probe::No
    }
}

const MAX_PROBED: usize = 512;
const MAX_PROBED_METHOD: usize = 20;
/// Less than the bytes that engines keep while they wait for a protocol to be found.
const MIN_LONG_PATH: usize = 160;

/// A status line within a line is no longer, reason and CRLF included.
const MAX_STATUS_LINE: usize = 80;

const VERSION: &[u8] = b"HTTP/1.";

/// What stands for the version in the status line of a Shoutcast server.
const ICY: &[u8] = b"ICY ";

/// Well-known methods, each with the space behind it.
const METHODS: [&[u8]; 22] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"REPORT ",
    b"SEARCH ",
    b"MKCALENDAR ",
    b"M-SEARCH ",
    b"SUBSCRIBE ",
    b"UNSUBSCRIBE ",
];

/// What a field name or a method is made of (RFC 9110 §5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte separates the parts of a request line: "recipients MAY instead parse on
/// whitespace-delimited word boundaries" (RFC 9112 §3).
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where the first LF is.
pub(crate) fn find_lf(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        // Sets the high bit of the first zero byte, and perhaps of bytes above it.
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'\n'));
        let zero = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zero != 0 {
            return Some(n * 8 + zero.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| *byte == b'\n')?;
    Some(words.len() * 8 + at)
}

/// `line` without its LF, and without the CR before it.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageKind::{Request, Response};

    fn check_request(line: &str, expected: Option<(&str, &str, &str)>) {
        let found = start_line(line.as_bytes(), None);
        let found = found.map(|found| match found {
            StartLine::Request { method, target, version } => (
                String::from_utf8_lossy(method.of(line.as_bytes())).into_owned(),
                String::from_utf8_lossy(target.of(line.as_bytes())).into_owned(),
                version.to_string(),
            ),
            other => panic!("{other:?}"),
        });
        let expected = expected.map(|(m, t, v)| (m.to_owned(), t.to_owned(), v.to_owned()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn request_lines() {
        check_request("GET / HTTP/1.1", Some(("GET", "/", "HTTP/1.1")));
        check_request("M-X! * HTTP/1.0", Some(("M-X!", "*", "HTTP/1.0")));
        check_request("GET  /a b  HTTP/1.1 ", Some(("GET", "/a b", "HTTP/1.1")));
        check_request("GET\t/a\tHTTP/1.1", Some(("GET", "/a", "HTTP/1.1")));
        check_request("GET HTTP/1.1", None);
        check_request("GET  HTTP/1.1", None);
        check_request("G(T / HTTP/1.1", None);
        check_request(" / HTTP/1.1", None);
        check_request("GET / HTTP/1.10", None);
        check_request("GET / http/1.1", None);
        check_request("", None);
    }

    #[test]
    fn other_first_lines() {
        let simple = Some(StartLine::Simple { target: Part::new(4, 2) });
        assert_eq!(start_line(b"GET /a", None), simple);
        assert_eq!(start_line(b"get key", None), None);
        assert_eq!(start_line(b"GET key", None), None);
        assert_eq!(start_line(b"PRI * HTTP/2.0", None), Some(StartLine::Http2));
        assert_eq!(start_line(b"HTTP/1.1 200 OK", Some(Request)), None);
        assert_eq!(start_line(b"GET / HTTP/1.1", Some(Response)), None);
    }

    fn check_status(line: &str, expected: Option<(u16, &str, bool)>) {
        let found = start_line(line.as_bytes(), None).map(|found| match found {
            StartLine::Response { status, reason, digits, .. } => {
                (status, String::from_utf8_lossy(reason.of(line.as_bytes())).into_owned(), digits)
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected.map(|(s, r, d)| (s, r.to_owned(), d)), "{line}");
    }

    #[test]
    fn status_lines() {
        check_status("HTTP/1.1 200 OK", Some((200, "OK", true)));
        check_status("HTTP/1.1 200", Some((200, "", true)));
        check_status("HTTP/1.1 404 Not  Found ", Some((404, "Not  Found", true)));
        check_status("HTTP/1.1  200 OK", Some((200, "OK", false)));
        check_status("HTTP/1.0 2XX OK", Some((2, "OK", false)));
        check_status("HTTP/1.1 2000 OK", Some((200, "OK", false)));
        check_status("ICY 200 OK", Some((200, "OK", true)));
        check_status("HTTP/1.1 000 ", Some((0, "", true)));
        check_status("HTTP/1.1 OK", None);
        check_status("HTTP/1.1", None);
        check_status("HTTP/1.1200 OK", None);
    }

    #[test]
    fn after_a_gap_only_the_exact_form_counts() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "HTTP/1.0 200 OK\r\n",
            "HTTP/1.1 304\r\n",
            // "Any valid three-digit status code" in RFC 9110 §15.
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.1 999 Denied\r\n",
        ] {
            assert!(is_unmistakable(line.as_bytes(), None, false), "{line}");
        }
        for line in [
            "GET / HTTP/1.1\n",
            "GET  / HTTP/1.1\r\n",
            "GET / x HTTP/1.1\r\n",
            "GET / HTTP/2.0\r\n",
            "GET /\r\n",
            "HTTP/1.1 2XX OK\r\n",
            "HTTP/1.1 099 OK\r\n",
            "HTTP/1.1 \r\n",
        ] {
            assert!(!is_unmistakable(line.as_bytes(), None, false), "{line}");
        }
    }

    #[test]
    fn a_method_that_may_be_the_end_of_another_is_not_trusted() {
        for (method, whole, maybe_truncated) in [
            ("GET", true, true),
            ("POST", true, true),
            ("OST", false, false),
            ("LOCK", true, false),
            ("UNLOCK", true, true),
            ("bodyPOST", false, false),
        ] {
            let line = format!("{method} / HTTP/1.1\r\n");
            assert_eq!(is_unmistakable(line.as_bytes(), None, false), whole, "{method}");
            assert_eq!(is_unmistakable(line.as_bytes(), None, true), maybe_truncated, "{method}");
        }
        assert!(is_unmistakable(b"HTTP/1.1 200 OK\r\n", None, true));
    }

    /// What stands within a line is not looked at for many words in front of it.
    #[test]
    fn a_status_line_within_a_line_has_80_bytes_at_most() {
        for (len, expected) in [(79, true), (80, true), (81, false)] {
            let line = format!("HTTP/1.1 200 {:x<1$}", "", len - 13);
            assert_eq!(line.len(), len);
            assert_eq!(may_begin_within(line.as_bytes(), None), expected, "{len}");
        }
    }

    #[test]
    fn a_method_has_32_bytes_at_most() {
        for (len, expected) in [(31, true), (32, true), (33, false)] {
            let line = format!("{} / HTTP/1.1", "M".repeat(len));
            assert_eq!(start_line(line.as_bytes(), None).is_some(), expected, "{len}");
            assert_eq!(may_begin(&line.as_bytes()[..len], None), expected, "{len}");
        }
    }

    /// A line that begins a message may begin one at every prefix of it.
    #[test]
    fn a_prefix_never_rules_out_what_the_line_is() {
        let long = format!("{} / HTTP/1.1", "X".repeat(MAX_METHOD));
        for line in [&long, "GET / HTTP/1.1", "HTTP/1.1 200 OK", "GET /x", "PRI * HTTP/2.0"] {
            assert!(start_line(line.as_bytes(), None).is_some());
            for end in 0..=line.len() {
                assert!(may_begin(&line.as_bytes()[..end], None), "{line} {end}");
            }
        }
        let too_long = "X".repeat(MAX_METHOD + 1);
        assert!(!may_begin(too_long.as_bytes(), None));
        assert!(!may_begin(b"\x16\x03\x01", None));
        assert!(!may_begin(b" GET", None));
        assert!(!may_begin(b"GET", Some(Response)));
        assert!(may_begin(b"HTTP", Some(Request)), "a method, perhaps");
        assert!(!may_begin(b"HTTP/", Some(Request)));
    }

    #[test]
    fn probes() {
        let check =
            |start: &str, expected| assert_eq!(probe(start.as_bytes()), expected, "{start:?}");
        check("", Probe::Maybe);
        check("GET /", Probe::Maybe);
        check("GET ", Probe::Maybe);
        check("GET / HTTP/1.", Probe::Yes);
        check("GET\t/\tHTTP/1.0\r\n", Probe::Yes);
        check("GET / HTTP/2.0", Probe::No);
        check("GET /old\r\n", Probe::Yes);
        check("GET old\r\n", Probe::No);
        check("\r\nGET / HTTP/1.1", Probe::Yes);
        check("GET example HTTP/1.1\r\n", Probe::Yes);
        check("OPTIONS rtsp://a/b RTSP/1.0\r\n", Probe::No);
        check("OPTIONS sip:a@b SIP/2.0\r\n", Probe::No);
        check("OPTIONS * HTTP/1.1\r\n", Probe::Yes);
        check("REPORT 12 lines\r\n", Probe::No);
        check(&format!("GET /{}", "x".repeat(200)), Probe::Yes);
        check(&format!("GET {}", "x".repeat(200)), Probe::Maybe);
        check(&format!("GET /{}", "x".repeat(MIN_LONG_PATH - 1)), Probe::Yes);
        check(&format!("GET /{}", "x".repeat(MIN_LONG_PATH - 2)), Probe::Maybe);
        check("\r\n\r\nGET / HTTP/1.1", Probe::Yes);
        check("ICY 200 OK\r\n", Probe::Yes);
        check("ICY 2", Probe::Maybe);
        check("ICY / HTTP/1.1", Probe::Yes);
        check("GE", Probe::Maybe);
        check("HTTP/1.1 200", Probe::Yes);
        check("HTTP/2", Probe::No);
        check("PURGE", Probe::Maybe);
        check("PURGE /x HTT", Probe::Maybe);
        check("PURGE /x HTTP/1.1", Probe::Yes);
        check("PURGE /x RTSP/1.0", Probe::No);
        check("PRI * HTTP/2.0\r\n", Probe::No);
        check("SSH-2.0-OpenSSH_9.6", Probe::Maybe);
        check("SSH-2.0-OpenSSH_9.6p1", Probe::No);
        check("SSH-2.0-x\r\n", Probe::No);
        check("EHLO mail", Probe::No);
        check("\x16\x03\x01", Probe::No);
    }

    #[test]
    fn probes_are_monotone() {
        for text in [
            "GET / HTTP/1.1\r\n",
            "PURGE /abc HTTP/1.1\r\n",
            "PURGE /abc HTTP/2.1\r\n",
            "PURGE /\x01",
            "PRI * HTTP/2.0\r\n\r\nSM",
            "SSH-2.0-OpenSSH_9.6p1 Debian\r\n",
            "HTTP/1.0 200 OK",
            "ICY 200 OK\r\n",
            "GET\t /a HTTP/1.1\r\n",
            "OPTIONS rtsp://a RTSP/1.0\r\n",
            &format!("GET /{} RTSP/1.0", "y".repeat(600)),
            &format!("GET {} RTSP/1.0", "y".repeat(600)),
            "HTTPS / HTTP/1.1",
            "GETAWAY / HTTP/1.1",
            "\r\n\r\n\r\n\r\n",
            &format!("X /{} HTTP/1.1", "y".repeat(600)),
        ] {
            let all: Vec<Probe> =
                (0..=text.len()).map(|end| probe(&text.as_bytes()[..end])).collect();
            let decided = all.iter().position(|probe| *probe != Probe::Maybe).expect("decided");
            assert!(all[decided..].iter().all(|probe| *probe == all[decided]), "{text:?}");
        }
    }

    #[test]
    fn lf_is_found_wherever_it_is() {
        for len in 0..40 {
            for at in 0..len {
                let mut bytes = vec![b'\x0b'; len];
                bytes[at] = b'\n';
                bytes[len - 1] = b'\n';
                assert_eq!(find_lf(&bytes), Some(at));
            }
            assert_eq!(find_lf(&vec![b'\x8a'; len]), None);
        }
    }
}
