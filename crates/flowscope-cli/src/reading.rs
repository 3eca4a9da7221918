//! Which protocols are read, and what they say.

use flowscope::core::Timestamp;
use flowscope::dns::{Dns, DnsTransaction};
use flowscope::driver::{Protocols, Recognition};
use flowscope::http::{Http, HttpExchange};
use flowscope::output::ZeekFormat;
use flowscope::record::{ByteSet, ParserOptions, Protocol, Record, Schema, Visitor};
use flowscope::tls::{Tls, TlsHandshake};

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
    Dns(Box<DnsTransaction>),
    Raw(Chunk),
    Digest(Box<Digests>),
}

/// Bytes of a conversation have no columns: they are not written as records.
static RAW: Schema<()> = Schema::new("raw", |()| Timestamp::ZERO);

impl Record for AppRecord {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        match self {
            AppRecord::Http(exchange) => exchange.visit(visitor),
            AppRecord::Tls(handshake) => handshake.visit(visitor),
            AppRecord::Dns(transaction) => transaction.visit(visitor),
            AppRecord::Raw(_) | AppRecord::Digest(_) => visitor.record(&RAW, &()),
        }
    }
}

impl Selection {
    /// Appends the header of the log of the first protocol.
    pub(crate) fn begin_log(self, zeek: &mut ZeekFormat, ts: Timestamp, out: &mut Vec<u8>) {
        if self.http {
            zeek.begin_log(Http::SCHEMA, ts, out);
        } else if self.tls {
            zeek.begin_log(Tls::SCHEMA, ts, out);
        } else {
            zeek.begin_log(Dns::SCHEMA, ts, out);
        }
    }
}

/// What Zeek calls a protocol: its log's name.
pub(crate) fn zeek_service(protocol: &'static str) -> &'static str {
    match protocol {
        Tls::NAME => Tls::SCHEMA.zeek_log,
        other => other,
    }
}

/// Where one expects a protocol: on these ports, or on any with these first bytes.
fn recognition(ports: &'static [u16], first: ByteSet) -> Recognition {
    let by_ports = Recognition::by_ports(ports.iter().copied());
    if first.is_empty() { by_ports } else { by_ports.or_bytes() }
}

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
        let options = ParserOptions::default().transactions(selection.pairs);
        let mut protocols = Protocols::new();
        if selection.http {
            let how = recognition(Http::PORTS.tcp, Http::STREAM_FIRST_BYTES);
            protocols = protocols.stream(Http::NAME, Http::stream(&options), how, |exchange| {
                AppRecord::Http(Box::new(exchange))
            });
        }
        if selection.tls {
            let how = recognition(Tls::PORTS.tcp, Tls::STREAM_FIRST_BYTES);
            protocols = protocols.stream(Tls::NAME, Tls::stream(&options), how, |handshake| {
                AppRecord::Tls(Box::new(handshake))
            });
        }
        if selection.dns {
            let said = |transaction| AppRecord::Dns(Box::new(transaction));
            let how = recognition(Dns::PORTS.tcp, Dns::STREAM_FIRST_BYTES);
            protocols = protocols.stream(Dns::NAME, Dns::stream(&options), how, said);
            let how = recognition(Dns::PORTS.udp, Dns::FIRST_BYTES);
            protocols = protocols.datagram(Dns::NAME, Dns::datagram(&options), how, said);
        }
        if self == PayloadMode::Recognise { protocols.recognise_only() } else { protocols }
    }

    /// Ports that servers of all protocols listen on: who began a flow does not depend on which of
    /// them are read.
    pub(crate) fn listening_ports() -> impl Iterator<Item = u16> {
        let ports = [Http::PORTS.tcp, Tls::PORTS.tcp, Dns::PORTS.udp];
        ports.into_iter().flatten().copied()
    }
}
