use std::time::Duration;

use flowscope_core::{FlowSide, IcmpInfo, L4Proto, Orientation, Path, TcpFlags, Timestamp};

use crate::FlowState;

/// Everything counted about a flow, at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FlowStats {
    /// What the initiator sent.
    pub initiator: SideStats,
    /// What the responder sent.
    pub responder: SideStats,
    /// Earliest time of any of its packets.
    pub first_seen: Timestamp,
    /// Latest time of any of its packets.
    pub last_seen: Timestamp,
    /// Which orientation of the key the initiator's packets have.
    pub orientation: Orientation,
    /// Why that side is called the initiator.
    pub evidence: InitiatorEvidence,
    /// The transport protocol.
    pub l4: Option<L4Proto>,
    /// Where in its life the flow stands.
    pub state: FlowState,
    /// Whether it was picked up in the middle: TCP without a SYN of either side.
    pub mid_stream: bool,
    /// Time from SYN to SYN+ACK: the way to the responder and back. In steps of 10 ns, at least one
    /// and less than 2^32 (42.9 s).
    pub syn_rtt: Option<Duration>,
    /// Time from SYN+ACK to the ACK that completes the handshake, likewise: to the initiator and back.
    pub ack_rtt: Option<Duration>,
    /// Type, code and identifier of the first message of an ICMP flow.
    pub icmp: Option<IcmpInfo>,
    /// Tags and tunnels around its first packet.
    pub path: Path,
    /// Interim records given so far.
    pub interims: u32,
    /// What was counted since the last interim record, or since the start; initiator first.
    pub delta: [Counters; 2],
    /// What came after the flow had ended, initiator first. Part of the other counters only in
    /// [`FlowSink::removed`](crate::FlowSink::removed).
    pub late: Option<LateStats>,
    /// The Zeek name of how the connection went.
    pub conn_state: ConnState,
}

impl FlowStats {
    /// The statistics of one side.
    #[must_use]
    pub fn side(&self, side: FlowSide) -> &SideStats {
        match side {
            FlowSide::Initiator => &self.initiator,
            FlowSide::Responder => &self.responder,
        }
    }

    /// From the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.last_seen.since(self.first_seen)
    }
}

/// The four counters of one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Frames.
    pub packets: u64,
    /// Bytes on the wire, all headers counted.
    pub wire_bytes: u64,
    /// Bytes of the innermost IP packets, header included.
    pub ip_bytes: u64,
    /// Bytes of transport payload by the headers' length fields, whether captured or not.
    pub payload_bytes: u64,
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Counters) {
        self.packets += other.packets;
        self.wire_bytes += other.wire_bytes;
        self.ip_bytes += other.ip_bytes;
        self.payload_bytes += other.payload_bytes;
    }

    pub(crate) fn minus(&self, other: &Counters) -> Counters {
        Counters {
            packets: self.packets.saturating_sub(other.packets),
            wire_bytes: self.wire_bytes.saturating_sub(other.wire_bytes),
            ip_bytes: self.ip_bytes.saturating_sub(other.ip_bytes),
            payload_bytes: self.payload_bytes.saturating_sub(other.payload_bytes),
        }
    }
}

/// What one side of a flow sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SideStats {
    /// Packets and bytes.
    pub counters: Counters,
    /// All TCP flags seen.
    pub tcp_flags: TcpFlags,
    /// Segments that brought nothing new: payload, SYN or FIN that had been sent before.
    pub retransmitted: u32,
    /// Segments that filled a hole left by packets captured earlier.
    pub out_of_order: u32,
    /// Pure acknowledgements that repeat the last one while data is outstanding.
    pub duplicate_acks: u32,
    /// Believed segments that advertise a window of zero, likewise without SYNs and RSTs.
    pub zero_windows: u32,
    /// Keep-alive and zero-window probes; not retransmissions.
    pub probes: u32,
    /// Segments with an urgent pointer.
    pub urgent: u32,
    /// Segments whose numbers lie far outside of the window.
    pub out_of_window: u32,
    /// Packets with a wrong checksum, where those are verified and excluded: their bytes are in the
    /// counters, they changed nothing else.
    pub bad_checksums: u32,
    /// Bytes that the sequence numbers skip and no later packet brought.
    pub gap_bytes: u64,
    /// Window of the segment with which the side showed itself, unscaled.
    pub initial_window: Option<u16>,
    /// Smallest window of a believed segment, unscaled, SYNs and RSTs left out.
    pub min_window: Option<u16>,
    /// Largest window, likewise.
    pub max_window: Option<u16>,
    /// Maximum segment size that its SYN offered.
    pub mss: Option<u16>,
    /// Window scale in force for this side's windows: known only if both SYNs carried the option.
    pub window_scale: Option<u8>,
    /// Its SYN permitted selective acknowledgement.
    pub sack_permitted: bool,
    /// Smallest and largest TTL or hop limit.
    pub ttl: Option<(u8, u8)>,
    /// Type of service or traffic class of its first packet.
    pub tos: u8,
    /// IPv6 flow label of its first packet.
    pub flow_label: u32,
}

/// What reached a flow's entry after the flow had ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LateStats {
    /// Packets and bytes, initiator first.
    pub sides: [Counters; 2],
    /// TCP flags of them, initiator first.
    pub tcp_flags: [TcpFlags; 2],
    /// Time of the earliest of them.
    pub first_seen: Timestamp,
    /// Time of the latest of them.
    pub last_seen: Timestamp,
}

/// Why one side of a flow is taken for its initiator, strongest first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum InitiatorEvidence {
    /// It sent a SYN.
    Syn,
    /// It was sent a SYN+ACK.
    SynAck,
    /// The other side's port, and only that, is a known listening port.
    ListeningPort,
    /// It sent the first packet that was captured.
    FirstPacket,
}

/// How a connection went, in Zeek's terms (`conn_state` of `conn.log`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not ended.
    S1,
    /// Established and ended by both sides. For other protocols: both sides sent.
    Sf,
    /// Attempt rejected.
    Rej,
    /// Established, ended by the initiator alone.
    S2,
    /// Established, ended by the responder alone.
    S3,
    /// Established, reset by the initiator.
    Rsto,
    /// Established, reset by the responder.
    Rstr,
    /// SYN, then RST by the initiator, nothing of the responder.
    Rstos0,
    /// SYN+ACK, then RST by the responder, no SYN seen.
    Rstrh,
    /// SYN, then FIN by the initiator, no SYN+ACK seen.
    Sh,
    /// SYN+ACK, then FIN by the responder, no SYN seen. For other protocols: the responder alone sent.
    Shr,
    /// None of these: traffic without a SYN, say.
    Oth,
}

impl ConnState {
    /// Zeek's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ConnState::S0 => "S0",
            ConnState::S1 => "S1",
            ConnState::Sf => "SF",
            ConnState::Rej => "REJ",
            ConnState::S2 => "S2",
            ConnState::S3 => "S3",
            ConnState::Rsto => "RSTO",
            ConnState::Rstr => "RSTR",
            ConnState::Rstos0 => "RSTOS0",
            ConnState::Rstrh => "RSTRH",
            ConnState::Sh => "SH",
            ConnState::Shr => "SHR",
            ConnState::Oth => "OTH",
        }
    }
}
