#[cfg(test)]
mod tests;

use flowscope_ber::{Header, MAX_HEADER, SEQUENCE, header};
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, MessageCheck, ParseError, ParserStatus, Probe, Remainder,
    SessionParser, StreamChunk, Timestamp, feed_once, parse_once,
};
use flowscope_lengths::{Framing, Head};

use crate::pairing::Pairing;
use crate::read::{Message, message};
use crate::repetition::Repetitions;
use crate::{LdapExchange, LdapOperation};

/// The extended operation `StartTLS` (RFC 4511 §4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Bytes of a message that are kept.
const MAX_KEPT: usize = 4096;

/// Reads an LDAP connection, and emits an [`LdapExchange`] for each operation when its result is there.
///
/// Behind a `StartTLS` that the server agrees to, the parser gives way to another one ([`ParserStatus::Upgrade`]); a
/// client sends nothing between the two (RFC 4511 §4.14.1). Behind a SASL bind that has put a security layer in place (RFC 4513 §5.2.1.8)
/// nothing more is read. Bytes that were not captured are passed over where they lie within a message; else they end
/// parsing. An operation whose identifier a later one of the same side has is over without a result (RFC 4511 §4.1.1.1), as
/// where it was abandoned.
///
/// Holds at most 256 KiB: 4 KiB of a message per side, and 64 operations without a result, each up to 3 KiB; more make
/// the oldest a record.
#[derive(Clone, Debug, Default)]
pub struct LdapParser {
    framings: [Framing<MAX_HEADER, MAX_KEPT>; 2],
    pairing: Pairing,
    check: MessageCheck,
    /// A SASL bind has succeeded: messages may be wrapped.
    may_be_wrapped: bool,
    /// What follows `StartTLS`, of the side that said yes.
    left: Option<(FlowSide, Remainder)>,
    /// The latest time fed.
    now: Timestamp,
}

impl LdapParser {
    /// Whether the byte behind a message begins what is no message: one in a security layer, whose length comes first, or
    /// TLS where the answer to `StartTLS` was not captured yet.
    fn is_over(&self, bytes: &[u8]) -> bool {
        match bytes.first() {
            Some(0) => self.may_be_wrapped,
            Some(0x16) => self.pairing.waits(LdapOperation::Extended, START_TLS),
            _ => false,
        }
    }

    fn message(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        contents: &[u8],
        is_whole: bool,
        out: &mut Vec<LdapExchange>,
    ) -> ParserStatus {
        let Some(message) = message(contents) else {
            if is_whole {
                return self.check.fail(ParseError::InvalidField("protocolOp"));
            }
            // Behind other messages, one that was cut may have been one too.
            self.check.record(false);
            return self.check.status(0);
        };
        self.check.record(true);
        if !self.pairing.message(side, ts, message, out) {
            return ParserStatus::Continue;
        }
        let Some(ended) = out.last() else { return ParserStatus::Continue };
        let is_success = ended.result.as_ref().is_some_and(|result| result.code == 0);
        match ended.operation {
            LdapOperation::Extended
                if is_success && ended.argument.as_deref() == Some(START_TLS) =>
            {
                self.pairing.end(out);
                return ParserStatus::Upgrade;
            }
            LdapOperation::Bind if is_success => {
                self.may_be_wrapped = ended.argument.is_some();
            }
            _ => {}
        }
        ParserStatus::Continue
    }
}

impl SessionParser for LdapParser {
    type Message = LdapExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<LdapExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<LdapExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<LdapExchange>) -> ParserStatus {
        let StreamChunk { side, ts, offset, mut bytes, .. } = chunk;
        self.now = ts;
        let end = offset + bytes.len() as u64;
        // The message borrows the framing, which is not the parser's meanwhile.
        let mut framing = std::mem::take(&mut self.framings[side.index()]);
        let status = loop {
            if framing.is_between() && self.is_over(bytes) {
                self.pairing.end(out);
                break ParserStatus::Done;
            }
            let read = framing.next(&mut bytes, head, |message| {
                self.message(side, ts, message.body, message.is_whole(), out)
            });
            match read {
                Ok(Some(ParserStatus::Continue)) => {}
                Ok(Some(status)) => {
                    if status == ParserStatus::Upgrade && !bytes.is_empty() {
                        let offset = end - bytes.len() as u64;
                        self.left = Some((side, Remainder { offset, bytes: bytes.to_vec() }));
                    }
                    break status;
                }
                Ok(None) => break ParserStatus::Continue,
                Err(error) => break self.check.fail(error),
            }
        };
        self.framings[side.index()] = framing;
        status
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<LdapExchange>) -> ParserStatus {
        if self.framings[side.index()].skip(len) {
            // The message may be over.
            return self.feed_into(StreamChunk::new(side, self.now, 0, b""), out);
        }
        // Where the next message begins is not known any more.
        self.pairing.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<LdapExchange>) {
        self.pairing.end(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.left.take_if(|(of, _)| *of == side).map(|(_, left)| left)
    }

    fn heap_bytes(&self) -> usize {
        let left = self.left.as_ref().map_or(0, |(_, left)| left.bytes.capacity());
        let framings = self.framings.iter().map(Framing::heap_bytes).sum::<usize>();
        framings + self.pairing.heap_bytes() + left
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe(start)
    }
}

