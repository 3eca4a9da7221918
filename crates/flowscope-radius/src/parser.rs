#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use crate::packet::{Packet, packet};
use crate::{RadiusAttributes, RadiusExchange};

/// Requests that may wait for an answer.
const MAX_OPEN: usize = 128;

/// Reads the RADIUS packets of a UDP flow, and emits a [`RadiusExchange`] for each request when its answer is there.
///
/// A request that takes the identifier of one without an answer makes that one a record; with the same authenticator
/// it is a repetition. A datagram that is no packet gives nothing. After more than 32 of them, and no packet before, the
/// parser fails.
///
/// Holds at most 384 KiB: 128 requests without an answer; more make the oldest a record.
#[derive(Clone, Debug, Default)]
pub struct RadiusParser {
    /// Oldest first.
    open: VecDeque<Open>,
    check: MessageCheck,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    exchange: RadiusExchange,
    authenticator: [u8; 16],
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
            if let Some(at) = self.open.iter().position(is_same) {
                if self.open[at].authenticator == authenticator {
                    self.open[at].exchange.retransmissions += 1;
                    return;
                }
                out.extend(self.open.remove(at).map(|open| open.exchange));
            }
            if self.open.len() == MAX_OPEN {
                out.extend(self.open.pop_front().map(|open| open.exchange));
            }
            let exchange = RadiusExchange { request: Some(code), attributes, ..exchange(side) };
            self.open.push_back(Open { exchange, authenticator });
            return;
        }
        let is_asked = |open: &Open| {
            let asked = &open.exchange;
            let answers = asked.request.is_some_and(|request| code.answers(request));
            asked.side != side && asked.id == id && answers
        };
        match self.open.iter().position(is_asked).and_then(|at| self.open.remove(at)) {
            Some(Open { mut exchange, .. }) => {
                exchange.response = Some(code);
                exchange.latency = Some(ts.since(exchange.ts));
                exchange.attributes.answered(attributes);
                out.push(exchange);
            }
            None => {
                out.push(RadiusExchange { response: Some(code), attributes, ..exchange(!side) });
            }
        }
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
        self.open.capacity() * size_of::<Open>() + open.sum::<usize>()
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
