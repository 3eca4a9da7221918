mod probe;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Announcement, Expectation, ParseError, ParserStatus, Probe, Remainder, SessionParser,
    StreamChunk, Timestamp, feed_once,
};
use flowscope_lines::{LineFrame, LineParser, SideLine};

use crate::reply::{MAX_LINES, MAX_TEXT, Reply};
use crate::transfer::{DATA, Order, is_transfer, number};
use crate::{DataChannel, FtpExchange};
use probe::is_command;

/// Commands that may wait for their reply.
const MAX_OPEN: usize = 8;
/// Replies that may wait for their command.
const MAX_EARLY: usize = 2;
/// Data connections that may wait for the engine to take them.
const MAX_EXPECTED: usize = 4;
/// Bytes of a line that are kept.
const MAX_LINE: usize = 2048;
/// Bytes of the client that may wait for the reply to `AUTH TLS`.
const MAX_HELD: usize = 8192;

/// Reads a control connection, and emits an [`FtpExchange`] for each command when its last reply is there, and
/// for each reply without a command.
///
/// Replies answer commands in order. What the client sends behind `AUTH TLS` is held until the reply: behind
/// 234 the parser gives way to another protocol ([`ParserStatus::Upgrade`]). A line that is neither a command nor a
/// reply is passed over, [`MAX_UNREADABLE`](flowscope_lines::MAX_UNREADABLE) of a side in succession at most. Bytes that were not captured end
/// parsing; a connection seen from the middle on is read from its next line, whichever side is the client.
///
/// Data connections are [expected](SessionParser::take_expectation) from `PASV`, `EPSV`, `PORT` and `EPRT` on, and with the
/// command that opens one it is known what it carries: see [`FtpDataParser`](crate::FtpDataParser).
///
/// Holds at most 64 KiB: 8 commands without a reply, 2 replies without a command, 2048 bytes of a line per
/// side, and 8192 bytes behind `AUTH TLS`, more of which are an error. More commands end parsing.
#[derive(Clone, Debug, Default)]
pub struct FtpParser {
    frame: LineFrame<MAX_LINE, MAX_HELD>,
    /// The side that sends commands, once a line was read.
    client: Option<FlowSide>,
    /// Whether the greeting was read, or is not to be expected.
    is_greeted: bool,
    is_from_middle: bool,
    user: Option<Vec<u8>>,
    password_sent: bool,
    /// Number of exchanges so far.
    count: u64,
    open: VecDeque<FtpExchange>,
    /// Replies that were delivered before their command.
    early: VecDeque<(Timestamp, Reply)>,
    reply: Reply,
    /// Where the next data connection is opened to.
    channel: Option<DataChannel>,
    /// Where in the file the next transfer begins (RFC 3659 §5).
    restart: u64,
    /// Data connections that were not taken yet.
    expected: VecDeque<Expectation>,
}

impl FtpParser {
    /// Finds where the receiver of a packet of a control connection is about to connect to, in a line of its own: that of
    /// `PASV`, `EPSV`, `PORT` or `EPRT`.
    #[must_use]
    pub fn announcement(payload: &[u8]) -> Option<Announcement> {
        // Most packets are of something else.
        let has_start = |start: &[u8]| payload.starts_with(start);
        let may_be = match payload.first()? {
            b'1'..=b'6' => Reply::code_of(payload.get(..4)?).is_some(),
            b'P' | b'p' | b'E' | b'e' => {
                [&b"PORT"[..], b"EPRT", b"port", b"eprt"].into_iter().any(has_start)
            }
            _ => false,
        };
        if !may_be {
            return None;
        }
        let text = &payload[..payload.len().min(MAX_LINE)];
        let channel = text.split(|&byte| byte == b'\n').find_map(|line| {
            let line = line.trim_ascii();
            let end = line.iter().position(u8::is_ascii_whitespace)?;
            let (first, rest) = (&line[..end], line[end..].trim_ascii());
            match number(first) {
                Some(code @ (227 | 229)) => DataChannel::of_reply(code as u16, rest),
                _ => DataChannel::of_command(&first.to_ascii_uppercase(), rest),
            }
        })?;
        Some(Announcement::new(DATA, channel.host, channel.port))
    }

    /// A command has been sent: what it says of the next data connection.
    fn note_command(&mut self, verb: &[u8], argument: &[u8], data: Option<DataChannel>) {
        match verb {
            b"PORT" | b"EPRT" => {
                self.channel = data;
                self.expect(None);
            }
            b"PASV" | b"EPSV" => self.channel = None,
            b"REST" => self.restart = number(argument).unwrap_or(0),
            _ if is_transfer(verb) => {
                let order = self.order(verb, argument);
                self.expect(Some(order));
            }
            _ => {}
        }
    }

