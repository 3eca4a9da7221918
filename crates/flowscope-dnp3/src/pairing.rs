//! Requests and their responses.

use std::collections::VecDeque;

use flowscope_core::{FlowSide, Timestamp};

use crate::application::Fragment;
use crate::{Dnp3Application, Dnp3Exchange, Dnp3Function, Dnp3Indications};

/// Requests that may wait for a response, or for the rest of one.
const MAX_OPEN: usize = 32;
/// The first of the addresses that stand for all outstations, none of which answers (IEEE 1815 §9.2).
const BROADCAST: u16 = 0xfffd;

/// The exchanges of a flow that are not complete yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    open: VecDeque<Dnp3Exchange>,
}

impl Pairing {
    /// A fragment that `side` sent from one address to another.
    pub(crate) fn fragment(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        (source, destination): (u16, u16),
        fragment: Fragment,
        out: &mut Vec<Dnp3Exchange>,
    ) {
        let Fragment { header, function, indications, objects } = fragment;
        if function == Dnp3Function::CONFIRM {
            return;
        }
        let is_response = function.is_response();
        let (master, outstation) =
            if is_response { (destination, source) } else { (source, destination) };
        let mut exchange = Dnp3Exchange {
            ts,
            side: if is_response { !side } else { side },
            master,
            outstation,
            request: None,
            response: None,
            requested: None,
            responded: None,
            indications,
            objects,
            fragments: 0,
            latency: None,
        };
        if !is_response {
            exchange.request = Some(function);
            exchange.requested = Some(header);
            // There are 16 sequence numbers: an earlier request with this one gets no response any more.
            out.extend(self.take(&exchange, |open| asks_with(open, header.sequence())));
            if function.is_answered() && destination < BROADCAST {
                self.push(exchange, out);
            } else {
                out.push(exchange);
            }
            return;
        }
        exchange.response = Some(function);
        exchange.responded = Some(header);
        exchange.fragments = 1;
        if function != Dnp3Function::UNSOLICITED_RESPONSE {
            let Some(mut open) = self.take(&exchange, |open| goes_on(open, header)) else {
                if header.is_final() {
                    out.push(exchange);
                } else {
                    self.push(exchange, out);
                }
                return;
            };
            if open.response.is_none() {
                open.response = exchange.response;
                open.responded = exchange.responded;
                open.latency = Some(ts.since(open.ts));
            }
            open.fragments = if header.is_first() { 1 } else { open.fragments + 1 };
            let both = [open.indications, indications].into_iter().flatten();
            open.indications = both.reduce(|one, other| Dnp3Indications(one.0 | other.0));
            exchange = open;
        }
        if header.is_final() || function == Dnp3Function::UNSOLICITED_RESPONSE {
            out.push(exchange);
        } else {
            self.push(exchange, out);
        }
    }

    /// The latest exchange between the addresses of this one for which `is_it` holds.
    fn take(
        &mut self,
        of: &Dnp3Exchange,
        is_it: impl Fn(&Dnp3Exchange) -> bool,
    ) -> Option<Dnp3Exchange> {
        let ends = |x: &Dnp3Exchange| (x.side, x.master, x.outstation);
        let at = self.open.iter().rposition(|open| ends(open) == ends(of) && is_it(open))?;
        self.open.remove(at)
    }

    fn push(&mut self, exchange: Dnp3Exchange, out: &mut Vec<Dnp3Exchange>) {
        if self.open.len() == MAX_OPEN {
            out.extend(self.open.pop_front());
        }
        self.open.push_back(exchange);
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<Dnp3Exchange>) {
        out.extend(self.open.drain(..));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let objects = |open: &Dnp3Exchange| open.objects.capacity() * 2;
        self.open.capacity() * size_of::<Dnp3Exchange>()
            + self.open.iter().map(objects).sum::<usize>()
    }
}

/// Whether the request of an exchange has this sequence number.
fn asks_with(open: &Dnp3Exchange, sequence: u8) -> bool {
    open.requested.is_some_and(|header| header.sequence() == sequence)
}

/// Whether a fragment with this header belongs to the response of an exchange: the first has the sequence number of the request,
/// each further one the next (IEEE 1815 §4.2.2).
fn goes_on(open: &Dnp3Exchange, header: Dnp3Application) -> bool {
    if header.is_first() {
        return asks_with(open, header.sequence());
    }
    let begun = open.requested.or(open.responded).map_or(0, |header| header.sequence());
    let next = (u32::from(begun) + open.fragments) & 0xf;
    open.fragments > 0 && next == u32::from(header.sequence())
}
