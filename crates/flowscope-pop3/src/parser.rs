#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_lines::{LineFrame, LineParser, SideLine, begins_command};

use crate::Pop3Exchange;

/// Commands that may wait for their reply; a client may send several at once (RFC 2449 §6.6).
const MAX_OPEN: usize = 256;
/// Bytes of an argument and of a name that are kept.
const MAX_ARGUMENT: usize = 128;
/// Bytes of the text of a reply that are kept.
const MAX_TEXT: usize = 512;
/// Bytes of a line that are kept.
const MAX_LINE: usize = 2048;
/// Bytes of the client that may wait for the reply to `STLS`.
const MAX_HELD: usize = 8192;

/// Reads a POP3 session, and emits a [`Pop3Exchange`] for each command when its reply is there, and for the
/// greeting.
///
/// The initiator is the client. What it sends behind `STLS` is held until the reply: behind `+OK` the parser
/// gives way to another protocol ([`ParserStatus::Upgrade`]). A line that is neither a command nor a reply is passed
/// over, [`MAX_UNREADABLE`](flowscope_lines::MAX_UNREADABLE) of a side in succession at most. Bytes that were not captured end parsing.
///
/// Holds at most 160 KiB: 256 commands without a reply, 2048 bytes of a line per side, and 8192 bytes behind
/// `STLS`, more of which are an error. More commands without a reply end parsing.
#[derive(Clone, Debug, Default)]
pub struct Pop3Parser {
    frame: LineFrame<MAX_LINE, MAX_HELD>,
    is_greeted: bool,
    /// Whether the client authenticates: its lines are credentials (RFC 5034 §4).
    is_authenticating: bool,
    user: Option<Vec<u8>>,
    open: VecDeque<Pop3Exchange>,
    /// The oldest command has a reply whose further lines are still to come.
    in_lines: bool,
}

impl Pop3Parser {
    fn command(&mut self, ts: Timestamp, line: &[u8], out: &mut Vec<Pop3Exchange>) -> ParserStatus {
        if self.is_authenticating || line.is_empty() {
            return ParserStatus::Continue;
        }
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (verb, argument) = (&line[..end], line[end..].trim_ascii());
        if self.open.len() == MAX_OPEN {
            // Which reply belongs to which command will not be known.
            self.flush(out);
            return ParserStatus::Done;
        }
        let is_verb = verb.first().is_some_and(u8::is_ascii_alphabetic)
            && verb.iter().all(u8::is_ascii_alphanumeric);
        if !(3..=12).contains(&verb.len()) || !is_verb {
            // The server replies to what it cannot read too.
            let user = self.user.clone();
            self.open.push_back(Pop3Exchange { ts, user, ..Pop3Exchange::default() });
            return ParserStatus::Failed(ParseError::InvalidField("keyword"));
        }
        let verb = verb.to_ascii_uppercase();
        let word = argument.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let public = match verb.as_slice() {
            b"PASS" => b"",
            b"APOP" | b"AUTH" => word,
            _ => argument,
        };
        let public = &public[..public.len().min(MAX_ARGUMENT)];
        match verb.as_slice() {
            b"USER" | b"APOP" => self.user = Some(public.to_vec()),
            b"AUTH" => self.is_authenticating = !public.is_empty(),
            b"STLS" => self.frame.hold(Initiator),
            _ => {}
        }
        self.open.push_back(Pop3Exchange {
            ts,
            command: Some(verb),
            argument: (!public.is_empty()).then(|| public.to_vec()),
            user: self.user.clone(),
            ..Pop3Exchange::default()
        });
        ParserStatus::Continue
    }

