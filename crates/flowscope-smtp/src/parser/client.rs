use flowscope_core::{ParseError, ParserStatus, Timestamp};

use super::{CLIENT, MAX_LINE, Mode, SmtpParser};
use crate::SmtpTransaction;
use crate::command::{self, Command};
use crate::dots::Dots;
use crate::pairing::What;
use crate::transaction::Transaction;

/// Bytes of a command that are kept. An authentication has the mechanism in its first.
const KEPT_OF_COMMAND: usize = 1024;
/// Longest command (RFC 5321 §4.5.3.1.4).
const MAX_COMMAND: usize = 512;

/// What the client sends: commands, credentials, messages.
impl SmtpParser {
    pub(super) fn client(
        &mut self,
        ts: Timestamp,
        bytes: &[u8],
        out: &mut Vec<SmtpTransaction>,
    ) -> ParserStatus {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match &mut self.mode {
                Mode::Over => {
                    self.unread = rest.len();
                    return ParserStatus::Done;
                }
                Mode::Message { dots, begun } => {
                    *begun = true;
                    let current = &mut self.current;
                    let end = dots.feed(rest, |text| {
                        if let Some(transaction) = current {
                            transaction.text(text);
                        }
                    });
                    if end.is_some() {
                        self.end_message(out);
                    }
                    end.unwrap_or(rest.len())
                }
                Mode::Chunk { left, last } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= here as u64;
                    let (is_over, is_last) = (*left == 0, *last);
                    if let Some(transaction) = &mut self.current {
                        transaction.text(&rest[..here]);
                    }
                    if is_over {
                        self.end_chunk(is_last, out);
                    }
                    here
                }
                Mode::Commands | Mode::Credentials | Mode::Unknown => {
                    let line = &mut self.lines[CLIENT];
                    let (used, is_complete) = line.push(rest, KEPT_OF_COMMAND);
                    if line.len() > MAX_LINE && self.mode != Mode::Unknown {
                        return self.client_fails(ParseError::TooLong(MAX_LINE as u64 + 1));
                    }
                    if is_complete && let Err(error) = self.client_line(ts, out) {
                        return self.client_fails(error);
                    }
                    used
                }
            };
            rest = &rest[used..];
        }
        if self.mode == Mode::Over { ParserStatus::Done } else { ParserStatus::Continue }
    }

    /// The client sends what is no command. Where its commands are ahead, the server may agree to TLS.
    fn client_fails(&mut self, error: ParseError) -> ParserStatus {
        if self.session.asked_tls && self.pairing.is_waiting() {
            ParserStatus::StopSide(self.client_side())
        } else {
            self.fail(error)
        }
    }

    fn client_line(
        &mut self,
        ts: Timestamp,
        out: &mut Vec<SmtpTransaction>,
    ) -> Result<(), ParseError> {
        let len = self.lines[CLIENT].len();
        let line = self.lines[CLIENT].take();
        if self.mode == Mode::Unknown && command::is_beginning(&line) {
            self.mode = Mode::Commands;
        }
        let read = match self.mode {
            Mode::Commands => self.command(ts, &line, len, out),
            Mode::Credentials => {
                self.pairing.ask(What::Auth, None);
                self.mode = Mode::Commands;
                self.answer_early(out);
                Ok(())
            }
            _ => Ok(()),
        };
        self.lines[CLIENT].reuse(line);
        read
    }

    pub(super) fn command(
        &mut self,
        ts: Timestamp,
        line: &[u8],
        len: usize,
        out: &mut Vec<SmtpTransaction>,
    ) -> Result<(), ParseError> {
        // Later, a server answers such a line as a command that it does not know. TLS follows also where
        // the reply to `STARTTLS` was not captured.
        let is_first = !self.session.commanded && !self.session.greeted;
        if (is_first || self.session.asked_tls) && !command::may_be_command(line) {
            return Err(ParseError::NotTheProtocol);
        }
        self.session.commanded = true;
        self.session.begin(ts);
        let is_pipelined = self.pairing.is_waiting();
        let command = Command::parse(line);
        let what = match command {
            Command::Mail(mail) => {
                self.abandon(out);
                self.current = Some(Box::new(Transaction::begin(ts, mail, &self.session)));
                self.session.next_id += 1;
                What::Mail
            }
            Command::Rcpt(path) => {
                if let Some(transaction) = &mut self.current {
                    transaction.add_recipient(path);
                }
                What::Rcpt
            }
            Command::Data => {
                self.mode = Mode::Message { dots: Dots::default(), begun: false };
                What::Data
            }
            Command::Bdat { len, last } => {
                if let Some(transaction) = &mut self.current {
                    transaction.record.chunks += 1;
                }
                self.mode = Mode::Chunk { left: len, last };
                if last { What::Message } else { What::Piece }
            }
            Command::Helo(name) => {
                self.abandon(out);
                self.session.hello(name);
                What::Other
            }
            Command::Auth(mechanism) => {
                self.session.authenticate(mechanism);
                What::Auth
            }
            Command::StartTls => {
                self.abandon(out);
                What::StartTls
            }
            Command::Rset => {
                self.abandon(out);
                What::Other
            }
            Command::Quit => {
                self.abandon(out);
                What::Quit
            }
            Command::Other => What::Other,
        };
        self.session.asked_tls = what == What::StartTls;
        let is_long = len > MAX_COMMAND && what != What::Auth;
        match &mut self.current {
            Some(transaction) => {
                transaction.record.pipelined |= is_pipelined;
                transaction.record.long_lines += u64::from(is_long);
            }
            None => {
                self.session.pipelined |= is_pipelined;
                self.session.long_lines += u64::from(is_long);
            }
        }
        let of_mail = matches!(what, What::Mail | What::Rcpt | What::Data)
            || matches!(what, What::Message | What::Piece);
        self.pairing.ask(what, self.current_id().filter(|_| of_mail));
        self.answer_early(out);
        if let Mode::Chunk { left: 0, last } = self.mode {
            self.end_chunk(last, out);
        }
        self.settle(out);
        Ok(())
    }

    pub(super) fn client_gap(&mut self, len: u64, out: &mut Vec<SmtpTransaction>) -> ParserStatus {
        match &mut self.mode {
            Mode::Message { dots, begun } => {
                *dots = Dots::in_line();
                *begun = true;
                if let Some(transaction) = &mut self.current {
                    transaction.missing(len);
                }
                ParserStatus::Continue
            }
            // The end of a chunk is known, unless the gap is of unknown length, or goes beyond it.
            Mode::Chunk { left, last } if len > 0 && len <= *left => {
                *left -= len;
                let (is_over, is_last) = (*left == 0, *last);
                if let Some(transaction) = &mut self.current {
                    transaction.missing(len);
                }
                if is_over {
                    self.end_chunk(is_last, out);
                }
                ParserStatus::Continue
            }
            Mode::Chunk { left, .. } => {
                let here = len.min(*left);
                if let Some(transaction) = &mut self.current {
                    transaction.missing(here);
                }
                self.mode = Mode::Over;
                ParserStatus::Done
            }
            Mode::Unknown => {
                self.lines[CLIENT].take();
                ParserStatus::Continue
            }
            Mode::Commands | Mode::Credentials | Mode::Over => {
                self.mode = Mode::Over;
                ParserStatus::Done
            }
        }
    }
}
