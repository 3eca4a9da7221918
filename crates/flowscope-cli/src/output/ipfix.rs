//! Flow records as IPFIX messages.

use std::time::SystemTime;

use flowscope::core::Timestamp;
use flowscope::output::FlowRecord;
use flowscope_ipfix::{Exporter, ExporterConfig};

/// An exporter, and where it has the time from.
#[derive(Clone, Debug)]
pub(crate) struct Ipfix {
    exporter: Exporter,
    /// Whether messages have the time of this machine, as those of a live capture have; else packet time.
    is_sent: bool,
    /// Packet time of the last record.
    last: Timestamp,
}

impl Ipfix {
    /// For messages that are sent to a collector, or kept.
    pub(crate) fn new(config: ExporterConfig, is_sent: bool) -> Self {
        Ipfix { exporter: Exporter::new(config), is_sent, last: Timestamp::ZERO }
    }

    /// Appends what a record completes.
    pub(super) fn record(&mut self, record: &FlowRecord, out: &mut Vec<u8>) {
        self.last = self.last.max(record.header.ts);
        self.exporter.record(self.now(), record, out);
    }

    /// Appends the message that is not full yet.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.exporter.flush(self.now(), out);
    }

    /// The messages that follow are those of a new session.
    pub(super) fn restart(&mut self) {
        self.exporter.restart();
    }

    fn now(&self) -> Timestamp {
        if self.is_sent { SystemTime::now().into() } else { self.last }
    }
}
