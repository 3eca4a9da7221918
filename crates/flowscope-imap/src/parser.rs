#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_lines::{LineFrame, LineParser, SideLine};

use crate::command::{Command, MAX_USER, literal, may_begin};
use crate::sasl::Authentication;
use crate::{ImapExchange, ImapStatus};

/// Commands that may wait for their response; clients send several at once (RFC 9051 §5.5).
const MAX_OPEN: usize = 96;
/// Bytes of the text of a response that are kept.
const MAX_TEXT: usize = 512;
/// Bytes of a line that are kept.
const MAX_LINE: usize = 2048;
/// Bytes of the client that may wait for the response to `STARTTLS`.
const MAX_HELD: usize = 8192;

/// Reads an IMAP session, and emits an [`ImapExchange`] for each command when its tagged response is there, and
/// for the greeting.
///
/// The initiator is the client. Literals are passed over and counted, of `LOGIN` alone the name is read. What
/// the client sends behind `STARTTLS` is held until the response: behind `OK` the parser gives way to another
/// protocol ([`ParserStatus::Upgrade`]). Behind the greeting, a line that is neither a command nor a response is passed
/// over, [`MAX_UNREADABLE`](flowscope_lines::MAX_UNREADABLE) of a side in succession at most. Bytes that were not captured end parsing, and so does compression
/// (RFC 4978).
///
/// Holds at most 96 KiB: 96 commands without a response, 2048 bytes of a line per side, and 8192 bytes behind
/// `STARTTLS`, more of which are an error. More commands without a response make the oldest a record.
#[derive(Clone, Debug, Default)]
pub struct ImapParser {
    frame: LineFrame<MAX_LINE, MAX_HELD>,
    is_greeted: bool,
    user: Option<Vec<u8>>,
    /// A command whose end is still to come.
    command: Option<Box<Command>>,
    authentication: Option<Authentication>,
    open: VecDeque<ImapExchange>,
    /// Bytes of the literal at hand that are still to come, of each side.
    literals: [u64; 2],
    /// The next line of the server goes on with one that a literal has interrupted.
    server_goes_on: bool,
    /// The client waits for leave to send its literal.
    waits: bool,
}

impl ImapParser {
    fn client_line(&mut self, line: SideLine<'_>, out: &mut Vec<ImapExchange>) -> ParserStatus {
        let SideLine { ts, text, tail, .. } = line;
        let mut command = match self.command.take() {
            Some(mut command) => {
                command.push(text);
                command
            }
            None if self.authentication.is_some() => {
                self.credentials(text);
                return ParserStatus::Continue;
            }
            // The end of IDLE (RFC 2177), or nothing.
            None if text.is_empty() || text.eq_ignore_ascii_case(b"DONE") => {
                return ParserStatus::Continue;
            }
            None => match Command::begin(ts, text) {
                Ok(command) => Box::new(command),
                Err(error) => return ParserStatus::Failed(error),
            },
        };
        if let Some((len, waits)) = literal(tail) {
            command.begin_literal();
            self.command = Some(command);
            self.begin_literal(Initiator, len);
            self.waits = waits;
            return ParserStatus::Continue;
        }
        self.ask(&command, out)
    }

    /// A command is complete.
    fn ask(&mut self, command: &Command, out: &mut Vec<ImapExchange>) -> ParserStatus {
        if self.open.len() == MAX_OPEN {
            out.extend(self.open.pop_front());
        }
        let mut user = command.user().or_else(|| self.user.clone());
        if let Some((mechanism, initial)) = command.mechanism() {
            let mut authentication = Authentication::new(mechanism);
            // An initial response (RFC 4959); "=" is an empty one.
            if !initial.is_empty() {
                user = authentication.line(initial).map(shortened).or(user);
            }
            self.authentication = Some(authentication);
        }
        if command.verb == b"STARTTLS" {
            self.frame.hold(Initiator);
        }
        self.open.push_back(ImapExchange {
            ts: command.ts,
            tag: Some(command.tag.clone()),
            command: Some(command.verb.clone()),
            argument: command.public(),
            user,
            literal_bytes: command.literal_bytes,
            ..ImapExchange::default()
        });
        ParserStatus::Continue
    }

    fn credentials(&mut self, line: &[u8]) {
        let name = self.authentication.as_mut().and_then(|sasl| sasl.line(line));
        let asked = self.open.iter_mut().rfind(|open| open.is("AUTHENTICATE"));
        if let (Some(name), Some(asked)) = (name, asked) {
            asked.user = Some(shortened(name));
        }
    }

    fn server_line(&mut self, line: SideLine<'_>, out: &mut Vec<ImapExchange>) -> ParserStatus {
        let SideLine { ts, text, tail, len, .. } = line;
        let goes_on = std::mem::take(&mut self.server_goes_on);
        match text {
            _ if goes_on => {
                self.untagged(0, len);
                self.literal_of_server(tail);
            }
            [b'*', b' ', rest @ ..] => match ImapStatus::split(rest) {
                Some((status, text)) if !self.is_greeted => {
                    self.is_greeted = true;
                    out.push(ImapExchange {
                        ts,
                        status: Some(status),
                        text: Some(text[..text.len().min(MAX_TEXT)].to_vec()),
                        ..ImapExchange::default()
                    });
                }
                // The text of a status may look like the marker of a literal.
                Some(_) => self.untagged(1, len),
                None if self.is_greeted => {
                    self.untagged(1, len);
                    self.literal_of_server(tail);
                }
                None => return ParserStatus::Failed(ParseError::NotTheProtocol),
            },
            // Leave to go on, or a challenge (RFC 9051 §7.6).
            [b'+', ..] => self.waits = false,
            [] => {}
            _ if !self.is_greeted => return ParserStatus::Failed(ParseError::NotTheProtocol),
            _ => return self.tagged(ts, text, out),
        }
        ParserStatus::Continue
    }

