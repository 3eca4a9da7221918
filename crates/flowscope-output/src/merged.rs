use std::collections::BTreeSet;
use std::time::Duration;

use flowscope_core::{FlowSide, Orientation, TcpFlags, Timestamp};
use flowscope_track::{Counters, EndReason, FlowState, InitiatorEvidence};

use crate::{FlowRecord, FlowRecordKind, FlowRecordSide};

mod record;

#[cfg(test)]
mod tests;

pub use record::MergedRecord;

/// What several records say of one flow together: a commutative monoid, with [`merge`](Self::merge) as its operation
/// and the default value as its identity.
///
/// Records may be merged in any order and in any grouping, so that parts of a capture can be read apart, by other
/// threads, processes or sensors, and put together afterwards. Which records belong together is for the caller to say,
/// by the flow's key, or by its key and start where connections that follow each other on the same ports are to stay
/// apart.
///
/// The records of a flow must have each packet once: those that are made when its entry is removed
/// ([`FlowRecord::of_removed`]) with its interim records, or those of its end with those of late packets. Then
/// packets and bytes are those of the whole capture, however it was divided. What is found by comparing
/// packets (retransmissions, gaps, segments out of order) is found within each part.
///
/// Sums saturate. A value takes memory for its names only: at most one of each protocol, and those of sensors.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MergedFlow {
    /// How many records there were.
    pub records: u64,
    /// Earliest time of any packet; `None` without a record.
    pub start: Option<Timestamp>,
    /// Latest time of any packet.
    pub end: Option<Timestamp>,
    /// What was sent in each orientation of the key: [`Orientation::Forward`] first. Records may differ in which side
    /// they call the initiator.
    pub sides: [MergedSide; 2],
    /// The furthest of the states, in the order of [`FlowState`].
    pub state: Option<FlowState>,
    /// Least time from SYN to SYN+ACK.
    pub syn_rtt: Option<Duration>,
    /// Least time from SYN+ACK to ACK.
    pub ack_rtt: Option<Duration>,
    /// Whether copies of the same bytes differed in any part.
    pub ambiguous: bool,
    /// Names of the protocols that were recognised in any part.
    pub app_protos: BTreeSet<&'static str>,
    /// Names of the sensors whose records these are, as given to [`seen_by`](Self::seen_by).
    pub sensors: BTreeSet<String>,
    /// The strongest evidence of an initiator; of equally strong ones the earliest.
    initiator: Option<(InitiatorEvidence, Timestamp, Reverses)>,
    /// Of the record with the latest packet.
    ended: Option<(Timestamp, EndReason)>,
}

/// Whether the initiator sends in the reverse orientation of the key.
type Reverses = bool;

/// What was sent in one orientation of a flow's key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MergedSide {
    /// Packets and bytes.
    pub counters: Counters,
    /// All TCP flags seen.
    pub tcp_flags: TcpFlags,
    /// Segments sent again.
    pub retransmits: u64,
    /// Segments behind others of a higher sequence number.
    pub out_of_order: u64,
    /// Acknowledgements without news.
    pub duplicate_acks: u64,
    /// Segments that closed the receive window.
    pub zero_windows: u64,
    /// Bytes that were acknowledged but not captured.
    pub gap_bytes: u64,
    /// Bytes of TCP payload that the capture cut off.
    pub cut_bytes: u64,
}

