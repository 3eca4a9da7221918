//! What an expression means, written down plainly: a frame is read into a list of facts, and the
//! expression asked of those. Shares no code with the crate.

use std::net::IpAddr;

use flowscope_core::{LinkType, PacketView};
use flowscope_filter::{Direction, Expr, Net};
use flowscope_testkit::Rng;

#[derive(Clone, Debug)]
pub(crate) enum Model {
    Ip,
    Ip6,
    Arp,
    Icmp,
    Icmp6,
    Tcp,
    Udp,
    Sctp,
    Proto(u8),
    Host(Direction, IpAddr),
    Net(Direction, IpAddr, u8),
    Ports(Direction, u16, u16),
    Vlan(Option<u16>),
    Mac(Direction, [u8; 6]),
    And(Vec<Model>),
    Or(Vec<Model>),
    Not(Box<Model>),
}

use Model::*;

/// As the crate takes it.
pub(crate) fn expr(model: &Model) -> Expr {
    match model {
        Ip => Expr::ip(),
        Ip6 => Expr::ip6(),
        Arp => Expr::arp(),
        Icmp => Expr::icmp(),
        Icmp6 => Expr::icmp6(),
        Tcp => Expr::tcp(),
        Udp => Expr::udp(),
        Sctp => Expr::sctp(),
        Proto(number) => Expr::protocol(*number),
        Host(direction, addr) => Expr::host(*direction, *addr),
        Net(direction, addr, len) => Expr::net(*direction, network(*addr, *len)),
        Ports(direction, first, last) => Expr::ports(*direction, *first..=*last),
        Vlan(id) => Expr::vlan(*id),
        Mac(direction, addr) => Expr::mac(*direction, *addr),
        And(parts) => parts.iter().map(expr).reduce(|a, b| a & b).expect("two parts"),
        Or(parts) => parts.iter().map(expr).reduce(|a, b| a | b).expect("two parts"),
        Not(inner) => !expr(inner),
    }
}

/// Whether the packet is meant; `None` if it ends too early to say.
pub(crate) fn eval(model: &Model, view: PacketView<'_>) -> Option<bool> {
    let needs = needs(model);
    let facts = Facts::read(view, needs)?;
    ask(model, &facts)
}

#[derive(Clone, Copy, Default)]
struct Needs {
    link: bool,
    protocol: bool,
    ports: bool,
}

fn needs(model: &Model) -> Needs {
    match model {
        Mac(..) => Needs::default(),
        Ip | Ip6 | Arp | Host(..) | Net(..) | Vlan(_) => Needs { link: true, ..Needs::default() },
        Icmp | Icmp6 | Tcp | Udp | Sctp | Proto(_) => {
            Needs { link: true, protocol: true, ports: false }
        }
        Ports(..) => Needs { link: true, protocol: true, ports: true },
        Not(inner) => needs(inner),
        And(parts) | Or(parts) => parts.iter().map(needs).fold(Needs::default(), |a, b| Needs {
            link: a.link | b.link,
            protocol: a.protocol | b.protocol,
            ports: a.ports | b.ports,
        }),
    }
}

struct Facts<'a> {
    frame: &'a [u8],
    tags: Vec<u16>,
    kind: u16,
    network: usize,
    protocol: Option<u8>,
    ports: Option<usize>,
}

impl<'a> Facts<'a> {
    fn read(view: PacketView<'a>, needs: Needs) -> Option<Self> {
        let frame = view.frame();
        let mut facts =
            Facts { frame, tags: Vec::new(), kind: 0, network: 0, protocol: None, ports: None };
        if !needs.link {
            return Some(facts);
        }
        facts.tags.extend(view.vlan().map(|tag| tag.tci & 0xfff));
        facts.link(view.link())?;
        if needs.protocol {
            facts.network(needs.ports)?;
        }
        Some(facts)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.frame.get(at).copied()
    }

