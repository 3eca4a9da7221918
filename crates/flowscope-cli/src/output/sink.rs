use std::io;
use std::path::Path;

use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::pcap::ReadError;
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

    /// Takes an error of an input, behind the packets that were read of it. Returns whether it will be reported; if
    /// not, it is printed on standard error.
    fn input_error(&mut self, error: &ReadError) -> bool {
        let _ = error;
        false
    }

    /// Passes records on that were taken so far. It is called at least once for every 16384 packets, whether
    /// there were records or not.
    ///
    /// # Errors
    ///
    /// What writing gives; also that nobody wants more records.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Completes the output: there are no more records. It is not called if no input was a capture.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn finish(&mut self, stats: &CaptureStats) -> io::Result<()>;
}

/// Makes the sink that writes to a directory, which may not exist yet.
pub type OpenSink<'a> = &'a dyn Fn(&Path) -> io::Result<Box<dyn RecordSink>>;
