//! Connections and datagrams that carry hostile messages.

use std::net::Ipv4Addr;

use flowscope_core::FlowSide;

use crate::{Dialogue, Packet, frame};

/// Payload of a full segment, in bytes.
pub(super) const SEGMENT: usize = 1400;

/// Client number `n`, from 10.64.0.0/10.
pub(super) fn client(n: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a40_0001 + (n as u32 & 0x3f_ffff))
}

/// A connection of client `n` to `port`: handshake, what the sides say in turn, in segments of `segment`
/// bytes, and the close.
pub(super) fn connection(
    n: usize,
    port: u16,
    segment: usize,
    turns: impl IntoIterator<Item = (FlowSide, Vec<u8>)>,
) -> Vec<Packet> {
    let ends = [format!("{}:40000", client(n)), format!("192.0.2.80:{port}")];
    let start = Dialogue::tcp(&ends[0], &ends[1]).handshake();
    let script = turns.into_iter().fold(start, |script, (side, bytes)| {
        let script = bytes.chunks(segment).fold(script, |script, piece| script.data(side, piece));
        script.ack_from(!side)
    });
    script.close(FlowSide::Initiator).packets()
}

/// A datagram of client `n` to `port`.
pub(super) fn query(n: usize, port: u16, payload: &[u8]) -> Packet {
    let ip = frame().ethernet().ipv4(client(n), "192.0.2.53");
    ip.udp(20_000 + (n >> 22) as u16, port).payload(payload).packet()
}

/// The datagram that answers it.
pub(super) fn response(n: usize, port: u16, payload: &[u8]) -> Packet {
    let ip = frame().ethernet().ipv4("192.0.2.53", client(n));
    ip.udp(port, 20_000 + (n >> 22) as u16).payload(payload).packet()
}

/// `make` is called for the connections 0, 1, … as the packets of the one before are used up, until there were
/// `volume` packets.
pub(super) fn repeated(
    volume: usize,
    mut make: impl FnMut(usize) -> Vec<Packet> + 'static,
) -> impl Iterator<Item = Packet> {
    let (mut n, mut sent) = (0, 0);
    let connections = std::iter::from_fn(move || {
        if sent >= volume {
            return None;
        }
        let packets = make(n);
        n += 1;
        sent += packets.len();
        Some(packets)
    });
    connections.flatten()
}
