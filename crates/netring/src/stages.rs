use std::fmt;
use std::io::Write;
use std::mem;

use flowscope_core::PacketView;
use flowscope_pcap::{CaptureWriter, WriteError};

use crate::Error;

/// What packets pass on their way from the source: a filter, then the tap that records them.
#[derive(Default)]
pub(crate) struct Stages {
    filter: Option<Box<dyn FnMut(PacketView<'_>) -> bool + Send>>,
    tap: Option<Box<dyn Record + Send>>,
    tap_failed: Option<WriteError>,
    /// Storage for the views that pass; empty between batches.
    kept: Vec<PacketView<'static>>,
    refused: u64,
    recorded: u64,
}

/// A writer of captures, whatever it writes to.
trait Record {
    fn write(&mut self, packet: PacketView<'_>) -> Result<(), WriteError>;
    fn flush(&mut self) -> Result<(), WriteError>;
}

impl<W: Write> Record for CaptureWriter<W> {
    fn write(&mut self, packet: PacketView<'_>) -> Result<(), WriteError> {
        self.write(packet)
    }
    fn flush(&mut self) -> Result<(), WriteError> {
        self.flush()
    }
}

impl Stages {
    pub(crate) fn set_filter(
        &mut self,
        filter: impl FnMut(PacketView<'_>) -> bool + Send + 'static,
    ) {
        self.filter = Some(Box::new(filter));
    }

    pub(crate) fn set_tap(&mut self, tap: CaptureWriter<impl Write + Send + 'static>) {
        self.tap = Some(Box::new(tap));
    }

    /// Lends those of `packets` that pass to `lend`, if any, and says how many they are.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        packets: &[PacketView<'_>],
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> usize {
        let Some(filter) = &mut self.filter else {
            self.record(packets);
            lend(packets);
            return packets.len();
        };
        let mut kept = recycle(mem::take(&mut self.kept));
        kept.extend(packets.iter().copied().filter(|packet| filter(*packet)));
        self.refused += (packets.len() - kept.len()) as u64;
        self.record(&kept);
        if !kept.is_empty() {
            lend(&kept);
        }
        let passed = kept.len();
        self.kept = recycle(kept);
        passed
    }

    /// Writes packets to the tap, which ends with its first error.
    fn record(&mut self, packets: &[PacketView<'_>]) {
        let Some(tap) = &mut self.tap else { return };
        for packet in packets {
            if let Err(error) = tap.write(*packet) {
                self.tap_failed = Some(error);
                self.tap = None;
                return;
            }
            self.recorded += 1;
        }
    }

    /// Writes out what the tap holds.
    pub(crate) fn flush(&mut self) {
        if let Some(tap) = &mut self.tap
            && let Err(error) = tap.flush()
        {
            self.tap_failed = Some(error);
            self.tap = None;
        }
    }

    /// Why the tap ended, once.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.tap_failed.take().map(Error::Tap)
    }

    /// Packets that the filter refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Packets that the tap has taken.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stages")
            .field("filter", &self.filter.is_some())
            .field("tap", &self.tap.is_some())
            .field("refused", &self.refused)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}

/// Empties a list of views and gives its storage another lifetime. Collecting from a vector's own
/// iterator into the same layout keeps the allocation.
fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}
