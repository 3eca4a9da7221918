use flowscope_core::{FlowSide, IcmpInfo, Orientation, TcpFlags, Timestamp};

use crate::{Flow, FlowId, FlowStats, History, InitiatorEvidence};

/// State of a flow.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlowState {
    /// TCP: a SYN was seen, no answer yet.
    SynSent,
    /// TCP: the handshake is not complete, or the flow was picked up mid-stream and only one side
    /// was seen.
    SynReceived,
    /// TCP: both sides send.
    Established,
    /// TCP: one side has sent FIN.
    FinWait,
    /// TCP: both sides have sent FIN, not both are acknowledged.
    ClosingTcp,
    /// TCP: both sides have sent FIN, and both FINs are acknowledged.
    Closed,
    /// TCP: reset.
    Reset,
    /// Any other protocol.
    Active,
}

impl FlowState {
    /// Whether the flow has ended by its own packets: closed or reset.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, FlowState::Closed | FlowState::Reset)
    }

    /// Whether it is a TCP flow with an incomplete handshake.
    #[must_use]
    pub const fn is_half_open(self) -> bool {
        matches!(self, FlowState::SynSent | FlowState::SynReceived)
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum EndReason {
    /// Both sides sent FIN, and both FINs were acknowledged.
    Fin,
    /// A reset that was accepted; see [`ResetRule`](crate::ResetRule).
    Rst,
    /// No packet for longer than the idle timeout.
    IdleTimeout,
    /// The table was full, and its entry was evicted.
    Evicted,
    /// A new connection took its addresses and ports.
    Superseded,
    /// The input ended.
    EndOfInput,
    /// The capture was shut down.
    Shutdown,
    /// The caller ended it.
    Forced,
}

/// Unusual packets of a flow. The flow goes on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Anomaly {
    /// A RST whose sequence number is not accepted, or that later traffic in sequence contradicted.
    InvalidReset,
    /// A FIN far outside the window, or before data that is known to follow.
    InvalidFin,
    /// Data followed a FIN; the FIN is ignored.
    RetractedFin,
    /// A SYN with a new sequence number on a live flow. It changes nothing unless it is answered.
    UnexpectedSyn,
    /// A SYN+ACK that acknowledges no SYN of this flow.
    UnexpectedSynAck,
    /// A segment far outside the window.
    OutOfWindow,
    /// An urgent pointer. Hosts differ in how they deliver the urgent byte (RFC 6093).
    UrgentData,
}

/// What happened to a flow; passed to [`FlowSink::event`](crate::FlowSink::event).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// The flow is new. Its first packet is counted already.
    Started {
        /// Why this side is called the initiator.
        evidence: InitiatorEvidence,
    },
    /// A packet was counted.
    Packet(PacketInfo),
    /// The TCP handshake is complete, or must have been by the packets that were seen.
    Established,
    /// The state of the flow changed.
    StateChange {
        /// Before.
        from: FlowState,
        /// After.
        to: FlowState,
    },
    /// An unusual packet; the flow goes on.
    Anomaly {
        /// What.
        kind: Anomaly,
        /// Who sent it.
        side: FlowSide,
    },
    /// An ICMP error quotes a packet of this flow. The error itself is counted in its own flow.
    IcmpError {
        /// Type and code of the error.
        icmp: IcmpInfo,
        /// Who had sent the quoted packet.
        side: FlowSide,
    },
    /// The flow has lasted another [`active`](crate::TrackerConfig::active) interval. `delta` of
    /// its statistics is what the interval added.
    Interim {
        /// 1 for the flow's first.
        sequence: u32,
    },
    /// The capture has counted packets of a side without passing them on, and they are added now, because
    /// the flow came back or ended. Then a segment without bytes is lent for the payload: a gap in
    /// the stream that is no loss.
    Shunted {
        /// Who sent them.
        side: FlowSide,
        /// Number of packets.
        packets: u64,
        /// Bytes of their payload.
        payload_bytes: u64,
    },
    /// The flow has ended. Exactly one for each `Started`.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// The entry of an ended flow is removed, and packets came late: see [`FlowStats::late`]. At
    /// most one, after `Ended`.
    Late,
}

/// The packet of a `Packet` event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketInfo {
    /// Who sent it.
    pub side: FlowSide,
    /// Its own time.
    pub ts: Timestamp,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// Bytes of transport payload, by the headers.
    pub payload_len: u32,
    /// TCP flags; none for other protocols.
    pub tcp_flags: TcpFlags,
}