    fn order(&self, verb: &[u8], argument: &[u8]) -> Order {
        Order {
            offset: if matches!(verb, b"RETR" | b"STOR") { self.restart } else { 0 },
            file_size: None,
            command: verb.to_vec(),
            name: (!argument.is_empty()).then(|| argument.to_vec()),
        }
    }

    /// The oldest command has a reply, which is its last unless it is preliminary: what it says of the next data
    /// connection.
    fn note_reply(&mut self, is_preliminary: bool) {
        let Some(exchange) = self.open.front() else { return };
        let verb = exchange.command.as_deref().unwrap_or_default();
        let argument = exchange.argument.as_deref().unwrap_or_default();
        match verb {
            b"PASV" | b"EPSV" if exchange.data.is_some_and(|data| data.passive) => {
                self.channel = exchange.data;
                // The command that opens it may have been sent before the reply.
                let transfer = self.open.iter().skip(1).find_map(|next| {
                    let verb = next.command.as_deref().filter(|verb| is_transfer(verb))?;
                    Some(self.order(verb, next.argument.as_deref().unwrap_or_default()))
                });
                self.expect(transfer);
            }
            b"PORT" | b"EPRT" if exchange.code.is_some_and(|code| code >= 400) => {
                self.channel = None;
            }
            _ if !is_transfer(verb) => {}
            _ if is_preliminary => {
                let mut order = self.order(verb, argument);
                order.file_size = exchange.file_size;
                order.name = exchange.unique_name().or(order.name);
                self.expect(Some(order));
            }
            _ => {
                self.restart = 0;
                // A port of the server is for one connection, one of the client until it names another (RFC 959 §3.2).
                self.channel = self.channel.filter(|channel| !channel.passive);
            }
        }
    }

    /// The next data connection is expected: for this, if it is known.
    fn expect(&mut self, order: Option<Order>) {
        let Some(DataChannel { passive, host, port, .. }) = self.channel else { return };
        let client = self.client.unwrap_or(Initiator);
        let listener = if passive { !client } else { client };
        let about = order.map(|order| order.to_text()).unwrap_or_default();
        if self.expected.len() == MAX_EXPECTED {
            self.expected.pop_front();
        }
        let expectation = Expectation::new(DATA, listener, port).host(host).about(about);
        self.expected.push_back(expectation);
    }

    fn command(
        &mut self,
        ts: Timestamp,
        line: &[u8],
        is_long: bool,
        out: &mut Vec<FtpExchange>,
    ) -> ParserStatus {
        // Signals of Telnet before ABOR (RFC 959 §4.1.3, RFC 854).
        let start = line.iter().position(|&byte| byte < 0xf0).unwrap_or(line.len());
        let line = line[start..].trim_ascii();
        if line.is_empty() {
            return ParserStatus::Continue;
        }
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (verb, argument) = (&line[..end], line[end..].trim_ascii());
        let is_verb = (3..=16).contains(&verb.len())
            && verb[0].is_ascii_alphabetic()
            && verb.iter().all(u8::is_ascii_alphanumeric);
        if self.open.len() == MAX_OPEN {
            // Which reply belongs to which command will not be known.
            self.flush(out);
            return ParserStatus::Done;
        }
        if !is_verb {
            // The server replies to what it cannot read too.
            let user = self.user.clone();
            let password_sent = self.password_sent;
            self.open.push_back(FtpExchange { ts, user, password_sent, ..FtpExchange::default() });
            return ParserStatus::Failed(ParseError::InvalidField("command"));
        }
        let verb = verb.to_ascii_uppercase();
        match verb.as_slice() {
            b"USER" => {
                self.user = Some(argument[..argument.len().min(MAX_USER)].to_vec());
                self.password_sent = false;
            }
            b"PASS" => self.password_sent = true,
            b"AUTH" if is_tls(argument) => self.frame.hold(self.client.unwrap_or(Initiator)),
            _ => {}
        }
        let argument = public(&verb, argument);
        let data = DataChannel::of_command(&verb, argument);
        self.note_command(&verb, argument, data);
        self.open.push_back(FtpExchange {
            ts,
            data,
            argument: (!argument.is_empty()).then(|| argument.to_vec()),
            command: Some(verb),
            command_truncated: is_long,
            user: self.user.clone(),
            password_sent: self.password_sent,
            ..FtpExchange::default()
        });
        while !self.open.is_empty()
            && let Some((ts, reply)) = self.early.pop_front()
        {
            let status = self.answer(ts, reply, out);
            if status != ParserStatus::Continue {
                return status;
            }
        }
        ParserStatus::Continue
    }