    fn half(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([*self.frame.get(at)?, *self.frame.get(at + 1)?]))
    }

    fn link(&mut self, link: LinkType) -> Option<()> {
        match link.0 {
            1 => self.tags(12, 14),
            113 => self.tags(14, 16),
            276 => self.tags(0, 20),
            12 | 14 | 101 => {
                self.kind = match self.byte(0)? >> 4 {
                    4 => 0x800,
                    6 => 0x86dd,
                    _ => 0,
                };
                Some(())
            }
            228 => self.at(0x800, 0),
            229 => self.at(0x86dd, 0),
            0 | 108 => {
                let family = *self.frame.first_chunk()?;
                let [low, high] = [u32::from_le_bytes(family), u32::from_be_bytes(family)];
                match low.min(high) {
                    2 => self.at(0x800, 4),
                    10 | 24 | 28 | 30 => self.at(0x86dd, 4),
                    _ => match self.half(0)? {
                        0x0f00 | 0x8f00 => self.at(self.half(2)?, 4),
                        _ => self.at(0, 0),
                    },
                }
            }
            9 | 50 => match self.half(0)? {
                0x0f00 | 0x8f00 => self.at(self.half(2)?, 4),
                0xff03 => self.ppp(2),
                _ => self.ppp(0),
            },
            51 => match self.half(0)? {
                0x1100 => self.ppp(6),
                _ => self.at(0, 0),
            },
            other => panic!("link type {other}"),
        }
    }

    fn at(&mut self, kind: u16, network: usize) -> Option<()> {
        (self.kind, self.network) = (kind, network);
        Some(())
    }

    fn tags(&mut self, mut kind_at: usize, mut next: usize) -> Option<()> {
        let mut kind = self.half(kind_at)?;
        while [0x8100, 0x88a8, 0x9100].contains(&kind) && self.tags.len() < 2 {
            // What comes behind the tag is read anyway.
            self.tags.push(self.half(next).unwrap_or(0) & 0xfff);
            (kind_at, next) = (next + 2, next + 4);
            kind = self.half(kind_at)?;
        }
        self.at(kind, next)
    }

    fn ppp(&mut self, at: usize) -> Option<()> {
        let (number, next) = match self.byte(at)? {
            odd if odd % 2 == 1 => (u16::from(odd), at + 1),
            _ => (self.half(at)?, at + 2),
        };
        match number {
            0x21 => self.at(0x800, next),
            0x57 => self.at(0x86dd, next),
            _ => self.at(0, 0),
        }
    }

    fn network(&mut self, ports: bool) -> Option<()> {
        let with_ports = |protocol| ports && matches!(protocol, 6 | 17 | 132);
        match self.kind {
            0x800 => {
                let protocol = self.byte(self.network + 9)?;
                self.protocol = Some(protocol);
                let offset = self.half(self.network + 6)? & 0x1fff;
                let words = usize::from(self.byte(self.network)? & 15);
                if with_ports(protocol) && offset == 0 && words >= 5 {
                    self.ports = Some(self.network + words * 4);
                }
            }
            0x86dd => {
                let mut next = self.byte(self.network + 6)?;
                let mut at = self.network + 40;
                for extensions in 0.. {
                    if !matches!(next, 0 | 43 | 44 | 60) {
                        self.protocol = Some(next);
                        self.ports = with_ports(next).then_some(at);
                        break;
                    }
                    if extensions == 6 {
                        break;
                    }
                    let number = self.byte(at)?;
                    if next == 44 {
                        if self.half(at + 2)? >= 8 {
                            self.protocol = Some(number);
                            break;
                        }
                        at += 8;
                    } else {
                        at += (usize::from(self.byte(at + 1)?) + 1) * 8;
                    }
                    next = number;
                }
            }
            _ => {}
        }
        Some(())
    }
}

fn ask(model: &Model, facts: &Facts<'_>) -> Option<bool> {
    let protocol = |number: u8| facts.protocol == Some(number);
    Some(match model {
        Ip => facts.kind == 0x800,
        Ip6 => facts.kind == 0x86dd,
        Arp => facts.kind == 0x806,
        Icmp => facts.kind == 0x800 && protocol(1),
        Icmp6 => facts.kind == 0x86dd && protocol(58),
        Tcp => protocol(6),
        Udp => protocol(17),
        Sctp => protocol(132),
        Proto(number) => protocol(*number),
        Host(direction, addr) => return net(*direction, *addr, None, facts),
        Net(direction, addr, len) => return net(*direction, *addr, Some(*len), facts),
        Ports(direction, first, last) => {
            let Some(at) = facts.ports else { return Some(false) };
            return ends(*direction, |src| {
                let port = facts.half(if src { at } else { at + 2 })?;
                Some((*first..=*last).contains(&port))
            });
        }
        Vlan(None) => !facts.tags.is_empty(),
        Vlan(Some(id)) => facts.tags.contains(id),
        Mac(direction, addr) => {
            return ends(*direction, |src| {
                let at = if src { 6 } else { 0 };
                // The last four bytes are looked at first.
                let end = facts.frame.get(at + 2..at + 6)?;
                if end != &addr[2..] {
                    return Some(false);
                }
                Some(facts.frame.get(at..at + 6)? == addr)
            });
        }
        And(parts) => {
            for part in parts {
                if !ask(part, facts)? {
                    return Some(false);
                }
            }
            true
        }
        Or(parts) => {
            for part in parts {
                if ask(part, facts)? {
                    return Some(true);
                }
            }
            false
        }
        Not(inner) => !ask(inner, facts)?,
    })
}

