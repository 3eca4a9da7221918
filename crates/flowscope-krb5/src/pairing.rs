//! Requests and their answers.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::read::Message;
use crate::{Krb5Exchange, Krb5MessageType};

/// Requests that may wait for an answer.
const MAX_OPEN: usize = 32;
/// Exchanges that are over and whose repetitions are not reported.
const MAX_OVER: usize = 32;
/// How long repetitions come: clients try each server a few times, with growing pauses (RFC 4120 §7.2.1).
const REPETITIONS: Duration = Duration::from_secs(30);

/// The exchanges of a flow, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    /// Requests that have no answer yet.
    open: VecDeque<Open>,
    over: VecDeque<Over>,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    exchange: Krb5Exchange,
    nonce: Option<i64>,
    digest: Option<u64>,
}

/// An exchange of whole datagrams that is over.
#[derive(Clone, Copy, Debug)]
struct Over {
    /// When the answer was captured.
    ts: Timestamp,
    side: FlowSide,
    /// `None` if it was not captured whole. The nonce is not enough: some clients use it again for a request with
    /// pre-authentication.
    request: Option<u64>,
    response: u64,
    /// What the answer says in the clear.
    says: u64,
    /// Repetitions of the request without an answer of their own so far.
    repeated: u32,
}

/// A hash, as of the bytes of a datagram, by which its repetition is known.
pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Pairing {
    /// A message that `side` sent.
    ///
    /// The nonce of an answer is encrypted (RFC 4120 §5.4.2), so its type decides, and then its service: a server answers what
    /// it was asked for, or names another one, as for an alias. `digest` is that of a whole datagram; without one, the message
    /// is no repetition of an exchange that is over: TCP repeats none.
    pub(crate) fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message,
        digest: Option<u64>,
        out: &mut Vec<Krb5Exchange>,
    ) {
        let Message { kind, nonce, mut exchange } = message;
        if !kind.is_request() && !kind.is_answer() {
            return;
        }
        exchange.ts = ts;
        if kind.is_request() {
            exchange.side = side;
            let is_same = |open: &&mut Open| {
                let asked = &open.exchange;
                nonce.is_some()
                    && (asked.side, asked.request, open.nonce) == (side, Some(kind), nonce)
            };
            if let Some(open) = self.open.iter_mut().find(is_same) {
                open.exchange.retransmissions += 1;
                return;
            }
            let is_same = |over: &Over| digest.is_some() && over.request == digest;
            if let Some(over) = self.over(ts, side, is_same) {
                over.repeated = over.repeated.saturating_add(1);
                return;
            }
            if self.open.len() == MAX_OPEN {
                out.extend(self.open.pop_front().map(|open| open.exchange));
            }
            self.open.push_back(Open { exchange, nonce, digest });
            return;
        }
        exchange.side = !side;
        let is_same = |over: &Over| Some(over.response) == digest;
        // An error has nothing of its request, and may be that of another one in the same second.
        let may_be_next = |over: &Over| kind == Krb5MessageType::KRB_ERROR && over.repeated == 0;
        let is_repetition = |over: &Over| is_same(over) && !may_be_next(over);
        if let Some(over) = self.over(ts, !side, is_repetition) {
            over.repeated = over.repeated.saturating_sub(1);
            return;
        }
        let is_asked = |open: &Open| {
            let asked = &open.exchange;
            asked.side != side && asked.request.is_some_and(|request| kind.answers(request))
        };
        let is_it = |open: &Open| is_asked(open) && open.exchange.service == exchange.service;
        let says = hash((kind, &exchange.client, &exchange.realm, &exchange.service));
        let mut found = self.open.iter().position(is_it);
        if found.is_none() {
            // A server that keeps no answers makes another one for a repetition.
            let answers = |over: &Over| over.repeated > 0 && over.says == says;
            if digest.is_some()
                && let Some(over) = self.over(ts, !side, answers)
            {
                over.repeated -= 1;
                return;
            }
            // Without a request, the same error is a repetition too.
            let is_open = self.open.iter().position(is_asked);
            if is_open.is_none() && self.over(ts, !side, is_same).is_some() {
                return;
            }
            found = is_open;
        }
        let (mut request, mut repeated) = (None, 0);
        let exchange = match found.and_then(|at| self.open.remove(at)) {
            Some(Open { exchange: mut asked, digest, .. }) => {
                (request, repeated) = (digest, asked.retransmissions);
                asked.answered(exchange);
                asked
            }
            None => exchange,
        };
        if let Some(response) = digest {
            self.finish(Over { ts, side: !side, request, response, says, repeated });
        }
        out.push(exchange);
    }

    fn finish(&mut self, over: Over) {
        if self.over.len() == MAX_OVER {
            self.over.pop_front();
        }
        self.over.push_back(over);
    }

    /// The last such exchange that is over, of a side that asked, while its repetitions may still come.
    fn over(
        &mut self,
        ts: Timestamp,
        side: FlowSide,
        is_it: impl Fn(&Over) -> bool,
    ) -> Option<&mut Over> {
        let mut over = self.over.iter_mut().rev();
        over.find(|over| over.side == side && is_it(over) && ts.since(over.ts) <= REPETITIONS)
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<Krb5Exchange>) {
        out.extend(self.open.drain(..).map(|open| open.exchange));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Open>()
            + self.open.iter().map(|open| open.exchange.heap_bytes()).sum::<usize>()
            + self.over.capacity() * size_of::<Over>()
    }
}
