mod client;
mod server;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::SmtpTransaction;
use crate::dots::Dots;
use crate::line::Line;
use crate::pairing::Pairing;
use crate::session::Session;
use crate::transaction::Transaction;

/// Longest line that is read: that of an authentication (RFC 4954 §4); all others are shorter.
const MAX_LINE: usize = 12_288;
/// Most transactions that wait for the reply to their message while another has begun.
const MAX_WAITING: usize = 8;
/// Places of the two in an array.
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Reads an SMTP session, and emits a [`SmtpTransaction`] for each mail, when the reply to its message is
/// there, or when it is given up; and at the end one for a session without any mail, or with TLS.
///
/// Behind the reply to `STARTTLS` another protocol follows ([`Upgrade`](ParserStatus::Upgrade)). Bytes that were not captured are
/// counted as missing in a message, and the transaction goes on at the end of the message, or at the reply to
/// it; elsewhere they end parsing. Behind the greeting, a line of the client that is no command is one that the server
/// answers, and up to [`MAX_UNREADABLE`](flowscope_lines::MAX_UNREADABLE) lines of the server in succession may be
/// no replies. A session seen from the middle on is read from its next `MAIL`, `EHLO` or
/// `HELO`, whichever side sends it.
///
/// Holds at most 192 KiB: nine transactions with 8 KiB of text and lists of 100 recipients each, 256 commands
/// that wait for a reply or 16 replies that wait for a command, and 1536 bytes of unfinished lines. A line of
/// more than 12 288 bytes where commands and replies are expected is an error. [Files](Self::with_files) are held beside that.
#[derive(Clone, Debug, Default)]
pub struct SmtpParser {
    mode: Mode,
    /// The unfinished lines, of [`CLIENT`] and [`SERVER`].
    lines: [Line; 2],
    /// The initiator of the flow is the server.
    is_swapped: bool,
    session: Session,
    pairing: Pairing,
    /// The transaction that commands belong to.
    current: Option<Box<Transaction>>,
    /// Transactions that wait for replies only.
    waiting: VecDeque<Box<Transaction>>,
    /// Bytes at the end of the chunk at hand that were not read.
    unread: usize,
    /// Lines of the server in succession that are no replies.
    unreadable: u8,
    /// What was fed of the protocol behind `STARTTLS`.
    remainder: Option<(FlowSide, Remainder)>,
}

/// What the client sends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    #[default]
    Commands,
    /// A line of an authentication, behind the challenge 334 (RFC 4954 §4).
    Credentials,
    /// A message, behind `DATA`. No byte of it was seen if `begun` is false.
    Message { dots: Dots, begun: bool },
    /// Bytes behind `BDAT`.
    Chunk { left: u64, last: bool },
    /// Unknown, until a line begins a session or a transaction.
    Unknown,
    /// Nothing that is read.
    Over,
}

impl SmtpParser {
    /// A parser that finds out the type and SHA-256 of the files in messages, and keeps at most `most_kept` first bytes of each,
    /// up to a gap.
    ///
    /// Holds at most 128 KiB for them: names, multiparts within each other up to 8, and what is known of 64 files of each message.
    /// Of what is kept, at most four times `most_kept` for each of three messages.
    #[must_use]
    pub fn with_files(most_kept: usize) -> Self {
        let mut parser = SmtpParser::default();
        parser.session.files = Some(most_kept);
        parser
    }

    /// The side that sends commands. Where the connection was not seen to open, it may be either.
    fn client_side(&self) -> FlowSide {
        if self.is_swapped { Responder } else { Initiator }
    }

    fn end_message(&mut self, out: &mut Vec<SmtpTransaction>) {
        self.mode = Mode::Commands;
        if let Some(mut transaction) = self.current.take() {
            transaction.complete();
            self.wait(transaction, out);
        }
    }

    fn end_chunk(&mut self, is_last: bool, out: &mut Vec<SmtpTransaction>) {
        self.mode = Mode::Commands;
        if is_last {
            self.end_message(out);
        }
    }

    /// A command ends the transaction before its message has ended.
    fn abandon(&mut self, out: &mut Vec<SmtpTransaction>) {
        if let Some(mut transaction) = self.current.take() {
            transaction.is_abandoned = true;
            self.wait(transaction, out);
        }
    }

