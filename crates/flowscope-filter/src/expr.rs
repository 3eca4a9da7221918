use std::fmt;
use std::net::IpAddr;
use std::ops::{BitAnd, BitOr, Not, RangeInclusive};

use crate::net::Net;

/// A filter expression: terms about packet headers, combined with `&`, `|` and `!`.
///
/// Built from the terms below, or parsed with [`str::parse`] from the [text form](crate#the-text-form);
/// [`Display`](fmt::Display) prints text that reads back as an equal expression. [`compile`](Expr::compile)
/// makes a program of it.
///
/// What the terms mean:
///
/// - Every term looks behind up to two VLAN tags (TPID 0x8100, 0x88a8 and 0x9100), whether they
///   are in the frame or the capture took them out, so that a capture file and a live interface
///   agree. (`tcpdump` looks behind tags only to the right of a `vlan`.) A third tag hides what
///   follows.
/// - IP is what the link header says is IP. Tunnels, MPLS, PPPoE within Ethernet and LLC are not
///   looked into.
/// - In IPv6, the protocol is that of the first header which is none of hop-by-hop options,
///   routing, fragment and destination options (RFC 8200 §4.1), at most 6 of those; a packet with
///   more of them has no protocol. In a later fragment it is what its fragment header names.
/// - Ports are those of TCP, UDP and SCTP, in whole packets and first fragments.
/// - The program reads the headers that the expression asks for anywhere, from the outermost on,
///   and ports where it comes to a term about them. A packet that ends before a byte that has to
///   be read is refused, under a negation as well.
///
/// Operands of one operator stand side by side, however many they are; what nests is one operator
/// in another. An expression nested deeper than [`MAX_DEPTH`](Expr::MAX_DEPTH) forgets its terms,
/// and cannot be compiled.
///
/// ```
/// use flowscope_filter::{Direction, Expr};
///
/// let web = Expr::tcp() & (Expr::port(Direction::Either, 80) | Expr::port(Direction::Either, 443));
/// let wanted = web & !Expr::vlan(Some(100));
/// assert_eq!(wanted.to_string(), "tcp and (port 80 or port 443) and not vlan 100");
/// assert_eq!(wanted.to_string().parse(), Ok(wanted));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Expr {
    pub(crate) node: Node,
    depth: u8,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Node {
    Term(Term),
    /// Two or more, none of them an `And`.
    And(Vec<Expr>),
    /// Two or more, none of them an `Or`.
    Or(Vec<Expr>),
    /// Of no `Not`.
    Not(Box<Expr>),
    TooDeep,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Term {
    Ip,
    Ip6,
    Arp,
    /// ICMP, in IPv4 only.
    Icmp,
    /// ICMPv6, in IPv6 only.
    Icmp6,
    Tcp,
    Udp,
    Sctp,
    Protocol(u8),
    Net(Direction, Net),
    /// The smaller port first.
    Ports(Direction, u16, u16),
    Vlan(Option<u16>),
    Mac(Direction, [u8; 6]),
}

/// Which address or port of a packet a term matches.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Direction {
    /// The source.
    Src,
    /// The destination.
    Dst,
    /// Source or destination.
    #[default]
    Either,
}

/// Terms.
impl Expr {
    /// Maximum nesting depth of operators.
    pub const MAX_DEPTH: usize = 64;

    /// Matches IPv4: `ip`.
    #[must_use]
    pub fn ip() -> Self {
        Term::Ip.into()
    }

    /// Matches IPv6: `ip6`.
    #[must_use]
    pub fn ip6() -> Self {
        Term::Ip6.into()
    }

    /// Matches ARP: `arp`.
    #[must_use]
    pub fn arp() -> Self {
        Term::Arp.into()
    }

    /// Matches ICMP in IPv4: `icmp`.
    #[must_use]
    pub fn icmp() -> Self {
        Term::Icmp.into()
    }

    /// Matches ICMPv6 in IPv6: `icmp6`.
    #[must_use]
    pub fn icmp6() -> Self {
        Term::Icmp6.into()
    }

    /// Matches TCP: `tcp`.
    #[must_use]
    pub fn tcp() -> Self {
        Term::Tcp.into()
    }

    /// Matches UDP: `udp`.
    #[must_use]
    pub fn udp() -> Self {
        Term::Udp.into()
    }

    /// Matches SCTP: `sctp`.
    #[must_use]
    pub fn sctp() -> Self {
        Term::Sctp.into()
    }

    /// Matches an IP protocol number, in IPv6 the one behind the extension headers: `proto 89`.
    #[must_use]
    pub fn protocol(number: u8) -> Self {
        Term::Protocol(number).into()
    }

    /// Matches an address of IPv4 or IPv6, or a protocol address of ARP and RARP: `host 10.0.0.1`.
    #[must_use]
    pub fn host(direction: Direction, addr: impl Into<IpAddr>) -> Self {
        Self::net(direction, Net::host(addr.into()))
    }

    /// Matches an address within a network, like [`host`](Self::host): `net 10.0.0.0/8`.
    #[must_use]
    pub fn net(direction: Direction, net: Net) -> Self {
        Term::Net(direction, net).into()
    }

    /// Matches a port of TCP, UDP or SCTP: `port 53`.
    #[must_use]
    pub fn port(direction: Direction, port: u16) -> Self {
        Term::Ports(direction, port, port).into()
    }

    /// Matches a port in a range, whose ends may be in either order: `portrange 1-1023`.
    #[must_use]
    pub fn ports(direction: Direction, ports: RangeInclusive<u16>) -> Self {
        let (first, last) = ports.into_inner();
        Term::Ports(direction, first.min(last), first.max(last)).into()
    }

