use flowscope_core::{ParseError, ParserStatus, Timestamp};
use flowscope_lines::MAX_UNREADABLE;

use super::{CLIENT, MAX_LINE, Mode, SERVER, SmtpParser};
use crate::SmtpTransaction;
use crate::command;
use crate::pairing::{Asked, Early, What};
use crate::reply::Reply;

/// Bytes of a line of a reply that are kept: the longest one (RFC 5321 §4.5.3.1.5).
const KEPT_OF_REPLY: usize = 512;

/// What the server sends: replies, and what they do to the state.
impl SmtpParser {
    pub(super) fn server(
        &mut self,
        ts: Timestamp,
        bytes: &[u8],
        out: &mut Vec<SmtpTransaction>,
    ) -> ParserStatus {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.mode == Mode::Over {
                self.unread = rest.len();
                return ParserStatus::Done;
            }
            let line = &mut self.lines[SERVER];
            let (used, is_complete) = line.push(rest, KEPT_OF_REPLY);
            rest = &rest[used..];
            if line.len() > MAX_LINE && self.mode != Mode::Unknown {
                return self.server_fails(ParseError::TooLong(MAX_LINE as u64 + 1));
            }
            if is_complete {
                let len = line.len();
                let line = line.take();
                if self.mode == Mode::Unknown && command::is_beginning(&line) {
                    // The connection was not seen to open, and the server has sent the first packet.
                    self.is_swapped = !self.is_swapped;
                    self.lines.swap(CLIENT, SERVER);
                    self.mode = Mode::Commands;
                    return match self.command(ts, &line, len, out) {
                        Ok(()) => self.client(ts, rest, out),
                        Err(error) => self.fail(error),
                    };
                }
                // Before the first command that is known, nothing says what is answered.
                if self.mode != Mode::Unknown {
                    let Some(reply) = Reply::parse(&line) else {
                        if self.passes_over() {
                            self.lines[SERVER].reuse(line);
                            continue;
                        }
                        let is_first = !self.session.greeted;
                        return self.server_fails(if is_first {
                            ParseError::NotTheProtocol
                        } else {
                            ParseError::InvalidField("Reply-code")
                        });
                    };
                    self.unreadable = 0;
                    self.session.begin(ts);
                    if reply.is_last {
                        self.reply(ts, reply, &line, out);
                    }
                }
                self.lines[SERVER].reuse(line);
            }
        }
        if self.mode == Mode::Over { ParserStatus::Done } else { ParserStatus::Continue }
    }

    /// Whether a line that is no reply is passed over. Behind what may be the start of TLS, none is.
    fn passes_over(&mut self) -> bool {
        let passes = self.session.greeted
            && !self.session.asked_tls
            && !self.pairing.has_early()
            && self.unreadable < MAX_UNREADABLE;
        self.unreadable += u8::from(passes);
        passes
    }

    /// A whole reply, with its last line.
    fn reply(&mut self, ts: Timestamp, reply: Reply, line: &[u8], out: &mut Vec<SmtpTransaction>) {
        if !self.session.greeted {
            self.session.greeted = true;
            self.session.last_reply = Some((ts, line.to_vec()));
            return;
        }
        if !self.pairing.is_waiting() && !self.pairing.is_lost() {
            self.session.last_reply = Some((ts, line.to_vec()));
            // A server that shuts down says so without being asked (RFC 5321 §3.8).
            if reply.code != 421 {
                self.pairing.hold(Early { ts, reply, line: line.to_vec() });
            }
            return;
        }
        let asked = self.pairing.answer(reply);
        let of = match asked {
            Some(asked) => asked.transaction,
            // Not known to belong to anything: most likely it is about what goes on.
            None => self.current_id(),
        };
        self.note(of, ts, line);
        match asked {
            Some(asked) => self.answer(asked, reply, out),
            None => self.answer_unpaired(reply),
        }
        self.settle(out);
    }

    /// Replies that came before the command that was read now.
    pub(super) fn answer_early(&mut self, out: &mut Vec<SmtpTransaction>) {
        while let Some((asked, early)) = self.pairing.answer_early() {
            self.note(asked.transaction, early.ts, &early.line);
            self.answer(asked, early.reply, out);
        }
    }

    /// The last reply, of a transaction or of the session.
    fn note(&mut self, transaction: Option<u32>, ts: Timestamp, line: &[u8]) {
        match transaction.and_then(|id| self.transaction(id)) {
            Some(transaction) => transaction.reply(ts, line),
            None => self.session.last_reply = Some((ts, line.to_vec())),
        }
    }

    /// The server sends what is no reply. Where its replies are ahead, the client may have asked for TLS.
    fn server_fails(&mut self, error: ParseError) -> ParserStatus {
        if self.pairing.has_early() {
            ParserStatus::StopSide(!self.client_side())
        } else {
            self.fail(error)
        }
    }

    /// The reply to a command, or to a message.
    fn answer(&mut self, asked: Asked, reply: Reply, out: &mut Vec<SmtpTransaction>) {
        let id = asked.transaction;
        let transaction = id.and_then(|id| self.transaction(id));
        match (asked.what, transaction) {
            (What::Rcpt, Some(transaction)) => {
                transaction.record.rcpt_rejected += u64::from(reply.is_refusal());
            }
            (What::Mail | What::Piece, Some(transaction)) if reply.is_refusal() => {
                transaction.refuse();
            }
            (What::Data, transaction) => {
                if reply.is_intermediate() {
                    self.pairing.ask_first(What::Message, id);
                } else if reply.is_success() {
                    // `DATA` is never done without a message: the reply is to another command.
                    self.pairing.give_up();
                } else {
                    if let Some(transaction) = transaction {
                        transaction.refuse();
                    }
                    if id == self.current_id() {
                        self.leave_message();
                    }
                }
            }
            (What::Message, transaction) => {
                let has_gap = transaction.is_some_and(|transaction| {
                    transaction.judge(reply);
                    transaction.has_gap
                });
                // The end may be in a gap, or be one that only this server takes for an end.
                if let Mode::Message { dots, .. } = self.mode
                    && id == self.current_id()
                    && (has_gap || dots.is_loose_end())
                {
                    self.end_message(out);
                }
            }
            (What::StartTls, _) if reply.code == 220 => self.start_tls(),
            (What::Auth, _) => {
                if reply.is_intermediate() {
                    if self.pairing.is_waiting() {
                        // The client has not waited for the challenge.
                        self.pairing.first_is_credentials();
                    } else if self.mode == Mode::Commands {
                        self.mode = Mode::Credentials;
                    }
                } else if let Some(auth) = &mut self.session.auth {
                    auth.success = Some(reply.is_success());
                }
            }
            (What::Quit, _) => self.mode = Mode::Over,
            _ => {}
        }
    }

    /// A reply of which the command is not known.
    fn answer_unpaired(&mut self, reply: Reply) {
        if !self.pairing.is_lost() {
            return;
        }
        if reply.code == 220 && self.session.asked_tls {
            self.start_tls();
        } else if reply.is_refusal() && matches!(self.mode, Mode::Message { begun: false, .. }) {
            self.leave_message();
        }
    }

    fn start_tls(&mut self) {
        self.session.tls = true;
        // Also where mails have records of their own, one says that TLS follows.
        self.session.is_reported = false;
        self.mode = Mode::Over;
    }

    /// The server has refused `DATA`: commands follow.
    fn leave_message(&mut self) {
        if let Mode::Message { begun, .. } = self.mode {
            self.mode = Mode::Commands;
            if begun {
                // The client has not waited, and the server reads the message as commands.
                self.pairing.give_up();
            }
        }
    }

    pub(super) fn server_gap(&mut self) -> ParserStatus {
        match self.mode {
            Mode::Unknown => {
                self.lines[SERVER].take();
                ParserStatus::Continue
            }
            // The message goes on; what the replies were is not known.
            Mode::Message { .. } | Mode::Chunk { .. } => {
                self.lines[SERVER].take();
                self.pairing.give_up();
                ParserStatus::Continue
            }
            Mode::Commands | Mode::Credentials | Mode::Over => {
                self.mode = Mode::Over;
                ParserStatus::Done
            }
        }
    }
}