/// The header of a message: a sequence with its length (RFC 4511 §4.1.1).
fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
    if start.first() != Some(&SEQUENCE) {
        return Err(ParseError::InvalidField("LDAPMessage"));
    }
    match header(start) {
        Header::Whole { len, header, .. } => Ok(Some(Head { len: header, body: len })),
        Header::Short => Ok(None),
        Header::Wrong => Err(ParseError::InvalidField("length")),
    }
}

/// Reads LDAP over UDP, a message in each datagram, or several, and emits as [`LdapParser`] does.
///
/// A datagram that is no message gives nothing. After more than 32 of them, and no message before, the parser fails.
/// A request that comes again with the same bytes, before its result or up to 5 seconds after it, is the same operation:
/// neither it nor another result is a record. The latest 64 requests are compared, by hashes of their bytes.
///
/// Holds as much as [`LdapParser`].
#[derive(Clone, Debug, Default)]
pub struct LdapDatagrams {
    pairing: Pairing,
    repetitions: Repetitions,
    check: MessageCheck,
}

impl DatagramParser for LdapDatagrams {
    type Message = LdapExchange;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<LdapExchange> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<LdapExchange>) -> ParserStatus {
        let Datagram { side, ts, mut payload, .. } = datagram;
        let mut any = false;
        while let Header::Whole { tag: SEQUENCE, len, header } = header(payload) {
            let rest = &payload[header..];
            let (contents, behind) = rest.split_at(rest.len().min(len as usize));
            let Some(message) = message(contents) else { break };
            any = true;
            let is_repeated = match &message {
                Message::Request(exchange) if exchange.operation.has_result() => {
                    self.repetitions.request(side, exchange.message_id, ts, contents)
                }
                Message::Response(id, ..) => self.repetitions.result(side, *id, ts),
                _ => false,
            };
            if !is_repeated {
                self.pairing.message(side, ts, message, out);
            }
            payload = behind;
        }
        self.check.record(any)
    }

    fn end(&mut self, out: &mut Vec<LdapExchange>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.pairing.heap_bytes() + self.repetitions.heap_bytes()
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        probe(payload)
    }
}

/// Sure of a sequence with an identifier and an operation, whose first element is checked.
fn probe(start: &[u8]) -> Probe {
    /// The value with one of these tags that begins here, and what follows its header.
    fn value(bytes: &[u8], is_tag: impl Fn(u8) -> bool) -> Result<(u8, u32, &[u8]), Probe> {
        if bytes.first().is_some_and(|&tag| !is_tag(tag)) {
            return Err(Probe::No);
        }
        match header(bytes) {
            Header::Whole { tag, len, header } => Ok((tag, len, &bytes[header..])),
            Header::Short => Err(Probe::Maybe),
            Header::Wrong => Err(Probe::No),
        }
    }
    let decided = (|| {
        let (_, _, rest) = value(start, |tag| tag == SEQUENCE)?;
        let (_, len, rest) = value(rest, |tag| tag == 2)?;
        if !(1..=4).contains(&len) {
            return Err(Probe::No);
        }
        let (id, rest) = rest.split_at_checked(len as usize).ok_or(Probe::Maybe)?;
        let is_id = id[0] & 0x80 == 0 && id.iter().any(|&byte| byte != 0);
        let (tag, _, rest) = value(rest, |tag| tag & 0xc0 == 0x40)?;
        let first = *rest.first().ok_or(Probe::Maybe)?;
        let expected = match tag {
            // Bind: the version.
            0x60 => 2,
            // Results: their code.
            0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 => 10,
            // Search, its entries, modify, add, compare: the name of an object.
            0x63 | 0x64 | 0x66 | 0x68 | 0x6c | 0x6e => 4,
            // Extended: its name.
            0x77 => 0x80,
            _ => return Err(Probe::No),
        };
        Ok(first == expected && is_id)
    })();
    match decided {
        Ok(true) => Probe::Yes,
        Ok(false) => Probe::No,
        Err(answer) => answer,
    }
}
