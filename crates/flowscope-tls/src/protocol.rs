use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::SCHEMA;
use crate::{TlsHandshake, TlsHandshakes};

/// TLS over TCP (RFC 8446 and its predecessors), one record per handshake.
#[derive(Clone, Copy, Debug)]
pub struct Tls;

impl Protocol for Tls {
    const NAME: &'static str = "tls";
    const RECORDS: &'static str =
        "one per handshake, also if it fails or only one side was captured";
    const PORTS: Ports = Ports::tcp(&[443, 8443]);
    /// The content type of a record (RFC 8446 §5.1), or the length of a hello in SSL 2.0 framing
    /// (RFC 5246 appendix E.2).
    const FIRST_BYTES: ByteSet = ByteSet::range(20, 24).union(ByteSet::range(0x80, 0xff));
    // What is decrypted is another protocol.
    const CARRIES: bool = true;
    type Stream = TlsHandshakes;
    type Datagram = NoParser<TlsHandshake>;
    type Record = TlsHandshake;
    const SCHEMA: &'static Schema<TlsHandshake> = &SCHEMA;
}

#[cfg(test)]
mod tests {
    use flowscope_core::{FlowSide, Probe, SessionParser};

    use super::*;

    #[test]
    fn no_stream_that_is_recognised_begins_with_another_byte() {
        for byte in 0..=u8::MAX {
            for rest in
                [&b""[..], b"\x03\x01\0\x2e\x01\0\0\x2a", b"\x2e\x01\x03\x01\0\x15\0\0\0\x10"]
            {
                let start = [&[byte], rest].concat();
                let probe = TlsHandshakes::probe(FlowSide::Initiator, &start);
                let known = Tls::FIRST_BYTES.contains(byte);
                assert!(known || probe == Probe::No, "{byte:#x}");
            }
        }
    }
}
