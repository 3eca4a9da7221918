use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::{DnsTcpParser, DnsTransaction, DnsTransactions, DnsUdpParser, schema};

/// DNS over UDP and TCP (RFC 1035).
///
/// A record is one message, or a query with its response:
/// [`ParserOptions::transactions`](flowscope_record::ParserOptions::transactions) decides.
#[derive(Clone, Copy, Debug)]
pub struct Dns;

/// Multicast DNS (RFC 6762).
///
/// A record is one message. Responses go to the multicast group, mostly, and so belong to another flow than
/// their questions; many of them answer none. They are not paired, and none of them is held.
///
/// Its messages are those of DNS: it is found by its port alone. The records are those of [`Dns`] under
/// another name; Zeek has them in its `dns.log`, with classes as they stand on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Mdns;

/// Link-local multicast name resolution over UDP and TCP (RFC 4795).
///
/// Over UDP a record is one message: queries go to a multicast group, responses come from the address of a
/// host. Over TCP they are as those of [`Dns`].
///
/// Its messages are those of DNS: it is found by its port alone. The records are those of [`Dns`] under
/// another name and with the bits C and T in the places of AA and RD; Zeek has them in its `dns.log`.
#[derive(Clone, Copy, Debug)]
pub struct Llmnr;

/// One of the protocols that have the format of DNS messages.
pub(crate) trait Flavour: Protocol {
    const VARIANT: Variant;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Variant {
    Dns,
    Mdns,
    Llmnr,
}

impl Variant {
    /// That of `choices` which is for this protocol.
    pub(crate) const fn pick(self, choices: [&'static str; 3]) -> &'static str {
        choices[self as usize]
    }
}

impl Flavour for Dns {
    const VARIANT: Variant = Variant::Dns;
}

impl Flavour for Mdns {
    const VARIANT: Variant = Variant::Mdns;
}

impl Flavour for Llmnr {
    const VARIANT: Variant = Variant::Llmnr;
}

impl Protocol for Dns {
    const NAME: &'static str = "dns";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports { tcp: &[53], udp: &[53] };
    /// A datagram begins with an identifier, which is any number.
    const FIRST_BYTES: ByteSet = ByteSet::ALL;
    /// A stream begins with a length, which is any number too.
    const STREAM_FIRST_BYTES: ByteSet = ByteSet::ALL;
    type Stream = DnsTransactions<DnsTcpParser>;
    type Datagram = DnsTransactions<DnsUdpParser>;
    type Record = DnsTransaction;
    const SCHEMA: &'static Schema<DnsTransaction> = &schema::DNS;

    fn stream(options: &ParserOptions) -> DnsTransactions<DnsTcpParser> {
        DnsTransactions::default().paired(options.transactions)
    }

    fn datagram(options: &ParserOptions) -> DnsTransactions<DnsUdpParser> {
        DnsTransactions::default().paired(options.transactions)
    }
}

impl Protocol for Mdns {
    const NAME: &'static str = "mdns";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports::udp(&[5353]);
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = NoParser<DnsTransaction>;
    type Datagram = DnsTransactions<DnsUdpParser>;
    type Record = DnsTransaction;
    const SCHEMA: &'static Schema<DnsTransaction> = &schema::MDNS;

    fn datagram(_: &ParserOptions) -> DnsTransactions<DnsUdpParser> {
        DnsTransactions::default().paired(false)
    }
}

impl Protocol for Llmnr {
    const NAME: &'static str = "llmnr";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports { tcp: &[5355], udp: &[5355] };
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = DnsTransactions<DnsTcpParser>;
    type Datagram = DnsTransactions<DnsUdpParser>;
    type Record = DnsTransaction;
    const SCHEMA: &'static Schema<DnsTransaction> = &schema::LLMNR;

    fn stream(options: &ParserOptions) -> DnsTransactions<DnsTcpParser> {
        DnsTransactions::default().paired(options.transactions)
    }

    fn datagram(_: &ParserOptions) -> DnsTransactions<DnsUdpParser> {
        DnsTransactions::default().paired(false)
    }
}