    fn reply_line(
        &mut self,
        ts: Timestamp,
        line: &[u8],
        is_long: bool,
        out: &mut Vec<FtpExchange>,
    ) -> ParserStatus {
        if !self.reply.is_begun() && (line.is_empty() || self.is_from_middle) {
            // From the middle on, the first lines may be those of a longer reply.
            if Reply::code_of(line).is_none() {
                return ParserStatus::Continue;
            }
        }
        self.is_from_middle = false;
        match self.reply.line(line, is_long) {
            Ok(false) => return ParserStatus::Continue,
            Ok(true) => {}
            Err(error) => return ParserStatus::Failed(error),
        }
        let reply = std::mem::take(&mut self.reply);
        if !self.is_greeted {
            // 120 says that the greeting is to come (RFC 959 §5.4).
            self.is_greeted = !reply.is_preliminary();
            self.emit_unasked(ts, reply, out);
            return ParserStatus::Continue;
        }
        if self.open.is_empty() {
            self.early.push_back((ts, reply));
            if self.early.len() > MAX_EARLY
                && let Some((ts, reply)) = self.early.pop_front()
            {
                self.emit_unasked(ts, reply, out);
            }
            return ParserStatus::Continue;
        }
        self.answer(ts, reply, out)
    }

    /// The oldest command has this reply.
    fn answer(&mut self, ts: Timestamp, reply: Reply, out: &mut Vec<FtpExchange>) -> ParserStatus {
        let Some(exchange) = self.open.front_mut() else { return ParserStatus::Continue };
        exchange.latency.get_or_insert(ts.since(exchange.ts));
        let (code, is_preliminary) = (reply.code, reply.is_preliminary());
        exchange.add(reply);
        self.note_reply(is_preliminary);
        if is_preliminary {
            return ParserStatus::Continue;
        }
        let Some(exchange) = self.open.front() else { return ParserStatus::Continue };
        let asked_tls = exchange.asked_tls();
        let exchange = self.open.pop_front();
        self.emit(exchange, out);
        if !asked_tls || self.open.iter().any(FtpExchange::asked_tls) {
            return ParserStatus::Continue;
        }
        if !self.frame.holds() {
            return ParserStatus::Continue;
        }
        if code == 234 {
            self.frame.accept();
            self.flush(out);
            return ParserStatus::Upgrade;
        }
        // There is no TLS: these were commands.
        self.refuse(ts, out)
    }

    fn emit_unasked(&mut self, ts: Timestamp, reply: Reply, out: &mut Vec<FtpExchange>) {
        let mut exchange = FtpExchange {
            ts,
            user: self.user.clone(),
            password_sent: self.password_sent,
            ..FtpExchange::default()
        };
        exchange.add(reply);
        self.emit(Some(exchange), out);
    }

    fn emit(&mut self, exchange: Option<FtpExchange>, out: &mut Vec<FtpExchange>) {
        if let Some(exchange) = exchange {
            out.push(FtpExchange { id: self.count, ..exchange });
            self.count += 1;
        }
    }

    /// Nothing more comes.
    fn flush(&mut self, out: &mut Vec<FtpExchange>) {
        while let Some((ts, reply)) = self.early.pop_front() {
            self.emit_unasked(ts, reply, out);
        }
        let reply = std::mem::take(&mut self.reply);
        if let Some(exchange) = self.open.front_mut()
            && reply.is_begun()
        {
            exchange.add(reply);
        }
        while let Some(exchange) = self.open.pop_front() {
            if exchange.command.is_some() || exchange.code.is_some() {
                self.emit(Some(exchange), out);
            }
        }
    }
}

/// Bytes of a user's name that are kept.
const MAX_USER: usize = 512;

/// Whether this argument of `AUTH` asks for TLS (RFC 4217 §4, and its forerunners).
fn is_tls(mechanism: &[u8]) -> bool {
    let known: [&[u8]; 4] = [b"TLS", b"TLS-C", b"TLS-P", b"SSL"];
    known.iter().any(|known| mechanism.eq_ignore_ascii_case(known))
}

/// The argument without secrets.
fn public<'a>(verb: &[u8], argument: &'a [u8]) -> &'a [u8] {
    match verb {
        b"PASS" | b"ACCT" | b"ADAT" | b"MIC" | b"CONF" | b"ENC" => b"",
        b"SITE" => {
            let word = argument.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let known: [&[u8]; 5] = [b"PSWD", b"CPWD", b"PASSWD", b"PASS", b"GPASS"];
            if known.iter().any(|known| word.eq_ignore_ascii_case(known)) { word } else { argument }
        }
        _ => argument,
    }
}

