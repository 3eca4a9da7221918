//! Requests and their responses: transactions (RFC 3261 §17).

use std::collections::VecDeque;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::SipTransaction;
use crate::head::{MAX_FIELD, Message, kept};

/// Requests that may wait for a final response: servers on one flow have many calls.
const MAX_OPEN: usize = 64;
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
    over: VecDeque<(Timestamp, Key)>,
    count: u32,
}

/// What a request and its responses have in common (RFC 3261 §17.1.3, §17.2.3), and who sent the request.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Key {
    side: FlowSide,
    /// The branch of the topmost `Via`, the number and method of `CSeq`, and the `Call-ID`.
    text: Vec<u8>,
}

impl Pairing {
    /// A message that `side` sent.
    pub(crate) fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message,
        out: &mut Vec<SipTransaction>,
    ) {
        match message {
            Message::Request(request) => {
                let key = Key::of(side, &request.fields);
                if let Some((_, open)) = self.open.iter_mut().find(|(open, _)| *open == key) {
                    open.retransmissions += 1;
                    return;
                }
                if self.is_over(ts, &key) {
                    return;
                }
                // "ACK" has no response (RFC 3261 §17.1).
                let has_response = request.method != b"ACK";
                let transaction = self.begin(side, ts);
                let transaction = SipTransaction { request: Some(request), ..transaction };
                if !has_response {
                    self.finish(ts, key, transaction, out);
                    return;
                }
                if self.open.len() == MAX_OPEN {
                    out.extend(self.open.pop_front().map(|(_, open)| *open));
                }
                self.open.push_back((key, Box::new(transaction)));
            }
            Message::Response(response) => {
                let key = Key::of(!side, &response.fields);
                let is_final = response.code >= 200;
                let Some(at) = self.open.iter().position(|(open, _)| *open == key) else {
                    if !self.is_over(ts, &key) {
                        let transaction = self.begin(!side, ts);
                        let provisional = u32::from(!is_final);
                        let response = Some(response);
                        self.finish(
                            ts,
                            key,
                            SipTransaction { response, provisional, ..transaction },
                            out,
                        );
                    }
                    return;
                };
                if is_final {
                    let Some((key, mut transaction)) = self.open.remove(at) else { return };
                    transaction.latency = Some(ts.since(transaction.ts));
                    transaction.response = Some(response);
                    self.finish(ts, key, *transaction, out);
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
        let open = |(key, open): &(Key, Box<SipTransaction>)| {
            key.text.capacity() + size_of::<SipTransaction>() + open.heap_bytes()
        };
        self.open.capacity() * size_of::<(Key, Box<SipTransaction>)>()
            + self.open.iter().map(open).sum::<usize>()
            + self.over.capacity() * size_of::<(Timestamp, Key)>()
            + self.over.iter().map(|(_, key)| key.text.capacity()).sum::<usize>()
    }

    fn begin(&mut self, side: FlowSide, ts: Timestamp) -> SipTransaction {
        let id = self.count;
        self.count = self.count.wrapping_add(1);
        SipTransaction::new(side, ts, id)
    }

    fn finish(
        &mut self,
        ts: Timestamp,
        key: Key,
        transaction: SipTransaction,
        out: &mut Vec<SipTransaction>,
    ) {
        if self.over.len() == MAX_OVER {
            self.over.pop_front();
        }
        self.over.push_back((ts, key));
        out.push(transaction);
    }

    fn is_over(&self, ts: Timestamp, key: &Key) -> bool {
        let mut over = self.over.iter();
        over.any(|(at, over)| over == key && ts.since(*at) <= REPETITIONS)
    }
}

impl Key {
    fn of(side: FlowSide, fields: &crate::SipFields) -> Self {
        let branch = fields.via.first().map_or(&b""[..], |via| branch(via));
        let cseq = fields.cseq.as_deref().unwrap_or_default();
        let call_id = fields.call_id.as_deref().unwrap_or_default();
        let mut text = kept(branch, MAX_FIELD);
        for word in cseq.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            text.push(b' ');
            text.extend_from_slice(word);
        }
        text.push(b' ');
        text.extend_from_slice(call_id);
        text.shrink_to_fit();
        Key { side, text }
    }
}

/// The parameter `branch` of a `Via` (RFC 3261 §20.42).
fn branch(via: &[u8]) -> &[u8] {
    for parameter in via.split(|&byte| byte == b';').skip(1) {
        let Some(end) = parameter.iter().position(|&byte| byte == b'=') else { continue };
        if parameter[..end].trim_ascii().eq_ignore_ascii_case(b"branch") {
            return parameter[end + 1..].trim_ascii();
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_is_a_parameter_of_via() {
        let check = |via: &str, expected: &str| {
            assert_eq!(branch(via.as_bytes()), expected.as_bytes(), "{via}");
        };
        check("SIP/2.0/UDP a:5060;rport;Branch = z9hG4bK1;x=y", "z9hG4bK1");
        check("SIP/2.0/UDP a;branch=", "");
        check("SIP/2.0/UDP branch=x", "");
    }
}
