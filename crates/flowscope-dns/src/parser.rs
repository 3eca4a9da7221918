//! The parsers of both transports, and what they share.

mod tcp;
mod udp;

pub use tcp::{DnsTcpFactory, DnsTcpParser};
pub use udp::DnsUdpParser;
pub(crate) use udp::read_datagram;
