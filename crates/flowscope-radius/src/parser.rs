#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use crate::packet::{Packet, packet};
use crate::{RadiusAttributes, RadiusCode, RadiusExchange};

/// Requests that may wait for an answer.
const MAX_OPEN: usize = 128;
/// Exchanges that are over and whose repetitions are not reported.
const MAX_OVER: usize = 128;
/// How long repetitions come: after that, clients have given up, and servers do not keep answers (RFC 5080 §2.2.2).
const REPETITIONS: Duration = Duration::from_secs(30);

/// Reads the RADIUS packets of a UDP flow, and emits a [`RadiusExchange`] for each request when its answer is there.
///
/// A request that takes the identifier of one without an answer makes that one a record; with the same authenticator
/// it is a repetition. Repetitions of a request that has its answer, and of the answer, give nothing: within 30 seconds, of
/// the last 128 exchanges (RFC 5080 §2.2.2). A datagram that is no packet gives nothing. After more than 32 of them, and no
/// packet before, the parser fails.
///
/// Holds at most 384 KiB: 128 requests without an answer, and 128 exchanges that are over; more requests make the oldest a
/// record.
#[derive(Clone, Debug, Default)]
pub struct RadiusParser {
    /// Oldest first.
    open: VecDeque<Open>,
    /// Oldest first.
    over: VecDeque<Over>,
    check: MessageCheck,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    exchange: RadiusExchange,
    authenticator: [u8; 16],
}

/// An exchange that is over.
#[derive(Clone, Copy, Debug)]
struct Over {
    /// When the answer was captured.
    ts: Timestamp,
    side: FlowSide,
    id: u8,
    /// Code and authenticator of the request; `None` if it was not captured.
    request: Option<(RadiusCode, [u8; 16])>,
    /// The authenticator of an answer is a hash over it and over that of the request (RFC 2865 §3).
    response: (RadiusCode, [u8; 16]),
    /// Repetitions of the request without an answer of their own so far.
    repeated: u32,
}

impl RadiusParser {
    fn packet(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        packet: Packet,
        out: &mut Vec<RadiusExchange>,
    ) {
        let Packet { code, id, authenticator, attributes } = packet;
        let exchange = |side| RadiusExchange {
            ts,
            side,
            id,
            request: None,
            response: None,
            attributes: RadiusAttributes::default(),
            retransmissions: 0,
            latency: None,
        };
        if code.is_request() {
            let is_same = |open: &Open| {
                let asked = &open.exchange;
                asked.side == side && asked.id == id && asked.request == Some(code)
            };
            let found = self.open.iter().position(is_same);
            if let Some(open) = found.map(|at| &mut self.open[at])
                && open.authenticator == authenticator
            {
                open.exchange.retransmissions += 1;
                return;
            }
            if let Some(over) =
                self.over(ts, side, id, |over| over.request == Some((code, authenticator)))
            {
                over.repeated = over.repeated.saturating_add(1);
                return;
            }
            if let Some(at) = found {
                out.extend(self.open.remove(at).map(|open| open.exchange));
            }
            if self.open.len() == MAX_OPEN {
                out.extend(self.open.pop_front().map(|open| open.exchange));
            }
            let exchange = RadiusExchange { request: Some(code), attributes, ..exchange(side) };
            self.open.push_back(Open { exchange, authenticator });
            return;
        }
        let response = (code, authenticator);
        if let Some(over) = self.over(ts, !side, id, |over| over.response == response) {
            over.repeated = over.repeated.saturating_sub(1);
            return;
        }
        let is_asked = |open: &Open| {
            let asked = &open.exchange;
            let answers = asked.request.is_some_and(|request| code.answers(request));
            asked.side != side && asked.id == id && answers
        };
        match self.open.iter().position(is_asked).and_then(|at| self.open.remove(at)) {
            Some(Open { mut exchange, authenticator }) => {
                let request = exchange.request.map(|code| (code, authenticator));
                let repeated = exchange.retransmissions;
                self.finish(Over { ts, side: !side, id, request, response, repeated });
                exchange.response = Some(code);
                exchange.latency = Some(ts.since(exchange.ts));
                exchange.attributes.answered(attributes);
                out.push(exchange);
            }
            None => {
                // A server that keeps no answers makes another one for a repetition.
                let answers = |over: &Over| {
                    over.repeated > 0 && over.request.is_some_and(|(asked, _)| code.answers(asked))
                };
                if let Some(over) = self.over(ts, !side, id, answers) {
                    over.repeated -= 1;
                    return;
                }
                self.finish(Over { ts, side: !side, id, request: None, response, repeated: 0 });
                out.push(RadiusExchange { response: Some(code), attributes, ..exchange(!side) });
            }
        }
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
        id: u8,
        is_it: impl Fn(&Over) -> bool,
    ) -> Option<&mut Over> {
        let mut over = self.over.iter_mut().rev();
        over.find(|over| {
            (over.side, over.id) == (side, id) && is_it(over) && ts.since(over.ts) <= REPETITIONS
        })
    }
}

impl DatagramParser for RadiusParser {
    type Message = RadiusExchange;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<RadiusExchange> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(
        &mut self,
        datagram: Datagram<'_>,
        out: &mut Vec<RadiusExchange>,
    ) -> ParserStatus {
        let Datagram { side, ts, payload, wire_len } = datagram;
        let packet = packet(payload, payload.len().max(wire_len as usize));
        let status = self.check.record(packet.is_some());
        if let Some(packet) = packet {
            self.packet(side, ts, packet, out);
        }
        status
    }

    fn end(&mut self, out: &mut Vec<RadiusExchange>) {
        out.extend(self.open.drain(..).map(|open| open.exchange));
    }

    fn heap_bytes(&self) -> usize {
        let open = self.open.iter().map(|open| open.exchange.attributes.heap_bytes());
        self.open.capacity() * size_of::<Open>()
            + open.sum::<usize>()
            + self.over.capacity() * size_of::<Over>()
    }

    /// Sure of a known code, and of attributes that fill the datagram. A packet without any says little.
    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        match packet(payload, payload.len()) {
            Some(_)
                if payload.len() > 20 && payload[2..4] == (payload.len() as u16).to_be_bytes() =>
            {
                Probe::Yes
            }
            Some(_) => Probe::Maybe,
            None if payload.len() < 20 => Probe::No,
            // It may be cut: the length on the wire is not known here.
            None if packet(payload, usize::from(u16::MAX)).is_some() => Probe::Maybe,
            None => Probe::No,
        }
    }
}
