use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};
use flowscope_files::{FileInfo, Form};

use crate::field::{Field, Fields};

/// A stream of HTTP/2: a request, the response to it, or both. Sections are those of RFC 9113.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Http2Exchange {
    /// Time of the end of the request's header section, or of the response's: of the one that was captured first.
    pub ts: Timestamp,
    /// Who asks.
    pub client: FlowSide,
    /// The identifier of the stream (§5.1.1).
    pub stream_id: u32,
    /// Whether the server promised the response before it was asked for: the request is the server's (§8.4).
    pub is_pushed: bool,
    /// The header section of the request, if it was seen. Stream 1 of a connection that began as HTTP/1.1 has none: its
    /// request was sent there.
    pub request: Option<Http2Request>,
    /// The header section of the final response, if it was seen. Interim ones (1xx) are left out (§8.1).
    pub response: Option<Http2Response>,
    /// The content of the request.
    pub request_body: Http2Body,
    /// The content of the response.
    pub response_body: Http2Body,
    /// What is known of the content of the request as a file, content coding as sent: if [asked for](crate::Http2Parser::with_files),
    /// and any byte of it was captured.
    pub request_file: Option<Box<FileInfo>>,
    /// The same of the response.
    pub response_file: Option<Box<FileInfo>>,
    /// The files in the content of the request, if it is a form (RFC 7578), likewise.
    pub request_form: Option<Box<Form>>,
    /// The status of a gRPC call, from the trailers of the response or from its header section: 0 is success.
    pub grpc_status: Option<u32>,
    /// What the server says of it, with percent-encoding as sent, up to 256 bytes.
    pub grpc_message: Option<Vec<u8>>,
    /// Who reset the stream, and why (§6.4, §7).
    pub reset: Option<(FlowSide, u32)>,
    /// The error with which the connection was closed while the stream was open, or 0 if the stream came too late to be
    /// served (§6.8).
    pub goaway: Option<u32>,
    /// How it went.
    pub outcome: Http2Outcome,
    /// From the end of the request to the end of the response's header section; from the end of the request's header
    /// section if the response came before the end of the request.
    pub latency: Option<Duration>,
}

/// The header section of a request (§8.3.1). Values are up to 256 bytes unless it is said otherwise.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Http2Request(pub(crate) Fields);

/// The header section of a response (§8.3.2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Http2Response(pub(crate) Fields);

/// What is known of the content of a message (§8.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Http2Body {
    /// Captured bytes, without padding.
    pub len: u64,
    /// Bytes that passed but were not captured.
    pub missing: u64,
    /// Whether its sender ended the message.
    pub is_complete: bool,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Http2Outcome {
    /// The response is complete.
    Answered,
    /// The response has begun, and its end was not seen.
    Cut,
    /// No response was seen.
    Unanswered,
    /// There is a response whose request was not seen.
    Orphan,
}

impl Http2Request {
    /// The method, up to 32 bytes.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        self.0.get(Field::Method)
    }

    /// The scheme, up to 32 bytes.
    #[must_use]
    pub fn scheme(&self) -> Option<&[u8]> {
        self.0.get(Field::Scheme)
    }

    /// Whom it asks: `:authority`, else the Host field.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.0.get(Field::Authority).or(self.0.get(Field::Host))
    }

    /// The path with its query, up to 2048 bytes.
    #[must_use]
    pub fn path(&self) -> Option<&[u8]> {
        self.0.get(Field::Path)
    }

    /// The protocol that an extended CONNECT asks for, such as `websocket` (RFC 8441 §4).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.0.get(Field::Protocol)
    }

    /// The User-Agent field, up to 512 bytes.
    #[must_use]
    pub fn user_agent(&self) -> Option<&[u8]> {
        self.0.get(Field::UserAgent)
    }

    /// The Referer field, up to 512 bytes.
    #[must_use]
    pub fn referer(&self) -> Option<&[u8]> {
        self.0.get(Field::Referer)
    }

    /// The Origin field.
    #[must_use]
    pub fn origin(&self) -> Option<&[u8]> {
        self.0.get(Field::Origin)
    }

    /// The Content-Type field.
    #[must_use]
    pub fn content_type(&self) -> Option<&[u8]> {
        self.0.get(Field::ContentType)
    }

    /// The Content-Length field: how long its content is, in bytes (RFC 9110 §8.6).
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// Service and method of a gRPC call, `package.Service/Method`: the path without its first slash.
    #[must_use]
    pub fn grpc_method(&self) -> Option<&[u8]> {
        self.content_type().filter(|kind| kind.starts_with(b"application/grpc"))?;
        self.path()?.strip_prefix(b"/")
    }

    /// The size of all its fields, as if it was not compressed, in bytes (RFC 9113 §6.5.2).
    #[must_use]
    pub fn header_bytes(&self) -> u64 {
        self.0.size
    }

    /// Whether some of its fields are not known, since bytes that define them were not captured.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.0.is_partial
    }
}

impl Http2Response {
    /// The status code; `None` if it was not captured, or is none.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        number(self.0.get(Field::Status)?)?.try_into().ok()
    }

    /// The Content-Type field, up to 256 bytes.
    #[must_use]
    pub fn content_type(&self) -> Option<&[u8]> {
        self.0.get(Field::ContentType)
    }

    /// The Content-Length field: how long its content is, in bytes, or would be if it had some (RFC 9110 §8.6).
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// The Location field, up to 512 bytes.
    #[must_use]
    pub fn location(&self) -> Option<&[u8]> {
        self.0.get(Field::Location)
    }

    /// The size of all its fields, as if it was not compressed, in bytes (RFC 9113 §6.5.2).
    #[must_use]
    pub fn header_bytes(&self) -> u64 {
        self.0.size
    }

    /// Whether some of its fields are not known, since bytes that define them were not captured.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.0.is_partial
    }
}

/// A number in decimal digits, at most nine.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    let is_number = (1..10).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
}

/// The name of an error (§7), if it has one.
#[must_use]
pub const fn error_name(code: u32) -> Option<&'static str> {
    Some(match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        10 => "CONNECT_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        12 => "INADEQUATE_SECURITY",
        13 => "HTTP_1_1_REQUIRED",
        _ => return None,
    })
}

impl Http2Exchange {
    pub(crate) fn new(ts: Timestamp, client: FlowSide, stream_id: u32) -> Self {
        Http2Exchange {
            ts,
            client,
            stream_id,
            is_pushed: false,
            request: None,
            response: None,
            request_body: Http2Body::default(),
            response_body: Http2Body::default(),
            request_file: None,
            response_file: None,
            request_form: None,
            grpc_status: None,
            grpc_message: None,
            reset: None,
            goaway: None,
            outcome: Http2Outcome::Unanswered,
            latency: None,
        }
    }

    /// The content that a side sends.
    pub(crate) fn body_mut(&mut self, side: FlowSide) -> &mut Http2Body {
        if side == self.client { &mut self.request_body } else { &mut self.response_body }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.0.heap_bytes())
            + self.response.as_ref().map_or(0, |response| response.0.heap_bytes())
            + self.grpc_message.as_ref().map_or(0, Vec::capacity)
    }
}