    fn tagged(&mut self, ts: Timestamp, line: &[u8], out: &mut Vec<ImapExchange>) -> ParserStatus {
        let (tag, rest) = crate::command::word(line);
        let Some((status, text)) = ImapStatus::split(rest) else {
            return ParserStatus::Failed(ParseError::InvalidField("resp-cond-state"));
        };
        // A literal that is not wanted: the command has ended before it.
        if self.waits
            && let Some(command) = self.command.take_if(|command| command.tag == tag)
        {
            self.waits = false;
            self.literals[Initiator.index()] = 0;
            let status = self.ask(&command, out);
            if status != ParserStatus::Continue {
                return status;
            }
        }
        let of_tag = |open: &ImapExchange| open.tag.as_deref() == Some(tag);
        let Some(mut exchange) =
            self.open.iter().position(of_tag).and_then(|at| self.open.remove(at))
        else {
            return ParserStatus::Continue;
        };
        exchange.status = Some(status);
        exchange.text = Some(text[..text.len().min(MAX_TEXT)].to_vec());
        exchange.latency = Some(ts.since(exchange.ts));
        let is_ok = status == ImapStatus::Ok;
        let is_authentication = exchange.is("AUTHENTICATE");
        if is_authentication {
            self.authentication = None;
        }
        if is_ok && (is_authentication || exchange.is("LOGIN")) {
            self.user.clone_from(&exchange.user);
        }
        let (asked_tls, asked_deflate) = (exchange.is("STARTTLS"), exchange.is("COMPRESS"));
        out.push(exchange);
        if asked_tls && self.frame.holds() {
            if !is_ok {
                // There is no TLS: these were commands.
                return self.refuse(ts, out);
            }
            self.frame.accept();
            self.flush(out);
            return ParserStatus::Upgrade;
        }
        if asked_deflate && is_ok {
            self.flush(out);
            return ParserStatus::Done;
        }
        ParserStatus::Continue
    }

    /// Untagged responses belong to no command; they are counted with the oldest that waits.
    fn untagged(&mut self, responses: u64, bytes: u64) {
        if let Some(exchange) = self.open.front_mut() {
            exchange.responses += responses;
            exchange.bytes += bytes;
        }
    }

    fn literal_of_server(&mut self, tail: &[u8]) {
        if let Some((len, _)) = literal(tail) {
            self.begin_literal(Responder, len);
        }
    }

    fn begin_literal(&mut self, side: FlowSide, len: u64) {
        self.literals[side.index()] = len;
        self.server_goes_on |= side == Responder;
        if len == 0 {
            self.end_literal(side);
        }
    }

    fn end_literal(&mut self, side: FlowSide) {
        if side == Initiator
            && let Some(command) = &mut self.command
        {
            command.end_literal();
        }
    }

    /// Nothing more comes.
    fn flush(&mut self, out: &mut Vec<ImapExchange>) {
        out.extend(self.open.drain(..));
    }
}

fn shortened(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(MAX_USER);
    name
}

impl ImapExchange {
    fn is(&self, command: &str) -> bool {
        self.command.as_deref() == Some(command.as_bytes())
    }
}

impl LineParser<MAX_LINE, MAX_HELD> for ImapParser {
    type Message = ImapExchange;

    fn frame(&mut self) -> &mut LineFrame<MAX_LINE, MAX_HELD> {
        &mut self.frame
    }

    fn line(&mut self, line: SideLine<'_>, out: &mut Vec<ImapExchange>) -> ParserStatus {
        match line.side {
            Initiator => self.client_line(line, out),
            Responder => self.server_line(line, out),
        }
    }

    fn opaque(&mut self, side: FlowSide) -> u64 {
        self.literals[side.index()]
    }

    fn pass(&mut self, side: FlowSide, bytes: &[u8]) {
        let len = bytes.len() as u64;
        match (side, &mut self.command) {
            (Initiator, Some(command)) => {
                self.waits = false;
                command.literal(bytes);
            }
            (Initiator, None) => {}
            (Responder, _) => self.untagged(0, len),
        }
        let left = &mut self.literals[side.index()];
        *left -= len;
        if *left == 0 {
            self.end_literal(side);
        }
    }
}

impl SessionParser for ImapParser {
    type Message = ImapExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<ImapExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<ImapExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<ImapExchange>) -> ParserStatus {
        self.read(chunk, out)
    }

    fn gap(&mut self, _side: FlowSide, _len: u64, out: &mut Vec<ImapExchange>) -> ParserStatus {
        // Where the next line begins is not known any more.
        self.flush(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<ImapExchange>) {
        self.flush(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.frame.take_remainder(side)
    }

    fn heap_bytes(&self) -> usize {
        let open: usize = self.open.iter().map(ImapExchange::heap_bytes).sum();
        let command = self.command.as_ref();
        self.frame.heap_bytes()
            + open
            + self.open.capacity() * size_of::<ImapExchange>()
            + self.user.as_ref().map_or(0, Vec::capacity)
            + command.map_or(0, |command| size_of::<Command>() + command.heap_bytes())
    }

    /// Sure of the greeting (RFC 9051 §7.1).
    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        let greetings: [&[u8]; 3] = [b"* OK ", b"* PREAUTH ", b"* BYE "];
        if greetings.iter().any(|greeting| start.starts_with(greeting)) {
            return Probe::Yes;
        }
        if start.starts_with(b"*") {
            let begins = greetings.iter().any(|greeting| greeting.starts_with(start));
            return if begins { Probe::Maybe } else { Probe::No };
        }
        if side == Initiator && may_begin(start) { Probe::Maybe } else { Probe::No }
    }
}
