//! Requests and their responses: transactions (RFC 3261 §17).

use std::collections::VecDeque;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::SipTransaction;
use crate::head::{Identity, Message, hash};

/// Requests that may wait for a final response: servers on one flow have many calls.
pub(crate) const MAX_OPEN: usize = 64;
/// Transactions that are over and whose repetitions are not reported.
const MAX_OVER: usize = 32;
/// How long repetitions come: 64 * T1 (RFC 3261 §17.1.1.2).
const REPETITIONS: Duration = Duration::from_secs(32);

/// The transactions of a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    /// Oldest first.
    open: VecDeque<(Key, Box<SipTransaction>)>,
    /// Oldest first.
    over: VecDeque<Over>,
    count: u32,
}

/// A transaction that is over.
#[derive(Clone, Copy, Debug)]
struct Over {
    ts: Timestamp,
    key: Key,
    /// The dialog that a 2xx to an INVITE makes (RFC 3261 §12.1, §13.2.2.4).
    accepted: Option<Dialog>,
}

/// The hash of the tag of `To`; 0 where it is not known.
type Dialog = u64;

/// The tag of a response without one.
const NO_TAG: Dialog = 0;

/// What a request and its responses have in common (RFC 3261 §17.1.3, §17.2.3), and who sent the request.
#[derive(Clone, Copy, Debug)]
struct Key {
    side: FlowSide,
    branch: u64,
    call_id: u64,
    number: u64,
    /// "CANCEL" has the branch and the number of the request that it cancels (RFC 3261 §9.1).
    method: u64,
}

/// The method of a response without `CSeq`.
const NO_METHOD: u64 = 0;

impl Pairing {
    /// A message that `side` sent.
    pub(crate) fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message,
        identity: Identity,
        out: &mut Vec<SipTransaction>,
    ) {
        match message {
            Message::Request(request) => {
                let mut key = Key::new(side, identity);
                if key.method == NO_METHOD {
                    key.method = hash(&request.method);
                }
                if let Some((_, open)) = self.open.iter_mut().find(|(open, _)| open.matches(&key)) {
                    open.retransmissions += 1;
                    return;
                }
                if self.over(ts, &key).next().is_some() {
                    return;
                }
                // "ACK" has no response (RFC 3261 §17.1).
                let has_response = request.method != b"ACK";
                let transaction = self.begin(side, ts);
                let transaction = SipTransaction { request: Some(request), ..transaction };
                if !has_response {
                    self.finish(Over { ts, key, accepted: None }, transaction, out);
                    return;
                }
                if self.open.len() == MAX_OPEN {
                    out.extend(self.open.pop_front().map(|(_, open)| *open));
                }
                self.open.push_back((key, Box::new(transaction)));
            }
            Message::Response(response) => {
                let key = Key::new(!side, identity);
                let is_final = response.code >= 200;
                let is_accepted = (200..300).contains(&response.code) && is_invite(key.method);
                let accepted = is_accepted.then_some(identity.to_tag);
                let Some(at) = self.open.iter().position(|(open, _)| open.matches(&key)) else {
                    if !self.is_repetition(ts, &key, accepted) {
                        let transaction = self.begin(!side, ts);
                        let provisional = u32::from(!is_final);
                        let response = Some(response);
                        let transaction = SipTransaction { response, provisional, ..transaction };
                        self.finish(Over { ts, key, accepted }, transaction, out);
                    }
                    return;
                };
                if is_final {
                    let Some((key, mut transaction)) = self.open.remove(at) else { return };
                    transaction.latency = Some(ts.since(transaction.ts));
                    transaction.response = Some(response);
                    self.finish(Over { ts, key, accepted }, *transaction, out);
                } else {
                    let transaction = &mut self.open[at].1;
                    transaction.provisional += 1;
                    transaction.response = Some(response);
                }
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<SipTransaction>) {
        out.extend(self.open.drain(..).map(|(_, open)| *open));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let open = |(_, open): &(Key, Box<SipTransaction>)| {
            size_of::<SipTransaction>() + open.heap_bytes()
        };
        self.open.capacity() * size_of::<(Key, Box<SipTransaction>)>()
            + self.open.iter().map(open).sum::<usize>()
            + self.over.capacity() * size_of::<Over>()
    }

    fn begin(&mut self, side: FlowSide, ts: Timestamp) -> SipTransaction {
        let id = self.count;
        self.count = self.count.wrapping_add(1);
        SipTransaction::new(side, ts, id)
    }

    fn finish(&mut self, over: Over, transaction: SipTransaction, out: &mut Vec<SipTransaction>) {
        if self.over.len() == MAX_OVER {
            self.over.pop_front();
        }
        self.over.push_back(over);
        out.push(transaction);
    }

    /// What is over of the transaction with this key, while its repetitions may still come.
    fn over(&self, ts: Timestamp, key: &Key) -> impl Iterator<Item = &Over> {
        let over = self.over.iter();
        over.filter(move |over| over.key.matches(key) && ts.since(over.ts) <= REPETITIONS)
    }

    /// Whether a response is known. An INVITE that a proxy forks has a 2xx of each callee that accepts, and only those with
    /// the same tag are repetitions (RFC 3261 §13.2.2.4).
    fn is_repetition(&self, ts: Timestamp, key: &Key, accepted: Option<Dialog>) -> bool {
        self.over(ts, key).any(|over| match (accepted, over.accepted) {
            (None, _) => true,
            (Some(tag), Some(known)) => tag == known || tag == NO_TAG || known == NO_TAG,
            (Some(_), None) => false,
        })
    }
}

/// Whether the method of this hash is "INVITE".
fn is_invite(method: u64) -> bool {
    method == hash(b"INVITE")
}

impl Key {
    fn new(side: FlowSide, identity: Identity) -> Self {
        let Identity { branch, call_id, number, method, .. } = identity;
        Key { side, branch, call_id, number, method }
    }

    /// Whether both are of one transaction. A message that was cut before its `CSeq` may be of any method.
    fn matches(&self, other: &Key) -> bool {
        let is_method =
            self.method == other.method || self.method == NO_METHOD || other.method == NO_METHOD;
        is_method
            && self.side == other.side
            && (self.branch, self.call_id, self.number)
                == (other.branch, other.call_id, other.number)
    }
}
