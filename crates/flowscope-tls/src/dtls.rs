//! DTLS 1.0, 1.2 and 1.3: the handshake of TLS over datagrams (RFC 6347, RFC 9147).

use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::TlsHandshake;
use crate::schema::DTLS;

pub use parser::DtlsHandshakes;

mod messages;
mod parser;
mod wire;

/// DTLS over UDP (RFC 6347, RFC 9147), one record per handshake: that of [`Tls`](crate::Tls).
#[derive(Clone, Copy, Debug)]
pub struct Dtls;

impl Protocol for Dtls {
    const NAME: &'static str = "dtls";
    const RECORDS: &'static str =
        "one per handshake, also if it fails or only one side was captured";
    /// Of CoAP (RFC 7252 §12.7), RADIUS (RFC 7360 §2.1), DNS (RFC 8094 §3.1) and syslog (RFC 6012 §5.2)
    /// over DTLS.
    const PORTS: Ports = Ports::udp(&[853, 2083, 5684, 6514]);
    /// A handshake record (RFC 6347 §4.1); what comes later does not begin a flow.
    const FIRST_BYTES: ByteSet = ByteSet::range(22, 22);
    type Stream = NoParser<TlsHandshake>;
    type Datagram = DtlsHandshakes;
    type Record = TlsHandshake;
    const SCHEMA: &'static Schema<TlsHandshake> = &DTLS;
}
