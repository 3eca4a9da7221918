//! SOCKS 4, 4a (OpenSSH and Tor documents of the NEC protocol) and 5 (RFC 1928, RFC 1929).

use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

pub use parser::SocksParser;
pub use schema::SOCKS;

mod parser;
mod schema;
mod wire;

/// What a client asks of a SOCKS server, and the answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SocksRequest {
    /// When the first bytes of the client were captured.
    pub ts: Timestamp,
    /// Version: 4 or 5; 4a is 4 with a name for the target.
    pub version: u8,
    /// Authentication methods that the client of SOCKS 5 offers (RFC 1928 §3), at most 255.
    pub methods: Vec<u8>,
    /// The one that the server chose; 255: none.
    pub method: Option<u8>,
    /// The user's name: of SOCKS 4, or in RFC 1929 §2. Up to 255 bytes.
    pub user: Option<Vec<u8>>,
    /// Whether the name and password were accepted (RFC 1929 §2).
    pub authenticated: Option<bool>,
    /// 1 CONNECT, 2 BIND, 3 UDP ASSOCIATE (RFC 1928 §4).
    pub command: Option<u8>,
    /// Whom the client wants to reach.
    pub target: Option<SocksHost>,
    /// Port of the target.
    pub target_port: Option<u16>,
    /// Status of the reply: of SOCKS 5 (RFC 1928 §6) or of SOCKS 4, from 90 on.
    pub status: Option<u8>,
    /// From where the server connects, or where it waits (RFC 1928 §6).
    pub bound: Option<SocksHost>,
    /// Port of it.
    pub bound_port: Option<u16>,
    /// From the client's first bytes to the reply.
    pub latency: Option<Duration>,
}

/// A host by address or by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SocksHost {
    /// An address.
    Addr(IpAddr),
    /// A name, as the client has sent it, up to 255 bytes.
    Name(Vec<u8>),
}

impl SocksRequest {
    /// Whether the server has agreed: 0 in SOCKS 5, 90 in SOCKS 4.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!((self.version, self.status), (5, Some(0)) | (4, Some(90)))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let host = |host: &Option<SocksHost>| match host {
            Some(SocksHost::Name(name)) => name.capacity(),
            _ => 0,
        };
        self.methods.capacity()
            + self.user.as_ref().map_or(0, Vec::capacity)
            + host(&self.target)
            + host(&self.bound)
    }
}

/// SOCKS over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Socks;

impl Protocol for Socks {
    const NAME: &'static str = "socks";
    const RECORDS: &'static str = "one per connection: what the client asks for, and the answer";
    const PORTS: Ports = Ports::tcp(&[1080]);
    /// The version.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[4, 5]);
    const CARRIES: bool = true;
    type Stream = SocksParser;
    type Datagram = NoParser<SocksRequest>;
    type Record = SocksRequest;
    const SCHEMA: &'static Schema<SocksRequest> = &SOCKS;
}
