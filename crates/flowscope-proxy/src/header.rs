//! The PROXY protocol, versions 1 and 2 (HAProxy, proxy-protocol.txt).

use std::net::SocketAddr;

use flowscope_core::Timestamp;
use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

pub use parser::ProxyParser;
pub use schema::PROXY;

mod parser;
mod schema;
mod wire;

/// What a proxy says of the connection that it passes on (HAProxy, proxy-protocol.txt §2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// When the end of the header was captured.
    pub ts: Timestamp,
    /// Version, 1 or 2.
    pub version: u8,
    /// For whom the connection is.
    pub command: ProxyCommand,
    /// Transport of the client's connection: `tcp`, `udp`, `unix`; `None` if it is not said.
    pub transport: Option<&'static str>,
    /// Where the client connects from. Unix sockets have none.
    pub source: Option<SocketAddr>,
    /// Where the client connects to.
    pub destination: Option<SocketAddr>,
    /// Application protocol that was negotiated (§2.2.1, `PP2_TYPE_ALPN`).
    pub alpn: Option<Vec<u8>>,
    /// Name of the host that the client wants (§2.2.2, `PP2_TYPE_AUTHORITY`).
    pub authority: Option<Vec<u8>>,
    /// Identifier of the connection, at most 128 bytes by the specification (§2.2.5, `PP2_TYPE_UNIQUE_ID`).
    pub unique_id: Option<Vec<u8>>,
    /// Version of TLS that the client speaks, as text (§2.2.6, `PP2_SUBTYPE_SSL_VERSION`).
    pub tls_version: Option<Vec<u8>>,
    /// Common name in the client's certificate (§2.2.6, `PP2_SUBTYPE_SSL_CN`).
    pub client_cn: Option<Vec<u8>>,
    /// Length of the header in bytes.
    pub len: u64,
}

/// For whom a connection is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ProxyCommand {
    /// For a client.
    #[default]
    Proxy,
    /// For the proxy itself, such as a health check.
    Local,
    /// Version 1 does not know: `PROXY UNKNOWN`.
    Unknown,
}

impl ProxyCommand {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ProxyCommand::Proxy => "proxy",
            ProxyCommand::Local => "local",
            ProxyCommand::Unknown => "unknown",
        }
    }
}

impl ProxyHeader {
    /// The most bytes that are kept of a text.
    pub const MAX_TEXT: usize = 255;
}

/// The PROXY protocol over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Proxy;

impl Protocol for Proxy {
    const NAME: &'static str = "proxy";
    const RECORDS: &'static str = "one per connection that a proxy passes on with its addresses";
    const PORTS: Ports = Ports::NONE;
    /// Of "PROXY", and of the signature of version 2.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"P\r");
    const CARRIES: bool = true;
    type Stream = ProxyParser;
    type Datagram = NoParser<ProxyHeader>;
    type Record = ProxyHeader;
    const SCHEMA: &'static Schema<ProxyHeader> = &PROXY;
}
