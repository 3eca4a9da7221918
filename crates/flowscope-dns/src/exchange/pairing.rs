use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use super::{DnsOutcome, DnsTransaction, Numbers, UnansweredReason};
use crate::{DnsKind, DnsMessage, RecordType};

/// The open queries of a flow, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Pairing {
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
    /// How many messages there were.
    messages: u64,
}

/// An open query.
#[derive(Clone, Debug)]
struct Open {
    message: DnsMessage,
    number: u64,
    retries: u32,
    /// At most [`MAX_REPEATED`].
    repeated: Vec<Timestamp>,
}

/// How many repetitions of a query are remembered with their times. It is open for seconds, and resolvers repeat
/// it a few times in them.
const MAX_REPEATED: usize = 64;

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
            messages: 0,
        }
    }
}

impl Pairing {
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(super) fn set_max_open(&mut self, queries: usize) {
        self.max_open = queries;
    }

    pub(super) fn set_paired(&mut self, paired: bool) {
        self.off = !paired;
    }

    /// How many queries are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn message(&mut self, message: DnsMessage, out: &mut Vec<DnsTransaction>) {
        let number = self.messages;
        self.messages += 1;
        if self.off {
            return out.push(DnsTransaction::of_message(message, number));
        }
        self.expire(message.ts, out);
        match message.kind() {
            DnsKind::Query => self.query(message, number, out),
            DnsKind::Response => self.response(message, number, out),
        }
    }

    fn query(&mut self, message: DnsMessage, number: u64, out: &mut Vec<DnsTransaction>) {
        let key = Key::of(&message, message.side);
        if let Some(at) = self.find(key, &message) {
            return self.repeat(at, message.ts);
        }
        if self.transfer.is_some_and(|transfer| transfer.is_of_the_same_asker_as(key)) {
            self.transfer = None;
        }
        let open = Box::new(Open { message, number, retries: 0, repeated: Vec::new() });
        self.held = self.held.saturating_add(open.heap_bytes());
        self.open.push_back(open);
        self.keys.push_back(key);
        if self.open.len() > self.max_open {
            out.extend(self.take(0).map(|open| open.unanswered(UnansweredReason::LimitReached)));
        }
    }

    /// Takes note that an open query was repeated.
    fn repeat(&mut self, at: usize, ts: Timestamp) {
        let Some(open) = self.open.get_mut(at) else { return };
        open.retries = open.retries.saturating_add(1);
        if open.repeated.len() < MAX_REPEATED {
            let before = open.heap_bytes();
            open.repeated.push(ts);
            self.held = self.held.saturating_add(open.heap_bytes() - before);
        }
    }

    fn response(&mut self, message: DnsMessage, number: u64, out: &mut Vec<DnsTransaction>) {
        let key = Key::of(&message, !message.side);
        let found = self.find(key, &message).and_then(|at| self.take(at));
        let Some(open) = found else {
            let continued = self.transfer.is_some_and(|transfer| transfer.matches(key));
            let outcome = if continued { DnsOutcome::Continued } else { DnsOutcome::Unsolicited };
            out.push(DnsTransaction { outcome, ..DnsTransaction::of_message(message, number) });
            return;
        };
        let Open { message: query, number: query_number, retries, repeated } = *open;
        let asked = query.questions().first().map(crate::Question::rtype);
        if matches!(asked, Some(RecordType::AXFR | RecordType::IXFR)) {
            self.transfer = Some(Key::of(&query, query.side));
        }
        out.push(DnsTransaction {
            latency: Some(message.ts.since(query.ts)),
            query: Some(query),
            response: Some(message),
            retries,
            repeated,
            outcome: DnsOutcome::Answered,
            numbers: Numbers { query: query_number, response: number },
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
    pub(super) fn expire(&mut self, now: Timestamp, out: &mut Vec<DnsTransaction>) {
        while self.open.front().is_some_and(|open| now.since(open.message.ts) > self.timeout) {
            out.extend(self.take(0).map(|open| open.unanswered(UnansweredReason::Timeout)));
        }
    }

    pub(super) fn end(&mut self, out: &mut Vec<DnsTransaction>) {
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

    pub(super) fn heap_bytes(&self) -> usize {
        let keys = self.keys.capacity() * size_of::<Key>();
        self.open.capacity() * size_of::<Box<Open>>() + keys + self.held
    }
}

impl Open {
    fn heap_bytes(&self) -> usize {
        let repeated = self.repeated.capacity() * size_of::<Timestamp>();
        size_of::<Open>() + self.message.heap_bytes() + repeated
    }

    fn unanswered(self, why: UnansweredReason) -> DnsTransaction {
        DnsTransaction {
            retries: self.retries,
            repeated: self.repeated,
            outcome: DnsOutcome::Unanswered(why),
            ..DnsTransaction::of_message(self.message, self.number)
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
