use std::time::Duration;

use flowscope_core::{FlowSide, L4Proto, TcpFlags, Timestamp};
use flowscope_driver::SessionEvent;
use flowscope_extract::FiveTupleKey;
use flowscope_record::{Record, Visitor};
use flowscope_track::{
    Change, ConnState, Counters, EndReason, Flow, FlowEvent, FlowRef, FlowState, FlowStats,
    History, InitiatorEvidence, Macs, Phase, SideStats, TcpState,
};

use crate::flow_schema::FLOW;
use crate::{RecordHeader, names};

/// The record of a flow, or of a part of its life.
///
/// Small, since a sweep of the flow table may make a million of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlowRecord {
    /// Which flow it is.
    pub header: RecordHeader,
    /// When the first packet was captured.
    pub start: Timestamp,
    /// When the last packet was captured.
    pub end: Timestamp,
    /// When the last one was that Zeek counts: without what follows the FINs of both sides.
    pub closed: Timestamp,
    /// Which record of its flow it is.
    pub kind: FlowRecordKind,
    /// Why this side is called the initiator.
    pub evidence: InitiatorEvidence,
    /// The state at the time of the record.
    pub state: FlowState,
    /// The same as RFC 9293 and Suricata name it; `None` if it is not TCP.
    pub tcp_state: Option<TcpState>,
    /// Whether the entry of the flow was in the table when the input ended, also one that had ended and was
    /// lingering.
    pub at_end: bool,
    /// Zeek's summary of the connection.
    pub conn_state: ConnState,
    /// Whether both sides have sent packets.
    pub two_way: bool,
    /// Whether the flow began before the capture.
    pub mid_stream: bool,
    /// From SYN to SYN+ACK.
    pub syn_rtt: Option<Duration>,
    /// From SYN+ACK to ACK.
    pub ack_rtt: Option<Duration>,
    /// The protocol it speaks, if that was recognised. The command gives `failed` where bytes contradicted the
    /// one that was.
    pub app_proto: Option<&'static str>,
    /// What the bytes of each side were detected as, initiator first, where that is not `app_proto`: another
    /// protocol, or `failed`. `None` for a side of which nothing else is known.
    pub app_proto_sides: Option<Box<[Option<&'static str>; 2]>>,
    /// What Zeek calls that protocol.
    pub service: Option<&'static str>,
    /// Ethernet addresses of its frames, if they are [kept](flowscope_track::TrackerConfig::macs).
    pub macs: Option<Box<Macs>>,
    /// What happened, in Zeek's letters.
    pub history: History,
    /// What each side sent: initiator, responder.
    pub sides: [FlowRecordSide; 2],
}

/// Which record of its flow a [`FlowRecord`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlowRecordKind {
    /// The flow goes on; this is its record of this number, from 1.
    Interim(u32),
    /// The flow ended.
    Ended(EndReason),
    /// Packets that came after the flow had ended for this reason, alone.
    Late(EndReason),
}

impl FlowRecordKind {
    /// How the flow ended, in one word: `closed`, `reset`, `idle`, `evicted`, `reused`, `open` where the input or the
    /// capture ended before it did; `active` if it goes on.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            FlowRecordKind::Interim(_) => "active",
            FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason) => match reason {
                EndReason::Fin => "closed",
                EndReason::Rst => "reset",
                EndReason::IdleTimeout => "idle",
                EndReason::Evicted => "evicted",
                EndReason::Superseded => "reused",
                _ => "open",
            },
        }
    }
}

/// What one side of a flow sent.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FlowRecordSide {
    /// Packets and bytes; since the record before, in all but the event log.
    pub counters: Counters,
    /// All TCP flags seen.
    pub tcp_flags: TcpFlags,
    /// Segments sent again.
    pub retransmits: u32,
    /// Segments behind others of a higher sequence number.
    pub out_of_order: u32,
    /// Acknowledgements without news.
    pub duplicate_acks: u32,
    /// Segments that closed the receive window.
    pub zero_windows: u32,
    /// Bytes that were acknowledged but not captured.
    pub gap_bytes: u64,
    /// Bytes of TCP payload that the capture cut off.
    pub cut_bytes: u64,
    /// Of a TCP flow, the length of its stream by sequence numbers, in the record of a whole flow; else its
    /// bytes of payload.
    pub stream_bytes: u64,
    /// What the capture counted without reading it, since the start of the flow; included in the counters.
    pub shunted: Counters,
}