    fn reply(
        &mut self,
        SideLine { ts, text: line, len, .. }: SideLine<'_>,
        out: &mut Vec<Pop3Exchange>,
    ) -> ParserStatus {
        if self.in_lines {
            if line != b"." {
                if let Some(exchange) = self.open.front_mut() {
                    exchange.lines += 1;
                    exchange.bytes += len;
                }
                return ParserStatus::Continue;
            }
            self.in_lines = false;
            out.extend(self.open.pop_front());
            return ParserStatus::Continue;
        }
        let (success, text) = match line {
            [b'+', b'O', b'K', text @ ..] => (true, text),
            [b'-', b'E', b'R', b'R', text @ ..] => (false, text),
            // A challenge (RFC 5034 §4).
            [b'+', b' ', ..] | [b'+'] if self.is_authenticating => return ParserStatus::Continue,
            _ => return ParserStatus::Failed(ParseError::InvalidField("status indicator")),
        };
        let text = text.trim_ascii();
        let text = Some(text[..text.len().min(MAX_TEXT)].to_vec());
        if !std::mem::replace(&mut self.is_greeted, true) || self.open.is_empty() {
            out.push(Pop3Exchange {
                ts,
                success: Some(success),
                text,
                user: self.user.clone(),
                ..Pop3Exchange::default()
            });
            return ParserStatus::Continue;
        }
        let Some(exchange) = self.open.front_mut() else { return ParserStatus::Continue };
        exchange.success = Some(success);
        exchange.text = text;
        exchange.latency = Some(ts.since(exchange.ts));
        if success && exchange.has_lines() {
            self.in_lines = true;
            return ParserStatus::Continue;
        }
        let command = exchange.command.clone().unwrap_or_default();
        out.extend(self.open.pop_front());
        match command.as_slice() {
            b"AUTH" => self.is_authenticating = false,
            b"STLS" => {
                if !self.frame.holds() {
                    return ParserStatus::Continue;
                }
                if success {
                    self.frame.accept();
                    self.flush(out);
                    return ParserStatus::Upgrade;
                }
                // There is no TLS: these were commands.
                return self.refuse(ts, out);
            }
            _ => {}
        }
        ParserStatus::Continue
    }
}

impl Pop3Parser {
    /// Nothing more comes. A line that was no command is no exchange without a reply.
    fn flush(&mut self, out: &mut Vec<Pop3Exchange>) {
        let open = self.open.drain(..);
        out.extend(open.filter(|open| open.command.is_some() || open.success.is_some()));
    }
}

/// What a client may begin with: RFC 1939 §4 to §7, RFC 2449 §5, RFC 2595 §4, RFC 5034 §4, RFC 6856 §2.
const COMMANDS: &[&[u8]] = &[
    b"USER", b"PASS", b"APOP", b"AUTH", b"CAPA", b"STLS", b"UTF8", b"LANG", b"QUIT", b"STAT",
    b"LIST", b"RETR", b"DELE", b"NOOP", b"RSET", b"TOP", b"UIDL", b"XTND",
];

impl Pop3Exchange {
    /// Whether a positive reply has lines behind its first (RFC 1939 §5, §7, RFC 2449 §5, RFC 1734 §2).
    fn has_lines(&self) -> bool {
        match self.command.as_deref() {
            Some(b"RETR" | b"TOP" | b"CAPA") => true,
            // LANG: the languages that there are (RFC 6856 §3.2).
            Some(b"LIST" | b"UIDL" | b"AUTH" | b"LANG") => self.argument.is_none(),
            _ => false,
        }
    }
}

impl LineParser<MAX_LINE, MAX_HELD> for Pop3Parser {
    type Message = Pop3Exchange;

    fn frame(&mut self) -> &mut LineFrame<MAX_LINE, MAX_HELD> {
        &mut self.frame
    }

    fn line(&mut self, line: SideLine<'_>, out: &mut Vec<Pop3Exchange>) -> ParserStatus {
        match line.side {
            Initiator => self.command(line.ts, line.text, out),
            Responder => self.reply(line, out),
        }
    }
}

impl SessionParser for Pop3Parser {
    type Message = Pop3Exchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Pop3Exchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Pop3Exchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Pop3Exchange>) -> ParserStatus {
        self.read(chunk, out)
    }

    fn gap(&mut self, _side: FlowSide, _len: u64, out: &mut Vec<Pop3Exchange>) -> ParserStatus {
        // Which reply belongs to which command is not known any more.
        self.flush(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<Pop3Exchange>) {
        self.flush(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.frame.take_remainder(side)
    }

    fn heap_bytes(&self) -> usize {
        let open: usize = self.open.iter().map(Pop3Exchange::heap_bytes).sum();
        self.frame.heap_bytes()
            + open
            + self.open.capacity() * size_of::<Pop3Exchange>()
            + self.user.as_ref().map_or(0, Vec::capacity)
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        // The greeting, which has text in most cases (RFC 1939 §4). Without it, it may be a reply of Redis. A line that
        // begins neither a reply nor a command is not of the protocol.
        if start.starts_with(b"+OK ") {
            return Probe::Yes;
        }
        let replies: [&[u8]; 4] = [b"+OK\n", b"-ERR ", b"-ERR\r\n", b"-ERR\n"];
        let may_reply = [&b"+OK "[..], b"+OK\r\n"].iter().chain(&replies).any(|reply| {
            let known = start.len().min(reply.len());
            start[..known] == reply[..known]
        });
        let is_open = may_reply || begins_command(start, COMMANDS);
        if is_open { Probe::Maybe } else { Probe::No }
    }
}
