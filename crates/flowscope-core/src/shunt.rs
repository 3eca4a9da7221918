//! What a flow table and a capture say to each other about flows that the capture counts itself.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{L4Proto, Orientation, TcpFlags, TcpInfo, Timestamp};

/// Five-tuple of a flow that a capture counts itself. `Forward` packets go from `a` to `b`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ShuntKey {
    /// TCP or UDP.
    pub proto: L4Proto,
    /// One end.
    pub a: SocketAddr,
    /// The other end.
    pub b: SocketAddr,
}

/// A flow key that may stand for one TCP or UDP five-tuple.
pub trait ToShuntKey {
    /// The five-tuple, if every packet with it, and none without it, has this key.
    fn shunt_key(&self) -> Option<ShuntKey>;
}

/// State of a flow when a capture begins to count it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShuntStart {
    /// What was seen of the packets of each orientation, forward first.
    pub sides: [ShuntSide; 2],
    /// Time of the latest packet that the table knows.
    pub last_seen: Timestamp,
    /// Silence after which the flow is over: the next packet is not the capture's to count.
    pub idle: Duration,
    /// From this time on, no packet is the capture's to count.
    pub until: Option<Timestamp>,
}

/// State of one direction of a flow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShuntSide {
    /// TCP: sequence number of the next byte.
    pub next: u32,
    /// TCP: highest acknowledgement number sent.
    pub ack: u32,
    /// TTL or hop limit of the packets.
    pub ttl: u8,
    /// Whether packets with payload may be counted; UDP: any packet.
    pub data: bool,
    /// TCP: whether segments without payload may be counted.
    pub acks: bool,
}

/// What a capture has counted of a flow, since it began to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shunted {
    /// Packets of each orientation, forward first.
    pub sides: [ShuntedSide; 2],
    /// Time of the latest packet that was counted.
    pub last_seen: Timestamp,
    /// The first packet that was not counted, after which none is any more.
    pub returned: Option<ReturnedPacket>,
}

impl Shunted {
    /// Packets counted in both directions.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.sides.iter().map(|side| side.packets).sum()
    }
}

/// What a capture has counted of one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShuntedSide {
    /// Frames.
    pub packets: u64,
    /// Bytes on the wire, all headers counted.
    pub wire_bytes: u64,
    /// Bytes of the IP packets, header included.
    pub ip_bytes: u64,
    /// Bytes of transport payload.
    pub payload_bytes: u64,
    /// TCP: whether the capture has seen where the direction stands. Then the next four are valid.
    pub learned: bool,
    /// TCP: sequence number of the first byte that was counted.
    pub base_seq: u32,
    /// TCP: acknowledgement number before the first packet that was counted.
    pub base_ack: u32,
    /// TCP: sequence number behind the last byte that was counted.
    pub next: u32,
    /// TCP: acknowledgement number of the last packet that was counted.
    pub ack: u32,
    /// TCP: window of the last packet that was counted, unscaled. Zero if there was none.
    pub window: u16,
    /// TCP: smallest window.
    pub min_window: u16,
    /// TCP: largest window.
    pub max_window: u16,
    /// TCP: pure acknowledgements among them that repeat the last one, with the same window, while data is
    /// outstanding.
    pub duplicate_acks: u32,
    /// TCP: flags of all packets that were counted.
    pub flags: TcpFlags,
}

/// The packet with which a flow came back from a capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReturnedPacket {
    /// Its direction.
    pub orientation: Orientation,
    /// Length of the IP packet.
    pub ip_len: u32,
    /// TCP: sequence number.
    pub seq: u32,
    /// TCP: acknowledgement number, also if the flag is not set.
    pub ack: u32,
    /// TCP: window, unscaled.
    pub window: u16,
    /// TCP: flags.
    pub flags: TcpFlags,
}

impl ReturnedPacket {
    /// Whether this may be the packet, by its length and TCP header.
    #[must_use]
    pub fn is(&self, orientation: Orientation, ip_len: u32, tcp: &TcpInfo) -> bool {
        *self
            == ReturnedPacket {
                orientation,
                ip_len,
                seq: tcp.seq,
                ack: tcp.ack,
                window: tcp.window,
                flags: tcp.flags,
            }
    }
}