impl FlowRecord {
    /// The record that goes with a change lent to a sink, if it has one: of an interim record, what the
    /// interval brought; of an end, the whole flow; of late packets, these alone.
    #[must_use]
    pub fn of_change<S>(flow: &Flow<'_, FiveTupleKey, S>, change: Change) -> Option<Self> {
        let (kind, history) = match change {
            Change::Interim { sequence } => (FlowRecordKind::Interim(sequence), flow.history()),
            Change::Ended { reason } => (FlowRecordKind::Ended(reason), flow.history()),
            Change::Late => (late(flow.stats().state), flow.history()),
            _ => return None,
        };
        let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation());
        FlowRecord::of_part(header, &flow.stats(), kind, history)
    }

    /// The last record of a flow, made when its entry is removed: what its interim records left, late
    /// packets included.
    #[must_use]
    pub fn of_removed<S>(flow: &Flow<'_, FiveTupleKey, S>, reason: EndReason) -> Self {
        let stats = flow.stats();
        FlowRecord::of_entry(flow, &stats, FlowRecordKind::Ended(reason), stats.delta)
    }

    /// The record of a whole flow up to now, whatever records it had before: of one that ended for this reason, or of one
    /// that goes on. That has the number of the last interim record, or 1.
    #[must_use]
    pub fn of_whole<S>(flow: &Flow<'_, FiveTupleKey, S>, ended: Option<EndReason>) -> Self {
        let stats = flow.stats();
        let kind =
            ended.map_or(FlowRecordKind::Interim(stats.interims.max(1)), FlowRecordKind::Ended);
        let counters = [stats.initiator.counters, stats.responder.counters];
        FlowRecord::of_entry(flow, &stats, kind, counters)
    }

    /// The record that goes with an event, if it has one; as [`of_change`](Self::of_change).
    ///
    /// `Interim` and `Late` events do not have the history.
    #[must_use]
    pub fn of_event<M>(event: &SessionEvent<FiveTupleKey, M>) -> Option<Self> {
        let of = |flow: &FlowRef<FiveTupleKey>, stats: &FlowStats, kind, history| {
            FlowRecord::of_part(RecordHeader::of_event(flow), stats, kind, history)
        };
        match event {
            SessionEvent::Flow(FlowEvent::Interim { flow, sequence, stats }) => {
                of(flow, stats, FlowRecordKind::Interim(*sequence), History::default())
            }
            SessionEvent::Closed { flow, reason, stats, history } => {
                of(flow, stats, FlowRecordKind::Ended(*reason), *history)
            }
            SessionEvent::Flow(FlowEvent::Late { flow, stats }) => {
                of(flow, stats, late(stats.state), History::default())
            }
            _ => None,
        }
    }

    /// Returns what one side sent.
    #[must_use]
    pub fn side(&self, side: FlowSide) -> &FlowRecordSide {
        &self.sides[side.index()]
    }

    /// Returns the time from the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Returns why the flow ended, or that it goes on, in snake case.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.kind {
            FlowRecordKind::Interim(_) => "active_timeout",
            FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason) => {
                names::end_reason(reason)
            }
        }
    }

    /// The record of a flow whose entry is in the table, with these counters of its sides.
    fn of_entry<S>(
        flow: &Flow<'_, FiveTupleKey, S>,
        stats: &FlowStats,
        kind: FlowRecordKind,
        counters: [Counters; 2],
    ) -> Self {
        let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, stats.orientation);
        let record = FlowRecord::new(header, stats, kind, flow.history());
        let at_end = flow.order.phase == Phase::End;
        FlowRecord { at_end, ..record }.with_sides(stats, counters)
    }

    fn of_part(
        header: RecordHeader,
        stats: &FlowStats,
        kind: FlowRecordKind,
        history: History,
    ) -> Option<Self> {
        let mut record = FlowRecord::new(header, stats, kind, history);
        Some(match kind {
            FlowRecordKind::Interim(_) => record.with_sides(stats, stats.delta),
            FlowRecordKind::Ended(_) => {
                record.with_sides(stats, [stats.initiator.counters, stats.responder.counters])
            }
            FlowRecordKind::Late(_) => {
                let late = stats.late?;
                (record.start, record.end) = (late.first_seen, late.last_seen);
                record.closed = late.last_seen;
                for (side, (counters, tcp_flags)) in
                    record.sides.iter_mut().zip(late.sides.into_iter().zip(late.tcp_flags))
                {
                    *side = FlowRecordSide {
                        counters,
                        stream_bytes: counters.payload_bytes,
                        tcp_flags,
                        ..FlowRecordSide::default()
                    };
                }
                record
            }
        })
    }

    fn new(
        mut header: RecordHeader,
        stats: &FlowStats,
        kind: FlowRecordKind,
        history: History,
    ) -> Self {
        header.packet = None;
        header.icmp = stats.icmp.map(|icmp| (icmp.kind, icmp.code));
        FlowRecord {
            header: header.path(stats.path),
            start: stats.first_seen,
            end: stats.last_seen,
            closed: stats.closed.unwrap_or(stats.last_seen),
            kind,
            evidence: stats.evidence,
            state: stats.state,
            tcp_state: stats.tcp_state,
            at_end: false,
            conn_state: stats.conn_state,
            two_way: stats.initiator.counters.packets > 0 && stats.responder.counters.packets > 0,
            mid_stream: stats.mid_stream,
            syn_rtt: stats.syn_rtt,
            ack_rtt: stats.ack_rtt,
            app_proto: None,
            app_proto_sides: None,
            service: None,
            macs: stats.macs.clone(),
            history,
            sides: [FlowRecordSide::default(); 2],
        }
    }

    fn with_sides(mut self, stats: &FlowStats, counters: [Counters; 2]) -> Self {
        let [initiator, responder] = counters;
        self.sides = [
            FlowRecordSide::of(&stats.initiator, initiator),
            FlowRecordSide::of(&stats.responder, responder),
        ];
        let is_whole = stats.interims == 0 && matches!(self.kind, FlowRecordKind::Ended(_));
        if is_whole && stats.l4 == Some(L4Proto::Tcp) {
            self.sides[0].stream_bytes = stats.initiator.stream_bytes;
            self.sides[1].stream_bytes = stats.responder.stream_bytes;
        }
        self
    }
}