impl MergedFlow {
    /// What one record says.
    ///
    /// An interim record has packets and bytes since the one before, and everything else since the start of the flow.
    /// That else is taken from the last record of the flow alone.
    #[must_use]
    pub fn of(record: &FlowRecord) -> Self {
        let reverses = record.header.orientation == Orientation::Reverse;
        let ended = match record.kind {
            FlowRecordKind::Interim(_) => None,
            FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason) => Some(reason),
        };
        let side = |side: &FlowRecordSide| match ended {
            Some(_) => MergedSide::of(side),
            None => MergedSide {
                counters: side.counters,
                tcp_flags: side.tcp_flags,
                ..MergedSide::default()
            },
        };
        let mut sides = record.sides.each_ref().map(side);
        if reverses {
            sides.reverse();
        }
        let within = record.app_proto_sides.iter().flat_map(|sides| sides.iter().flatten());
        let names = record.app_proto.iter().chain(record.header.within.iter()).chain(within);
        MergedFlow {
            records: 1,
            start: Some(record.start),
            end: Some(record.end),
            sides,
            state: Some(record.state),
            syn_rtt: record.syn_rtt,
            ack_rtt: record.ack_rtt,
            ambiguous: record.header.ambiguous,
            app_protos: names.copied().collect(),
            sensors: BTreeSet::new(),
            initiator: Some((record.evidence, record.start, reverses)),
            ended: ended.map(|reason| (record.end, reason)),
        }
    }

    /// Adds the name of the sensor that the records are of.
    #[must_use]
    pub fn seen_by(mut self, sensor: impl Into<String>) -> Self {
        self.sensors.insert(sensor.into());
        self
    }

    /// Adds what other records say.
    pub fn merge(&mut self, other: &MergedFlow) {
        self.records = self.records.saturating_add(other.records);
        self.start = least(self.start, other.start);
        self.end = self.end.max(other.end);
        for (side, other) in self.sides.iter_mut().zip(&other.sides) {
            side.merge(other);
        }
        self.state = self.state.max(other.state);
        self.syn_rtt = least(self.syn_rtt, other.syn_rtt);
        self.ack_rtt = least(self.ack_rtt, other.ack_rtt);
        self.ambiguous |= other.ambiguous;
        self.app_protos.extend(&other.app_protos);
        self.sensors.extend(other.sensors.iter().cloned());
        self.initiator = least(self.initiator, other.initiator);
        self.ended = self.ended.max(other.ended);
    }

    /// The orientation of the key in which the initiator sends: by the strongest evidence of all records, of equally
    /// strong ones by the earliest. `None` without a record.
    #[must_use]
    pub fn initiator(&self) -> Option<Orientation> {
        let (_, _, reverses) = self.initiator?;
        Some(if reverses { Orientation::Reverse } else { Orientation::Forward })
    }

    /// Why that side is the initiator.
    #[must_use]
    pub fn evidence(&self) -> Option<InitiatorEvidence> {
        self.initiator.map(|(evidence, _, _)| evidence)
    }

    /// What this side sent.
    #[must_use]
    pub fn side(&self, side: FlowSide) -> &MergedSide {
        let reverses = self.initiator() == Some(Orientation::Reverse);
        &self.sides[usize::from((side == FlowSide::Responder) != reverses)]
    }

    /// Why the flow ended, by the record with the latest packet; `None` if all records are of flows that went on.
    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        self.ended.map(|(_, reason)| reason)
    }
}

/// The lesser of two values, where there are two.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl MergedSide {
    fn of(side: &FlowRecordSide) -> Self {
        MergedSide {
            counters: side.counters,
            tcp_flags: side.tcp_flags,
            retransmits: side.retransmits.into(),
            out_of_order: side.out_of_order.into(),
            duplicate_acks: side.duplicate_acks.into(),
            zero_windows: side.zero_windows.into(),
            gap_bytes: side.gap_bytes,
            cut_bytes: side.cut_bytes,
        }
    }

    fn merge(&mut self, other: &MergedSide) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.counters.packets, other.counters.packets);
        add(&mut self.counters.wire_bytes, other.counters.wire_bytes);
        add(&mut self.counters.ip_bytes, other.counters.ip_bytes);
        add(&mut self.counters.payload_bytes, other.counters.payload_bytes);
        self.tcp_flags |= other.tcp_flags;
        add(&mut self.retransmits, other.retransmits);
        add(&mut self.out_of_order, other.out_of_order);
        add(&mut self.duplicate_acks, other.duplicate_acks);
        add(&mut self.zero_windows, other.zero_windows);
        add(&mut self.gap_bytes, other.gap_bytes);
        add(&mut self.cut_bytes, other.cut_bytes);
    }
}

/// Of any number of records, in any order.
impl FromIterator<MergedFlow> for MergedFlow {
    fn from_iter<I: IntoIterator<Item = MergedFlow>>(records: I) -> Self {
        records.into_iter().fold(MergedFlow::default(), |mut all, record| {
            all.merge(&record);
            all
        })
    }
}