    /// The client is done with a transaction.
    fn wait(&mut self, transaction: Box<Transaction>, out: &mut Vec<SmtpTransaction>) {
        if self.waiting.len() == MAX_WAITING {
            self.pairing.give_up();
            self.settle(out);
        }
        self.waiting.push_back(transaction);
        self.settle(out);
    }

    /// Emits the transactions to which no reply is to come, in order.
    fn settle(&mut self, out: &mut Vec<SmtpTransaction>) {
        while let Some(first) = self.waiting.front() {
            if self.pairing.waits_for(first.id()) {
                return;
            }
            let transaction = self.waiting.pop_front();
            self.emit(transaction, out);
        }
    }

    fn emit(&mut self, transaction: Option<Box<Transaction>>, out: &mut Vec<SmtpTransaction>) {
        if let Some(transaction) = transaction {
            self.session.is_reported = !self.session.tls;
            out.push(transaction.into_record());
        }
    }

    fn current_id(&self) -> Option<u32> {
        self.current.as_ref().map(|transaction| transaction.id())
    }

    fn transaction(&mut self, id: u32) -> Option<&mut Transaction> {
        let all = self.waiting.iter_mut().chain(&mut self.current);
        all.map(Box::as_mut).find(|transaction| transaction.id() == id)
    }

    fn fail(&mut self, error: ParseError) -> ParserStatus {
        self.mode = Mode::Over;
        ParserStatus::Failed(error)
    }

    /// A side is picked up in the middle, before a line of it was read.
    fn begin_in_the_middle(&mut self) -> ParserStatus {
        self.mode = Mode::Unknown;
        self.session.greeted = true;
        self.pairing = Pairing::default();
        ParserStatus::Continue
    }
}

impl SessionParser for SmtpParser {
    type Message = SmtpTransaction;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<SmtpTransaction> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<SmtpTransaction> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(
        &mut self,
        chunk: StreamChunk<'_>,
        out: &mut Vec<SmtpTransaction>,
    ) -> ParserStatus {
        self.unread = 0;
        let status = if chunk.side == self.client_side() {
            self.client(chunk.ts, chunk.bytes, out)
        } else {
            self.server(chunk.ts, chunk.bytes, out)
        };
        if status != ParserStatus::Done || !self.session.tls {
            return status;
        }
        let (read, rest) = chunk.bytes.split_at(chunk.bytes.len() - self.unread);
        let offset = chunk.offset + read.len() as u64;
        if !rest.is_empty() {
            self.remainder = Some((chunk.side, Remainder { offset, bytes: rest.to_vec() }));
        }
        ParserStatus::Upgrade
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.remainder.take_if(|(of, _)| *of == side).map(|(_, remainder)| remainder)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<SmtpTransaction>) -> ParserStatus {
        let is_client = side == self.client_side();
        let (role, has_begun) = if is_client {
            (CLIENT, self.session.commanded)
        } else {
            (SERVER, self.session.greeted)
        };
        let in_line = self.lines[role].len() > 0;
        if len == 0 && self.mode == Mode::Commands && !has_begun && !in_line {
            return self.begin_in_the_middle();
        }
        if is_client { self.client_gap(len, out) } else { self.server_gap() }
    }

    fn end(&mut self, out: &mut Vec<SmtpTransaction>) {
        self.mode = Mode::Over;
        while let Some(transaction) = self.waiting.pop_front() {
            self.emit(Some(transaction), out);
        }
        let current = self.current.take();
        self.emit(current, out);
        out.extend(self.session.take_record());
    }

    fn heap_bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(Line::heap_bytes).sum();
        let remainder = self.remainder.as_ref().map_or(0, |(_, left)| left.bytes.capacity());
        let slots = self.waiting.capacity() * size_of::<Box<Transaction>>();
        let transactions = self.waiting.iter().chain(&self.current);
        lines
            + remainder
            + slots
            + self.session.heap_bytes()
            + self.pairing.heap_bytes()
            + transactions.map(|transaction| transaction.heap_bytes()).sum::<usize>()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        crate::probe::probe(start)
    }
}
