use std::fmt;

use flowscope_core::{FlowSide, Timestamp};
use flowscope_files::{FileInfo, Form};

use crate::fields::{Fields, Part};

/// A message of an [`HttpParser`](crate::HttpParser).
///
/// The messages of a side come in stream order: a head ([`Request`] or [`Response`]), anomalies found in
/// it, then what concerns its body, then exactly one [`MessageEnd`].
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpMessage {
    /// The head of a request is complete.
    Request(Request),
    /// The head of a response is complete, interim ones (1xx) included.
    Response(Response),
    /// Bytes of a body, if [asked for](crate::Bodies).
    Body(Body),
    /// The end of a message, complete or not.
    End(MessageEnd),
    /// Bytes that recipients may interpret in different ways, or not at all.
    Anomaly(HttpAnomaly),
    /// A response that was given without a number answers a request, as what followed has shown.
    Paired(Paired),
}

/// The head of a request (RFC 9112 §3).
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Who sent it.
    pub side: FlowSide,
    /// Number by which a [`Response`] refers to it: 0 for the flow's first request. `None` after a
    /// gap that may have hidden requests before it, since no response can then be called its own.
    pub exchange: Option<u64>,
    /// How its body is framed.
    pub framing: Framing,
    /// Where it begins in the side's stream, in bytes.
    pub offset: u64,
    /// When its first byte was captured.
    pub first_ts: Timestamp,
    /// When the last byte of its head was captured.
    pub ts: Timestamp,
    pub(crate) version: HttpVersion,
    pub(crate) method: Part,
    pub(crate) target: Part,
    pub(crate) fields: Fields,
}

/// The head of a response (RFC 9112 §4).
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// Who sent it.
    pub side: FlowSide,
    /// [`Request::exchange`] of the request it answers; `None` if that one was not seen, or if a gap
    /// leaves open which it is. A [`Paired`] may say it later.
    pub exchange: Option<u64>,
    /// Pairing had been lost, in a gap or before the capture began, and was resumed since.
    pub resumed: bool,
    /// How its body is framed.
    pub framing: Framing,
    /// Where it begins in the side's stream, in bytes.
    pub offset: u64,
    /// When its first byte was captured.
    pub first_ts: Timestamp,
    /// When the last byte of its head was captured.
    pub ts: Timestamp,
    pub(crate) version: HttpVersion,
    pub(crate) status: u16,
    pub(crate) reason: Part,
    pub(crate) fields: Fields,
}

/// A piece of a body, chunk framing removed, content coding as sent.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    /// Who sent it.
    pub side: FlowSide,
    /// [`Request::exchange`] of the request it belongs to or answers, as far as known.
    pub exchange: Option<u64>,
    /// Where it begins in the body, in bytes; gaps count.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A response whose request was found out later.
///
/// Given where pairing resumes after a gap, or in mid-stream: for the exchange that showed the connection in
/// lockstep. Those after it have their numbers from the start.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Paired {
    /// Who sent the response.
    pub side: FlowSide,
    /// [`Request::exchange`] of the request.
    pub exchange: u64,
    /// [`Response::offset`] of the response.
    pub offset: u64,
}

/// The end of a message. Each head is followed by one.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageEnd {
    /// Who sent the message.
    pub side: FlowSide,
    /// Whether it was a request or a response.
    pub kind: MessageKind,
    /// [`Request::exchange`] of the request it was or answered, as far as known.
    pub exchange: Option<u64>,
    /// Bytes of the body that were captured, chunk framing not counted.
    pub body_len: u64,
    /// Bytes of the body that passed but were never captured.
    pub missing: u64,
    /// Why it ended.
    pub ending: Ending,
    /// The trailer section of a chunked body (RFC 9112 §7.1.2), if it has one that is not empty.
    pub trailers: Option<Fields>,
    /// What is known of the body as a file, chunk framing removed, content coding as sent: if [asked for](crate::Bodies::Files)
    /// and a byte of it was captured.
    pub file: Option<Box<FileInfo>>,
    /// The files in it, if it is the body of a request that is a form (RFC 7578), likewise.
    pub form: Option<Box<Form>>,
    /// Where the message ends in the side's stream, in bytes.
    pub offset: u64,
    /// When its last byte was captured; for a message cut short, the latest time known.
    pub ts: Timestamp,
}

/// Which half of an exchange a message is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MessageKind {
    /// What a client sends.
    Request,
    /// What a server sends.
    Response,
}

/// Why a message ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ending {
    /// As its framing says, and every byte was captured.
    Complete,
    /// As its framing says, but some bytes within were not captured.
    Gap,
    /// A gap hides where it ended.
    Lost,
    /// Its sender finished before its framing says.
    Fin,
    /// The flow was reset.
    Rst,
    /// The flow ended, or the engine stopped the parser.
    FlowEnd,
    /// Its chunk framing is broken; an anomaly says how.
    Invalid,
    /// A bound was reached, and the side given up.
    TooLong,
    /// The connection became a tunnel while it was being sent.
    Tunnel,
}

