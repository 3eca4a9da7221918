//! How a trace gets into a tracker.

use std::ops::Range;

use flowscope_core::{Datagram, FlowExtractor, PacketView, Segment};
use flowscope_track::{Change, Flow, FlowSink, FlowTracker};

use crate::Trace;

/// Views handed over at once: what a capture ring gives at a time.
pub const BATCH: usize = 64;

/// One packet after another, `later` nanoseconds after their own time.
pub fn one_by_one<E: FlowExtractor>(
    tracker: &mut FlowTracker<E>,
    trace: &Trace,
    packets: Range<usize>,
    later: u64,
    sink: &mut impl FlowSink<E::Key, ()>,
) {
    for at in packets {
        tracker.track(trace.view(at, later), sink);
    }
}

/// [`BATCH`] packets at a time.
pub fn in_batches<E: FlowExtractor>(
    tracker: &mut FlowTracker<E>,
    trace: &Trace,
    packets: Range<usize>,
    later: u64,
    sink: &mut impl FlowSink<E::Key, ()>,
) {
    let mut views: Vec<PacketView<'_>> = Vec::with_capacity(BATCH);
    let mut at = packets.start;
    while at < packets.end {
        let end = packets.end.min(at + BATCH);
        views.clear();
        views.extend((at..end).map(|at| trace.view(at, later)));
        tracker.track_batch(&views, sink);
        at = end;
    }
}

/// A sink that counts what it is lent: the cheapest one that looks at everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Flows started.
    pub started: u64,
    /// Flows ended.
    pub ended: u64,
    /// Handshakes completed.
    pub established: u64,
    /// Packets counted.
    pub packets: u64,
    /// Bytes on the wire of these packets.
    pub wire: u64,
    /// Anomalies.
    pub anomalies: u64,
    /// Changes of state, interim records and late packets.
    pub others: u64,
    /// Segments and datagrams lent.
    pub payloads: u64,
    /// Captured bytes of these.
    pub bytes: u64,
}

impl<K, S> FlowSink<K, S> for Tally {
    fn event(&mut self, _: Flow<'_, K, S>, change: Change) {
        match change {
            Change::Packet(info) => {
                self.packets += 1;
                self.wire += u64::from(info.wire_len);
            }
            Change::Started { .. } => self.started += 1,
            Change::Ended { .. } => self.ended += 1,
            Change::Established => self.established += 1,
            Change::Anomaly { .. } => self.anomalies += 1,
            _ => self.others += 1,
        }
    }

    fn segment(&mut self, _: Flow<'_, K, S>, segment: Segment<'_>) {
        self.payloads += 1;
        self.bytes += segment.payload.len() as u64;
    }

    fn datagram(&mut self, _: Flow<'_, K, S>, datagram: Datagram<'_>) {
        self.payloads += 1;
        self.bytes += datagram.payload.len() as u64;
    }
}
