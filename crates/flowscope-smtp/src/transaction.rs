use flowscope_core::Timestamp;
use flowscope_files::mime::{Parts, files_heap_bytes};

use crate::command::Mail;
use crate::header::{HeaderReader, keep};
use crate::reply::Reply;
use crate::session::Session;
use crate::{SmtpOutcome, SmtpTransaction};

/// Most bytes of all texts of a record together.
const MAX_TEXT: usize = 8 * 1024;
/// Longest path (RFC 5321 §4.5.3.1.3).
const MAX_PATH: usize = 256;
/// Recipients that are kept: the number that every server has to take (RFC 5321 §4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;
/// Longest line of a message (RFC 5321 §4.5.3.1.6).
const MAX_TEXT_LINE: u64 = 1000;

/// A transaction whose record is still to be emitted.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) record: SmtpTransaction,
    /// Bytes of text that the record may still get.
    room: usize,
    header: HeaderReader,
    /// The parts of the message, where its files are examined.
    parts: Option<Box<Parts>>,
    /// Length of the message's last line so far.
    line_len: u64,
    /// The end of the message was seen.
    pub(crate) is_complete: bool,
    /// Bytes of the message were not captured.
    pub(crate) has_gap: bool,
    /// The client has sent a command that ends the transaction.
    pub(crate) is_abandoned: bool,
    accepted: bool,
    refused: bool,
}

impl Transaction {
    /// Begins a record; `session` has what the session knows.
    pub(crate) fn begin(ts: Timestamp, mail: Mail<'_>, session: &Session) -> Self {
        let mut room = MAX_TEXT;
        let record = SmtpTransaction {
            ts,
            id: session.next_id,
            helo: session.helo.as_deref().map(|helo| keep(helo, helo.len(), &mut room)),
            mail_from: Some(keep(mail.from, MAX_PATH, &mut room)),
            auth: session.auth.clone(),
            body: mail.body,
            declared_len: mail.declared_len,
            ..SmtpTransaction::default()
        };
        Transaction {
            record,
            room,
            header: HeaderReader::default(),
            parts: session.files.map(|most_kept| Box::new(Parts::new(most_kept))),
            line_len: 0,
            is_complete: false,
            has_gap: false,
            is_abandoned: false,
            accepted: false,
            refused: false,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.record.id
    }

    pub(crate) fn add_recipient(&mut self, path: &[u8]) {
        self.record.rcpt_count += 1;
        if self.record.rcpt_to.len() < MAX_RECIPIENTS && self.room > 0 {
            self.record.rcpt_to.push(keep(path, MAX_PATH, &mut self.room));
        }
    }

    /// The next bytes of the message, without dots of transparency.
    pub(crate) fn text(&mut self, bytes: &[u8]) {
        self.record.message_len += bytes.len() as u64;
        self.header.feed(bytes, &mut self.record.headers, &mut self.room);
        if let Some(parts) = &mut self.parts {
            parts.feed(bytes);
        }
        if self.record.chunks > 0 {
            // The bound is one of `DATA`; a chunk need not have lines (RFC 3030 §3).
            return;
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line_len += piece.len() as u64;
            if piece.ends_with(b"\n") {
                self.record.long_lines += u64::from(self.line_len > MAX_TEXT_LINE);
                self.line_len = 0;
            }
        }
    }

    /// Bytes of the message that were not captured.
    pub(crate) fn missing(&mut self, len: u64) {
        self.has_gap = true;
        self.record.message_len = self.record.message_len.saturating_add(len);
        self.record.missing_bytes = self.record.missing_bytes.saturating_add(len);
        self.header.stop();
        if let Some(parts) = &mut self.parts {
            parts.gap(len);
        }
        self.line_len = 0;
    }

    /// The message has ended.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
        self.record.long_lines += u64::from(self.line_len > MAX_TEXT_LINE);
        self.header.end(&mut self.record.headers, &mut self.room);
        if let Some(parts) = &mut self.parts {
            parts.finish(false);
        }
    }

    /// A reply to one of its commands, or to its message.
    pub(crate) fn reply(&mut self, ts: Timestamp, line: &[u8]) {
        let last = self.record.last_reply.get_or_insert_default();
        last.clear();
        last.extend_from_slice(line);
        self.record.duration = Some(ts.since(self.record.ts));
    }

    /// A command without which there is no message, or the message, was refused.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// The reply to the message.
    pub(crate) fn judge(&mut self, reply: Reply) {
        self.accepted = reply.is_success();
        self.refused |= reply.is_refusal();
    }

    /// The record as it is now.
    pub(crate) fn into_record(mut self) -> SmtpTransaction {
        let record = &mut self.record;
        // Where no reply was captured, all commands wait for theirs.
        record.pipelined &= record.last_reply.is_some();
        if !self.is_complete {
            self.header.end(&mut record.headers, &mut self.room);
        }
        if let Some(parts) = &mut self.parts {
            // Of a message that is complete, nothing is open.
            parts.finish(true);
            (record.files, record.more_files) = parts.take();
        }
        let none_left = record.rcpt_count > 0 && record.rcpt_rejected == record.rcpt_count;
        record.outcome = Some(if self.accepted {
            SmtpOutcome::Accepted
        } else if self.refused || none_left {
            SmtpOutcome::Rejected
        } else if self.is_abandoned {
            SmtpOutcome::Abandoned
        } else {
            SmtpOutcome::Incomplete
        });
        self.record
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let parts = self.parts.as_ref().map_or(0, |parts| size_of::<Parts>() + parts.heap_bytes());
        size_of::<Self>() + self.header.heap_bytes() + parts + heap_bytes(&self.record)
    }
}

/// Memory that a record has allocated.
fn heap_bytes(record: &SmtpTransaction) -> usize {
    let headers = &record.headers;
    let lists = [&record.rcpt_to, &headers.to, &headers.cc];
    let texts = [
        &record.helo,
        &record.mail_from,
        &record.last_reply,
        &headers.date,
        &headers.from,
        &headers.reply_to,
        &headers.message_id,
        &headers.in_reply_to,
        &headers.subject,
        &headers.x_originating_ip,
        &headers.first_received,
        &headers.second_received,
        &headers.user_agent,
    ];
    let in_lists = lists.map(|list| {
        list.capacity() * size_of::<Vec<u8>>() + list.iter().map(Vec::capacity).sum::<usize>()
    });
    let in_texts = texts.map(|text| text.as_ref().map_or(0, Vec::capacity));
    let auth = record.auth.as_ref().map_or(0, |auth| auth.mechanism.capacity());
    in_lists.iter().chain(&in_texts).sum::<usize>() + auth + files_heap_bytes(&record.files)
}
