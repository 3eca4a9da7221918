//! Streams and sessions end to end: packets in, messages, gaps and conflicts out. Every sequence is
//! run in several batch sizes and has to obey the laws of
//! [`session::run`](flowscope_tests::session::run).

mod attacks;
mod both_sides;
mod bounds;
mod carried;
mod closing;
mod expected;
mod holes;
mod laws;
mod life;
mod order;
mod padding;
mod recognition;
mod relatives;
mod upgrade;

pub(crate) use flowscope::core::FlowSide::{Initiator, Responder};
pub(crate) use flowscope::core::{Loss, TcpFlags};
pub(crate) use flowscope_testkit::{Dialogue, Packet, Rng};
pub(crate) use flowscope_tests::session::{AppRecord, Heard, hear, hear_packets, packets};
pub(crate) use flowscope_tests::traffic::timed;
pub(crate) use flowscope_tests::wire;

/// A connection between a client and a web server.
pub(crate) fn talk() -> Dialogue {
    talk_to(80)
}

/// A connection to this port.
pub(crate) fn talk_to(port: u16) -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", &format!("10.0.0.2:{port}"))
}

/// Runs a script and compares all that was said, line by line.
#[track_caller]
pub(crate) fn check(script: Dialogue, expected: &[&str]) -> Heard<AppRecord> {
    check_packets(&packets(script), expected)
}

/// The same for packets.
#[track_caller]
pub(crate) fn check_packets(packets: &[Packet], expected: &[&str]) -> Heard<AppRecord> {
    let heard = hear_packets(packets);
    assert_eq!(heard.lines(), expected, "\n{}", heard.lines().join("\n"));
    heard
}

/// The packets in another order, by their places in the old one, a millisecond apart; places that are
/// left out are packets that were not captured.
pub(crate) fn arranged(packets: &[Packet], places: &[usize]) -> Vec<Packet> {
    timed(places.iter().map(|at| packets[*at].clone()).collect())
}

/// The packets without some that were not captured, at their own times.
pub(crate) fn without(packets: &[Packet], lost: &[usize]) -> Vec<Packet> {
    let kept = packets.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    kept.map(|(_, packet)| packet.clone()).collect()
}

pub(crate) const ACK: TcpFlags = TcpFlags::ACK;
pub(crate) const SYN: TcpFlags = TcpFlags::SYN;
pub(crate) const RST: TcpFlags = TcpFlags::RST;
pub(crate) const SYN_ACK: TcpFlags = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0);