/// How the length of a body is determined (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Framing {
    /// There is no body.
    None,
    /// This many bytes, by `Content-Length`.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked,
    /// All that its sender sends until it closes.
    UntilClose,
    /// No body, and no more messages on this connection: another protocol takes over (`101`, or a
    /// `2xx` to `CONNECT`).
    Tunnel,
}

/// A protocol version, `HTTP/major.minor`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HttpVersion {
    /// 1 for all that this crate is about, but for HTTP/0.9 requests.
    pub major: u8,
    /// 0 or 1 in what is well formed.
    pub minor: u8,
}

/// Bytes that recipients may interpret in different ways, or not at all.
///
/// Each kind is reported once per message, where it first occurs; that bounds their number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct HttpAnomaly {
    /// Who sent it.
    pub side: FlowSide,
    /// What it is.
    pub kind: HttpAnomalyKind,
    /// Where in the side's stream, in bytes; for what concerns a whole message, where that begins.
    pub offset: u64,
}

/// The kind of an anomaly, and how the parser read the bytes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HttpAnomalyKind {
    /// `Content-Length` beside `Transfer-Encoding`: the latter is believed (RFC 9112 §6.3, rule 3).
    LengthAndTransferEncoding,
    /// Several `Content-Length` values that differ: the last is believed, as packet analyzers do.
    LengthsDiffer,
    /// Several `Content-Length` values, all the same.
    LengthRepeated,
    /// A `Content-Length` that is no number or exceeds 64 bits. Empty, it is passed over; otherwise
    /// the message is read until its sender closes (RFC 9112 §6.3, rule 5).
    LengthInvalid,
    /// A transfer coding that is not registered. Alone, `identity` is passed over; otherwise, without
    /// `chunked` at the end, the message is read until its sender closes.
    UnknownTransferCoding,
    /// A `Transfer-Encoding` whose last coding is not `chunked`, or which names it twice. If it is
    /// not last the message is read until its sender closes (RFC 9112 §6.3, rule 4).
    ChunkedNotLast,
    /// `Transfer-Encoding` in an HTTP/1.0 message, where it has no meaning (RFC 9112 §6.1): it is
    /// believed.
    TransferEncodingIn10,
    /// More than one `Host` field (RFC 9112 §3.2): the first counts.
    HostRepeated,
    /// A field folded over several lines (RFC 9112 §5.2): read as one.
    ObsFold,
    /// CR without LF (RFC 9112 §2.2): read as a space.
    BareCr,
    /// A line that ends in LF alone (RFC 9112 §2.2): read as a line end.
    BareLf,
    /// Whitespace between field name and colon (RFC 9112 §5.1): passed over.
    SpaceBeforeColon,
    /// A line of a header or trailer section that is no field: passed over.
    InvalidHeader,
    /// A control byte, NUL for one, within a field: kept.
    ControlByte,
    /// Whitespace or a byte that no target has within a request target: kept.
    InvalidTarget,
    /// Tabs between the parts of a request line (RFC 9112 §3): read as spaces.
    TabInRequestLine,
    /// A status that is not three digits: the digits that there are count.
    InvalidStatus,
    /// A version other than HTTP/1.0 and HTTP/1.1: read as the latter, or `ICY`: as the former.
    InvalidVersion,
    /// A request line without a version, as in HTTP/0.9: its answer is all that follows.
    NoVersion,
    /// A chunk size that is no number of at most 64 bits: the message ends here, and the next one
    /// is searched for.
    InvalidChunkSize,
    /// Chunk data not followed by a line end: as for an invalid chunk size.
    InvalidChunkEnd,
    /// A chunk-size line longer than the bound: the side is given up.
    ChunkLineTooLong,
    /// A head or trailer section longer than the bound: the side is given up.
    HeadTooLong,
    /// More header lines than the bound: the side is given up.
    TooManyHeaders,
    /// Bytes that begin no message where one was due: the next one is searched for.
    Garbage,
    /// A head that was cut short, by a gap or by the end of the stream: there is no message of it.
    CutHead,
    /// More requests wait for a response than the bound: this one and later ones are not paired.
    PipelineFull,
}

