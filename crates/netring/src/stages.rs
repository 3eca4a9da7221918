use std::fmt;
use std::io::Write;
use std::mem;

use flowscope_core::PacketView;
use flowscope_filter::Filter;
use flowscope_pcap::{CaptureWriter, WriteError};

use crate::{Dedup, Error};

/// Stages between source and driver: the filter, the tap that records packets, and duplicate
/// removal.
#[derive(Default)]
pub(crate) struct Stages {
    filter: Option<Filter>,
    tap: Option<Box<dyn Record + Send>>,
    dedup: Option<Dedup>,
    tap_failed: Option<WriteError>,
    /// Storage for the views that pass; empty between batches.
    kept: Vec<PacketView<'static>>,
    refused: u64,
    recorded: u64,
}

/// A capture writer over any output.
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
    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    pub(crate) fn set_tap(&mut self, tap: CaptureWriter<impl Write + Send + 'static>) {
        self.tap = Some(Box::new(tap));
    }

    pub(crate) fn set_dedup(&mut self, dedup: Dedup) {
        self.dedup = Some(dedup);
    }

    /// Passes the packets that are kept to `lend`, if there are any, and returns their number.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        packets: &[PacketView<'_>],
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> usize {
        if self.filter.is_none() && self.dedup.is_none() {
            self.record(packets);
            lend(packets);
            return packets.len();
        }
        let mut kept = recycle(mem::take(&mut self.kept));
        match &mut self.filter {
            Some(filter) => {
                kept.extend(packets.iter().copied().filter(|packet| filter.matches(*packet)));
            }
            None => kept.extend_from_slice(packets),
        }
        self.refused += (packets.len() - kept.len()) as u64;
        self.record(&kept);
        if let Some(dedup) = &mut self.dedup {
            kept.retain(|packet| !dedup.is_copy(*packet));
        }
        if !kept.is_empty() {
            lend(&kept);
        }
        let passed = kept.len();
        self.kept = recycle(kept);
        passed
    }

    /// Writes packets to the tap; its first error ends it.
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

    /// Flushes the tap.
    pub(crate) fn flush(&mut self) {
        if let Some(tap) = &mut self.tap
            && let Err(error) = tap.flush()
        {
            self.tap_failed = Some(error);
            self.tap = None;
        }
    }

    /// The error that ended the tap, once.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.tap_failed.take().map(Error::Tap)
    }

    /// Packets that the filter refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Packets removed as duplicates.
    pub(crate) fn copies(&self) -> u64 {
        self.dedup.as_ref().map_or(0, Dedup::copies)
    }

    /// Packets that the tap has recorded.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stages")
            .field("filter", &self.filter.is_some())
            .field("tap", &self.tap.is_some())
            .field("dedup", &self.dedup.is_some())
            .field("refused", &self.refused)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}

/// Clears a list of views and changes its lifetime. Collecting from a vector's own iterator into
/// the same layout keeps the allocation.
pub(crate) fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}
