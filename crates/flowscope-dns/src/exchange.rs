use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
    feed_once, parse_once,
};

use crate::{DnsKind, DnsMessage, DnsTcpParser, DnsUdpParser, RecordType};

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
    /// How it ended.
    pub outcome: DnsOutcome,
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
    /// A message by itself.
    pub(crate) fn of_message(message: DnsMessage) -> Self {
        let (query, response) = match message.kind() {
            DnsKind::Query => (Some(message), None),
            DnsKind::Response => (None, Some(message)),
        };
        DnsTransaction { query, response, latency: None, retries: 0, outcome: DnsOutcome::Unpaired }
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
        self.pairing.timeout = timeout;
        self
    }

    /// How many queries of a flow may be open; default 1024. With one more, the oldest is given up.
    #[must_use]
    pub fn max_open(mut self, queries: usize) -> Self {
        self.pairing.max_open = queries;
        self
    }

    /// Whether queries are paired with their responses; default `true`. Otherwise each message is given
    /// out at once, as a transaction without the other one.
    #[must_use]
    pub fn paired(mut self, paired: bool) -> Self {
        self.pairing.off = !paired;
        self
    }

    /// How many queries wait for their response.
    #[must_use]
    pub fn open(&self) -> usize {
        self.pairing.open.len()
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

/// The open queries of a flow, oldest first.
#[derive(Clone, Debug)]
struct Pairing {
    open: VecDeque<Box<Open>>,
    /// Their keys, in the same places.
    keys: VecDeque<Key>,
    /// Bytes that the open queries hold, beside the two queues.
    held: usize,
    /// A zone transfer that has begun to be answered: the key of its query.
    transfer: Option<Key>,
    timeout: Duration,
    max_open: usize,
    /// Messages are not paired.
    off: bool,
}

/// An open query.
#[derive(Clone, Debug)]
struct Open {
    message: DnsMessage,
    retries: u32,
}

/// What a response has in common with its query, in one word, so that a thousand of them are looked
/// through in a microsecond: the identifier, who asks, and a digest of the first question, 0 if there
/// is none. Whether it is really the same question is looked at when the digest says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Key(u64);

impl Default for Pairing {
    fn default() -> Self {
        Pairing {
            open: VecDeque::new(),
            keys: VecDeque::new(),
            held: 0,
            transfer: None,
            timeout: Duration::from_secs(10),
            max_open: 1024,
            off: false,
        }
    }
}

impl Pairing {
    fn message(&mut self, message: DnsMessage, out: &mut Vec<DnsTransaction>) {
        if self.off {
            return out.push(DnsTransaction::of_message(message));
        }
        self.expire(message.ts, out);
        match message.kind() {
            DnsKind::Query => self.query(message, out),
            DnsKind::Response => self.response(message, out),
        }
    }

    fn query(&mut self, message: DnsMessage, out: &mut Vec<DnsTransaction>) {
        let key = Key::of(&message, message.side);
        if let Some(at) = self.find(key, &message) {
            if let Some(open) = self.open.get_mut(at) {
                open.retries = open.retries.saturating_add(1);
            }
            return;
        }
        if self.transfer.is_some_and(|transfer| transfer.is_of_the_same_asker_as(key)) {
            self.transfer = None;
        }
        let open = Box::new(Open { message, retries: 0 });
        self.held = self.held.saturating_add(open.heap_bytes());
        self.open.push_back(open);
        self.keys.push_back(key);
        if self.open.len() > self.max_open {
            out.extend(self.take(0).map(|open| open.unanswered(UnansweredReason::LimitReached)));
        }
    }

    fn response(&mut self, message: DnsMessage, out: &mut Vec<DnsTransaction>) {
        let key = Key::of(&message, !message.side);
        let found = self.find(key, &message).and_then(|at| self.take(at));
        let Some(open) = found else {
            let continued = self.transfer.is_some_and(|transfer| transfer.matches(key));
            let outcome = if continued { DnsOutcome::Continued } else { DnsOutcome::Unsolicited };
            out.push(DnsTransaction {
                query: None,
                response: Some(message),
                latency: None,
                retries: 0,
                outcome,
            });
            return;
        };
        let Open { message: query, retries } = *open;
        let asked = query.questions().first().map(crate::Question::rtype);
        if matches!(asked, Some(RecordType::AXFR | RecordType::IXFR)) {
            self.transfer = Some(Key::of(&query, query.side));
        }
        out.push(DnsTransaction {
            latency: Some(message.ts.since(query.ts)),
            query: Some(query),
            response: Some(message),
            retries,
            outcome: DnsOutcome::Answered,
        });
    }

    /// Where the oldest open query with this key and the first question of `message` is.
    fn find(&self, key: Key, message: &DnsMessage) -> Option<usize> {
        let question = message.questions().first();
        self.keys.iter().zip(&self.open).position(|(candidate, open)| {
            candidate.matches(key)
                && match (question, open.message.questions().first()) {
                    (Some(one), Some(other)) => one == other,
                    (None, None) => true,
                    _ => message.kind() == DnsKind::Response,
                }
        })
    }

    /// Gives up the queries whose time is up. The oldest decides: where the capture is out of order,
    /// a younger one may have to wait for it.
    fn expire(&mut self, now: Timestamp, out: &mut Vec<DnsTransaction>) {
        while self.open.front().is_some_and(|open| now.since(open.message.ts) > self.timeout) {
            out.extend(self.take(0).map(|open| open.unanswered(UnansweredReason::Timeout)));
        }
    }

    fn end(&mut self, out: &mut Vec<DnsTransaction>) {
        out.extend(self.open.drain(..).map(|open| open.unanswered(UnansweredReason::FlowEnded)));
        self.keys.clear();
        self.held = 0;
    }

    fn take(&mut self, at: usize) -> Option<Box<Open>> {
        self.keys.remove(at);
        let open = self.open.remove(at)?;
        self.held = self.held.saturating_sub(open.heap_bytes());
        Some(open)
    }

    fn heap_bytes(&self) -> usize {
        let keys = self.keys.capacity() * size_of::<Key>();
        self.open.capacity() * size_of::<Box<Open>>() + keys + self.held
    }
}

impl Open {
    fn heap_bytes(&self) -> usize {
        size_of::<Open>() + self.message.heap_bytes()
    }

    fn unanswered(self, why: UnansweredReason) -> DnsTransaction {
        DnsTransaction {
            query: Some(self.message),
            response: None,
            latency: None,
            retries: self.retries,
            outcome: DnsOutcome::Unanswered(why),
        }
    }
}

impl Key {
    /// The bits of the digest.
    const QUESTION: u64 = (1 << 47) - 1;

    fn of(message: &DnsMessage, asker: FlowSide) -> Key {
        let question = message.questions().first().map_or(0, |question| {
            // The keys of this hasher are fixed: who makes digests collide gains nothing but a
            // comparison of names, of which there are `max_open` at most.
            let mut hasher = DefaultHasher::new();
            question.hash(&mut hasher);
            (hasher.finish() & Key::QUESTION).max(1)
        });
        Key(u64::from(message.id()) << 48 | (asker.index() as u64) << 47 | question)
    }

    /// Whether the two may belong together: a side without a question goes with any.
    fn matches(self, other: Key) -> bool {
        let either_has_none = self.0 & Key::QUESTION == 0 || other.0 & Key::QUESTION == 0;
        self == other || either_has_none && self.is_of_the_same_asker_as(other)
    }

    /// Whether identifier and asker are the same.
    fn is_of_the_same_asker_as(self, other: Key) -> bool {
        (self.0 ^ other.0) & !Key::QUESTION == 0
    }
}

#[cfg(test)]
mod tests;
