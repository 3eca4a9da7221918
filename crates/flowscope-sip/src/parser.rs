#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, MessageCheck, ParserStatus, Probe, SessionParser, StreamChunk,
    Timestamp, feed_once, parse_once,
};

use crate::SipTransaction;
use crate::pairing::Pairing;
use crate::probe;
use crate::reader::Reader;

/// Reads SIP over TCP, and emits a [`SipTransaction`] for each request when its final response is there.
///
/// Either side may send requests. Bodies are passed over but for the media of SDP. Behind bytes that were not captured
/// it goes on at the next start line. A line that begins no message is passed over, up to eight in succession; more,
/// one at the start, or a header of more than 64 KiB, ends parsing.
///
/// Holds at most 768 KiB: 64 requests without a final response, each up to 6 KiB, as is its provisional response; more
/// make the oldest a record. Repetitions are known of the last 32 transactions that are over, within 32 seconds.
#[derive(Clone, Debug, Default)]
pub struct SipParser {
    readers: [Reader; 2],
    pairing: Pairing,
}

impl SessionParser for SipParser {
    type Message = SipTransaction;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<SipTransaction> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<SipTransaction> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<SipTransaction>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        loop {
            match self.readers[side.index()].next(&mut bytes) {
                Ok(Some((message, identity))) => {
                    self.pairing.message(side, ts, message, identity, out);
                }
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return ParserStatus::Failed(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, _out: &mut Vec<SipTransaction>) -> ParserStatus {
        self.readers[side.index()].gap(len);
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<SipTransaction>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.readers.iter().map(Reader::heap_bytes).sum::<usize>() + self.pairing.heap_bytes()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}

/// Reads SIP over UDP, a message in each datagram, and emits as [`SipParser`] does.
///
/// A datagram that is no message gives nothing. After more than 32 of them, and no message before, the parser
/// fails. Holds as much as [`SipParser`].
#[derive(Clone, Debug, Default)]
pub struct SipDatagrams {
    pairing: Pairing,
    check: MessageCheck,
}

impl DatagramParser for SipDatagrams {
    type Message = SipTransaction;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<SipTransaction> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(
        &mut self,
        datagram: Datagram<'_>,
        out: &mut Vec<SipTransaction>,
    ) -> ParserStatus {
        let Datagram { side, ts, payload, wire_len } = datagram;
        let missing = u64::from(wire_len).saturating_sub(payload.len() as u64);
        let message = Reader::datagram(payload, missing);
        let status = self.check.record(message.is_some());
        if let Some((message, identity)) = message {
            self.pairing.message(side, ts, message, identity, out);
        }
        status
    }

    fn end(&mut self, out: &mut Vec<SipTransaction>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.pairing.heap_bytes()
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        probe::probe(payload)
    }
}
