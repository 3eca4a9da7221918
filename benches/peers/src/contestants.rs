//! The two libraries behind one face.

use std::num::NonZeroUsize;
use std::ops::Range;

use flowscope_benches::{Tally, Trace, feed};
use flowscope_track::TrackerConfig;

/// Whose tracker, and how packets get into it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    Peer,
    OneByOne,
    Batches,
}

impl How {
    pub(crate) const ALL: [How; 3] = [How::Peer, How::OneByOne, How::Batches];

    pub(crate) fn name(self) -> &'static str {
        match self {
            How::Peer => "flowscope 0.22",
            How::OneByOne => "ours, one by one",
            How::Batches => "ours, in batches",
        }
    }
}

/// A tracker of either library, with a count of what it told.
// One of each at most is alive: their sizes do not matter.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Contestant {
    Peer(peer::tracker::FlowTracker<peer::extract::FiveTuple>, Tally),
    Ours(flowscope_track::FlowTracker<flowscope_extract::FiveTuple>, Tally, bool),
}

impl Contestant {
    /// With the same limit and the same timeouts: 300 s for TCP, 60 s for UDP.
    pub(crate) fn new(how: How, max_flows: usize) -> Self {
        if how == How::Peer {
            let mut config = peer::tracker::FlowTrackerConfig::default();
            config.max_flows = max_flows;
            config.idle_timeout_tcp = std::time::Duration::from_secs(300);
            config.idle_timeout_udp = std::time::Duration::from_secs(60);
            let extractor = peer::extract::FiveTuple::bidirectional();
            let tracker = peer::tracker::FlowTracker::with_config(extractor, config);
            return Contestant::Peer(tracker, Tally::default());
        }
        let config = TrackerConfig::default()
            .max_flows(NonZeroUsize::new(max_flows).unwrap_or(NonZeroUsize::MIN))
            .memory_budget(8 << 30);
        let extractor = flowscope_extract::FiveTuple::bidirectional();
        let tracker = flowscope_track::FlowTracker::with_config(extractor, config);
        Contestant::Ours(tracker, Tally::default(), how == How::Batches)
    }

    pub(crate) fn feed(&mut self, trace: &Trace, packets: Range<usize>, later: u64) {
        match self {
            Contestant::Peer(tracker, tally) => {
                for at in packets {
                    for event in tracker.track(peer_view(trace, at, later)) {
                        count(&event, tally);
                    }
                }
            }
            Contestant::Ours(tracker, tally, false) => {
                feed::one_by_one(tracker, trace, packets, later, tally);
            }
            Contestant::Ours(tracker, tally, true) => {
                feed::in_batches(tracker, trace, packets, later, tally);
            }
        }
    }

    /// One call that does what is due by `nanos`; says whether more is.
    pub(crate) fn expire(&mut self, nanos: u64) -> bool {
        match self {
            Contestant::Peer(tracker, tally) => {
                for event in tracker.sweep(peer_time(nanos)) {
                    count(&event, tally);
                }
                false
            }
            Contestant::Ours(tracker, tally, _) => {
                let now = flowscope_core::Timestamp::from_nanos(nanos);
                tracker.expire(now, 64, tally) == flowscope_core::Progress::More
            }
        }
    }

    /// Lets everything end.
    pub(crate) fn finish(&mut self) {
        match self {
            Contestant::Peer(tracker, tally) => {
                tracker.finish().iter().for_each(|event| count(event, tally));
            }
            Contestant::Ours(tracker, tally, _) => {
                tracker.finish(flowscope_track::EndReason::EndOfInput, tally);
            }
        }
    }

    pub(crate) fn tally(&self) -> &Tally {
        match self {
            Contestant::Peer(_, tally) | Contestant::Ours(_, tally, _) => tally,
        }
    }

    /// Flows in the table.
    pub(crate) fn len(&self) -> usize {
        match self {
            Contestant::Peer(tracker, _) => tracker.flow_count(),
            Contestant::Ours(tracker, ..) => tracker.len(),
        }
    }
}

fn count<K>(event: &peer::event::FlowEvent<K>, tally: &mut Tally) {
    use peer::event::FlowEvent as Event;
    match event {
        Event::Packet { len, .. } => {
            tally.packets += 1;
            tally.wire += *len as u64;
        }
        Event::Started { .. } => tally.started += 1,
        Event::Ended { .. } => tally.ended += 1,
        Event::Established { .. } => tally.established += 1,
        Event::FlowAnomaly { .. } | Event::TrackerAnomaly { .. } => tally.anomalies += 1,
        _ => tally.others += 1,
    }
}

#[inline]
pub(crate) fn peer_view(trace: &Trace, at: usize, later: u64) -> peer::PacketView<'_> {
    let (frame, nanos) = trace.frame(at);
    peer::PacketView::new(frame, peer_time(nanos + later))
}

fn peer_time(nanos: u64) -> peer::Timestamp {
    peer::Timestamp::new((nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32)
}
