use flowscope_core::Timestamp;

use crate::{SmtpAuth, SmtpTransaction};

/// Longest domain (RFC 5321 §4.5.3.1.2), and longest name of a mechanism that is kept.
const MAX_DOMAIN: usize = 255;
const MAX_MECHANISM: usize = 32;

/// What is known of a session beside its transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Time of the first line.
    began: Option<Timestamp>,
    /// Number of the next transaction.
    pub(crate) next_id: u32,
    pub(crate) helo: Option<Vec<u8>>,
    pub(crate) auth: Option<SmtpAuth>,
    pub(crate) last_reply: Option<(Timestamp, Vec<u8>)>,
    pub(crate) tls: bool,
    pub(crate) pipelined: bool,
    pub(crate) long_lines: u64,
    /// The greeting, or a reply that stands for it, was seen.
    pub(crate) greeted: bool,
    /// A command was seen.
    pub(crate) commanded: bool,
    /// The last command was `STARTTLS`.
    pub(crate) asked_tls: bool,
    /// Whether some record has what is known of the session.
    pub(crate) is_reported: bool,
    /// The files of messages are examined, and so many first bytes of each are kept.
    pub(crate) files: Option<usize>,
}

impl Session {
    /// A line was read.
    pub(crate) fn begin(&mut self, ts: Timestamp) {
        self.began.get_or_insert(ts);
    }

    pub(crate) fn hello(&mut self, name: &[u8]) {
        self.helo = Some(name[..name.len().min(MAX_DOMAIN)].to_vec());
    }

    pub(crate) fn authenticate(&mut self, mechanism: &[u8]) {
        let mechanism = mechanism[..mechanism.len().min(MAX_MECHANISM)].to_vec();
        self.auth = Some(SmtpAuth { mechanism, success: None });
    }

    /// The record of a session without a transaction.
    pub(crate) fn take_record(&mut self) -> Option<SmtpTransaction> {
        let ts = self.began.filter(|_| !self.is_reported)?;
        self.is_reported = true;
        let duration = self.last_reply.as_ref().map(|(last, _)| last.since(ts));
        Some(SmtpTransaction {
            ts,
            id: self.next_id,
            helo: self.helo.take(),
            pipelined: self.pipelined && self.last_reply.is_some(),
            last_reply: self.last_reply.take().map(|(_, line)| line),
            tls: self.tls,
            auth: self.auth.take(),
            long_lines: self.long_lines,
            duration,
            ..SmtpTransaction::default()
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let helo = self.helo.as_ref().map_or(0, Vec::capacity);
        let auth = self.auth.as_ref().map_or(0, |auth| auth.mechanism.capacity());
        let reply = self.last_reply.as_ref().map_or(0, |(_, line)| line.capacity());
        helo + auth + reply
    }
}
