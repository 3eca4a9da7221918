//! Names of enumerated values, the same in every format.

use flowscope_core::L4Proto;
use flowscope_record::Value;
use flowscope_track::{EndReason, InitiatorEvidence};

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

/// The type of the ICMP message that answers one of type `kind`, or that one of type `kind` answers.
///
/// ICMP: RFC 792, RFC 950, RFC 1256. ICMPv6: RFC 4443 §4, RFC 2710, RFC 4861 §4, RFC 4620 §4, RFC 6275 §6.
pub(crate) fn icmp_counterpart(proto: L4Proto, kind: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = match proto {
        L4Proto::Icmp => &[(8, 0), (10, 9), (13, 14), (15, 16), (17, 18)],
        L4Proto::Icmpv6 => {
            &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)]
        }
        _ => &[],
    };
    pairs.iter().find_map(|&(asks, answers)| match kind {
        _ if kind == asks => Some(answers),
        _ if kind == answers => Some(asks),
        _ => None,
    })
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
