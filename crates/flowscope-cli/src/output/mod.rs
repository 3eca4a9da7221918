//! What is printed, and where to.

mod answer;
mod arrangement;
mod collector;
mod condition;
mod digests;
mod directory;
mod events;
mod extraction;
mod file;
mod flows;
mod follow;
mod gaps;
mod ipfix;
mod ladder;
mod logs;
mod report;
#[cfg_attr(
    not(all(feature = "live", target_os = "linux")),
    allow(dead_code, reason = "only live captures rotate logs")
)]
mod rotation;
mod sessions;
mod sink;
mod spoken;
mod stats;
mod store;
mod streams;
mod summary;
mod syslog;
mod top;
#[cfg(feature = "tui")]
mod view;
mod wanted;
mod writer;

use std::io;
use std::time::Duration;

use flowscope::core::{FlowSide, PacketView, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::Zone;
use flowscope::reassembly::StreamConfig;
use flowscope::track::{Change, EndReason, Flow, PacketInfo};

use crate::error::Failure;
use crate::reading::{AppRecord, PayloadMode};

pub(crate) use answer::Answer;
pub(crate) use arrangement::Arrangement;
pub(crate) use collector::{CollectorName, Protocol, Transport};
pub(crate) use condition::{Condition, flow_fields, session_fields};
pub(crate) use digests::Digests;
pub(crate) use events::Events;
pub(crate) use extraction::Extraction;
pub use file::OutputFile;
pub(crate) use file::part_of;
pub(crate) use file::{To, failure};
pub(crate) use flows::Flows;
pub(crate) use follow::Follow;
pub(crate) use ipfix::Ipfix;
pub(crate) use ladder::Ladder;
pub(crate) use report::ReportPage;
#[cfg(all(feature = "live", target_os = "linux"))]
pub(crate) use rotation::Rotation;
pub(crate) use sessions::Sessions;
pub use sink::{Broker, Dropped, FlowSource, OpenBroker, OpenFlows, OpenSink, RecordSink};
pub(crate) use sink::{Sinks, broker_ports};
#[cfg(all(feature = "live", target_os = "linux"))]
pub(crate) use stats::report as report_stats;
pub(crate) use stats::{Capture, Totals, count};
pub(crate) use store::{Store, flow_name, too_many};
pub(crate) use streams::Streams;
pub(crate) use summary::Summary;
pub(crate) use syslog::Facility;
pub(crate) use top::{By, Top};
#[cfg(feature = "tui")]
pub(crate) use view::{Gathering, SharedView};
pub(crate) use wanted::Wanted;
pub(crate) use writer::{Output, Target, put_piece};

/// What a command makes of the events of flows and sessions: records, and text of them.
///
/// Records are made where a flow is tracked, on any thread. They become text on whichever thread has
/// the time if the layout is [`portable`](RecordFormat::portable), else where the output is written; what
/// is written, and in which order, depends on neither.
pub(crate) trait RecordFormat: Clone + Send + 'static {
    /// What is kept with each flow.
    type State: Send + 'static;
    /// What is kept of an event until its turn comes.
    type Record: Send + 'static;

    /// The state of a new flow.
    fn state(&self, key: &FiveTupleKey) -> Self::State;

    /// What is read of the payload of flows.
    fn reading(&self) -> PayloadMode;

    /// How streams are reassembled, where that is not as for all.
    fn streams(&self, streams: StreamConfig) -> StreamConfig {
        streams
    }

    /// The record of what happened to a flow, if it has one.
    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: Change,
    ) -> Option<Self::Record>;

    /// The record of a packet that came after the end of its flow, if it has one.
    fn late_packet(
        &self,
        _flow: Flow<'_, FiveTupleKey, Self::State>,
        _packet: PacketInfo,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of what happened to what is said in a flow, if it has one.
    fn session(
        &self,
        _flow: Flow<'_, FiveTupleKey, Self::State>,
        _change: SessionChange,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a message, if it has one.
    fn message(
        &self,
        _flow: Flow<'_, FiveTupleKey, Self::State>,
        _side: FlowSide,
        _message: AppRecord,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a flow of whose streams nothing more comes, if it has one.
    fn session_ended(
        &self,
        _flow: Flow<'_, FiveTupleKey, Self::State>,
        _reason: EndReason,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a flow whose entry is removed, late packets included, if it has one.
    fn removed(
        &self,
        _flow: Flow<'_, FiveTupleKey, Self::State>,
        _reason: EndReason,
    ) -> Option<Self::Record> {
        None
    }

    /// Whether single packets have records.
    const PACKETS: bool = false;

    /// A packet of this number, from 1, is about to be tracked. Asked of the format that writes, before any record that
    /// follows from the packet, if it has records of [packets](Self::PACKETS).
    fn see(&mut self, _number: u64, _view: PacketView<'_>) {}

    /// Whether records can be turned into text apart from each other.
    fn portable(&self) -> bool {
        true
    }

    /// Records will be waited for as they come: none is held back to see what others are like.
    #[cfg(all(feature = "live", target_os = "linux"))]
    fn hurry(&mut self) {}

    /// Names of the files that records go to in a directory, at most 256; none if they are one stream.
    fn logs(&self) -> &[String] {
        &[]
    }

    /// Which of the [`logs`](RecordFormat::logs) has this record.
    fn log_of(&self, _record: &Self::Record) -> u8 {
        0
    }

    /// What other logs have of a record: which, and the text.
    fn also(&mut self, _record: &Self::Record) -> Vec<(u8, Vec<u8>)> {
        Vec::new()
    }

    /// Appends what comes first in a log. `start` is the time of the first packet, or the packet time at which the log
    /// before it was complete.
    fn begin_log(&mut self, _log: usize, _start: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends what comes last in a log that another one of its name follows. `now` is packet time.
    fn close_log(&mut self, _log: usize, _now: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends what comes last in each log.
    fn end_log(&mut self, _totals: &Totals, _out: &mut Vec<u8>) {}

    /// Appends what comes first. `start` is the time of the first packet.
    fn begin(&mut self, _start: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends a record.
    fn write(&mut self, record: &Self::Record, out: &mut Vec<u8>);

    /// Gives a record to a sink, if it has the columns of a schema.
    fn store(&self, _record: &Self::Record, _sink: &mut dyn RecordSink) -> io::Result<()> {
        Ok(())
    }
    /// Appends what is held back, because what was written is wanted now.
    fn flush(&mut self, _out: &mut Vec<u8>) {}

    /// What is written from here on goes to a reader who knows nothing of what was written before.
    fn restart(&mut self) {}

    /// The error if what was written went to files of its own, and could not be.
    fn fault(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a summary on standard error goes with it.
    fn summarises(&self) -> bool {
        false
    }

    /// Whether records that come later change nothing, so that no more packets are needed.
    fn is_complete(&self) -> bool {
        false
    }

    /// Lines for standard error at the end, besides the totals.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the output has the totals and losses, so that they are not said on standard error.
    fn has_totals(&self) -> bool {
        false
    }

    /// What was asked for and not found.
    fn missed(&self) -> Option<&'static str> {
        None
    }

    /// How often it is given the counters while packets come, if it is.
    #[cfg_attr(
        not(all(feature = "live", target_os = "linux")),
        allow(dead_code, reason = "captures that are read do not wait for time")
    )]
    const TICK: Option<Duration> = None;

    /// The counters up to `now`, and how many flows are in the table.
    #[cfg_attr(
        not(any(feature = "tui", all(feature = "live", target_os = "linux"))),
        allow(dead_code, reason = "only a view has counters before the end")
    )]
    fn tick(&mut self, _totals: &Totals, _open: u64, _now: Timestamp) {}

    /// Appends what comes last.
    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>);
}

/// That times of a table are not in UTC.
fn zone_note(zone: &Zone) -> Option<String> {
    (!zone.is_utc()).then(|| format!("times are in {}", zone.name()))
}
