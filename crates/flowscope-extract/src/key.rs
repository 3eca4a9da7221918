use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use flowscope_core::{L4Proto, Orientation};

use crate::addr::{AddrPair, octets, words};
use crate::icmp::Family;

/// Five-tuple key of a flow: two addresses with ports and the protocol, in 40 bytes.
///
/// A bidirectional key has the lower endpoint (by address, then port) first, so both directions have the same
/// key. An [`Orientation`] gives the direction of a packet.
///
/// ICMP has no ports. A query and its reply (echo, timestamp, neighbour discovery and others) are one flow,
/// identified by the identifier of the message and by the endpoint that asks. Every other message is one-way:
/// its key is (sender, receiver, type, code), and a message in the other direction is another flow.
///
/// IPv4 and IPv6 addresses never compare equal, IPv4-mapped addresses included.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct FiveTupleKey {
    /// IPv4: both addresses in the first word, `b` in the lower half. IPv6: two words each.
    addr: [u64; 4],
    /// Port of `a`, port of `b`, ICMP identifier (16 bits each), protocol, flags (8 bits each). ICMP queries
    /// have their types in the port fields, one-way messages type and code.
    meta: u64,
}

/// Address and port of one end of a flow.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// IP address.
    pub addr: IpAddr,
    /// Port; `None` if the protocol has no ports.
    pub port: Option<u16>,
}

/// Constructors.
impl FiveTupleKey {
    /// The bidirectional key of a packet from `src` to `dst`, and the orientation of the packet. `None` if
    /// one address is IPv4 and the other IPv6. Ports are ignored if the protocol has none. ICMP keys need a
    /// type: [`of_icmp`](Self::of_icmp) makes them.
    #[must_use]
    pub fn new(proto: L4Proto, src: SocketAddr, dst: SocketAddr) -> Option<(Self, Orientation)> {
        let addrs = match (src.ip(), dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => AddrPair::V4 { src: src.into(), dst: dst.into() },
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                AddrPair::V6 { src: words(src.octets()), dst: words(dst.octets()) }
            }
            _ => return None,
        };
        let ports = if proto.has_ports() { (src.port(), dst.port()) } else { (0, 0) };
        Some(Self::from_parts(addrs, ports, proto.number(), Directionality::Bidirectional))
    }

    /// The bidirectional key of an ICMP message of this type, code and identifier from `src` to `dst`, and the orientation of
    /// the message: of ICMP between IPv4 addresses, of ICMPv6 between IPv6 addresses. `None` if one address is IPv4 and the
    /// other IPv6. The code of queries is ignored, and the identifier of messages that have none (RFC 792, RFC 4443).
    #[must_use]
    pub fn of_icmp(
        src: IpAddr,
        dst: IpAddr,
        kind: u8,
        code: u8,
        id: u16,
    ) -> Option<(Self, Orientation)> {
        let (family, addrs) = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                (Family::V4, AddrPair::V4 { src: src.into(), dst: dst.into() })
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let (src, dst) = (words(src.octets()), words(dst.octets()));
                (Family::V6, AddrPair::V6 { src, dst })
            }
            _ => return None,
        };
        let id = if family.has_id(kind) { id } else { 0 };
        Some(Self::icmp(addrs, family, (kind, code, id), Directionality::Bidirectional))
    }

    /// The key of a packet with these values in the port fields.
    #[inline(always)]
    pub(crate) fn from_parts(
        addrs: AddrPair,
        (src_port, dst_port): (u16, u16),
        proto: u8,
        directionality: Directionality,
    ) -> (Self, Orientation) {
        let one_way = directionality == Directionality::Unidirectional;
        let flags = if one_way { ONE_WAY } else { 0 };
        let proto = u64::from(proto) << 8;
        match addrs {
            AddrPair::V4 { src, dst } => {
                let src = u64::from(src) << 16 | u64::from(src_port);
                let dst = u64::from(dst) << 16 | u64::from(dst_port);
                let forward = one_way | (src <= dst);
                let (a, b) = if forward { (src, dst) } else { (dst, src) };
                let addr = [(a >> 16) << 32 | b >> 16, 0, 0, 0];
                let meta = a << 48 | (b & 0xffff) << 32 | proto | flags;
                (FiveTupleKey { addr, meta }, orientation(forward))
            }
            AddrPair::V6 { src, dst } => {
                let forward = one_way | ((src, src_port) <= (dst, dst_port));
                let ([a, b], [c, d]) = if forward { (src, dst) } else { (dst, src) };
                let (p, q) = if forward { (src_port, dst_port) } else { (dst_port, src_port) };
                let meta = u64::from(p) << 48 | u64::from(q) << 32 | proto | flags | V6;
                (FiveTupleKey { addr: [a, b, c, d], meta }, orientation(forward))
            }
        }
    }

    /// The key of an ICMP message.
    pub(crate) fn icmp(
        addrs: AddrPair,
        family: Family,
        (kind, code, id): (u8, u8, u16),
        directionality: Directionality,
    ) -> (Self, Orientation) {
        let proto = match family {
            Family::V4 => 1,
            Family::V6 => 58,
        };
        let (ports, directionality, flag) = match family.counterpart(kind) {
            Some(other) => ((kind.into(), other.into()), directionality, ICMP_QUERY),
            None => ((kind.into(), code.into()), Directionality::Unidirectional, ICMP_ONE_WAY),
        };
        let (mut key, orientation) = Self::from_parts(addrs, ports, proto, directionality);
        key.meta |= u64::from(id) << 16 | flag;
        (key, orientation)
    }
}

