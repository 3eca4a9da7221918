use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp,
    feed_once,
};

use crate::message::{AuthMethod, Negotiation, PostgresqlOutcome, PostgresqlStart};
use crate::wire::{self, MAX_MESSAGE, Opening, PARAMETERS};

/// Reads how a PostgreSQL connection begins, version 3 of the protocol.
///
/// One [`PostgresqlStart`] comes of a connection: when the server is ready for queries, refuses or agrees to
/// encrypt, or at the end. Queries are not read. The client is the side that speaks first.
///
/// **Bounds.** Holds at most one message per side (10 000 bytes of a client, 8 KiB of a server), or 16 KiB that a
/// client sent before it had an answer about encryption; longer ones are errors.
///
/// **Gaps.** A gap in what is read ends it, [cut](PostgresqlOutcome::Cut).
///
/// **Statuses.** [`Upgrade`](ParserStatus::Upgrade) when the server accepts an SSLRequest;
/// [`StopSide`](ParserStatus::StopSide) for the client behind its StartupMessage, where passwords are;
/// [`Done`](ParserStatus::Done) with the record.
#[derive(Clone, Debug, Default)]
pub struct PostgresqlParser {
    start: Option<Box<PostgresqlStart>>,
    client: Option<FlowSide>,
    stage: Stage,
    /// Of the client: a message that is not there as a whole, or what came before an answer.
    asked: Vec<u8>,
    /// Where in the client's stream the next byte stands.
    asked_end: u64,
    /// Of the server: a message that is not there as a whole.
    answered: Vec<u8>,
    /// Bytes of a notice that are passed over.
    skip: usize,
    /// What the server sent behind its agreement to encryption.
    left: Option<Remainder>,
    last: Option<ParserStatus>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    /// The client's next message opens the connection.
    #[default]
    Opening,
    /// The server's next byte answers this request.
    Asked(Encryption),
    /// The server speaks in messages.
    Started,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Encryption {
    Ssl,
    Gss,
}

/// Bytes that a client may send before it has an answer about encryption.
const MAX_EARLY: usize = 16 * 1024;

/// Longest value of a parameter that is kept.
const MAX_VALUE: usize = 256;

const MAX_MECHANISMS: usize = 8;

/// Moves bytes from the start of `bytes` to `held` until that has `len`; whether it has.
fn fill(held: &mut Vec<u8>, bytes: &mut &[u8], len: usize) -> bool {
    let missing = len.saturating_sub(held.len()).min(bytes.len());
    let (taken, rest) = bytes.split_at(missing);
    held.extend_from_slice(taken);
    *bytes = rest;
    held.len() >= len
}

impl PostgresqlParser {
    /// Reads bytes of the client.
    fn client(
        &mut self,
        ts: Timestamp,
        mut bytes: &[u8],
        out: &mut Vec<PostgresqlStart>,
    ) -> Result<(), ParseError> {
        while !bytes.is_empty() && self.last.is_none() {
            match self.stage {
                Stage::Started => return Ok(()),
                Stage::Asked(_) => {
                    if self.asked.len() + bytes.len() > MAX_EARLY {
                        return Err(ParseError::TooLong(MAX_EARLY as u64 + 1));
                    }
                    self.asked.extend_from_slice(bytes);
                    return Ok(());
                }
                Stage::Opening => {
                    if !fill(&mut self.asked, &mut bytes, 4) {
                        return Ok(());
                    }
                    let len = wire::opening_len(&self.asked)?;
                    if !fill(&mut self.asked, &mut bytes, len) {
                        return Ok(());
                    }
                    let message = std::mem::take(&mut self.asked);
                    self.open(ts, &wire::opening(&message)?, out);
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, ts: Timestamp, opening: &Opening<'_>, out: &mut Vec<PostgresqlStart>) {
        let start = self.start.get_or_insert_with(|| Box::new(PostgresqlStart::new(ts)));
        match *opening {
            Opening::SslRequest => {
                start.ssl = Some(Negotiation::Unanswered);
                self.stage = Stage::Asked(Encryption::Ssl);
            }
            Opening::GssEncRequest => {
                start.gss = Some(Negotiation::Unanswered);
                self.stage = Stage::Asked(Encryption::Gss);
            }
            Opening::Cancel(process) => {
                start.cancel = Some(process);
                self.finish(ts, PostgresqlOutcome::Cancel, ParserStatus::Done, out);
            }
            Opening::Startup(version, parameters) => {
                start.version = Some(version);
                for (name, value) in wire::pairs(parameters) {
                    let slot = match name {
                        b"user" => &mut start.user,
                        b"database" => &mut start.database,
                        b"application_name" => &mut start.application_name,
                        b"replication" => &mut start.replication,
                        _ => continue,
                    };
                    *slot = Some(value.to_vec());
                }
                self.stage = Stage::Started;
            }
        }
    }

    /// Reads bytes of the server, and gives what is left of them when encryption begins.
    fn server<'a>(
        &mut self,
        ts: Timestamp,
        mut bytes: &'a [u8],
        out: &mut Vec<PostgresqlStart>,
    ) -> Result<&'a [u8], ParseError> {
        while !bytes.is_empty() && self.last.is_none() {
            let skipped = self.skip.min(bytes.len());
            if skipped > 0 {
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            match (self.stage, bytes) {
                // Nothing was asked.
                (Stage::Opening, _) => return Err(ParseError::NotTheProtocol),
                // A server that does not know the request says so in a message.
                (Stage::Asked(_), [b'E', ..]) => self.stage = Stage::Started,
                (Stage::Asked(what), [answer, rest @ ..]) => {
                    self.answer(ts, what, *answer, out)?;
                    bytes = rest;
                }
                (Stage::Asked(_), []) => {}
                (Stage::Started, _) => {
                    if !fill(&mut self.answered, &mut bytes, 5) {
                        break;
                    }
                    let len = wire::u32_at(&self.answered, 1).unwrap_or_default() as usize;
                    if len < 4 {
                        return Err(ParseError::InvalidField("length"));
                    }
                    if self.answered[0] == b'N' {
                        self.answered.clear();
                        self.skip = len - 4;
                        continue;
                    }
                    if len > MAX_MESSAGE {
                        return Err(ParseError::TooLong(len as u64));
                    }
                    if !fill(&mut self.answered, &mut bytes, 1 + len) {
                        break;
                    }
                    let message = std::mem::take(&mut self.answered);
                    self.message(ts, message[0], &message[5..], out)?;
                }
            }
        }
        Ok(bytes)
    }

    /// The server's byte about encryption.
    fn answer(
        &mut self,
        ts: Timestamp,
        what: Encryption,
        answer: u8,
        out: &mut Vec<PostgresqlStart>,
    ) -> Result<(), ParseError> {
        let status = match (what, answer) {
            (_, b'N') => None,
            (Encryption::Ssl, b'S') => Some(ParserStatus::Upgrade),
            // Tokens of GSSAPI and encrypted packets: no parser reads them.
            (Encryption::Gss, b'G') => Some(ParserStatus::Done),
            _ => return Err(ParseError::InvalidField("answer to a request for encryption")),
        };
        let said = if status.is_some() { Negotiation::Accepted } else { Negotiation::Refused };
        if let Some(start) = &mut self.start {
            match what {
                Encryption::Ssl => start.ssl = Some(said),
                Encryption::Gss => start.gss = Some(said),
            }
        }
        if let Some(status) = status {
            self.finish(ts, PostgresqlOutcome::Encrypted, status, out);
            return Ok(());
        }
        self.stage = Stage::Opening;
        let early = std::mem::take(&mut self.asked);
        self.client(ts, &early, out)
    }

    /// A message of the server.
    fn message(
        &mut self,
        ts: Timestamp,
        kind: u8,
        body: &[u8],
        out: &mut Vec<PostgresqlStart>,
    ) -> Result<(), ParseError> {
        let Some(start) = &mut self.start else { return Ok(()) };
        match kind {
            b'R' => {
                let number = wire::u32_at(body, 0);
                let number = number.ok_or(ParseError::InvalidField("authentication"))?;
                if number == 0 {
                    start.authenticated = Some(true);
                } else if let Some(method) = AuthMethod::of(number)
                    && start.auth.is_none()
                {
                    start.auth = Some(method);
                    if method == AuthMethod::Sasl {
                        let names = wire::texts(&body[4..]).take(MAX_MECHANISMS);
                        start.sasl_mechanisms = names.map(<[u8]>::to_vec).collect();
                    }
                }
            }
            b'S' => {
                if let Some((name, value)) = wire::pairs(body).next()
                    && let Some(name) = PARAMETERS.iter().find(|known| known.as_bytes() == name)
                {
                    let value = value[..value.len().min(MAX_VALUE)].to_vec();
                    match start.parameters.iter_mut().find(|(known, _)| known == name) {
                        Some(known) => known.1 = value,
                        None => start.parameters.push((name, value)),
                    }
                }
            }
            b'K' => start.process_id = wire::u32_at(body, 0),
            b'E' => {
                start.error = Some(wire::error(body));
                start.authenticated.get_or_insert(false);
                self.finish(ts, PostgresqlOutcome::Refused, ParserStatus::Done, out);
            }
            b'Z' => self.finish(ts, PostgresqlOutcome::Ready, ParserStatus::Done, out),
            // NegotiateProtocolVersion: an older minor version is spoken, without some options.
            b'v' => {}
            _ => return Err(ParseError::InvalidField("message type")),
        }
        Ok(())
    }

    /// Gives up the record, once, and what is held; `status` is the last one.
    fn finish(
        &mut self,
        ts: Timestamp,
        outcome: PostgresqlOutcome,
        status: ParserStatus,
        out: &mut Vec<PostgresqlStart>,
    ) {
        self.last = Some(status);
        self.answered = Vec::new();
        if status != ParserStatus::Upgrade {
            self.asked = Vec::new();
        }
        if let Some(mut start) = self.start.take() {
            start.duration = Some(ts.since(start.started));
            start.outcome = outcome;
            out.push(*start);
        }
    }
}

impl SessionParser for PostgresqlParser {
    type Message = PostgresqlStart;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<PostgresqlStart> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<PostgresqlStart> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(
        &mut self,
        chunk: StreamChunk<'_>,
        out: &mut Vec<PostgresqlStart>,
    ) -> ParserStatus {
        if let Some(status) = self.last {
            return status;
        }
        let StreamChunk { side, ts, offset, bytes, .. } = chunk;
        let client = *self.client.get_or_insert(side);
        let end = offset + bytes.len() as u64;
        let read = if side == client {
            self.asked_end = end;
            self.client(ts, bytes, out)
        } else {
            self.server(ts, bytes, out).map(|left| {
                if self.last == Some(ParserStatus::Upgrade) && !left.is_empty() {
                    let offset = end - left.len() as u64;
                    self.left = Some(Remainder { offset, bytes: left.to_vec() });
                }
            })
        };
        if let Err(error) = read {
            self.finish(ts, PostgresqlOutcome::Incomplete, ParserStatus::Failed(error), out);
        }
        match self.last {
            Some(status) => status,
            None if self.stage == Stage::Started && side == client => ParserStatus::StopSide(side),
            None => ParserStatus::Continue,
        }
    }

    fn gap(&mut self, side: FlowSide, _len: u64, out: &mut Vec<PostgresqlStart>) -> ParserStatus {
        match self.last {
            Some(status) => status,
            None if self.stage == Stage::Started && Some(side) == self.client => {
                ParserStatus::StopSide(side)
            }
            None => {
                self.asked = Vec::new();
                self.answered = Vec::new();
                self.last = Some(ParserStatus::Done);
                out.extend(self.start.take().map(|mut start| {
                    start.outcome = PostgresqlOutcome::Cut;
                    *start
                }));
                ParserStatus::Done
            }
        }
    }

    fn end(&mut self, out: &mut Vec<PostgresqlStart>) {
        out.extend(self.start.take().map(|start| *start));
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        if Some(side) != self.client {
            return self.left.take();
        }
        let bytes = std::mem::take(&mut self.asked);
        let offset = self.asked_end.saturating_sub(bytes.len() as u64);
        (!bytes.is_empty()).then_some(Remainder { offset, bytes })
    }

    fn heap_bytes(&self) -> usize {
        let left = self.left.as_ref().map_or(0, |left| left.bytes.capacity());
        let start = self.start.as_ref();
        let start = start.map_or(0, |start| size_of::<PostgresqlStart>() + start.heap_bytes());
        self.asked.capacity() + self.answered.capacity() + left + start
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

#[cfg(test)]
mod tests;
