use flowscope_record::{ByteSet, ParserOptions, Ports, Protocol, Schema};

use crate::schema::SCHEMA;
use crate::{DnsTcpParser, DnsTransaction, DnsTransactions, DnsUdpParser};

/// DNS over UDP and TCP (RFC 1035), multicast DNS (RFC 6762) and LLMNR (RFC 4795).
///
/// A record is one message, or a query with its response:
/// [`ParserOptions::transactions`](flowscope_record::ParserOptions::transactions) decides.
#[derive(Clone, Copy, Debug)]
pub struct Dns;

impl Protocol for Dns {
    const NAME: &'static str = "dns";
    const RECORDS: &'static str = "one per message";
    const PORTS: Ports = Ports { tcp: &[53], udp: &[53, 5353, 5355] };
    /// A datagram begins with an identifier, which is any number.
    const FIRST_BYTES: ByteSet = ByteSet::ALL;
    /// A stream begins with a length, which is any number too.
    const STREAM_FIRST_BYTES: ByteSet = ByteSet::ALL;
    type Stream = DnsTransactions<DnsTcpParser>;
    type Datagram = DnsTransactions<DnsUdpParser>;
    type Record = DnsTransaction;
    const SCHEMA: &'static Schema<DnsTransaction> = &SCHEMA;

    fn stream(options: &ParserOptions) -> DnsTransactions<DnsTcpParser> {
        DnsTransactions::default().paired(options.transactions)
    }

    fn datagram(options: &ParserOptions) -> DnsTransactions<DnsUdpParser> {
        DnsTransactions::default().paired(options.transactions)
    }
}
