#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, MessageCheck, ParseError, ParserStatus, Probe, SessionParser,
    StreamChunk, Timestamp, feed_once, parse_once,
};
use flowscope_lengths::{Framing, Head};

use crate::Krb5Exchange;
use crate::pairing::{Pairing, hash};
use crate::probe::{self, LENGTH};
use crate::read::message;

/// Bytes of a message that are kept: tickets of large groups have tens of thousands, and stand before what is asked.
const MAX_KEPT: usize = 32 * 1024;

/// Reads Kerberos over TCP, each message behind its length (RFC 4120 §7.2.2), and emits a [`Krb5Exchange`] for each request
/// when its answer is there.
///
/// KRB_SAFE, KRB_PRIV and KRB_CRED, which are no part of these exchanges, give nothing. A message that cannot be read is
/// passed over; after more than 32 of them, and no message before, the parser fails. Bytes that were not captured are
/// passed over where they lie within a message; else they end parsing.
///
/// Holds at most 192 KiB: 32 KiB of a message per side, and 32 requests without an answer, each up to 1 KiB; more make the
/// oldest a record.
#[derive(Clone, Debug, Default)]
pub struct Krb5Parser {
    framings: [Framing<LENGTH, MAX_KEPT>; 2],
    pairing: Pairing,
    check: MessageCheck,
    /// The latest time fed.
    now: Timestamp,
}

/// The length before a message; its highest bit is none of it.
fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
    let Some(len) = start.first_chunk() else { return Ok(None) };
    match u32::from_be_bytes(*len) {
        0x8000_0000.. => Err(ParseError::InvalidField("length")),
        body => Ok(Some(Head { len: LENGTH, body })),
    }
}

impl SessionParser for Krb5Parser {
    type Message = Krb5Exchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Krb5Exchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Krb5Exchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Krb5Exchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        self.now = ts;
        let Krb5Parser { framings, pairing, check, .. } = self;
        let framing = &mut framings[side.index()];
        loop {
            let read = framing.next(&mut bytes, head, |framed| match message(framed.body) {
                Some(message) => {
                    pairing.message(side, ts, message, None, out);
                    check.record(true)
                }
                None => check.record(false),
            });
            match read {
                Ok(Some(ParserStatus::Continue)) => {}
                Ok(Some(status)) => return status,
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return check.fail(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Krb5Exchange>) -> ParserStatus {
        if self.framings[side.index()].skip(len) {
            // The message may be over.
            return self.feed_into(StreamChunk::new(side, self.now, 0, b""), out);
        }
        // Where the next message begins is not known any more.
        self.pairing.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<Krb5Exchange>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.framings.iter().map(Framing::heap_bytes).sum::<usize>() + self.pairing.heap_bytes()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::stream(start)
    }
}

/// Reads Kerberos over UDP, a message in each datagram (RFC 4120 §7.2.1), and emits as [`Krb5Parser`] does.
///
/// Repetitions of a request that has its answer, and of the answer, give nothing: within 30 seconds, of the last 32
/// exchanges. A datagram that is no message gives nothing. After more than 32 of them, and no message before, the parser
/// fails. Holds at most 64 KiB: 32 requests without an answer.
#[derive(Clone, Debug, Default)]
pub struct Krb5Datagrams {
    pairing: Pairing,
    check: MessageCheck,
}

impl DatagramParser for Krb5Datagrams {
    type Message = Krb5Exchange;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Krb5Exchange> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Krb5Exchange>) -> ParserStatus {
        let Datagram { side, ts, payload, wire_len } = datagram;
        let message = message(payload);
        let status = self.check.record(message.is_some());
        if let Some(message) = message {
            // The start of a message is that of others too.
            let is_whole = payload.len() >= wire_len as usize;
            let digest = is_whole.then(|| hash(payload));
            self.pairing.message(side, ts, message, digest, out);
        }
        status
    }

    fn end(&mut self, out: &mut Vec<Krb5Exchange>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.pairing.heap_bytes()
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        probe::datagram(payload)
    }
}
