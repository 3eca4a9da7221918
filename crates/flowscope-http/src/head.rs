//! The head of a message, once it is there as a whole. `httparse` reads it; what that refuses is
//! noted, lenient in a copy of equal length, and read again.

use std::mem::MaybeUninit;

use httparse::{EMPTY_HEADER, Header, ParserConfig, Status};

use crate::anomalies::HeadAnomalies;
use crate::fields::{Part, Span};
use crate::message::{HttpAnomalyKind, HttpVersion};
use crate::wire::{StartLine, find_lf, is_tchar, start_line, without_end};

/// What stands where in a head, or in a trailer section.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: HeadStart,
    pub(crate) spans: Box<[Span]>,
    pub(crate) anomalies: HeadAnomalies,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeadStart {
    Request {
        method: Part,
        target: Part,
        version: HttpVersion,
    },
    Response {
        version: HttpVersion,
        status: u16,
        reason: Part,
    },
    /// A trailer section has no first line.
    Trailers,
}

/// What a head is expected to begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expect {
    Request,
    Response,
    Trailers,
}

/// Headers that are read without a list on the heap.
const FEW: usize = 64;

/// Reads a head at the start of `bytes`, if it is whole and beyond reproach but for bare LFs.
/// Returns it with its length.
pub(crate) fn strict(bytes: &[u8], expect: Expect) -> Option<(Head, usize)> {
    let mut headers = [const { MaybeUninit::uninit() }; FEW];
    strict_with(bytes, expect, &mut headers)
}

/// Reads a whole head of `lines` lines in whichever way it can be read. `None` if the first line
/// begins no message.
pub(crate) fn read(raw: &[u8], expect: Expect, lines: usize) -> Option<Head> {
    let found = if lines <= FEW {
        strict(raw, expect)
    } else {
        let mut headers = vec![MaybeUninit::uninit(); lines];
        strict_with(raw, expect, &mut headers)
    };
    match found {
        Some((head, len)) if len == raw.len() => Some(head),
        _ => lenient(raw, expect, lines),
    }
}

fn strict_with<'b>(
    bytes: &'b [u8],
    expect: Expect,
    headers: &mut [MaybeUninit<Header<'b>>],
) -> Option<(Head, usize)> {
    let config = ParserConfig::default();
    let (start, headers, len) = match expect {
        Expect::Request => {
            let mut request = httparse::Request::new(&mut []);
            let read = config.parse_request_with_uninit_headers(&mut request, bytes, headers);
            let Ok(Status::Complete(len)) = read else { return None };
            let method = Part::within(bytes, request.method?.as_bytes());
            let target = Part::within(bytes, request.path?.as_bytes());
            let version = HttpVersion { major: 1, minor: request.version? };
            (HeadStart::Request { method, target, version }, request.headers, len)
        }
        Expect::Response => {
            let mut response = httparse::Response::new(&mut []);
            let read = config.parse_response_with_uninit_headers(&mut response, bytes, headers);
            let Ok(Status::Complete(len)) = read else { return None };
            let version = HttpVersion { major: 1, minor: response.version? };
            let Some(StartLine::Response { reason, .. }) = start_line(first_line(bytes), None)
            else {
                return None;
            };
            (HeadStart::Response { version, status: response.code?, reason }, response.headers, len)
        }
        Expect::Trailers => {
            let mut list = [EMPTY_HEADER; FEW];
            let Ok(Status::Complete((len, list))) = httparse::parse_headers(bytes, &mut list)
            else {
                return None;
            };
            let mut anomalies = HeadAnomalies::default();
            let spans = spans(bytes, list, &mut anomalies);
            end_of_head(bytes, len, &mut anomalies);
            return Some((Head { start: HeadStart::Trailers, spans, anomalies }, len));
        }
    };
    let mut anomalies = HeadAnomalies::default();
    let first = find_lf(bytes)?;
    if !bytes.get(..first)?.ends_with(b"\r") {
        anomalies.add(HttpAnomalyKind::BareLf, first);
    }
    let spans = spans(bytes, headers, &mut anomalies);
    end_of_head(bytes, len, &mut anomalies);
    // The first line must be one that is recognised when it comes alone, too.
    start_line(without_end(bytes.get(..=first)?), None)?;
    Some((Head { start, spans, anomalies }, len))
}

