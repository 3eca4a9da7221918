//! What tracker and model are compared by: plain structs that can be made on either side.

use std::time::Duration;

use flowscope_core::{
    Datagram, FlowSide, IcmpInfo, L4Proto, Orientation, Path, Segment, Timestamp,
};
use flowscope_track::{
    Anomaly, Change, ConnState, Counters, EndReason, Flow, FlowSink, FlowState, FlowStats,
    InitiatorEvidence, LateStats, PacketInfo, SideStats, TcpState,
};

/// [`FlowStats`], with an open constructor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stats {
    pub sides: [SideStats; 2],
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub orientation: Orientation,
    pub evidence: InitiatorEvidence,
    pub l4: Option<L4Proto>,
    pub state: FlowState,
    pub mid_stream: bool,
    pub syn_rtt: Option<Duration>,
    pub ack_rtt: Option<Duration>,
    pub icmp: Option<IcmpInfo>,
    pub path: Path,
    pub interims: u32,
    pub delta: [Counters; 2],
    pub late: Option<LateStats>,
    pub closed: Option<Timestamp>,
    pub conn_state: ConnState,
    pub tcp_state: Option<TcpState>,
}

impl From<FlowStats> for Stats {
    fn from(stats: FlowStats) -> Self {
        Stats {
            sides: [stats.initiator, stats.responder],
            first_seen: stats.first_seen,
            last_seen: stats.last_seen,
            orientation: stats.orientation,
            evidence: stats.evidence,
            l4: stats.l4,
            state: stats.state,
            mid_stream: stats.mid_stream,
            syn_rtt: stats.syn_rtt,
            ack_rtt: stats.ack_rtt,
            icmp: stats.icmp,
            path: stats.path,
            interims: stats.interims,
            delta: stats.delta,
            late: stats.late,
            closed: stats.closed,
            conn_state: stats.conn_state,
            tcp_state: stats.tcp_state,
        }
    }
}

/// One call of a sink.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    pub flow: u64,
    pub key: u8,
    /// Number of the packet that the call follows from.
    pub packet: u64,
    pub ts: Timestamp,
    pub what: What,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    Started(InitiatorEvidence),
    Packet(PacketInfo),
    Anomaly(Anomaly, FlowSide),
    Segment {
        side: FlowSide,
        out_of_window: bool,
        seq: u32,
        payload: Vec<u8>,
        wire_len: u32,
        ack: Option<u32>,
        syn: bool,
        fin: bool,
        /// Where the streams start, and up to where they are acknowledged.
        starts: [Option<u32>; 2],
        ends: [Option<u32>; 2],
        acknowledged: [Option<u32>; 2],
    },
    Datagram {
        side: FlowSide,
        payload: Vec<u8>,
        wire_len: u32,
    },
    /// After the end of the flow.
    LateSegment {
        side: FlowSide,
        seq: u32,
        payload: Vec<u8>,
        wire_len: u32,
        ack: Option<u32>,
        fin: bool,
    },
    Established,
    StateChange(FlowState, FlowState),
    Interim(u32, Box<Stats>),
    Ended(EndReason, Box<Stats>, String),
    Late(Box<Stats>),
    Removed(EndReason, Box<Stats>, String),
}

/// A flow in the table, looked at between packets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    pub flow: u64,
    pub key: u8,
    pub stats: Stats,
    pub history: String,
}

/// Collects what the tracker lends, in the form above.
#[derive(Debug, Default)]
pub struct Calls(pub Vec<Call>);

impl Calls {
    fn push<S>(&mut self, flow: &Flow<'_, u8, S>, what: What) {
        let Flow { id, key, packet, ts, .. } = flow;
        self.0.push(Call { flow: id.0, key: **key, packet: *packet, ts: *ts, what });
    }
}

impl<S> FlowSink<u8, S> for Calls {
    fn event(&mut self, flow: Flow<'_, u8, S>, change: Change) {
        let stats = || Box::new(flow.stats().into());
        let what = match change {
            Change::Started { evidence } => What::Started(evidence),
            Change::Packet(info) => What::Packet(info),
            Change::Established => What::Established,
            Change::StateChange { from, to } => What::StateChange(from, to),
            Change::Anomaly { kind, side } => What::Anomaly(kind, side),
            Change::Interim { sequence } => What::Interim(sequence, stats()),
            Change::Ended { reason } => {
                What::Ended(reason, stats(), flow.history().as_str().to_owned())
            }
            Change::Late => What::Late(stats()),
            other => panic!("the model knows no {other:?}"),
        };
        self.push(&flow, what);
    }

    fn segment(&mut self, flow: Flow<'_, u8, S>, segment: Segment<'_>) {
        assert_eq!(segment.ts, flow.ts, "a segment has the time of its packet");
        let Segment { side, seq, payload, wire_len, ack, syn, fin, out_of_window, .. } = segment;
        let payload = payload.to_vec();
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        let starts = sides.map(|side| flow.stream_start(side));
        let ends = sides.map(|side| flow.stream_end(side));
        let acknowledged = sides.map(|side| flow.acknowledged(side));
        let what = What::Segment {
            side,
            out_of_window,
            seq,
            payload,
            wire_len,
            ack,
            syn,
            fin,
            starts,
            ends,
            acknowledged,
        };
        self.push(&flow, what);
    }

    fn late_segment(&mut self, flow: Flow<'_, u8, S>, segment: Segment<'_>) {
        assert_eq!(segment.ts, flow.ts, "a late segment has the time of its packet");
        assert!(!segment.syn, "a SYN is not lent after the end");
        let Segment { side, seq, payload, wire_len, ack, fin, .. } = segment;
        let payload = payload.to_vec();
        self.push(&flow, What::LateSegment { side, seq, payload, wire_len, ack, fin });
    }

    fn removed(&mut self, flow: Flow<'_, u8, S>, reason: EndReason) {
        let (stats, history) = (flow.stats(), flow.history().as_str().to_owned());
        assert_eq!(flow.ts, flow.last_seen(), "the time of its latest packet");
        assert_eq!((flow.ts, flow.tcp_state()), (stats.last_seen, stats.state));
        self.push(&flow, What::Removed(reason, Box::new(stats.into()), history));
    }

    fn datagram(&mut self, flow: Flow<'_, u8, S>, datagram: Datagram<'_>) {
        assert_eq!(datagram.ts, flow.ts, "a datagram has the time of its packet");
        let Datagram { side, payload, wire_len, .. } = datagram;
        self.push(&flow, What::Datagram { side, payload: payload.to_vec(), wire_len });
    }
}
