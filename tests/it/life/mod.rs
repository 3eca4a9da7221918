//! The life of a TCP flow, each rule as a dialogue of packets.

mod ending;
mod eviction;
mod initiator;
mod lingering;
mod opening;
mod reset;
mod reuse;
mod stats;
mod time;

pub(crate) use flowscope::core::FlowSide::{Initiator, Responder};
pub(crate) use flowscope::core::TcpFlags;
pub(crate) use flowscope::track::{
    Anomaly, EndReason, FlowState, InitiatorEvidence, TrackerConfig,
};
pub(crate) use flowscope_testkit::Dialogue;
pub(crate) use flowscope_tests::script::{Outcome, run, run_packets, run_with};

/// A connection between the two hosts that all scripts are about.
pub(crate) fn talk() -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
}

pub(crate) const ACK: TcpFlags = TcpFlags::ACK;
pub(crate) const SYN: TcpFlags = TcpFlags::SYN;
pub(crate) const RST: TcpFlags = TcpFlags::RST;
pub(crate) const FIN_ACK: TcpFlags = TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0);
pub(crate) const SYN_ACK: TcpFlags = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0);
pub(crate) const PSH_ACK: TcpFlags = TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0);
