use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::schema::SCHEMA;
use crate::{Bodies, HttpConfig, HttpExchange, HttpExchanges};

/// HTTP/1.x over TCP (RFC 9112), one record per transaction.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl Protocol for Http {
    const NAME: &'static str = "http";
    const RECORDS: &'static str =
        "one per request, answered or not, and one per response whose request was not captured";
    const PORTS: Ports = Ports::tcp(&[80, 8080, 8000, 8888, 3128]);
    /// An empty line, or the characters of a method (`tchar`, RFC 9110 §5.6.2), of which `HTTP/` has one
    /// too.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"\r\n!#$%&'*+-.^_`|~")
        .union(ByteSet::range(b'0', b'9'))
        .union(ByteSet::range(b'A', b'Z'))
        .union(ByteSet::range(b'a', b'z'));
    const CARRIES: bool = true;
    type Stream = HttpExchanges;
    type Datagram = NoParser<HttpExchange>;
    type Record = HttpExchange;
    const SCHEMA: &'static Schema<HttpExchange> = &SCHEMA;

    fn stream(options: &ParserOptions) -> HttpExchanges {
        let mut config = HttpConfig::default();
        if options.files {
            // Beside the heads, there is room for what is kept of the two bodies of an exchange, and of the files in a form.
            let open = config.max_open_bytes.saturating_add(options.file_bytes.saturating_mul(8));
            config = config.max_open_bytes(open).bodies(Bodies::Files(options.file_bytes));
        }
        HttpExchanges::with_config(config)
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::{FlowSide, Probe, SessionParser};

    use super::*;

    #[test]
    fn no_stream_that_is_recognised_begins_with_another_byte() {
        for byte in 0..=u8::MAX {
            for rest in [&b" /x HTTP/1.1\r\n"[..], b"ET / HTTP/1.1\r\n", b"TTP/1.1 200 OK\r\n"] {
                let start = [&[byte], rest].concat();
                let probe = HttpExchanges::probe(FlowSide::Initiator, &start);
                let known = Http::FIRST_BYTES.contains(byte);
                assert!(known || probe == Probe::No, "{byte:#x}");
            }
        }
    }
}
