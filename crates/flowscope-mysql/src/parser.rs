use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp,
    feed_once,
};

use crate::message::{MysqlOutcome, MysqlStart};
use crate::wire::{self, MAX_PAYLOAD};

/// Reads how a MySQL connection begins: greeting, the client's response, and whether it is accepted.
///
/// One [`MysqlStart`] comes of a connection. Commands are not read. The server is the side that speaks first.
///
/// **Bounds.** Holds at most one packet per side, with at most 8 KiB; longer ones are errors.
///
/// **Gaps.** A gap in what is read ends it, [cut](MysqlOutcome::Cut).
///
/// **Statuses.** [`Upgrade`](ParserStatus::Upgrade) behind an SSLRequest of the client;
/// [`StopSide`](ParserStatus::StopSide) for the client behind its response, where passwords may be;
/// [`Done`](ParserStatus::Done) with the record.
#[derive(Clone, Debug, Default)]
pub struct MysqlParser {
    start: Option<Box<MysqlStart>>,
    server: Option<FlowSide>,
    /// Whether the client's response was read.
    responded: bool,
    /// Of each side, a packet that is not there as a whole.
    held: [Vec<u8>; 2],
    left: Option<Remainder>,
    last: Option<ParserStatus>,
}

/// Moves bytes from the start of `bytes` to `held` until that has `len`; whether it has.
fn fill(held: &mut Vec<u8>, bytes: &mut &[u8], len: usize) -> bool {
    let missing = len.saturating_sub(held.len()).min(bytes.len());
    let (taken, rest) = bytes.split_at(missing);
    held.extend_from_slice(taken);
    *bytes = rest;
    held.len() >= len
}

impl MysqlParser {
    /// Reads packets, and gives the bytes behind the last one.
    fn read<'a>(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        mut bytes: &'a [u8],
        out: &mut Vec<MysqlStart>,
    ) -> Result<&'a [u8], ParseError> {
        while !bytes.is_empty() && self.last.is_none() {
            let server = Some(side) == self.server;
            if !server && self.responded {
                return Ok(&[]);
            }
            let held = &mut self.held[side.index()];
            if !fill(held, &mut bytes, 4) {
                break;
            }
            let (len, number) = wire::header(held);
            if self.start.is_none() && number != 0 {
                return Err(ParseError::NotTheProtocol);
            }
            if len > MAX_PAYLOAD {
                return Err(ParseError::TooLong(len as u64));
            }
            if !fill(held, &mut bytes, 4 + len) {
                break;
            }
            let packet = std::mem::take(held);
            if server {
                self.of_server(ts, &packet[4..], out)?;
            } else {
                self.of_client(ts, &packet[4..], out)?;
            }
        }
        Ok(bytes)
    }

    fn of_server(
        &mut self,
        ts: Timestamp,
        payload: &[u8],
        out: &mut Vec<MysqlStart>,
    ) -> Result<(), ParseError> {
        let greeted = self.start.is_some();
        let start = self.start.get_or_insert_default();
        if !greeted {
            start.started = ts;
        }
        match payload.first() {
            Some(0xff) => {
                start.error = wire::error(payload);
                start.success = Some(false);
                self.finish(ts, MysqlOutcome::Refused, ParserStatus::Done, out);
            }
            Some(10) if !greeted => {
                wire::greeting(payload, start).ok_or(ParseError::InvalidField("greeting"))?;
            }
            _ if !greeted => {
                self.start = None;
                return Err(ParseError::NotTheProtocol);
            }
            Some(0) => {
                start.success = Some(true);
                self.finish(ts, MysqlOutcome::Accepted, ParserStatus::Done, out);
            }
            // AuthMoreData, AuthNextFactorRequest (MySQL 8.0.27), and AuthSwitchRequest: authentication goes on.
            Some(1 | 2 | 0xfe) => {}
            _ => return Err(ParseError::InvalidField("answer")),
        }
        Ok(())
    }

    fn of_client(
        &mut self,
        ts: Timestamp,
        payload: &[u8],
        out: &mut Vec<MysqlStart>,
    ) -> Result<(), ParseError> {
        let start = self.start.as_mut().ok_or(ParseError::NotTheProtocol)?;
        let tls = wire::response(payload, start).ok_or(ParseError::InvalidField("response"))?;
        self.responded = true;
        if tls {
            self.finish(ts, MysqlOutcome::Encrypted, ParserStatus::Upgrade, out);
        }
        Ok(())
    }

    /// Gives up the record, once, and what is held; `status` is the last one.
    fn finish(
        &mut self,
        ts: Timestamp,
        outcome: MysqlOutcome,
        status: ParserStatus,
        out: &mut Vec<MysqlStart>,
    ) {
        self.last = Some(status);
        self.held = Default::default();
        if let Some(mut start) = self.start.take() {
            start.duration = Some(ts.since(start.started));
            start.outcome = outcome;
            out.push(*start);
        }
    }
}

impl SessionParser for MysqlParser {
    type Message = MysqlStart;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<MysqlStart> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<MysqlStart> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<MysqlStart>) -> ParserStatus {
        if let Some(status) = self.last {
            return status;
        }
        let StreamChunk { side, ts, offset, bytes, .. } = chunk;
        let server = *self.server.get_or_insert(side);
        match self.read(side, ts, bytes, out) {
            Ok(left) if self.last == Some(ParserStatus::Upgrade) && !left.is_empty() => {
                let offset = offset + (bytes.len() - left.len()) as u64;
                self.left = Some(Remainder { offset, bytes: left.to_vec() });
            }
            Ok(_) => {}
            Err(error) => {
                self.finish(ts, MysqlOutcome::Incomplete, ParserStatus::Failed(error), out);
            }
        }
        match self.last {
            Some(status) => status,
            None if self.responded && side != server => ParserStatus::StopSide(side),
            None => ParserStatus::Continue,
        }
    }

    fn gap(&mut self, side: FlowSide, _len: u64, out: &mut Vec<MysqlStart>) -> ParserStatus {
        if let Some(status) = self.last {
            return status;
        }
        if self.responded && Some(side) != self.server {
            return ParserStatus::StopSide(side);
        }
        self.held = Default::default();
        self.last = Some(ParserStatus::Done);
        out.extend(self.start.take().map(|mut start| {
            start.outcome = MysqlOutcome::Cut;
            *start
        }));
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<MysqlStart>) {
        out.extend(self.start.take().map(|start| *start));
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        if Some(side) == self.server { None } else { self.left.take() }
    }

    fn heap_bytes(&self) -> usize {
        let held: usize = self.held.iter().map(Vec::capacity).sum();
        let left = self.left.as_ref().map_or(0, |left| left.bytes.capacity());
        let start = self.start.as_ref();
        held + left + start.map_or(0, |start| size_of::<MysqlStart>() + start.heap_bytes())
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

#[cfg(test)]
mod tests;
