use std::net::SocketAddr;
use std::time::Duration;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{FlowSide, LinkType, PacketView, TcpFlags, Timestamp};

use crate::{Frame, Packet, frame};

/// Script of one connection that builds its packets: Ethernet frames with timestamps.
///
/// Sequence and acknowledgement numbers follow the script per side, starting at 1000 (initiator)
/// and 5000 (responder). The clock starts at one second and advances by one millisecond per packet by
/// default.
///
/// # Panics
///
/// Constructors, when an address does not parse.
#[derive(Clone, Debug)]
#[must_use]
pub struct Dialogue {
    ends: [SocketAddr; 2],
    /// Next sequence number of each side.
    next: [u32; 2],
    /// Whether the side has sent a SYN or anything else, so that the other acknowledges it.
    spoken: [bool; 2],
    window: u16,
    syn_options: Vec<u8>,
    clock: Timestamp,
    step: Duration,
    packets: Vec<(Timestamp, Vec<u8>)>,
}

impl Dialogue {
    /// A TCP connection from `initiator` to `responder`, each `address:port`.
    pub fn tcp(initiator: &str, responder: &str) -> Self {
        let parse = |text: &str| -> SocketAddr {
            text.parse().unwrap_or_else(|_| panic!("{text} is no address with a port"))
        };
        Dialogue {
            ends: [parse(initiator), parse(responder)],
            next: [1000, 5000],
            spoken: [false; 2],
            window: 64240,
            syn_options: Vec::new(),
            clock: Timestamp::from_secs(1),
            step: Duration::from_millis(1),
            packets: Vec::new(),
        }
    }

    /// A UDP exchange; use [`datagram`](Dialogue::datagram) on it.
    pub fn udp(initiator: &str, responder: &str) -> Self {
        Dialogue::tcp(initiator, responder)
    }

    /// Sets the clock to this many seconds after the epoch.
    pub fn at(mut self, secs: u64) -> Self {
        self.clock = Timestamp::from_secs(secs);
        self
    }

    /// Advances the clock.
    pub fn after(mut self, millis: u64) -> Self {
        self.clock = self.clock + Duration::from_millis(millis);
        self
    }

    /// Sets the time between packets.
    pub fn step(mut self, step: Duration) -> Self {
        self.step = step;
        self
    }

    /// Sets the sequence number that `side` uses next.
    pub fn next_seq(mut self, side: FlowSide, seq: u32) -> Self {
        self.next[side.index()] = seq;
        self
    }

    /// Sets the window of the following segments.
    pub fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// Sets the options of the following SYN segments.
    pub fn syn_options(mut self, options: &[u8]) -> Self {
        self.syn_options = options.to_vec();
        self
    }

    /// The initiator's SYN.
    pub fn syn(self) -> Self {
        self.send(Initiator, TcpFlags::SYN, &[])
    }

    /// The responder's SYN+ACK.
    pub fn syn_ack(self) -> Self {
        self.send(Responder, TcpFlags::SYN | TcpFlags::ACK, &[])
    }

    /// A bare ACK of the initiator.
    pub fn ack(self) -> Self {
        self.ack_from(Initiator)
    }

    /// A bare ACK.
    pub fn ack_from(self, side: FlowSide) -> Self {
        self.send(side, TcpFlags::ACK, &[])
    }

    /// SYN, SYN+ACK, ACK.
    pub fn handshake(self) -> Self {
        self.syn().syn_ack().ack()
    }

    /// A data segment.
    pub fn data(self, side: FlowSide, payload: impl AsRef<[u8]>) -> Self {
        self.send(side, TcpFlags::PSH | TcpFlags::ACK, payload.as_ref())
    }

    /// FIN+ACK.
    pub fn fin(self, side: FlowSide) -> Self {
        self.send(side, TcpFlags::FIN | TcpFlags::ACK, &[])
    }

    /// RST+ACK.
    pub fn rst(self, side: FlowSide) -> Self {
        self.send(side, TcpFlags::RST | TcpFlags::ACK, &[])
    }

    /// FIN, ACK, FIN, ACK, started by `side`.
    pub fn close(self, side: FlowSide) -> Self {
        self.fin(side).ack_from(!side).fin(!side).ack_from(side)
    }

