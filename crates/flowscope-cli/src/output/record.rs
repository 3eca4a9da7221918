use std::time::Duration;

use flowscope::core::{FlowSide, L4Proto, Layer, Orientation, Path, TcpFlags, Timestamp};
use flowscope::extract::{Endpoint, FiveTupleKey};
use flowscope::track::{
    Change, ConnState, Counters, EndReason, Flow, FlowState, FlowStats, History, InitiatorEvidence,
    SideStats,
};

/// What the record of a flow says, whatever its format; small, since a sweep may make a million.
#[derive(Clone, Debug)]
pub(crate) struct FlowRecord {
    pub(crate) id: u64,
    pub(crate) key: FiveTupleKey,
    /// When it was made, in packet time.
    pub(crate) ts: Timestamp,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) orientation: Orientation,
    pub(crate) evidence: InitiatorEvidence,
    pub(crate) state: FlowState,
    pub(crate) conn_state: ConnState,
    pub(crate) mid_stream: bool,
    pub(crate) syn_rtt: Option<Duration>,
    pub(crate) ack_rtt: Option<Duration>,
    /// Type and code of the first message of an ICMP flow.
    pub(crate) icmp: Option<(u8, u8)>,
    /// The protocol it speaks, if that was recognised.
    pub(crate) app_proto: Option<&'static str>,
    /// Whether copies of the same bytes differed, as far as the flow was read.
    pub(crate) ambiguous: bool,
    pub(crate) history: History,
    /// Tags and tunnels, if there are any.
    path: Option<Box<Path>>,
    sides: [Side; 2],
}

/// Which record of its flow it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The flow goes on; this is its record of this number.
    Interim(u32),
    /// The flow ended.
    Ended(EndReason),
    /// Packets that came after the flow had ended for this reason.
    Late(EndReason),
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Side {
    /// Since the record before.
    pub(crate) counters: Counters,
    pub(crate) tcp_flags: TcpFlags,
    pub(crate) retransmits: u32,
    pub(crate) out_of_order: u32,
    pub(crate) duplicate_acks: u32,
    pub(crate) zero_windows: u32,
    pub(crate) gap_bytes: u64,
}

/// Whether counters are those of the whole flow, or what its records before left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Count {
    Whole,
    Rest,
}

impl FlowRecord {
    /// The record that goes with an event, if it is one that makes a record.
    pub(crate) fn of<S>(
        flow: &Flow<'_, FiveTupleKey, S>,
        change: Change,
        count: Count,
    ) -> Option<Self> {
        let (interim, ended) = match change {
            Change::Interim { sequence } => (Some(sequence), None),
            Change::Ended { reason } => (None, Some(reason)),
            Change::Late => (None, None),
            _ => return None,
        };
        let stats = flow.stats();
        let kind = match (interim, ended) {
            (Some(sequence), _) => Kind::Interim(sequence),
            (_, Some(reason)) => Kind::Ended(reason),
            // Entries linger after these two alone.
            _ if stats.state == FlowState::Reset => Kind::Late(EndReason::Rst),
            _ => Kind::Late(EndReason::Fin),
        };
        let counters = match (kind, count) {
            (Kind::Late(_), _) => stats.late?.sides,
            (Kind::Ended(_), Count::Whole) => [stats.initiator.counters, stats.responder.counters],
            _ => stats.delta,
        };
        let mut record = FlowRecord::new(flow, &stats, kind);
        record.sides = match kind {
            // What the flow did before its end stands in another record.
            Kind::Late(_) => counters.map(|counters| Side { counters, ..Side::default() }),
            _ => [Side::of(&stats.initiator, counters[0]), Side::of(&stats.responder, counters[1])],
        };
        Some(record)
    }