/// Where the headers stand; anomalies those whose line ends in LF alone.
fn spans(bytes: &[u8], headers: &[Header<'_>], anomalies: &mut HeadAnomalies) -> Box<[Span]> {
    let span = |header: &Header<'_>| {
        let value = Part::within(bytes, header.value);
        let end = bytes.get(value.end()..).unwrap_or_default();
        let blank = end.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if end.get(blank) == Some(&b'\n') {
            anomalies.add(HttpAnomalyKind::BareLf, value.end() + blank);
        }
        Span { name: Part::within(bytes, header.name.as_bytes()), value }
    };
    headers.iter().map(span).collect()
}

/// HeadAnomalies an empty line, the last of the `len` bytes of a head, that is LF alone.
fn end_of_head(bytes: &[u8], len: usize, anomalies: &mut HeadAnomalies) {
    if len < 2 || bytes.get(len - 2) != Some(&b'\r') {
        anomalies.add(HttpAnomalyKind::BareLf, len.saturating_sub(1));
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let end = find_lf(bytes).map_or(bytes.len(), |at| at + 1);
    without_end(bytes.get(..end).unwrap_or_default())
}

/// Stands for a first line that is read here and not by `httparse`.
const PLACEHOLDER: &[u8] = b"GET / HTTP/1.1\r\n";

fn lenient(raw: &[u8], expect: Expect, lines: usize) -> Option<Head> {
    let mut anomalies = HeadAnomalies::default();
    let first = if expect == Expect::Trailers { 0 } else { find_lf(raw)? + 1 };
    let line = raw.get(..first)?;
    let start = match expect {
        Expect::Trailers => HeadStart::Trailers,
        _ => first_line_of(line, &mut anomalies)?,
    };
    let mut copy = Vec::with_capacity(PLACEHOLDER.len() + raw.len());
    copy.extend_from_slice(PLACEHOLDER);
    copy.extend_from_slice(raw.get(first..)?);
    normalize(copy.get_mut(PLACEHOLDER.len()..)?, first, &mut anomalies);

    let mut headers = vec![MaybeUninit::uninit(); lines];
    let mut request = httparse::Request::new(&mut []);
    let mut config = ParserConfig::default();
    config.ignore_invalid_headers_in_requests(true);
    let read = config.parse_request_with_uninit_headers(&mut request, &copy, &mut headers);
    let list: &[Header<'_>] =
        if matches!(read, Ok(Status::Complete(_))) { request.headers } else { &[] };
    let place = |part: &[u8]| Part::within(&copy, part).moved(first, PLACEHOLDER.len());
    let spans = list
        .iter()
        .map(|h| Span { name: place(h.name.as_bytes()), value: place(h.value) })
        .collect();
    Some(Head { start, spans, anomalies })
}

/// Reads a first line, its line end included, that `httparse` refuses.
fn first_line_of(line: &[u8], anomalies: &mut HeadAnomalies) -> Option<HeadStart> {
    if !line.ends_with(b"\r\n") {
        anomalies.add(HttpAnomalyKind::BareLf, line.len().saturating_sub(1));
    }
    let content = without_end(line);
    if let Some(at) = content.iter().position(|byte| *byte == b'\r') {
        anomalies.add(HttpAnomalyKind::BareCr, at);
    }
    let mut check_version = |version: HttpVersion| {
        if version.major != 1 || version.minor > 1 {
            anomalies.add(HttpAnomalyKind::InvalidVersion, 0);
        }
    };
    match start_line(content, None)? {
        StartLine::Request { method, target, version } => {
            check_version(version);
            let exact = target.at == method.len + 1 && target.end() + 9 == content.len();
            let plain =
                target.of(content).iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80);
            let parts = [content.get(..target.at as usize), content.get(target.end()..)];
            let tab = parts
                .into_iter()
                .flatten()
                .find_map(|part| part.contains(&b'\t').then_some(method.len as usize));
            if let Some(at) = tab {
                anomalies.add(HttpAnomalyKind::TabInRequestLine, at);
            } else if !exact {
                anomalies.add(HttpAnomalyKind::InvalidTarget, target.at as usize);
            }
            if !plain {
                anomalies.add(HttpAnomalyKind::InvalidTarget, target.at as usize);
            }
            Some(HeadStart::Request { method, target, version })
        }
        StartLine::Response { version, status, reason, digits } => {
            check_version(version);
            if !content.starts_with(b"HTTP/") {
                anomalies.add(HttpAnomalyKind::InvalidVersion, 0);
            }
            if !digits {
                anomalies.add(HttpAnomalyKind::InvalidStatus, 9);
            }
            let control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r');
            if let Some(at) = reason.of(content).iter().position(control) {
                anomalies.add(HttpAnomalyKind::ControlByte, reason.at as usize + at);
            }
            Some(HeadStart::Response { version, status, reason })
        }
        StartLine::Simple { .. } | StartLine::Http2 => None,
    }
}

/// Makes header lines such as `httparse` reads, or passes over as invalid, each byte staying in its
/// place; anomalies what had to be changed, and what will be passed over.
fn normalize(block: &mut [u8], offset: usize, anomalies: &mut HeadAnomalies) {
    let mut at = 0;
    // Where the line before ends, if a continuation may follow it.
    let mut before: Option<usize> = None;
    while let Some(lf) = block.get(at..).and_then(find_lf) {
        let end = at + lf;
        let content = without_end(block.get(at..=end).unwrap_or_default()).len();
        if content == lf {
            anomalies.add(HttpAnomalyKind::BareLf, offset + end);
        }
        if content == 0 {
            return;
        }
        let folded = matches!(block.get(at), Some(b' ' | b'\t'));
        if let (true, Some(before)) = (folded, before) {
            anomalies.add(HttpAnomalyKind::ObsFold, offset + at);
            if let Some(ends) = block.get_mut(before..at) {
                ends.fill(b' ');
            }
        } else if folded {
            anomalies.add(HttpAnomalyKind::InvalidHeader, offset + at);
        }
        let line = block.get_mut(at..at + content).unwrap_or_default();
        let value_at = if folded { 0 } else { normalize_name(line, offset + at, anomalies) };
        for (n, byte) in line.iter_mut().enumerate() {
            if *byte == b'\r' {
                anomalies.add(HttpAnomalyKind::BareCr, offset + at + n);
                *byte = b' ';
            } else if byte.is_ascii_control() && *byte != b'\t' {
                anomalies.add(HttpAnomalyKind::ControlByte, offset + at + n);
                // In a name it has to stay invalid, but NUL is never passed over.
                *byte = if n < value_at { 1 } else { b'?' };
            }
        }
        before = Some(at + content);
        at = end + 1;
    }
}

/// Looks at the name of a field, and moves the colon before whitespace that stands between them.
/// Returns where the value begins.
fn normalize_name(line: &mut [u8], offset: usize, anomalies: &mut HeadAnomalies) -> usize {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        anomalies.add(HttpAnomalyKind::InvalidHeader, offset);
        return line.len();
    };
    let name = line.get(..colon).unwrap_or_default();
    let len = name.trim_ascii_end().len();
    if len == 0 || !name.iter().take(len).all(|byte| is_tchar(*byte)) {
        anomalies.add(HttpAnomalyKind::InvalidHeader, offset);
    } else if len < colon {
        anomalies.add(HttpAnomalyKind::SpaceBeforeColon, offset + len);
        line.swap(len, colon);
        if let Some(blank) = line.get_mut(len + 1..=colon) {
            blank.fill(b' ');
        }
    }
    colon + 1
}
