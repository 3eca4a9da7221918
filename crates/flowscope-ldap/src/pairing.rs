//! Operations and their results.

use std::collections::VecDeque;

use flowscope_core::{FlowSide, Timestamp};

use crate::read::Message;
use crate::{LdapExchange, LdapOperation};

/// Operations that may wait for their result.
const MAX_OPEN: usize = 64;

/// The operations of a connection that have no result yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    open: VecDeque<LdapExchange>,
}

impl Pairing {
    /// A message that `side` sent. Whether records were made of it: the last one is the operation that has ended.
    pub(crate) fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message,
        out: &mut Vec<LdapExchange>,
    ) -> bool {
        match message {
            Message::Request(mut exchange) => {
                exchange.ts = ts;
                exchange.side = side;
                if !exchange.operation.has_result() {
                    out.push(*exchange);
                    return false;
                }
                // An identifier is used again once its operation is over (§4.1.1.1): one that was abandoned has no result
                // (§4.11).
                let is_of = |open: &LdapExchange| {
                    open.side == side && open.message_id == exchange.message_id
                };
                let over = self.open.iter().position(is_of);
                out.extend(over.and_then(|at| self.open.remove(at)));
                if self.open.len() == MAX_OPEN {
                    out.extend(self.open.pop_front());
                }
                self.open.push_back(*exchange);
            }
            Message::Found { id, is_reference } => {
                let is_of = |open: &&mut LdapExchange| open.side != side && open.message_id == id;
                if let Some(open) = self.open.iter_mut().find(is_of) {
                    let count = if is_reference { &mut open.references } else { &mut open.entries };
                    *count += 1;
                }
            }
            Message::Response(id, operation, result, name) => {
                let is_of = |open: &LdapExchange| {
                    open.side != side && open.message_id == id && open.operation == operation
                };
                let found = self.open.iter().position(is_of);
                let mut exchange = match found.and_then(|at| self.open.remove(at)) {
                    Some(mut exchange) => {
                        exchange.latency = Some(ts.since(exchange.ts));
                        exchange
                    }
                    // A notification of the server (§4.4), or a request that was not captured.
                    None => LdapExchange {
                        ts,
                        side: !side,
                        argument: name,
                        ..LdapExchange::new(id, operation)
                    },
                };
                exchange.result = Some(result);
                out.push(exchange);
                return true;
            }
            Message::Intermediate => {}
        }
        false
    }

    /// Whether an operation of this kind waits for its result.
    pub(crate) fn waits(&self, operation: LdapOperation, argument: &[u8]) -> bool {
        let is_it = |open: &LdapExchange| {
            open.operation == operation && open.argument.as_deref() == Some(argument)
        };
        self.open.iter().any(is_it)
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<LdapExchange>) {
        out.extend(self.open.drain(..));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<LdapExchange>()
            + self.open.iter().map(LdapExchange::heap_bytes).sum::<usize>()
    }
}
