#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::{RdpSecurity, RdpStart, wire};

/// Bytes that a client may send before it has an answer.
const MAX_EARLY: usize = 4096;

/// Reads how an RDP connection begins, and emits one [`RdpStart`]: with the server's answer, or at the end.
///
/// The initiator is the client. Behind an agreement on TLS the parser gives way to another one
/// ([`ParserStatus::Upgrade`]); else it is done. So it is at bytes that were not captured.
///
/// Holds at most a message of each side, 260 bytes, and 4096 bytes that a client sends early; more are an error.
#[derive(Clone, Debug, Default)]
pub struct RdpParser {
    /// What the client asks for; none before its request is there.
    start: Option<Box<RdpStart>>,
    is_over: bool,
    /// Of each side: a message that is not there as a whole; of the client also what follows its request.
    held: [Vec<u8>; 2],
    /// Where in the stream of each side the next byte stands.
    ends: [u64; 2],
}

impl RdpParser {
    /// Moves bytes to what is held of a side, until its message is there: whether it is.
    fn fill(&mut self, side: FlowSide, bytes: &mut &[u8]) -> Result<bool, ParseError> {
        let held = &mut self.held[side.index()];
        loop {
            let len = wire::message_len(held)?;
            let missing = len.unwrap_or(5).saturating_sub(held.len());
            if len.is_some() && missing == 0 {
                return Ok(true);
            }
            if bytes.is_empty() {
                return Ok(false);
            }
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            held.extend_from_slice(taken);
            *bytes = rest;
        }
    }

    fn client(&mut self, ts: Timestamp, mut bytes: &[u8]) -> Result<(), ParseError> {
        if self.start.is_none() {
            if !self.fill(Initiator, &mut bytes)? {
                return Ok(());
            }
            let mut start = Box::new(RdpStart { ts, ..RdpStart::default() });
            wire::request(&std::mem::take(&mut self.held[0]), &mut start)?;
            self.start = Some(start);
        }
        let early = &mut self.held[0];
        if early.len() + bytes.len() > MAX_EARLY {
            return Err(ParseError::TooLong(MAX_EARLY as u64 + 1));
        }
        early.extend_from_slice(bytes);
        Ok(())
    }

    fn server(
        &mut self,
        ts: Timestamp,
        mut bytes: &[u8],
        out: &mut Vec<RdpStart>,
    ) -> Result<ParserStatus, ParseError> {
        if !self.fill(Responder, &mut bytes)? {
            return Ok(ParserStatus::Continue);
        }
        let message = std::mem::replace(&mut self.held[1], bytes.to_vec());
        let asked = self.start.take();
        // The request may have been captured late.
        let is_asked = asked.is_some();
        let mut start = asked.unwrap_or_else(|| Box::new(RdpStart { ts, ..RdpStart::default() }));
        wire::confirm(&message, &mut start)?;
        start.latency = is_asked.then(|| ts.since(start.ts));
        let is_tls = start.selected.is_some_and(RdpSecurity::is_tls);
        out.push(*start);
        self.is_over = true;
        Ok(if is_tls { ParserStatus::Upgrade } else { ParserStatus::Done })
    }
}

impl SessionParser for RdpParser {
    type Message = RdpStart;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<RdpStart> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<RdpStart> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<RdpStart>) -> ParserStatus {
        let StreamChunk { side, ts, offset, bytes, .. } = chunk;
        if self.is_over {
            return ParserStatus::Done;
        }
        self.ends[side.index()] = offset + bytes.len() as u64;
        let read = match side {
            Initiator => self.client(ts, bytes).map(|()| ParserStatus::Continue),
            Responder => self.server(ts, bytes, out),
        };
        read.unwrap_or_else(ParserStatus::Failed)
    }

    fn gap(&mut self, _side: FlowSide, _len: u64, out: &mut Vec<RdpStart>) -> ParserStatus {
        self.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<RdpStart>) {
        self.is_over = true;
        out.extend(self.start.take().map(|start| *start));
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        let bytes = std::mem::take(&mut self.held[side.index()]);
        let offset = self.ends[side.index()].saturating_sub(bytes.len() as u64);
        (!bytes.is_empty()).then_some(Remainder { offset, bytes })
    }

    fn heap_bytes(&self) -> usize {
        let start = self.start.as_ref();
        self.held.iter().map(Vec::capacity).sum::<usize>()
            + start.map_or(0, |start| size_of::<RdpStart>() + start.heap_bytes())
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}
