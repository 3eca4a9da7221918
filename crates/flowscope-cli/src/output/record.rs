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
    /// Packets that came after the flow had ended for this reason; in the event log alone.
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

impl FlowRecord {
    /// The record that goes with an event of the event log, if it has one: of an interim record, what
    /// the interval brought; of an end, the whole flow; of late packets, these alone.
    pub(crate) fn of_change<S>(flow: &Flow<'_, FiveTupleKey, S>, change: Change) -> Option<Self> {
        let stats = flow.stats();
        Some(match change {
            Change::Interim { sequence } => FlowRecord::new(flow, &stats, Kind::Interim(sequence))
                .with_sides(&stats, stats.delta),
            Change::Ended { reason } => {
                let counters = [stats.initiator.counters, stats.responder.counters];
                FlowRecord::new(flow, &stats, Kind::Ended(reason)).with_sides(&stats, counters)
            }
            Change::Late => {
                // Entries linger after these two alone.
                let reset = stats.state == FlowState::Reset;
                let reason = if reset { EndReason::Rst } else { EndReason::Fin };
                let mut record = FlowRecord::new(flow, &stats, Kind::Late(reason));
                let late = stats.late?;
                (record.start, record.end) = (late.first_seen, late.last_seen);
                record.sides = late.sides.map(|counters| Side { counters, ..Side::default() });
                record
            }
            _ => return None,
        })
    }

    /// The last record of a flow, made when its entry is removed: what its interim records left, late
    /// packets included.
    pub(crate) fn of_removed<S>(flow: &Flow<'_, FiveTupleKey, S>, reason: EndReason) -> Self {
        let stats = flow.stats();
        FlowRecord::new(flow, &stats, Kind::Ended(reason)).with_sides(&stats, stats.delta)
    }

    fn with_sides(mut self, stats: &FlowStats, counters: [Counters; 2]) -> Self {
        let [initiator, responder] = counters;
        self.sides = [Side::of(&stats.initiator, initiator), Side::of(&stats.responder, responder)];
        self
    }

    fn new<S>(flow: &Flow<'_, FiveTupleKey, S>, stats: &FlowStats, kind: Kind) -> Self {
        FlowRecord {
            id: flow.id.0,
            key: *flow.key,
            ts: flow.ts,
            start: stats.first_seen,
            end: stats.last_seen,
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
