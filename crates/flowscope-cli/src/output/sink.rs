use std::io;
use std::path::Path;

use flowscope::output::{FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;

/// Where records go that are not written as text, in the order in which text would have them.
///
/// An error ends the run, as one of the output.
pub trait RecordSink {
    /// Takes the record of a flow.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()>;

    /// Takes a record of an application protocol, and the header of its flow.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()>;

    /// Completes the output: there are no more records.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn finish(&mut self) -> io::Result<()>;
}

/// Makes the sink that writes to a directory, which may not exist yet.
pub type OpenSink = fn(&Path) -> io::Result<Box<dyn RecordSink>>;
