use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::FingerLookup;

/// Longest query that is read, in bytes; RFC 1288 has no bound.
const MAX_QUERY: usize = 1024;

/// Reads a Finger connection: one line asks, everything behind it answers (RFC 1288 §2).
///
/// Emits one [`FingerLookup`], at the end. Holds at most one query, 1024 bytes. An answer that nothing was
/// asked for, and a longer query, are errors.
#[derive(Clone, Debug, Default)]
pub struct FingerParser {
    /// The start of a query whose end is still to come.
    line: Vec<u8>,
    lookup: Option<FingerLookup>,
}

impl FingerParser {
    fn ask(&mut self, ts: Timestamp, bytes: &[u8]) -> ParserStatus {
        if self.lookup.is_some() {
            // Nothing may follow a query.
            return ParserStatus::StopSide(Initiator);
        }
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.line.len() + part.len() > MAX_QUERY {
            // The same for every way in which the bytes may be cut.
            return ParserStatus::Failed(ParseError::TooLong(MAX_QUERY as u64 + 1));
        }
        self.line.extend_from_slice(part);
        if end.is_none() {
            return ParserStatus::Continue;
        }
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        let (verbose, query) = match line.strip_prefix(b"/W") {
            Some(query) => (true, query.trim_ascii_start()),
            None => (false, line),
        };
        self.lookup = Some(FingerLookup {
            ts,
            query: query.to_vec(),
            verbose,
            answer_len: 0,
            answer_missing: 0,
            latency: None,
        });
        ParserStatus::StopSide(Initiator)
    }

    fn answer(&mut self, ts: Timestamp, len: u64) -> ParserStatus {
        let Some(lookup) = &mut self.lookup else {
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        };
        lookup.latency.get_or_insert(ts.since(lookup.ts));
        lookup.answer_len += len;
        ParserStatus::Continue
    }
}

impl SessionParser for FingerParser {
    type Message = FingerLookup;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<FingerLookup> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<FingerLookup> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, _out: &mut Vec<FingerLookup>) -> ParserStatus {
        match chunk.side {
            Initiator => self.ask(chunk.ts, chunk.bytes),
            Responder => self.answer(chunk.ts, chunk.bytes.len() as u64),
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, _out: &mut Vec<FingerLookup>) -> ParserStatus {
        match (side, &mut self.lookup) {
            (Responder, Some(lookup)) => {
                lookup.answer_len += len;
                lookup.answer_missing += len;
                ParserStatus::Continue
            }
            // Without the whole query there is nothing to report.
            _ => ParserStatus::Done,
        }
    }

    fn end(&mut self, out: &mut Vec<FingerLookup>) {
        out.extend(self.lookup.take());
    }

    fn heap_bytes(&self) -> usize {
        self.line.capacity() + self.lookup.as_ref().map_or(0, |lookup| lookup.query.capacity())
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        // Any text may be a query, so nothing makes it sure; the port has to speak for it.
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n') || *byte >= 0x80;
        let query = start.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        if side == Responder || query.iter().all(is_text) { Probe::Maybe } else { Probe::No }
    }
}