impl Request {
    /// The method: a token, usually in capitals.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.fields.part(self.method)).unwrap_or_default()
    }

    /// The request target as it was sent (RFC 9112 §3.2).
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.fields.part(self.target)
    }

    /// The version that the request line names.
    #[must_use]
    pub fn version(&self) -> HttpVersion {
        self.version
    }

    /// The host and port that the request names, without user information.
    ///
    /// Of a target in absolute form its authority, whatever `Host` says (RFC 9112 §3.2.2); otherwise
    /// the `Host` field, or where that is missing or empty the target of `CONNECT`.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        let connect = || Some(self.target()).filter(|_| self.method() == "CONNECT");
        let field = self.header("host");
        let named = self.absolute_authority().or(field.filter(|host| !host.is_empty()));
        named.or_else(connect).or(field)
    }

    /// The host of [`host`](Self::host), without the port. An IPv6 address keeps its brackets.
    #[must_use]
    pub fn host_name(&self) -> Option<&[u8]> {
        self.host().map(|host| split_port(host).0)
    }

    /// The port of [`host`](Self::host), if it names one.
    #[must_use]
    pub fn host_port(&self) -> Option<u16> {
        split_port(self.host()?).1
    }

    /// The authority of a target in absolute form.
    fn absolute_authority(&self) -> Option<&[u8]> {
        let target = self.target();
        let colon = target.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = target.split_at_checked(colon)?;
        let rest = rest.strip_prefix(b"://")?;
        if scheme.is_empty() || !scheme.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
        authority.rsplit(|byte| *byte == b'@').next().filter(|host| !host.is_empty())
    }

    /// Value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name)
    }

    /// The headers, in the order they were sent.
    #[must_use]
    pub fn headers(&self) -> &Fields {
        &self.fields
    }
}

/// Splits `host:port` (RFC 3986 §3.2); what is no port stays with the host.
fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = host.iter().rposition(|byte| *byte == b':') else { return (host, None) };
    let (name, port) = (&host[..colon], &host[colon + 1..]);
    // Colons within an address stand between brackets.
    if name.contains(&b':') && !name.ends_with(b"]") || !port.iter().all(u8::is_ascii_digit) {
        return (host, None);
    }
    match std::str::from_utf8(port).map(str::parse) {
        Ok(Ok(port)) => (name, Some(port)),
        // "an empty port component" is the default port.
        _ if port.is_empty() => (name, None),
        _ => (host, None),
    }
}

impl Response {
    /// The version that the status line names.
    #[must_use]
    pub fn version(&self) -> HttpVersion {
        self.version
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; often empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.fields.part(self.reason)
    }

    /// Whether another response to the same request follows: `1xx`, but for `101`.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        is_interim(self.status)
    }

    /// Value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name)
    }

    /// The headers, in the order they were sent.
    #[must_use]
    pub fn headers(&self) -> &Fields {
        &self.fields
    }
}

impl MessageEnd {
    /// Whether the message ended as its framing says and all of it was captured.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ending == Ending::Complete
    }
}

impl HttpVersion {
    /// A request without a version.
    pub const HTTP_09: HttpVersion = HttpVersion { major: 0, minor: 9 };
    /// RFC 1945.
    pub const HTTP_10: HttpVersion = HttpVersion { major: 1, minor: 0 };
    /// RFC 9112.
    pub const HTTP_11: HttpVersion = HttpVersion { major: 1, minor: 1 };
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP/{}.{}", self.major, self.minor)
    }
}

impl HttpAnomalyKind {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            HttpAnomalyKind::LengthAndTransferEncoding => "length_and_transfer_encoding",
            HttpAnomalyKind::LengthsDiffer => "lengths_differ",
            HttpAnomalyKind::LengthRepeated => "length_repeated",
            HttpAnomalyKind::LengthInvalid => "length_invalid",
            HttpAnomalyKind::UnknownTransferCoding => "unknown_transfer_coding",
            HttpAnomalyKind::ChunkedNotLast => "chunked_not_last",
            HttpAnomalyKind::TransferEncodingIn10 => "transfer_encoding_in_10",
            HttpAnomalyKind::HostRepeated => "host_repeated",
            HttpAnomalyKind::ObsFold => "obs_fold",
            HttpAnomalyKind::BareCr => "bare_cr",
            HttpAnomalyKind::BareLf => "bare_lf",
            HttpAnomalyKind::SpaceBeforeColon => "space_before_colon",
            HttpAnomalyKind::InvalidHeader => "invalid_header",
            HttpAnomalyKind::ControlByte => "control_byte",
            HttpAnomalyKind::InvalidTarget => "invalid_target",
            HttpAnomalyKind::TabInRequestLine => "tab_in_request_line",
            HttpAnomalyKind::InvalidStatus => "invalid_status",
            HttpAnomalyKind::InvalidVersion => "invalid_version",
            HttpAnomalyKind::NoVersion => "no_version",
            HttpAnomalyKind::InvalidChunkSize => "invalid_chunk_size",
            HttpAnomalyKind::InvalidChunkEnd => "invalid_chunk_end",
            HttpAnomalyKind::ChunkLineTooLong => "chunk_line_too_long",
            HttpAnomalyKind::HeadTooLong => "head_too_long",
            HttpAnomalyKind::TooManyHeaders => "too_many_headers",
            HttpAnomalyKind::Garbage => "garbage",
            HttpAnomalyKind::CutHead => "cut_head",
            HttpAnomalyKind::PipelineFull => "pipeline_full",
        }
    }
}

/// `1xx`, but for `101`, after which there is no HTTP.
pub(crate) fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}
