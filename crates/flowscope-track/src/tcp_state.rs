/// State of a TCP connection at the responder, as the segments on the wire show it (RFC 9293 §3.3.2).
///
/// Of the two ends the responder is meant, as in Suricata: a connection whose initiator has sent a FIN is in
/// [`CloseWait`](Self::CloseWait), one whose responder has in [`FinWait1`](Self::FinWait1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TcpState {
    /// Picked up mid-stream, and not established so far: nothing of its state is known.
    None,
    /// The initiator's SYN was seen.
    SynSent,
    /// The responder's SYN was seen, or another answer to the initiator's.
    SynReceived,
    /// Established.
    Established,
    /// The responder sent the first FIN; it is not acknowledged.
    FinWait1,
    /// The responder sent the first FIN; it is acknowledged.
    FinWait2,
    /// Both sent a FIN, the responder first; its FIN is acknowledged.
    TimeWait,
    /// Both sent a FIN, the initiator first.
    LastAck,
    /// The initiator sent the first FIN, the responder none.
    CloseWait,
    /// Both sent a FIN, the responder first; its FIN is not acknowledged.
    Closing,
    /// Closed by both sides, or reset.
    Closed,
}

impl TcpState {
    /// Suricata's spelling. Its states are these and `listen`, in which no captured connection is.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TcpState::None => "none",
            TcpState::SynSent => "syn_sent",
            TcpState::SynReceived => "syn_recv",
            TcpState::Established => "established",
            TcpState::FinWait1 => "fin_wait1",
            TcpState::FinWait2 => "fin_wait2",
            TcpState::TimeWait => "time_wait",
            TcpState::LastAck => "last_ack",
            TcpState::CloseWait => "close_wait",
            TcpState::Closing => "closing",
            TcpState::Closed => "closed",
        }
    }
}