/// Owned form of a [`Change`], with its flow.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FlowEvent<K> {
    /// The flow is new.
    Started {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Why this side is called the initiator.
        evidence: InitiatorEvidence,
    },
    /// A packet was counted.
    Packet {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// The packet.
        info: PacketInfo,
    },
    /// The TCP handshake is complete.
    Established {
        /// Which flow, and when.
        flow: FlowRef<K>,
    },
    /// The state of the flow changed.
    StateChange {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Before.
        from: FlowState,
        /// After.
        to: FlowState,
    },
    /// An unusual packet; the flow goes on.
    Anomaly {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// What.
        kind: Anomaly,
        /// Who sent it.
        side: FlowSide,
    },
    /// An ICMP error quotes a packet of this flow.
    IcmpError {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Type and code of the error.
        icmp: IcmpInfo,
        /// Who had sent the quoted packet.
        side: FlowSide,
    },
    /// The flow has lasted another active interval.
    Interim {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// 1 for the flow's first.
        sequence: u32,
        /// Cumulative, and in `delta` what the interval brought.
        stats: Box<FlowStats>,
    },
    /// Packets that the capture has counted are added. The next gap of a stream is their payload.
    Shunted {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Who sent them.
        side: FlowSide,
        /// Number of packets.
        packets: u64,
        /// Bytes of their payload.
        payload_bytes: u64,
    },
    /// The flow has ended.
    Ended {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Why.
        reason: EndReason,
        /// Everything counted.
        stats: Box<FlowStats>,
        /// What happened, in Zeek's letters.
        history: History,
    },
    /// The entry of an ended flow is removed, and packets came late.
    Late {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// As at the end, with the late part in `late`.
        stats: Box<FlowStats>,
    },
}

/// Which flow an event is about, and where in the input it stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FlowRef<K> {
    /// The flow.
    pub id: FlowId,
    /// Its key.
    pub key: K,
    /// Which orientation of the key the initiator's packets have: `key.endpoints(orientation)` of a
    /// five-tuple is who began the flow, and whom it addressed.
    pub orientation: Orientation,
    /// Number of the packet that the event follows from.
    pub packet: u64,
    /// Packet time of the event: of the packet it follows from; of a flow that ended idle, evicted or
    /// superseded, the flow's last packet; of one that the caller or the end of the input ended, the
    /// watermark; of a reset that counted later, that reset; of `Late`, the last late packet.
    pub ts: Timestamp,
}

impl<K: Clone> FlowEvent<K> {
    /// The owned form of what a sink was lent.
    #[must_use]
    pub fn from_change<S>(flow: &Flow<'_, K, S>, change: Change) -> Self {
        let of = flow.to_ref();
        match change {
            Change::Started { evidence } => FlowEvent::Started { flow: of, evidence },
            Change::Packet(info) => FlowEvent::Packet { flow: of, info },
            Change::Established => FlowEvent::Established { flow: of },
            Change::StateChange { from, to } => FlowEvent::StateChange { flow: of, from, to },
            Change::Anomaly { kind, side } => FlowEvent::Anomaly { flow: of, kind, side },
            Change::IcmpError { icmp, side } => FlowEvent::IcmpError { flow: of, icmp, side },
            Change::Interim { sequence } => {
                FlowEvent::Interim { flow: of, sequence, stats: Box::new(flow.stats()) }
            }
            Change::Shunted { side, packets, payload_bytes } => {
                FlowEvent::Shunted { flow: of, side, packets, payload_bytes }
            }
            Change::Ended { reason } => FlowEvent::Ended {
                flow: of,
                reason,
                stats: Box::new(flow.stats()),
                history: flow.history(),
            },
            Change::Late => FlowEvent::Late { flow: of, stats: Box::new(flow.stats()) },
        }
    }
}

impl<K> FlowEvent<K> {
    /// Which flow it is about, and where in the input it stands.
    #[must_use]
    pub fn flow(&self) -> &FlowRef<K> {
        match self {
            FlowEvent::Started { flow, .. }
            | FlowEvent::Packet { flow, .. }
            | FlowEvent::Established { flow }
            | FlowEvent::StateChange { flow, .. }
            | FlowEvent::Anomaly { flow, .. }
            | FlowEvent::IcmpError { flow, .. }
            | FlowEvent::Interim { flow, .. }
            | FlowEvent::Shunted { flow, .. }
            | FlowEvent::Ended { flow, .. }
            | FlowEvent::Late { flow, .. } => flow,
        }
    }
}
