#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, MessageCheck, ParserStatus, Probe, SessionParser, StreamChunk,
    Timestamp, feed_once, parse_once,
};
use flowscope_lengths::{Framing, Message};

use crate::Dnp3Exchange;
use crate::application::fragment;
use crate::link::{self, Data, Frame, HEADER, MAX_BODY, head};
use crate::pairing::Pairing;
use crate::transport::Reassembly;

/// What is read of both sides, however frames come.
#[derive(Clone, Debug, Default)]
struct Sides {
    reassemblies: [Reassembly; 2],
    pairing: Pairing,
}

impl Sides {
    /// A frame that `side` sent. Whether its check sums are right.
    fn frame(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: Message<'_>,
        out: &mut Vec<Dnp3Exchange>,
    ) -> bool {
        let Some(Frame { control, source, destination }) = Frame::new(message.header) else {
            return false;
        };
        let is_whole = message.is_whole();
        let Some(data) = Data::new(message.body, is_whole) else { return false };
        if !control.has_data() {
            return true;
        }
        let addresses = (source, destination);
        let read = |bytes: &[u8]| fragment(control, bytes);
        let reassembly = &mut self.reassemblies[side.index()];
        let found = reassembly.segment(addresses, data.bytes(), is_whole, read);
        if let Some(fragment) = found.flatten() {
            self.pairing.fragment(side, ts, addresses, fragment, out);
        }
        true
    }

    fn heap_bytes(&self) -> usize {
        self.reassemblies.iter().map(Reassembly::heap_bytes).sum::<usize>()
            + self.pairing.heap_bytes()
    }
}

/// Reads DNP3 over TCP, frame by frame, and emits a [`Dnp3Exchange`] for each request when its response is there, for each that
/// has none, and for each unsolicited response.
///
/// A frame whose data have a wrong check sum is passed over; after more than 32 of them, and no frame before, the parser fails.
/// Where that of a header is wrong, parsing ends: the next frame may begin anywhere. Bytes that were not captured are passed
/// over where they lie within a frame; else they end parsing.
///
/// Holds at most 16 KiB: a frame and 256 bytes of a fragment per side, and 32 requests without a response; more make the
/// oldest a record.
#[derive(Clone, Debug, Default)]
pub struct Dnp3Parser {
    framings: [Framing<HEADER, MAX_BODY>; 2],
    sides: Sides,
    check: MessageCheck,
    /// The latest time fed.
    now: Timestamp,
}

impl SessionParser for Dnp3Parser {
    type Message = Dnp3Exchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Dnp3Exchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Dnp3Exchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Dnp3Exchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        self.now = ts;
        let Dnp3Parser { framings, sides, check, .. } = self;
        loop {
            let read = framings[side.index()]
                .next(&mut bytes, head, |message| sides.frame(side, ts, message, out));
            match read {
                Ok(Some(is_valid)) => match check.record(is_valid) {
                    ParserStatus::Continue => {}
                    status => return status,
                },
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return check.fail(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Dnp3Exchange>) -> ParserStatus {
        if self.framings[side.index()].skip(len) {
            // The frame may be over.
            return self.feed_into(StreamChunk::new(side, self.now, 0, b""), out);
        }
        // Where the next frame begins is not known any more.
        self.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<Dnp3Exchange>) {
        self.sides.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.framings.iter().map(Framing::heap_bytes).sum::<usize>() + self.sides.heap_bytes()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        link::probe(start)
    }
}

/// Reads DNP3 over UDP, whose datagrams hold whole frames (IEEE 1815 §13), and emits as [`Dnp3Parser`] does.
///
/// A datagram that begins with no frame gives nothing. After more than 32 of them, and no frame before, the parser fails.
/// Holds at most 16 KiB, as [`Dnp3Parser`].
#[derive(Clone, Debug, Default)]
pub struct Dnp3Datagrams {
    sides: Sides,
    check: MessageCheck,
}

impl DatagramParser for Dnp3Datagrams {
    type Message = Dnp3Exchange;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Dnp3Exchange> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Dnp3Exchange>) -> ParserStatus {
        let Datagram { side, ts, payload: mut rest, .. } = datagram;
        let mut any = false;
        while let Ok(Some(head)) = head(rest) {
            let (header, behind) = rest.split_at(head.len);
            let (body, next) = behind.split_at(behind.len().min(head.body as usize));
            any = true;
            self.sides.frame(side, ts, Message { header, len: head.body, body }, out);
            rest = next;
        }
        self.check.record(any)
    }

    fn end(&mut self, out: &mut Vec<Dnp3Exchange>) {
        self.sides.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.sides.heap_bytes()
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        link::probe(payload)
    }
}
