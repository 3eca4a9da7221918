//! Requests and their answers.

use std::collections::VecDeque;

use flowscope_core::{FlowSide, Timestamp};

use crate::Krb5Exchange;
use crate::read::Message;

/// Requests that may wait for an answer.
const MAX_OPEN: usize = 32;

/// The requests of a flow that have no answer yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    open: VecDeque<Open>,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    exchange: Krb5Exchange,
    nonce: Option<i64>,
}

impl Pairing {
    /// A message that `side` sent.
    ///
    /// The nonce of an answer is encrypted (RFC 4120 §5.4.2), so its type decides, and then its service: a server answers what
    /// it was asked for, or names another one, as for an alias.
    pub(crate) fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message,
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
            if self.open.len() == MAX_OPEN {
                out.extend(self.open.pop_front().map(|open| open.exchange));
            }
            self.open.push_back(Open { exchange, nonce });
            return;
        }
        exchange.side = !side;
        let is_asked = |open: &Open| {
            let asked = &open.exchange;
            asked.side != side && asked.request.is_some_and(|request| kind.answers(request))
        };
        let is_it = |open: &Open| is_asked(open) && open.exchange.service == exchange.service;
        let found =
            self.open.iter().position(is_it).or_else(|| self.open.iter().position(is_asked));
        out.push(match found.and_then(|at| self.open.remove(at)) {
            Some(Open { exchange: mut asked, .. }) => {
                asked.answered(exchange);
                asked
            }
            None => exchange,
        });
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<Krb5Exchange>) {
        out.extend(self.open.drain(..).map(|open| open.exchange));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Open>()
            + self.open.iter().map(|open| open.exchange.heap_bytes()).sum::<usize>()
    }
}
