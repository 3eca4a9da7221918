//! Which protocols are read, and what they say.

use flowscope::dns::{DnsMessage, DnsTcpParser, DnsTransaction, DnsTransactions, DnsUdpParser};
use flowscope::driver::{Protocols, Recognition};
use flowscope::http::{HttpExchange, HttpExchanges};
use flowscope::tls::{TlsHandshake, TlsHandshakes};

use crate::raw::{Chunk, Digest, Digests, Raw};

/// What is read of the payload of flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PayloadMode {
    /// As much as tells the protocol.
    Recognise,
    /// Everything that these protocols say.
    Messages(Selection),
    /// The bytes themselves.
    Raw,
    /// The bytes of TCP streams, summed up.
    Digest,
}

/// Protocols to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Selection {
    pub(crate) http: bool,
    pub(crate) tls: bool,
    pub(crate) dns: bool,
    /// Whether DNS queries are paired with their responses.
    pub(crate) pairs: bool,
}

impl Selection {
    pub(crate) const ALL: Selection = Selection { http: true, tls: true, dns: true, pairs: false };
}

/// One thing that was said.
#[derive(Clone, Debug)]
pub(crate) enum AppRecord {
    Http(Box<HttpExchange>),
    Tls(Box<TlsHandshake>),
    Dns(Box<DnsMessage>),
    DnsPair(Box<DnsTransaction>),
    Raw(Chunk),
    Digest(Box<Digests>),
}

const HTTP: [u16; 5] = [80, 8080, 8000, 8888, 3128];
const TLS: [u16; 2] = [443, 8443];
const DNS: [u16; 1] = [53];
/// Multicast DNS and LLMNR too.
const DNS_UDP: [u16; 3] = [53, 5353, 5355];

impl PayloadMode {
    /// How many bytes of each packet's payload are needed.
    pub(crate) fn bytes(self) -> usize {
        match self {
            // As much as parsers may want to see before they are sure.
            PayloadMode::Recognise => 256,
            _ => usize::MAX,
        }
    }

    /// How much of the memory those who read may take, in percent.
    pub(crate) fn share(self) -> u8 {
        match self {
            PayloadMode::Recognise => 10,
            _ => 50,
        }
    }

    /// Those who read.
    pub(crate) fn protocols(self) -> Protocols<AppRecord> {
        let any = Recognition::by_bytes;
        let selection = match self {
            PayloadMode::Recognise => Selection::ALL,
            PayloadMode::Messages(selection) => selection,
            PayloadMode::Raw => {
                return Protocols::new()
                    .stream("raw", Raw::default(), any(), AppRecord::Raw)
                    .datagram("raw", Raw::default(), any(), AppRecord::Raw);
            }
            PayloadMode::Digest => {
                let said = |digests| AppRecord::Digest(Box::new(digests));
                return Protocols::new().stream("raw", Digest::default(), any(), said);
            }
        };
        let mut protocols = Protocols::new();
        if selection.http {
            protocols = protocols.stream(
                "http",
                HttpExchanges::default(),
                Recognition::by_ports(HTTP).or_bytes(),
                |exchange| AppRecord::Http(Box::new(exchange)),
            );
        }
        if selection.tls {
            protocols = protocols.stream(
                "tls",
                TlsHandshakes::default(),
                Recognition::by_ports(TLS).or_bytes(),
                |handshake| AppRecord::Tls(Box::new(handshake)),
            );
        }
        let (over_tcp, over_udp) =
            (Recognition::by_ports(DNS), Recognition::by_ports(DNS_UDP).or_bytes());
        if selection.dns && selection.pairs {
            let said = |pair| AppRecord::DnsPair(Box::new(pair));
            protocols = protocols
                .stream("dns", DnsTransactions::<DnsTcpParser>::default(), over_tcp, said)
                .datagram("dns", DnsTransactions::<DnsUdpParser>::default(), over_udp, said);
        } else if selection.dns {
            let said = |message| AppRecord::Dns(Box::new(message));
            protocols = protocols.stream("dns", DnsTcpParser::default(), over_tcp, said).datagram(
                "dns",
                DnsUdpParser::default(),
                over_udp,
                said,
            );
        }
        if self == PayloadMode::Recognise { protocols.recognise_only() } else { protocols }
    }

    /// Ports that servers of all protocols listen on: who began a flow does not depend on which of
    /// them are read.
    pub(crate) fn listening_ports() -> impl Iterator<Item = u16> {
        HTTP.into_iter().chain(TLS).chain(DNS_UDP)
    }
}
