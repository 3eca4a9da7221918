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
    /// Storage for what [`mark`](Self::mark) returns.
    #[cfg(target_os = "linux")]
    marks: Vec<bool>,
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
        if !self.can_refuse() {
            packets.iter().for_each(|packet| self.record(*packet));
            lend(packets);
            return packets.len();
        }
        let mut kept = recycle(mem::take(&mut self.kept));
        kept.extend(packets.iter().copied().filter(|packet| self.keep(*packet)));
        if !kept.is_empty() {
            lend(&kept);
        }
        let passed = kept.len();
        self.kept = recycle(kept);
        passed
    }

    /// Says of each of these packets, by its position, whether it is kept; `None` if all are. Used for packets
    /// that stay where they are.
    #[cfg(target_os = "linux")]
    pub(crate) fn mark<'p>(
        &mut self,
        packets: impl Iterator<Item = PacketView<'p>>,
    ) -> Option<&[bool]> {
        if !self.can_refuse() {
            if self.tap.is_some() {
                packets.for_each(|packet| self.record(packet));
            }
            return None;
        }
        let mut marks = mem::take(&mut self.marks);
        marks.clear();
        marks.extend(packets.map(|packet| self.keep(packet)));
        self.marks = marks;
        Some(&self.marks)
    }

    /// Whether a packet may be refused or removed.
    fn can_refuse(&self) -> bool {
        self.filter.is_some() || self.dedup.is_some()
    }

    /// Whether the packet passes the filter and is no duplicate. The tap records it before duplicates are removed.
    #[inline]
    fn keep(&mut self, packet: PacketView<'_>) -> bool {
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(packet)) {
            self.refused += 1;
            return false;
        }
        self.record(packet);
        self.dedup.as_mut().is_none_or(|dedup| !dedup.is_copy(packet))
    }

    /// Writes a packet to the tap; its first error ends it.
    #[inline]
    fn record(&mut self, packet: PacketView<'_>) {
        let Some(tap) = &mut self.tap else { return };
        match tap.write(packet) {
            Ok(()) => self.recorded += 1,
            Err(error) => {
                self.tap_failed = Some(error);
                self.tap = None;
            }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use flowscope_core::LinkType;
    use flowscope_testkit::{Packet, frame};

    use super::*;

    /// Four packets, three times each; two of them do not pass the filter.
    fn packets() -> Vec<Packet> {
        let packet = |n: u32| {
            let source = ["10.0.0.1", "10.0.0.9"][n as usize % 2];
            frame()
                .ethernet()
                .ipv4(source, "10.0.0.2")
                .fragment(n, 0, false)
                .udp(1000, 53)
                .payload(b"who is it")
                .packet()
        };
        (0..12).map(|n| packet(n / 3)).collect()
    }

    fn stages(which: u32) -> Stages {
        let mut stages = Stages::default();
        if which & 1 != 0 {
            stages.set_filter(Filter::parse("host 10.0.0.1").expect("a filter"));
        }
        if which & 2 != 0 {
            stages.set_dedup(Dedup::default());
        }
        if which & 4 != 0 {
            let tap = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET);
            stages.set_tap(tap.expect("there is room for the header"));
        }
        stages
    }

    #[test]
    fn packets_marked_in_place_are_those_passed_on() {
        let packets = packets();
        let views: Vec<PacketView<'_>> = packets.iter().map(Packet::view).collect();
        let frames = |views: &[PacketView<'_>]| -> Vec<*const u8> {
            views.iter().map(|view| view.frame().as_ptr()).collect()
        };
        for (which, kept) in (0..).zip([12, 6, 4, 2, 12, 6, 4, 2]) {
            let (mut passing, mut marking) = (stages(which), stages(which));
            let mut passed = Vec::new();
            let count = passing.pass(&views, &mut |lent| passed = frames(lent));
            let marks = marking.mark(views.iter().copied());
            assert_eq!(marks.is_none(), which & 3 == 0, "{which}: nothing is marked in vain");
            let mut marks = marks.map_or(vec![true; views.len()], <[bool]>::to_vec).into_iter();
            let mut marked = views.clone();
            marked.retain(|_| marks.next() == Some(true));
            assert_eq!((frames(&marked), count), (passed, kept), "{which}");
            let accepted = if which & 1 == 0 { 12 } else { 6 };
            let copies = if which & 2 == 0 { 0 } else { accepted - kept as u64 };
            let recorded = if which & 4 == 0 { 0 } else { accepted };
            for stages in [passing, marking] {
                let counters = (stages.refused(), stages.copies(), stages.recorded());
                assert_eq!(counters, (12 - accepted, copies, recorded), "{which}");
            }
        }
    }
}