    /// Matches a VLAN tag, with this id if given (12 bits): `vlan`, `vlan 100`. Of two tags, either may
    /// match.
    #[must_use]
    pub fn vlan(id: Option<u16>) -> Self {
        Term::Vlan(id.map(|id| id & 0x0fff)).into()
    }

    /// Matches an address of an Ethernet frame: `ether host 02:00:00:00:00:01`. Compiles for
    /// [`LinkType::ETHERNET`](flowscope_core::LinkType::ETHERNET) only.
    #[must_use]
    pub fn mac(direction: Direction, addr: [u8; 6]) -> Self {
        Term::Mac(direction, addr).into()
    }
}

impl From<Term> for Expr {
    fn from(term: Term) -> Self {
        Expr { node: Node::Term(term), depth: 1 }
    }
}

impl BitAnd for Expr {
    type Output = Expr;

    /// Both: `and`. The one at the left is looked at first.
    fn bitand(self, other: Expr) -> Expr {
        let deepest = self.depth_in(Self::is_and).max(other.depth_in(Self::is_and));
        let mut all = match self.node {
            Node::And(all) => all,
            _ => vec![self],
        };
        match other.node {
            Node::And(more) => all.extend(more),
            _ => all.push(other),
        }
        Expr::around(Node::And(all), deepest)
    }
}

impl BitOr for Expr {
    type Output = Expr;

    /// One of them at least: `or`. The one at the left is looked at first.
    fn bitor(self, other: Expr) -> Expr {
        let deepest = self.depth_in(Self::is_or).max(other.depth_in(Self::is_or));
        let mut any = match self.node {
            Node::Or(any) => any,
            _ => vec![self],
        };
        match other.node {
            Node::Or(more) => any.extend(more),
            _ => any.push(other),
        }
        Expr::around(Node::Or(any), deepest)
    }
}

impl Not for Expr {
    type Output = Expr;

    /// Everything else: `not`.
    fn not(self) -> Expr {
        match self.node {
            Node::Not(inner) => *inner,
            _ => {
                let depth = self.depth;
                Expr::around(Node::Not(Box::new(self)), depth)
            }
        }
    }
}

impl Expr {
    /// An operator around operands, the deepest of which has this depth.
    fn around(node: Node, deepest: u8) -> Self {
        if usize::from(deepest) >= Self::MAX_DEPTH {
            return Expr { node: Node::TooDeep, depth: u8::MAX };
        }
        Expr { node, depth: deepest + 1 }
    }

    /// How deep it is where it is an operand; one of its own kind dissolves into its own operands.
    fn depth_in(&self, dissolves: fn(&Self) -> bool) -> u8 {
        self.depth - u8::from(dissolves(self))
    }

    fn is_and(&self) -> bool {
        matches!(self.node, Node::And(_))
    }

    fn is_or(&self) -> bool {
        matches!(self.node, Node::Or(_))
    }

    /// Whether it was nested deeper than it may.
    pub(crate) fn is_too_deep(&self) -> bool {
        usize::from(self.depth) > Self::MAX_DEPTH
    }

    /// Calls `see` with every term.
    pub(crate) fn for_each_term(&self, see: &mut impl FnMut(Term)) {
        match &self.node {
            Node::Term(term) => see(*term),
            Node::And(parts) | Node::Or(parts) => {
                parts.iter().for_each(|part| part.for_each_term(see));
            }
            Node::Not(inner) => inner.for_each_term(see),
            Node::TooDeep => {}
        }
    }
}

/// In words that [`FromStr`](std::str::FromStr) reads, unless it was nested too deep or has more
/// than 4096 terms.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |f: &mut fmt::Formatter<'_>, part: &Expr| match part.node {
            Node::And(_) | Node::Or(_) => write!(f, "({part})"),
            _ => write!(f, "{part}"),
        };
        let listed = |f: &mut fmt::Formatter<'_>, parts: &[Expr], between: &str| {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    f.write_str(between)?;
                }
                within(f, part)?;
            }
            Ok(())
        };
        match &self.node {
            Node::Term(term) => write!(f, "{term}"),
            Node::And(parts) => listed(f, parts, " and "),
            Node::Or(parts) => listed(f, parts, " or "),
            Node::Not(inner) => {
                f.write_str("not ")?;
                within(f, inner)
            }
            Node::TooDeep => f.write_str("(nested too deep)"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Term::Ip => f.write_str("ip"),
            Term::Ip6 => f.write_str("ip6"),
            Term::Arp => f.write_str("arp"),
            Term::Icmp => f.write_str("icmp"),
            Term::Icmp6 => f.write_str("icmp6"),
            Term::Tcp => f.write_str("tcp"),
            Term::Udp => f.write_str("udp"),
            Term::Sctp => f.write_str("sctp"),
            Term::Protocol(number) => write!(f, "proto {number}"),
            Term::Net(direction, net) if net.is_host() => {
                write!(f, "{}host {}", direction.prefix(), net.addr())
            }
            Term::Net(direction, net) => write!(f, "{}net {net}", direction.prefix()),
            Term::Ports(direction, first, last) if first == last => {
                write!(f, "{}port {first}", direction.prefix())
            }
            Term::Ports(direction, first, last) => {
                write!(f, "{}portrange {first}-{last}", direction.prefix())
            }
            Term::Vlan(None) => f.write_str("vlan"),
            Term::Vlan(Some(id)) => write!(f, "vlan {id}"),
            Term::Mac(direction, [a, b, c, d, e, g]) => {
                let side = match direction {
                    Direction::Src => "src",
                    Direction::Dst => "dst",
                    Direction::Either => "host",
                };
                write!(f, "ether {side} {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
        }
    }
}

impl Direction {
    fn prefix(self) -> &'static str {
        match self {
            Direction::Src => "src ",
            Direction::Dst => "dst ",
            Direction::Either => "",
        }
    }
}
