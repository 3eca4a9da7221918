use std::time::Duration;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
    feed_once, parse_once,
};

use crate::{DnsKind, DnsMessage, DnsTcpParser, DnsUdpParser};

use pairing::Pairing;

mod pairing;

/// A query and its response, or the one without the other.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DnsTransaction {
    /// What was asked, unless it was not seen. Of a retransmitted query, the first.
    pub query: Option<DnsMessage>,
    /// What was answered, if anything.
    pub response: Option<DnsMessage>,
    /// Time from the first query to the response; zero if the capture has them out of order.
    pub latency: Option<Duration>,
    /// How often the query was repeated before the end of the transaction.
    pub retries: u32,
    /// When it was repeated, in the order in which that was seen: the first 64 times.
    pub repeated: Vec<Timestamp>,
    /// How it ended.
    pub outcome: DnsOutcome,
    pub(crate) numbers: Numbers,
}

/// The numbers of a query and its response among the messages of their flow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) query: u64,
    pub(crate) response: u64,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DnsOutcome {
    /// With a response.
    Answered,
    /// Without one.
    Unanswered(UnansweredReason),
    /// It is a response to nothing that was seen, or a second response.
    Unsolicited,
    /// It is a further message of a zone transfer that is being answered (RFC 5936 §2.2).
    Continued,
    /// Messages are not [paired](DnsTransactions::paired).
    Unpaired,
}

/// Why a query is given up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UnansweredReason {
    /// Its time was up.
    Timeout,
    /// The flow ended.
    FlowEnded,
    /// More queries were open than the bound, and it was the oldest.
    LimitReached,
}

/// Pairs the queries and responses that parser `P`, [`DnsUdpParser`] or [`DnsTcpParser`], reads
/// from a flow.
///
/// A response belongs to the oldest open query of the other side with the same identifier and the
/// same first question; one without a question, as servers send it that could not read the query,
/// to the oldest with the same identifier. A query equal in all that to an open one is a retry.
///
/// Open queries are bounded in number and in time; both bounds are settings. Transactions come in
/// the order in which they end. A passing clock is noticed when a message or
/// [`tick`](SessionParser::tick) comes.
///
/// ```
/// use flowscope_core::{DatagramParser, FlowSide};
/// use flowscope_dns::{DnsOutcome, DnsTransactions, DnsUdpParser, Rcode};
///
/// let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
/// let mut response = query.to_vec();
/// response[2..4].copy_from_slice(b"\x81\x83");
///
/// let mut parser = DnsTransactions::<DnsUdpParser>::default();
/// assert!(parser.parse(query, FlowSide::Initiator).is_empty());
/// let done = parser.parse(&response, FlowSide::Responder);
/// assert_eq!(done[0].outcome, DnsOutcome::Answered);
/// assert_eq!(done[0].response.as_ref().unwrap().rcode(), Rcode::NXDOMAIN);
/// ```
#[derive(Clone, Debug, Default)]
pub struct DnsTransactions<P> {
    parser: P,
    pairing: Pairing,
    /// Reused from call to call.
    scratch: Vec<DnsMessage>,
}

impl DnsTransaction {
    /// A message by itself, with its number in the flow.
    pub(crate) fn of_message(message: DnsMessage, number: u64) -> Self {
        let (query, response) = match message.kind() {
            DnsKind::Query => (Some(message), None),
            DnsKind::Response => (None, Some(message)),
        };
        DnsTransaction {
            query,
            response,
            latency: None,
            retries: 0,
            repeated: Vec::new(),
            outcome: DnsOutcome::Unpaired,
            numbers: Numbers { query: number, response: number },
        }
    }

    /// The number of the query among the messages of its flow, from 0. Both sides are counted together.
    #[must_use]
    pub fn query_number(&self) -> Option<u64> {
        self.query.as_ref().map(|_| self.numbers.query)
    }

    /// The number of the response among the messages of its flow, from 0.
    #[must_use]
    pub fn response_number(&self) -> Option<u64> {
        self.response.as_ref().map(|_| self.numbers.response)
    }
}

impl<P> DnsTransactions<P> {
    /// Pairs what `parser` reads.
    #[must_use]
    pub fn new(parser: P) -> Self {
        DnsTransactions { parser, pairing: Pairing::default(), scratch: Vec::new() }
    }

    /// How long a query stays open, in packet time; default 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.pairing.set_timeout(timeout);
        self
    }

    /// How many queries of a flow may be open; default 1024. With one more, the oldest is given up.
    #[must_use]
    pub fn max_open(mut self, queries: usize) -> Self {
        self.pairing.set_max_open(queries);
        self
    }

    /// Whether queries are paired with their responses; default `true`. Otherwise each message is given
    /// out at once, as a transaction without the other one.
    #[must_use]
    pub fn paired(mut self, paired: bool) -> Self {
        self.pairing.set_paired(paired);
        self
    }

    /// How many queries wait for their response.
    #[must_use]
    pub fn open(&self) -> usize {
        self.pairing.open()
    }

    fn pair(&mut self, out: &mut Vec<DnsTransaction>) {
        for message in self.scratch.drain(..) {
            self.pairing.message(message, out);
        }
    }

    fn held_by_pairing(&self) -> usize {
        self.pairing.heap_bytes() + self.scratch.capacity() * size_of::<DnsMessage>()
    }
}

impl DatagramParser for DnsTransactions<DnsUdpParser> {
    type Message = DnsTransaction;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<DnsTransaction> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(
        &mut self,
        datagram: Datagram<'_>,
        out: &mut Vec<DnsTransaction>,
    ) -> ParserStatus {
        let status = self.parser.parse_into(datagram, &mut self.scratch);
        self.pair(out);
        status
    }

    fn end(&mut self, out: &mut Vec<DnsTransaction>) {
        self.parser.end(&mut self.scratch);
        self.pair(out);
        self.pairing.end(out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<DnsTransaction>) {
        self.pairing.expire(now, out);
    }

    fn heap_bytes(&self) -> usize {
        self.parser.heap_bytes() + self.held_by_pairing()
    }

    fn probe(side: FlowSide, payload: &[u8]) -> Probe {
        DnsUdpParser::probe(side, payload)
    }
}

impl SessionParser for DnsTransactions<DnsTcpParser> {
    type Message = DnsTransaction;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<DnsTransaction> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<DnsTransaction> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<DnsTransaction>) -> ParserStatus {
        let status = self.parser.feed_into(feed, &mut self.scratch);
        self.pair(out);
        status
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<DnsTransaction>) -> ParserStatus {
        let status = self.parser.gap(side, len, &mut self.scratch);
        self.pair(out);
        status
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<DnsTransaction>) {
        self.parser.fin(side, &mut self.scratch);
        self.pair(out);
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<DnsTransaction>) {
        self.parser.rst(side, &mut self.scratch);
        self.pair(out);
    }

    fn end(&mut self, out: &mut Vec<DnsTransaction>) {
        self.parser.end(&mut self.scratch);
        self.pair(out);
        self.pairing.end(out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<DnsTransaction>) {
        self.pairing.expire(now, out);
    }

    fn heap_bytes(&self) -> usize {
        self.parser.heap_bytes() + self.held_by_pairing()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        DnsTcpParser::probe(side, start)
    }
}

#[cfg(test)]
mod tests;