fn ends(direction: Direction, holds: impl Fn(bool) -> Option<bool>) -> Option<bool> {
    match direction {
        Direction::Src => holds(true),
        Direction::Dst => holds(false),
        Direction::Either => Some(holds(true)? || holds(false)?),
    }
}

fn net(direction: Direction, addr: IpAddr, len: Option<u8>, facts: &Facts<'_>) -> Option<bool> {
    let wanted: Vec<u8> = match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    let (src, dst) = match (facts.kind, addr) {
        (0x800, IpAddr::V4(_)) => (12, 16),
        (0x806 | 0x8035, IpAddr::V4(_)) => (14, 24),
        (0x86dd, IpAddr::V6(_)) => (8, 24),
        _ => return Some(false),
    };
    let bits = len.map_or(wanted.len() * 8, usize::from);
    ends(direction, |is_src| {
        let at = facts.network + if is_src { src } else { dst };
        // Word by word: one that differs ends it.
        for first in (0..bits).step_by(32) {
            let word = facts.frame.get(at + first / 8..at + first / 8 + 4)?;
            let differ = (first..bits.min(first + 32)).any(|bit| {
                let mask = 0x80 >> (bit % 8);
                word[bit / 8 - first / 8] & mask != wanted[bit / 8] & mask
            });
            if differ {
                return Some(false);
            }
        }
        Some(true)
    })
}

/// A random expression out of few values, so that packets meet them.
pub(crate) fn random(rng: &mut Rng, depth: usize, macs: bool) -> Model {
    if depth > 0 && !rng.one_in(3) {
        let parts = |rng: &mut Rng| {
            let count = 2 + rng.below(3);
            (0..count).map(|_| random(rng, depth - 1, macs)).collect()
        };
        return match rng.below(5) {
            0 | 1 => And(parts(rng)),
            2 | 3 => Or(parts(rng)),
            _ => Not(Box::new(random(rng, depth - 1, macs))),
        };
    }
    let direction = *rng.pick(&[Direction::Src, Direction::Dst, Direction::Either]);
    match rng.below(if macs { 17 } else { 16 }) {
        0 => Ip,
        1 => Ip6,
        2 => Arp,
        3 => Icmp,
        4 => Icmp6,
        5 => Tcp,
        6 => Udp,
        7 => Sctp,
        8 => Proto(*rng.pick(&[0, 1, 6, 17, 44, 47, 50, 58, 60, 132])),
        9 => Host(direction, *rng.pick(&ADDRS.map(addr))),
        10 => {
            let addr = *rng.pick(&ADDRS.map(addr));
            let most = if addr.is_ipv4() { 32 } else { 128 };
            let len = *rng.pick(&[0, 1, 8, 24, 31, 32, 48, 64, 97, 127, 128]).min(&most);
            let net = network(addr, len);
            Net(direction, net.addr(), len)
        }
        11 | 12 => {
            let port = *rng.pick(&PORTS);
            Ports(direction, port, port)
        }
        13 => {
            let (a, b) = (*rng.pick(&PORTS), *rng.pick(&PORTS));
            Ports(direction, a.min(b), a.max(b))
        }
        14 => Vlan(None),
        15 => Vlan(Some(*rng.pick(&IDS))),
        _ => Mac(direction, *rng.pick(&MACS)),
    }
}

pub(crate) const ADDRS: [&str; 7] =
    ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db9::1"];
pub(crate) const PORTS: [u16; 6] = [53, 80, 443, 4789, 40000, 65535];
pub(crate) const IDS: [u16; 5] = [0, 5, 6, 7, 100];
pub(crate) const MACS: [[u8; 6]; 3] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], [2, 1, 0, 0, 0, 1]];

fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn network(addr: IpAddr, len: u8) -> self::Net {
    self::Net::new(addr, len).expect("a prefix no longer than the address")
}