impl FiveTupleKey {
    /// The transport protocol; in IPv6 the one behind the last extension header.
    #[must_use]
    pub const fn proto(&self) -> L4Proto {
        L4Proto::from_number(self.proto_number())
    }

    /// The first endpoint: the lower one, or the sender if the key is [one-way](Self::is_one_way).
    #[must_use]
    pub fn a(&self) -> Endpoint {
        Endpoint { addr: self.addrs().0, port: self.port(self.port_words().0) }
    }

    /// The second endpoint.
    #[must_use]
    pub fn b(&self) -> Endpoint {
        Endpoint { addr: self.addrs().1, port: self.port(self.port_words().1) }
    }

    /// Sender and receiver of a packet with this orientation.
    #[must_use]
    pub fn endpoints(&self, orientation: Orientation) -> (Endpoint, Endpoint) {
        match orientation {
            Orientation::Forward => (self.a(), self.b()),
            Orientation::Reverse => (self.b(), self.a()),
        }
    }

    /// The initiator, given the orientation of its packets.
    #[must_use]
    pub fn initiator(&self, orientation: Orientation) -> Endpoint {
        self.endpoints(orientation).0
    }

    /// The responder, given the orientation of the packets of the initiator.
    #[must_use]
    pub fn responder(&self, orientation: Orientation) -> Endpoint {
        self.endpoints(orientation).1
    }

    /// Whether the key covers one direction only: it is from [`FiveTuple::unidirectional`], or of an ICMP
    /// message without a reply type.
    ///
    /// [`FiveTuple::unidirectional`]: crate::FiveTuple::unidirectional
    #[must_use]
    pub const fn is_one_way(&self) -> bool {
        self.meta & ONE_WAY != 0
    }

