//! What is printed, and where to.

mod csv;
mod eve;
mod events;
mod file;
mod flows;
mod json;
mod record;
mod stats;
mod table;
mod zeek;

use flowscope::core::Timestamp;
use flowscope::extract::FiveTupleKey;
use flowscope::track::{Change, Flow};

pub(crate) use events::Events;
pub(crate) use file::{Output, part_of};
pub(crate) use flows::Flows;
pub(crate) use stats::{Capture, Totals};

/// What a command makes of the tracker's events: records, and text of them.
///
/// Records are made where a flow is tracked, on any thread. They become text on whichever thread has
/// the time if the layout is [`portable`](Layout::portable), else where the output is written; what
/// is written, and in which order, depends on neither.
pub(crate) trait Layout: Clone + Send + 'static {
    /// What is kept with each flow.
    type State: Send + 'static;
    /// What is kept of an event until its turn comes.
    type Record: Send + 'static;

    /// The state of a new flow.
    fn state(key: &FiveTupleKey) -> Self::State;

    /// The record of an event, if it has one.
    fn record(flow: Flow<'_, FiveTupleKey, Self::State>, change: Change) -> Option<Self::Record>;

    /// Whether single packets have records.
    const PACKETS: bool = false;

    /// Whether records can be turned into text apart from each other.
    fn portable(&self) -> bool {
        true
    }

    /// Appends what comes first. `start` is the time of the first packet.
    fn begin(&mut self, _start: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends a record.
    fn write(&mut self, record: &Self::Record, out: &mut Vec<u8>);

    /// Whether a summary on standard error goes with it.
    fn summarises(&self) -> bool {
        false
    }

    /// Appends what comes last.
    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>);
}
