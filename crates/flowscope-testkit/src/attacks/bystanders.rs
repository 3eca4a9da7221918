use std::net::{IpAddr, SocketAddr};

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::Timestamp;

use crate::{Dialogue, Frame, Packet, frame};

/// Ordinary flows in networks of their own, 172.20.0.0/16 and 2001:db8:20::/48, which no attack
/// uses: what an engine says of them has to be right whatever else is on the wire.
///
/// A round is a connection from handshake to close, a query and its answer, and a datagram that
/// comes in pieces, those of each round spread over all of it. Rounds follow one another; each has
/// ports of its own.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Bystanders {
    rounds: u16,
}

/// What a flow sent. Initiator first, then responder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counted {
    /// Addresses and ports.
    pub ends: [SocketAddr; 2],
    /// IP protocol number.
    pub protocol: u8,
    /// Packets.
    pub packets: [u64; 2],
    /// Their wire bytes.
    pub bytes: [u64; 2],
    /// Whether its datagrams came in pieces.
    pub fragmented: bool,
}

impl Bystanders {
    /// This many rounds, at most 20 000.
    ///
    /// # Panics
    ///
    /// When there are more.
    pub fn new(rounds: u16) -> Self {
        assert!(rounds <= 20_000, "each round has ports of its own");
        Bystanders { rounds }
    }

    /// Whether an address is one of theirs.
    #[must_use]
    pub fn has(addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => addr.octets()[..2] == [172, 20],
            IpAddr::V6(addr) => addr.segments()[..3] == [0x2001, 0xdb8, 0x20],
        }
    }

    /// All packets.
    pub fn packets(self) -> impl Iterator<Item = Packet> {
        (0..self.rounds).flat_map(|round| Round::new(round).packets())
    }

    /// What each flow sent.
    pub fn flows(self) -> impl Iterator<Item = Counted> {
        (0..self.rounds).flat_map(|round| Round::new(round).flows())
    }
}

/// Frames of each flow of a round, and who sent them.
struct Round {
    flows: Vec<(Counted, Vec<Vec<u8>>)>,
}

impl Round {
    fn new(round: u16) -> Self {
        let ends = |client: u16, server: u16| {
            let (src, dst) = if round.is_multiple_of(2) {
                ("172.20.0.1", "172.20.0.2")
            } else {
                ("2001:db8:20::1", "2001:db8:20::2")
            };
            let addr = |text: &str| -> IpAddr { text.parse().expect("an address") };
            [SocketAddr::new(addr(src), client + round), SocketAddr::new(addr(dst), server)]
        };
        let tcp = ends(40_000, 80);
        let connection = Dialogue::tcp(&tcp[0].to_string(), &tcp[1].to_string())
            .handshake()
            .data(Initiator, [0x41; 90])
            .data(Responder, [0x42; 700])
            .ack_from(Initiator)
            .close(Initiator);
        let query = ends(20_000, 53);
        let question = Dialogue::udp(&query[0].to_string(), &query[1].to_string())
            .datagram(Initiator, [1; 40])
            .datagram(Responder, [2; 200]);
        let large = ends(20_000, 2049);
        let udp = |[from, to]: [SocketAddr; 2], fill: u8| -> Frame {
            let ip = frame().ethernet().ip(from.ip(), to.ip());
            ip.udp(from.port(), to.port()).payload([fill; 1000])
        };
        let id = u32::from(round);
        let mut pieces = udp(large, 3).fragments(id, 400);
        pieces.extend(udp([large[1], large[0]], 4).fragments(id, 520));
        let frames = |script: Dialogue| script.build().into_iter().map(|(_, bytes)| bytes);
        let flows = [
            (tcp, 6, frames(connection).collect(), false),
            (query, 17, frames(question).collect(), false),
            (large, 17, pieces, true),
        ];
        let counted =
            |(ends, protocol, frames, fragmented): ([SocketAddr; 2], _, Vec<Vec<u8>>, _)| {
                let mut flow =
                    Counted { ends, protocol, packets: [0; 2], bytes: [0; 2], fragmented };
                for bytes in &frames {
                    let side = usize::from(source(bytes) != ends[0].ip());
                    flow.packets[side] += 1;
                    flow.bytes[side] += bytes.len() as u64;
                }
                (flow, frames)
            };
        Round { flows: flows.into_iter().map(counted).collect() }
    }

    fn flows(self) -> impl Iterator<Item = Counted> {
        self.flows.into_iter().map(|(flow, _)| flow)
    }

    /// One of each flow in turn.
    fn packets(self) -> impl Iterator<Item = Packet> {
        let mut queues: Vec<_> =
            self.flows.into_iter().map(|(_, frames)| frames.into_iter()).collect();
        std::iter::from_fn(move || {
            queues.rotate_left(1);
            let bytes = queues.iter_mut().find_map(Iterator::next)?;
            Some(Packet::ethernet(Timestamp::ZERO, bytes))
        })
    }
}

/// Source address of an Ethernet frame with an IP packet.
fn source(bytes: &[u8]) -> IpAddr {
    if bytes[14] >> 4 == 4 {
        IpAddr::from(<[u8; 4]>::try_from(&bytes[26..30]).expect("four bytes"))
    } else {
        IpAddr::from(<[u8; 16]>::try_from(&bytes[22..38]).expect("sixteen bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_count_their_packets() {
        let all = Bystanders::new(4);
        let (sent, wire) = all.packets().fold((0, 0), |(n, bytes), packet| {
            assert!(Bystanders::has(source(&packet.bytes)));
            (n + 1, bytes + u64::from(packet.wire_len))
        });
        let flows: Vec<_> = all.flows().collect();
        assert_eq!(flows.len(), 12);
        assert_eq!(flows.iter().map(|f| f.packets.iter().sum::<u64>()).sum::<u64>(), sent);
        assert_eq!(flows.iter().map(|f| f.bytes.iter().sum::<u64>()).sum::<u64>(), wire);
        assert_eq!((flows[0].packets, flows[1].packets), ([6, 4], [1, 1]));
        assert_eq!((flows[2].packets, flows[2].fragmented), ([3, 2], true));
    }
}