/// Entries linger after these two ends alone.
fn late(state: FlowState) -> FlowRecordKind {
    let reset = state == FlowState::Reset;
    FlowRecordKind::Late(if reset { EndReason::Rst } else { EndReason::Fin })
}

impl FlowRecordSide {
    fn of(stats: &SideStats, counters: Counters) -> Self {
        FlowRecordSide {
            counters,
            tcp_flags: stats.tcp_flags,
            retransmits: stats.retransmitted,
            out_of_order: stats.out_of_order,
            duplicate_acks: stats.duplicate_acks,
            zero_windows: stats.zero_windows,
            gap_bytes: stats.gap_bytes,
            cut_bytes: stats.cut_bytes,
            stream_bytes: counters.payload_bytes,
            shunted: stats.shunted,
        }
    }
}

impl Record for FlowRecord {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&FLOW, self)
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::FlowSide::{Initiator, Responder};
    use flowscope_driver::{DriverConfig, SessionDriver, SessionSink};
    use flowscope_extract::FiveTuple;
    use flowscope_http::HttpParser;
    use flowscope_testkit::{Dialogue, views};
    use flowscope_track::TrackerConfig;

    use super::*;

    /// The record of the whole flow at each interim record, and at its end.
    #[derive(Default)]
    struct Whole(Vec<FlowRecord>);

    impl<M> SessionSink<FiveTupleKey, M> for Whole {
        fn flow(&mut self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) {
            match change {
                Change::Started { .. } | Change::Interim { .. } => {
                    self.0.push(FlowRecord::of_whole(&flow, None));
                }
                _ => {}
            }
        }

        fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
            self.0.push(FlowRecord::of_whole(&flow, Some(reason)));
        }
    }

    #[test]
    fn the_record_of_a_whole_flow_has_all_of_it_whatever_records_there_were() {
        let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999").handshake().after(2000);
        let talk = talk.data(Initiator, [0; 10]).after(2000).data(Responder, [0; 20]);
        let tracker = TrackerConfig::default().active(Some(Duration::from_secs(1)));
        let config = DriverConfig::default().tracker(tracker);
        let parser = HttpParser::default();
        let mut driver = SessionDriver::with_config(FiveTuple::bidirectional(), parser, config);
        let mut whole = Whole::default();
        for view in views(&talk.build()) {
            driver.handle_batch_with(&[view], &mut whole);
        }
        driver.finish_with(EndReason::EndOfInput, &mut whole);
        let counted = |side: FlowRecordSide| (side.counters.packets, side.counters.payload_bytes);
        let found = whole.0.iter().map(|record| (record.kind, record.sides.map(counted)));
        let ended = FlowRecordKind::Ended(EndReason::EndOfInput);
        let expected = [
            (FlowRecordKind::Interim(1), [(1, 0), (0, 0)]),
            (FlowRecordKind::Interim(1), [(2, 0), (1, 0)]),
            (FlowRecordKind::Interim(2), [(3, 10), (1, 0)]),
            (ended, [(3, 10), (2, 20)]),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
