//! Names of enumerated values, the same in every format.

use flowscope_core::L4Proto;
use flowscope_record::Value;
use flowscope_track::{EndReason, InitiatorEvidence};

/// What the protocol of a flow, or of one side, is called where bytes contradicted the one that was recognised.
pub(crate) const FAILED: &str = "failed";

/// A protocol over IP as Suricata names it, or its number.
pub(crate) fn proto(proto: L4Proto) -> Value<'static> {
    match proto {
        L4Proto::Tcp => "TCP".into(),
        L4Proto::Udp => "UDP".into(),
        L4Proto::Icmp => "ICMP".into(),
        L4Proto::Icmpv6 => "IPv6-ICMP".into(),
        L4Proto::Sctp => "SCTP".into(),
        other => Value::short(other.number()),
    }
}

/// A transport protocol as Zeek names it.
pub(crate) fn zeek_proto(proto: L4Proto) -> &'static str {
    match proto {
        L4Proto::Tcp => "tcp",
        L4Proto::Udp => "udp",
        L4Proto::Icmp | L4Proto::Icmpv6 => "icmp",
        _ => "unknown_transport",
    }
}

/// Returns the reason why a flow ended, in snake case.
#[must_use]
pub fn end_reason(reason: EndReason) -> &'static str {
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

/// Why a side is called the initiator, in snake case.
#[must_use]
pub fn initiator_evidence(evidence: InitiatorEvidence) -> &'static str {
    match evidence {
        InitiatorEvidence::Syn => "syn",
        InitiatorEvidence::SynAck => "syn_ack",
        InitiatorEvidence::ListeningPort => "listening_port",
        InitiatorEvidence::FirstPacket => "first_packet",
        _ => "other",
    }
}