    fn new<S>(flow: &Flow<'_, FiveTupleKey, S>, stats: &FlowStats, kind: Kind) -> Self {
        let (start, end) = match (kind, stats.late) {
            (Kind::Late(_), Some(late)) => (late.first_seen, late.last_seen),
            _ => (stats.first_seen, stats.last_seen),
        };
        FlowRecord {
            id: flow.id.0,
            key: *flow.key,
            ts: if matches!(kind, Kind::Ended(_)) { end } else { flow.ts },
            start,
            end,
            kind,
            orientation: stats.orientation,
            evidence: stats.evidence,
            state: stats.state,
            conn_state: stats.conn_state,
            mid_stream: stats.mid_stream,
            syn_rtt: stats.syn_rtt,
            ack_rtt: stats.ack_rtt,
            icmp: stats.icmp.map(|icmp| (icmp.kind, icmp.code)),
            app_proto: None,
            ambiguous: false,
            history: flow.history(),
            path: (!stats.path.is_empty()).then(|| Box::new(stats.path)),
            sides: [Side::default(); 2],
        }
    }

    pub(crate) fn proto(&self) -> L4Proto {
        self.key.proto()
    }

    /// Initiator and responder.
    pub(crate) fn ends(&self) -> (Endpoint, Endpoint) {
        self.key.endpoints(self.orientation)
    }

    pub(crate) fn initiator(&self) -> &Side {
        self.side(FlowSide::Initiator)
    }

    pub(crate) fn responder(&self) -> &Side {
        self.side(FlowSide::Responder)
    }

    pub(crate) fn side(&self, side: FlowSide) -> &Side {
        &self.sides[side.index()]
    }

    /// From its first packet to its last.
    pub(crate) fn duration(&self) -> Duration {
        self.end.since(self.start)
    }

    /// VLAN ids, outermost first.
    pub(crate) fn vlans(&self) -> impl Iterator<Item = u32> + Clone {
        self.path().filter(|layer| layer.layer == Layer::Vlan).map(|layer| layer.id)
    }

    /// What else lies around it, outermost first.
    pub(crate) fn tunnels(&self) -> impl Iterator<Item = (&'static str, u32)> + Clone {
        self.path()
            .filter(|layer| layer.layer != Layer::Vlan)
            .map(|layer| (layer_name(layer.layer), layer.id))
    }

    fn path(&self) -> impl Iterator<Item = flowscope::core::PathLayer> + Clone {
        let path = self.path.as_deref().copied().unwrap_or(Path::EMPTY);
        (0..path.len()).filter_map(move |at| path.get(at))
    }

    /// Why the flow ended, or that it goes on, in snake case.
    pub(crate) fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Interim(_) => "active_timeout",
            Kind::Ended(reason) | Kind::Late(reason) => end_reason(reason),
        }
    }
}

impl Side {
    fn of(stats: &SideStats, counters: Counters) -> Side {
        Side {
            counters,
            tcp_flags: stats.tcp_flags,
            retransmits: stats.retransmitted,
            out_of_order: stats.out_of_order,
            duplicate_acks: stats.duplicate_acks,
            zero_windows: stats.zero_windows,
            gap_bytes: stats.gap_bytes,
        }
    }
}

/// The name of a reason in snake case.
pub(crate) fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Fin => "fin",
        EndReason::Rst => "rst",
        EndReason::IdleTimeout => "idle_timeout",
        EndReason::Evicted => "evicted",
        EndReason::Superseded => "superseded",
        EndReason::EndOfInput => "end_of_input",
        EndReason::Shutdown => "shutdown",
        EndReason::Forced => "forced",
        _ => "other",
    }
}

/// The name of the evidence in snake case.
pub(crate) fn evidence(evidence: InitiatorEvidence) -> &'static str {
    match evidence {
        InitiatorEvidence::Syn => "syn",
        InitiatorEvidence::SynAck => "syn_ack",
        InitiatorEvidence::ListeningPort => "listening_port",
        InitiatorEvidence::FirstPacket => "first_packet",
        _ => "other",
    }
}

pub(super) fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Vlan => "vlan",
        Layer::Mpls => "mpls",
        Layer::Pppoe => "pppoe",
        Layer::Vxlan => "vxlan",
        Layer::Geneve => "geneve",
        Layer::Gre => "gre",
        Layer::Nvgre => "nvgre",
        Layer::Erspan => "erspan",
        Layer::GtpU => "gtp_u",
        Layer::IpIp => "ip_ip",
        Layer::Pseudowire => "pseudowire",
        _ => "other",
    }
}