    /// Whether the addresses are IPv6.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        self.meta & V6 != 0
    }

    /// Type and code of the ICMP messages with this orientation; `None` if the flow is not ICMP. The code of
    /// a query is given as 0, because the key does not contain it.
    #[must_use]
    pub const fn icmp_type(&self, orientation: Orientation) -> Option<(u8, u8)> {
        let (p, q) = self.port_words();
        match (self.meta & (ICMP_QUERY | ICMP_ONE_WAY), orientation) {
            (0, _) => None,
            (ICMP_QUERY, Orientation::Forward) => Some((p as u8, 0)),
            (ICMP_QUERY, Orientation::Reverse) => Some((q as u8, 0)),
            _ => Some((p as u8, q as u8)),
        }
    }

    /// Identifier of an ICMP query, 0 for query types without one; `None` if the flow is not an ICMP query.
    #[must_use]
    pub const fn icmp_id(&self) -> Option<u16> {
        if self.meta & ICMP_QUERY != 0 { Some((self.meta >> 16) as u16) } else { None }
    }

    /// A hash for the distribution of flows over workers. It is equal for both directions of a flow, on every
    /// host, in every version and build. It is not keyed: do not use it for hash tables that an attacker can
    /// fill.
    ///
    /// All arithmetic is on 64 bits and wraps. `mix(x)` is the finaliser of SplitMix64:
    /// `x ^= x >> 30; x *= 0xbf58476d1ce4e5b9; x ^= x >> 27; x *= 0x94d049bb133111eb; x ^= x >> 31`.
    /// An address is two words in network byte order, `hi` and `lo`, where IPv4 has `hi = 0` and
    /// `lo` the address. An endpoint is `e = mix(mix(hi) + lo + (port << 48))`, the port being 0
    /// where the protocol has none, ICMP included. The hash is `mix(e1 + e2 + protocol)`.
    #[must_use]
    pub const fn shard_hash(&self) -> u64 {
        let (p, q) = if self.proto().has_ports() { self.port_words() } else { (0, 0) };
        let [a, b, c, d] = if self.is_ipv6() {
            self.addr
        } else {
            [0, self.addr[0] >> 32, 0, self.addr[0] & 0xffff_ffff]
        };
        let one = mix(mix(a).wrapping_add(b).wrapping_add((p as u64) << 48));
        let two = mix(mix(c).wrapping_add(d).wrapping_add((q as u64) << 48));
        mix(one.wrapping_add(two).wrapping_add(self.proto_number() as u64))
    }

    pub(crate) const fn proto_number(&self) -> u8 {
        (self.meta >> 8) as u8
    }

    /// The raw port fields.
    pub(crate) const fn port_words(&self) -> (u16, u16) {
        ((self.meta >> 48) as u16, (self.meta >> 32) as u16)
    }

    /// Whether the port fields hold two ICMP types, or a type and a code.
    pub(crate) const fn has_icmp_type(&self) -> bool {
        self.meta & (ICMP_QUERY | ICMP_ONE_WAY) != 0
    }

    /// Whether the key is of an ICMP message without a reply type, whose endpoints keep their order.
    pub(crate) const fn is_icmp_one_way(&self) -> bool {
        self.meta & ICMP_ONE_WAY != 0
    }

    pub(crate) fn addrs(&self) -> (IpAddr, IpAddr) {
        let [a, b, c, d] = self.addr;
        if self.is_ipv6() {
            (Ipv6Addr::from(octets([a, b])).into(), Ipv6Addr::from(octets([c, d])).into())
        } else {
            (Ipv4Addr::from((a >> 32) as u32).into(), Ipv4Addr::from(a as u32).into())
        }
    }

    fn port(&self, word: u16) -> Option<u16> {
        self.proto().has_ports().then_some(word)
    }
}

/// Consistent with `Eq`: the words left out are zero in every IPv4 key.
impl Hash for FiveTupleKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.meta);
        state.write_u64(self.addr[0]);
        if self.is_ipv6() {
            state.write_u64(self.addr[1]);
            state.write_u64(self.addr[2]);
            state.write_u64(self.addr[3]);
        }
    }
}

/// Ordered by first endpoint, second endpoint, protocol; IPv4 before IPv6.
impl Ord for FiveTupleKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = |key: &Self| {
            let ((a, b), (p, q)) = (key.addrs(), key.port_words());
            (a, p, b, q, key.meta & 0xffff_ffff)
        };
        parts(self).cmp(&parts(other))
    }
}

impl PartialOrd for FiveTupleKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `10.0.0.1:40000 <-> 10.0.0.2:443`; with ` -> ` if the key is one-way.
impl fmt::Display for FiveTupleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.is_one_way() { "->" } else { "<->" };
        write!(f, "{} {arrow} {}", self.a(), self.b())
    }
}

impl fmt::Debug for FiveTupleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FiveTupleKey({} {self}", self.proto())?;
        if let Some((kind, code)) = self.icmp_type(Orientation::Forward) {
            write!(f, " {kind}/{code}")?;
        }
        if let Some(id) = self.icmp_id() {
            write!(f, " id {id}")?;
        }
        f.write_str(")")
    }
}

/// `10.0.0.1:80`, `[::1]:80`, or the bare address where there is no port.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.addr, port).fmt(f),
            None => self.addr.fmt(f),
        }
    }
}

/// Whether the two directions of a connection share a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Directionality {
    #[default]
    Bidirectional,
    Unidirectional,
}

#[inline(always)]
fn orientation(forward: bool) -> Orientation {
    if forward { Orientation::Forward } else { Orientation::Reverse }
}

const fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

const V6: u64 = 1;
const ONE_WAY: u64 = 2;
const ICMP_QUERY: u64 = 4;
const ICMP_ONE_WAY: u64 = 8;

mod shunt;
#[cfg(test)]
mod tests;
