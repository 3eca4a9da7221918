#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    MessageCheck, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_lengths::Framing;

use crate::pdu::{HEADER, MAX_LEN, Message, head};
use crate::{ModbusExchange, probe};

/// Requests that may wait for a response; a server takes 16 at most (Messaging §4.2).
const MAX_OPEN: usize = 32;

/// Reads a Modbus connection, and emits a [`ModbusExchange`] for each request when its response is there.
///
/// The initiator is the client, which opens the connection (Messaging §4.2); an exception is a response in either
/// direction. Of a connection whose opening was not captured, the client is the side of the first message that can only be
/// a request, or that gets the first one that can only be a response. A response has the transaction, the unit and the
/// function of its request; a request that has the same ends an earlier one. A message that cannot be read is passed over;
/// after more than 32 of them, and no message before, the parser fails. Bytes that were not captured are passed over where
/// they lie within a message; else they end parsing.
///
/// Holds at most 8 KiB: 254 bytes of a message per side, and 32 requests without a response; more make the oldest a record.
#[derive(Clone, Debug, Default)]
pub struct ModbusParser {
    framings: [Framing<HEADER, { MAX_LEN as usize }>; 2],
    pairing: Pairing,
    check: MessageCheck,
    /// The latest time fed.
    now: Timestamp,
}

/// The requests that have no response yet, oldest first.
#[derive(Clone, Debug, Default)]
struct Pairing {
    open: VecDeque<ModbusExchange>,
    /// Who asks, where a message has shown it.
    client: Option<FlowSide>,
    /// Whether the start of a side was not captured: the initiator may be the server.
    is_mid_stream: bool,
}

impl Pairing {
    fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message<'_>,
        out: &mut Vec<ModbusExchange>,
    ) {
        if self.is_mid_stream && self.client.is_none() {
            self.client = message.is_request().map(|asks| if asks { side } else { !side });
        }
        let is_request = side == self.client.unwrap_or(Initiator) && !message.is_exception;
        let mut exchange = ModbusExchange {
            ts,
            side: if is_request { side } else { !side },
            transaction_id: message.transaction_id,
            unit_id: message.unit_id,
            function: message.function,
            is_requested: is_request,
            is_answered: !is_request,
            read: None,
            write: None,
            value: None,
            sub_function: None,
            exception: message.exception(),
            latency: None,
        };
        let key = |x: &ModbusExchange| (x.side, x.transaction_id, x.unit_id, x.function);
        let is_same = |open: &ModbusExchange| key(open) == key(&exchange);
        let found = self.open.iter().position(is_same).and_then(|at| self.open.remove(at));
        if is_request {
            message.request(&mut exchange);
            // An identifier stands for one request at a time: the earlier one gets no response any more.
            out.extend(found);
            if self.open.len() == MAX_OPEN {
                out.extend(self.open.pop_front());
            }
            self.open.push_back(exchange);
            return;
        }
        out.push(match found {
            Some(mut asked) => {
                asked.is_answered = true;
                asked.exception = exchange.exception;
                asked.latency = Some(ts.since(asked.ts));
                asked
            }
            None => exchange,
        });
    }
}

impl SessionParser for ModbusParser {
    type Message = ModbusExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<ModbusExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<ModbusExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<ModbusExchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, mid_stream, .. } = chunk;
        self.pairing.is_mid_stream |= mid_stream;
        self.now = ts;
        loop {
            let pairing = &mut self.pairing;
            let read = self.framings[side.index()].next(&mut bytes, head, |framed| {
                let message = Message::new(framed.header, framed.body, framed.len);
                message.map(|message| pairing.message(side, ts, message, out)).is_some()
            });
            match read {
                Ok(Some(is_valid)) => match self.check.record(is_valid) {
                    ParserStatus::Continue => {}
                    status => return status,
                },
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return self.check.fail(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<ModbusExchange>) -> ParserStatus {
        if self.framings[side.index()].skip(len) {
            // The message may be over.
            return self.feed_into(StreamChunk::new(side, self.now, 0, b""), out);
        }
        // Where the next message begins is not known any more.
        self.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<ModbusExchange>) {
        out.extend(self.pairing.open.drain(..));
    }

    fn heap_bytes(&self) -> usize {
        self.framings.iter().map(Framing::heap_bytes).sum::<usize>()
            + self.pairing.open.capacity() * size_of::<ModbusExchange>()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}