    /// Any segment with any numbers; the numbers of the script do not change.
    pub fn segment(
        self,
        side: FlowSide,
        seq: u32,
        ack: u32,
        flags: TcpFlags,
        payload: impl AsRef<[u8]>,
    ) -> Self {
        let (from, to) = self.ports(side);
        let (window, payload) = (self.window, payload.as_ref());
        let ip = self.ip(side);
        let tcp = ip.tcp(from, to).seq(seq).ack(ack).flags(flags).window(window).payload(payload);
        self.frame(&tcp)
    }

    /// A UDP datagram between the two ends.
    pub fn datagram(self, side: FlowSide, payload: impl AsRef<[u8]>) -> Self {
        let (from, to) = self.ports(side);
        let udp = self.ip(side).udp(from, to).payload(payload);
        self.frame(&udp)
    }

    /// Any frame, at the time of the script.
    pub fn frame(mut self, frame: &Frame) -> Self {
        self.packets.push((self.clock, frame.build()));
        self.clock = self.clock + self.step;
        self
    }

    /// Times and bytes of the packets added so far; link type Ethernet.
    #[must_use]
    pub fn build(self) -> Vec<(Timestamp, Vec<u8>)> {
        self.packets
    }

    /// The packets added so far, captured whole.
    #[must_use]
    pub fn packets(self) -> Vec<Packet> {
        self.packets.into_iter().map(|(ts, bytes)| Packet::ethernet(ts, bytes)).collect()
    }

    /// Time of the next packet.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock
    }

    fn send(mut self, side: FlowSide, flags: TcpFlags, payload: &[u8]) -> Self {
        let (own, peer) = (side.index(), (!side).index());
        let seq = self.next[own];
        let ack = if self.spoken[peer] || !flags.syn() { self.next[peer] } else { 0 };
        let ack = if flags.ack() { ack } else { 0 };
        let phantom = u32::from(flags.syn()) + u32::from(flags.fin());
        self.next[own] = seq.wrapping_add(payload.len() as u32).wrapping_add(phantom);
        self.spoken[own] = true;
        if flags.syn() {
            let (from, to) = self.ports(side);
            let tcp = self.ip(side).tcp(from, to).seq(seq).ack(ack).flags(flags);
            let tcp = tcp.window(self.window).options(&self.syn_options).payload(payload);
            return self.frame(&tcp);
        }
        self.segment(side, seq, ack, flags, payload)
    }

    fn ports(&self, side: FlowSide) -> (u16, u16) {
        (self.ends[side.index()].port(), self.ends[(!side).index()].port())
    }

    fn ip(&self, side: FlowSide) -> Frame {
        let (from, to) = (self.ends[side.index()].ip(), self.ends[(!side).index()].ip());
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
        frame().ethernet_between(macs[side.index()], macs[(!side).index()]).ip(from, to)
    }
}

/// Views of complete Ethernet packets.
pub fn views(packets: &[(Timestamp, Vec<u8>)]) -> impl Iterator<Item = PacketView<'_>> {
    packets.iter().map(|(ts, bytes)| PacketView::new(bytes, LinkType::ETHERNET, *ts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(packet: &[u8]) -> (u32, u32, u8) {
        let u32_at = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        (u32_at(38), u32_at(42), packet[47])
    }

    #[test]
    fn numbers_follow_the_script() {
        let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
            .handshake()
            .data(Initiator, b"abc")
            .data(Responder, b"defgh")
            .close(Initiator)
            .build();
        let seen: Vec<_> = packets.iter().map(|(_, bytes)| numbers(bytes)).collect();
        let expected = [
            (1000, 0, 0x02),
            (5000, 1001, 0x12),
            (1001, 5001, 0x10),
            (1001, 5001, 0x18),
            (5001, 1004, 0x18),
            (1004, 5006, 0x11),
            (5006, 1005, 0x10),
            (5006, 1005, 0x11),
            (1005, 5007, 0x10),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_clock_is_the_script_s() {
        let packets =
            Dialogue::tcp("[::1]:1", "[::2]:2").syn().after(500).syn_ack().at(9).ack().build();
        let times: Vec<u64> = packets.iter().map(|(ts, _)| ts.as_nanos() / 1_000_000).collect();
        assert_eq!(times, [1000, 1501, 9000]);
    }
}
