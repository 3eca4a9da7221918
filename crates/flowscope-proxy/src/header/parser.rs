#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};

use super::{ProxyHeader, wire};
use crate::handoff::Handoff;

/// Reads the header at the start of a connection, emits it, and gives way to the protocol behind it
/// ([`ParserStatus::Upgrade`]).
///
/// The initiator is the proxy. Bytes that were not captured end parsing. Holds 8192 bytes per side, more of
/// which are an error; a header of version 2 may have 4096.
#[derive(Clone, Debug, Default)]
pub struct ProxyParser {
    held: Handoff,
    is_over: bool,
}

impl SessionParser for ProxyParser {
    type Message = ProxyHeader;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<ProxyHeader> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<ProxyHeader> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<ProxyHeader>) -> ParserStatus {
        if self.is_over {
            return ParserStatus::Done;
        }
        self.held.push(chunk);
        let bytes = self.held.bytes(Initiator);
        let read = if bytes.is_empty() { Ok(None) } else { wire::header(bytes) };
        let error = match read {
            Ok(Some(header)) => {
                self.is_over = true;
                self.held.consume(Initiator, header.len as usize);
                out.push(ProxyHeader { ts: chunk.ts, ..header });
                return ParserStatus::Upgrade;
            }
            Ok(None) => match self.held.check() {
                Ok(()) => return ParserStatus::Continue,
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.is_over = true;
        self.held.clear();
        ParserStatus::Failed(error)
    }

    fn gap(&mut self, _side: FlowSide, _len: u64, _out: &mut Vec<ProxyHeader>) -> ParserStatus {
        self.is_over = true;
        self.held.clear();
        ParserStatus::Done
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.held.take(side)
    }

    fn heap_bytes(&self) -> usize {
        self.held.heap_bytes()
    }

    /// Sure of `PROXY TCP4`, `PROXY TCP6`, `PROXY UNKNOWN` and of the signature of version 2.
    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        if side == Responder {
            return Probe::Maybe;
        }
        let begins: [&[u8]; 4] =
            [b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", wire::SIGNATURE];
        if begins.iter().any(|begin| start.starts_with(begin)) {
            Probe::Yes
        } else if begins.iter().any(|begin| begin.starts_with(start)) {
            Probe::Maybe
        } else {
            Probe::No
        }
    }
}
