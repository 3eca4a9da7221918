use std::fmt;

use flowscope_core::Timestamp;
use flowscope_output::FlowRecord;

use crate::ExporterConfig;
use crate::message::HEADER;
use crate::template::Template;

/// Encodes flow records as the messages of one transport session and one observation domain.
///
/// A template goes before the first record that needs it, and again as
/// [`Refresh`](crate::Refresh) says. Packets and bytes are those since the record before of the same flow, as in the
/// records; everything else is since the start of the flow. Absent values are 0, or the text `-`. Text that is longer
/// than any that flowscope has is cut.
///
/// Memory: one message, and one record.
pub struct Exporter {
    config: ExporterConfig,
    /// The templates that were sent and are not due again.
    sent: [bool; Template::COUNT],
    /// When the first of them was, and messages from the one with it on.
    since: Option<Timestamp>,
    messages: u32,
    /// Data records in messages before this one, modulo 2^32 (RFC 7011 §3.1).
    sequence: u32,
    /// The message that is being filled, with room for its header.
    message: Vec<u8>,
    /// Data records in it.
    records: u32,
    /// The set that is being filled: its id, and where it begins.
    set: Option<(u16, usize)>,
    /// Memory for a record.
    record: Vec<u8>,
}

/// Bytes of a set's header (RFC 7011 §3.3.2).
const SET_HEADER: usize = 4;

/// The id of sets of templates (RFC 7011 §3.3.2).
const TEMPLATES: u16 = 2;

/// The version of IPFIX (RFC 7011 §3.1).
const VERSION: u16 = 10;

impl Exporter {
    /// Creates an exporter for a new session.
    #[must_use]
    pub fn new(config: ExporterConfig) -> Self {
        Exporter {
            config,
            sent: [false; Template::COUNT],
            since: None,
            messages: 0,
            sequence: 0,
            message: vec![0; HEADER],
            records: 0,
            set: None,
            record: Vec::new(),
        }
    }

    /// Encodes a record, at this time. Appends the message before to `out` if the record has no room in it.
    pub fn record(&mut self, now: Timestamp, record: &FlowRecord, out: &mut Vec<u8>) {
        let template = Template::of(record);
        self.record.clear();
        template.write_record(record, &mut self.record);
        self.forget_due_templates(now);
        if self.message.len() + self.needed(template) > usize::from(self.config.max_message) {
            self.flush(now, out);
            self.forget_due_templates(now);
        }
        if !self.sent[template.index()] {
            self.open_set(TEMPLATES);
            template.write(self.config.enterprise, &mut self.message);
            self.sent[template.index()] = true;
            self.since.get_or_insert(now);
        }
        self.open_set(template.id());
        self.message.extend_from_slice(&self.record);
        self.records += 1;
    }

    /// Appends the message that is not full yet, if it has records, to `out`. `now` is its export time
    /// (RFC 7011 §3.1).
    pub fn flush(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.close_set();
        if self.records == 0 {
            return;
        }
        let len = u16::try_from(self.message.len()).expect("max_message is 16 bits");
        let header = &mut self.message[..HEADER];
        header[..2].copy_from_slice(&VERSION.to_be_bytes());
        header[2..4].copy_from_slice(&len.to_be_bytes());
        header[4..8].copy_from_slice(&(now.secs() as u32).to_be_bytes());
        header[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        header[12..].copy_from_slice(&self.config.observation_domain.to_be_bytes());
        out.extend_from_slice(&self.message);
        self.sequence = self.sequence.wrapping_add(self.records);
        self.messages = self.messages.saturating_add(1);
        self.message.truncate(HEADER);
        self.records = 0;
    }

    /// Begins a new transport session: sequence numbers start at 0, and templates are sent again. Records that
    /// were not [flushed](Self::flush) are lost; returns how many.
    pub fn restart(&mut self) -> u32 {
        let lost = self.records;
        *self = Exporter::new(self.config);
        lost
    }

    /// What a record of this template adds to the message.
    fn needed(&self, template: Template) -> usize {
        let is_sent = self.sent[template.index()];
        let is_open = is_sent && self.set.is_some_and(|(id, _)| id == template.id());
        let mut needed = self.record.len() + if is_open { 0 } else { SET_HEADER };
        if !is_sent {
            let mut text = Vec::new();
            template.write(self.config.enterprise, &mut text);
            needed += SET_HEADER + text.len();
        }
        needed
    }

    fn forget_due_templates(&mut self, now: Timestamp) {
        let (Some(refresh), Some(since)) = (self.config.refresh, self.since) else { return };
        if now.since(since) >= refresh.interval || self.messages >= refresh.messages.get() {
            self.sent = [false; Template::COUNT];
            self.since = None;
            self.messages = 0;
        }
    }

    /// Begins a set, unless one of this id is open.
    fn open_set(&mut self, id: u16) {
        if self.set.is_some_and(|(open, _)| open == id) {
            return;
        }
        self.close_set();
        self.set = Some((id, self.message.len()));
        self.message.extend(id.to_be_bytes());
        self.message.extend([0; SET_HEADER - 2]);
    }

    fn close_set(&mut self) {
        let Some((_, at)) = self.set.take() else { return };
        let len = u16::try_from(self.message.len() - at).expect("max_message is 16 bits");
        self.message[at + 2..at + SET_HEADER].copy_from_slice(&len.to_be_bytes());
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("config", &self.config)
            .field("sequence", &self.sequence)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Clone for Exporter {
    /// One of the same configuration, for a session of its own.
    fn clone(&self) -> Self {
        Exporter::new(self.config)
    }
}