impl FtpExchange {
    fn asked_tls(&self) -> bool {
        self.command.as_deref() == Some(b"AUTH") && self.argument.as_deref().is_some_and(is_tls)
    }

    /// What the server calls the file of `STOU`: `FILE: name` (RFC 1123 §4.1.2.9).
    fn unique_name(&self) -> Option<Vec<u8>> {
        if self.command.as_deref() != Some(b"STOU") {
            return None;
        }
        let text = &self.reply.last()?.text;
        let name = text.strip_prefix(b"FILE:")?.trim_ascii();
        (!name.is_empty()).then(|| name.to_vec())
    }

    fn add(&mut self, reply: Reply) {
        self.code = Some(reply.code);
        self.reply_truncated |= reply.is_truncated;
        let mut kept: usize = self.reply.iter().map(|line| line.text.len()).sum();
        for line in reply.lines {
            let data = line.code.and_then(|code| DataChannel::of_reply(code, &line.text));
            self.data = self.data.or(data);
            let size =
                line.code.and_then(|code| file_size(self.command.as_deref()?, code, &line.text));
            self.file_size = self.file_size.or(size);
            if self.reply.len() == MAX_LINES || kept + line.text.len() > MAX_TEXT {
                self.reply_truncated = true;
            } else {
                kept += line.text.len();
                self.reply.push(line);
            }
        }
    }
}

/// `1234` behind `SIZE` (RFC 3659 §4), or `… (1234 bytes)` where a transfer is opened.
fn file_size(command: &[u8], code: u16, text: &[u8]) -> Option<u64> {
    let digits = match (command, code) {
        (b"SIZE", 213) => text.trim_ascii(),
        (b"RETR", 125 | 150) => {
            let before = text.windows(7).rposition(|part| part == b" bytes)")?;
            let open = text[..before].iter().rposition(|&byte| byte == b'(')?;
            &text[open + 1..before]
        }
        _ => return None,
    };
    str::from_utf8(digits).ok()?.parse().ok()
}

impl LineParser<MAX_LINE, MAX_HELD> for FtpParser {
    type Message = FtpExchange;

    fn frame(&mut self) -> &mut LineFrame<MAX_LINE, MAX_HELD> {
        &mut self.frame
    }

    fn line(&mut self, line: SideLine<'_>, out: &mut Vec<FtpExchange>) -> ParserStatus {
        let SideLine { side, ts, text, is_truncated, .. } = line;
        if self.client.is_none() && !text.is_empty() {
            // In mid-stream, the kind of message shows which side is the client, if it is one.
            self.client = match Reply::code_of(text) {
                Some(_) => Some(!side),
                None if self.is_from_middle && (side == Responder || !is_command(text)) => None,
                None => Some(Initiator),
            };
        }
        match self.client {
            Some(client) if client == side => self.command(ts, text, is_truncated, out),
            Some(_) => self.reply_line(ts, text, is_truncated, out),
            None => ParserStatus::Continue,
        }
    }
}

impl SessionParser for FtpParser {
    type Message = FtpExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<FtpExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<FtpExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<FtpExchange>) -> ParserStatus {
        match self.read(chunk, out) {
            ParserStatus::Continue if !self.expected.is_empty() => ParserStatus::Expects,
            status => status,
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<FtpExchange>) -> ParserStatus {
        let has_begun = self.is_greeted || self.count > 0 || !self.open.is_empty();
        if len == 0 && (self.is_from_middle || !has_begun) && self.frame.unfinished(side).is_empty()
        {
            self.frame.begin_in_the_middle(side);
            self.is_from_middle = true;
            self.is_greeted = true;
            return ParserStatus::Continue;
        }
        // Which reply belongs to which command is not known any more.
        self.flush(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<FtpExchange>) {
        self.flush(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.frame.take_remainder(side)
    }

    fn take_expectation(&mut self) -> Option<Expectation> {
        self.expected.pop_front()
    }

    fn heap_bytes(&self) -> usize {
        let open: usize = self.open.iter().map(FtpExchange::heap_bytes).sum();
        let early: usize = self.early.iter().map(|(_, reply)| reply.heap_bytes()).sum();
        self.frame.heap_bytes()
            + open
            + early
            + self.open.capacity() * size_of::<FtpExchange>()
            + self.early.capacity() * size_of::<(Timestamp, Reply)>()
            + self.reply.heap_bytes()
            + self.user.as_ref().map_or(0, Vec::capacity)
            + self.expected.capacity() * size_of::<Expectation>()
            + self.expected.iter().map(|it| it.about.capacity()).sum::<usize>()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}
