use std::time::Duration;

use flowscope_core::{FlowSide, IcmpInfo, L4Proto, Orientation, Path, TcpFlags, Timestamp};

use crate::{FlowState, Macs, TcpState};

/// Statistics of a flow.
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
    /// Orientation of the key in which the initiator sends.
    pub orientation: Orientation,
    /// Why that side is the initiator.
    pub evidence: InitiatorEvidence,
    /// The transport protocol.
    pub l4: Option<L4Proto>,
    /// State of the flow.
    pub state: FlowState,
    /// Whether it was picked up mid-stream: TCP without a SYN of either side.
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
    /// Counted since the last interim record, or since the start; initiator first.
    pub delta: [Counters; 2],
    /// What came after the flow had ended, initiator first. Part of the other counters only in
    /// [`FlowSink::removed`](crate::FlowSink::removed).
    pub late: Option<LateStats>,
    /// TCP: `last_seen` when both sides had sent a FIN that counts. What comes later are acknowledgements,
    /// resets and repetitions.
    pub closed: Option<Timestamp>,
    /// How the connection went, as in Zeek.
    pub conn_state: ConnState,
    /// State of the TCP connection; `None` for other protocols.
    pub tcp_state: Option<TcpState>,
    /// Ethernet addresses of its frames, late ones included, if they are [kept](crate::TrackerConfig::macs).
    pub macs: Option<Box<Macs>>,
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

    /// Returns the time from the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.last_seen.since(self.first_seen)
    }
}

/// Counters of one direction.
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

/// Statistics of one side of a flow: what it sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SideStats {
    /// Packets and bytes.
    pub counters: Counters,
    /// All TCP flags seen.
    pub tcp_flags: TcpFlags,
    /// Segments with nothing new: payload, SYN or FIN that had been sent before.
    pub retransmitted: u32,
    /// Segments that filled a hole left by packets captured earlier.
    pub out_of_order: u32,
    /// Pure acknowledgements that repeat the last one while data is outstanding.
    pub duplicate_acks: u32,
    /// Accepted segments with a window of zero, without SYNs and RSTs.
    pub zero_windows: u32,
    /// Keep-alive and zero-window probes; not retransmissions.
    pub probes: u32,
    /// Segments with an urgent pointer.
    pub urgent: u32,
    /// Segments whose sequence numbers lie far outside the window.
    pub out_of_window: u32,
    /// Packets with a wrong checksum, where checksums are verified and such packets excluded. They
    /// are counted, and change nothing else.
    pub bad_checksums: u32,
    /// Bytes of the stream that no captured packet had.
    pub gap_bytes: u64,
    /// TCP: bytes of payload that captured segments had and the capture cut off, without repetitions.
    pub cut_bytes: u64,
    /// TCP: length of the stream by its sequence numbers, from its SYN or first segment on: repetitions
    /// count once, and bytes that were not captured count.
    pub stream_bytes: u64,
    /// Window of the first accepted segment, unscaled.
    pub initial_window: Option<u16>,
    /// Smallest window of an accepted segment, unscaled, without SYNs and RSTs.
    pub min_window: Option<u16>,
    /// Largest window, likewise.
    pub max_window: Option<u16>,
    /// Maximum segment size option of its SYN.
    pub mss: Option<u16>,
    /// Window scale of this side: known only if both SYNs carried the option (RFC 7323 §2.2).
    pub window_scale: Option<u8>,
    /// Whether its SYN permitted selective acknowledgement.
    pub sack_permitted: bool,
    /// Smallest and largest TTL or hop limit.
    pub ttl: Option<(u8, u8)>,
    /// Type of service or traffic class of its first packet.
    pub tos: u8,
    /// IPv6 flow label of its first packet.
    pub flow_label: u32,
    /// What the capture counted without passing it on; included in `counters`. Its bytes of the stream
    /// are no `gap_bytes`.
    pub shunted: Counters,
}

/// Packets that came after the flow had ended.
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

/// Why a side is the initiator, strongest evidence first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum InitiatorEvidence {
    /// It sent a SYN.
    Syn,
    /// A SYN+ACK was sent to it.
    SynAck,
    /// Only the port of the other side is a listening port.
    ListeningPort,
    /// It sent the first captured packet.
    FirstPacket,
}

/// How a connection went, as Zeek's `conn_state`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not ended.
    S1,
    /// Ended by both sides. UDP: both sides sent.
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
    /// SYN, then RST by the initiator, nothing of the responder but acknowledgements.
    Rstos0,
    /// Reset by the responder, nothing of the initiator seen but acknowledgements.
    Rstrh,
    /// FIN by the initiator, nothing of the responder seen but acknowledgements.
    Sh,
    /// FIN by the responder, nothing of the initiator seen but acknowledgements. UDP: only the responder
    /// sent.
    Shr,
    /// None of these: traffic without a SYN, a reset alone, or neither TCP nor UDP.
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
