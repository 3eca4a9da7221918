use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::schema::HTTP2;
use crate::{Http2Exchange, Http2Parser};

/// HTTP/2 over TCP without TLS (RFC 9113), one record per stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Http2;

impl Protocol for Http2 {
    const NAME: &'static str = "http2";
    const RECORDS: &'static str =
        "one per request, answered or not, and one per response whose request was not captured";
    const PORTS: Ports = Ports::NONE;
    /// Of the preface of a client, and of the length of a server's SETTINGS.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"P\0");
    type Stream = Http2Parser;
    type Datagram = NoParser<Http2Exchange>;
    type Record = Http2Exchange;
    const SCHEMA: &'static Schema<Http2Exchange> = &HTTP2;

    fn stream(options: &ParserOptions) -> Http2Parser {
        if options.files {
            Http2Parser::with_files(options.file_bytes)
        } else {
            Http2Parser::default()
        }
    }
}
